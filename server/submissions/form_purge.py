"""The trash emptied: forms with their submissions, and single submissions, in small pieces that hold up no phone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from server.changes import record_change
from server.forms.trash import erase_form, in_trash
from server.model import Form, Submission
from server.submissions.trash import TRASH_DAYS, erase, purge_submissions
from server.transactions import transaction

_BATCH = 500


def purge_one_form(session: Session, older_than: datetime, *, form_pk: int | None = None) -> Form | None:
    """A piece of erasing the form that was deleted longest ago, before `older_than`: at most 500 of its submissions, or what is left of it.

    The form that was worked on; None if there is none. `form_pk`: this form alone.
    """
    statement = select(Form).where(in_trash(), Form.deleted_at < older_than).order_by(Form.deleted_at, Form.id).limit(1)
    form = session.scalar(statement if form_pk is None else statement.where(Form.id == form_pk))
    if form is None:
        return None
    found = session.execute(
        select(Submission.id, Submission.instance_id, Submission.is_draft)
        .where(Submission.project_id == form.project_id, Submission.form_pk == form.id).limit(_BATCH)
    ).all()  # fmt: skip
    if not found:
        erase_form(session, form)
        return form
    erase(session, form.project_id, [row.id for row in found])
    for row in found:
        if not row.is_draft:
            details = {"form_id": form.form_id, "instance_id": row.instance_id}
            record_change(session, "submission.purged", project_id=form.project_id, form_pk=form.id, submission_id=row.id, details=details)
    return form


def purge_trash_piece(session: Session, older_than: datetime) -> bool:
    """A bounded piece of erasing what was deleted before `older_than`; whether there may be more."""
    return purge_one_form(session, older_than) is not None or purge_submissions(session, older_than) > 0


def trash_limit(now: datetime | None = None) -> datetime:
    """What was deleted before this is erased."""
    return (now or datetime.now(UTC)) - timedelta(days=TRASH_DAYS)


def empty_trash(engine: Engine, *, everything: bool = False) -> int:
    """What was deleted over 30 days ago (`everything`: what was deleted at all) is erased, a transaction a piece; how many pieces."""
    older_than = datetime.now(UTC) if everything else trash_limit()
    pieces = 0
    while True:
        with transaction(engine, write=True) as session:
            if not purge_trash_piece(session, older_than):
                return pieces
        pieces += 1
