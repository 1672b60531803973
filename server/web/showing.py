"""Values as people here read them: China's time, divisions by name."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from server.access.actor import Actor
from server.access.divisions import Division, county_divisions
from server.settings import CHINA


def division_name(code: str | None) -> str:
    """Township and village by name; the code itself where the file does not know it; '' for none."""
    if not code:
        return ""
    known = county_divisions()
    found = known.get(code.ljust(12, "0"))
    if found is None:
        return code
    parent = known.get(found.parent)
    return f"{parent.name} {found.name}" if parent and found.level == "village" else found.name


def division_names() -> dict[str, str]:
    """Name by code, for answers that are codes."""
    return {code: division.name for code, division in county_divisions().items()}


def divisions_within(actor: Actor) -> list[Division]:
    """Those that lie within the actor's own, in an order where villages follow their township."""
    own = actor.division or ""
    return sorted((d for d in county_divisions().values() if d.code.startswith(own)), key=lambda d: d.code)


def local_time(at: datetime | None) -> str:
    """`2026-11-24 09:30` in China's time."""
    return at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M") if at else ""


def start_of_day(text: str | None, *, days_later: int = 0) -> datetime | None:
    """Midnight in China of an ISO date, or of a later one; None for what is no date."""
    try:
        day = date.fromisoformat(text or "") + timedelta(days=days_later)
        return datetime(day.year, day.month, day.day, tzinfo=CHINA).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def read_time(text: str) -> str:
    """A phone's dateTime without milliseconds, in the phone's own zone; anything else as it came."""
    try:
        return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return text
