"""The rows of a sheet of an .xlsx, streamed. For the child process alone (read_worker.py): what is hostile costs that process, not the server.

Cells are text as a person sees them: dates in ISO, whole numbers without `.0`. What has no text is told: a formula that was never
calculated, an error (#N/A). (ECMA-376 part 1: 18.3 worksheets, 18.4 shared strings, 18.8.30 number formats.)
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

from lxml import etree

Row = tuple[int, list[str], dict[int, str]]
MOST_COLUMNS = 200
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_STRICT = "{http://purl.oclc.org/ooxml/spreadsheetml/main}"
_REL = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_STRICT_REL = "{http://purl.oclc.org/ooxml/officeDocument/relationships}id"
# Built-in formats that are dates; 27-36 and 50-58 are those of Chinese and Japanese versions.
_DATE_FORMATS = {*range(14, 23), *range(27, 37), 45, 46, 47, *range(50, 59)}
_NOT_CODE = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]')
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_REFERENCE = re.compile(r"([A-Z]{1,4})\d*", re.ASCII)
_EPOCHS = {False: datetime(1899, 12, 30), True: datetime(1904, 1, 1)}  # noqa: DTZ001 - Excel's days have no zone


class Unreadable(Exception):
    """Told as (code, detail) to the server: see reading.py."""

    def __init__(self, code: str, detail: Any = None) -> None:
        super().__init__(code)
        self.code, self.detail = code, detail


class Workbook:
    """An .xlsx that the server found safe to unpack."""

    def __init__(self, path: Path) -> None:
        self._archive = zipfile.ZipFile(path)
        names = {name.lstrip("/"): name for name in self._archive.namelist()}
        self._names = names
        root = self._parse("xl/workbook.xml")
        relations = {one.get("Id"): one.get("Target", "") for one in self._parse("xl/_rels/workbook.xml.rels")}
        self.sheets: dict[str, str] = {}
        self._is_1904 = any(_local(one) == "workbookPr" and one.get("date1904") in {"1", "true"} for one in root)
        for sheet in root.iter(f"{_MAIN}sheet", f"{_STRICT}sheet"):
            target = relations.get(sheet.get(_REL) or sheet.get(_STRICT_REL) or "", "")
            path_in = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
            if path_in in names and "chartsheet" not in path_in and sheet.get("state", "visible") == "visible":
                self.sheets[sheet.get("name", "")[:255]] = path_in
        self._dates = self._date_styles() if "xl/styles.xml" in names else set()
        self._shared = self._shared_strings() if "xl/sharedStrings.xml" in names else []

    def _open(self, name: str) -> IO[bytes]:
        return self._archive.open(self._names[name])

    def _parse(self, name: str) -> Any:
        if name not in self._names:
            raise Unreadable("damaged")
        with self._open(name) as file:
            parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
            return etree.parse(file, parser).getroot()

    def _date_styles(self) -> set[str]:
        root = self._parse("xl/styles.xml")
        dates = {str(number) for number in _DATE_FORMATS}
        for one in root.iter("{*}numFmt"):
            code = _NOT_CODE.sub("", one.get("formatCode", "")).split(";")[0].lower()
            if any(letter in code for letter in "ydhs") or ("m" in code and "general" not in code):
                dates.add(one.get("numFmtId", ""))
        cells = next(root.iter("{*}cellXfs"), None)
        found = set() if cells is None else {str(index) for index, one in enumerate(cells) if one.get("numFmtId") in dates}
        return found  # noqa: RET504 - what it is deserves a name

    def _shared_strings(self) -> list[str]:
        strings: list[str] = []
        with self._open("xl/sharedStrings.xml") as file:
            for _event, item in etree.iterparse(file, tag=("{*}si",), resolve_entities=False, no_network=True, load_dtd=False):
                strings.append(_text_of(item))
                _forget(item)
        return strings

    def rows(self, sheet: str) -> Iterator[Row]:
        """Row number as Excel shows it, cells from column A on, and by column what has no text. Raises: Unreadable."""
        number = 0
        with self._open(self.sheets[sheet]) as file:
            for _event, row in etree.iterparse(file, tag=("{*}row",), resolve_entities=False, no_network=True, load_dtd=False):
                told = row.get("r")
                number = int(told) if told and told.isdigit() and len(told) < 9 else number + 1
                yield self._row(number, row)
                _forget(row)

    def _row(self, number: int, row: Any) -> Row:
        cells: list[str] = []
        faults: dict[int, str] = {}
        at = -1
        for cell in row:
            if _local(cell) != "c":
                continue
            found = _REFERENCE.match(cell.get("r") or "")
            at = _column(found[1]) if found else at + 1
            text, fault = self._cell(cell)
            if not text and not fault:
                continue
            if at >= MOST_COLUMNS:
                raise Unreadable("columns", number)
            cells.extend([""] * (at + 1 - len(cells)))
            cells[at] = text
            if fault:
                faults[at] = fault
        return number, cells, faults

    def _cell(self, cell: Any) -> tuple[str, str | None]:
        kind, value, has_formula = cell.get("t", "n"), None, False
        for part in cell:
            name = _local(part)
            if name == "v":
                value = part.text or ""
            elif name == "is":
                return _text_of(part), None
            elif name == "f":
                has_formula = True
        if value is None:
            return "", "formula" if has_formula else None
        if kind == "s":
            return (self._shared[int(value)] if value.isdigit() and int(value) < len(self._shared) else ""), None
        if kind == "e":
            return "", "error"
        if kind == "b":
            return ("TRUE" if value == "1" else "FALSE"), None
        if kind in {"str", "d"}:
            return _unescaped(value), None
        return self._number(value, is_date=cell.get("s") in self._dates), None

    def _number(self, text: str, *, is_date: bool) -> str:
        try:
            number = float(text)
        except ValueError:
            return text
        if is_date and 0 <= number < 2_958_466:
            return _date_text(number, _EPOCHS[self._is_1904])
        if text.lstrip("-").isdigit():
            return text
        if number != number or abs(number) >= 1e300:  # noqa: PLR0124 - NaN
            return text
        return str(int(number)) if number.is_integer() else f"{number:.15g}"


def _date_text(days: float, epoch: datetime) -> str:
    at = epoch + timedelta(seconds=round(days * 86400))
    if days < 1:
        return at.strftime("%H:%M:%S")
    return at.strftime("%Y-%m-%d") if at.hour == at.minute == at.second == 0 else at.strftime("%Y-%m-%dT%H:%M:%S")


def _text_of(item: Any) -> str:
    """A string's text without its phonetic readings."""
    parts = []
    for child in item:
        name = _local(child)
        if name == "t":
            parts.append(child.text or "")
        elif name == "r":
            parts += [one.text or "" for one in child if _local(one) == "t"]
    return _unescaped("".join(parts))


def _unescaped(text: str) -> str:
    """`_x000D_` is a carriage return; half a surrogate pair stays as it is written."""
    if "_x" not in text:
        return text
    return _ESCAPED.sub(lambda found: found[0] if 0xD800 <= (code := int(found[1], 16)) < 0xE000 else chr(code), text)


def _column(letters: str) -> int:
    index = 0
    for letter in letters:
        index = index * 26 + ord(letter) - 64
    return index - 1


def _local(element: Any) -> str:
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _forget(element: Any) -> None:
    """What was read is let go: the tree never grows."""
    element.clear()
    while element.getprevious() is not None:
        del element.getparent()[0]
