"""400, 406, 413, 415: what was sent cannot be taken as it is."""

from __future__ import annotations

from typing import Any

from server.problems.problem import Problem


def unparseable_xml(reason: str) -> Problem:
    return Problem(
        "400.1",
        f"提交的 XML 无法解析（{reason}）。请在手机上重新打开并保存该表单后再提交。",
        f"The XML could not be parsed ({reason}). Open the form on the phone, save it again, and resend.",
        {"format": "xml", "rawLength": 0, "reason": reason},
    )


def missing_part(name: str) -> Problem:
    return Problem(
        "400.7",
        f"缺少必需的内容：{name}。请补充后重试。",
        f"Required multipart POST field {name} missing.",
        {"field": name},
    )


def unreadable_body(reason: str) -> Problem:
    return Problem(
        "400.39",
        f"请求内容无法读取（{reason}）。请检查网络后重新发送。",
        "Multipart form content failed to parse.",
        reason,
    )


def invalid_value(name: str, reason: str) -> Problem:
    return Problem(
        "400.8",
        f"{name} 的值不正确：{reason}。请更正后重试。",
        f"Invalid input for {name}: {reason}. Correct it and try again.",
        {"field": name, "reason": reason},
    )


def form_invalid(errors: list[dict[str, Any]]) -> Problem:
    """`errors`: dicts with sheet (str|None), row (int|None), zh, en."""
    first = errors[0] if errors else {"zh": "表单有误", "en": "the form is faulty", "sheet": None, "row": None}
    where_zh = f"工作表 {first['sheet']} 第 {first['row']} 行：" if first.get("row") else ""
    where_en = f"Sheet {first['sheet']}, row {first['row']}: " if first.get("row") else ""
    return Problem(
        "400.15",
        f"表单未能通过检查。{where_zh}{first['zh']} 请修改后重新上传。",
        f"The form did not pass the check. {where_en}{first['en']} Correct it and upload it again.",
        {"errors": errors, "error": first["en"], "warnings": []},
    )


def edit_of_unknown_submission(instance_id: str) -> Problem:
    return Problem(
        "404.5",
        f"要修改的提交（{instance_id}）不在服务器上。请先发送原来的提交，或联系管理员。",
        f"The submission being edited ({instance_id}) is not on the server. Send the original first, or ask an administrator.",
        {"deprecatedId": instance_id},
    )


def unparseable(format_name: str, raw_length: int) -> Problem:
    return Problem(
        "400.1",
        f"内容不是有效的 {format_name}（{raw_length} 个字符）。请检查后重新发送。",
        f"Could not parse the given data ({raw_length} chars) as {format_name}.",
        {"format": format_name, "rawLength": raw_length},
    )


def missing_parameter(field: str) -> Problem:
    return Problem(
        "400.2",
        f"缺少必需的参数 {field}。请补充后重试。",
        f"Required parameter {field} missing.",
        {"field": field},
    )


def missing_parameters(expected: list[str], got: dict[str, Any]) -> Problem:
    """`got`: those of the expected that came, with their values."""
    found = ", ".join(f"{name}: {_quoted(got[name]) if name in got else 'undefined'}" for name in expected)
    return Problem(
        "400.3",
        f"缺少必需的参数，应有：{'、'.join(expected)}。请补充后重试。",
        f"Required parameters missing. Expected ({', '.join(expected)}), got ({found}).",
        {"expected": expected, "got": got},
    )


def _quoted(value: Any) -> str:
    return "null" if value is None else f"'{value}'" if isinstance(value, str) else str(value)



def invalid_header(field: str, value: str | None = None) -> Problem:
    got = "" if value is None else f" (got: {value})"
    return Problem(
        "400.6",
        f"请求头 {field} 的格式不正确。请更正后重试。",
        f"An expected header field ({field}) did not match the expected format{got or '.'}",
        {"field": field} if value is None else {"field": field, "value": value},
    )


def unexpected_value(field: str, value: Any, reason: str) -> Problem:
    return Problem(
        "400.8",
        f"{field} 的值不正确：{reason}。请更正后重试。",
        f"Unexpected {field} value {value}; {reason}",
        {"field": field, "value": value, "reason": reason},
    )


def invalid_data_type(field: str, value: Any, expected: str) -> Problem:
    return Problem(
        "400.11",
        f"{field} 的类型不正确，应为 {expected}。请更正后重试。",
        f"Invalid input data type: expected ({field}) to be ({expected})",
        {"field": field, "value": value, "expected": expected},
    )


def undecryptable() -> Problem:
    return Problem(
        "400.12",
        "无法解密。请检查口令和数据后重试。",
        "Could not decrypt. Check the passphrase and the data, and try again.",
    )


def value_too_long(field: str, most: int) -> Problem:
    return Problem(
        "400.13",
        f"{field} 过长，最多 {most} 个字符。请缩短后重试。",
        f"{field} is too long; the most is {most} characters. Shorten it and try again.",
        {"field": field, "most": most},
    )


def key_does_not_exist(field: str, value: Any, table: str) -> Problem:
    return Problem(
        "400.14",
        f"{field} {value} 不存在。请更正后重试。",
        f"The given {field} {value} for {table} does not exist.",
        {"field": field, "value": value, "table": table},
    )


