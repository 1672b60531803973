"""The dry run: each row is read as it would be imported. What is right becomes a plan, what is wrong is told by row and column."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Engine, select
from sqlalchemy.orm import Session

from server.access.actor import division_end
from server.access.sealed import is_sealed_name, sealer_of
from server.entities.imports import values
from server.entities.imports.divisions import find_division
from server.entities.imports.mapping import ID, ImportSettings, label_parts
from server.entities.imports.property_kinds import property_kinds
from server.entities.imports.reading import LineWriter, keep_lines, read_lines
from server.entities.imports.values import Fault, Reader
from server.entities.lists import list_properties
from server.entities.scope import is_scoped, property_text
from server.entities.sent import normal_uuid
from server.model import Entity, EntityImport, EntityList
from server.problems import Problem
from server.storage import Blob, Storage
from server.transactions import transaction

MOST_ERRORS = 1000
_PROGRESS_EVERY = 5000
# A row that is right: [row number, the entity's row key or 0, label or null, values, division or null, key value or ""].
PlanLine = list[Any]


@dataclass(slots=True)
class Report:
    """What is wrong: the first thousand as {row, column, zh, en}, and the count of all."""

    errors: list[dict[str, Any]] = field(default_factory=list)
    total: int = 0

    def add(self, row: int, column: str, fault: Fault) -> None:
        """One more."""
        self.total += 1
        if self.total <= MOST_ERRORS:
            self.errors.append({"row": row, "column": column, "zh": fault.zh, "en": fault.en})


@dataclass(frozen=True, slots=True)
class Checked:
    """How a check ended, and its plan."""

    plan: Blob
    good: int
    bad: int
    report: Report


@dataclass(slots=True)
class _Check:
    settings: ImportSettings
    columns: list[str]
    readers: list[tuple[int, str, Reader | None]]
    label: list[str | int]
    own_division: str
    scoped: bool
    matches: dict[str, list[tuple[int, str]]]
    times: Counter[str]
    seal: Callable[[str], str]


def key_text(dialect: str, key: str) -> ColumnElement[Any]:
    """The SQL text that a row's key is compared with."""
    return Entity.__table__.c.uuid if key == ID else property_text(dialect, key)


def check_rows(engine: Engine, storage: Storage, found: EntityImport, progress: Callable[[int], None] = lambda _n: None) -> Checked:
    """The whole file, in constant memory but for its keys; nothing is written to the list. Raises: not_found, busy."""
    check = _prepare(engine, storage, found)
    report, good, bad = Report(), 0, 0
    with tempfile.TemporaryDirectory(prefix="import-") as folder:
        path = Path(folder) / "plan"
        with LineWriter(path) as plan:
            for count, line in enumerate(read_lines(storage, found.rows_sha256 or ""), start=1):
                before = report.total
                planned = _row(check, line, report)
                if report.total == before and planned is not None:
                    plan.write(planned)
                    good += 1
                else:
                    bad += 1
                if count % _PROGRESS_EVERY == 0:
                    progress(count)
        return Checked(keep_lines(storage, path), good, bad, report)


def _prepare(engine: Engine, storage: Storage, found: EntityImport) -> _Check:
    settings = ImportSettings.from_json(found.settings)
    with transaction(engine) as session:
        entity_list = session.get_one(EntityList, found.list_id)
        kinds = property_kinds(session, entity_list, list_properties(session, entity_list))
        scoped = is_scoped(session, entity_list)
    readers = [(number, name, values.reader_of(name, kinds[name]) if name in kinds else None) for number, name in sorted(settings.columns.items())]
    seal = sealer_of(engine.dialect).seal
    check = _Check(settings, found.columns, readers, label_parts(settings, found.columns), found.division, scoped, {}, Counter(), seal)
    if settings.key is not None:
        check.times = Counter(_keys(check, read_lines(storage, found.rows_sha256 or "")))
        with transaction(engine) as session:
            check.matches = _matches(session, found, settings.key, check.times)
    return check


def _keys(check: _Check, lines: Iterator[Any]) -> Iterator[str]:
    column, reader = next((number, reader) for number, name, reader in check.readers if name == check.settings.key)
    for _row_number, cells, _faults in lines:
        if column < len(cells) and cells[column] and values.text_fault(cells[column]) is None:
            key = _key_of(cells[column], check.settings.key, reader)
            yield check.seal(key) if is_sealed_name(check.settings.key or "") else key


def _key_of(text: str, key: str | None, reader: Reader | None) -> str:
    if key == ID:
        return text.lower().removeprefix("uuid:")
    read = _read_division(text) if key == "division" else reader(text) if reader else text
    return text if isinstance(read, Fault) else read


