"""Entities as programs make, change, delete and restore them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor, Place
from server.access.sealed import is_sealed, is_sealed_name, masked, sealer_of
from server.changes import record_change
from server.entities.absences import begin_absence, end_absence
from server.entities.among import among
from server.entities.bulk import insert_many
from server.entities.held import release_held
from server.entities.lists import list_properties, record_list_audit
from server.entities.maintained import is_same_but_for_upkeep
from server.entities.records import (
    Content,
    Origin,
    add_version,
    find_entity,
    insert_entity,
    link_audits,
    lock_entities,
    new_stamp,
    new_stamps,
    record_entity_audit,
    version_details,
)
from server.entities.scope import bound_actor, division_of, is_scoped
from server.entities.sent import SentEntity, normal_uuid, read_sent, read_source, seal_sent
from server.entities.sent_many import read_many_sent
from server.model import Entity, EntityList, EntitySource, PurgedEntity
from server.transactions import new_id, new_ids

_CHUNK = 400
MOST_AT_ONCE = 200_000


def get_entity(session: Session, actor: Actor, entity_list: EntityList, uuid: Any, *, verb: str, is_deleted: bool = False) -> Entity:
    """The entity. Raises: not_found, insufficient_rights (another division's), missing_parameter, invalid_data_type."""
    entity = find_entity(session, entity_list, normal_uuid(uuid))
    if entity is None or (entity.deleted_at is not None) != is_deleted:
        raise problems.not_found()
    bound_actor(session, actor, entity_list).require(verb, entity)
    return entity


def create_entity(session: Session, actor: Actor, entity_list: EntityList, body: Any, *, user_agent: str | None) -> Entity:
    """A new entity from its JSON. Raises: insufficient_rights, uniqueness_violation, entity_ids_of_deleted, those of read_sent."""
    actor.require("entity.create", Place(entity_list.project_id))
    sent = _sealed(session, read_sent(body, set(list_properties(session, entity_list))))
    lock_entities(session, [(entity_list.id, sent.uuid)])
    _require_free(session, entity_list, [sent.uuid])
    [division] = _divisions(session, actor, entity_list, [sent.data])
    content = Content(label=sent.label or "", data=sent.data, received=sent.received)
    entity = insert_entity(session, entity_list, sent.uuid, content, _by_program(actor, user_agent), division=division)
    record_entity_audit(session, actor, "entity.create", entity_list, entity, **version_details(entity_list, entity))
    return entity


def _sealed(session: Session, sent: SentEntity, entity: Entity | None = None) -> SentEntity:
    """ID and bank account numbers sealed. A number that comes back as the mask under which it was shown is the number that is there."""
    numbers = [name for name in sent.data if is_sealed_name(name)]
    if not numbers:
        return sent
    known = entity.data if entity is not None else {}
    shown = {name: known[name] for name in numbers if is_sealed(known.get(name)) and sent.data[name] == masked(known[name])}
    return seal_sent(sent._replace(data={**sent.data, **shown}), numbers, sealer_of(session.get_bind().dialect).seal)


def _by_program(actor: Actor, user_agent: str | None) -> Origin:
    return Origin(actor_id=actor.id or None, user_agent=(user_agent or "")[:255] or None)


def _divisions(session: Session, actor: Actor, entity_list: EntityList, data: Sequence[dict[str, str]]) -> list[str]:
    """The division of each entity with these values; who is bound to one creates within it. Raises: insufficient_rights."""
    if not is_scoped(session, entity_list):
        return [""] * len(data)
    named = [one.get("division") for one in data]
    found = {name: division_of({"division": name}) or actor.division or "" for name in set(named)}
    for division in set(found.values()):
        actor.require("entity.create", Place(entity_list.project_id, None, division))
    return [found[name] for name in named]


def _require_different(uuids: Sequence[str]) -> None:
    if len(set(uuids)) == len(uuids):
        return
    seen: set[str] = set()
    twice = next(uuid for uuid in uuids if uuid in seen or seen.add(uuid))  # type: ignore[func-returns-value]
    raise problems.uniqueness_violation(["uuid"], [twice])


def _require_free(session: Session, entity_list: EntityList, uuids: Sequence[str]) -> None:
    """None of the ids is or was in the list. Raises: entity_ids_of_deleted, uniqueness_violation."""
    gone: list[str] = []
    for start in range(0, len(uuids), _CHUNK):
        some = uuids[start : start + _CHUNK]
        there = session.execute(select(Entity.uuid, Entity.deleted_at).where(Entity.list_id == entity_list.id, Entity.uuid.in_(some))).all()
        gone += [uuid for uuid, deleted_at in there if deleted_at is not None]
        gone += session.scalars(select(PurgedEntity.uuid).where(PurgedEntity.list_id == entity_list.id, PurgedEntity.uuid.in_(some))).all()
        living = next((uuid for uuid, deleted_at in there if deleted_at is None), None)
        if living is not None and not gone:
            raise problems.uniqueness_violation(["uuid"], [living])
    if gone:
        raise problems.entity_ids_of_deleted(gone[:100])


def _require_not_erased(session: Session, entity_list: EntityList, uuids: Sequence[str]) -> None:
    if session.scalar(select(PurgedEntity.uuid).where(PurgedEntity.list_id == entity_list.id).limit(1)) is not None:
        _require_free(session, entity_list, uuids)


def create_many(session: Session, actor: Actor, entity_list: EntityList, entities: Any, source: Any, *, user_agent: str | None) -> int:
    """All of the entities, or none: how many. Raises: insufficient_rights, unexpected_attributes, and as create_entity and read_source."""
    actor.require("entity.create", Place(entity_list.project_id))
    if not isinstance(entities, list):
        raise problems.unexpected_attributes(["entities: [...]"], ["not an array"])
    if not entities:
        raise problems.unexpected_attributes(["entities: [...]"], ["empty array"])
    if len(entities) > MOST_AT_ONCE:
        raise problems.request_too_large()
    properties = list_properties(session, entity_list)
    sent = read_many_sent(entities, properties)
    numbers = {name for name in properties if is_sealed_name(name)}
    if numbers:
        sent = sent.sealed(numbers, sealer_of(session.get_bind().dialect).seal)
    details = read_source(source, len(entities), user_agent)
    _require_different(sent.uuids)
    divisions = _divisions(session, actor, entity_list, sent.data)
    kept = EntitySource(
        project_id=entity_list.project_id, id=new_id(), list_id=entity_list.id, details=details, actor_id=actor.id or None, created_at=datetime.now(UTC)
    )
    session.add(kept)
    kept.audit_id = record_list_audit(session, actor, "entity.bulk.create", entity_list, sourceId=kept.id)
    session.flush()
    origin = Origin(actor_id=actor.id or None, user_agent=(user_agent or "")[:255] or None, source_id=kept.id)
    _require_not_erased(session, entity_list, sent.uuids)
    if not insert_many(session, entity_list, new_ids(len(entities)), sent, divisions, origin):
        _require_free(session, entity_list, sent.uuids)
        # Whoever was quicker has taken it back since.
        raise problems.busy()
    change = {"list": entity_list.name, "source": kept.id, "count": len(entities)}
    record_change(session, "entity.many_created", project_id=entity_list.project_id, details=change)
    return len(entities)


def update_entity(
    session: Session, actor: Actor, entity_list: EntityList, uuid: Any, body: dict[str, Any], *, base_version: str | None, force: bool = False,
    resolve: bool = False, user_agent: str | None = None,
) -> Entity:  # fmt: skip
    """One more version; with `resolve` its conflict is over, also without a body.

    Raises: not_found, insufficient_rights, no_conflict_entity, entity_version_conflict (unless `force`), those of read_sent.
    """
    known = normal_uuid(uuid)
    lock_entities(session, [(entity_list.id, known)])
    entity = get_entity(session, actor, entity_list, known, verb="entity.update")
    if resolve and not entity.conflict:
        raise problems.no_conflict_entity()
    if base_version != str(entity.version) and not force and not is_same_but_for_upkeep(session, entity, base_version):
        raise problems.entity_version_conflict(entity.version, None if base_version is None else base_version[:100])
    if not (resolve and not body):
        sent = _sealed(session, read_sent(body, set(list_properties(session, entity_list)), is_update=True), entity)
        if "division" in sent.data and is_scoped(session, entity_list):
            # A hand-over is for who may see both places.
            actor.require("entity.update", Place(entity_list.project_id, None, division_of(sent.data) or entity.division))
        content = Content(
            label=sent.label or entity.label, data={**entity.data, **sent.data}, received=sent.received, base_version=entity.version
        )
        add_version(session, entity_list, entity, content, _by_program(actor, user_agent), conflict=entity.conflict)
        record_entity_audit(session, actor, "entity.update.version", entity_list, entity, **version_details(entity_list, entity))
    if resolve:
        entity.conflict, entity.updated_at = None, datetime.now(UTC)
        session.flush()
        record_entity_audit(session, actor, "entity.update.resolve", entity_list, entity, **version_details(entity_list, entity))
    return entity


def delete_entity(session: Session, actor: Actor, entity_list: EntityList, uuid: Any) -> None:
    """The entity is in the trash. Raises: not_found, insufficient_rights."""
    lock_entities(session, [(entity_list.id, normal_uuid(uuid))])
    entity = get_entity(session, actor, entity_list, uuid, verb="entity.delete")
    entity.deleted_at = datetime.now(UTC)
    session.flush()
    begin_absence(session, entity.project_id, [entity.id], entity.deleted_at)
    record_entity_audit(session, actor, "entity.delete", entity_list, entity, entity={"uuid": entity.uuid})
    record_change(session, "entity.deleted", project_id=entity.project_id, details={"list": entity_list.name, "uuid": entity.uuid})


def restore_entity(session: Session, actor: Actor, entity_list: EntityList, uuid: Any) -> None:
    """The entity is back. Raises: not_found, insufficient_rights."""
    lock_entities(session, [(entity_list.id, normal_uuid(uuid))])
    entity = get_entity(session, actor, entity_list, uuid, verb="entity.restore", is_deleted=True)
    # A phone may have downloaded the list meanwhile under the hash that it had before: it must not look the same.
    entity.deleted_at, entity.updated_at, entity.stamp = None, datetime.now(UTC), new_stamp()
    session.flush()
    end_absence(session, entity.project_id, [entity.id], entity.updated_at)
    record_entity_audit(session, actor, "entity.restore", entity_list, entity, entity={"uuid": entity.uuid})
    # Updates may have come for it meanwhile.
    release_held(session, actor, entity_list, entity)
    record_change(session, "entity.restored", project_id=entity.project_id, details={"list": entity_list.name, "uuid": entity.uuid})


def delete_many(session: Session, actor: Actor, entity_list: EntityList, ids: Any) -> int:
    """Those of the ids that are there go into the trash: how many. Raises: insufficient_rights, those of the ids."""
    return _set_many(session, actor, entity_list, ids, verb="entity.delete", deletes=True)


def restore_many(session: Session, actor: Actor, entity_list: EntityList, ids: Any) -> int:
    """Those of the ids that are in the trash are back: how many. Raises: insufficient_rights, those of the ids."""
    return _set_many(session, actor, entity_list, ids, verb="entity.restore", deletes=False)


def _set_many(session: Session, actor: Actor, entity_list: EntityList, ids: Any, *, verb: str, deletes: bool) -> int:
    actor.require(verb, Place(entity_list.project_id))
    uuids = _read_ids(ids)
    bound, now, done = bound_actor(session, actor, entity_list), datetime.now(UTC), []
    for start in range(0, len(uuids), _CHUNK):
        statement = select(Entity.id, Entity.uuid, Entity.project_id, Entity.division).where(
            Entity.list_id == entity_list.id, Entity.uuid.in_(uuids[start : start + _CHUNK]),
            Entity.deleted_at.is_(None) if deletes else Entity.deleted_at.is_not(None),
        )  # fmt: skip
        done += [row for row in session.execute(statement.with_for_update()).all() if bound.can(verb, Place(row.project_id, None, row.division))]
    if not done:
        return 0
    ids = [row.id for row in done]
    _mark(session, entity_list.project_id, ids, now, deletes=deletes)
    (begin_absence if deletes else end_absence)(session, entity_list.project_id, ids, now)
    action = f"entity{'.bulk' if len(done) > 1 else ''}.{'delete' if deletes else 'restore'}"
    details: dict[str, Any] = {"entityUuids": [row.uuid for row in done]} if len(done) > 1 else {"entity": {"uuid": done[0].uuid}}
    audit_id = record_list_audit(session, actor, action, entity_list, **details)
    link_audits(session, entity_list.project_id, ids, audit_id)
    change = {"list": entity_list.name, "count": len(done)}
    record_change(session, "entity.many_deleted" if deletes else "entity.many_restored", project_id=entity_list.project_id, details=change)
    return len(done)


def _mark(session: Session, project_id: int, ids: Sequence[int], at: datetime, *, deletes: bool) -> None:
    """The entities are in the trash; or they are back, each with a new stamp (see restore_entity)."""
    table, connection = Entity.__table__, session.connection()
    columns: Any = table.c
    of_project = update(table).where(columns.project_id == project_id)  # type: ignore[arg-type]
    if deletes:
        connection.execute(of_project.where(among(session, columns.id, ids)).values(deleted_at=at))
        return
    restored = of_project.where(columns.id == bindparam("key")).values(deleted_at=None, updated_at=at, stamp=bindparam("new_stamp"))
    connection.execute(restored, [{"key": key, "new_stamp": stamp} for key, stamp in zip(ids, new_stamps(len(ids)), strict=True)])


def _read_ids(ids: Any) -> list[str]:
    if not isinstance(ids, list):
        raise problems.unexpected_attributes(["ids: [...]"], ["not an array"])
    if not ids:
        raise problems.unexpected_attributes(["ids: [...]"], ["empty array"])
    if len(ids) > MOST_AT_ONCE:
        raise problems.request_too_large()
    return list(dict.fromkeys(normal_uuid(one) for one in ids))