def form_warnings(warnings: dict[str, Any]) -> Problem:
    return Problem(
        "400.16",
        "表单可用，但有警告。请查看警告；如可接受，请加 ignoreWarnings=true 重新上传。",
        "The form is valid, with warnings. Read them; to accept them send it again with ?ignoreWarnings=true.",
        {"warnings": warnings},
    )


def field_type_conflict(path: str, kind: str) -> Problem:
    return Problem(
        "400.17",
        f"新表单改变了题目 {path} 的类型（原为 {kind}）。请恢复原来的类型，或给该题改名。",
        f"The form changes the type of the field {path}, which was {kind} in an earlier version. Give it back its type, or rename the field.",
        {"path": path, "type": kind},
    )


def expected_deprecation() -> Problem:
    return Problem(
        "400.19",
        "修改须注明所替换的版本（deprecatedID），内容里没有。请补充后重试。",
        "An edit must name the version it replaces in deprecatedID, and this one does not. Add it and try again.",
    )


def password_too_short() -> Problem:
    return Problem(
        "400.21",
        "密码或口令过短，至少 10 个字符。请换一个。",
        "The password or passphrase is too short; it needs at least 10 characters.",
    )


def value_out_of_range(value: Any, kind: str) -> Problem:
    return Problem(
        "400.22",
        f"值 {value} 超出 {kind} 的范围。请更正后重试。",
        f"Provided value '{value}' is out of range for type '{kind}'",
        {"value": value, "type": kind},
    )


def property_not_found(name: str) -> Problem:
    return Problem(
        "400.23",
        f"找不到名为 {name} 的属性。请检查拼写。",
        f"Could not find a property named '{name}'",
        {"property": name},
    )


def invalid_entity_form(reason: str) -> Problem:
    return Problem(
        "400.25",
        f"表单中的实体定义不正确：{reason}。请修改后重新上传。",
        f"The entity definition within the form is invalid. {reason}",
        {"reason": reason},
    )


def list_link_not_allowed() -> Problem:
    return Problem(
        "400.26",
        "只有数据文件类型的附件才能使用登记表。请改为上传文件。",
        'Dataset can only be linked to attachments with "Data File" type.',
    )


def missing_meta() -> Problem:
    return Problem(
        "400.27",
        "表单缺少 meta 组。请在表单中补充后重新上传。",
        "The form has no meta group. Add one and upload it again.",
    )


def pending_submissions(count: int) -> Problem:
    return Problem(
        "400.29",
        f"还有 {count} 份提交等待处理。确认后请加 convert 参数重试。",
        f"There are {count} pending submissions",
        {"count": count},
    )


def unexpected_attributes(expected: list[str], actual: list[str]) -> Problem:
    return Problem(
        "400.31",
        f"参数应为（{'、'.join(expected)}），收到（{'、'.join(actual)}）。请更正后重试。",
        f"Expected parameters: ({', '.join(expected)}). Got ({', '.join(actual)}).",
        {"expected": expected, "actual": actual},
    )


def unexpected_properties(expected: list[str], actual: list[str]) -> Problem:
    return Problem(
        "400.33",
        f"属性应为（{'、'.join(expected)}），收到（{'、'.join(actual)}）。请更正后重试。",
        f"Expected properties: ({', '.join(expected)}). Got ({', '.join(actual)}).",
        {"expected": expected, "actual": actual},
    )


def request_too_large() -> Problem:
    return Problem(
        "400.36",
        "请求内容过大。请分批发送。",
        "Request body too large.",
    )



def password_too_long() -> Problem:
    return Problem(
        "400.38",
        "密码或口令过长。请缩短后重试。",
        "The password or passphrase is too long. Shorten it and try again.",
    )


def invalid_query(names: list[str], reason: str) -> Problem:
    return Problem(
        "400.41",
        f"查询参数（{'、'.join(names)}）有误：{reason}",
        f"Parameters ({', '.join(names)}): {reason}",
        {"paramSet": names, "violationText": reason},
    )



def password_too_weak(chinese: str, warning: str, suggestions: list[str]) -> Problem:
    """`chinese` and `warning` say why, in either language, without a full stop."""
    said = warning or (suggestions[0] if suggestions else "")
    return Problem(
        "400.44",
        f"密码太弱：{chinese}。请换一个更难猜的密码。",
        "The supplied password is too weak" + (f": {said[0].lower()}{said[1:]}" if said else "."),
        {"warning": warning, "suggestions": suggestions},
    )



def too_large(limit_bytes: int) -> Problem:
    return Problem(
        "413.1",
        f"内容过大，上限为 {limit_bytes // 1_000_000} MB。请减少照片数量或大小后重试。",
        f"That is too large; the limit is {limit_bytes // 1_000_000} MB. Send fewer or smaller files.",
        {"limitBytes": limit_bytes},
    )



def unacceptable_format(allowed: list[str], got: str) -> Problem:
    return Problem(
        "406.1",
        f"这里只提供：{'、'.join(allowed)}。请换一种格式。",
        f"Requested format not acceptable; this resource allows: {', '.join(allowed)}.",
        {"allowed": allowed, "got": got},
    )


def scan_too_long() -> Problem:
    return Problem(
        "400.72",
        "按答案筛选、排序或查找耗时过长，已停止。请缩小范围，例如加上提交日期的条件。",
        "Looking through the answers took too long and was stopped. Narrow it down, for instance by __system/submissionDate.",
    )
