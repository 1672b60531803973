"""OData expressions, and what this server does not do (501)."""

from __future__ import annotations

from server.problems.problem import Problem


def unparseable_odata_expression(reason: str) -> Problem:
    return Problem(
        "400.18",
        f"筛选式无法解析：{reason}。请检查后重试。",
        f"The OData filter expression you provided could not be parsed: {reason}",
        {"reason": reason},
    )


def unsupported_odata_select_field(name: str) -> Problem:
    return Problem(
        "400.24",
        f"不支持选取 {name}。请换一个字段。",
        f"The given OData select property '{name}' uses features not supported by this server.",
        {"property": name},
    )


def odata_repeat_id_not_found() -> Problem:
    return Problem(
        "400.34",
        "$skiptoken 所指的记录不存在。请从头读取。",
        "Record associated with the provided $skiptoken not found.",
    )


def odata_invalid_skiptoken() -> Problem:
    return Problem(
        "400.35",
        "$skiptoken 无效。请从头读取。",
        "Invalid $skiptoken. Read from the start.",
    )


def not_implemented(feature: str) -> Problem:
    return Problem(
        "501.1",
        f"本服务器不支持 {feature}。",
        f"The requested feature {feature} is not supported by this server.",
        {"feature": feature},
    )


def unexpected_forms_list() -> Problem:
    return Problem(
        "501.2",
        "这里不能新建或删除表单，请给出项目中全部表单。",
        "Forms cannot be made or deleted here. Send all forms of this project.",
    )


def unsupported_odata_expression(at: int, kind: str, text: str) -> Problem:
    return Problem(
        "501.4",
        f"不支持筛选式中的 {text}（位置 {at}）。",
        f"The given OData filter expression uses features not supported by this server: {kind} at {at} ('{text}')",
        {"at": at, "type": kind, "text": text},
    )


def unsupported_odata_field(text: str, at: int | None = None) -> Problem:
    return Problem(
        "501.5",
        f"筛选式中的字段 {text} 不支持。",
        f"The given OData filter expression references fields not supported by this server: {text}{f' at {at}' if at is not None else ''}",
        {"at": at, "text": text},
    )


def unsupported_odata_expand(text: str) -> Problem:
    return Problem(
        "501.6",
        "$expand 只支持 *。",
        f"The given OData expand expression is not supported by this server: '{text}'. Only '$expand=*' is.",
        {"text": text},
    )


def unsupported_odata_select_expand() -> Problem:
    return Problem(
        "501.11",
        "$select 与 $expand 不能同时使用。",
        "$select together with $expand is not supported by this server.",
    )
