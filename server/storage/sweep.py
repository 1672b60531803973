"""Blobs that nothing names any more are removed: of erased submissions, and of transactions that failed after their bytes were kept.

Safe beside arrivals without a lock that they would wait for: first the row says that the blob is being swept, which whoever
would name it runs into (`record_blob`), then the bytes go, and only `_QUIET` later the row does. So bytes that were kept before
their removal are never named after it: that would need ten minutes between `keep` and its transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Engine, and_, delete, exists, not_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from server.model import BlobBytes, BlobRow, FormVersion, Table
from server.storage import Storage
from server.transactions import transaction

_AGE = timedelta(days=1)
_QUIET = timedelta(minutes=10)
_BATCH = 1000


def sweep_blobs(engine: Engine, storage: Storage, *, now: datetime | None = None) -> int:
    """What was last kept over a day ago and is named nowhere loses its bytes; how many did. Raises: StoreAway; the next call finishes it."""
    return sum(sweep_in_pieces(engine, storage, now=now))


def sweep_in_pieces(engine: Engine, storage: Storage, *, now: datetime | None = None) -> Iterator[int]:
    """`sweep_blobs`, a piece of at most about a thousand at each step, so that other work may come between."""
    at = now or datetime.now(UTC)
    _forget_removed(engine, at)
    yield from _remove_marked(engine, storage)
    for names in _candidates(engine, at - _AGE):
        with transaction(engine, write=bool(names)) as session:
            _mark_rows(session, names, at)
        yield from _remove_marked(engine, storage)
    stored = storage.store.list_older(at - _AGE)
    while names := list(islice(stored, _BATCH)):
        _mark_without_row(engine, names, at)
        yield from _remove_marked(engine, storage)


def _is_named() -> ColumnElement[bool]:
    """Some row names the blob: by a foreign key from whatever table, or as a form version's .xlsx."""
    naming: list[Any] = [FormVersion.__table__.c.xlsx_sha256]
    for table in Table.metadata.sorted_tables:
        if table.name != BlobBytes.__tablename__:
            naming += [column for column in table.c if any(key.references(BlobRow.__table__) for key in column.foreign_keys)]  # type: ignore[arg-type]
    return or_(*(exists().where(column == BlobRow.sha256) for column in naming))


def _candidates(engine: Engine, before: datetime) -> Iterator[Sequence[str]]:
    """Digests that nothing names, for a thousand rows at a time, also where it is none; without a write lock."""
    last = ""
    while True:
        part = select(BlobRow.sha256).where(BlobRow.sha256 > last).order_by(BlobRow.sha256).limit(_BATCH).subquery()
        with transaction(engine) as session:
            seen = session.scalars(select(part.c.sha256)).all()
            if not seen:
                return
            last = max(seen)
            candidates = select(BlobRow.sha256).where(BlobRow.sha256.in_(seen), BlobRow.created_at < before, BlobRow.swept_at.is_(None), not_(_is_named()))
            found = session.scalars(candidates).all()
        yield found


def _mark_rows(session: Session, names: Sequence[str], at: datetime) -> None:
    if not names:
        return
    # The age is looked at again once the row is locked: whoever named it meanwhile has made it young.
    is_still_unnamed = and_(BlobRow.sha256.in_(names), BlobRow.created_at < at - _AGE, BlobRow.swept_at.is_(None), not_(_is_named()))
    session.execute(update(BlobRow).where(is_still_unnamed).values(swept_at=at).execution_options(synchronize_session=False))


def _mark_without_row(engine: Engine, names: Sequence[str], at: datetime) -> None:
    with transaction(engine) as session:
        known = set(session.scalars(select(BlobRow.sha256).where(BlobRow.sha256.in_(names))))
    rows = [{"sha256": name, "md5": "", "size_bytes": 0, "created_at": at, "swept_at": at} for name in names if name not in known]
    if rows:
        make = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
        with transaction(engine, write=True) as session:
            session.connection().execute(make(BlobRow.__table__).on_conflict_do_nothing(), rows)  # type: ignore[arg-type]


def _remove_marked(engine: Engine, storage: Storage) -> Iterator[int]:
    waiting = select(BlobRow.sha256).where(BlobRow.swept_at.is_not(None), BlobRow.removed_at.is_(None)).limit(_BATCH)
    while True:
        with transaction(engine) as session:
            names = session.scalars(waiting).all()
        for name in names:
            storage.store.remove(name)
        if names:
            with transaction(engine, write=True) as session:
                session.execute(delete(BlobBytes).where(BlobBytes.sha256.in_(names)))
                # The clock starts after the removal, however long that took.
                session.execute(update(BlobRow).where(BlobRow.sha256.in_(names)).values(removed_at=datetime.now(UTC)))
        yield len(names)
        if not names:
            return


def _forget_removed(engine: Engine, at: datetime) -> None:
    with transaction(engine, write=True) as session:
        session.execute(delete(BlobRow).where(BlobRow.swept_at.is_not(None), BlobRow.removed_at < at - _QUIET))
