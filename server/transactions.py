"""transaction(engine, write=...): the only commit in server/; one writer at a time on SQLite."""

from __future__ import annotations

import fcntl
import os
import re
import threading
import time
from array import array
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from server import problems


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()


class _SqliteWriter:
    """One writer in this process (a lock) and between processes (a flock, which waits in the kernel)."""

    def __init__(self, path: str) -> None:
        self._lock = threading.Lock()
        self._path = path + ".writer"
        self._descriptor: tuple[int, int] | None = None

    def __enter__(self) -> None:
        self._lock.acquire()
        try:
            # After a fork the parent's open file would share its flock with us: open our own.
            if self._descriptor is None or self._descriptor[0] != os.getpid():
                self._descriptor = (os.getpid(), os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            fcntl.flock(self._descriptor[1], fcntl.LOCK_EX)
        except BaseException:
            self._lock.release()
            raise

    def __exit__(self, *_: object) -> None:
        try:
            if self._descriptor is not None:
                fcntl.flock(self._descriptor[1], fcntl.LOCK_UN)
        finally:
            self._lock.release()


def open_engine(url: str, *, pool_size: int = 20) -> Engine:
    """An engine for SQLite (WAL, full synchronous, foreign keys) or PostgreSQL; nothing is created in the database.

    `postgresql://` is read as psycopg 3. Chinese keys stay readable in JSON because orjson writes it.
    """
    if url.startswith(("postgresql://", "postgres://")):
        url = "postgresql+psycopg://" + url.split("://", 1)[1]
    options: dict[str, Any] = {"json_serializer": _dumps, "json_deserializer": orjson.loads}
    if url.startswith("sqlite"):
        engine = create_engine(url, connect_args={"check_same_thread": False, "timeout": 20}, pool_size=pool_size, max_overflow=20, **options)
        _tune_sqlite(engine)
    else:
        engine = create_engine(url, pool_size=pool_size, max_overflow=20, pool_pre_ping=False, **options)
    return engine


def _tune_sqlite(engine: Engine) -> None:
    path = engine.url.database or ""
    writer = _SqliteWriter(path)
    engine.dialect.minqing_writer = writer  # type: ignore[attr-defined]

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        cursor = connection.cursor()
        # WAL belongs to the file and is set once: set at each connection, racing threads die of "database is locked".
        if Path(path).exists() and Path(path).stat().st_size == 0:
            cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA busy_timeout=20000")
        cursor.execute("PRAGMA cache_size=-16000")
        # 16 MB: pages that every commit writes go to the database file less often than at SQLite's own 4 MB.
        cursor.execute("PRAGMA wal_autocheckpoint=4000")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Any) -> None:
        write = connection.get_execution_options().get("minqing_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


@contextmanager
def transaction(engine: Engine, *, write: bool = False) -> Iterator[Session]:
    """A session whose work is committed when the block ends, and rolled back if anything is raised.

    A read sees one instant's data. Raises: busy (the database is away or locked too long).
    """
    writer = getattr(engine.dialect, "minqing_writer", None) if write else None
    if writer is not None:
        with writer:
            yield from _one_transaction(engine, write=True)
    else:
        yield from _one_transaction(engine, write=write)


def _one_transaction(engine: Engine, *, write: bool) -> Iterator[Session]:
    try:
        connection = _with_options(engine, write=write).connect()
    except OperationalError as error:
        raise problems.busy() from error
    with connection, connection.begin(), Session(bind=connection, expire_on_commit=False) as session:
        yield session
        session.flush()


def _with_options(engine: Engine, *, write: bool) -> Engine:
    """The engine for reading or for writing, made once of the same pool."""
    made: dict[bool, Engine] | None = getattr(engine, "minqing_engines", None)
    if made is None:
        reading: dict[str, Any] = {"minqing_write": False}
        if engine.dialect.name == "postgresql":
            reading.update(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        made = {True: engine.execution_options(minqing_write=True), False: engine.execution_options(**reading)}
        engine.minqing_engines = made  # type: ignore[attr-defined]
    return made[write]


_last_id_lock = threading.Lock()
_last_id_us = 0
_EPOCH_US = 1_700_000_000_000_000
SECOND_OF_IDS = 1_000_000 << 13


def new_id() -> int:
    """A 62-bit key that grows with time: microseconds since 2023 in 49 bits, 13 random bits.

    Rows that grow without end take theirs here, not from a sequence, so that no two nodes ever wait for one another.
    """
    global _last_id_us  # noqa: PLW0603 - the clock's last reading in this process, nothing an app could differ in
    with _last_id_lock:
        _last_id_us = max(_last_id_us + 1, time.time_ns() // 1000 - _EPOCH_US)
        return (_last_id_us << 13) | (int.from_bytes(os.urandom(2)) & 0x1FFF)


def new_ids(count: int) -> list[int]:
    """So many keys, in order."""
    global _last_id_us  # noqa: PLW0603 - as in new_id
    random = array("H", os.urandom(2 * count))
    with _last_id_lock:
        first = max(_last_id_us + 1, time.time_ns() // 1000 - _EPOCH_US)
        _last_id_us = first + count - 1
    return [(at << 13) | (some & 0x1FFF) for at, some in enumerate(random, first)]


def first_id_at(at: datetime) -> int:
    """The lowest key that new_id could give at this time."""
    return (int(at.timestamp() * 1_000_000) - _EPOCH_US) << 13


class Statement:
    """One SQL text with `:name` parameters, run by the driver alone.

    For the path that every submission takes: there SQLAlchemy's part of a statement costs more than the database's.
    On PostgreSQL the driver prepares it after some uses. Times go in by `stored_time`, JSON as text.
    """

    def __init__(self, sql: str) -> None:
        self._sqlite = sql
        self._postgresql = re.sub(r"(?<!:):([a-z_0-9]+)", r"%(\1)s", sql.replace("%", "%%"))

    def on(self, session: Session, parameters: Mapping[str, Any]) -> Any:
        """The driver's cursor after execution, in the session's transaction. Raises: busy (the database went away)."""
        connection = session.connection()
        cursor = connection.connection.cursor()
        dialect = connection.dialect
        try:
            if dialect.name == "postgresql":
                cursor.execute(self._postgresql, parameters)
            else:
                cursor.execute(self._sqlite, parameters)
        except dialect.loaded_dbapi.OperationalError as error:
            raise problems.busy() from error
        return cursor


    def by_driver(self, cursor: Any, parameters: Mapping[str, Any], *, postgresql: bool) -> Any:
        """The driver's cursor after execution, outside any Session."""
        return cursor.execute(self._postgresql if postgresql else self._sqlite, parameters)


def stored_time(session: Session, at: datetime) -> datetime | str:
    """An aware time as a Statement's parameter: on SQLite the text that SQLAlchemy would write, so that both read the same."""
    return at if session.get_bind().dialect.name == "postgresql" else sqlite_time(at)


def sqlite_time(at: datetime) -> str:
    """An aware time as SQLAlchemy writes it on SQLite."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
