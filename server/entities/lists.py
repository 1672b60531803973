"""Entity lists: declared by forms or made by programs, given their properties, deleted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor, Place
from server.access.audit import record_audit
from server.access.projects import find_project
from server.entities.scope import is_scoped
from server.model import ActorProperty, EntityList, EntityProperty, Form, FormAttachment, FormVersion
from server.transactions import Statement

__all__ = [
    "add_property", "check_lists", "create_list", "declare_lists", "find_list", "find_trashed_list", "get_list", "is_scoped", "list_lists", "list_name_of", "list_properties",
    "name_problem", "properties_of", "record_list_audit", "update_list",
]  # fmt: skip

LIST_LIMIT = 1000
# A medium that phones read in another way: never an entity list.
ITEMSETS = "itemsets.csv"
# ODK's entities specification: an XML name without a period, or (properties) without a colon; what begins with __ is reserved.
_LIST_NAME = re.compile(r"(?!__)(?:[^\W\d]|[:_])[\w:-]*")
_PROPERTY_NAME = re.compile(r"(?!__)[^\W\d][\w.-]*")
_RESERVED = {"name", "label"}
_NAMED = Statement("SELECT id FROM entity_lists WHERE project_id = :project_id AND name = :name AND deleted_at IS NULL")


def list_name_of(medium: str) -> str:
    """The list that a medium of this name can be: `people` of people.csv; "" of itemsets.csv and of what is no CSV."""
    return medium[:-4] if medium.endswith(".csv") and medium != ITEMSETS else ""


def find_list(session: Session, project_id: int, name: str) -> EntityList | None:
    """The project's list of this name. What the session has not flushed is not seen."""
    found = _NAMED.on(session, {"project_id": project_id, "name": name}).fetchone()
    return session.get(EntityList, found[0]) if found is not None else None


def get_list(session: Session, actor: Actor, project_id: int, name: str, *, verb: str) -> EntityList:
    """The list, for whoever may do `verb` in its project. Raises: not_found, insufficient_rights."""
    find_project(session, project_id)
    found = find_list(session, project_id, name)
    if found is None:
        # Who may do nothing here learns nothing of what is here.
        actor.require(verb, Place(project_id))
        raise problems.not_found()
    actor.require(verb, Place(project_id))
    return found


def find_trashed_list(session: Session, actor: Actor, project_id: int, list_id: int, *, verb: str) -> EntityList:
    """The deleted list. Raises: not_found, insufficient_rights."""
    find_project(session, project_id)
    actor.require(verb, Place(project_id))
    found = session.get(EntityList, list_id)
    if found is None or found.project_id != project_id or found.deleted_at is None:
        raise problems.not_found()
    return found


def list_lists(session: Session, actor: Actor, project_id: int, *, deleted: bool = False) -> Sequence[EntityList]:
    """The project's lists by name, or those that were deleted. Raises: not_found, insufficient_rights."""
    find_project(session, project_id)
    actor.require("dataset.list", Place(project_id))
    state = EntityList.deleted_at.is_not(None) if deleted else EntityList.deleted_at.is_(None)
    statement = select(EntityList).where(EntityList.project_id == project_id, state)
    rows = session.scalars(statement.order_by(EntityList.name, EntityList.id).limit(LIST_LIMIT)).all()
    return sorted(rows, key=lambda row: row.name)


def record_list_audit(session: Session, actor: Actor, action: str, entity_list: EntityList, **details: Any) -> int:
    """An entry about the list: its id."""
    return record_audit(session, actor, action, project_id=entity_list.project_id, thing=str(entity_list.id), **details)


def name_problem(name: Any, kind: str) -> problems.Problem | None:
    """What is wrong with the name of a `dataset` or `property`; None if nothing is."""
    pattern = _LIST_NAME if kind == "dataset" else _PROPERTY_NAME
    good = isinstance(name, str) and len(name) <= 255 and pattern.fullmatch(name) is not None
    if good and not (kind == "property" and name.lower() in _RESERVED):
        return None
    shown = "null" if name is None else str(name[0] if isinstance(name, tuple) else name)[:255]
    return problems.unexpected_value("name", shown, f"This is not a valid {kind} name.")


