"""An answer as JSON -> the typed value of its column, or Unfit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any

import shapely

Point = tuple[float, float, float | None, float | None]
Reader = Callable[[Any], Any]

_MAX_INT = 2**63 - 1
# Digits that a 64-bit float gives back as they were written.
_FLOAT_DIGITS = 17
# China has one zone and no summer time; no zone database is needed for it.
_CHINA = timezone(timedelta(hours=8))
_DATE_LENGTH = len("2026-11-24")


class Unfit(Exception):
    """The answer does not fit its question's type; its text goes to the row's `unparsed`."""


def _int(answer: Any) -> int:
    if answer.__class__ is int and -_MAX_INT <= answer <= _MAX_INT:
        return answer  # type: ignore[no-any-return]
    raise Unfit


def _decimal(answer: Any) -> float:
    if answer.__class__ is float and isfinite(answer):
        return answer  # type: ignore[no-any-return]
    if isinstance(answer, int) and -_MAX_INT <= answer <= _MAX_INT:
        return float(answer)
    try:
        exact, number = Decimal(answer), float(answer)
    except (InvalidOperation, ValueError, TypeError):
        raise Unfit from None
    # More digits than the column holds: cut silently they would be another number.
    if not isfinite(number) or len(exact.normalize().as_tuple().digits) > _FLOAT_DIGITS:
        raise Unfit
    return number


def read_text(answer: Any) -> str:
    """The answer as text. Raises: Unfit for groups and repeats."""
    if isinstance(answer, str):
        return answer
    if isinstance(answer, dict | list):
        raise Unfit
    return str(answer)


def _date(answer: Any) -> date:
    try:
        return date.fromisoformat(answer) if len(answer) == _DATE_LENGTH else datetime.fromisoformat(answer).date()
    except (ValueError, TypeError):
        raise Unfit from None


def _instant(answer: Any) -> datetime:
    try:
        at = datetime.fromisoformat(answer)
        # Without a zone it is the county's: phones here have no other.
        return (at if at.tzinfo else at.replace(tzinfo=_CHINA)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        raise Unfit from None


def _time(answer: Any) -> str:
    """Kept as text with its zone: no type of both databases has one."""
    try:
        time.fromisoformat(answer)
    except (ValueError, TypeError):
        raise Unfit from None
    return answer  # type: ignore[no-any-return]


def _boolean(answer: Any) -> bool:
    if isinstance(answer, str | int):
        if answer in {"true", "1", 1}:
            return True
        if answer in {"false", "0", 0}:
            return False
    raise Unfit


def instant_text(at: datetime) -> str:
    """A time as SQLite keeps it: UTC, as SQLAlchemy writes a DateTime there."""
    return at.astimezone(UTC).isoformat(" ", "microseconds")[:26]


_READERS: dict[str, Reader] = {
    "int": _int, "decimal": _decimal, "date": _date, "dateTime": _instant, "time": _time, "boolean": _boolean,
}  # fmt: skip
_SQLITE_READERS: dict[str, Reader] = {
    **_READERS, "date": lambda answer: _date(answer).isoformat(), "dateTime": lambda answer: instant_text(_instant(answer)),
}  # fmt: skip


def reader_of(kind: str, dialect: str) -> Reader:
    """What turns an answer of this kind into what the database's driver takes; it raises Unfit. Geometries have their own."""
    return (_SQLITE_READERS if dialect == "sqlite" else _READERS).get(kind, read_text)


def read_points(kind: str, answer: Any) -> list[Point]:
    """Latitude, longitude, altitude, accuracy of each point: one for a geopoint, a line's, a closed ring's. Raises: Unfit."""
    if not isinstance(answer, str):
        raise Unfit
    points = [_point(text) for text in answer.split(";") if text and not text.isspace()]
    fits = {
        "geopoint": len(points) == 1, "geotrace": len(points) >= 2, "geoshape": len(points) >= 4 and points[0][:2] == points[-1][:2],
    }  # fmt: skip
    if not fits[kind]:
        raise Unfit
    return points


def _point(text: str) -> Point:
    try:
        latitude, longitude, *rest = map(float, text.split())
        altitude, accuracy = (*rest, None, None)[: max(2, len(rest))]
    except ValueError:
        raise Unfit from None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180 and isfinite(altitude or 0.0) and isfinite(accuracy or 0.0)):
        raise Unfit
    return latitude, longitude, altitude, accuracy


def shape_wkb(kind: str, points: list[Point], *, srid: int) -> bytes:
    """WKB of a geotrace (line) or geoshape (polygon), longitude first, altitude as z; `srid` 0 leaves it out."""
    coordinates = [(longitude, latitude, altitude or 0.0) for latitude, longitude, altitude, _accuracy in points]
    if kind == "geoshape":
        coordinates[-1] = coordinates[0]  # a ring closes in height too
    shape = shapely.LineString(coordinates) if kind == "geotrace" else shapely.Polygon(coordinates)
    return shapely.to_wkb(shapely.set_srid(shape, srid), include_srid=bool(srid))


def point_wkbs(coordinates: list[tuple[float, float, float]], *, srid: int) -> list[bytes]:
    """WKB of many points (longitude, latitude, altitude) at once: one at a time costs ten times as much."""
    shapes = shapely.points(coordinates)
    return shapely.to_wkb(shapely.set_srid(shapes, srid) if srid else shapes, include_srid=bool(srid)).tolist()  # type: ignore[no-any-return]
