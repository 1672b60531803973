"""The own server as a source: numbered changes, each submission read once per batch in its present state."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from server.changes import last_position, read_changes
from server.forms.definitions import form_definition
from server.model import ActorRow, Change, Form, Submission, SubmissionVersion
from server.problems import Problem
from server.transactions import transaction
from sync.sources import Batch, FormState, Purged, SubmissionState, Trashed

_S, _V, _F = Submission.__table__.c, SubmissionVersion.__table__.c, Form.__table__.c
_SUBMISSIONS_PER_QUERY = 1000
_TRASHING = frozenset({"form.deleted", "form.restored"})
# Who is in the trash with its form is deleted too, until the form comes back.
_DELETED_AT = func.coalesce(_S.deleted_at, _F.deleted_at, type_=_S.deleted_at.type)


def read_batch(engine: Engine, after: int, *, forms_after: int = 0, limit: int) -> Batch:
    """What changed after `after`, at most `limit` log entries; and every form published after `forms_after`, however late.

    Forms run ahead because a submission is read in its present state, which may be of a version that was published after
    this batch: tables grow in the log's order all the same, so a rebuild gives the same names.
    """
    with transaction(engine) as session:
        changes = read_changes(session, after, limit=limit)
        if not changes:
            return Batch(after, forms_after, 0)
        touched: dict[int, dict[int, None]] = {}
        for change in changes:
            if change.submission_id is not None and change.kind != "submission.purged":
                touched.setdefault(change.project_id, {})[change.submission_id] = None
        return Batch(
            changes[-1].position or after,
            last_position(session),
            len(changes),
            _forms(session, forms_after),
            [gone for change in changes if change.kind == "submission.purged" for gone in _purged(session, change)],
            [state for project_id, ids in touched.items() for state in _submissions(session, project_id, list(ids))],
            _trashed(engine, session, {change.form_pk for change in changes if change.kind in _TRASHING and change.form_pk is not None}),
        )


def _trashed(engine: Engine, session: Session, form_pks: set[int]) -> list[Trashed]:
    forms = session.execute(select(_F.id, _F.project_id, _F.form_id).where(_F.id.in_(form_pks)).order_by(_F.id)).all()
    return [Trashed(project_id, form_id, partial(_deletions, engine, form_pk)) for form_pk, project_id, form_id in forms]


def _deletions(engine: Engine, form_pk: int) -> Iterator[list[tuple[str, datetime | None]]]:
    statement = (
        select(_S.instance_id, _DELETED_AT).join(Form.__table__, _F.id == _S.form_pk)
        .where(_S.form_pk == form_pk, _S.is_draft.is_(False)).order_by(_S.received_at, _S.id)
    )  # fmt: skip
    with transaction(engine) as session:
        found = session.connection().execute(statement, execution_options={"yield_per": _SUBMISSIONS_PER_QUERY})
        for chunk in found.partitions():
            yield [(row[0], row[1]) for row in chunk]


def _forms(session: Session, after: int) -> list[FormState]:
    published = select(Change.project_id, Change.details).where(Change.kind == "form.published", Change.position > after)
    found = []
    for project_id, details in session.execute(published.order_by(Change.position)):
        try:
            definition = form_definition(session, details["form_version_id"])
        except Problem:
            continue  # the version is gone since, and with it every submission that could need its columns
        found.append(FormState(project_id, definition.form_id, details["form_version_id"], definition))
    return found


def _purged(session: Session, change: Change) -> list[Purged]:
    details = change.details or {}
    form_id = details.get("form_id") or session.scalar(select(Form.form_id).where(Form.id == (change.form_pk or details.get("form_pk"))))
    return [Purged(change.project_id, form_id, details["instance_id"])] if form_id else []


def _submissions(session: Session, project_id: int, ids: list[int]) -> list[SubmissionState]:
    # By project as well as by number: the key begins with the project, and no index begins with the number.
    statement = (
        select(_F.form_id, _V.form_version_id, _S.instance_id, _V.instance_id, ActorRow.display_name, _S.device_id, _S.division,
               _S.review_state, _S.review_level, _S.received_at, _S.updated_at, _DELETED_AT, _V.is_encrypted, _V.answers)
        .join(SubmissionVersion.__table__, (_V.project_id == _S.project_id) & (_V.id == _S.current_version_id))
        .join(Form.__table__, _F.id == _S.form_pk)
        .outerjoin(ActorRow, ActorRow.id == _S.submitter_id)
        .where(_S.project_id == project_id, _S.is_draft.is_(False))
        .order_by(_S.id)
    )  # fmt: skip
    states = []
    forms: dict[tuple[str, int], FormState] = {}
    for start in range(0, len(ids), _SUBMISSIONS_PER_QUERY):
        for form_id, version_id, *rest in session.connection().execute(statement.where(_S.id.in_(ids[start : start + _SUBMISSIONS_PER_QUERY]))):
            form = forms.get((form_id, version_id))
            if form is None:
                form = forms[form_id, version_id] = FormState(project_id, form_id, version_id, form_definition(session, version_id))
            states.append(SubmissionState(form, *rest))
    return states
