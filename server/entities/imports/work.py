"""Imports' long work in bounded pieces, for the jobs and for the command: whoever holds an import goes on with it, another after a crash."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice

from sqlalchemy import ColumnElement, Engine, and_, exists, or_, select, update
from sqlalchemy.orm import Session

from server.entities.bulk import tell_planner
from server.entities.imports.check import check_rows
from server.entities.imports.reading import read_lines
from server.entities.imports.records import AT_WORK
from server.entities.imports.run import CHUNK, Newcomers, lock_import, run_chunk
from server.entities.imports.undo import undo_chunk
from server.model import EntityImport, EntityList
from server.problems import Problem
from server.storage import Storage, record_blob
from server.transactions import first_id_at, transaction

_PIECE_SECONDS = 2.0
_HELD_SECONDS = 20
_KEPT_DAYS = 7
# Long enough for a phone that waits for SQLite's only writer to be let in between two chunks.
_PAUSE_SECONDS = 0.004


def is_waiting(session: Session) -> bool:
    """Whether some import is to be worked on."""
    return bool(session.scalar(select(exists().where(EntityImport.state.in_(AT_WORK)))))


def work_on_any(engine: Engine, storage: Storage, holder: str) -> bool:
    """A piece of the oldest import that nobody else holds; whether there may be more to do now."""
    with transaction(engine) as session:
        statement = select(EntityImport.project_id, EntityImport.id).where(EntityImport.state.in_(AT_WORK), _is_free(holder))
        row = session.execute(statement.order_by(EntityImport.id).limit(1)).one_or_none()
    return row is not None and work_on(engine, storage, row.project_id, row.id, holder)


def _is_free(holder: str) -> ColumnElement[bool]:
    return or_(EntityImport.held_until.is_(None), EntityImport.held_until < datetime.now(UTC), EntityImport.holder == holder)


def work_on(engine: Engine, storage: Storage, project_id: int, import_id: int, holder: str, progress: Callable[[int], None] = lambda _n: None) -> bool:
    """Some two seconds of the import, or all of its check; whether there is more. `progress`: rows looked at, or done, so far."""
    state = _hold(engine, project_id, import_id, holder)
    if state == "checking":
        _check(engine, storage, project_id, import_id, holder, progress)
        return False
    if state not in {"importing", "undoing"}:
        return False
    try:
        piece = _Piece(engine, storage, project_id, import_id, holder, progress)
        return piece.run() if state == "importing" else piece.undo()
    except Problem as problem:
        if problem.status != 404:
            raise
        _fail(engine, project_id, import_id)
        return False


def _hold(engine: Engine, project_id: int, import_id: int, holder: str) -> str:
    """The import's state, if it is ours to work on for the next while; else ""."""
    here = and_(EntityImport.project_id == project_id, EntityImport.id == import_id)
    with transaction(engine, write=True) as session:
        until = datetime.now(UTC) + timedelta(seconds=_HELD_SECONDS)
        held = update(EntityImport).where(here, _is_free(holder)).values(holder=holder, held_until=until)
        if session.execute(held).rowcount != 1:  # type: ignore[attr-defined]
            return ""
        return session.scalar(select(EntityImport.state).where(here)) or ""


def _fail(engine: Engine, project_id: int, import_id: int) -> None:
    """The file's rows, or the list, are gone."""
    with transaction(engine, write=True) as session:
        found = lock_import(session, project_id, import_id)
        if found.state in AT_WORK:
            found.state, found.holder, found.held_until = "failed", None, None


