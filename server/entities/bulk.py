"""Many entities at once: by COPY on PostgreSQL, by the driver's own loop on SQLite; SQLAlchemy's part of a row would cost more than the row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Connection, text
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
# An entity's id, uuid, label, division, and its values and what was received as JSON; on PostgreSQL the texts are as COPY reads them.
_Row = tuple[int, str, str, str, str, str]
_CONTROLS = str.maketrans({"\n": "\\n", "\r": "\\r", "\t": "\\t"})


def insert_many(session: Session, entity_list: EntityList, sent: Sequence[SentEntity], divisions: Sequence[str], origin: Origin) -> bool:
    """All of them with their first versions, or none: whether it was all (an id may be in the list already)."""
    now, is_postgresql = stored_time(session, datetime.now(UTC)), session.get_bind().dialect.name == "postgresql"
    written: Callable[[str], str] = _escaped if is_postgresql else str
    rows = [_row(key, one, division, written) for key, one, division in zip(new_ids(len(sent)), sent, divisions, strict=True)]
    entities = (entity_list.project_id, entity_list.id, origin.actor_id, now)
    versions = (entity_list.project_id, origin.source_id, origin.user_agent, origin.actor_id, now)
    try:
        with session.begin_nested():
            # Asked for here, it is in the savepoint.
            connection = session.connection()
            if is_postgresql:
                _copy(connection, "entities", _ENTITY, (_entity_lines(*entities, some) for some in _chunks(rows)))
                _copy(connection, "entity_versions", _VERSION, (_version_lines(*versions, some) for some in _chunks(rows)))
            else:
                _loop(connection, "entities", _ENTITY, (_entities(*entities, some) for some in _chunks(rows)))
                _loop(connection, "entity_versions", _VERSION, (_versions(*versions, some) for some in _chunks(rows)))
    except IntegrityError:
        return False
    return True


def _row(key: int, one: SentEntity, division: str, written: Callable[[str], str]) -> _Row:
    data, label = written(orjson.dumps(one.data).decode()), one.label or ""
    received = data
    if one.label is not None:
        # As SentEntity.received; the values are not gone through again.
        received = f'{data[:-1]}{"," if one.data else ""}"label":{written(orjson.dumps(label).decode())}}}'
    return key, one.uuid, written(label), division, data, received


def _chunks(rows: Sequence[_Row]) -> Iterator[Sequence[_Row]]:
    return (rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK))


def tell_planner(session: Session) -> None:
    """PostgreSQL is told at once how many entities there are: until it looks by itself it would read a list as if it were empty.

    It holds up neither readers nor writers; without the right to, PostgreSQL warns and goes on. SQLite needs none of it.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("ANALYZE entities, entity_versions"))


def _entities(project_id: int, list_id: int, actor_id: int | None, now: Any, rows: Sequence[_Row]) -> list[tuple[Any, ...]]:
    stamps = new_stamps(len(rows))
    return [
        (project_id, key, list_id, uuid, label, data, 1, division, actor_id, now, stamp)
        for (key, uuid, label, division, data, _received), stamp in zip(rows, stamps, strict=True)
    ]


def _versions(project_id: int, source_id: int | None, agent: str | None, actor_id: int | None, now: Any, rows: Sequence[_Row]) -> list[tuple[Any, ...]]:
    return [
        (project_id, key, 1, label, data, division, received, source_id, agent, actor_id, now, False, False)
        for key, _uuid, label, division, data, received in rows
    ]


def _loop(connection: Connection, table: str, columns: Sequence[str], chunks: Iterable[list[tuple[Any, ...]]]) -> None:
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    for chunk in chunks:
        connection.exec_driver_sql(statement, chunk)


def _entity_lines(project_id: int, list_id: int, actor_id: int | None, now: Any, rows: Sequence[_Row]) -> str:
    stamps, actor = new_stamps(len(rows)), _known(actor_id)
    return "".join([
        f"{project_id}\t{key}\t{list_id}\t{uuid}\t{label}\t{data}\t1\t{division}\t{actor}\t{now}\t{stamp}\n"
        for (key, uuid, label, division, data, _received), stamp in zip(rows, stamps, strict=True)
    ])  # fmt: skip


def _version_lines(project_id: int, source_id: int | None, agent: str | None, actor_id: int | None, now: Any, rows: Sequence[_Row]) -> str:
    known_agent = "\\N" if agent is None else _escaped(agent)
    end = f"{_known(source_id)}\t{known_agent}\t{_known(actor_id)}\t{now}\tf\tf\n"
    return "".join([f"{project_id}\t{key}\t1\t{label}\t{data}\t{division}\t{received}\t{end}" for key, _uuid, label, division, data, received in rows])


def _copy(connection: Connection, table: str, columns: Sequence[str], chunks: Iterable[str]) -> None:
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
            # The database stores one chunk while the next is made.
            for chunk in chunks:
                copy.write(chunk.encode())
    except connection.dialect.loaded_dbapi.IntegrityError as error:
        # As SQLAlchemy would have told it.
        raise IntegrityError(table, None, error) from error


def _known(number: int | None) -> str:
    return "\\N" if number is None else str(number)


def _escaped(value: str) -> str:
    if "\\" in value:
        value = value.replace("\\", "\\\\")
    return value if value.isprintable() else value.translate(_CONTROLS)
