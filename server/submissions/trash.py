"""The trash: deleted, restored, and after 30 days erased for good."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from server.access.actor import Actor, system_actor
from server.access.audit import record_audit
from server.changes import record_change
from server.model import Attachment, Comment, Form, PurgedSubmission, RuleViolations, Submission, SubmissionVersion

TRASH_DAYS = 30
_BATCH = 500


def delete_submission(session: Session, actor: Actor, submission: Submission) -> None:
    """The submission is in the trash: no list, export or phone shows it, and nobody can send it again. Raises: insufficient_rights."""
    actor.require("submission.delete", submission)
    submission.deleted_at = datetime.now(UTC)
    _log(session, actor, submission, "deleted", "submission.delete")


def restore_submission(session: Session, actor: Actor, submission: Submission) -> None:
    """The submission is back as it was. Raises: insufficient_rights."""
    actor.require("submission.restore", submission)
    submission.deleted_at = None
    _log(session, actor, submission, "restored", "submission.restore")


def _log(session: Session, actor: Actor, submission: Submission, kind: str, action: str) -> None:
    place = {"project_id": submission.project_id, "form_pk": submission.form_pk, "submission_id": submission.id}
    record_audit(session, actor, action, **place, instanceId=submission.instance_id)
    record_change(session, f"submission.{kind}", **place)


def purge_submissions(session: Session, older_than: datetime, *, limit: int = _BATCH) -> int:
    """At most `limit` submissions that were deleted before `older_than` are erased with all that hangs on them; how many.

    Their instanceIDs stay, so that a phone that sends one again is told; their files are swept with the other blobs that nothing names.
    Call again until it answers less than `limit`.
    """
    found = session.execute(
        select(Submission.project_id, Submission.id, Submission.form_pk, Submission.instance_id, Form.form_id)
        .join(Form, Form.id == Submission.form_pk).where(Submission.deleted_at < older_than).order_by(Submission.deleted_at).limit(limit)
    ).all()  # fmt: skip
    if not found:
        return 0
    by_project: dict[int, list[int]] = {}
    for row in found:
        by_project.setdefault(row.project_id, []).append(row.id)
    for project_id, ids in by_project.items():
        _remember_purged(session, project_id, ids)
        erase(session, project_id, ids)
    for row in found:
        details = {"form_id": row.form_id, "instance_id": row.instance_id}
        record_change(session, "submission.purged", project_id=row.project_id, form_pk=row.form_pk, submission_id=row.id, details=details)
    record_audit(session, system_actor(), "submission.purge", submissions_deleted=len(found))
    return len(found)


def _remember_purged(session: Session, project_id: int, ids: list[int]) -> None:
    make = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    versions = select(SubmissionVersion.form_pk, SubmissionVersion.instance_id).where(
        SubmissionVersion.project_id == project_id, SubmissionVersion.submission_id.in_(ids), SubmissionVersion.is_draft.is_(False)
    )
    rows: list[dict[str, Any]] = [{"form_pk": row[0], "instance_id": row[1], "purged_at": datetime.now(UTC)} for row in session.execute(versions)]
    if rows:
        session.connection().execute(make(PurgedSubmission.__table__).on_conflict_do_nothing(), rows)  # type: ignore[arg-type]


def erase(session: Session, project_id: int, ids: Sequence[int]) -> None:
    """These submissions' rows are gone, with versions, attachments and comments."""
    versions = select(SubmissionVersion.id).where(SubmissionVersion.project_id == project_id, SubmissionVersion.submission_id.in_(ids))
    for statement in (
        delete(Attachment).where(Attachment.project_id == project_id, Attachment.version_id.in_(versions)),
        delete(RuleViolations).where(RuleViolations.project_id == project_id, RuleViolations.submission_id.in_(ids)),
        delete(SubmissionVersion).where(SubmissionVersion.project_id == project_id, SubmissionVersion.submission_id.in_(ids)),
        delete(Comment).where(Comment.project_id == project_id, Comment.submission_id.in_(ids)),
        delete(Submission).where(Submission.project_id == project_id, Submission.id.in_(ids)),
    ):
        session.execute(statement.execution_options(synchronize_session=False))
