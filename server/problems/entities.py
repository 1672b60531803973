"""Entities and their lists: what a program or a submission says of them cannot be done."""

from __future__ import annotations

from typing import Any

from server.problems.problem import Problem


def invalid_entity(reason: str) -> Problem:
    return Problem(
        "400.28",
        f"条目内容不正确：{reason} 请更正后重试。",
        f"The entity is invalid. {reason}",
        {"reason": reason},
    )


def no_conflict_entity() -> Problem:
    return Problem(
        "400.32",
        "该条目没有需要处理的冲突。",
        "The Entity doesn't have any conflict",
    )


def multi_entity_error(total: int, errors: list[dict[str, Any]]) -> Problem:
    """`errors`: one dict an entity with errorMessage, problem, index (from 0)."""
    joined = "\n".join(f"(Entity {error['index'] + 1}) {error['errorMessage']}" for error in errors)
    return Problem(
        "400.43",
        f"该提交中的 {total} 个条目有 {len(errors)} 个不能处理，全部未改动。请查看原因。",
        f"Failed to process {total} entities in submission due to {len(errors)} errors: {joined}",
        {"count": len(errors), "total": total, "errors": errors},
    )


def entity_action_not_permitted(action: str, permitted: list[str]) -> Problem:
    return Problem(
        "403.2",
        f"提交要对条目作 {action}，而表单没有声明此操作（已声明：{'、'.join(permitted)}）。请修改表单。",
        f"The submission attempts an entity {action}, but the form does not permit that action."
        f" The form permits the following actions: {', '.join(permitted)}.",
        {"action": action, "permitted": permitted},
    )


def dataset_not_found(name: str) -> Problem:
    return Problem(
        "404.7",
        f"提交中写明的登记表（{name}）不存在。请检查表单，或联系管理员。",
        f"The dataset ({name}) specified in the submission does not exist.",
        {"datasetName": name},
    )


def entity_not_found(uuid: str, list_name: str) -> Problem:
    return Problem(
        "404.8",
        f"登记表 {list_name} 中没有编号为 {uuid} 的条目。请检查编号，或先新建。",
        f"The entity with UUID ({uuid}) specified in the submission does not exist in the dataset ({list_name}).",
        {"entityUuid": uuid, "datasetName": list_name},
    )


def entity_version_not_found(base_version: int | str, uuid: str, list_name: str) -> Problem:
    return Problem(
        "404.9",
        f"登记表 {list_name} 中条目 {uuid} 没有版本 {base_version}。请在手机上更新表单后重填。",
        f"Base version ({base_version}) does not exist for entity UUID ({uuid}) in dataset ({list_name}).",
        {"baseVersion": base_version, "entityUuid": uuid, "datasetName": list_name},
    )


def entity_deleted(uuid: str) -> Problem:
    return Problem(
        "404.11",
        f"编号为 {uuid} 的条目已被删除。如需更新，请先恢复。",
        f"The entity with UUID ({uuid}) has been deleted.",
        {"entityUuid": uuid},
    )


def entity_version_conflict(current: int, provided: str | None) -> Problem:
    return Problem(
        "409.15",
        f"条目现在的版本是 {current}，您给出的是 {provided or '空'}。请读取新版本后重试，或加 ?force=true。",
        f"Current version of the Entity is '{current}' and you provided '{'undefined' if provided is None else provided}'."
        " Please correct the version number or pass '?force=true' in the URL to forcefully update the Entity.",
        {"current": str(current), **({} if provided is None else {"provided": provided})},
    )


def entity_ids_of_deleted(uuids: list[str]) -> Problem:
    return Problem(
        "409.19",
        f"这些编号属于已删除的条目，不能再用：{'、'.join(uuids[:5])}。请换新的编号。",
        f"The following UUID(s) cannot be used because they are associated with deleted Entities: ({', '.join(uuids)}).",
        {"entityUuids": uuids},
    )


def forms_depend_on_list(forms: dict[str, Any]) -> Problem:
    """`forms`: sourceForms, linkedForms, draftSourceForms, draftLinkedForms."""
    return Problem(
        "409.21",
        "还有表单使用该登记表，不能删除。请先让这些表单不再使用它。",
        "You can't delete this dataset because there are Form(s) dependent on it",
        forms,
    )


def property_in_use(name: str, prerequisites: dict[str, Any]) -> Problem:
    """`prerequisites`: dependentForms and nonEmptyEntities, each with message and details."""
    return Problem(
        "409.22",
        f"属性 {name} 还在使用，不能删除。请先让表单不再写入它，并清空它的值。",
        f'Prerequisites for deleting the property "{name}" are not met.',
        {"propertyName": name, "prerequisites": prerequisites},
    )


def as_of_unreadable(text: str) -> Problem:
    return Problem(
        "400.78",
        f"“{text}”不是日期或时间。请写成 2026-03-31（当天结束时）或 2026-03-31T12:00:00+08:00。",
        f"'{text}' is no date or time. Write 2026-03-31 (the end of that day) or 2026-03-31T12:00:00+08:00.",
        {"asOf": text},
    )


def not_in_the_past() -> Problem:
    return Problem(
        "400.79",
        "查看过去某日的登记表时，只能按词语和行政区划查找；不能筛选、排序，也不能只看有冲突的或回收站中的条目。请去掉日期或这些条件。",
        "A register of an earlier date can be searched by words and by division only: it can be neither filtered nor ordered, nor narrowed to"
        " conflicts or to the trash. Leave out the date or these conditions.",
    )
