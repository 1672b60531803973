"""Two-level review: township first, county last; sent back or rejected by either, always with a reason."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor
from server.access.audit import record_audit
from server.changes import record_change
from server.model import Submission, SubmissionVersion
from server.submissions.comments import write_comment
from server.submissions.entity_changes import apply_after_review


class ReviewState(StrEnum):
    """Where a submission stands, in ODK Central's words."""

    RECEIVED = "received"
    EDITED = "edited"
    HAS_ISSUES = "hasIssues"
    APPROVED = "approved"
    REJECTED = "rejected"


TOWNSHIP, COUNTY = "township", "county"


def is_final_reviewer(actor: Actor, submission: Submission) -> bool:
    """Whether the actor's word on this submission is the county's."""
    return actor.can("submission.review.final", submission) or actor.can("submission.update", submission)


def may_review(actor: Actor, submission: Submission) -> bool:
    """Whether the actor may decide on this submission now: what the county decided, only the county changes."""
    if not actor.can("submission.review", submission):
        return False
    return submission.review_level != COUNTY or is_final_reviewer(actor, submission)


def approve(session: Session, actor: Actor, submission: Submission, *, comment: str = "", seen_version_id: int | None = None) -> None:
    """Approved by the county; or by the township, then still `received`, at level `township`.

    `seen_version_id`: the version that was read. Raises: insufficient_rights, outdated_edit (another version came since).
    """
    if is_final_reviewer(actor, submission):
        _decide(session, actor, submission, ReviewState.APPROVED, COUNTY, comment.strip() or "县级审核通过", seen_version_id)
    else:
        _decide(session, actor, submission, ReviewState.RECEIVED, TOWNSHIP, comment.strip() or "乡镇审核通过", seen_version_id)


def send_back(session: Session, actor: Actor, submission: Submission, *, reason: str, seen_version_id: int | None = None) -> None:
    """The officer is asked to correct it; both reviews start anew. Raises: reason_missing, insufficient_rights, outdated_edit."""
    _decide(session, actor, submission, ReviewState.HAS_ISSUES, None, _reason(reason), seen_version_id)


def reject(session: Session, actor: Actor, submission: Submission, *, reason: str, seen_version_id: int | None = None) -> None:
    """Not accepted; `review_level` says by whom. Raises: reason_missing, insufficient_rights, outdated_edit."""
    level = COUNTY if is_final_reviewer(actor, submission) else TOWNSHIP
    _decide(session, actor, submission, ReviewState.REJECTED, level, _reason(reason), seen_version_id)


def _reason(text: str) -> str:
    if not text.strip():
        raise problems.reason_missing()
    return text.strip()


def _decide(
    session: Session, actor: Actor, submission: Submission, state: ReviewState, level: str | None, body: str, seen_version_id: int | None
) -> None:
    actor.require("submission.review", submission)
    if not may_review(actor, submission):
        raise problems.insufficient_rights()
    if seen_version_id is not None and seen_version_id != submission.current_version_id:
        raise problems.outdated_edit(submission.instance_id)
    submission.review_state, submission.review_level, submission.updated_at = state.value, level, datetime.now(UTC)
    write_comment(session, actor, submission, body=body, review_state=state.value)
    place = {"project_id": submission.project_id, "form_pk": submission.form_pk, "submission_id": submission.id}
    record_audit(session, actor, "submission.update", **place, reviewState=state.value, reviewLevel=level)
    record_change(session, "submission.reviewed", **place)
    apply_after_review(session, actor, submission)


def set_review_state(session: Session, actor: Actor, submission: Submission, state: str | None) -> None:
    """The state that a program sets; None takes a decision back. By who may only review it is that reviewer's decision, the reason its notes.

    Raises: insufficient_rights, reason_missing, unexpected_value.
    """
    if state is not None and state not in set(ReviewState):
        raise problems.unexpected_value("reviewState", state[:100], f"it is one of {', '.join(ReviewState)}")
    if not actor.can("submission.update", submission) and actor.can("submission.review", submission):
        _review(session, actor, submission, state)
        return
    actor.require("submission.update", submission)
    is_decision = state in {ReviewState.APPROVED, ReviewState.REJECTED}
    submission.review_state, submission.review_level = state or ReviewState.RECEIVED.value, COUNTY if is_decision else None
    submission.updated_at = datetime.now(UTC)
    place = {"project_id": submission.project_id, "form_pk": submission.form_pk, "submission_id": submission.id}
    current = session.get_one(SubmissionVersion, (submission.project_id, submission.current_version_id))
    record_audit(session, actor, "submission.update", **place, submissionDefId=current.id, instanceId=current.instance_id, reviewState=state)
    record_change(session, "submission.reviewed", **place)
    apply_after_review(session, actor, submission)


def _review(session: Session, actor: Actor, submission: Submission, state: str | None) -> None:
    notes = session.info.get("notes") or ""
    if state == ReviewState.APPROVED:
        approve(session, actor, submission, comment=notes)
    elif state == ReviewState.REJECTED:
        reject(session, actor, submission, reason=notes)
    elif state == ReviewState.HAS_ISSUES:
        send_back(session, actor, submission, reason=notes)
    else:
        raise problems.insufficient_rights()
