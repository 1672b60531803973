"""Many entities at once: by COPY on PostgreSQL, by the driver's own loop on SQLite; SQLAlchemy's part of a row would cost more than the row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from server.entities.records import Origin, new_stamp
from server.entities.sent import SentEntity
from server.model import EntityList
from server.transactions import new_id, stored_time

_ENTITY = ("project_id", "id", "list_id", "uuid", "label", "data", "version", "division", "creator_id", "created_at", "stamp")
_VERSION = (
    "project_id", "entity_id", "version", "label", "data", "division", "received", "source_id", "user_agent", "actor_id", "created_at", "forced", "is_late_create",
)  # fmt: skip
_CHUNK = 5000
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def insert_many(session: Session, entity_list: EntityList, sent: Sequence[SentEntity], divisions: Sequence[str], origin: Origin) -> bool:
    """All of them with their first versions, or none: whether it was all (an id may be in the list already)."""
    try:
        with session.begin_nested():
            for start in range(0, len(sent), _CHUNK):
                _insert_chunk(session, entity_list, sent[start : start + _CHUNK], divisions[start : start + _CHUNK], origin)
    except IntegrityError:
        return False
    return True


def _insert_chunk(session: Session, entity_list: EntityList, sent: Sequence[SentEntity], divisions: Sequence[str], origin: Origin) -> None:
    now = stored_time(session, datetime.now(UTC))
    project_id, list_id = entity_list.project_id, entity_list.id
    entities, versions = [], []
    for one, division in zip(sent, divisions, strict=True):
        key, data = new_id(), orjson.dumps(one.data).decode()
        entities.append((project_id, key, list_id, one.uuid, one.label, data, 1, division, origin.actor_id, now, new_stamp()))
        received = orjson.dumps(one.received).decode()
        versions.append((
            project_id, key, 1, one.label, data, division, received, origin.source_id, origin.user_agent, origin.actor_id, now, False, False,
        ))  # fmt: skip
    _insert(session, "entities", _ENTITY, entities)
    _insert(session, "entity_versions", _VERSION, versions)


def _insert(session: Session, table: str, columns: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
    connection = session.connection()
    if connection.dialect.name != "postgresql":
        connection.exec_driver_sql(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})", rows)
        return
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
            copy.write("".join(_line(row) for row in rows).encode())
    except connection.dialect.loaded_dbapi.IntegrityError as error:
        # As SQLAlchemy would have told it.
        raise IntegrityError(table, None, error) from error


def _line(row: Iterable[Any]) -> str:
    return "\t".join("\\N" if value is None else value.translate(_ESCAPES) if value.__class__ is str else str(value) for value in row) + "\n"
