"""Entities in full, their versions and creators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, func, select, tuple_
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor, Place
from server.entities.list_forms import ListUses, find_uses
from server.entities.lists import properties_of
from server.entities.scope import bound_actor, within
from server.entities.sent import normal_uuid
from server.entities.write import get_entity
from server.model import ActorRow, Entity, EntityList, EntityProperty, EntityVersion

_MOST_VERSIONS = 2000
_MOST_ACTORS = 5000


@dataclass(frozen=True, slots=True)
class EntityDetail:
    """An entity with its current version and who made either; `properties`: those that its list has now."""

    entity: Entity
    version: EntityVersion
    creator: ActorRow | None
    version_creator: ActorRow | None
    properties: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListDetail:
    """A list with its properties and the forms that use it. `last_update`: when it or one of its entities last changed."""

    entity_list: EntityList
    properties: Sequence[EntityProperty]
    uses: ListUses
    last_update: datetime | None


@dataclass(frozen=True, slots=True)
class ListCounts:
    """How many entities of a list the actor may see, when the newest was made, and how many are in conflict."""

    entities: int = 0
    last_entity: datetime | None = None
    conflicts: int = 0


def describe_list(session: Session, entity_list: EntityList) -> ListDetail:
    """The list with what hangs on it, for whoever has settled the rights."""
    entities = select(func.max(Entity.created_at), func.max(Entity.updated_at), func.max(Entity.deleted_at)).where(Entity.list_id == entity_list.id)
    known = [at for at in (entity_list.updated_at, entity_list.created_at, *session.execute(entities).one()) if at is not None]
    return ListDetail(entity_list, properties_of(session, entity_list), find_uses(session, entity_list), max(known))


def count_lists(session: Session, actor: Actor, lists: Sequence[EntityList]) -> dict[int, ListCounts]:
    """Of each list by its id, within the actor's division where the list's entities belong to divisions."""
    counts: dict[int, ListCounts] = {}
    plain = [one.id for one in lists] if not actor.division else []
    columns = (Entity.list_id, func.count(), func.max(Entity.created_at), func.sum(case((Entity.conflict.is_not(None), 1), else_=0)))
    living = select(*columns).where(Entity.deleted_at.is_(None)).group_by(Entity.list_id)
    if plain:
        counts = {row[0]: ListCounts(row[1], row[2], int(row[3] or 0)) for row in session.execute(living.where(Entity.list_id.in_(plain)))}
    else:
        for one in lists:
            row = session.execute(within(session, living.where(Entity.list_id == one.id), actor, one, "dataset.list")).one_or_none()
            if row is not None:
                counts[one.id] = ListCounts(row[1], row[2], int(row[3] or 0))
    return {one.id: counts.get(one.id, ListCounts()) for one in lists}


def read_entity(session: Session, actor: Actor, entity_list: EntityList, uuid: Any) -> EntityDetail:
    """Raises: not_found, insufficient_rights, those of the id."""
    return detail_of(session, entity_list, get_entity(session, actor, entity_list, uuid, verb="entity.read"))


def detail_of(session: Session, entity_list: EntityList, entity: Entity) -> EntityDetail:
    """The entity with what hangs on it, for whoever has settled the rights."""
    session.flush()
    version = session.get_one(EntityVersion, (entity.project_id, entity.id, entity.version))
    actors = actors_of(session, {entity.creator_id, version.actor_id})
    properties = tuple(row.name for row in properties_of(session, entity_list))
    return EntityDetail(entity, version, actors.get(entity.creator_id or 0), actors.get(version.actor_id or 0), properties)


def actors_of(session: Session, ids: set[int | None]) -> Mapping[int, ActorRow]:
    """Actors by id."""
    wanted = [one for one in ids if one]
    return {row.id: row for row in session.scalars(select(ActorRow).where(ActorRow.id.in_(wanted)))} if wanted else {}


def current_versions(session: Session, keys: Sequence[tuple[int, int, int]]) -> dict[int, Any]:
    """By entity id: the columns of the versions (project, entity, version), without their values."""
    table: Any = EntityVersion.__table__.c
    columns = (
        table.entity_id, table.actor_id, table.user_agent, table.base_version, table.conflicting, table.created_at, table.branch_id,
        table.trunk_version, table.branch_base_version,
    )  # fmt: skip
    statement = select(*columns).where(tuple_(table.project_id, table.entity_id, table.version).in_(keys))
    return {row.entity_id: row for row in session.execute(statement)}


def list_creators(session: Session, actor: Actor, entity_list: EntityList) -> Sequence[ActorRow]:
    """Who made entities of the list that are there, by name. Raises: insufficient_rights."""
    actor.require("entity.list", Place(entity_list.project_id))
    made = select(Entity.creator_id).where(Entity.list_id == entity_list.id, Entity.deleted_at.is_(None)).distinct()
    statement = select(ActorRow).where(ActorRow.id.in_(within(session, made, actor, entity_list, "entity.list")))
    return session.scalars(statement.order_by(ActorRow.display_name, ActorRow.id).limit(_MOST_ACTORS)).all()


def list_versions(session: Session, actor: Actor, entity_list: EntityList, uuid: Any) -> tuple[Entity, Sequence[EntityVersion]]:
    """The entity's versions, the first one first. Raises: not_found, insufficient_rights, those of the id."""
    entity = get_entity(session, actor, entity_list, uuid, verb="entity.read")
    statement = select(EntityVersion).where(and_(EntityVersion.project_id == entity.project_id, EntityVersion.entity_id == entity.id))
    return entity, session.scalars(statement.order_by(EntityVersion.version).limit(_MOST_VERSIONS)).all()


def read_version(session: Session, actor: Actor, entity_list: EntityList, uuid: Any, number: int) -> EntityVersion:
    """One version. Raises: not_found, insufficient_rights, those of the id."""
    found = session.scalar(select(Entity).where(Entity.list_id == entity_list.id, Entity.uuid == normal_uuid(uuid)))
    if found is None:
        raise problems.not_found()
    bound_actor(session, actor, entity_list).require("entity.read", found)
    version = session.get(EntityVersion, (found.project_id, found.id, number))
    if version is None:
        raise problems.not_found()
    return version
