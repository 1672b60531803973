"""OData's data documents: a page of a table, or what one submission holds of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor
from server.exports.decrypt import Decryptor
from server.exports.encrypted_rows import EncryptedRows
from server.exports.filter_rows import RowTester, searching, split_filter
from server.exports.filter_sql import search_term
from server.exports.filter_syntax import parse_filter
from server.exports.odata_rows import TablePlan, plan_table, repeat_rows, submission_rows, table_steps
from server.exports.rows import Row, Selection, count_rows, find_row, read_rows, select_by, selection_etag, version_names
from server.exports.sources import Source, open_source
from server.exports.tables import question_paths
from server.storage import Storage
from server.transactions import transaction

# What follows the last row, as a JSON object's inside: from whether there are more rows, the last key and the count.
Footer = Callable[[bool, str | None, int | None], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableQuery:
    """The query options of a data document as plain values. `after`: the key that the page before ended with."""

    top: int | None = None
    skip: int = 0
    counts: bool = False
    after: str | None = None
    filter_text: str | None = None
    order_text: str | None = None
    search: str | None = None
    select: str | None = None
    expand: bool = False
    wkt: bool = False


@dataclass(frozen=True, slots=True)
class TableExport:
    """A table that was allowed and can be written. `count` only where it was asked for and known at once."""

    source: Source
    plan: TablePlan
    selection: Selection
    query: TableQuery
    etag: str | None
    count: int | None


def prepare_table(
    session: Session, actor: Actor, project_id: int, form_id: str, table: Sequence[str], *, query: TableQuery, is_draft: bool = False
) -> TableExport:
    """A table's page. `table`: names below `Submissions`. Raises: not_found, insufficient_rights, those of filter and $select."""
    source = open_source(session, actor, project_id, form_id, is_draft=is_draft)
    plan = plan_table(source, table, expand=query.expand, wkt=query.wkt, select=query.select)
    is_repeat = bool(plan.steps)
    if is_repeat:
        plan, selection = _of_repeat(session, source, plan, table, query)
    else:
        selection = select_by(session, source, filter_text=query.filter_text, search=query.search)
    if query.order_text:
        selection = replace(selection, order=select_by(session, source, order_text=query.order_text).order, is_scan=True)
    if is_repeat:
        etag = None if query.top == 0 and query.counts else selection_etag(session, source, selection, tuple(table), repr(query))
        return TableExport(source, plan, selection, query, etag, None)
    count = count_rows(session, source, selection) if query.counts else None
    if query.top == 0:
        return TableExport(source, plan, selection, query, None, count)
    # One row more than asked for tells whether there is a next page.
    limit = None if query.top is None else query.top + 1
    selection = replace(selection, limit=limit, offset=query.skip, skip_after=query.after)
    return TableExport(source, plan, selection, query, selection_etag(session, source, selection, count, repr(query)), count)


def _of_repeat(session: Session, source: Source, plan: TablePlan, table: Sequence[str], query: TableQuery) -> tuple[TablePlan, Selection]:
    """The submissions to look into, and which of their rows are wanted: `$filter` and `$search` ask both."""
    node = parse_filter(query.filter_text) if query.filter_text is not None else None
    of_root, of_row = split_filter(node) if node is not None else (None, None)
    selection = select_by(session, source, node=of_root, search=query.search, is_repeat=True)
    path, _steps = table_steps(source, table)
    fields, hidden = question_paths(source.fields, source.hidden, path)
    tests = [RowTester(fields, hidden).test(of_row)] if of_row is not None else []
    if query.search is not None:
        tests.append(searching(search_term(query.search), {name[-1] for name in source.hidden}))
    return (replace(plan, keeps=lambda row: all(test(row) for test in tests)) if tests else plan), selection


def table_document(export: TableExport, engine: Engine, storage: Storage, footer: Footer) -> Iterator[bytes]:
    """The document in pieces, its rows from one read transaction. Raises: odata_repeat_id_not_found, scan_too_long before the first piece."""
    if export.query.top == 0 and not export.plan.steps:
        yield b'{"value":[],' + footer(False, None, export.count) + b"}"
        return
    with transaction(engine) as session:
        yield from (_repeat_pieces if export.plan.steps else _submission_pieces)(session, export, storage, footer)


