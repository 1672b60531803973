"""What a list is to a phone, told from kept sums (model.EntitySum) instead of its rows."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
from sqlalchemy.orm import Session

from server.access.actor import division_end
from server.transactions import Statement

_ALL = Statement("SELECT coalesce(sum(entities), 0), coalesce(sum(total), 0) FROM entity_sums WHERE list_id = :list_id")
_OF_DIVISION = Statement(
    "SELECT coalesce(sum(entities), 0), coalesce(sum(total), 0) FROM entity_sums"
    " WHERE list_id = :list_id AND division >= :first AND division < :past"
)


def read_sums(session: Session, list_id: int, division: str | None) -> tuple[int, int]:
    """How many living entities the list has in the division (None: at all), and the sum of their stamps."""
    statement, parameters = _asked(list_id, division)
    return _counted(statement.on(session, parameters).fetchone())


def sums_by_driver(cursor: Any, list_id: int, division: str | None, *, postgresql: bool) -> tuple[int, int]:
    """`read_sums`, outside any Session."""
    statement, parameters = _asked(list_id, division)
    return _counted(statement.by_driver(cursor, parameters, postgresql=postgresql).fetchone())


def _asked(list_id: int, division: str | None) -> tuple[Statement, dict[str, Any]]:
    if not division:
        return _ALL, {"list_id": list_id}
    return _OF_DIVISION, {"list_id": list_id, "first": division, "past": division_end(division)}


def _counted(row: Any) -> tuple[int, int]:
    # PostgreSQL's sums are decimals.
    return int(row[0]), int(row[1])


def list_digest(list_id: int, properties: tuple[str, ...], rows: int, total: int) -> str:
    """32 hex digits that change with the properties' names and with any of the rows."""
    return hashlib.md5(orjson.dumps([list_id, properties, rows, total]), usedforsecurity=False).hexdigest()
