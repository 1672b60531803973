"""The change log's order, against many writers on PostgreSQL whose transactions end in any order."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from server.changes import last_position, number_changes, read_changes, record_change
from server.model import Change
from server.transactions import open_engine, transaction
from tests.databases import fresh_database

WRITERS, EACH = 12, 25


def write_slowly(engine: Engine, number: int) -> None:
    """Changes in transactions that stay open for a while after their row was written."""
    luck = random.Random(number)
    for n in range(EACH):
        with transaction(engine, write=True) as session:
            record_change(session, "test", project_id=1, details={"writer": number, "n": n})
            time.sleep(luck.choice([0, 0.002, 0.02, 0.06]))


def read_by_position(engine: Engine, stop: threading.Event, seen: list[int]) -> None:
    """What sync does: number, then read on from the last position."""
    after = 0
    while True:
        is_last = stop.is_set()
        with transaction(engine, write=True) as session:
            number_changes(session, limit=7)
        with transaction(engine) as session:
            changes = read_changes(session, after, limit=5)
            seen.extend(change.id for change in changes)
            after = changes[-1].position or after if changes else after
            if is_last and after == last_position(session) and not session.scalar(select(func.count()).where(Change.position.is_(None))):
                return


def read_by_key(engine: Engine, stop: threading.Event, seen: list[int]) -> None:
    """What loses rows: remember the highest key seen, and ask for higher ones."""
    after = 0
    while True:
        is_last = stop.is_set()
        with transaction(engine) as session:
            found = session.scalars(select(Change.id).where(Change.id > after).order_by(Change.id)).all()
        seen.extend(found)
        after = found[-1] if found else after
        if is_last:
            return


@pytest.fixture
def engine(tmp_path: Path):
    made = open_engine(fresh_database("postgresql", tmp_path))
    yield made
    made.dispose()


def test_no_change_is_lost_or_read_twice_however_transactions_overlap(engine: Engine) -> None:
    stop, careful, rival, naive = threading.Event(), [], [], []
    readers = [
        threading.Thread(target=reader, args=(engine, stop, seen))
        for reader, seen in ((read_by_position, careful), (read_by_position, rival), (read_by_key, naive))
    ]
    writers = [threading.Thread(target=write_slowly, args=(engine, n)) for n in range(WRITERS)]
    for thread in [*readers, *writers]:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in readers:
        thread.join()
    with transaction(engine) as session:
        written = set(session.scalars(select(Change.id)))
        positions = session.scalars(select(Change.position).order_by(Change.position)).all()
    assert len(written) == WRITERS * EACH
    for seen in (careful, rival):
        assert len(seen) == len(set(seen))
        assert set(seen) == written
    assert careful == rival, "two readers read one order"
    assert list(positions) == list(range(1, len(written) + 1))
    assert set(naive) < written, "the same writers do lose rows for a reader that remembers the highest key"
