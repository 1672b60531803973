"""A cell's text as the value of a property, or what is wrong with it, in plain words."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time

from server.entities.imports.property_kinds import PropertyKind

MOST_TEXT = 10_000
MOST_LABEL = 255
_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?", re.ASCII)
_PLAIN_DATE = re.compile(r"\d{8}", re.ASCII)
_TIME = re.compile(r"\d{1,2}:\d{2}(?::\d{2})?", re.ASCII)
_INT = re.compile(r"[+-]?\d{1,18}(?:\.0+)?", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_SPACES = re.compile(r"[,，\s]+")
# GB 11643: seventeen digits and a check character.
_ID = re.compile(r"[1-9]\d{16}[\dX]", re.ASCII)
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
_ID_NAMES = {"id_number", "id_no", "id_card", "idcard", "idnumber", "identity_number", "sfzh", "sfz"}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a cell or a row, without the cell's text: the report may be read by others."""

    zh: str
    en: str


Reader = Callable[[str], "str | Fault"]

NUL = Fault("含有不可见的控制字符，无法保存。", "It has control characters that cannot be stored.")
TOO_LONG = Fault(f"文字超过 {MOST_TEXT} 个字。", f"The text is longer than {MOST_TEXT} characters.")
LABEL_MISSING = Fault("没有名称。", "The label is missing.")
LABEL_TOO_LONG = Fault(f"名称超过 {MOST_LABEL} 个字。", f"The label is longer than {MOST_LABEL} characters.")
FORMULA = Fault("公式没有计算结果。请在表格软件中打开、重新计算并保存。", "The formula was never calculated. Open the file, let it calculate, and save it.")
ERROR = Fault("单元格是错误值（如 #N/A）。", "The cell is an error such as #N/A.")


def text_fault(text: str) -> Fault | None:
    """What no property takes."""
    if len(text) > MOST_TEXT:
        return TOO_LONG
    return NUL if not text.isprintable() and _UNSTORABLE.search(text) else None


def reader_of(name: str, kind: PropertyKind) -> Reader | None:
    """How the property's text is read; None: as it is."""
    if name.lower() in _ID_NAMES or any("身份证号" in label for label in kind.labels):
        return _read_id
    if kind.codes and kind.kind in {"select1", "string"}:
        return lambda text: kind.codes.get(text, text)
    return _READERS.get(kind.kind)


def _read_int(text: str) -> str | Fault:
    if not _INT.fullmatch(text):
        return Fault("应为整数。", "It should be a whole number.")
    return str(int(text.partition(".")[0]))


def _read_decimal(text: str) -> str | Fault:
    found = text.replace(",", "") if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?", text) else text
    return found if len(found) <= 40 and _DECIMAL.fullmatch(found) else Fault("应为数字。", "It should be a number.")


def read_date(text: str) -> str | Fault:
    """An ISO date of 2026-03-31, 2026/3/31, 2026年3月31日 or 20260331."""
    found = _DATE.fullmatch(text.removesuffix("T00:00:00"))
    try:
        if found:
            return date(int(found[1]), int(found[2]), int(found[3])).isoformat()
        if _PLAIN_DATE.fullmatch(text):
            return date(int(text[:4]), int(text[4:6]), int(text[6:])).isoformat()
    except ValueError:
        pass
    return Fault("不是日期，应如 2026-03-31。", "It is no date; write it as 2026-03-31.")


def _read_time(text: str) -> str | Fault:
    try:
        if _TIME.fullmatch(text):
            return time.fromisoformat(text.zfill(8) if text.count(":") == 2 else text.zfill(5)).isoformat()
    except ValueError:
        pass
    return Fault("不是时间，应如 09:30。", "It is no time; write it as 09:30.")


def _read_date_time(text: str) -> str | Fault:
    fault = Fault("不是日期和时间，应如 2026-03-31T09:30:00+08:00。", "It is no date and time; write it as 2026-03-31T09:30:00+08:00.")
    try:
        at = datetime.fromisoformat(text.replace(" ", "T", 1))
        # A register's times are China's.
        return at.isoformat() if at.tzinfo else at.isoformat() + "+08:00"
    except ValueError:
        return fault


def _read_point(text: str) -> str | Fault:
    fault = Fault("不是位置，应为“纬度 经度”，如 36.95 100.90。", "It is no place; write latitude and longitude, as in 36.95 100.90.")
    parts = [part for part in _SPACES.split(text) if part]
    if not 2 <= len(parts) <= 4 or not all(_DECIMAL.fullmatch(part) and len(part) < 30 for part in parts):
        return fault
    if abs(float(parts[0])) > 90 or abs(float(parts[1])) > 180:
        return fault
    return " ".join(parts)


def _read_points(text: str) -> str | Fault:
    points = [_read_point(part) for part in text.split(";") if part.strip()]
    bad = next((point for point in points if isinstance(point, Fault)), None)
    if bad is not None or len(points) < 2:
        return Fault("不是线或面，应为用分号隔开的几个“纬度 经度”。", "It is no line or area; write several “latitude longitude” with semicolons between.")
    return ";".join(str(point) for point in points)


def _read_area(text: str) -> str | Fault:
    read = _read_points(text)
    if isinstance(read, Fault):
        return read
    points = read.split(";")
    return read if len(points) > 3 and points[0].split()[:2] == points[-1].split()[:2] else Fault(
        "不是面，首尾两点应相同，且至少四点。", "It is no area: its last point must be its first, and it needs four points.")


def check_character(number: str) -> str:
    """The one that the first 17 digits of an ID number ask for (GB 11643)."""
    return _CHECKS[sum(int(digit) * weight for digit, weight in zip(number[:17], _WEIGHTS, strict=True)) % 11]


def _read_id(text: str) -> str | Fault:
    number = text.upper()
    if not _ID.fullmatch(number):
        return Fault("不是 18 位身份证号。如在表格中显示为科学记数，请把该列设为文本格式后重新填写。",
                     "It is no ID number of 18 characters. If the sheet shows it as 1.23E+17, make the column text and enter it again.")  # fmt: skip
    return number if number[17] == check_character(number) else Fault("身份证号的校验位不对。", "The ID number's check character is wrong.")


_READERS: dict[str, Reader] = {
    "int": _read_int, "decimal": _read_decimal, "date": read_date, "time": _read_time, "dateTime": _read_date_time, "geopoint": _read_point,
    "geotrace": _read_points, "geoshape": _read_area,
}  # fmt: skip
