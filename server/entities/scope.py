"""Which of a list's entities an actor may see or change: by division, and on phones by owner or by the actor's own properties."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Select, String, false, func, or_, select, type_coerce
from sqlalchemy.orm import Session

from server.access.actor import Actor, Place, visible
from server.model import ActorRow, Entity, EntityList, EntityProperty

_E: Any = Entity.__table__.c


def is_scoped(session: Session, entity_list: EntityList) -> bool:
    """Whether the list's entities belong to divisions: it has a property `division`. Others (disasters) are the whole county's."""
    named = select(EntityProperty.id).where(EntityProperty.list_id == entity_list.id, EntityProperty.name == "division")
    return session.scalar(named) is not None


def bound_actor(session: Session, actor: Actor, entity_list: EntityList) -> Actor:
    """The actor, bound to its division only where the list's entities belong to divisions."""
    return replace(actor, division=None) if actor.division and not is_scoped(session, entity_list) else actor


def within(session: Session, statement: Select[Any], actor: Actor, entity_list: EntityList, verb: str) -> Select[Any]:
    """`statement` over entities narrowed to those on which the actor may do `verb`."""
    return visible(statement, bound_actor(session, actor, entity_list), verb, Entity)


def downloadable(session: Session, statement: Select[Any], actor: Actor, entity_list: EntityList) -> Select[Any]:
    """`statement` narrowed to what is on the actor's phone: also by `owner_only` and `access_rules`, unless the actor may list entities."""
    statement = within(session, statement, actor, entity_list, "dataset.download")
    if actor.can("entity.list", Place(entity_list.project_id)):
        return statement
    if entity_list.owner_only:
        return statement.where(_E.creator_id == actor.id)
    return statement.where(_matches(session, actor, entity_list.access_rules)) if entity_list.access_rules else statement


def _matches(session: Session, actor: Actor, rules: list[dict[str, str]]) -> ColumnElement[bool]:
    own = session.scalar(select(ActorRow.properties).where(ActorRow.id == actor.id)) or {}
    dialect = session.get_bind().dialect.name
    wanted = [(rule["datasetProperty"], own[rule["actorProperty"]]) for rule in rules if own.get(rule["actorProperty"])]
    return or_(*(property_text(dialect, name) == value for name, value in wanted)) if wanted else false()


def property_text(dialect: str, name: str) -> ColumnElement[Any]:
    """The entity's value as SQL text, NULL if it has none."""
    if dialect == "postgresql":
        return func.jsonb_extract_path_text(_E.data, name, type_=String)
    return func.json_extract(type_coerce(_E.data, String), f'$."{name}"', type_=String)


def division_of(data: dict[str, Any]) -> str | None:
    """The division that an entity's values name: up to 12 digits."""
    value = data.get("division")
    return value if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 12 else None
