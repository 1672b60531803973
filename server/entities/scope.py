"""Which of a list's entities an actor may see or change: by division, and on phones by owner or by the actor's own properties."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Select, String, false, func, or_, select, type_coerce
from sqlalchemy.orm import Session

from server.access.actor import Actor, Place, division_end, visible
from server.model import ActorRow, Entity, EntityList, Form, FormAttachment
from server.transactions import Statement

_E: Any = Entity.__table__.c
_HAS_DIVISION = Statement("SELECT 1 FROM entity_properties WHERE list_id = :list_id AND name = 'division'")


def is_scoped(session: Session, entity_list: EntityList) -> bool:
    """Whether the list's entities belong to divisions: it has a property `division`. Others (disasters) are the whole county's."""
    return _HAS_DIVISION.on(session, {"list_id": entity_list.id}).fetchone() is not None


def bound_actor(session: Session, actor: Actor, entity_list: EntityList) -> Actor:
    """The actor, bound to its division only where the list's entities belong to divisions."""
    return replace(actor, division=None) if actor.division and not is_scoped(session, entity_list) else actor


def within(session: Session, statement: Select[Any], actor: Actor, entity_list: EntityList, verb: str) -> Select[Any]:
    """`statement` over entities narrowed to those on which the actor may do `verb`."""
    return visible(statement, bound_actor(session, actor, entity_list), verb, Entity)


def require_download(session: Session, actor: Actor, entity_list: EntityList) -> None:
    """Whoever may read the project's lists, or an open form that the list is a medium of, has it on the phone. Raises: insufficient_rights."""
    if actor.can("dataset.download", Place(entity_list.project_id)):
        return
    own_forms = {grant.form_pk for grant in actor.grants if grant.form_pk is not None and grant.project_id == entity_list.project_id}
    reading = (
        select(Form.id).join(FormAttachment, FormAttachment.form_version_id == Form.current_version_id)
        .where(Form.id.in_(own_forms), Form.state != "closed", Form.deleted_at.is_(None), FormAttachment.list_id == entity_list.id)
    )  # fmt: skip
    forms = session.scalars(reading).all() if own_forms else []
    if not any(actor.can("dataset.download", Place(entity_list.project_id, form_pk)) for form_pk in forms):
        actor.require("dataset.download", Place(entity_list.project_id))


def downloadable(session: Session, statement: Select[Any], actor: Actor, entity_list: EntityList) -> Select[Any]:
    """`statement` narrowed to what is on the phone of this actor, who may download the list."""
    statement = within_division(session, statement, actor, entity_list)
    condition = access_condition(session, actor, entity_list)
    return statement if condition is None else statement.where(condition)


def within_division(session: Session, statement: Select[Any], actor: Actor, entity_list: EntityList) -> Select[Any]:
    """`statement` narrowed to the actor's division, where the list's entities belong to divisions."""
    division = bound_actor(session, actor, entity_list).division
    # A range, not LIKE: it uses the index on both databases whatever the collation.
    return statement.where(_E.division >= division, _E.division < division_end(division)) if division else statement


def access_condition(session: Session, actor: Actor, entity_list: EntityList) -> ColumnElement[bool] | None:
    """What `owner_only` and `access_rules` leave to this actor; None: all. They bind neither who may list entities nor a draft's testers."""
    if not actor.id or actor.can("entity.list", Place(entity_list.project_id)):
        return None
    if entity_list.owner_only:
        return _E.creator_id == actor.id  # type: ignore[no-any-return]
    return _matches(session, actor, entity_list.access_rules) if entity_list.access_rules else None


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


# Digits of a province's, prefecture's, county's, township's and village's code.
_DIVISION_DIGITS = {2, 4, 6, 9, 12}


def division_of(data: dict[str, Any]) -> str | None:
    """The division that an entity's values name, as a code or its prefix; None: none, or no code, which moves nobody anywhere."""
    value = data.get("division")
    return value if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) in _DIVISION_DIGITS else None
