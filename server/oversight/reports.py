"""Disasters and their reports: events from the register, reports from the central database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import division_end
from server.entities.lists import find_list
from server.forms.catalogue import Reports
from server.model import Entity
from server.oversight.central import CentralForm, central_form

MOST_EVENTS = 200
_E: Any = Entity.__table__.c
# A report may come before the one that makes its event, from a phone that sends them in another order.
_BEFORE = timedelta(days=30)
SENT_BACK = "hasIssues"


@dataclass(frozen=True, slots=True)
class Event:
    """A disaster. `is_over`: verified or closed."""

    uuid: str
    name: str
    hazard: str
    status: str
    is_over: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Report:
    """A village's report that is neither rejected nor withdrawn. `kind`: initial, follow_up, zero, verification.

    `finished_at`: by the phone, never later than the receipt. `is_accepted`: not sent back either. `figures`: question -> number.
    """

    key: str
    division: str
    kind: str
    finished_at: datetime
    received_at: datetime
    happened_at: datetime | None
    known_at: datetime | None
    arrived_at: datetime | None
    relief_started_at: datetime | None
    is_stable: bool
    is_accepted: bool
    is_reviewed: bool
    figures: dict[str, Decimal]


def list_events(session: Session, project_id: int, reports: Reports) -> list[Event]:
    """The project's disasters, the newest first."""
    entity_list = find_list(session, project_id, reports.list_name)
    if entity_list is None:
        return []
    statement = select(_E.uuid, _E.label, _E.data, _E.created_at).where(_E.list_id == entity_list.id, _E.deleted_at.is_(None))
    return [_event(row, reports) for row in session.execute(statement.order_by(_E.id.desc()).limit(MOST_EVENTS))]


def _event(row: Any, reports: Reports) -> Event:
    status = row.data.get(reports.status_property) or ""
    return Event(row.uuid, row.label, row.data.get(reports.hazard_property) or "", status, status in reports.ended_values, row.created_at)


def find_event(session: Session, project_id: int, reports: Reports, named: str) -> Event:
    """The disaster by its id, its name, or a part of its name that no other has. Raises: not_found, invalid_value."""
    entity_list = find_list(session, project_id, reports.list_name)
    if entity_list is None:
        raise problems.not_found()
    by_id = select(_E.uuid, _E.label, _E.data, _E.created_at).where(_E.list_id == entity_list.id, _E.uuid == named, _E.deleted_at.is_(None))
    row = session.execute(by_id).first()
    if row is not None:
        return _event(row, reports)
    events = list_events(session, project_id, reports)
    found = [event for event in events if event.name == named] or [event for event in events if named and named in event.name]
    if not found:
        raise problems.not_found()
    if len(found) > 1:
        raise problems.invalid_value("event", "、".join(event.name for event in found[:5]))
    return found[0]


def read_reports(central: Session, project_id: int, form_id: str, reports: Reports, event: Event, *, division: str = "") -> list[Report]:
    """The event's reports from villages within the division (a prefix), by when they were finished."""
    table = central_form(central.connection(), project_id, form_id)
    if table is None:
        return []
    kinds = {value: kind for kind, value in reports.kinds}
    rows = central.connection().execute(_statement(table, reports, event, division)).mappings()
    found = [_report(row, kinds, reports) for row in rows if row["kind"] in kinds]
    return sorted(found, key=order_of)


def order_of(report: Report) -> tuple[datetime, datetime, str]:
    """The order in which a village made its reports, however they came."""
    return report.finished_at, report.received_at, report.key


def _statement(table: CentralForm, reports: Reports, event: Event, division: str) -> Any:
    own = table.table.c
    times = ("happened", "known", "arrived", "relief_started", "finished")
    columns = [table.column(getattr(reports, name)).label(name) for name in times]
    columns.append(table.column(reports.stable.question).label("stable"))
    columns += [table.column(path).label(f"figure {number}") for number, path in enumerate(reports.figures)]
    statement = (
        select(own.instance_id, own.submission_division, own.received_at, own.review_state, table.column(reports.kind).label("kind"), *columns)
        # The index on the receipt bounds what is read.
        .where(own.received_at >= event.created_at - _BEFORE, table.column(reports.event) == event.uuid, own.review_state != "rejected", *table.living)
    )  # fmt: skip
    if division:
        statement = statement.where(own.submission_division >= division, own.submission_division < division_end(division))
    return statement


def _report(row: Any, kinds: dict[str, str], reports: Reports) -> Report:
    received = row["received_at"]
    numbers = {path: row[f"figure {number}"] for number, path in enumerate(reports.figures)}
    return Report(
        row["instance_id"], row["submission_division"] or "", kinds[row["kind"]], min(_time(row["finished"]) or received, received), received,
        *(_time(row[name]) for name in ("happened", "known", "arrived", "relief_started")),
        is_stable=row["stable"] in reports.stable.values,
        is_accepted=row["review_state"] != SENT_BACK, is_reviewed=row["review_state"] == "approved",
        figures={path: Decimal(str(number)) for path, number in numbers.items() if number is not None},
    )  # fmt: skip


def _time(value: Any) -> datetime | None:
    return value if isinstance(value, datetime) else None


def earliest(times: Sequence[datetime | None]) -> datetime | None:
    """The first of those that are known."""
    return min((at for at in times if at is not None), default=None)


def now_utc() -> datetime:
    """This instant."""
    return datetime.now(UTC)
