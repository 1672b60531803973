"""`next_due`, `overdue` and labels of those who are to be visited, as they should read today.

What is compared is the present entity: only rows that would read otherwise are changed, with versions that are nobody's change
(entities/maintained.py). Visits are read from the form server: the central database may be behind, or away.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.entities.maintained import Kept, maintain_entities
from server.entities.records import lock_entities
from server.forms.catalogue import Catalogue, CatalogueForm, Visiting, Visits
from server.model import Entity, EntityList, EntityVersion, Form, FormVersion, Submission, SubmissionVersion
from server.oversight.central import as_day
from server.oversight.duties import entered_on, next_due, visit_day
from server.oversight.json_values import json_text
from server.oversight.labels import marked_label
from server.oversight.periods import Period, is_in_last_days, period_of
from server.oversight.registers import read_persons

NEXT_DUE, OVERDUE = "next_due", "overdue"
# `overdue`: not due yet, due within the last days of its period, due in a period that is over.
NO, AT_RISK, MISSED = "no", "at_risk", "missed"
_E: Any = Entity.__table__.c
_V: Any = EntityVersion.__table__.c
_S: Any = Submission.__table__.c


@dataclass(frozen=True, slots=True)
class Outdated:
    """An entity at `version` that should read otherwise. `label` None: it is right."""

    entity_id: int
    version: int
    values: dict[str, str]
    label: str | None


def find_outdated(session: Session, catalogue: Catalogue, entity_list: EntityList, ids: Sequence[int], today: date) -> list[Outdated]:
    """Those of the entities that do not read as they should."""
    due: dict[int, list[tuple[Period, str, bool]]] = defaultdict(list)
    for form, visits in catalogue.programmes:
        if visits.list_name == entity_list.name:
            for key, (period, cadence) in _next_dues(session, catalogue.visiting, entity_list, (form, visits), ids, today).items():
                due[key].append((period, cadence, visits.marks_label))
    statement = select(_E.id, _E.version, _E.label, _E.data).where(
        _E.project_id == entity_list.project_id, _E.id.in_(ids), _E.list_id == entity_list.id, _E.deleted_at.is_(None)
    )
    found = []
    for row in session.connection().execute(statement):
        values, label = _reading(due.get(row.id, []), row.label, catalogue.visiting, today)
        differing = {name: value for name, value in values.items() if (row.data.get(name) or "") != value}
        if differing or label != row.label:
            found.append(Outdated(row.id, row.version, differing, None if label == row.label else label))
    return found


def _reading(due: Sequence[tuple[Period, str, bool]], label: str, visiting: Visiting, today: date) -> tuple[dict[str, str], str]:
    """(values, label). Who is in several programmes reads as the one whose visit is due first."""
    if not due:
        return {NEXT_DUE: "", OVERDUE: ""}, marked_label(label, visiting, None)
    period = min(one[0] for one in due)
    overdue = MISSED if period.end < today else AT_RISK if is_in_last_days(period, today, visiting.at_risk_days) else NO
    unvisited = [(one, cadence) for one, cadence, marks in due if marks and one.end <= period_of(cadence, today).end]
    cadence = min(unvisited)[1] if unvisited else None
    return {NEXT_DUE: period.end.isoformat(), OVERDUE: overdue}, marked_label(label, visiting, cadence)


def _next_dues(
    session: Session, visiting: Visiting, entity_list: EntityList, programme: tuple[CatalogueForm, Visits], ids: Sequence[int], today: date
) -> dict[int, tuple[Period, str]]:
    form, visits = programme
    there = {key: person for key, person in read_persons(session, entity_list, visits, ids=ids) if person.spells[-1].last is None}
    met = _last_met(session, entity_list, form, visits, {key: person.uuid for key, person in there.items()}, today)
    return {
        key: (next_due(person.cadence, entered_on(person.spells, person.spells[-1]), met.get(key), visiting), person.cadence)
        for key, person in there.items()
    }


def _last_met(
    session: Session, entity_list: EntityList, form: CatalogueForm, visits: Visits, uuids: dict[int, str], today: date
) -> dict[int, date]:
    """By entity, the day of the last visit that counts."""
    if not uuids:
        return {}
    answers, dialect = SubmissionVersion.__table__.c.answers, session.get_bind().dialect.name
    asked = [json_text(dialect, answers, question.split("/")) for question in (visits.person, visits.day, visits.met.question if visits.met else visits.day)]
    statement = (
        select(_V.entity_id, _S.received_at, FormVersion.published_at, *asked)
        .join(Submission.__table__, (_S.project_id == _V.project_id) & (_S.id == _V.submission_id))
        .join(SubmissionVersion.__table__, (SubmissionVersion.project_id == _S.project_id) & (SubmissionVersion.id == _S.current_version_id))
        .join(FormVersion.__table__, FormVersion.id == _S.form_version_id)
        .join(Form.__table__, Form.id == _S.form_pk)
        .where(_V.project_id == entity_list.project_id, _V.entity_id.in_(list(uuids)), _V.submission_id.is_not(None), Form.form_id == form.form_id,
               Form.deleted_at.is_(None), _S.deleted_at.is_(None), _S.is_draft.is_(False), _S.review_state != "rejected")
    )  # fmt: skip
    found: dict[int, date] = {}
    for key, received_at, published_at, person, said, met in session.connection().execute(statement):
        day = visit_day(as_day(said), received_at, published_at)[0]
        is_met = visits.met is None or met in visits.met.values
        if person == uuids[key] and is_met and day <= today:
            found[key] = max(day, found.get(key, day))
    return found


def bring_up_to_date(session: Session, entity_list: EntityList, outdated: Iterable[Outdated]) -> int:
    """They read as they should; how many. Whoever was changed meanwhile is left: that change is in the log, and comes here again."""
    wanted = {one.entity_id: one for one in outdated}
    own = (_E.project_id == entity_list.project_id, _E.id.in_(list(wanted)), _E.deleted_at.is_(None))
    lock_entities(session, [(entity_list.id, uuid) for uuid in session.scalars(select(_E.uuid).where(*own))])
    rows = session.connection().execute(select(_E.id, _E.uuid, _E.label, _E.data, _E.version, _E.division).where(*own).order_by(_E.id).with_for_update())
    kept = [Kept(row, wanted[row.id].values, wanted[row.id].label) for row in rows if row.version == wanted[row.id].version]
    maintain_entities(session, entity_list, kept)
    return len(kept)
