"""Everything that can go wrong, one factory each, numbered as ODK Central numbers them.

The status is the whole part of the code (409.1 -> 409).
Numbers of 4xx.7x are our own. A number once used is never given to another problem.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class Problem(Exception):
    """What happened and what to do next, in Chinese and English, for the one who reads it.

    `code` as ODK Central's; `zh` and `en` are whole sentences; `details` are plain JSON values.
    """

    code: str
    zh: str
    en: str
    details: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.code}: {self.en}"

    @property
    def status(self) -> int:
        """HTTP status, from the code."""
        return int(self.code.split(".", maxsplit=1)[0])

    def message(self, language: str) -> str:
        """The sentence in `zh` or `en`; anything else reads English."""
        return self.zh if language.startswith("zh") else self.en


# -- 400: what was sent cannot be understood


def unparseable_xml(reason: str) -> Problem:
    return Problem(
        "400.1",
        f"提交的 XML 无法解析（{reason}）。请在手机上重新打开并保存该表单后再提交。",
        f"The XML could not be parsed ({reason}). Open the form on the phone, save it again, and resend.",
        {"format": "xml", "rawLength": 0, "reason": reason},
    )


def missing_part(name: str) -> Problem:
    return Problem(
        "400.2",
        f"缺少必需的内容：{name}。请补充后重试。",
        f"Required parameter {name} missing. Add it and try again.",
        {"field": name},
    )


def unreadable_body(reason: str) -> Problem:
    return Problem(
        "400.7",
        f"请求内容无法读取（{reason}）。请检查网络后重新发送。",
        f"The request could not be read ({reason}). Check the connection and send it again.",
        {"reason": reason},
    )


def invalid_value(name: str, reason: str) -> Problem:
    return Problem(
        "400.11",
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
        "404.71",
        f"要修改的提交（{instance_id}）不在服务器上。请先发送原来的提交，或联系管理员。",
        f"The submission being edited ({instance_id}) is not on the server. Send the original first, or ask an administrator.",
        {"instanceId": instance_id},
    )


# -- 401, 403: who are you, and may you


def authentication_failed() -> Problem:
    return Problem(
        "401.2",
        "登录信息不正确或已失效。请检查用户名和密码，或请管理员重新发二维码。",
        "Could not authenticate with the provided credentials. Check them, or ask the administrator for a new QR code.",
    )


def insufficient_rights() -> Problem:
    return Problem(
        "403.1",
        "您没有进行此操作的权限。如需要，请联系管理员。",
        "The authentication you provided does not have rights to perform that action. Ask an administrator if you need it.",
    )


def too_many_tries(minutes: int) -> Problem:
    return Problem(
        "429.7",
        f"登录尝试次数过多。请在 {minutes} 分钟后再试。",
        f"Too many tries to sign in. Try again in {minutes} minutes.",
        {"minutes": minutes},
    )


# -- 404, 409, 410: the thing is not there, or in another state


def not_found() -> Problem:
    return Problem(
        "404.1",
        "找不到您要的内容，可能已被移动或删除。请返回上一页，或联系管理员。",
        "Could not find the resource you were looking for. It may have been moved or deleted.",
    )


def form_version_unknown(form_id: str, version: str) -> Problem:
    return Problem(
        "404.6",
        f"服务器上没有表单 {form_id} 的这个版本（{version or '空'}）。请先在手机上更新表单，再重新提交。",
        f"The server has no version '{version}' of form {form_id}. Update the form on the phone, then send again.",
        {"formId": form_id, "version": version},
    )


def form_unknown(form_id: str) -> Problem:
    return Problem(
        "404.2",
        f"服务器上没有表单 {form_id}。请在手机上更新表单列表，或联系管理员。",
        f"The server has no form {form_id}. Refresh the form list on the phone, or ask an administrator.",
        {"formId": form_id},
    )


def form_not_accepting() -> Problem:
    return Problem(
        "409.2",
        "该表单已停止接收提交。您的数据仍在手机上，请联系管理员。",
        "This form no longer accepts submissions. Your data is still on the phone; ask an administrator.",
    )


def uniqueness_violation(fields: list[str], values: list[str]) -> Problem:
    return Problem(
        "409.3",
        f"已存在相同的记录：{'、'.join(fields)} = {'、'.join(values)}。请换一个值。",
        f"A resource already exists with {', '.join(fields)} value(s) of {', '.join(values)}.",
        {"fields": fields, "values": values},
    )


def submission_conflict(instance_id: str) -> Problem:
    return Problem(
        "409.5",
        f"服务器上已有编号相同但内容不同的提交（{instance_id}）；原有内容未改动。请新填一份，或联系管理员。",
        f"A submission with the same ID and other content ({instance_id}) is already here; it was left as it is. "
        "Fill in a new form, or ask an administrator.",
        {"instanceId": instance_id},
    )


def outdated_edit(instance_id: str) -> Problem:
    return Problem(
        "409.71",
        f"您修改的不是最新版本（{instance_id} 已被后来的修改取代）。请更新后在最新版本上修改。",
        f"You edited an outdated version ({instance_id} has been replaced since). Refresh and edit the latest one.",
        {"instanceId": instance_id},
    )


def version_not_unique(version: str) -> Problem:
    return Problem(
        "409.6",
        f"该表单已发布过版本“{version}”。请在 settings 表中改用新的 version 后重新上传。",
        f"Version '{version}' of this form has been published before. Set another version in the settings sheet.",
        {"version": version},
    )


def no_draft() -> Problem:
    return Problem(
        "409.73",
        "该表单没有草稿可发布。请先上传新的表单文件。",
        "This form has no draft to publish. Upload a new form file first.",
    )


def backup_unreadable(reason: str) -> Problem:
    return Problem(
        "400.75",
        f"备份文件不完整或不可读（{reason}）。请换一份备份。",
        f"The backup is damaged ({reason}). Use another one.",
        {"reason": reason},
    )


def not_empty() -> Problem:
    return Problem(
        "409.75",
        "目标数据库不是空的，未恢复。请换一个空的数据目录（或空的 PostgreSQL 数据库）。",
        "The target database is not empty; nothing was restored. Use an empty data directory (or PostgreSQL database).",
    )


def reason_missing() -> Problem:
    return Problem(
        "400.71",
        "请写明原因，填报人会看到。",
        "Write the reason; the officer will see it.",
    )


# -- 413, 415: too much, or of a kind we don't take


def too_large(limit_bytes: int) -> Problem:
    return Problem(
        "413.1",
        f"内容过大，上限为 {limit_bytes // 1_000_000} MB。请减少照片数量或大小后重试。",
        f"That is too large; the limit is {limit_bytes // 1_000_000} MB. Send fewer or smaller files.",
        {"limitBytes": limit_bytes},
    )


def unsupported_media_type(kind: str) -> Problem:
    return Problem(
        "415.1",
        f"不支持的内容类型（{kind}）。请使用 ODK Collect 或按接口说明发送。",
        f"Content type not supported ({kind}). Use ODK Collect or send what the interface describes.",
        {"contentType": kind},
    )


# -- 5xx: ours


def unexpected(request_id: str) -> Problem:
    return Problem(
        "500.1",
        f"服务器出了意外，数据没有改动。请稍后再试；如仍不行，请把编号 {request_id} 告诉管理员。",
        f"Something unexpected happened and nothing was changed. Try again later, or tell the administrator {request_id}.",
        {"requestId": request_id},
    )


def busy() -> Problem:
    return Problem(
        "503.1",
        "服务器正忙，数据没有收下。请稍后再发。",
        "The server is busy and did not take the data. Send it again later.",
    )


def schema_is_newer(found: str) -> Problem:
    return Problem(
        "500.71",
        f"数据库由更新版本的 minqing 建立（{found}）。请升级本程序后再启动，数据没有改动。",
        f"The database was made by a newer minqing ({found}). Upgrade this program; nothing was changed.",
        {"revision": found},
    )
