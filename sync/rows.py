"""A submission -> the rows of its form's tables, as lists in the order of the tables' columns, ready for the driver."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from psycopg.types.json import Jsonb
from sqlalchemy import Connection

from server.access.sealed import masked, matching_hash
from sync.sources import SubmissionState
from sync.tables import GEOMETRY, FormTable, PostgisGeometry, family, kind_of
from sync.values import Reader, Unfit, instant_text, point_wkbs, read_points, read_text, reader_of, shape_wkb

Row = list[Any]
Rows = dict[str, list[Row]]
_ROW_ID_LENGTH = 40
_SRID = 4326


@dataclass(slots=True)
class Branch:
    """A group's questions and the groups in it, as far as one form version and one table have them.

    By how they are read: (name, column's index, path for `unparsed`) and what else it takes.
    """

    texts: list[tuple[str, int, str]] = field(default_factory=list)
    typed: list[tuple[str, int, str, Reader]] = field(default_factory=list)
    places: list[tuple[str, int, str, str, int]] = field(default_factory=list)  # kind, SRID
    sealed: list[tuple[str, int]] = field(default_factory=list)
    groups: dict[str, Branch] = field(default_factory=dict)


@dataclass(slots=True)
class Plan:
    """How one form version's answers fill a table of so many columns. `blank`: what stands after the system columns."""

    width: int
    unparsed: int
    blank: Row
    root: Branch


@dataclass(slots=True)
class RowMaker:
    """Rows of one batch. `rows` and `points` by table name; points become WKB all at once, in `finish`."""

    dialect: str
    rows: Rows = field(default_factory=lambda: defaultdict(list))
    _points: dict[int, list[tuple[Row, int, tuple[float, float, float]]]] = field(default_factory=lambda: defaultdict(list))
    instant: Callable[[datetime], Any] = lambda at: at
    json: Callable[[Any], Any] = lambda value: Jsonb(value, dumps=orjson.dumps)

    @classmethod
    def of(cls, connection: Connection) -> RowMaker:
        """For the target's kind of database."""
        if connection.dialect.name == "sqlite":
            return cls("sqlite", instant=instant_text, json=lambda value: orjson.dumps(value).decode())
        return cls(connection.dialect.name)

    def add(self, tables: dict[tuple[str, ...], FormTable], state: SubmissionState) -> None:
        """The submission's row and its repeats' rows. Of an encrypted one nothing but the system columns is known."""
        at = self.instant
        main = tables[()]
        plan = _plan(main, state, self.dialect)
        row: Row = [
            state.instance_id, state.current_instance_id, state.submitter, state.device_id, state.division, state.review_state,
            state.review_level, at(state.received_at), at(state.updated_at) if state.updated_at else None,
            at(state.deleted_at) if state.deleted_at else None, state.is_encrypted, state.form.definition.version, *plan.blank,
        ]  # fmt: skip
        self.rows[main.table.name].append(row)
        if state.is_encrypted:
            return
        self._fill(row, plan, state.answers)
        for path, made in tables.items():
            if path:
                plan = _plan(made, state, self.dialect)
                for parent_id, number, answers in _repeat_rows(state.answers, path, tables):
                    row_id = _row_id(answers["__id"], state.instance_id, path, number)
                    row = [row_id, state.instance_id, parent_id, number, *plan.blank]
                    self.rows[made.table.name].append(row)
                    self._fill(row, plan, answers)

    def _fill(self, row: Row, plan: Plan, answers: dict[str, Any]) -> None:
        unfit: dict[str, Any] = {}
        self._fill_branch(row, plan.root, answers, unfit)
        if unfit:
            row[plan.unparsed] = self.json(unfit)

    def _fill_branch(self, row: Row, branch: Branch, answers: dict[str, Any], unfit: dict[str, Any]) -> None:
        # Every answer of every submission passes here: no calls but the readers'.
        get = answers.get
        for name, index, path in branch.texts:
            answer = get(name)
            if answer.__class__ is str:
                row[index] = answer
            elif answer is not None:
                try:
                    row[index] = read_text(answer)
                except Unfit:
                    unfit[path] = answer
        for name, index, path, reader in branch.typed:
            answer = get(name)
            if answer is not None:
                try:
                    row[index] = reader(answer)
                except Unfit:
                    unfit[path] = answer
        for name, index, path, kind, srid in branch.places:
            answer = get(name)
            if answer is not None:
                try:
                    self._put_place(row, index, kind, srid, answer)
                except Unfit:
                    unfit[path] = answer
        for name, index in branch.sealed:
            answer = get(name)
            if answer is not None:
                row[index : index + 2] = masked(str(answer)), matching_hash(answer)
        for name, below in branch.groups.items():
            group = get(name)
            if group.__class__ is dict:
                self._fill_branch(row, below, group, unfit)

    def _put_place(self, row: Row, index: int, kind: str, srid: int, answer: Any) -> None:
        points = read_points(kind, answer)
        if kind == "geopoint":
            latitude, longitude, altitude, accuracy = points[0]
            row[index + 1 : index + 5] = longitude, latitude, altitude, accuracy
            self._points[srid].append((row, index, (longitude, latitude, altitude or 0.0)))
        else:
            row[index] = shape_wkb(kind, points, srid=srid)

    def finish(self) -> Rows:
        """All rows by table name, complete."""
        for srid, points in self._points.items():
            for (row, index, _point), wkb in zip(points, point_wkbs([point for _row, _index, point in points], srid=srid), strict=True):
                row[index] = wkb
        return self.rows


def _plan(made: FormTable, state: SubmissionState, dialect: str) -> Plan:
    """A question that changed its type has a column for each type: an answer goes to that of its own version."""
    key = state.form.version_key
    width = len(made.table.columns)
    known: Plan | None = made.plans.get(key)
    if known is None or known.width != width:
        names = [column.name for column in made.table.columns]
        kinds = {entry.path: family(kind_of(entry)) for entry in state.form.definition.fields}
        root = Branch()
        for column in made.columns:
            if kinds.get(made.path + column.path, family(column.kind)) != family(column.kind):
                continue
            branch = root
            for name in column.path[:-1]:
                branch = branch.groups.setdefault(name, Branch())
            place = (column.path[-1], names.index(column.name), "/".join(column.path))
            reader = reader_of(column.kind, dialect)
            if column.kind in GEOMETRY:
                srid = _SRID if isinstance(made.table.columns[column.name].type, PostgisGeometry) else 0
                branch.places.append((*place, column.kind, srid))
            elif column.kind == "sealed":
                branch.sealed.append((column.path[-1], names.index(column.name)))
            elif reader is read_text:
                branch.texts.append(place)
            else:
                branch.typed.append((*place, reader))
        unparsed = names.index("unparsed")
        known = made.plans[key] = Plan(width, unparsed, [None] * (width - unparsed), root)
    return known


def _repeat_rows(
    answers: dict[str, Any], path: tuple[str, ...], tables: dict[tuple[str, ...], FormTable]
) -> Iterator[tuple[str | None, int, dict[str, Any]]]:
    level: list[tuple[str | None, int, dict[str, Any]]] = [(None, 0, answers)]
    for depth, name in enumerate(path, start=1):
        below: list[tuple[str | None, int, dict[str, Any]]] = []
        for parent_id, number, node in level:
            value = node.get(name)
            if isinstance(value, list) and path[:depth] in tables:
                below += [(node.get("__id", parent_id), n, row) for n, row in enumerate(value, start=1)]
            elif isinstance(value, dict):
                below.append((node.get("__id", parent_id), number, value))
        level = below
    yield from (entry for entry in level if "__id" in entry[2])


def _row_id(key: Any, instance_id: str, path: tuple[str, ...], number: int) -> str:
    # The server makes these keys; one that cannot be a key must not hold up everyone else's rows.
    return key if isinstance(key, str) and 0 < len(key) <= _ROW_ID_LENGTH else other_row_id(f"{instance_id}/{path}/{number}")


def other_row_id(text: str) -> str:
    """A key of a repeat's row, made of `text`."""
    return hashlib.sha1(text.encode(errors="replace"), usedforsecurity=False).hexdigest()
