"""submissions.xlsx: a sheet of the submissions and one of each repeat, questions and choices under their labels in one language.

Written while it is sent (Office Open XML, ECMA-376 part 1, with the text inside the cells): no library writes one without
holding it whole or waiting for its end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from sqlalchemy import Engine

from server.column_letters import column_letter
from server.exports.csv_files import CsvExport
from server.exports.csv_tables import ROOT_TAIL, Columns, RepeatTable, add_rows, lay_out
from server.exports.encrypted_rows import EncryptedRows
from server.exports.rows import attachment_counts, read_rows, version_names
from server.exports.zip_stream import Spooled, ZipStream
from server.forms.fields import Field
from server.storage import Storage
from server.submissions.queries import label_in
from server.transactions import transaction

MOST_ROWS = 1_048_576
_MOST_CHARACTERS = 32_767
# A spreadsheet cuts the digits of a longer number: it stays text.
_MOST_DIGITS = 17
_ODD = re.compile(r"[&<>\x00-\x1f\ufffe\uffff]|^\s|\s$")
_ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_NOT_IN_SHEET_NAMES = re.compile(r"[\[\]:*?/\\\x00-\x1f]")
_DAY_ZERO = date(1899, 12, 30)
_NS = "http://schemas.openxmlformats.org"
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_SHEET_START = f'{_XML}<worksheet xmlns="{_NS}/spreadsheetml/2006/main"><sheetData>'
_SHEET_END = "</sheetData></worksheet>"
_STYLES = (
    f'{_XML}<styleSheet xmlns="{_NS}/spreadsheetml/2006/main"><fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts><fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs><cellXfs count="3">'
    '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/><xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>'
    '<xf numFmtId="14" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)
_RELS = (
    f'{_XML}<Relationships xmlns="{_NS}/package/2006/relationships"><Relationship Id="rId1" Type="{_NS}/officeDocument/2006/relationships/officeDocument"'
    ' Target="xl/workbook.xml"/></Relationships>'
)
Show = Callable[[Any], Any]


def _text(value: str) -> str:
    return escape(_ILLEGAL.sub("", value)[:_MOST_CHARACTERS])


@dataclass(slots=True)
class Sheet:
    """A sheet's rows as XML. `shows`: what changes a column's values, by column."""

    name: str
    letters: tuple[str, ...]
    shows: tuple[tuple[int, Show], ...] = ()
    count: int = 0

    def header(self, titles: Sequence[str]) -> bytes:
        """The start of the sheet with its bold first row."""
        self.count = 1
        cells = "".join(
            f'<c r="{letters}1" s="1" t="inlineStr"><is><t xml:space="preserve">{_text(title)}</t></is></c>' for letters, title in zip(self.letters, titles, strict=True)
        )
        return f'{_SHEET_START}<row r="1">{cells}</row>'.encode()

    def rows(self, rows: Iterable[list[Any]]) -> bytes:
        """More rows."""
        made: list[str] = []
        add, letters, odd = made.append, self.letters, _ODD.search
        number = self.count
        for row in rows:
            number += 1
            for column, show in self.shows:
                if row[column] is not None:
                    row[column] = show(row[column])
            add(f'<row r="{number}">')
            for column, value in zip(letters, row, strict=False):
                kind = value.__class__
                if value is None:
                    continue
                if kind is int or kind is float:
                    add(f'<c r="{column}{number}"><v>{value}</v></c>')
                elif kind is str:
                    if len(value) > _MOST_CHARACTERS or odd(value):
                        add(f'<c r="{column}{number}" t="inlineStr"><is><t xml:space="preserve">{_text(value)}</t></is></c>')
                    else:
                        add(f'<c r="{column}{number}" t="inlineStr"><is><t>{value}</t></is></c>')
                elif kind is date:
                    add(f'<c r="{column}{number}" s="2"><v>{(value - _DAY_ZERO).days}</v></c>')
            add("</row>")
        self.count = number
        return "".join(made).encode("utf-8", "replace")


@dataclass(slots=True)
class _RepeatSheets:
    """A repeat's sheets: a new one is begun where one is full."""

    sheet: Sheet
    titles: list[str]
    table: RepeatTable
    files: list[Spooled] = field(default_factory=list)

    def take(self) -> None:
        """The table's waiting rows are in the sheets."""
        rows = self.table.rows
        while rows:
            if not self.files or self.sheet.count >= MOST_ROWS:
                self._begin()
            room = MOST_ROWS - self.sheet.count
            self.files[-1].write(self.sheet.rows(rows[:room]))
            del rows[:room]

    def _begin(self) -> None:
        if self.files:
            self.files[-1].write(_SHEET_END.encode())
        self.files.append(Spooled(""))
        self.files[-1].write(self.sheet.header(self.titles))

    def end(self) -> None:
        """Every sheet is whole, and there is at least one."""
        if not self.files:
            self._begin()
        self.files[-1].write(_SHEET_END.encode())


