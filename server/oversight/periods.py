"""Calendar periods of visits, in China's days."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from server import problems
from server.settings import CHINA

_MONTHS = {"month": 1, "quarter": 3, "half-year": 6, "year": 12}
_SPAN = re.compile(r"(?P<year>20[0-9]{2})(?:Q(?P<quarter>[1-4])|H(?P<half>[12])|-(?P<month>0[1-9]|1[0-2]))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """From `start` to `end`, both within it. `name`: 2026-11, 2026Q4, 2026H2 or 2026."""

    start: date
    end: date
    name: str = field(compare=False)


def period_of(cadence: str, day: date) -> Period:
    """The month, quarter, half-year or year that the day is in."""
    months = _MONTHS[cadence]
    number = (day.month - 1) // months
    first = date(day.year, number * months + 1, 1)
    last_month = first.month + months - 1
    after = date(day.year + last_month // 12, last_month % 12 + 1, 1)
    name = {"month": f"{day:%Y-%m}", "quarter": f"{day.year}Q{number + 1}", "half-year": f"{day.year}H{number + 1}", "year": f"{day.year}"}[cadence]
    return Period(first, after - timedelta(days=1), name)


def next_period(cadence: str, period: Period) -> Period:
    """The one after it."""
    return period_of(cadence, period.end + timedelta(days=1))


def periods_within(cadence: str, span: Period) -> list[Period]:
    """Those of this cadence that end within the span, or that it lies in: of a quarter its months, or its year."""
    found = [period_of(cadence, span.start)]
    while found[-1].end < span.end:
        found.append(next_period(cadence, found[-1]))
    return found


def is_in_last_days(period: Period, day: date, count: int) -> bool:
    """Whether the day is one of the period's last `count`, or after it."""
    return day > period.end - timedelta(days=count)


def read_span(text: str) -> Period:
    """`2026Q4`, `2026-11`, `2026H2` or `2026`. Raises: invalid_value."""
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise problems.invalid_value("quarter", f"{text[:20]!r}: 2026Q4, 2026-11, 2026H2, 2026")
    year, quarter, half, month = (int(found[name] or 0) for name in ("year", "quarter", "half", "month"))
    cadence = "quarter" if quarter else "half-year" if half else "month" if month else "year"
    return period_of(cadence, date(year, month or (quarter * 3 if quarter else half * 6 if half else 1), 1))


def china_day(at: datetime) -> date:
    """The day on China's calendar."""
    return at.astimezone(CHINA).date()


def china_midnight(day: date) -> datetime:
    """The instant at which the day begins in China, in UTC."""
    return datetime.combine(day, time(), CHINA).astimezone(UTC)
