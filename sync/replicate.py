"""replicate_changes(source, target): read, load, repeat; the lag; the rebuild.

The cursor lives in the target, and is read and moved in the transaction that writes the rows: whoever replicates, and
wherever it dies, the target is always exactly the log up to its cursor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, func, inspect, select, text

from server.changes import last_position, number_changes
from server.model import Change
from server.transactions import transaction
from sync.load import load_batch, read_forms_position, read_position
from sync.sources.minqing import read_batch
from sync.tables import CURSOR, CentralTables, drop_tables

_TARGET_LOCK = 0x6D71
# What is known of a target's tables, from one batch to the next; forgotten when a batch fails.
_known: WeakKeyDictionary[Engine, CentralTables] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Lag:
    """How far the target is behind: log entries, and seconds since the oldest of them was written."""

    rows: int
    seconds: float
    position: int
    last_position: int


def replicate_changes(source: Engine, target: Engine, *, batch: int = 500, limit_batches: int | None = None) -> int:
    """Apply what the target lacks; how many log entries. Raises: busy or the driver's error while either database is away."""
    applied, batches = 0, 0
    while limit_batches is None or batches < limit_batches:
        with transaction(source, write=True) as session:
            number_changes(session)
        count = _one_batch(source, target, batch)
        applied += count
        batches += 1
        if count == 0:
            break
    return applied


def _one_batch(source: Engine, target: Engine, size: int) -> int:
    with transaction(target, write=True) as session:
        connection = session.connection()
        _lock(connection)
        # Taken out while in use: if this batch fails, what it thought of the tables is forgotten with it.
        tables = _known.pop(target, None)
        if tables is None or not tables.is_current(connection):
            tables = CentralTables(connection)
        found = read_batch(source, read_position(connection), forms_after=read_forms_position(connection), limit=size)
        if found.count:
            load_batch(connection, tables, found)
    _known[target] = tables
    return found.count


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _TARGET_LOCK})


def rebuild(source: Engine, target: Engine, *, progress: Callable[[int], None] = lambda _n: None) -> int:
    """The target is made again from the log's beginning; how many entries. `progress` is told after each batch."""
    with transaction(target, write=True) as session:
        _lock(session.connection())
        drop_tables(session.connection())
    _known.pop(target, None)
    total = 0
    while applied := replicate_changes(source, target, limit_batches=1):
        total += applied
        progress(total)
    return total


def lag(source: Engine, target: Engine) -> Lag:
    """What the target lacks now; a target that has no tables yet lacks everything. Waits for no replicator.

    Raises: busy or the driver's error while either database is away.
    """
    with transaction(target) as session:
        connection = session.connection()
        position = read_position(connection) if inspect(connection).has_table(CURSOR.name) else 0
    with transaction(source) as session:
        behind = (Change.position > position) | Change.position.is_(None)
        rows, oldest = session.execute(select(func.count(), func.min(Change.at)).select_from(Change).where(behind)).one()
        last = last_position(session)
    if isinstance(oldest, datetime) and oldest.tzinfo is None:
        oldest = oldest.replace(tzinfo=UTC)
    seconds = max(0.0, (datetime.now(UTC) - oldest).total_seconds()) if oldest else 0.0
    return Lag(rows, seconds, position, last)