def xlsx_pieces(export: CsvExport, engine: Engine, storage: Storage, *, language: str) -> Iterator[bytes]:
    """The workbook in pieces, its rows from one read transaction. `language`: zh, en, or a language as the form names it."""
    archive, repeats = ZipStream(), []
    layout = lay_out(export.source)
    try:
        with transaction(engine) as session:
            repeats = [_sheets_of(table, export, language) for table in layout.repeats]
            versions = version_names(session, export.source)
            encrypted = EncryptedRows(session, export.source, storage, export.decryptor)
            titles = ["SubmissionDate", *_titles(layout.root, language), *ROOT_TAIL]
            letters = tuple(column_letter(n + 1) for n in range(len(titles)))
            root = Sheet("Submissions", letters, _shows(layout.root, export, language, before=1))

            def root_sheet() -> Iterator[bytes]:
                yield root.header(titles)
                for chunk in read_rows(session, export.source, export.selection, as_text=True):
                    rows = []
                    for row in chunk:
                        present, expected = attachment_counts(row)
                        answers, status = (row.answers, None) if row.xml is None else encrypted.read(row)
                        tail = (row.instance_id, row.submitter_id, row.submitter, present, expected, status, row.review_state, row.device_id, row.edits,
                                versions.get(row.form_version))  # fmt: skip
                        typed = layout.reader.read(answers or {})
                        rows.append([row.received_at, *layout.root.cells(typed), *tail])
                        add_rows(typed, row.instance_id, layout.inner)
                    yield root.rows(rows[: MOST_ROWS - root.count])
                    for one in repeats:
                        one.take()
                yield _SHEET_END.encode()

            yield from archive.add("xl/worksheets/sheet1.xml", root_sheet())
            names = [root.name]
            for one in repeats:
                one.end()
                for number, file in enumerate(one.files):
                    names.append(_sheet_name(one.sheet.name, number, names))
                    file.name = f"xl/worksheets/sheet{len(names)}.xml"
                    yield from archive.add_spooled(file)
            for name, content in _parts(names):
                yield from archive.add(name, [content.encode("utf-8", "replace")])
        yield archive.end()
    finally:
        for one in repeats:
            for file in one.files:
                file.close()


def _sheets_of(table: RepeatTable, export: CsvExport, language: str) -> _RepeatSheets:
    titles = [*_titles(table.columns, language), "PARENT_KEY", "KEY"]
    letters = tuple(column_letter(n + 1) for n in range(len(titles)))
    return _RepeatSheets(Sheet(table.name, letters, _shows(table.columns, export, language, before=0)), titles, table)


def _titles(columns: Columns, language: str) -> list[str]:
    """Labels; the name beside a label that an earlier column has, and where there is none."""
    titles: list[str] = []
    for name, asked in zip(columns.header, columns.fields, strict=True):
        label = _label(asked, language)
        part = name.rpartition("-")[2] if asked.kind == "geopoint" and name.count("-") else ""
        title = f"{label} {part}".strip() if label else name
        titles.append(title if title not in titles else f"{title} ({name})")
    return titles


def _label(asked: Field, language: str) -> str | None:
    return asked.labels.get(language) or label_in(asked.labels, language)


def _shows(columns: Columns, export: CsvExport, language: str, *, before: int) -> tuple[tuple[int, Show], ...]:
    choices = export.source.definition.choices or {}
    found: list[tuple[int, Show]] = []
    for number, asked in enumerate(columns.fields):
        if asked.path in export.source.hidden:
            continue
        if asked.kind in {"select", "select1"} and asked.choice_list in choices:
            labels = {value: names.get(language) or label_in(names, language) or value for value, names in choices[asked.choice_list].items()}
            found.append((number + before, _choosing(labels, "、" if language.startswith("zh") else ", ", is_many=asked.kind == "select")))
        elif asked.kind == "date":
            found.append((number + before, _as_date))
        elif asked.kind in {"geopoint", "decimal"}:
            found.append((number + before, _as_number))
    return tuple(found)


def _choosing(labels: dict[str, str], between: str, *, is_many: bool) -> Show:
    if is_many:
        return lambda value: between.join(labels.get(one, one) for one in str(value).split())
    return lambda value: labels.get(str(value), value)


def _as_date(value: Any) -> Any:
    try:
        found = date.fromisoformat(str(value)[:10])
    except ValueError:
        return value
    # Spreadsheets count wrongly before March 1900.
    return found if found.year >= 1901 else value


def _as_number(value: Any) -> Any:
    if value.__class__ is not str or len(value) > _MOST_DIGITS:
        return value
    try:
        number = float(value)
    except (ValueError, TypeError):
        return value
    return number if abs(number) < 1e300 else value


def _sheet_name(name: str, number: int, taken: Sequence[str]) -> str:
    """At most 31 characters, told apart without regard to case."""
    known = {one.lower() for one in taken}
    base = _NOT_IN_SHEET_NAMES.sub("_", name).strip("'") or "repeat"
    count = number + 1
    while True:
        ending = f" ({count})" if count > 1 else ""
        found = base[: 31 - len(ending)] + ending
        if found.lower() not in known:
            return found
        count += 1


def _parts(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    sheets = "".join(f'<sheet name={quoteattr(name)} sheetId="{n}" r:id="rId{n}"/>' for n, name in enumerate(names, 1))
    links = "".join(
        f'<Relationship Id="rId{n}" Type="{_NS}/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in range(1, len(names) + 1)
    )
    kinds = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
        for n in range(1, len(names) + 1)
    )
    main = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    yield "xl/workbook.xml", (
        f'{_XML}<workbook xmlns="{_NS}/spreadsheetml/2006/main" xmlns:r="{_NS}/officeDocument/2006/relationships"><sheets>{sheets}</sheets></workbook>'
    )
    yield "xl/_rels/workbook.xml.rels", (
        f'{_XML}<Relationships xmlns="{_NS}/package/2006/relationships">{links}<Relationship Id="rId{len(names) + 1}"'
        f' Type="{_NS}/officeDocument/2006/relationships/styles" Target="styles.xml"/></Relationships>'
    )
    yield "xl/styles.xml", _STYLES
    yield "_rels/.rels", _RELS
    yield "[Content_Types].xml", (
        f'{_XML}<Types xmlns="{_NS}/package/2006/content-types"><Default Extension="rels"'
        ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{main}.sheet.main+xml"/>{kinds}'
        f'<Override PartName="/xl/styles.xml" ContentType="{main}.styles+xml"/></Types>'
    )
