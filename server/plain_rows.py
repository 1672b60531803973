"""One row into its table by the driver alone.

A submission that changes entities makes a dozen rows; SQLAlchemy's part of each costs more than the database's.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import orjson
from sqlalchemy.orm import Session

from server.model import Table
from server.model.schema import Instant, Json
from server.transactions import Statement, stored_time


def insert_row(session: Session, model: type[Table], row: Mapping[str, Any], *, unless_known: bool = False) -> bool:
    """The row is there; `row`: Python values by column, none of them left to a default of SQLAlchemy's.

    `unless_known`: False, and nothing done, if one of its unique keys is known. What the session has not flushed is not seen.
    Raises: busy, the driver's IntegrityError.
    """
    statement, times, texts = _insertion(model, tuple(row), unless_known)
    values = dict(row)
    for name in times:
        if values[name] is not None:
            values[name] = stored_time(session, values[name])
    for name in texts:
        if values[name] is not None:
            values[name] = orjson.dumps(values[name]).decode()
    return bool(statement.on(session, values).rowcount)


@cache
def _insertion(model: type[Table], names: tuple[str, ...], unless_known: bool) -> tuple[Statement, tuple[str, ...], tuple[str, ...]]:
    """The statement, and which of its values are times and which JSON."""
    columns = model.__table__.c
    kinds = {name: columns[name].type for name in names}
    sql = f"INSERT INTO {model.__tablename__} ({', '.join(names)}) VALUES ({', '.join(':' + name for name in names)})"
    return (
        Statement(sql + (" ON CONFLICT DO NOTHING" if unless_known else "")),
        tuple(name for name, kind in kinds.items() if isinstance(kind, Instant)),
        tuple(name for name, kind in kinds.items() if isinstance(kind, type(Json))),
    )