def create_list(
    session: Session, actor: Actor, project_id: int, *, name: Any, approval_required: bool = False, owner_only: bool = False
) -> EntityList:
    """A new list without properties. Raises: not_found, insufficient_rights, unexpected_value, list_name_conflict, uniqueness_violation."""
    find_project(session, project_id)
    actor.require("dataset.create", Place(project_id))
    if (problem := name_problem(name, "dataset")) is not None:
        raise problem
    if find_list(session, project_id, name) is not None:
        raise problems.uniqueness_violation(["name", "projectId"], [name, str(project_id)])
    entity_list = _insert(session, project_id, name, approval_required=approval_required, owner_only=owner_only)
    record_list_audit(session, actor, "dataset.create", entity_list, properties=[])
    return entity_list


def _require_no_similar(session: Session, project_id: int, name: str) -> None:
    similar = session.scalar(
        select(EntityList.name)
        .where(EntityList.project_id == project_id, func.lower(EntityList.name) == name.lower(), EntityList.name != name, EntityList.deleted_at.is_(None))
    )
    if similar is not None:
        raise problems.list_name_conflict(similar, name)


def check_lists(session: Session, project_id: int, lists: dict[str, tuple[str, ...]]) -> None:
    """What declare_lists would refuse, before anything is declared. Raises: list_name_conflict, property_name_conflict."""
    for name, properties in lists.items():
        entity_list = find_list(session, project_id, name)
        if entity_list is None:
            _require_no_similar(session, project_id, name)
        else:
            known = list_properties(session, entity_list)
            _require_no_twins(known, [one for one in properties if one not in known])


def _insert(session: Session, project_id: int, name: str, *, approval_required: bool = False, owner_only: bool = False) -> EntityList:
    _require_no_similar(session, project_id, name)
    entity_list = EntityList(
        project_id=project_id, name=name, approval_required=approval_required, owner_only=owner_only, created_at=datetime.now(UTC)
    )
    session.add(entity_list)
    session.flush()
    return entity_list


def declare_lists(session: Session, actor: Actor, project_id: int, lists: dict[str, tuple[str, ...]]) -> None:
    """Each named list exists with at least these properties, and a new one is linked to the media `NAME.csv` of the project's forms.

    Raises: insufficient_rights, list_name_conflict, property_name_conflict.
    """
    for name, properties in lists.items():
        entity_list = find_list(session, project_id, name)
        is_new = entity_list is None
        if entity_list is None:
            actor.require("dataset.create", Place(project_id))
            entity_list = _insert(session, project_id, name)
            _link_media(session, entity_list)
        known = list_properties(session, entity_list)
        added = [one for one in dict.fromkeys(properties) if one not in known]
        _require_no_twins(known, added)
        if added and not is_new:
            actor.require("dataset.update", Place(project_id))
            entity_list.updated_at = datetime.now(UTC)
        now = datetime.now(UTC)
        session.add_all(EntityProperty(list_id=entity_list.id, name=one, created_at=now) for one in added)
        session.flush()
        if is_new or added:
            record_list_audit(session, actor, "dataset.create" if is_new else "dataset.update", entity_list, properties=added)


def _require_no_twins(known: list[str], added: list[str]) -> None:
    by_lower = {name.lower(): name for name in known}
    twins = [{"current": by_lower[name.lower()], "provided": name} for name in added if name.lower() in by_lower]
    if twins:
        raise problems.property_name_conflict(twins)


