"""Columns of a form's tables in CSV, and compiled functions that fill them: exactly those of ODK Central."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from server.exports.sources import Source
from server.exports.tables import Group, Path, Repeat, group_of, repeats_in_order, table_tree
from server.forms.fields import Field
from server.submissions.queries import masked

Answers = dict[str, Any]
Cells = Callable[[Answers], Iterable[Any]]
# Path of a select-multiple question -> the values that were chosen somewhere, in order.
Choices = Mapping[Path, tuple[str, ...]]

ROOT_TAIL = (
    "KEY", "SubmitterID", "SubmitterName", "AttachmentsPresent", "AttachmentsExpected", "Status", "ReviewState", "DeviceID", "Edits", "FormVersion",
)  # fmt: skip
_POINT = ("Latitude", "Longitude", "Altitude", "Accuracy")
_NO_POINT = (None, None, None, None)


@dataclass(frozen=True, slots=True)
class Columns:
    """A table's own columns: `header`, and what fills them from a row's answers. `fields`: the question of each column.

    `names`: the answers' names, where they are all bare and directly in the row.
    """

    header: tuple[str, ...]
    cells: Callable[[Answers], list[Any]]
    fields: tuple[Field, ...]
    names: tuple[str, ...] | None


@dataclass(slots=True)
class RepeatTable:
    """A repeat's table and those inside it. `group` leads from the row above to the repeat; `key` is its path there."""

    name: str
    columns: Columns
    group: Path
    key: str
    path: Path
    inner: list[RepeatTable] = field(default_factory=list)
    rows: list[list[Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Layout:
    """All tables of a form: the submissions', those of repeats directly below (`inner`), and all repeats in order (`repeats`)."""

    root: Columns
    inner: list[RepeatTable]
    repeats: list[RepeatTable]


def lay_out(source: Source, *, group_paths: bool = True, choices: Choices | None = None) -> Layout:
    """The tables of a source's form. `group_paths`: columns are named by their groups too. `choices`: split these questions."""
    root = table_tree(source.fields)
    tables: dict[Path, RepeatTable] = {}
    layout = Layout(_columns(root, source, group_paths=group_paths, choices=choices or {}), [], [])
    for repeat in repeats_in_order(source.fields, root):
        above = repeat.parent.path if repeat.parent else ()
        below = repeat.path[len(above) :]
        columns = _columns(repeat.row, source, group_paths=group_paths, choices=choices or {})
        table = RepeatTable(repeat.name, columns, below[:-1], "/".join(below), repeat.path)
        tables[repeat.path] = table
        (tables[repeat.parent.path].inner if repeat.parent else layout.inner).append(table)
        layout.repeats.append(table)
    return layout


def add_rows(answers: Answers, key: str, tables: list[RepeatTable]) -> None:
    """The rows of these repeats below `answers` are in their tables' `rows`, with PARENT_KEY and KEY last."""
    for table in tables:
        group = group_of(answers, table.group) if table.group else answers
        found = group.get(table.path[-1]) if group is not None else None
        if found.__class__ is not list:
            continue
        names, cells, path, inner = table.columns.names, table.columns.cells, f"{key}/{table.key}[", table.inner
        # Most rows of an export are made here.
        if names is not None:
            table.rows += [[*map(row.get, names), key, f"{path}{number}]"] for number, row in enumerate(found, 1)]
        else:
            table.rows += [[*cells(row), key, f"{path}{number}]"] for number, row in enumerate(found, 1)]
        if inner:
            for number, row in enumerate(found, 1):
                add_rows(row, f"{path}{number}]", inner)


def _columns(group: Group, source: Source, *, group_paths: bool, choices: Choices) -> Columns:
    header: list[str] = []
    runs: list[tuple[Path, list[str] | Cells]] = []
    fields: list[Field] = []
    depth = len(group.path)
    for asked in _questions(group):
        below = asked.path[depth:]
        name = "-".join(below) if group_paths else asked.name
        titles, cells = _one_question(asked, name, hidden=asked.path in source.hidden, values=choices.get(asked.path))
        header += titles
        fields += [asked] * len(titles)
        if cells is not None:
            runs.append((below[:-1], cells))
        elif runs and runs[-1][0] == below[:-1] and isinstance(runs[-1][1], list):
            runs[-1][1].append(asked.name)
        else:
            runs.append((below[:-1], [asked.name]))
    bare = runs[0][1] if len(runs) == 1 and runs[0][0] == () else None
    names = tuple(bare) if isinstance(bare, list) else None
    return Columns(tuple(header), _compiled(runs, [_width(run) for run in runs], names), tuple(fields), names)


def _questions(group: Group) -> Iterable[Field]:
    for part in group.in_order:
        if isinstance(part, Group):
            yield from _questions(part)
        else:
            yield part


def _one_question(asked: Field, name: str, *, hidden: bool, values: tuple[str, ...] | None) -> tuple[list[str], Cells | None]:
    """Column titles, and what fills them where the bare answer does not."""
    if hidden:
        return [name], _masking(asked.name)
    if asked.kind == "geopoint":
        return [f"{name}-{part}" for part in _POINT], _splitting_point(asked.name)
    if asked.kind == "select" and values:
        return [name, *(f"{name}/{value}" for value in values)], _splitting_select(asked.name, values)
    return [name], None


def _masking(name: str) -> Cells:
    def cells(group: Answers) -> Iterable[Any]:
        value = group.get(name)
        return (None if value is None else masked(str(value)),)

    cells.width = 1  # type: ignore[attr-defined]
    return cells


def _splitting_point(name: str) -> Cells:
    def cells(group: Answers) -> Iterable[Any]:
        value = group.get(name)
        if value.__class__ is not str:
            return _NO_POINT
        parts = value.split()[:4]  # type: ignore[union-attr]
        return parts if len(parts) == 4 else (*parts, *_NO_POINT[len(parts) :])

    cells.width = 4  # type: ignore[attr-defined]
    return cells


def _splitting_select(name: str, values: tuple[str, ...]) -> Cells:
    def cells(group: Answers) -> Iterable[Any]:
        value = group.get(name)
        chosen = set(value.split()) if isinstance(value, str) else ()
        return (value, *(1 if one in chosen else 0 for one in values))

    cells.width = 1 + len(values)  # type: ignore[attr-defined]
    cells.blank = (None, *(0 for _ in values))  # type: ignore[attr-defined]
    return cells


def _width(run: tuple[Path, list[str] | Cells]) -> int:
    return len(run[1]) if isinstance(run[1], list) else run[1].width  # type: ignore[attr-defined,no-any-return]


def _compiled(runs: list[tuple[Path, list[str] | Cells]], widths: list[int], names: tuple[str, ...] | None) -> Callable[[Answers], list[Any]]:
    """One function for the table: most tables are one run of bare answers, which is a single `map`."""
    if names is not None:
        return lambda answers: [*map(answers.get, names)]
    steps = [
        (path, tuple(run) if isinstance(run, list) else None, None if isinstance(run, list) else run, getattr(run, "blank", (None,) * width))
        for (path, run), width in zip(runs, widths, strict=True)
    ]

    def cells(answers: Answers) -> list[Any]:
        made: list[Any] = []
        for path, bare, fill, blank in steps:
            group = answers
            if path:
                found = answers.get(path[0]) if len(path) == 1 else group_of(answers, path)
                if found.__class__ is not dict:
                    made += blank
                    continue
                group = found  # type: ignore[assignment]
            made += map(group.get, bare) if bare is not None else fill(group)  # type: ignore[misc]
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


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def _harmless(cell: Any) -> Any:
    return f"'{cell}" if cell.__class__ is str and cell.startswith(_FORMULA) else cell


def parent_of(repeat: Repeat) -> Path:
    """Path of the table that a repeat's rows belong to."""
    return repeat.parent.path if repeat.parent else ()