def _matches(session: Session, found: EntityImport, key: str, wanted: Counter[str]) -> dict[str, list[tuple[int, str]]]:
    """Entities by key, of those keys alone that the file has; only those that whoever imports may see: others do not exist for them."""
    table: Any = Entity.__table__.c
    text = key_text(session.get_bind().dialect.name, key)
    statement = select(text, table.id, table.division).where(table.list_id == found.list_id, table.deleted_at.is_(None))
    if found.division:
        statement = statement.where(table.division >= found.division, table.division < division_end(found.division))
    matches: dict[str, list[tuple[int, str]]] = {}
    for value, entity_id, division in session.connection().execute(statement, execution_options={"yield_per": 2000}):
        if value in wanted:
            matches.setdefault(value, []).append((entity_id, division))
    return matches


def _row(check: _Check, line: Any, report: Report) -> PlanLine | None:
    """The row's part of the plan; None, or errors in the report, where it is wrong."""
    number, cells, faults = line
    data: dict[str, str] = {}
    unread: set[str] = set()
    for column, name, reader in check.readers:
        if str(column) in faults:
            unread.add(name)
            report.add(number, check.columns[column], values.FORMULA if faults[str(column)] == "formula" else values.ERROR)
            continue
        text = cells[column] if column < len(cells) else ""
        if not text:
            continue
        read = _value(check, name, text, reader)
        if isinstance(read, Fault):
            unread.add(name)
            report.add(number, check.columns[column], read)
        else:
            data[name] = read
    label = _label(check, number, cells, faults, report)
    entity_id, key = _match(check, number, data, unread, report)
    if label is None and not entity_id:
        report.add(number, _label_column(check), values.LABEL_MISSING)
    return [number, entity_id, label, data, data.get("division") if check.scoped else None, key]


def _value(check: _Check, name: str, text: str, reader: Reader | None) -> str | Fault:
    fault = values.text_fault(text)
    if fault is not None:
        return fault
    if name == ID:
        try:
            return normal_uuid(text, ID)
        except Problem:
            return Fault("不是有效的编号（UUID）。", "It is no valid id (UUID).")
    if name == "division":
        return _division(check, text)
    read = reader(text) if reader else text
    return check.seal(read) if isinstance(read, str) and is_sealed_name(name) else read


def _read_division(text: str) -> str | Fault:
    return find_division(text) or Fault(
        "不是本服务器的行政区划：应为 12 位代码，或唯一的乡镇、村名称。",
        "It is no division of this server: write its 12 digits, or the name of a township or village that is one place's alone.",
    )


def _division(check: _Check, text: str) -> str | Fault:
    read = _read_division(text)
    if isinstance(read, str) and check.scoped and not read.startswith(check.own_division):
        return Fault("不在您负责的行政区划内。", "It lies outside your division.")
    return read


def _label_column(check: _Check) -> str:
    return check.columns[check.settings.label] if isinstance(check.settings.label, int) else ""


def _label(check: _Check, number: int, cells: list[str], faults: dict[str, str], report: Report) -> str | None:
    """The row's label; None where all of its columns are empty."""
    numbers = [part for part in check.label if isinstance(part, int)]
    mapped = {column for column, _name, _reader in check.readers}
    for column in numbers:
        if str(column) in faults and column not in mapped:
            report.add(number, check.columns[column], values.FORMULA if faults[str(column)] == "formula" else values.ERROR)
    if not any(column < len(cells) and cells[column] for column in numbers):
        return None
    parts = [(cells[part] if part < len(cells) else "") if isinstance(part, int) else part for part in check.label]
    label = " ".join("".join(parts).split("\n")).strip()
    fault = values.LABEL_TOO_LONG if len(label) > values.MOST_LABEL else values.text_fault(label)
    if fault is not None:
        report.add(number, _label_column(check), fault)
    return label


def _match(check: _Check, number: int, data: dict[str, str], unread: set[str], report: Report) -> tuple[int, str]:
    """The entity that the row is about (0: a new one), and the key. `unread`: of which properties an error is told already."""
    key, uuid = check.settings.key, data.pop(ID, "")
    if key is None:
        return 0, ""
    column = next(check.columns[at] for at, name, _reader in check.readers if name == key)
    value = uuid if key == ID else data.get(key, "")
    if not value:
        if key != ID and key not in unread:
            report.add(number, column, Fault("没有用来匹配的值。", "The value to match by is missing."))
        return 0, ""
    if check.times[value] > 1:
        report.add(number, column, Fault("文件中有几行是同一个值。", "Several rows of the file have this value."))
    found = check.matches.get(value, [])
    if len(found) > 1:
        report.add(number, column, Fault(f"登记表中有 {len(found)} 个条目是这个值，无法确定是哪一个。", f"{len(found)} entities of the list have this value."))
    if not found and key == ID:
        report.add(number, column, Fault("登记表中没有这个编号。新条目请留空。", "The list has no entity of this id. Leave it empty for a new one."))
    return (found[0][0] if found else 0), value
