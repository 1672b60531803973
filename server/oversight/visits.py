"""The visits of a programme: from the central database."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.orm import Session

from server.forms.catalogue import CatalogueForm, Said, Visits
from server.model import Form, FormVersion
from server.oversight.central import CentralForm, as_day, central_form
from server.oversight.duties import Visit, visit_day
from server.oversight.periods import Period, china_midnight

_ROWS_PER_CHUNK = 1000


def read_publications(session: Session, project_id: int, form_id: str) -> dict[str, datetime]:
    """When each version of the form was published first."""
    version: Any = FormVersion.__table__.c
    statement = (
        select(version.version, func.min(version.published_at, type_=version.published_at.type)).join(Form.__table__, Form.id == version.form_pk)
        .where(Form.project_id == project_id, Form.form_id == form_id, version.published_at.is_not(None)).group_by(version.version)
    )  # fmt: skip
    return {row[0]: row[1] for row in session.execute(statement)}


def read_visits(
    connection: Connection, project_id: int, form: CatalogueForm, visits: Visits, publications: dict[str, datetime], span: Period
) -> dict[str, list[Visit]]:
    """By person: visits of the span, and those that tell of a death or a move. Nothing that was received before the span is in it."""
    table = central_form(connection, project_id, form.form_id)
    found: dict[str, list[Visit]] = defaultdict(list)
    if table is None:
        return found
    for row in connection.execute(_statement(table, visits, span), execution_options={"yield_per": _ROWS_PER_CHUNK}):
        day, is_by_receipt = visit_day(as_day(row.day), row.received_at, publications.get(row.form_version))
        ended_on = None
        for said, answer, on in ((visits.died, row.died, row.died_on), (visits.moved, row.moved, row.moved_on)):
            if said is not None and _is_said(said, answer):
                ended_on = min(as_day(on) or day, day)
        is_met = visits.met is None or _is_said(visits.met, row.met)
        if ended_on is not None or (is_met and span.start <= day <= span.end):
            visit = Visit(row.person, day, is_by_receipt, is_met, ended_on, row.review_state == "approved", row.submitter or "")
            found[row.person].append(visit)
    return found


def _statement(table: CentralForm, visits: Visits, span: Period) -> Any:
    own = table.table.c
    person = table.column(visits.person)
    asked = {"met": visits.met, "died": visits.died, "moved": visits.moved}
    columns = [table.column(said.question if said else "").label(name) for name, said in asked.items()]
    columns += [table.column(said.on if said else "").label(f"{name}_on") for name, said in asked.items() if name != "met"]
    return (
        select(own.received_at, own.form_version, own.review_state, own.submitter, person.label("person"), table.column(visits.day).label("day"), *columns)
        .where(own.received_at >= china_midnight(span.start), own.review_state != "rejected", person.is_not(None), *table.living)
        .order_by(own.received_at, own.instance_id)
    )


def _is_said(said: Said, answer: Any) -> bool:
    return answer in said.values if said.values else answer is not None
