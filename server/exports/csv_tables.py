"""Columns of a form's tables in CSV, and compiled functions that fill them: exactly those of ODK Central."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, NamedTuple

from server.access.sealed import masked
from server.exports.sources import Source
from server.exports.tables import Group, Path, repeats_in_order, table_tree
from server.exports.typed_answers import AnswerReader, Read, RowType, row_type
from server.forms.fields import Field

Fill = Callable[[Any], Iterable[Any]]
# Path of a select-multiple question -> the values that were chosen somewhere, in order.
Choices = Mapping[Path, tuple[str, ...]]

ROOT_TAIL = (
    "KEY", "SubmitterID", "SubmitterName", "AttachmentsPresent", "AttachmentsExpected", "Status", "ReviewState", "DeviceID", "Edits", "FormVersion",
)  # fmt: skip
_POINT = ("Latitude", "Longitude", "Altitude", "Accuracy")
_NO_POINT = (None, None, None, None)
_NUMBERS = [f"{number}]\n" for number in range(1, 1001)]
_QUOTED = re.compile(r'[",\r\n]').search


@dataclass(frozen=True, slots=True)
class Columns:
    """A table's own columns: `header`, and `cells`, which makes them from a row. `fields`: the question of each column."""

    header: tuple[str, ...]
    cells: Callable[[Any], Iterable[Any]]
    fields: tuple[Field, ...]


@dataclass(slots=True)
class RepeatTable:
    """A repeat's table and those inside it. `rows_of` gives its rows from the row above; `key` is its path there."""

    name: str
    columns: Columns
    rows_of: Callable[[Any], list[Any]]
    key: str
    path: Path
    inner: list[RepeatTable] = field(default_factory=list)
    rows: list[list[Any]] = field(default_factory=list)
    waiting: WaitingLines = field(default_factory=lambda: WaitingLines([], []))


class WaitingLines(NamedTuple):
    """A repeat's rows whose lines are still to be written: the rows as they were read, and the end of each one's line."""

    rows: list[Any]
    ends: list[str]


@dataclass(frozen=True, slots=True)
class Layout:
    """All tables of a form: the submissions', those of repeats directly below (`inner`), and all repeats in order (`repeats`)."""

    root: Columns
    inner: list[RepeatTable]
    repeats: list[RepeatTable]
    reader: AnswerReader


def lay_out(source: Source, *, group_paths: bool = True, choices: Choices | None = None) -> Layout:
    """The tables of a source's form. `group_paths`: columns are named by their groups too. `choices`: split these questions."""
    root = table_tree(source.fields)
    types: dict[Path, RowType] = {}
    root_type = row_type(root, types)
    tables: dict[Path, RepeatTable] = {}
    layout = Layout(_columns(root, root_type, source, group_paths=group_paths, choices=choices or {}), [], [], AnswerReader(root_type))
    for repeat in repeats_in_order(source.fields, root):
        above = repeat.parent.path if repeat.parent else ()
        below = repeat.path[len(above) :]
        columns = _columns(repeat.row, types[repeat.path], source, group_paths=group_paths, choices=choices or {})
        type_above = types[above] if repeat.parent else root_type
        table = RepeatTable(repeat.name, columns, attrgetter(type_above.places[below]), "/".join(below), repeat.path)
        tables[repeat.path] = table
        (tables[repeat.parent.path].inner if repeat.parent else layout.inner).append(table)
        layout.repeats.append(table)
    return layout


def add_rows(row: Any, key: str, tables: list[RepeatTable]) -> None:
    """The rows of these repeats below `row` are in their tables' `rows`, with PARENT_KEY and KEY last."""
    for table in tables:
        found = table.rows_of(row)
        if not found:
            continue
        cells, path, inner = table.columns.cells, f"{key}/{table.key}[", table.inner
        # Most rows of an export are made here.
        table.rows += [[*cells(one), key, f"{path}{number}]"] for number, one in enumerate(found, 1)]
        if inner:
            for number, one in enumerate(found, 1):
                add_rows(one, f"{path}{number}]", inner)


