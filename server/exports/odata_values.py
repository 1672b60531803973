"""Answers as OData writes them: numbers, times, places as GeoJSON or well-known text."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from server.access.sealed import masked

Convert = Callable[[Any], Any]

_INT = re.compile(r"\s*([+-]?\d{1,30})")
_FLOAT = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)")
_SHORT_OFFSET = re.compile(r"[+-]\d\d$")
_MAX_INT = 2**63 - 1


def as_number(value: Any) -> int | float | None:
    """The number that a text begins with; None if it begins with none. Numbers stay."""
    if not isinstance(value, str):
        return value if isinstance(value, int | float) else None
    whole = _INT.match(value)
    if whole is not None and whole.end() == len(value.rstrip()):
        number = int(whole[1])
        return number if -_MAX_INT <= number <= _MAX_INT else float(number)
    found = _FLOAT.match(value[:400])
    number = float(found[1]) if found is not None else None
    return number if number is not None and abs(number) != float("inf") else None


def with_whole_offset(value: Any) -> Any:
    """+08 as +08:00, which OData wants."""
    return f"{value}:00" if value.__class__ is str and _SHORT_OFFSET.search(value) else value


def _floats(text: str) -> list[float]:
    """Latitude, longitude and perhaps altitude and accuracy, as far as they are numbers."""
    found: list[float] = []
    for part in text.split()[:4]:
        match = _FLOAT.match(part)
        number = float(match[1]) if match is not None else float("nan")
        if number != number or abs(number) == float("inf"):  # noqa: PLR0124 - NaN
            break
        found.append(number)
    return found


def _plain(number: float) -> str:
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def point_geojson(value: Any) -> dict[str, Any] | None:
    """A geopoint as a GeoJSON point, its accuracy beside it."""
    numbers = _floats(value) if isinstance(value, str) else []
    if len(numbers) < 2:
        return None
    point: dict[str, Any] = {"type": "Point", "coordinates": [numbers[1], numbers[0], *numbers[2:3]]}
    if len(numbers) == 4:
        point["properties"] = {"accuracy": numbers[3]}
    return point


def point_wkt(value: Any) -> str | None:
    """A geopoint as well-known text."""
    numbers = _floats(value) if isinstance(value, str) else []
    return f"POINT ({' '.join(map(_plain, (numbers[1], numbers[0], *numbers[2:3])))})" if len(numbers) >= 2 else None


def _line(value: Any) -> list[list[float]]:
    parts = value.split(";") if isinstance(value, str) else []
    return [numbers for part in parts if len(numbers := _floats(part)) >= 2]


def line_geojson(value: Any) -> dict[str, Any] | None:
    """A geotrace as a GeoJSON line."""
    return _many(value, "LineString")


def polygon_geojson(value: Any) -> dict[str, Any] | None:
    """A geoshape as a GeoJSON polygon."""
    return _many(value, "Polygon")


def _many(value: Any, kind: str) -> dict[str, Any] | None:
    line = _line(value)
    if not line:
        return None
    coordinates = [[numbers[1], numbers[0], *numbers[2:3]] for numbers in line]
    shape: dict[str, Any] = {"type": kind, "coordinates": coordinates if kind == "LineString" else [coordinates]}
    accuracies = [(numbers[3] or None) if len(numbers) == 4 else None for numbers in line]
    if any(accuracy is not None for accuracy in accuracies):
        shape["properties"] = {"accuracies": accuracies}
    return shape


def line_wkt(value: Any) -> str | None:
    """A geotrace as well-known text."""
    points = _wkt_points(value)
    return f"LINESTRING ({points})" if points else None


def polygon_wkt(value: Any) -> str | None:
    """A geoshape as well-known text."""
    points = _wkt_points(value)
    return f"POLYGON (({points}))" if points else None


def _wkt_points(value: Any) -> str:
    return ",".join(" ".join(map(_plain, (numbers[1], numbers[0], *numbers[2:3]))) for numbers in _line(value))


def mask(value: Any) -> str:
    """What a reader sees of a sensitive answer that they may not read."""
    return masked(str(value))


def converter(kind: str, *, wkt: bool) -> Convert | None:
    """What turns a stored answer of this kind into OData's; None where it stays as it is. Numbers: only texts need `as_number`."""
    if kind == "geopoint":
        return point_wkt if wkt else point_geojson
    if kind == "geotrace":
        return line_wkt if wkt else line_geojson
    if kind == "geoshape":
        return polygon_wkt if wkt else polygon_geojson
    return with_whole_offset if kind == "dateTime" else None
