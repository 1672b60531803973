"""What staff say of a submission."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor
from server.access.audit import record_audit
from server.model import ActorRow, Comment, Submission
from server.plain_rows import insert_row
from server.transactions import new_id

_LONGEST = 2000
_MOST = 1000


def add_comment(session: Session, actor: Actor, submission: Submission, *, body: str) -> Comment:
    """The submission has this comment. Raises: insufficient_rights, missing_part (empty), invalid_value (too long)."""
    actor.require("submission.comment", submission)
    if not body.strip():
        raise problems.missing_part("comment")
    comment = write_comment(session, actor, submission, body=body)
    record_audit(
        session, actor, "comment.create", project_id=submission.project_id, form_pk=submission.form_pk, submission_id=submission.id
    )
    return comment


def write_comment(session: Session, actor: Actor, submission: Submission, *, body: str, review_state: str | None = None) -> Comment:
    """The comment's row, for whoever has settled the rights. `review_state` where it came with a decision. Raises: invalid_value (too long)."""
    body = body.strip()
    if len(body) > _LONGEST:
        raise problems.invalid_value("comment", f"最多 {_LONGEST} 个字 / at most {_LONGEST} characters")
    row = {
        "project_id": submission.project_id, "id": new_id(), "submission_id": submission.id, "actor_id": actor.id, "body": body,
        "review_state": review_state, "created_at": datetime.now(UTC),
    }  # fmt: skip
    insert_row(session, Comment, row)
    return Comment(**row)


def list_comments(session: Session, submission: Submission, *, limit: int | None = None, offset: int = 0) -> Sequence[Row[tuple[Comment, ActorRow]]]:
    """Comments with their authors, newest first, for whoever may read the submission; at most 1000 at a time."""
    statement = (
        select(Comment, ActorRow).join(ActorRow, ActorRow.id == Comment.actor_id)
        .where(Comment.project_id == submission.project_id, Comment.submission_id == submission.id)
        .order_by(Comment.created_at.desc(), Comment.id.desc()).limit(_MOST if limit is None else min(limit, _MOST)).offset(offset)
    )  # fmt: skip
    return session.execute(statement).all()
