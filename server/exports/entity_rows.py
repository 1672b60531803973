"""A list's entities as rows, streamed: what CSV, OData, GeoJSON and the JSON list share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, Text, and_, exists, func, literal, or_, select, type_coerce
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor, Place, division_end
from server.entities.lists import list_properties
from server.entities.scope import bound_actor, within
from server.entities.sums import read_sums
from server.exports import json_paths
from server.exports.entity_past import Past, past_of
from server.exports.filter_sql import DELETED_AT, MOST_SEARCH, SqlWriter, Typed
from server.exports.filter_syntax import parse_filter, properties_of
from server.model import ActorRow, Entity, EntityList

_E: Any = Entity.__table__
_A: Any = ActorRow.__table__.alias("creator")
_ROWS_PER_CHUNK = 500
_MOST_TERMS = 10


class EntityRecord(NamedTuple):
    """An entity as it is now, or was at an earlier time, with its creator's name."""

    id: int
    uuid: str
    label: str
    data: dict[str, Any]
    version: int
    conflict: str | None
    creator_id: int | None
    creator: str | None
    created_at: datetime
    updated_at: datetime | None
    deleted_at: datetime | None


_COLUMNS = (
    _E.c.id, _E.c.uuid, _E.c.label, _E.c.data, _E.c.version, _E.c.conflict, _E.c.creator_id, _A.c.display_name, _E.c.created_at, _E.c.updated_at,
    _E.c.deleted_at,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class EntitySelection:
    """Which of a list's entities, in which order. `says_deleted`: the condition itself settles whether deleted ones are among them.
    `past`: as they were then.
    """

    actor: Actor
    entity_list: EntityList
    properties: tuple[str, ...]
    condition: ColumnElement[bool] | None = None
    says_deleted: bool = False
    order: tuple[Any, ...] = ()
    limit: int | None = None
    offset: int = 0
    after: str | None = None
    past: Past | None = None


class EntityWriter(SqlWriter):
    """Conditions on entities: their system properties alone, as in ODK Central. `texts`: the columns whose label and data are searched."""

    def __init__(self, dialect: str, texts: Any = _E.c) -> None:
        super().__init__(dialect, {})
        self._texts = texts
        self._known = {
            "__id": Typed(_E.c.uuid, "text"), "__system/createdAt": Typed(_E.c.created_at, "stored"),
            "__system/updatedAt": Typed(_E.c.updated_at, "stored"), DELETED_AT: Typed(_E.c.deleted_at, "stored"),
            "__system/creatorId": Typed(_E.c.creator_id, "number"), "__system/conflict": Typed(_E.c.conflict, "text"),
        }  # fmt: skip

    def _property(self, path: str, at: int | None) -> Typed:
        found = self._known.get(path)
        if found is None:
            raise problems.unsupported_odata_field(path[:200], at)
        return found

    def ordering(self, text: str) -> tuple[Any, ...]:
        """`$orderby` over the same properties, with the entity's key last. Raises: unsupported_odata_field."""
        *order, _submission_key = super().ordering(text)
        is_descending = text.split(",", 1)[0].lower().split()[-1:] == ["desc"]
        return (*order, _E.c.id.desc() if is_descending else _E.c.id.asc())

    def search(self, term: str) -> ColumnElement[bool]:
        """`$search`: each word, or phrase in quotes, occurs in the label or in some value. Raises: unparseable_odata_expression."""
        return and_(*(self._occurs(word) for word in _search_words(term)))

    def _occurs(self, word: str) -> ColumnElement[bool]:
        wanted = func.lower(literal(word, type_=Text))
        in_label = json_paths.contains_text(self._dialect, func.lower(self._texts.label), wanted)
        if self._dialect == "postgresql":
            pairs = func.jsonb_each_text(self._texts.data).table_valued("key", "value")
        else:
            pairs = func.json_each(type_coerce(self._texts.data, Text)).table_valued("key", "value")
        in_value = json_paths.contains_text(self._dialect, func.lower(pairs.c.value), wanted)
        return or_(in_label, exists(select(1).select_from(pairs).where(in_value)))


def _search_words(text: str) -> list[str]:
    if len(text) > MOST_SEARCH or "\x00" in text or any(0xD800 <= ord(c) < 0xE000 for c in text):
        raise problems.unparseable_odata_expression(f"$search takes 1 to {MOST_SEARCH} characters")
    parts = text.split('"')
    words = [word for number, part in enumerate(parts) for word in ([part.strip()] if number % 2 else part.split()) if word]
    if not words:
        raise problems.unparseable_odata_expression(f"$search takes 1 to {MOST_SEARCH} characters")
    return words[:_MOST_TERMS]


def select_entities(
    session: Session, actor: Actor, entity_list: EntityList, *, filter_text: str | None = None, search: str | None = None,
    order_text: str | None = None, limit: int | None = None, as_of: datetime | None = None,
) -> EntitySelection:  # fmt: skip
    """The entities that the actor may see and the options name. Raises: insufficient_rights, not_in_the_past, those of filter, order and search."""
    actor.require("entity.list", Place(entity_list.project_id))
    dialect = session.get_bind().dialect.name
    past = past_of(dialect, as_of) if as_of is not None else None
    if past is not None and (filter_text or order_text):
        raise problems.not_in_the_past()
    writer = EntityWriter(dialect, past.version.c if past is not None else _E.c)
    conditions, says_deleted = [], False
    if filter_text:
        node = parse_filter(filter_text)
        says_deleted = any(one.path == DELETED_AT for one in properties_of(node))
        conditions.append(writer.condition(node))
    if search:
        conditions.append(writer.search(search))
    return EntitySelection(
        actor, entity_list, tuple(list_properties(session, entity_list)), and_(*conditions) if conditions else None, says_deleted,
        writer.ordering(order_text) if order_text else (), limit, past=past,
    )  # fmt: skip


def narrowed_to(selection: EntitySelection, *, division: str | None = None, in_conflict: bool = False) -> EntitySelection:
    """Those of a division and what lies in it; those whose conflict staff have yet to settle. Raises: not_in_the_past."""
    conditions = [] if selection.condition is None else [selection.condition]
    if division and selection.past is not None:
        conditions.append(selection.past.lies_in(division))
    elif division:
        conditions.append(and_(_E.c.division >= division, _E.c.division < division_end(division)))
    if in_conflict:
        _require_present(selection)
        conditions.append(_E.c.conflict.is_not(None))
    return replace(selection, condition=and_(*conditions) if conditions else None)


def only_deleted(selection: EntitySelection) -> EntitySelection:
    """Those in the trash instead. Raises: not_in_the_past."""
    _require_present(selection)
    return replace(selection, condition=_E.c.deleted_at.is_not(None), says_deleted=True)


def _require_present(selection: EntitySelection) -> None:
    if selection.past is not None:
        raise problems.not_in_the_past()


def _narrowed(session: Session, selection: EntitySelection, statement: Select[Any]) -> Select[Any]:
    statement = statement.where(_E.c.list_id == selection.entity_list.id)
    past = selection.past
    if past is not None:
        statement = statement.where(past.condition(), past.scope(session, selection.actor, selection.entity_list))
    elif not selection.says_deleted:
        statement = statement.where(_E.c.deleted_at.is_(None))
    if selection.condition is not None:
        statement = statement.where(selection.condition)
    return within(session, statement, selection.actor, selection.entity_list, "entity.list")


def count_entities(session: Session, selection: EntitySelection) -> int:
    """How many there are, whatever the page."""
    source = _E if selection.past is None else selection.past.source()
    return session.scalar(_narrowed(session, selection, select(func.count()).select_from(source))) or 0


def read_entities(session: Session, selection: EntitySelection) -> Iterator[list[EntityRecord]]:
    """The page in chunks, newest first unless ordered otherwise; its limit plus one row, where there is a next page."""
    result = session.connection().execute(entities_statement(session, selection), execution_options={"yield_per": _ROWS_PER_CHUNK})
    try:
        for chunk in result.partitions():
            yield [EntityRecord(*row) for row in chunk]
    finally:
        result.close()


def entities_statement(session: Session, selection: EntitySelection) -> Select[Any]:
    """What `read_entities` asks the database, in the order of EntityRecord."""
    past = selection.past
    source, columns = (_E, _COLUMNS) if past is None else (past.source(), past.columns(_A))
    statement = _narrowed(session, selection, select(*columns).select_from(source.outerjoin(_A, _A.c.id == _E.c.creator_id)))
    if selection.after is not None:
        last = select(_E.c.id).where(_E.c.list_id == selection.entity_list.id, _E.c.uuid == selection.after).scalar_subquery()
        statement = statement.where(_E.c.id < last)
    statement = statement.order_by(*(selection.order or (_E.c.id.desc(),)))
    if selection.limit is not None:
        statement = statement.limit(selection.limit + 1)
    return statement.offset(selection.offset) if selection.offset else statement


def entities_etag(session: Session, selection: EntitySelection, *also: object) -> str:
    """32 hex digits that change with any entity of the list that the actor may see, its properties, its creators' names apart."""
    past = selection.past
    if past is None:
        bound = bound_actor(session, selection.actor, selection.entity_list).division
        parts = [selection.entity_list.id, selection.properties, *read_sums(session, selection.entity_list.id, bound), *also]
    else:
        # Those too that are in the trash now.
        plain = replace(selection, condition=None, says_deleted=True, past=None)
        columns = (func.count(), func.sum(_E.c.stamp), func.count(_E.c.deleted_at))
        count, total, deleted = session.execute(_narrowed(session, plain, select(*columns).select_from(_E))).one()
        parts = [selection.entity_list.id, selection.properties, count, int(total or 0), *also, deleted, past.at.isoformat()]
    return hashlib.md5(repr(parts).encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
