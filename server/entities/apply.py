"""A submission's entity changes, applied in its transaction (ODK Entities specification 2024.1 and 2025.1).

What cannot be applied is told to staff in the submission version's `entity_errors`; it never refuses the submission.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from server.access.actor import Actor
from server.changes import record_change
from server.entities.lists import find_list, is_scoped
from server.model import Entity, EntityHeld, EntityList, EntityVersion
from server.transactions import new_id

_UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class EntityChange:
    """What a submission says of one entity. `data` has only the properties that it sets; `label` None leaves it."""

    list_name: str
    uuid: str
    creates: bool
    updates: bool
    label: str | None
    data: dict[str, str] = field(default_factory=dict)
    base_version: int | None = None
    trunk_version: int | None = None
    branch_id: str | None = None


def apply_changes(
    session: Session, actor: Actor, project_id: int, changes: list[EntityChange], *, division: str, submission_version_id: int,
) -> list[dict[str, str]]:  # fmt: skip
    """The entities are created and updated; each returned dict {list, id, zh, en} says what could not be applied and why."""
    errors: list[dict[str, str]] = []
    for change in changes:
        problem = _apply_one(session, actor, project_id, change, division, submission_version_id)
        if problem is not None:
            errors.append({"list": change.list_name, "id": change.uuid, "zh": problem[0], "en": problem[1]})
    return errors


def _apply_one(
    session: Session, actor: Actor, project_id: int, change: EntityChange, division: str, submission_version_id: int
) -> tuple[str, str] | None:
    entity_list = find_list(session, project_id, change.list_name)
    if entity_list is None:
        return f"没有名为 {change.list_name} 的名册", f"there is no entity list {change.list_name}"
    if not _UUID4.fullmatch(change.uuid):
        return "编号不是有效的 UUID", "the entity's id is no version 4 UUID"
    if not (change.creates or change.updates):
        return None
    # Two phones may work on one entity at once: the row is the lock.
    statement = select(Entity).where(Entity.list_id == entity_list.id, Entity.uuid == change.uuid).with_for_update()
    entity = session.scalar(statement)
    if change.updates and entity is not None:
        return _update(session, actor, entity_list, entity, change, submission_version_id)
    if change.creates:
        return _create(session, actor, entity_list, entity, change, division, submission_version_id)
    _hold(session, entity_list, change, submission_version_id)
    return None


def _create(
    session: Session, actor: Actor, entity_list: EntityList, existing: Entity | None, change: EntityChange, division: str, version_id: int
) -> tuple[str, str] | None:
    if existing is not None:
        return "该编号已在名册中", "an entity with this id is already in the list"
    if not (change.label or "").strip():
        return "名称（label）为空，未建立", "the label is blank; no entity was created"
    now = datetime.now(UTC)
    entity = Entity(
        project_id=entity_list.project_id, id=new_id(), list_id=entity_list.id, uuid=change.uuid, label=change.label, data=change.data,
        version=1, division=_division_of(change.data) or (division if is_scoped(session, entity_list) else ""), creator_id=actor.id or None, created_at=now,
    )  # fmt: skip
    session.add(entity)
    session.flush()
    _add_version(session, actor, entity, change, version_id, changed=dict(change.data), base=None, conflict=None)
    record_change(session, "entity.created", project_id=entity.project_id, details={"list": entity_list.name, "uuid": entity.uuid})
    _release_held(session, actor, entity_list, entity)
    return None


def _division_of(data: dict[str, Any]) -> str | None:
    value = data.get("division")
    return value if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 12 else None


def _base_on_server(session: Session, entity: Entity, change: EntityChange) -> int | None:
    """The server's version that the phone built on: its branch's last one, or the base itself; None: not here yet."""
    if change.branch_id is None or change.base_version is None or change.base_version == change.trunk_version:
        return change.base_version if change.base_version is not None else entity.version
    return session.scalar(
        select(EntityVersion.version).where(
            EntityVersion.project_id == entity.project_id, EntityVersion.entity_id == entity.id,
            EntityVersion.branch_id == change.branch_id, EntityVersion.branch_base_version == change.base_version - 1,
        )
    )  # fmt: skip


def _update(
    session: Session, actor: Actor, entity_list: EntityList, entity: Entity, change: EntityChange, version_id: int
) -> tuple[str, str] | None:
    base = _base_on_server(session, entity, change)
    if base is None or base > entity.version:
        _hold(session, entity_list, change, version_id)
        return None
    changed: dict[str, Any] = {k: v for k, v in change.data.items() if entity.data.get(k) != v}
    conflict = _conflict(session, entity, change, base) if base != entity.version else None
    entity.data = {**entity.data, **change.data}
    entity.label = (change.label or "").strip() or entity.label
    entity.version += 1
    entity.division = _division_of(entity.data) or entity.division
    entity.updated_at = datetime.now(UTC)
    entity.conflict = conflict or entity.conflict
    session.flush()
    _add_version(session, actor, entity, change, version_id, changed=changed, base=base, conflict=conflict)
    record_change(session, "entity.updated", project_id=entity.project_id, details={"list": entity_list.name, "uuid": entity.uuid})
    _release_held(session, actor, entity_list, entity)
    return None


def _conflict(session: Session, entity: Entity, change: EntityChange, base: int) -> str | None:
    """Central's terms: soft if someone changed other properties since, hard if one of the same."""
    since = session.execute(
        select(EntityVersion.changed, EntityVersion.branch_id)
        .where(EntityVersion.project_id == entity.project_id, EntityVersion.entity_id == entity.id, EntityVersion.version > base)
    ).all()  # fmt: skip
    others = [changed for changed, branch_id in since if branch_id is None or branch_id != change.branch_id]
    if not others:
        return None
    return "hard" if any(set(changed) & set(change.data) for changed in others) else "soft"