def _link_media(session: Session, entity_list: EntityList) -> None:
    in_use = (
        select(FormVersion.id).join(Form, Form.id == FormVersion.form_pk)
        .where(Form.project_id == entity_list.project_id, FormVersion.id.in_([Form.current_version_id, Form.draft_version_id]))
    )  # fmt: skip
    session.execute(
        update(FormAttachment)
        .where(FormAttachment.name == f"{entity_list.name}.csv", FormAttachment.name != ITEMSETS,
               FormAttachment.blob_sha256.is_(None), FormAttachment.form_version_id.in_(in_use))
        .values(list_id=entity_list.id)
    )  # fmt: skip


def update_list(
    session: Session, actor: Actor, entity_list: EntityList, changes: dict[str, Any], *, auto_convert: bool | None = None,
    told: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    """`changes`: approval_required, owner_only, access_rules, checked by the caller, recorded under ODK Central's names with what is `told`.

    Rules that name what the list or the project has not are left out. Raises: insufficient_rights.
    """
    actor.require("dataset.update", Place(entity_list.project_id))
    if not changes:
        return
    for name, value in changes.items():
        setattr(entity_list, name, _known_rules(session, entity_list, value) if name == "access_rules" else value)
    entity_list.updated_at = datetime.now(UTC)
    session.flush()
    shown = {"approval_required": "approvalRequired", "owner_only": "ownerOnly"}
    data: dict[str, Any] = {shown[name]: value for name, value in changes.items() if name in shown}
    details = {} if auto_convert is None else {"autoConvert": auto_convert}
    record_list_audit(session, actor, "dataset.update", entity_list, data={**data, **(told or {})}, **details)


def _known_rules(session: Session, entity_list: EntityList, rules: list[dict[str, str]] | None) -> list[dict[str, str]] | None:
    of_list = set(list_properties(session, entity_list))
    of_actors = set(session.scalars(select(ActorProperty.name).where(ActorProperty.project_id == entity_list.project_id)))
    pairs = {(rule["datasetProperty"], rule["actorProperty"]) for rule in rules or ()}
    return [{"datasetProperty": own, "actorProperty": other} for own, other in sorted(pairs) if own in of_list and other in of_actors] or None


def add_property(session: Session, actor: Actor, entity_list: EntityList, name: Any) -> None:
    """The list has the property. Raises: insufficient_rights, unexpected_value, uniqueness_violation (in any case of letters)."""
    actor.require("dataset.update", Place(entity_list.project_id))
    if (problem := name_problem(name, "property")) is not None:
        raise problem
    twin = next((one for one in list_properties(session, entity_list) if one.lower() == name.lower()), None)
    if twin is not None:
        raise problems.uniqueness_violation(["name", "datasetId"], [twin, str(entity_list.id)])
    now = datetime.now(UTC)
    session.add(EntityProperty(list_id=entity_list.id, name=name, created_at=now))
    entity_list.updated_at = now
    session.flush()
    record_list_audit(session, actor, "dataset.update", entity_list, properties=[name])


def remove_property(session: Session, actor: Actor, entity_list: EntityList, name: str) -> None:
    """The list has the property no more; the caller has seen that nothing uses it."""
    session.execute(delete(EntityProperty).where(EntityProperty.list_id == entity_list.id, EntityProperty.name == name))
    entity_list.updated_at = datetime.now(UTC)
    session.flush()
    record_list_audit(session, actor, "dataset.update.property.delete", entity_list, properties=[name])


def list_properties(session: Session, entity_list: EntityList) -> list[str]:
    """Property names in the order they were declared."""
    known: Any = EntityProperty.__table__.c
    return list(session.scalars(select(known.name).where(known.list_id == entity_list.id).order_by(known.id).limit(LIST_LIMIT)))


def properties_of(session: Session, entity_list: EntityList) -> Sequence[EntityProperty]:
    """The properties in the order they were declared."""
    return session.scalars(
        select(EntityProperty).where(EntityProperty.list_id == entity_list.id).order_by(EntityProperty.id).limit(LIST_LIMIT)
    ).all()
