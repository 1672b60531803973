"""An entity and its versions as rows: found, locked, made, given one more version; with the audit log's entries."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, literal, select, text
from sqlalchemy.orm import Session, make_transient_to_detached

from server import problems
from server.access.actor import Actor
from server.access.audit import record_audit
from server.changes import record_change
from server.entities.among import among
from server.entities.scope import division_of
from server.model import Entity, EntityAudit, EntityList, EntityVersion
from server.plain_rows import insert_row
from server.transactions import new_id

SOFT, HARD = "soft", "hard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Whence a version comes: a program (none of the numbers), a bulk creation (`source_id`), or a submission by `event`."""

    actor_id: int | None
    user_agent: str | None = None
    source_id: int | None = None
    submission_id: int | None = None
    submission_version_id: int | None = None
    event: str | None = None
    forced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a version holds. `received`: what the change said, label included; the numbers as in EntityVersion."""

    label: str
    data: dict[str, Any]
    received: dict[str, Any]
    base_version: int | None = None
    branch_id: str | None = None
    trunk_version: int | None = None
    branch_base_version: int | None = None
    conflict: str | None = None
    conflicting: list[str] | None = None
    is_late_create: bool = False
    supersedes: int | None = None


def new_stamp() -> int:
    """40 random bits: see Entity.stamp."""
    return int.from_bytes(os.urandom(5))


def new_stamps(count: int) -> list[int]:
    """So many of them."""
    return [random >> 24 for random in array("Q", os.urandom(8 * count))]


def version_key(entity_id: int, version: int) -> int:
    """The number by which the audit log's details name a version (`entityDefId`): it grows with the version."""
    return entity_id + version


def lock_entities(session: Session, entity_list_ids_and_uuids: Iterable[tuple[int, str]]) -> None:
    """Nobody else creates or changes these entities before the commit, whether they exist or not; always taken in one order."""
    if session.get_bind().dialect.name != "postgresql":
        return  # SQLite has one writer
    wanted = sorted(set(entity_list_ids_and_uuids))
    keys = [(int(uuid.replace("-", "")[:15], 16) ^ (list_id << 40)) & 0x7FFFFFFFFFFFFFFF for list_id, uuid in wanted]
    if keys:
        # One by one, in the order of the array.
        session.execute(text("SELECT pg_advisory_xact_lock(key) FROM unnest(CAST(:keys AS bigint[])) AS key"), {"keys": keys})


def find_entity(session: Session, entity_list: EntityList, uuid: str) -> Entity | None:
    """The entity with this id, also one in the trash."""
    statement = select(Entity).where(Entity.list_id == entity_list.id, Entity.uuid == uuid)
    return session.scalar(statement.execution_options(populate_existing=True))


def find_version(session: Session, entity: Entity, **named: Any) -> EntityVersion | None:
    """The entity's first version with these columns."""
    statement = select(EntityVersion).where(EntityVersion.project_id == entity.project_id, EntityVersion.entity_id == entity.id)
    return session.scalar(statement.filter_by(**named).order_by(EntityVersion.version).limit(1))


def insert_entity(session: Session, entity_list: EntityList, uuid: str, content: Content, origin: Origin, *, division: str) -> Entity:
    """A new entity with its first version. Raises: uniqueness_violation."""
    now = datetime.now(UTC)
    row: dict[str, Any] = {
        "project_id": entity_list.project_id, "id": new_id(), "list_id": entity_list.id, "uuid": uuid, "label": content.label, "data": content.data,
        "version": 1, "division": division, "conflict": None, "creator_id": origin.actor_id, "created_at": now, "updated_at": None,
        "deleted_at": None, "stamp": new_stamp(),
    }  # fmt: skip
    if not insert_row(session, Entity, row, unless_known=True):
        # A creation of many, which locks none of them, was quicker.
        raise problems.uniqueness_violation(["uuid"], [uuid])
    entity = Entity(**row)
    make_transient_to_detached(entity)
    session.add(entity)
    _insert_version(session, entity, content, origin, now)
    record_change(session, "entity.created", project_id=entity.project_id, details={"list": entity_list.name, "uuid": entity.uuid})
    return entity


def add_version(session: Session, entity_list: EntityList, entity: Entity, content: Content, origin: Origin, *, conflict: str | None) -> None:
    """The entity is as `content` says; `conflict` is its own from now on, `content.conflict` the version's."""
    now = datetime.now(UTC)
    entity.label, entity.data, entity.version = content.label, content.data, entity.version + 1
    entity.division = division_of(content.data) or entity.division
    entity.conflict, entity.updated_at, entity.stamp = conflict, now, new_stamp()
    session.flush()
    _insert_version(session, entity, content, origin, now)
    record_change(session, "entity.updated", project_id=entity.project_id, details={"list": entity_list.name, "uuid": entity.uuid})


def _insert_version(session: Session, entity: Entity, content: Content, origin: Origin, now: datetime) -> None:
    insert_row(session, EntityVersion, {
        "project_id": entity.project_id, "entity_id": entity.id, "version": entity.version, "label": content.label, "data": content.data,
        "division": entity.division, "received": content.received, "base_version": content.base_version, "branch_id": content.branch_id,
        "trunk_version": content.trunk_version, "branch_base_version": content.branch_base_version, "conflict": content.conflict,
        "conflicting": content.conflicting, "forced": origin.forced, "is_late_create": content.is_late_create, "source_id": origin.source_id,
        "submission_id": origin.submission_id, "submission_version_id": origin.submission_version_id, "event": origin.event,
        "user_agent": origin.user_agent, "actor_id": origin.actor_id, "created_at": now, "supersedes": content.supersedes,
    })  # fmt: skip


def record_entity_audit(
    session: Session, actor: Actor, action: str, entity_list: EntityList, entity: Entity, /, *, submission_id: int | None = None, **details: Any
) -> int:
    """An entry about this entity: its id; found again by the entity, its list and its submission."""
    audit_id = record_audit(
        session, actor, action, project_id=entity.project_id, submission_id=submission_id, thing=str(entity_list.id), **details
    )
    link_audits(session, entity.project_id, [entity.id], audit_id)
    return audit_id


def version_details(entity_list: EntityList, entity: Entity) -> dict[str, Any]:
    """What the audit log says of an entity's present version."""
    return {
        "entityId": entity.id, "entityDefId": version_key(entity.id, entity.version),
        "entity": {"uuid": entity.uuid, "dataset": entity_list.name},
    }  # fmt: skip


def link_audits(session: Session, project_id: int, entity_ids: Sequence[int], audit_id: int) -> None:
    """The entry is about these entities."""
    if len(entity_ids) == 1:
        insert_row(session, EntityAudit, {"project_id": project_id, "entity_id": entity_ids[0], "audit_id": audit_id})
        return
    known: Any = Entity.__table__.c
    links = select(known.project_id, known.id, literal(audit_id, BigInteger)).where(known.project_id == project_id, among(session, known.id, entity_ids))
    session.connection().execute(EntityAudit.__table__.insert().from_select(["project_id", "entity_id", "audit_id"], links))
