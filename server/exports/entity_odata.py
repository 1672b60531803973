"""OData's document of a list's entities."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor
from server.entities.lists import get_list
from server.exports.entity_rows import EntityRecord, EntitySelection, count_entities, read_entities, select_entities
from server.exports.tables import odata_name
from server.transactions import transaction

# What follows the last row, as a JSON object's inside: from whether there are more rows, the last id and the count.
Footer = Callable[[bool, str | None, int | None], bytes]
_SYSTEM = {"createdAt", "creatorId", "updatedAt", "deletedAt", "conflict"}


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityQuery:
    """The query options as plain values. `after`: the id that the page before ended with; `as_of`: as the list was then."""

    top: int | None = None
    skip: int = 0
    counts: bool = False
    after: str | None = None
    filter_text: str | None = None
    order_text: str | None = None
    search: str | None = None
    select: str | None = None
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class EntityTable:
    """A page that was allowed and can be written. `wanted`: what $select names, None for all."""

    selection: EntitySelection
    wanted: frozenset[str] | None
    query: EntityQuery
    count: int | None


def prepare_entities(session: Session, actor: Actor, project_id: int, name: str, query: EntityQuery) -> EntityTable:
    """The page. Raises: not_found, insufficient_rights, property_not_found, not_in_the_past, those of filter, order and search."""
    entity_list = get_list(session, actor, project_id, name, verb="entity.list")
    selection = select_entities(
        session, actor, entity_list, filter_text=query.filter_text, search=query.search, order_text=query.order_text, as_of=query.as_of
    )
    wanted = _wanted(query.select, selection.properties)
    count = count_entities(session, selection) if query.counts else None
    selection = replace(selection, limit=query.top, offset=query.skip, after=query.after)
    return EntityTable(selection, wanted, query, count)


def _wanted(select: str | None, properties: tuple[str, ...]) -> frozenset[str] | None:
    if not select or select == "*":
        return None
    names = [name.strip() for name in select.split(",")]
    known = {"__id", "__system", "label", *properties, *(f"__system/{name}" for name in _SYSTEM)}
    for name in names:
        if name not in known:
            raise problems.property_not_found(name[:200])
    return frozenset(names)


def entity_document(table: EntityTable, engine: Engine, footer: Footer) -> Iterator[bytes]:
    """The document in pieces, its rows from one read transaction."""
    left, last, has_more, start = table.query.top, None, False, b'{"value":['
    with transaction(engine) as session:
        for chunk in read_entities(session, table.selection):
            if left is not None:
                has_more = len(chunk) > left
                chunk = chunk[:left]  # noqa: PLW2901 - the page's end
                left -= len(chunk)
            if chunk:
                last = chunk[-1].uuid
                yield start + orjson.dumps([_shape(row, table) for row in chunk])[1:-1]
                start = b","
    yield (start if start != b"," else b"") + b"]," + footer(has_more and last is not None, last, table.count) + b"}"


def _shape(row: EntityRecord, table: EntityTable) -> dict[str, Any]:
    wanted, shape = table.wanted, {}
    if wanted is None or "__id" in wanted:
        shape["__id"] = row.uuid
    if wanted is None or "label" in wanted:
        shape["label"] = row.label
    system = {
        "createdAt": _time(row.created_at), "creatorId": None if row.creator_id is None else str(row.creator_id), "creatorName": row.creator,
        "updates": row.version - 1, "updatedAt": _time(row.updated_at), "deletedAt": _time(row.deleted_at), "version": row.version,
        "conflict": row.conflict,
    }  # fmt: skip
    if wanted is None or "__system" in wanted:
        shape["__system"] = system
    elif some := {name: value for name, value in system.items() if f"__system/{name}" in wanted}:
        shape["__system"] = some
    for name in table.selection.properties:
        if wanted is None or name in wanted:
            value = row.data.get(name)
            shape[odata_name(name)] = "" if value is None else value
    return shape


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