def _add_version(
    session: Session, actor: Actor, entity: Entity, change: EntityChange, version_id: int, *, changed: dict[str, Any], base: int | None,
    conflict: str | None,
) -> None:  # fmt: skip
    session.add(
        EntityVersion(
            project_id=entity.project_id, entity_id=entity.id, version=entity.version, label=entity.label, data=entity.data,
            changed=changed, base_version=base, branch_id=change.branch_id, trunk_version=change.trunk_version,
            branch_base_version=change.base_version, conflict=conflict, submission_version_id=version_id, actor_id=actor.id or None,
            created_at=datetime.now(UTC),
        )
    )  # fmt: skip
    session.flush()


def _hold(session: Session, entity_list: EntityList, change: EntityChange, version_id: int) -> None:
    session.add(
        EntityHeld(
            project_id=entity_list.project_id, id=new_id(), list_id=entity_list.id, uuid=change.uuid, branch_id=change.branch_id,
            base_version=change.base_version, change=asdict(change), submission_version_id=version_id, held_at=datetime.now(UTC),
        )
    )  # fmt: skip
    session.flush()


def _release_held(session: Session, actor: Actor, entity_list: EntityList, entity: Entity) -> None:
    """What waited for this version is applied now; each may free the next (through `_update`)."""
    held = session.scalars(
        select(EntityHeld).where(EntityHeld.list_id == entity_list.id, EntityHeld.uuid == entity.uuid).order_by(EntityHeld.base_version)
    ).all()
    for row in held:
        change = EntityChange(**row.change)
        base = _base_on_server(session, entity, change)
        if base is not None and base <= entity.version:
            gone = session.execute(delete(EntityHeld).where(EntityHeld.project_id == row.project_id, EntityHeld.id == row.id))
            if gone.rowcount == 1:  # type: ignore[attr-defined] - a deeper release may have taken it
                _update(session, actor, entity_list, entity, change, row.submission_version_id)
