"""What each form is for, and every value that another county sets otherwise: xlsforms/catalogue.toml (catalogue_file.py), typed.

A visiting programme is a form with a table `[form.visits]`: nothing in the code knows the programmes' names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from typing import Any

CADENCES = ("month", "quarter", "half-year", "year")
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Said:
    """That a question was answered with one of `values` (with anything, if there are none); `on`: the question that says on which day."""

    question: str
    values: tuple[str, ...] = ()
    on: str = ""


@dataclass(frozen=True, slots=True)
class Visits:
    """Who is to be visited by a form, and how its answers tell a visit.

    `select` and `active`: property -> values, all of which must hold. `person`: the question that holds the entity's id. `cadence_by`:
    the property whose value chooses another cadence. `marks_label`: the entity's label says that it was not visited.
    """

    list_name: str
    select: tuple[tuple[str, tuple[str, ...]], ...]
    active: tuple[tuple[str, tuple[str, ...]], ...]
    cadence: str
    person: str
    day: str
    met: Said | None = None
    died: Said | None = None
    moved: Said | None = None
    cadence_by: tuple[str, tuple[tuple[str, str], ...]] | None = None
    marks_label: bool = False

    @property
    def properties(self) -> tuple[str, ...]:
        """The properties that decide who is to be visited, and how often."""
        named = [name for name, _values in (*self.select, *self.active)]
        return tuple(dict.fromkeys([*named, *([self.cadence_by[0]] if self.cadence_by else [])]))

    def covers(self, data: Mapping[str, Any]) -> bool:
        """Whether an entity with these values is to be visited."""
        return all((data.get(name) or "") in values for name, values in (*self.select, *self.active))

    def cadence_of(self, data: Mapping[str, Any]) -> str:
        """How often this one is to be visited."""
        name, by_value = self.cadence_by or ("", ())
        return dict(by_value).get(data.get(name) or "", self.cadence)


@dataclass(frozen=True, slots=True)
class Reports:
    """How a form's answers tell a disaster's report. `kinds`: initial, follow_up, zero, verification -> the value that says so.

    `figures`: questions whose numbers are cumulative for the event in the village. `stable`: how a report says that it gets no worse.
    """

    list_name: str
    event: str
    kind: str
    kinds: tuple[tuple[str, str], ...]
    happened: str
    known: str
    arrived: str
    relief_started: str
    finished: str
    stable: Said
    figures: tuple[str, ...]
    hazard_property: str
    status_property: str
    ended_values: tuple[str, ...]

    def value_of(self, kind: str) -> str:
        """The answer that says that a report is of this kind."""
        return dict(self.kinds)[kind]


@dataclass(frozen=True, slots=True)
class Takes:
    """How a form's answers take something from a batch: the batch's id, how much; the properties with its whole and what is left."""

    list_name: str
    batch: str
    quantity: str
    total_property: str
    left_property: str


@dataclass(frozen=True, slots=True)
class Deadline:
    """So many days, or working days, after the day that a question says."""

    name: str
    after: str
    days: int
    is_working_days: bool


@dataclass(frozen=True, slots=True)
class CatalogueForm:
    """One form. `title`, `purpose`, `who`, `cadence`: zh and en. `sensitive`: paths of questions with slashes.

    `thresholds`: the form's calculations that are a value which another county sets otherwise.
    """

    form_id: str
    title: Mapping[str, str]
    purpose: Mapping[str, str]
    who: Mapping[str, str]
    cadence: Mapping[str, str]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    division: str
    sensitive: tuple[str, ...]
    deadlines: tuple[Deadline, ...] = ()
    thresholds: tuple[str, ...] = ()
    visits: Visits | None = None
    reports: Reports | None = None
    takes: Takes | None = None


@dataclass(frozen=True, slots=True)
class Clocks:
    """A disaster's times: minutes to report by level; hours between follow-ups, or days by hazard; when they are due; days to verify."""

    report_minutes: Mapping[str, int]
    follow_up_hours: int
    follow_up_days: Mapping[str, int]
    due_at: time
    verification_days: int


@dataclass(frozen=True, slots=True)
class Visiting:
    """`late_entry_days`: entered in a period's last days, due in the next; `at_risk_days`: not visited in its last days. `unvisited`: by cadence."""

    late_entry_days: int
    at_risk_days: int
    unvisited: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """`holidays` are no working days; `moved_workdays` are, though at a weekend."""

    visiting: Visiting
    clocks: Clocks
    forms: tuple[CatalogueForm, ...]
    holidays: frozenset[date] = field(default_factory=frozenset)
    moved_workdays: frozenset[date] = field(default_factory=frozenset)

    @property
    def programmes(self) -> tuple[tuple[CatalogueForm, Visits], ...]:
        """The visiting programmes, in the file's order."""
        return tuple((form, form.visits) for form in self.forms if form.visits is not None)

    @property
    def disaster_form(self) -> tuple[CatalogueForm, Reports] | None:
        """The form of disasters' reports."""
        return next(((form, form.reports) for form in self.forms if form.reports is not None), None)

    def due_day(self, deadline: Deadline, start: date) -> date:
        """The last day on which what began on `start` is in time."""
        return self.working_day(start, deadline.days) if deadline.is_working_days else start + timedelta(days=deadline.days)

    def working_day(self, start: date, count: int) -> date:
        """The `count`-th working day after `start`."""
        day = start
        while count > 0:
            day += timedelta(days=1)
            count -= day in self.moved_workdays or (day.weekday() < _SATURDAY and day not in self.holidays)
        return day
