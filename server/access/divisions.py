"""Administrative divisions (行政区划): the file a county brings, checked."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from server import problems

_COLUMNS = ("code", "name", "level", "parent", "source")
_LEVELS = ("province", "prefecture", "county", "township", "village")
# Digits of a code that each level fills; the rest are zeros.
_DIGITS = {"province": 2, "prefecture": 4, "county": 6, "township": 9, "village": 12}
_CODE = re.compile(r"[0-9]{12}")


@dataclass(frozen=True, slots=True)
class Division:
    """One division. `parent` is '' for the topmost; `source` says whence code and name are."""

    code: str
    name: str
    level: str
    parent: str
    source: str

    @property
    def prefix(self) -> str:
        """The digits that every code within this division begins with."""
        return self.code[: _DIGITS[self.level]]


@cache
def county_divisions() -> dict[str, Division]:
    """The county's divisions (xlsforms/divisions.csv) by code, in the file's order."""
    with resources.as_file(resources.files("xlsforms") / "divisions.csv") as path:
        return read_divisions(Path(path))


def read_divisions(path: Path) -> dict[str, Division]:
    """Divisions by code, in the file's order. `path`: a UTF-8 CSV with code, name, level, parent, source.

    Raises: invalid_value naming the first wrong line (form, digits, level, duplicate, parent).
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error):
        raise problems.invalid_value("divisions.csv", "not a readable UTF-8 CSV file") from None
    if not rows or any(column not in rows[0] for column in _COLUMNS):
        raise problems.invalid_value("divisions.csv", f"needs the columns {', '.join(_COLUMNS)} and at least one row")
    found: dict[str, Division] = {}
    for line, row in enumerate(rows, start=2):
        division = Division(**{column: (row[column] or "").strip() for column in _COLUMNS})
        reason = _fault(division, found)
        if reason:
            raise problems.invalid_value("divisions.csv", f"line {line}: {reason}")
        found[division.code] = division
    # After all are read: a county may list villages before their township.
    for line, division in enumerate(found.values(), start=2):
        reason = _fault_of_place(division, found)
        if reason:
            raise problems.invalid_value("divisions.csv", f"line {line}: {reason}")
    return found


def _fault(division: Division, found: dict[str, Division]) -> str | None:
    if not _CODE.fullmatch(division.code):
        return f"code {division.code!r} is not 12 digits"
    if division.code in found:
        return f"code {division.code} is there twice"
    if division.level not in _LEVELS:
        return f"level {division.level!r} is none of {', '.join(_LEVELS)}"
    if division.code[_DIGITS[division.level] :].strip("0"):
        return f"code {division.code} has more digits than a {division.level}"
    if not division.name:
        return f"code {division.code} has no name"
    return None


def _fault_of_place(division: Division, found: dict[str, Division]) -> str | None:
    if not division.parent:
        return None if division.level in {"province", "prefecture", "county"} else f"{division.code} has no parent"
    parent = found.get(division.parent)
    if parent is None:
        return f"parent {division.parent} of {division.code} is not in the file"
    if _LEVELS.index(parent.level) >= _LEVELS.index(division.level) or not division.code.startswith(parent.prefix):
        return f"{division.code} does not lie within its parent {division.parent}"
    return None