def _submission_pieces(session: Session, export: TableExport, storage: Storage, footer: Footer) -> Iterator[bytes]:
    versions, status = version_names(session, export.source), _status_reader(session, export.source, storage)
    left, last = export.query.top, None
    start, has_more = b'{"value":[', False
    for chunk in read_rows(session, export.source, export.selection):
        if left is not None:
            has_more = len(chunk) > left
            chunk = chunk[:left]  # noqa: PLW2901 - the page's end
            left -= len(chunk)
        if chunk:
            last = chunk[-1].instance_id
            yield start + orjson.dumps(submission_rows(export.plan, chunk, versions, status))[1:-1]
            start = b","
    yield (start if last is None else b"") + b"]," + footer(has_more, last, export.count) + b"}"


def _repeat_pieces(session: Session, export: TableExport, _storage: Storage, footer: Footer) -> Iterator[bytes]:
    query = export.query
    waiting_for, left, counted, last = query.after, query.top, 0, None
    has_more, started = False, False
    for chunk in read_rows(session, export.source, export.selection):
        made: list[dict[str, Any]] = []
        for row in chunk:
            for key, one in repeat_rows(export.plan, row):
                counted += 1
                if waiting_for is not None:
                    waiting_for = None if key == waiting_for else waiting_for
                elif counted <= query.skip and query.after is None:
                    continue
                elif left is not None and left <= 0:
                    has_more = True
                else:
                    left = None if left is None else left - 1
                    made.append(one)
                    last = key
        if made:
            yield (b"," if started else b'{"value":[') + orjson.dumps(made)[1:-1]
            started = True
        if has_more and not query.counts:
            break
    if waiting_for is not None:
        raise problems.odata_repeat_id_not_found()
    yield (b"" if started else b'{"value":[') + b"]," + footer(has_more, last, counted if query.counts else None) + b"}"


def _status_reader(session: Session, source: Source, storage: Storage) -> Callable[[Row], str | None]:
    encrypted = EncryptedRows(session, source, storage, Decryptor({}))
    return lambda row: "notDecrypted" if encrypted.has_data(row) else "missingEncryptedFormData"


def submission_document(
    session: Session, actor: Actor, project_id: int, form_id: str, *, place: Sequence[tuple[str, str | None]], query: TableQuery,
    storage: Storage, footer: Footer, is_draft: bool = False,
) -> bytes:  # fmt: skip
    """One submission, or the rows that it has of a repeat.

    `place`: names with the key that was asked for after each, `Submissions` with the instanceID first. Raises: not_found,
    odata_invalid_skiptoken, odata_repeat_id_not_found, those of $select.
    """
    source = open_source(session, actor, project_id, form_id, is_draft=is_draft)
    table = [name for name, _key in place[1:]]
    plan = plan_table(source, table, expand=query.expand, wkt=query.wkt, select=query.select)
    row = find_row(session, source, place[0][1] or "")
    if row is None:
        raise problems.not_found()
    if plan.steps:
        keyed = _keys_by_step(plan, place[1:])
        found = list(repeat_rows(plan, row, keyed))
    else:
        made = submission_rows(plan, [row], version_names(session, source), _status_reader(session, source, storage))
        found = [(row.instance_id, made[0])]
    return _page_of(found, query, footer)


def _keys_by_step(plan: TablePlan, place: Sequence[tuple[str, str | None]]) -> list[str | None]:
    keys: list[str | None] = []
    index = 0
    for step in plan.steps:
        index += len(step.group) + 1
        keys.append(place[index - 1][1])
    if sum(key is not None for _name, key in place) != sum(key is not None for key in keys):
        raise problems.not_found()
    return keys


def _page_of(found: list[tuple[str, dict[str, Any]]], query: TableQuery, footer: Footer) -> bytes:
    start = query.skip
    if query.after is not None:
        start = next((number + 1 for number, (key, _row) in enumerate(found) if key == query.after), -1)
        if start < 0:
            raise problems.odata_repeat_id_not_found()
    end = len(found) if query.top is None else start + query.top
    page = found[start:end]
    has_more = bool(page) and end < len(found)
    return (
        b'{"value":' + orjson.dumps([row for _key, row in page]) + b","
        + footer(has_more, page[-1][0] if page else None, len(found) if query.counts else None) + b"}"
    )  # fmt: skip