def _check(engine: Engine, storage: Storage, project_id: int, import_id: int, holder: str, progress: Callable[[int], None]) -> None:
    here = and_(EntityImport.project_id == project_id, EntityImport.id == import_id)

    def told(count: int) -> None:
        progress(count)
        with transaction(engine, write=True) as session:
            until = datetime.now(UTC) + timedelta(seconds=_HELD_SECONDS)
            session.execute(update(EntityImport).where(here, EntityImport.holder == holder).values(rows_checked=count, held_until=until))

    with transaction(engine) as session:
        found = session.scalars(select(EntityImport).where(here)).one()
    begun = datetime.now(UTC)
    try:
        checked = check_rows(engine, storage, found, told)
    except Problem as problem:
        if problem.status != 404:
            raise
        _fail(engine, project_id, import_id)
        return
    with transaction(engine, write=True) as session:
        now = lock_import(session, project_id, import_id)
        # It was set up anew meanwhile: this check is of no use.
        if now.state != "checking" or now.settings != found.settings or now.holder != holder:
            return
        record_blob(session, checked.plan)
        now.state, now.plan_sha256, now.checked_at = "checked", checked.plan.sha256, begun
        now.rows_checked, now.rows_good, now.rows_bad = now.rows_total, checked.good, checked.bad
        now.errors, now.errors_total, now.holder, now.held_until = checked.report.errors, checked.report.total, None, None
    progress(found.rows_total)


class _Piece:
    """Chunks one after another for about two seconds, each a transaction of its own."""

    def __init__(self, engine: Engine, storage: Storage, project_id: int, import_id: int, holder: str, progress: Callable[[int], None]) -> None:
        self._engine, self._storage, self._key, self._holder, self._progress = engine, storage, (project_id, import_id), holder, progress
        self._until = time.monotonic() + _PIECE_SECONDS

    def run(self) -> bool:
        with transaction(self._engine) as session:
            found = session.get_one(EntityImport, self._key)
        position, checked_at = found.position, found.checked_at or found.created_at
        is_first = position == 0
        lines = read_lines(self._storage, found.plan_sha256 or "", skip=position)
        newcomers = Newcomers(first_id_at(checked_at))
        while time.monotonic() < self._until:
            chunk = list(islice(lines, CHUNK))
            with transaction(self._engine, write=True) as session:
                found = lock_import(session, *self._key)
                if not self._is_ours(session, found, "importing") or found.position != position:
                    return False
                if chunk:
                    run_chunk(session, found, chunk, newcomers)
                else:
                    tell_planner(session)
                    _finish(found)
            position += len(chunk)
            self._progress(position)
            if not chunk:
                return False
            time.sleep(_PAUSE_SECONDS)
        if is_first:
            with transaction(self._engine, write=True) as session:
                tell_planner(session)
        return True

    def undo(self) -> bool:
        while time.monotonic() < self._until:
            with transaction(self._engine, write=True) as session:
                found = lock_import(session, *self._key)
                if not self._is_ours(session, found, "undoing"):
                    return False
                has_more = undo_chunk(session, found, limit=CHUNK)
                done = found.undone_count + found.left_count
                if not has_more:
                    found.state, found.undone_at, found.holder, found.held_until = "undone", datetime.now(UTC), None, None
            self._progress(done)
            if not has_more:
                return False
            time.sleep(_PAUSE_SECONDS)
        return True

    def _is_ours(self, session: Session, found: EntityImport, state: str) -> bool:
        entity_list = session.get(EntityList, found.list_id)
        if entity_list is None or entity_list.deleted_at is not None:
            found.state, found.holder, found.held_until = "failed", None, None
            return False
        if found.state != state or found.holder != self._holder:
            return False
        found.held_until = datetime.now(UTC) + timedelta(seconds=_HELD_SECONDS)
        return True


def forget_files(session: Session, *, limit: int) -> int:
    """Files that nobody has imported within a week are kept no more, and their imports have failed: how many. For the jobs."""
    before = first_id_at(datetime.now(UTC) - timedelta(days=_KEPT_DAYS))
    left = (EntityImport.blob_sha256.is_not(None), EntityImport.id < before, EntityImport.state.in_(("uploaded", "checked", "failed")))
    rows = session.scalars(select(EntityImport).where(*left).order_by(EntityImport.id).limit(limit).with_for_update()).all()
    for found in rows:
        found.state = "failed"
        _forget_file(found)
    session.flush()
    return len(rows)


def _finish(found: EntityImport) -> None:
    """Everything is in the list; the file is needed no more."""
    found.state, found.finished_at = "done", datetime.now(UTC)
    _forget_file(found)


def _forget_file(found: EntityImport) -> None:
    """The file, and what was read of it, has numbers as they are written."""
    found.blob_sha256 = found.rows_sha256 = found.plan_sha256 = found.holder = found.held_until = None
    found.samples = []