def add_lines(row: Any, key: str, tables: list[RepeatTable]) -> None:
    """The same rows as add_rows, in their tables' `waiting`: no row gets a list of its own, which halves an archive's time."""
    for table in tables:
        found = table.rows_of(row)
        if not found:
            continue
        rows, ends = table.waiting
        rows += found
        path, count = f"{key}/{table.key}[", len(found)
        numbers = _NUMBERS[:count] if count <= len(_NUMBERS) else [f"{number}]\n" for number in range(1, count + 1)]
        if _QUOTED(key):
            ends += [f",{_quoted(key)},{_quoted(path + number[:-1])}\n" for number in numbers]
        else:
            start = f",{key},{path}"
            ends += [start + number for number in numbers]
        if table.inner:
            for number, one in enumerate(found, 1):
                add_lines(one, f"{path}{number}]", table.inner)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _columns(group: Group, typed: RowType, source: Source, *, group_paths: bool, choices: Choices) -> Columns:
    header: list[str] = []
    fields: list[Field] = []
    paths: list[Path] = []
    fills: dict[int, Fill] = {}
    depth = len(group.path)
    for asked in _questions(group):
        below = asked.path[depth:]
        name = "-".join(below) if group_paths else asked.name
        titles, fill = _one_question(asked, name, hidden=asked.path in source.hidden, values=choices.get(asked.path))
        if fill is not None:
            fills[len(paths)] = fill
        header += titles
        fields += [asked] * len(titles)
        paths.append(below)
    return Columns(tuple(header), _compiled(typed.read_all(paths), fills, len(paths)), tuple(fields))


def _questions(group: Group) -> Iterable[Field]:
    for part in group.in_order:
        if isinstance(part, Group):
            yield from _questions(part)
        else:
            yield part


def _one_question(asked: Field, name: str, *, hidden: bool, values: tuple[str, ...] | None) -> tuple[list[str], Fill | None]:
    """Column titles, and what makes the cells where the bare answer is not the one."""
    if hidden:
        return [name], _masked_cell
    if asked.kind == "geopoint":
        return [f"{name}-{part}" for part in _POINT], _point_cells
    if asked.kind == "select" and values:
        return [name, *(f"{name}/{value}" for value in values)], _select_cells(values)
    return [name], None


def _masked_cell(value: Any) -> Iterable[Any]:
    return (None if value is None else masked(str(value)),)


def _point_cells(value: Any) -> Iterable[Any]:
    if value.__class__ is not str:
        return _NO_POINT
    parts = value.split()[:4]
    return parts if len(parts) == 4 else (*parts, *_NO_POINT[len(parts) :])


def _select_cells(values: tuple[str, ...]) -> Fill:
    def cells(value: Any) -> Iterable[Any]:
        chosen = set(value.split()) if isinstance(value, str) else ()
        return (value, *(1 if one in chosen else 0 for one in values))

    return cells


def _compiled(read: Read, fills: Mapping[int, Fill], count: int) -> Callable[[Any], Iterable[Any]]:
    """One function for the table: bare answers as they were read, in runs between those that make other cells."""
    if not fills:
        return read
    steps: list[tuple[int, int, Fill | None]] = []
    start = 0
    for number, fill in sorted(fills.items()):
        if number > start:
            steps.append((start, number, None))
        steps.append((number, number + 1, fill))
        start = number + 1
    if count > start:
        steps.append((start, count, None))

    def cells(row: Any) -> list[Any]:
        values = read(row)
        made: list[Any] = []
        for first, end, fill in steps:
            made += values[first:end] if fill is None else fill(values[first])
        return made

    return cells


class CsvLines:
    """Rows as lines of CSV. `for_spreadsheets`: text that a spreadsheet would run as a formula gets an apostrophe before it."""

    def __init__(self, *, for_spreadsheets: bool = False) -> None:
        self._lines: list[str] = []
        self.write = self._lines.append
        self._writer = csv.writer(self, lineterminator="\n")
        self._for_spreadsheets = for_spreadsheets

    def encode(self, rows: Iterable[list[Any]]) -> bytes:
        """The rows as UTF-8."""
        self._lines.clear()
        self._writer.writerows(([_harmless(cell) for cell in row] for row in rows) if self._for_spreadsheets else rows)
        return "".join(self._lines).encode("utf-8", "replace")

    def encode_waiting(self, table: RepeatTable) -> bytes:
        """The table's waiting rows as UTF-8; none waits any more."""
        rows, ends = table.waiting
        self._lines.clear()
        self._writer.writerows(map(table.columns.cells, rows))
        if len(table.columns.header) > 1:
            made = [line[:-1] for line in self._lines]
        else:
            # A line of one empty cell is written as "" and one of no cells as nothing: with keys behind it, it is neither.
            made = ["" if line == '""\n' else line[:-1] for line in self._lines]
            ends = ends if table.columns.header else [end[1:] for end in ends]
        both: list[str] = [""] * (2 * len(ends))
        both[::2], both[1::2] = made, ends
        rows.clear()
        table.waiting.ends.clear()
        return "".join(both).encode("utf-8", "replace")


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def _harmless(cell: Any) -> Any:
    return f"'{cell}" if cell.__class__ is str and cell.startswith(_FORMULA) else cell
