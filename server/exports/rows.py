"""A form's submissions with their current answers, in chunks, from one read transaction and in constant memory."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any, NamedTuple

import orjson
import psycopg
from sqlalchemy import ColumnElement, Dialect, Select, and_, case, cast, false, func, literal, null, or_, select, type_coerce
from sqlalchemy import String as Text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import visible
from server.access.sealed import is_sealed_name, masked_json, sealer_of
from server.exports.filter_sql import DELETED_AT, SqlWriter, plain_name
from server.exports.filter_syntax import Node, parse_filter, properties_of
from server.exports.sources import Source
from server.exports.tables import question_paths
from server.model import ActorRow, Attachment, FormVersion, Submission, SubmissionVersion

CHUNK = 250
# Chunks fetched while one is written: with one alone the database waits for the interpreter.
AHEAD = 3
# One fetch that looks through answers without an index may take so long, and no longer.
SCAN_SECONDS = 20
_PRESENT = 1 << 20

_S: Any = Submission.__table__
_V: Any = SubmissionVersion.__table__
_A: Any = ActorRow.__table__
_F: Any = Attachment.__table__
# Rights are asked of every row; the form's own index, not the project's, must lead to the rows.
_RULED = SimpleNamespace(c={"project_id": _S.c.project_id + 0, "form_pk": _S.c.form_pk, "division": _S.c.division})


class Row(NamedTuple):
    """One submission. Times as 2026-01-02T03:04:05.678Z; `review_state` None while received.

    `form_version`: key of the form version that the first sending named, `answered_as` that of the current answers. `xml` only where `answers` are empty because they are encrypted.
    """

    id: int
    instance_id: str
    received_at: str
    updated_at: str | None
    deleted_at: str | None
    submitter_id: int | None
    submitter: str | None
    review_state: str | None
    device_id: str | None
    edits: int
    form_version: int
    attachments: int
    version_id: int
    answered_as: int
    answers: Any
    xml: bytes | None


def attachment_counts(row: Row) -> tuple[int, int]:
    """How many files of the submission are here, and how many it mentions."""
    return row.attachments % _PRESENT, row.attachments // _PRESENT


@dataclass(frozen=True, slots=True)
class Selection:
    """Which of a source's submissions, in which order; newest first if nothing is said.

    `skip_after`: the instanceID that the page before ended with.
    """

    condition: ColumnElement[bool] | None = None
    order: tuple[ColumnElement[Any], ...] = ()
    limit: int | None = None
    offset: int = 0
    skip_after: str | None = None
    says_deleted: bool = False
    is_scan: bool = False


def select_by(
    session: Session, source: Source, *, filter_text: str | None = None, node: Node | None = None, order_text: str | None = None, search: str | None = None,
    limit: int | None = None, offset: int = 0, skip_after: str | None = None, is_repeat: bool = False,
) -> Selection:  # fmt: skip
    """A selection by OData's options; `node` is a filter that was parsed already. Raises: those of filter_syntax and filter_sql."""
    paths, hidden = question_paths(source.fields, source.hidden)
    dialect = session.get_bind().dialect
    writer = SqlWriter(dialect.name, paths, hidden=hidden, is_repeat=is_repeat, seal=sealer_of(dialect).seal)
    conditions, names = [], set()
    if filter_text is not None:
        node = parse_filter(filter_text)
    if node is not None:
        names = {plain_name(found.path) for found in properties_of(node)}
        conditions.append(writer.condition(node))
    if search is not None:
        conditions.append(writer.search(search))
    order = writer.ordering(order_text) if order_text else ()
    is_scan = search is not None or bool(order) or any(not name.startswith("__") for name in names)
    condition = and_(*conditions) if conditions else None
    return Selection(condition, order, limit, offset, skip_after, DELETED_AT in names, is_scan)


def read_rows(session: Session, source: Source, selection: Selection, *, as_text: bool = False) -> Iterator[list[Row]]:
    """The selected submissions in chunks of CHUNK, as they stand in the session's transaction. `as_text`: answers as JSON text.

    On PostgreSQL the next chunks are fetched meanwhile; not behind one with encrypted answers, whose reader asks the database itself.
    Raises: scan_too_long (the database looked through answers for more than SCAN_SECONDS).
    """
    chunks = _chunks(session, source, selection, as_text=as_text)
    if session.get_bind().dialect.name != "postgresql":
        # SQLite works in this process: a second thread would only wait for the interpreter.
        yield from chunks
        return
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        try:
            waiting = deque([pool.submit(next, chunks, None)])
            while (chunk := waiting.popleft().result()) is not None:
                if all(row.xml is None for row in chunk):
                    waiting += [pool.submit(next, chunks, None) for _ in range(AHEAD - len(waiting))]
                else:
                    wait(waiting)
                yield chunk
                if not waiting:
                    waiting.append(pool.submit(next, chunks, None))
        finally:
            pool.submit(chunks.close).result()


