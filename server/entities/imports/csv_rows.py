"""The rows of a .csv, streamed: UTF-8 with or without a byte-order mark, UTF-16 with one, GB18030. For the child process alone."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from pathlib import Path

from server.entities.imports.xlsx_rows import MOST_COLUMNS, Row, Unreadable

_CHUNK = 1024 * 1024
_DELIMITERS = ",\t;，"
_MOST_CELL = 131_072


def find_encoding(path: Path) -> str:
    """The first that the whole file is. Raises: Unreadable."""
    with path.open("rb") as file:
        head = file.read(4)
    if head.startswith(codecs.BOM_UTF8):
        candidates = ["utf-8-sig"]
    elif head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        candidates = ["utf-16"]
    else:
        candidates = ["utf-8", "gb18030"]
    for name in candidates:
        if _decodes(path, name):
            return name
    raise Unreadable("encoding")


def _decodes(path: Path, name: str) -> bool:
    decoder = codecs.getincrementaldecoder(name)()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                # No text has a NUL, and PostgreSQL stores none.
                if "\0" in decoder.decode(chunk):
                    return False
        decoder.decode(b"", final=True)
    except UnicodeError:
        return False
    return True


def read_rows(path: Path) -> Iterator[Row]:
    """Rows by their number as a spreadsheet program shows them. Raises: Unreadable."""
    csv.field_size_limit(_MOST_CELL)
    with path.open(encoding=find_encoding(path), newline="") as file:
        first = file.readline(_MOST_CELL * 2)
        file.seek(0)
        delimiter = max(_DELIMITERS, key=lambda one: _outside_quotes(first).count(one))
        reader, number = csv.reader(file, delimiter=delimiter, strict=True), 0
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise Unreadable("csv", [number + 1, str(error)[:100]]) from None
            number += 1
            while cells and not cells[-1].strip():
                cells.pop()
            if len(cells) > MOST_COLUMNS:
                raise Unreadable("columns", number)
            yield number, cells, {}


def _outside_quotes(line: str) -> str:
    return "".join(line.split('"')[::2])
