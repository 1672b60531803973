"""Coverage of a programme's visits: due, visited, at risk, missed, per village, township, county and member of staff."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.access.actor import Actor
from server.entities.lists import find_list
from server.forms.catalogue import Catalogue, CatalogueForm, Visits
from server.model import ActorRow
from server.oversight.duties import Duty, State, duty_of
from server.oversight.labels import plain_label
from server.oversight.periods import Period, periods_within
from server.oversight.places import levels_of, name_of, require_totals
from server.oversight.registers import read_persons
from server.oversight.visits import read_publications, read_visits

MOST_NAMES = 2000
_MOST_PHONES = 5000


@dataclass(slots=True)
class CoverageRow:
    """`level`: county, township, village or staff (whose `code` is ''). `provisional`: of those visited, whose visits nobody has approved yet.

    `open`, `at_risk`, `missed`: of those due, not visited; `ended` and `later` are not due. `by_receipt`: visits whose day had to be taken
    from the receipt.
    """

    programme: str
    period: str
    level: str
    code: str
    name: str
    due: int = 0
    visited: int = 0
    provisional: int = 0
    open: int = 0
    at_risk: int = 0
    missed: int = 0
    ended: int = 0
    later: int = 0
    by_receipt: int = 0

    @property
    def coverage(self) -> float | None:
        """Visited over due; None if nobody is due."""
        return self.visited / self.due if self.due else None

    def add(self, duty: Duty) -> None:
        """One more duty is in the row."""
        self.due += duty.is_due
        name = duty.state.value
        setattr(self, name, getattr(self, name) + 1)
        self.provisional += duty.is_provisional
        self.by_receipt += duty.visit is not None and duty.visit.is_by_receipt


@dataclass(frozen=True, slots=True)
class Unvisited:
    """Somebody due and not visited. `label` is '' if they are elsewhere now, where this reader may see nobody."""

    programme: str
    period: str
    division: str
    state: State
    uuid: str
    label: str
    list_name: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """`rows`: by programme and period, the county first, then each township with its villages, then staff. `unvisited`: at most MOST_NAMES."""

    rows: list[CoverageRow] = field(default_factory=list)
    unvisited: list[Unvisited] = field(default_factory=list)


def read_coverage(
    session: Session, central: Session, actor: Actor, catalogue: Catalogue, project_id: int, *, span: Period, today: date, division: str | None = None
) -> Coverage:
    """Of all programmes, as it stands at the end of `today`, within a division. `central`: a session of the central database.

    A duty is in its person's last division of the period, and with the member of staff who made the visit, or whose phone is bound to
    the place: so villages, and staff, add up to the county. Raises: insufficient_rights, invalid_value.
    """
    prefix = require_totals(actor, project_id, division)
    phones = _bound_phones(session, project_id)
    found = Coverage()
    for form, visits in catalogue.programmes:
        duties = _duties(session, central, catalogue, project_id, (form, visits), span, today)
        for period, mine in duties.items():
            own = [duty for duty in mine if duty.division.startswith(prefix)]
            found.rows.extend(_rows(form.form_id, period, own, prefix, phones))
            found.unvisited.extend(_unvisited(form.form_id, visits, period, own, actor, catalogue))
    del found.unvisited[MOST_NAMES:]
    return found


def _duties(
    session: Session, central: Session, catalogue: Catalogue, project_id: int, programme: tuple[CatalogueForm, Visits], span: Period, today: date
) -> dict[Period, list[Duty]]:
    form, visits = programme
    entity_list = find_list(session, project_id, visits.list_name)
    if entity_list is None:
        return {}
    cadences = dict.fromkeys([visits.cadence, *(dict(visits.cadence_by[1]).values() if visits.cadence_by else ())])
    periods = {cadence: [period for period in periods_within(cadence, span) if period.start <= today] for cadence in cadences}
    every = [period for some in periods.values() for period in some]
    if not every:
        return {}
    whole = Period(min(period.start for period in every), max(period.end for period in every), "")
    made = read_visits(central.connection(), project_id, form, visits, read_publications(session, project_id, form.form_id), whole)
    found: dict[Period, list[Duty]] = {period: [] for period in sorted(set(every))}
    for _key, person in read_persons(session, entity_list, visits):
        own = made.get(person.uuid, [])
        for period in periods[person.cadence]:
            duty = duty_of(person, own, period, catalogue.visiting, today)
            if duty is not None:
                found[period].append(duty)
    return found


def _rows(programme: str, period: Period, duties: list[Duty], prefix: str, phones: list[tuple[str, str]]) -> list[CoverageRow]:
    places: dict[tuple[str, str], CoverageRow] = {}
    staff: dict[str, CoverageRow] = {}
    for duty in duties:
        for level, code in levels_of(duty.division):
            # Of who asks for a township the county's row would be a part of the county only.
            if len(code) >= len(prefix):
                row = places.setdefault((code, level), CoverageRow(programme, period.name, level, code, name_of(code)))
                row.add(duty)
        name = duty.visit.staff if duty.visit else _bound_to(phones, duty.division)
        staff.setdefault(name, CoverageRow(programme, period.name, "staff", "", name)).add(duty)
    return [*(places[key] for key in sorted(places)), *(staff[name] for name in sorted(staff))]


def _unvisited(programme: str, visits: Visits, period: Period, duties: list[Duty], actor: Actor, catalogue: Catalogue) -> Iterator[Unvisited]:
    waiting = [duty for duty in duties if duty.state in {State.OPEN, State.AT_RISK, State.MISSED}]
    for duty in sorted(waiting, key=lambda duty: (duty.division, duty.person.label, duty.person.uuid)):
        is_here = duty.person.division.startswith(actor.division or "")
        label = plain_label(duty.person.label, catalogue.visiting) if is_here else ""
        yield Unvisited(programme, period.name, duty.division, duty.state, duty.person.uuid, label, visits.list_name)


def _bound_phones(session: Session, project_id: int) -> list[tuple[str, str]]:
    """(division prefix, name) of the project's phones, the longest prefix first."""
    row: Any = ActorRow.__table__.c
    statement = select(row.division, row.display_name).where(row.kind == "phone", row.project_id == project_id, row.deleted_at.is_(None))
    found = session.execute(statement.order_by(row.id).limit(_MOST_PHONES)).all()
    return sorted(((division or "", name) for division, name in found), key=lambda phone: -len(phone[0]))


def _bound_to(phones: list[tuple[str, str]], division: str) -> str:
    return next((name for prefix, name in phones if prefix and division.startswith(prefix)), "")
