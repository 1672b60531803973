"""404, 409: the thing is not there, or is in another state."""

from __future__ import annotations

from typing import Any

from server.problems.problem import Problem


def not_found() -> Problem:
    return Problem(
        "404.1",
        "找不到您要的内容，可能已被移动或删除。请返回上一页，或联系管理员。",
        "Could not find the resource you were looking for.",
    )


def form_version_unknown(form_id: str, version: str) -> Problem:
    return Problem(
        "404.6",
        f"服务器上没有表单 {form_id} 的这个版本（{version or '空'}）。请先在手机上更新表单，再重新提交。",
        f"The form version specified in this submission '{version}' does not exist. Update the form on the phone ({form_id}), then send again.",
        {"formId": form_id, "version": version},
    )


def form_unknown(form_id: str) -> Problem:
    return Problem(
        "404.1",
        f"服务器上没有表单 {form_id}。请在手机上更新表单列表，或联系管理员。",
        f"The server has no form {form_id}. Refresh the form list on the phone, or ask an administrator.",
        {"formId": form_id},
    )


def form_not_accepting() -> Problem:
    return Problem(
        "409.2",
        "该表单已停止接收提交。您的数据仍在手机上，请联系管理员。",
        "This form is not currently accepting submissions. Your data is still on the phone; ask an administrator.",
    )


def uniqueness_violation(fields: list[str], values: list[str]) -> Problem:
    return Problem(
        "409.3",
        f"已存在相同的记录：{'、'.join(fields)} = {'、'.join(values)}。请换一个值。",
        f"A resource already exists with {','.join(fields)} value(s) of {','.join(values)}.",
        {"fields": fields, "values": values},
    )


def submission_conflict(instance_id: str) -> Problem:
    return Problem(
        "409.1",
        f"服务器上已有编号相同但内容不同的提交（{instance_id}）；原有内容未改动。请新填一份，或联系管理员。",
        f"A submission already exists with this ID ({instance_id}), but with different XML; it was left as it is. "
        "Fill in a new form, or ask an administrator.",
        {"instanceId": instance_id},
    )


def outdated_edit(instance_id: str) -> Problem:
    return Problem(
        "409.9",
        f"您修改的不是最新版本（{instance_id} 已被后来的修改取代）。请更新后在最新版本上修改。",
        f"You tried to update a submission, but the copy you were editing ({instance_id}) is now out of date. Get the new version and edit again.",
        {"instanceId": instance_id},
    )


def version_not_unique(form_id: str, version: str) -> Problem:
    return Problem(
        "409.6",
        f"表单 {form_id} 已发布过版本“{version}”。请在 settings 表中改用新的 version 后重新上传。",
        f"You tried to publish the form '{form_id}' with version '{version}',"
        " but a published form has already existed in this project with those identifiers.",
        {"xmlFormId": form_id, "version": version},
    )


def no_draft() -> Problem:
    return Problem(
        "404.1",
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


def draft_access_failed() -> Problem:
    return Problem(
        "404.4",
        "该测试地址已失效。如表单已发布，请用正式的二维码；如有新草稿，请重新扫描测试二维码。",
        "You tried to access a draft testing endpoint, but it does not exist anymore or your access is no longer valid."
        " If the form was published, use a phone's QR code; if there is a new draft, scan its code again.",
    )


def already_active(feature: str) -> Problem:
    return Problem(
        "409.4",
        f"{feature} 已经启用。",
        f"Could not activate feature ({feature}) as it was already activated",
        {"feature": feature},
    )


def no_published_version() -> Problem:
    return Problem(
        "409.7",
        "该表单还没有发布过，草稿不能单独删除。请删除整个表单，或换一份草稿。",
        "The form was never published, so its draft cannot be deleted alone. Delete the form, or replace the draft.",
    )


def instance_id_conflict() -> Problem:
    return Problem(
        "409.8",
        "该 instanceID 已在服务器上使用。请换一个新的 instanceID 重试。",
        "The instanceID of this edit is already in use on the server. Try again with a new one.",
    )


def enketo_not_ready() -> Problem:
    return Problem(
        "409.11",
        "本服务器没有网页填报，不能在网页上修改提交。请在手机上修改，或用 PUT 发送修改后的 XML。",
        "The form you tried to access is not ready for web use: this server fills in no forms on the web. Edit on the phone, or PUT the edited XML.",
    )



def submission_was_deleted() -> Problem:
    return Problem(
        "409.18",
        "这份提交已被删除，不能再次发送。如有疑问请联系管理员。",
        "This submission has been deleted. You may not resubmit it. Ask an administrator if this is unexpected.",
    )


def list_name_conflict(current: str, provided: str) -> Problem:
    return Problem(
        "409.16",
        f"已有名为 {current} 的登记表，{provided} 只是大小写不同。请用同样的写法。",
        f"A dataset named '{current}' exists and you provided '{provided}' with the same name but different capitalization.",
        {"current": current, "provided": provided},
    )


def property_name_conflict(conflicts: list[dict[str, Any]]) -> Problem:
    return Problem(
        "409.17",
        "表单要建的登记表属性与已有的只是大小写不同。请用同样的写法。",
        "This form attempts to create new Entity properties that match with existing ones except for capitalization.",
        {"conflictingProperties": conflicts},
    )


def lists_missing_for_restore() -> Problem:
    return Problem(
        "409.23",
        "表单依赖的登记表已改动或删除，不能恢复。",
        "The form cannot be restored, because an entity list that it needs was changed or deleted.",
    )
