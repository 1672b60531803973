"""The own server as a source: numbered changes, each submission read once per batch in its present state."""

from __future__ import annotations

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from server.changes import read_changes
from server.forms.definitions import form_definition
from server.model import ActorRow, Change, Form, Submission, SubmissionVersion
from server.transactions import transaction
from sync.sources import Batch, FormState, Purged, SubmissionState

_S, _V, _F = Submission.__table__.c, SubmissionVersion.__table__.c, Form.__table__.c


def read_batch(engine: Engine, after: int, *, limit: int) -> Batch:
    """What changed after `after`: forms first, then each touched submission once. Positions of nothing to sync count too."""
    with transaction(engine) as session:
        changes = read_changes(session, after, limit=limit)
        if not changes:
            return Batch(after, 0, [])
        found: list[FormState | SubmissionState | Purged] = []
        touched: dict[int, None] = {}
        for change in changes:
            if change.kind == "form.published":
                found.append(_form(session, change))
            elif change.kind == "submission.purged":
                details = change.details or {}
                found.append(Purged(change.project_id, details["form_id"], details["instance_id"]))
            elif change.submission_id is not None:
                touched.setdefault(change.submission_id)
        found += _submissions(session, list(touched))
        return Batch(changes[-1].position or after, len(changes), found)


def _form(session: Session, change: Change) -> FormState:
    details = change.details or {}
    definition = form_definition(session, details["form_version_id"])
    return FormState(change.project_id, definition.form_id, definition)


def _submissions(session: Session, ids: list[int]) -> list[SubmissionState]:
    statement = (
        select(_S.project_id, _F.form_id, _V.form_version_id, _S.instance_id, _V.instance_id, ActorRow.display_name, _S.device_id, _S.division,
               _S.review_state, _S.review_level, _S.received_at, _S.updated_at, _S.deleted_at, _V.is_encrypted, _V.answers)
        .join(SubmissionVersion.__table__, (_V.project_id == _S.project_id) & (_V.id == _S.current_version_id))
        .join(Form.__table__, _F.id == _S.form_pk)
        .outerjoin(ActorRow, ActorRow.id == _S.submitter_id)
        .where(_S.id.in_(ids), _S.is_draft.is_(False)).order_by(_S.id)
    )  # fmt: skip
    states = []
    for project_id, form_id, version_id, *rest in session.connection().execute(statement) if ids else ():
        states.append(SubmissionState(FormState(project_id, form_id, form_definition(session, version_id)), *rest))
    return states
