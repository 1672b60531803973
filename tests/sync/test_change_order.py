"""The log loses nothing and doubles nothing, however many write at once and however long their transactions stay open."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from server.changes import number_changes, read_changes, record_change
from server.model import Change
from server.transactions import open_engine, transaction
from tests.databases import fresh_database

WRITERS, CHANGES_EACH = 12, 25


@pytest.fixture
def engine(database_kind: str, tmp_path: Path) -> Iterator[Engine]:
    made = open_engine(fresh_database(database_kind, tmp_path))
    yield made
    made.dispose()


class RolledBack(Exception):
    pass


def write_slowly(engine: Engine, seed: int) -> None:
    """Changes whose transactions are open for random times; every seventh is given up."""
    chance = random.Random(seed)
    for n in range(CHANGES_EACH):
        try:
            with transaction(engine, write=True) as session:
                record_change(session, "test", project_id=1 + seed % 3, details={"writer": seed, "n": n})
                session.flush()
                if engine.dialect.name == "postgresql":
                    time.sleep(chance.random() * 0.03)
                if n % 7 == 6:
                    raise RolledBack
        except RolledBack:
            pass


def read_numbered(engine: Engine, found: list[int], writing: threading.Event) -> None:
    """As sync reads: number, then read what has a number."""
    position = 0
    while True:
        is_last = not writing.is_set()
        with transaction(engine, write=True) as session:
            number_changes(session, limit=40)
        with transaction(engine) as session:
            changes = read_changes(session, position, limit=30)
            found += [change.id for change in changes]
            if changes:
                position = changes[-1].position or 0
        if is_last and not changes:
            return


def read_naively(engine: Engine, found: list[int], writing: threading.Event) -> None:
    """As one would like to read: by the key that grows, remembering the highest seen."""
    highest = 0
    while True:
        is_last = not writing.is_set()
        with transaction(engine) as session:
            ids = list(session.scalars(select(Change.id).where(Change.id > highest).order_by(Change.id).limit(30)))
        found += ids
        highest = ids[-1] if ids else highest
        if is_last and not ids:
            return


def test_many_writers_and_their_readers(engine: Engine) -> None:
    writing = threading.Event()
    writing.set()
    numbered: list[list[int]] = [[], [], []]
    naive: list[int] = []
    readers = [threading.Thread(target=read_numbered, args=(engine, found, writing)) for found in numbered]
    readers.append(threading.Thread(target=read_naively, args=(engine, naive, writing)))
    writers = [threading.Thread(target=write_slowly, args=(engine, seed)) for seed in range(WRITERS)]
    for thread in [*readers, *writers]:
        thread.start()
    for thread in writers:
        thread.join()
    writing.clear()
    for thread in readers:
        thread.join()
    with transaction(engine) as session:
        rows = session.execute(select(Change.id, Change.position).order_by(Change.position)).all()
    committed = [change_id for change_id, _position in rows]
    assert len(committed) == WRITERS * (CHANGES_EACH - CHANGES_EACH // 7)
    assert [position for _id, position in rows] == list(range(1, len(rows) + 1)), "positions have no gap"
    for found in numbered:
        assert found == committed, "each reader had every change once, in one order"
    if engine.dialect.name == "postgresql":
        lost = Counter(committed) - Counter(naive)
        assert lost, "the same load shows what a naive reader loses; without that this test would prove nothing"


def test_a_change_committed_late_is_numbered_behind_what_was_read_before_it(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    with transaction(engine, write=True) as slow:
        record_change(slow, "slow", project_id=1)
        slow.flush()
        with transaction(engine, write=True) as quick:
            record_change(quick, "quick", project_id=1)
        with transaction(engine, write=True) as session:
            number_changes(session)
        with transaction(engine) as session:
            [seen] = read_changes(session, 0)
            assert seen.kind == "quick"
    with transaction(engine) as session:
        assert read_changes(session, seen.position or 0) == [], "a change without a number is never read"
        assert session.scalars(select(Change.kind).where(Change.id > seen.id)).all() == [], "by its key the late one is lost"
    with transaction(engine, write=True) as session:
        number_changes(session)
    with transaction(engine) as session:
        assert [change.kind for change in read_changes(session, seen.position or 0)] == ["slow"]
