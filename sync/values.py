"""An answer as JSON -> the typed value of its column, or Unfit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any

_MAX_INT = 2**63 - 1
# China has one zone and no summer time; no zone database is needed for it.
_CHINA = timezone(timedelta(hours=8))


class Unfit(Exception):
    """The answer does not fit its question's type; its text goes to the row's `unparsed`."""


def _int(answer: Any) -> int:
    if isinstance(answer, int) and -_MAX_INT <= answer <= _MAX_INT:
        return answer
    raise Unfit


def _decimal(answer: Any) -> Any:
    if isinstance(answer, int | float):
        return answer
    try:
        number = Decimal(answer)
    except InvalidOperation:
        raise Unfit from None
    if not number.is_finite():
        raise Unfit
    return number


def _text(answer: Any) -> str:
    return answer if isinstance(answer, str) else str(answer)


def _date(answer: Any) -> date:
    try:
        return date.fromisoformat(answer[:10])
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
    if answer in {"true", "1", 1}:
        return True
    if answer in {"false", "0", 0}:
        return False
    raise Unfit


READERS: dict[str, Callable[[Any], Any]] = {
    "int": _int, "decimal": _decimal, "date": _date, "dateTime": _instant, "time": _time, "boolean": _boolean,
}  # fmt: skip


def read_value(kind: str, answer: Any) -> Any:
    """The column's value for a kind of FormDefinition's fields; None stays None. Raises: Unfit."""
    if answer is None:
        return None
    if isinstance(answer, dict | list):
        raise Unfit
    return READERS.get(kind, _text)(answer)


def read_geometry(kind: str, answer: Any) -> tuple[bytes, dict[str, float | None]]:
    """WKB (longitude first, altitude as z) and, for a point, longitude, latitude, altitude, accuracy. Raises: Unfit."""
    import shapely

    points = [_point(text) for text in str(answer).split(";") if text.strip()]
    coordinates = [(p[1], p[0], p[2] or 0.0) for p in points]
    if kind == "geopoint" and len(points) == 1:
        lat, lon, altitude, accuracy = points[0]
        return shapely.to_wkb(shapely.Point(coordinates[0])), {"longitude": lon, "latitude": lat, "altitude": altitude, "accuracy": accuracy}
    if kind == "geotrace" and len(points) >= 2:
        return shapely.to_wkb(shapely.LineString(coordinates)), {}
    if kind == "geoshape" and len(points) >= 4 and coordinates[0] == coordinates[-1]:
        return shapely.to_wkb(shapely.Polygon(coordinates)), {}
    raise Unfit


def _point(text: str) -> tuple[float, float, float | None, float | None]:
    try:
        numbers = [float(part) for part in text.split()]
    except ValueError:
        raise Unfit from None
    if not 2 <= len(numbers) <= 4 or not (-90 <= numbers[0] <= 90 and -180 <= numbers[1] <= 180):
        raise Unfit
    return numbers[0], numbers[1], numbers[2] if len(numbers) > 2 else None, numbers[3] if len(numbers) > 3 else None
