"""Whose visit is due in a period, and what became of it: rules alone, on values that others have read (domain: clocks and indicators)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from server.forms.catalogue import Visiting
from server.oversight.periods import Period, china_day, is_in_last_days, next_period, period_of


class State(StrEnum):
    """Of one person in one period. ENDED (died or moved before a visit) and LATER (entered in the last days) are not due in it."""

    VISITED, OPEN, AT_RISK, MISSED, ENDED, LATER = "visited", "open", "at_risk", "missed", "ended", "later"


@dataclass(frozen=True, slots=True)
class Spell:
    """Days on which somebody was to be visited, in one division. `last`: of them, the last one; None while it goes on."""

    start: date
    last: date | None
    division: str


@dataclass(frozen=True, slots=True)
class Person:
    """Who is visited, or a household. `division`: where they are now; `spells` in order, the next one no earlier than the one before it ended."""

    uuid: str
    label: str
    division: str
    cadence: str
    spells: tuple[Spell, ...]


@dataclass(frozen=True, slots=True)
class Visit:
    """A submission that is neither rejected nor deleted. `ended_on`: the day of a death or move that it tells of."""

    person: str
    day: date
    is_by_receipt: bool
    is_met: bool
    ended_on: date | None
    is_reviewed: bool
    staff: str


@dataclass(frozen=True, slots=True)
class Duty:
    """The one duty of a person in a period; its division is the person's last one in it. `visit`: the first one that fulfils it."""

    person: Person
    division: str
    state: State
    visit: Visit | None = None
    is_provisional: bool = False

    @property
    def is_due(self) -> bool:
        """Whether it counts among the due."""
        return self.state not in {State.ENDED, State.LATER}


def visit_day(said: date | None, received_at: datetime, published_at: datetime | None) -> tuple[date, bool]:
    """(day, whether it had to be taken from the receipt). The phone is believed if its day lies between the form's download and the receipt.

    No server hears of a download; it cannot have been before the form version was published.
    """
    received = china_day(received_at)
    if said is None or said > received or (published_at is not None and said < china_day(published_at)):
        return received, True
    return said, False


def duty_of(person: Person, visits: Sequence[Visit], period: Period, visiting: Visiting, today: date) -> Duty | None:
    """The person's duty in the period as it stands at the end of `today`; None if they were to be visited on none of its days."""
    until = min(period.end, today)
    spells = _as_told(person.spells, visits)
    there = [spell for spell in spells if spell.start <= until and (spell.last is None or spell.last >= period.start)]
    if not there:
        return None
    ended = there[-1].last if there[-1].last is not None and there[-1].last <= until else None
    counting = sorted(
        (visit for visit in visits if visit.is_met and period.start <= visit.day <= until and (ended is None or visit.day <= ended)),
        key=lambda visit: (visit.day, not visit.is_reviewed),
    )  # fmt: skip
    duty = Duty(person, there[-1].division, State.ENDED)
    if ended is not None and not counting:
        return duty
    if is_in_last_days(period, entered_on(spells, there[0]), visiting.late_entry_days):
        return replace(duty, state=State.LATER)
    if counting:
        return replace(duty, state=State.VISITED, visit=counting[0], is_provisional=not any(visit.is_reviewed for visit in counting))
    if today > period.end:
        return replace(duty, state=State.MISSED)
    return replace(duty, state=State.AT_RISK if is_in_last_days(period, today, visiting.at_risk_days) else State.OPEN)


def _as_told(spells: Sequence[Spell], visits: Sequence[Visit]) -> list[Spell]:
    """Who died or moved was there until the day that the visit says, not until the day on which the register heard of it."""
    told = [visit.ended_on for visit in visits if visit.ended_on is not None]
    found = []
    for number, spell in enumerate(spells):
        goes_on = number + 1 < len(spells) and spell.last is not None and spells[number + 1].start <= spell.last
        earlier = [] if spell.last is None or goes_on else [day for day in told if day <= spell.last]
        # The last one told of: an earlier one was of another time, or was corrected.
        found.append(replace(spell, last=max(spell.start, *earlier)) if earlier and max(earlier) >= spell.start else spell)
    return found


def entered_on(spells: Sequence[Spell], spell: Spell) -> date:
    """Since when somebody is to be visited without a gap; a hand-over to another division is none."""
    start = spell.start
    for before in reversed(spells[: spells.index(spell)]):
        if before.last is None or before.last < start:
            break
        start = before.start
    return start


def next_due(cadence: str, entered: date, last_met: date | None, visiting: Visiting) -> Period:
    """The period of the first visit that is not yet made: the one of entering (or the next, for the last days), or the one after the last visit."""
    period = period_of(cadence, entered)
    if is_in_last_days(period, entered, visiting.late_entry_days):
        period = next_period(cadence, period)
    return period if last_met is None else max(period, next_period(cadence, period_of(cadence, last_met)))
