"""The child process of `reading`: a file's rows as gzipped JSON lines. It is meant to be killed at any time.

Arguments: the file, `xlsx` or `csv`, where to write, the sheet ("" for the first), seconds of CPU. Each line is [row number, cells,
{column: what it has instead of text}]. Says on stdout `{"sheets", "sheet", "header_row", "header", "rows", "samples"}` or `{"error", "detail"}`.
"""

from __future__ import annotations

import json
import resource
import sys
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import orjson
from isal import isal_zlib

from server.entities.imports.csv_rows import read_rows
from server.entities.imports.xlsx_rows import Row, Unreadable, Workbook

MOST_ROWS = 200_000
_MOST_MEMORY = 1_200_000_000
_MOST_WRITTEN = 500_000_000
_MOST_TEXT = 600_000_000
_HEADER_WITHIN = 10
_SAMPLES = 20
_SHOWN = 80
_FLUSH = 1024 * 1024


def _limit(seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MOST_WRITTEN, _MOST_WRITTEN))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _read(path: Path, kind: str, target: Path, sheet: str) -> dict[str, Any]:
    sheets: list[str] = []
    if kind == "xlsx":
        book = Workbook(path)
        sheets = list(book.sheets)[:100]
        sheet = sheet or next(iter(sheets), "")
        if sheet not in book.sheets:
            raise Unreadable("sheet", sheets)
        rows = book.rows(sheet)
    else:
        rows, sheet = read_rows(path), ""
    filled = (row for row in rows if row[2] or any(cell.strip() for cell in row[1]))
    before, header = _find_header(filled)
    count, samples = _write(filled, target, before)
    if not header:
        raise Unreadable("empty")
    return {"sheets": sheets, "sheet": sheet, "header_row": header[0], "header": header[1], "rows": count, "samples": samples}


def _find_header(rows: Iterator[Row]) -> tuple[list[Row], Row | None]:
    """The first row with two cells of text, within the first ten: a title above it is none of the data. What follows it, already read."""
    seen: list[Row] = []
    for row in rows:
        seen.append(row)
        if sum(1 for cell in row[1] if cell.strip()) > 1 or len(seen) == _HEADER_WITHIN:
            break
    at = next((index for index, row in enumerate(seen) if sum(1 for cell in row[1] if cell.strip()) > 1), 0)
    return seen[at + 1 :], seen[at] if seen else None


def _write(rows: Iterator[Row], target: Path, before: list[Row]) -> tuple[int, list[Any]]:
    count, written, samples, pieces, size = 0, 0, [], [], 0
    packer = isal_zlib.compressobj(1, zlib.DEFLATED, 31)
    with target.open("wb") as file:
        for number, cells, faults in chain(before, rows):
            count += 1
            if count > MOST_ROWS:
                raise Unreadable("rows", MOST_ROWS)
            told = [number, [cell.strip() for cell in cells], {str(at): fault for at, fault in faults.items()}]
            if len(samples) < _SAMPLES:
                samples.append([number, [cell[:_SHOWN] for cell in told[1]]])
            piece = orjson.dumps(told) + b"\n"
            pieces.append(piece)
            size += len(piece)
            if size > _FLUSH:
                written += size
                if written > _MOST_TEXT:
                    raise Unreadable("size")
                file.write(packer.compress(b"".join(pieces)))
                pieces, size = [], 0
        file.write(packer.compress(b"".join(pieces)) + packer.flush())
    return count, samples


def main() -> None:
    """Reads, writes, says what it found."""
    path, kind, target, sheet, seconds = sys.argv[1:6]
    _limit(int(seconds))
    try:
        answer = _read(Path(path), kind, Path(target), sheet)
    except Unreadable as error:
        answer = {"error": error.code, "detail": error.detail}
    except MemoryError:
        answer = {"error": "costly", "detail": None}
    # zipfile, zlib and lxml raise whatever they like on a damaged file.
    except Exception as error:
        answer = {"error": "damaged", "detail": type(error).__name__}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