def _chunks(session: Session, source: Source, selection: Selection, *, as_text: bool) -> Generator[list[Row], None, None]:
    dialect = session.get_bind().dialect
    opened = _opener(dialect, source, as_text=as_text)
    statement = _paged(session, source, selection, _columns(dialect.name, as_text=as_text or opened is not None))
    connection = session.connection()
    with _bounded(session, selection) as patience:
        result = connection.execute(statement, execution_options={"stream_results": True, "yield_per": CHUNK})
        try:
            for chunk in result.partitions():
                yield [*map(Row._make, chunk)] if opened is None else [row._replace(answers=opened(row.answers)) for row in map(Row._make, chunk)]
                patience.renew()
        finally:
            result.close()


def _opener(dialect: Dialect, source: Source, *, as_text: bool) -> Callable[[str], Any] | None:
    """What opens or masks the sealed numbers in one row's answers; None where the form asks for none, and nothing need be done."""
    if not any(is_sealed_name(field.name) for field in source.fields):
        return None
    show = masked_json if source.hidden else sealer_of(dialect).unsealed_json
    return show if as_text else lambda text: orjson.loads(show(text))


def count_rows(session: Session, source: Source, selection: Selection) -> int:
    """How many submissions the selection has without its page."""
    with _bounded(session, selection):
        return session.scalar(_narrowed(source, selection, select(func.count()).select_from(_joined()))) or 0


def find_row(session: Session, source: Source, instance_id: str) -> Row | None:
    """One submission that is not deleted, by its instanceID."""
    selection = Selection(_S.c.instance_id == instance_id)
    return next((row for chunk in read_rows(session, source, selection) for row in chunk), None)


