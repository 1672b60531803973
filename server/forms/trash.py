"""What is left of a deleted form: all of it for 30 days, then its number and its ID alone. And of what was tried on a former draft."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import ColumnElement, and_, delete, or_, select, update
from sqlalchemy.orm import Session

from server.access.actor import system_actor
from server.access.audit import record_audit
from server.model import ActorRow, Assignment, Form, FormAttachment, FormVersion, PublicLink, PurgedSubmission, Submission


def in_trash() -> ColumnElement[bool]:
    """Of a row of forms: it was deleted, and can still come back."""
    return and_(Form.deleted_at.is_not(None), or_(Form.current_version_id.is_not(None), Form.draft_version_id.is_not(None)))


def erase_form(session: Session, form: Form) -> None:
    """The form's versions, media, links and assignments are gone for good; its submissions must be already.

    The row stays without them: its number must never be another form's, because the audit log and the log of changes name it.
    """
    draft_or_current = form.current_version_id or form.draft_version_id
    version = session.get(FormVersion, draft_or_current) if draft_or_current else None
    # Words for ODK Central's: what a purged form was.
    details = {"xmlFormId": form.form_id, "name": version.title or None if version else None, "version": version.version if version else None}
    form.current_version_id = form.draft_version_id = None
    session.flush()
    versions = select(FormVersion.id).where(FormVersion.form_pk == form.id)
    links = select(PublicLink.actor_id).where(PublicLink.form_pk == form.id)
    for statement in (
        delete(FormAttachment).where(FormAttachment.form_version_id.in_(versions)),
        delete(FormVersion).where(FormVersion.form_pk == form.id),
        delete(Assignment).where(Assignment.form_id == form.id),
        update(ActorRow).where(ActorRow.id.in_(links), ActorRow.deleted_at.is_(None)).values(deleted_at=form.deleted_at),
        delete(PublicLink).where(PublicLink.form_pk == form.id),
        delete(PurgedSubmission).where(PurgedSubmission.form_pk == form.id),
    ):
        session.execute(statement.execution_options(synchronize_session=False))
    session.expire_all()
    record_audit(session, system_actor(), "form.purge", project_id=form.project_id, form_pk=form.id, **details)


def trash_stale_drafts(session: Session, project_id: int, form_pk: int, draft_version_id: int | None) -> None:
    """What was tried on the form's former drafts is in the trash, its instanceIDs taken until it is erased (as in ODK Central).

    Nothing shows these rows any more: they are of another version than the draft.
    """
    stale = [Submission.project_id == project_id, Submission.form_pk == form_pk, Submission.is_draft.is_(True), Submission.deleted_at.is_(None)]
    if draft_version_id is not None:
        stale.append(Submission.form_version_id != draft_version_id)
    session.execute(update(Submission).where(*stale).values(deleted_at=datetime.now(UTC)).execution_options(synchronize_session=False))
