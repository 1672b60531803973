"""Submissions that programs make and edit one at a time, without the resends that phones need."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor
from server.model import Submission, SubmissionVersion
from server.submissions.arriving import Received, Sending, accept
from server.submissions.envelope import Envelope
from server.submissions.receive import find_replaced, store_edit, store_new
from server.submissions.records import Which, find_by_instance


def create_submission(session: Session, actor: Actor, project_id: int, envelope: Envelope, xml: bytes, sending: Sending) -> Received:
    """A new submission. Raises: what `accept` raises, uniqueness_violation (its instanceID is here), submission_was_deleted."""
    version = accept(session, actor, project_id, envelope, xml, sending)
    made = store_new(session, version)
    if made is None:
        known = (
            select(Submission.deleted_at)
            .join(SubmissionVersion, (SubmissionVersion.project_id == Submission.project_id) & (SubmissionVersion.submission_id == Submission.id))
            .where(SubmissionVersion.form_pk == version.form_pk, SubmissionVersion.is_draft.is_(version.is_draft),
                   SubmissionVersion.instance_id == envelope.instance_id)
        )  # fmt: skip
        if session.scalar(known) is not None:
            raise problems.submission_was_deleted()
        raise problems.uniqueness_violation(["instanceId"], [envelope.instance_id])
    return made


def edit_submission(session: Session, actor: Actor, which: Which, envelope: Envelope, xml: bytes, sending: Sending) -> Received:
    """The XML replaces the submission's current version, which it names in deprecatedID.

    Raises: what `accept` raises, expected_deprecation, not_found, outdated_edit, instance_id_conflict.
    """
    if envelope.form_id != which.form_id:
        raise problems.unexpected_value("form id", envelope.form_id, "did not match the form ID in the URL")
    if not envelope.deprecated_id:
        raise problems.expected_deprecation()
    version = accept(session, actor, which.project_id, envelope, xml, sending)
    _form, submission = find_by_instance(session, actor, which, verb="submission.create", lock=True)
    current = session.get_one(SubmissionVersion, (submission.project_id, submission.current_version_id))
    if current.instance_id != envelope.deprecated_id:
        raise problems.outdated_edit(envelope.deprecated_id)
    stored = store_edit(session, version, find_replaced(session, version, envelope.deprecated_id))
    if stored is None:
        raise problems.instance_id_conflict()
    return stored