def selection_etag(session: Session, source: Source, selection: Selection, *also: object) -> str:
    """32 hex digits that change with any submission of the selection, its files, the form's version, the reader's division or `also`.

    Of a scan, with any submission of the form: to look through the answers once for this would cost what it is to save.
    """
    if selection.is_scan:
        selection = Selection(says_deleted=True)
    page = _paged(session, source, selection, (_S.c.id, _S.c.project_id, _S.c.current_version_id, _S.c.received_at, _S.c.updated_at, _S.c.deleted_at))
    inner = page.subquery()
    column = inner.c
    state = select(
        func.count(), func.sum(column.current_version_id % 1_000_003), func.max(column.received_at), func.max(column.updated_at), func.max(column.deleted_at)
    )
    files = select(func.count(_F.c.blob_sha256), func.max(_F.c.received_at)).where(
        _F.c.project_id == column.project_id, _F.c.version_id == column.current_version_id
    ).select_from(inner.join(_F, and_(_F.c.project_id == column.project_id, _F.c.version_id == column.current_version_id)))  # fmt: skip
    with _bounded(session, selection):
        parts = [*session.execute(state).one(), *session.execute(files).one()]
    parts += [source.form.id, source.definition.version, source.actor.division, sorted(source.hidden), *also]
    return hashlib.md5(repr([part.isoformat() if isinstance(part, datetime) else part for part in parts]).encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


def version_names(session: Session, source: Source) -> dict[int, str]:
    """The version that each form version's key stands for."""
    statement = select(FormVersion.id, FormVersion.version).where(FormVersion.form_pk == source.form.id)
    return {row[0]: row[1] for row in session.execute(statement)}


def _joined() -> Any:
    return _S.join(_V, and_(_V.c.project_id == _S.c.project_id, _V.c.id == _S.c.current_version_id)).outerjoin(_A, _A.c.id == _S.c.submitter_id)


def _narrowed(source: Source, selection: Selection, statement: Select[Any]) -> Select[Any]:
    statement = statement.where(_S.c.form_pk == source.form.id, _S.c.is_draft.is_(source.is_draft))
    if source.is_draft:
        # What was tried on an earlier draft says nothing of this one.
        statement = statement.where(_S.c.form_version_id == source.form.draft_version_id)
    if not selection.says_deleted:
        statement = statement.where(_S.c.deleted_at.is_(None))
    if selection.condition is not None:
        statement = statement.where(selection.condition)
    return visible(statement, source.actor, "submission.read", _RULED)


def _paged(session: Session, source: Source, selection: Selection, columns: tuple[Any, ...]) -> Select[Any]:
    statement = _narrowed(source, selection, select(*columns).select_from(_joined()))
    if selection.skip_after is not None:
        statement = statement.where(_after(session, source, selection.skip_after))
    statement = statement.order_by(*(selection.order or (_S.c.received_at.desc(), _S.c.id.desc())))
    if selection.limit is not None:
        statement = statement.limit(selection.limit)
    return statement.offset(selection.offset) if selection.offset else statement


def _after(session: Session, source: Source, instance_id: str) -> ColumnElement[bool]:
    """The rows after a submission that may have been deleted since; none if it never was here."""
    found = session.execute(
        select(_S.c.received_at, _S.c.id).where(_S.c.form_pk == source.form.id, _S.c.is_draft.is_(source.is_draft), _S.c.instance_id == instance_id)
    ).one_or_none()
    if found is None:
        return false()
    at, last_id = found
    return and_(_S.c.received_at <= at, or_(_S.c.received_at < at, and_(_S.c.received_at == at, _S.c.id < last_id)))


def _columns(dialect: str, *, as_text: bool) -> tuple[Any, ...]:
    answers = _V.c.answers
    if as_text:
        answers = cast(answers, Text) if dialect == "postgresql" else type_coerce(answers, Text)
    first = _V.alias("first")
    mine = and_(first.c.project_id == _S.c.project_id, first.c.submission_id == _S.c.id)
    # Most submissions were never edited: those need no look at their other versions.
    edits = case(
        (_V.c.deprecates.is_(None), literal(0)), else_=select(func.count() - 1).select_from(first).where(mine).correlate(_S).scalar_subquery()
    )
    sent_as = case(
        (_V.c.deprecates.is_(None), _S.c.form_version_id),
        else_=select(first.c.form_version_id).where(mine).order_by(first.c.received_at, first.c.id).limit(1).correlate(_S).scalar_subquery(),
    )
    files = (
        select(func.count() * _PRESENT + func.count(_F.c.blob_sha256)).select_from(_F)
        .where(_F.c.project_id == _S.c.project_id, _F.c.version_id == _S.c.current_version_id, _F.c.is_expected)
        .correlate(_S).scalar_subquery()
    )  # fmt: skip
    return (
        _S.c.id, _S.c.instance_id, _shown_time(dialect, _S.c.received_at), _shown_time(dialect, _S.c.updated_at),
        _shown_time(dialect, _S.c.deleted_at), _S.c.submitter_id, _A.c.display_name, func.nullif(_S.c.review_state, "received", type_=Text),
        _S.c.device_id, edits, sent_as, files, _V.c.id, _S.c.form_version_id, answers, case((_V.c.is_encrypted, _V.c.xml), else_=null()),
    )  # fmt: skip


def _shown_time(dialect: str, column: Any) -> ColumnElement[Any]:
    if dialect == "postgresql":
        return func.to_char(func.timezone("UTC", column), 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"', type_=Text)
    return func.replace(func.substr(type_coerce(column, Text), 1, 23), " ", "T", type_=Text).concat("Z")


class _Patience:
    """How long the current fetch may still take."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.renew()

    def renew(self) -> None:
        self._until = time.monotonic() + self._seconds

    def is_over(self) -> bool:
        return time.monotonic() > self._until


@contextmanager
def _bounded(session: Session, selection: Selection) -> Iterator[_Patience]:
    """Within it, a scan's every fetch ends after SCAN_SECONDS."""
    patience = _Patience(SCAN_SECONDS)
    if not selection.is_scan:
        yield patience
        return
    driver: Any = session.connection().connection.driver_connection
    is_sqlite = isinstance(driver, sqlite3.Connection)
    if is_sqlite:
        driver.set_progress_handler(patience.is_over, 100_000)
    else:
        session.connection().exec_driver_sql(f"SET LOCAL statement_timeout = {SCAN_SECONDS * 1000}")
    try:
        yield patience
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.errors.QueryCanceled) or "interrupted" in str(error.orig):
            raise problems.scan_too_long() from error
        raise
    finally:
        if is_sqlite:
            driver.set_progress_handler(None, 0)
