"""Many entities at once: by COPY on PostgreSQL, by the driver's own loop on SQLite; SQLAlchemy's part of a row would cost more than the row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from server.entities.records import Origin, new_stamps
from server.entities.sent import SentEntity
from server.model import EntityList
from server.transactions import new_ids, stored_time

_ENTITY = ("project_id", "id", "list_id", "uuid", "label", "data", "version", "division", "creator_id", "created_at", "stamp")
_VERSION = (
    "project_id", "entity_id", "version", "label", "data", "division", "received", "source_id", "user_agent", "actor_id", "created_at", "forced", "is_late_create",
)  # fmt: skip
_CHUNK = 2000
# An entity's id, what was sent of it, its division, its values as JSON.
_Row = tuple[int, SentEntity, str, str]
_CONTROLS = str.maketrans({"\n": "\\n", "\r": "\\r", "\t": "\\t"})


def insert_many(session: Session, entity_list: EntityList, sent: Sequence[SentEntity], divisions: Sequence[str], origin: Origin) -> bool:
    """All of them with their first versions, or none: whether it was all (an id may be in the list already)."""
    now, keys = stored_time(session, datetime.now(UTC)), new_ids(len(sent))
    rows = list(zip(keys, sent, divisions, (orjson.dumps(one.data).decode() for one in sent), strict=True))
    try:
        with session.begin_nested():
            _insert(session, "entities", _ENTITY, rows, partial(_entity, entity_list, origin.actor_id, now))
            _insert(session, "entity_versions", _VERSION, rows, partial(_version, entity_list, origin, now))
    except IntegrityError:
        return False
    return True


def tell_planner(session: Session) -> None:
    """PostgreSQL is told at once how many entities there are: until it looks by itself it would read a list as if it were empty.

    It holds up neither readers nor writers; without the right to, PostgreSQL warns and goes on. SQLite needs none of it.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("ANALYZE entities, entity_versions"))


def _entity(entity_list: EntityList, actor_id: int | None, now: Any, rows: Sequence[_Row]) -> list[tuple[Any, ...]]:
    project_id, list_id = entity_list.project_id, entity_list.id
    stamps = new_stamps(len(rows))
    return [
        (project_id, key, list_id, one.uuid, one.label, data, 1, division, actor_id, now, stamp)
        for (key, one, division, data), stamp in zip(rows, stamps, strict=True)
    ]


def _version(entity_list: EntityList, origin: Origin, now: Any, rows: Sequence[_Row]) -> list[tuple[Any, ...]]:
    project_id, source_id, agent, actor_id = entity_list.project_id, origin.source_id, origin.user_agent, origin.actor_id
    return [
        (project_id, key, 1, one.label, data, division, orjson.dumps(one.received).decode(), source_id, agent, actor_id, now, False, False)
        for key, one, division, data in rows
    ]  # fmt: skip


def _insert(session: Session, table: str, columns: Sequence[str], rows: Sequence[_Row], made: Callable[[Sequence[_Row]], list[tuple[Any, ...]]]) -> None:
    connection = session.connection()
    chunks = (made(rows[start : start + _CHUNK]) for start in range(0, len(rows), _CHUNK))
    if connection.dialect.name != "postgresql":
        statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        for chunk in chunks:
            connection.exec_driver_sql(statement, chunk)
        return
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
            # The database stores one chunk while the next is made.
            for chunk in chunks:
                copy.write("".join(map(_line, chunk)).encode())
    except connection.dialect.loaded_dbapi.IntegrityError as error:
        # As SQLAlchemy would have told it.
        raise IntegrityError(table, None, error) from error


def _line(row: Iterable[Any]) -> str:
    return "\t".join(["\\N" if value is None else _escaped(value) if value.__class__ is str else str(value) for value in row]) + "\n"


def _escaped(value: str) -> str:
    if "\\" in value:
        value = value.replace("\\", "\\\\")
    return value if value.isprintable() else value.translate(_CONTROLS)
