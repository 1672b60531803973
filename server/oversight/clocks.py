"""A disaster's clocks: the four first times of each village, who is late by level, who is silent (domain: clocks and indicators)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor
from server.forms.catalogue import Catalogue, Clocks, Reports
from server.oversight.places import levels_of, name_of, require_totals
from server.oversight.reports import Event, Report, earliest, find_event, list_events, now_utc, read_reports
from server.oversight.rollups import VERIFICATION, ZERO, FiguresRow, rollup
from server.settings import CHINA

_DAY_HOURS = 24


@dataclass(frozen=True, slots=True)
class VillageClock:
    """First times of a village. `finished_at`: of its first report, by the phone; `received_at`: when the server had one.

    `is_late`: from known to finished took longer than allowed; a report without signal is not late. `due_at`: the last due hour that is
    over; `is_silent`: since the one before it there is no report, not even a zero report.
    """

    code: str
    name: str
    happened_at: datetime | None
    known_at: datetime | None
    arrived_at: datetime | None
    finished_at: datetime
    received_at: datetime
    verified_at: datetime | None
    relief_started_at: datetime | None
    last_report_at: datetime
    reports: int
    is_late: bool
    due_at: datetime | None
    is_silent: bool
    verification_due_at: datetime | None
    is_verification_late: bool


@dataclass(frozen=True, slots=True)
class LevelClock:
    """When a village, township or county had its first report, against the minutes that its level has from when it was known."""

    level: str
    code: str
    name: str
    known_at: datetime | None
    finished_at: datetime
    received_at: datetime
    allowed_minutes: int
    is_late: bool


@dataclass(frozen=True, slots=True)
class EventClocks:
    """All of one disaster. `sent_back`: reports that wait for correction and do not count in `figures` (question -> label)."""

    event: Event
    at: datetime
    villages: list[VillageClock]
    levels: list[LevelClock]
    rollup: list[FiguresRow]
    figures: tuple[str, ...]
    sent_back: int

    @property
    def verified(self) -> int:
        """How many of the villages have sent their verification; that the disaster is verified, the county says."""
        return sum(village.verified_at is not None for village in self.villages)


def read_events(session: Session, actor: Actor, catalogue: Catalogue, project_id: int) -> list[Event]:
    """The county's disasters, the newest first. Raises: insufficient_rights."""
    require_totals(actor, project_id, None)
    known = catalogue.disaster_form
    return list_events(session, project_id, known[1]) if known else []


def read_clocks(
    session: Session, central: Session, actor: Actor, catalogue: Catalogue, project_id: int, named: str, *, division: str | None = None,
    now: datetime | None = None,
) -> EventClocks:  # fmt: skip
    """The disaster by id or name, within a division. Raises: insufficient_rights, not_found, invalid_value."""
    prefix = require_totals(actor, project_id, division)
    known = catalogue.disaster_form
    if known is None:
        raise problems.not_found()
    form, reports = known
    event = find_event(session, project_id, reports, named)
    found = read_reports(central, project_id, form.form_id, reports, event, division=prefix)
    return judge(event, found, catalogue.clocks, reports, now or now_utc(), division=prefix)


def judge(event: Event, found: Sequence[Report], clocks: Clocks, reports: Reports, now: datetime, *, division: str = "") -> EventClocks:
    """The clocks at `now`, from an event's reports in any order."""
    by_village: dict[str, list[Report]] = defaultdict(list)
    for report in sorted(found, key=lambda report: (report.finished_at, report.received_at, report.key)):
        by_village[report.division].append(report)
    villages = [_village(code, own, event, clocks, now) for code, own in sorted(by_village.items())]
    return EventClocks(
        event, now, villages, _levels(found, clocks, division), rollup(found, reports.figures, division=division), reports.figures,
        sum(not report.is_accepted for report in found),
    )  # fmt: skip


def _village(code: str, reports: Sequence[Report], event: Event, clocks: Clocks, now: datetime) -> VillageClock:
    first, known_at = reports[0], earliest([report.known_at for report in reports])
    verified = [report for report in reports if report.kind == VERIFICATION and report.is_accepted]
    verified_at = verified[0].finished_at if verified else None
    due_at, step = last_due(first.finished_at, now, clocks, event.hazard)
    is_owed = due_at is not None and not event.is_over and verified_at is None
    stable_at = _stable_at(reports)
    verification_due = None if stable_at is None else stable_at + timedelta(days=clocks.verification_days)
    return VillageClock(
        code, name_of(code), earliest([report.happened_at for report in reports]), known_at, earliest([report.arrived_at for report in reports]),
        first.finished_at, min(report.received_at for report in reports), verified_at,
        earliest([report.relief_started_at for report in reports]), reports[-1].finished_at, len(reports),
        is_late=_is_late(known_at, first.finished_at, clocks.report_minutes["village"]),
        due_at=due_at, is_silent=is_owed and due_at is not None and reports[-1].finished_at <= due_at - step,
        verification_due_at=verification_due, is_verification_late=verification_due is not None and (verified_at or now) > verification_due,
    )  # fmt: skip


def minutes_between(since: datetime | None, until: datetime | None) -> int | None:
    """Whole minutes from one to the other; None while either has not come."""
    return None if since is None or until is None else int((until - since).total_seconds() // 60)


def _is_late(known_at: datetime | None, finished_at: datetime, minutes: int) -> bool:
    return known_at is not None and finished_at - known_at > timedelta(minutes=minutes)


def _stable_at(reports: Sequence[Report]) -> datetime | None:
    """Since when the village says that it gets no worse; None if its last report does not. A zero report says nothing of it."""
    at: datetime | None = None
    for report in reports:
        if report.is_accepted and report.kind not in {ZERO, VERIFICATION}:
            at = (at or report.finished_at) if report.is_stable else None
    return at


def last_due(first: datetime, now: datetime, clocks: Clocks, hazard: str) -> tuple[datetime | None, timedelta]:
    """(the last hour, not after now, by which a follow-up was due since the first report; the time between two). None while there was none."""
    days = clocks.follow_up_days.get(hazard)
    step = timedelta(days=days) if days else timedelta(hours=clocks.follow_up_hours)
    due = datetime.combine(first.astimezone(CHINA).date(), clocks.due_at, CHINA)
    while due <= first:
        due += min(step, timedelta(hours=_DAY_HOURS))
    if due > now:
        return None, step
    return due + (now - due) // step * step, step


def _levels(reports: Sequence[Report], clocks: Clocks, division: str) -> list[LevelClock]:
    parts: dict[tuple[str, str], list[Report]] = defaultdict(list)
    for report in reports:
        for level, code in levels_of(report.division):
            if len(code) >= len(division):
                parts[code, level].append(report)
    found = []
    for (code, level), own in sorted(parts.items()):
        known_at, finished_at = earliest([report.known_at for report in own]), min(report.finished_at for report in own)
        allowed = clocks.report_minutes[level]
        received_at = min(report.received_at for report in own)
        found.append(LevelClock(level, code, name_of(code), known_at, finished_at, received_at, allowed, _is_late(known_at, finished_at, allowed)))
    return found
