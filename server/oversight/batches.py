"""What is left of a relief batch: its quantity without what was handed out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.forms.catalogue import CatalogueForm, Takes
from server.model import Entity, EntityList, Form, Submission, SubmissionVersion
from server.oversight.due_dates import Outdated
from server.oversight.json_values import json_text

_E: Any = Entity.__table__.c
_S: Any = Submission.__table__.c
_V: Any = SubmissionVersion.__table__.c


def find_outdated_batches(session: Session, entity_list: EntityList, form: CatalogueForm, takes: Takes, ids: Sequence[int]) -> list[Outdated]:
    """Those of the batches whose property does not say what is left. More handed out than there was leaves less than nothing, and says so."""
    statement = select(_E.id, _E.uuid, _E.version, _E.data, _E.created_at).where(
        _E.project_id == entity_list.project_id, _E.id.in_(ids), _E.list_id == entity_list.id, _E.deleted_at.is_(None)
    )
    rows = session.connection().execute(statement).all()
    taken = _taken(session, entity_list.project_id, form, takes, rows)
    found = []
    for row in rows:
        total = _number(row.data.get(takes.total_property))
        left = "" if total is None else f"{(total - taken[row.uuid]).normalize():f}"
        if (row.data.get(takes.left_property) or "") != left:
            found.append(Outdated(row.id, row.version, {takes.left_property: left}, None))
    return found


def _taken(session: Session, project_id: int, form: CatalogueForm, takes: Takes, rows: Sequence[Any]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = defaultdict(Decimal)
    if not rows:
        return found
    dialect = session.get_bind().dialect.name
    batch, quantity = (json_text(dialect, _V.answers, path.split("/")) for path in (takes.batch, takes.quantity))
    statement = (
        select(batch, quantity).select_from(Submission.__table__)
        .join(SubmissionVersion.__table__, (_V.project_id == _S.project_id) & (_V.id == _S.current_version_id))
        .join(Form.__table__, Form.id == _S.form_pk)
        # Nothing is handed out of a batch before it is there: the index on the form and the receipt bounds what is read.
        .where(Form.project_id == project_id, Form.form_id == form.form_id, Form.deleted_at.is_(None), _S.is_draft.is_(False),
               _S.received_at >= min(row.created_at for row in rows), _S.deleted_at.is_(None), _S.review_state != "rejected",
               batch.in_([row.uuid for row in rows]))
    )  # fmt: skip
    for uuid, text in session.connection().execute(statement):
        found[uuid] += _number(text) or 0
    return found


def _number(text: Any) -> Decimal | None:
    try:
        number = Decimal(str(text))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < Decimal(10) ** 15 else None


def batches_of(session: Session, project_id: int, form_pks: Sequence[int], submission_ids: Sequence[int], takes: Takes, list_id: int) -> list[int]:
    """The batches that the submissions name, or named before an edit."""
    batch = json_text(session.get_bind().dialect.name, _V.answers, takes.batch.split("/"))
    named = select(func.distinct(batch)).where(_V.project_id == project_id, _V.submission_id.in_(submission_ids), _V.form_pk.in_(form_pks))
    uuids = [uuid for uuid in session.scalars(named) if uuid]
    return list(session.scalars(select(_E.id).where(_E.list_id == list_id, _E.uuid.in_(uuids)))) if uuids else []
