"""A submission arrives: new, sent again, or an edit. One write transaction around `receive_submission`, then the answer."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor
from server.access.audit import record_audit
from server.access.sealed import sealer_of
from server.changes import record_change
from server.entities.apply import apply_changes
from server.model import Attachment, AuditEntry, Submission, SubmissionVersion
from server.plain_rows import insert_row
from server.storage import record_blob
from server.submissions.answers import carry_repeat_keys
from server.submissions.arriving import Arrival, ArrivingVersion, Received, Sending, accept
from server.submissions.entity_changes import apply_after_edit, read_entity_changes
from server.submissions.envelope import Envelope
from server.submissions.rows import insert_submission, insert_version
from server.submissions.stored_xml import sent_xml
from server.transactions import Statement, new_id, stored_time

_SUBMISSIONS: Table = Submission.__table__  # type: ignore[assignment]
_VERSIONS: Table = SubmissionVersion.__table__  # type: ignore[assignment]
_ATTACHMENTS: Table = Attachment.__table__  # type: ignore[assignment]
_FILLING = (
    "UPDATE submission_attachments SET blob_sha256 = :blob_sha256, content_type = :content_type, received_at = :received_at"
    " WHERE project_id = :project_id AND version_id = :version_id AND name = :name"
)
_FILL_MISSING = Statement(f"{_FILLING} AND blob_sha256 IS NULL")
_FILL = Statement(f"{_FILLING} AND (blob_sha256 IS NULL OR (is_expected AND blob_sha256 <> :blob_sha256))")
_PURGED = Statement("SELECT 1 FROM purged_submissions WHERE form_pk = :form_pk AND instance_id = :instance_id")


def receive_submission(session: Session, actor: Actor, project_id: int, envelope: Envelope, xml: bytes, sending: Sending) -> Received:
    """The XML and its files are stored as a new submission, as one sent again, or as an edit; or nothing changes.

    The cases and what each leaves: NEW: submission, version, attachments, entities, audit, change. RESEND (known instanceID,
    same bytes): attachments that were missing. EDIT (deprecatedID): a version that replaces the current one.
    Raises: what `accept` raises, submission_conflict, submission_was_deleted, edit_of_unknown_submission, outdated_edit,
    uniqueness_violation (an edit under an instanceID that is taken).
    """
    version = accept(session, actor, project_id, envelope, xml, sending)
    if envelope.deprecated_id and envelope.deprecated_id != envelope.instance_id:
        return _receive_edit(session, version, envelope.deprecated_id)
    return store_new(session, version) or _receive_resend(session, version)


def store_new(session: Session, version: ArrivingVersion) -> Received | None:
    """A new submission is stored; None, and nothing is, if its instanceID is known. Raises: submission_was_deleted (erased for good)."""
    _require_never_purged(session, version)
    instance_id = version.envelope.instance_id
    submission_id, division, expected = new_id(), version.division(), version.expected_files()
    is_new = insert_submission(
        session, version.row(submission_id), instance_name=version.envelope.instance_name, division=division, expected=expected,
        is_logged=not version.is_draft,
    )  # fmt: skip
    if not is_new:
        return None
    if version.is_draft:
        _log_draft(session, version, "submission.create", submission_id)
    elif session.info.get("notes"):
        entry = (AuditEntry.project_id == version.project_id, AuditEntry.submission_id == submission_id, AuditEntry.action == "submission.create")
        session.execute(update(AuditEntry).where(*entry).values(notes=session.info["notes"]))
    # A phone's files come with its submission, whose entry stands for them: one for each photo would be most of the log.
    _store_files(session, version, submission_id, is_logged=version.actor.kind != "phone")
    _apply_entities(session, version, division)
    return Received(Arrival.NEW, version.project_id, submission_id, version.id, instance_id)


def _require_never_purged(session: Session, version: ArrivingVersion) -> None:
    asked = {"form_pk": version.form_pk, "instance_id": version.envelope.instance_id}
    if not version.is_draft and _PURGED.on(session, asked).fetchone() is not None:
        raise problems.submission_was_deleted()


def _log_draft(session: Session, version: ArrivingVersion, action: str, submission_id: int) -> None:
    """What is tried on a draft is in the audit log, and no consumer of changes sees it."""
    record_audit(
        session, version.actor, action, **version.place(submission_id), instanceId=version.envelope.instance_id, submissionDefId=version.id
    )


def _receive_resend(session: Session, version: ArrivingVersion, *, may_differ: bool = False) -> Received:
    known = session.connection().execute(
        select(_VERSIONS.c.id, _VERSIONS.c.submission_id, _VERSIONS.c.xml, _VERSIONS.c.is_complete, _SUBMISSIONS.c.deleted_at)
        .join(_SUBMISSIONS, (_SUBMISSIONS.c.project_id == _VERSIONS.c.project_id) & (_SUBMISSIONS.c.id == _VERSIONS.c.submission_id))
        .where(_VERSIONS.c.form_pk == version.form_pk, _VERSIONS.c.is_draft == version.is_draft,
               _VERSIONS.c.instance_id == version.envelope.instance_id)
    ).one()  # fmt: skip
    if known.deleted_at is not None:
        raise problems.submission_was_deleted()
    if sent_xml(session, known.xml) != version.xml:
        if may_differ:
            raise problems.uniqueness_violation(["instanceID"], [version.envelope.instance_id])
        raise problems.submission_conflict(version.envelope.instance_id)
    version.id = known.id
    added = _store_files(session, version, known.submission_id)
    is_complete = not version.sending.more_to_come and not known.is_complete
    if is_complete:
        session.execute(update(_VERSIONS).where(_VERSIONS.c.project_id == version.project_id, _VERSIONS.c.id == known.id).values(is_complete=True))
    if (added or is_complete) and not version.is_draft:
        record_change(session, "submission.attachments", **version.place(known.submission_id))
    return Received(Arrival.RESEND, version.project_id, known.submission_id, known.id, version.envelope.instance_id)


def _receive_edit(session: Session, version: ArrivingVersion, deprecated_id: str) -> Received:
    replaced = find_replaced(session, version, deprecated_id)
    return store_edit(session, version, replaced) or _receive_resend(session, version, may_differ=replaced.id == replaced.current_version_id)


def find_replaced(session: Session, version: ArrivingVersion, deprecated_id: str) -> Any:
    """The version that an edit replaces: id, submission_id, answers; its submission's current_version_id, division, instance_id.

    Raises: edit_of_unknown_submission (also in the trash, or another division's).
    """
    replaced = session.connection().execute(
        select(_VERSIONS.c.id, _VERSIONS.c.submission_id, _VERSIONS.c.answers, _SUBMISSIONS.c.current_version_id, _SUBMISSIONS.c.division,
               _SUBMISSIONS.c.instance_id, _SUBMISSIONS.c.submitter_id)
        .join(_SUBMISSIONS, (_SUBMISSIONS.c.project_id == _VERSIONS.c.project_id) & (_SUBMISSIONS.c.id == _VERSIONS.c.submission_id))
        .where(_VERSIONS.c.form_pk == version.form_pk, _VERSIONS.c.is_draft == version.is_draft, _VERSIONS.c.instance_id == deprecated_id,
               _SUBMISSIONS.c.deleted_at.is_(None))
    ).one_or_none()  # fmt: skip
    if replaced is None or not _may_replace(version.actor, replaced):
        raise problems.edit_of_unknown_submission(deprecated_id)
    return replaced


def _may_replace(actor: Actor, replaced: Any) -> bool:
    """Who is bound to a division edits what lies in it, and what is its own."""
    return not actor.division or replaced.division.startswith(actor.division) or (bool(actor.id) and replaced.submitter_id == actor.id)


def store_edit(session: Session, version: ArrivingVersion, replaced: Any) -> Received | None:
    """The version replaces `replaced` (find_replaced); None, and nothing is stored, if its instanceID is known.

    Raises: outdated_edit, submission_was_deleted (its instanceID was erased for good).
    """
    connection = session.connection()
    _require_never_purged(session, version)
    carry_repeat_keys(replaced.answers, version.answers)
    if not insert_version(session, version.row(replaced.submission_id)):
        return None
    # The condition is the lock: of two edits of one version, the second finds the version replaced.
    moved = connection.execute(
        update(_SUBMISSIONS)
        .where(_SUBMISSIONS.c.project_id == version.project_id, _SUBMISSIONS.c.id == replaced.submission_id,
               _SUBMISSIONS.c.current_version_id == replaced.id)
        .values(current_version_id=version.id, form_version_id=version.form_version_id, instance_name=version.envelope.instance_name,
                division=version.division() or replaced.division, review_state="edited", review_level=None, updated_at=version.at)
    )  # fmt: skip
    if moved.rowcount != 1:
        raise problems.outdated_edit(version.envelope.deprecated_id or "")
    _expect_files(connection, version)
    _store_files(session, version, replaced.submission_id)
    _carry_attachments(connection, version, replaced.id)
    if version.is_draft:
        _log_draft(session, version, "submission.update.version", replaced.submission_id)
    else:
        place = version.place(replaced.submission_id)
        details = {"instanceId": version.envelope.instance_id, "submissionDefId": version.id}
        record_audit(session, version.actor, "submission.update.version", **place, **details)
        record_change(session, "submission.edited", **place)
        apply_after_edit(session, version.actor, version.project_id, version.id)
    return Received(Arrival.EDIT, version.project_id, replaced.submission_id, version.id, version.envelope.instance_id)


def _insert_once(connection: Connection, table: Table) -> Any:
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    return make(table).on_conflict_do_nothing()


def _carry_attachments(connection: Connection, version: ArrivingVersion, replaced_id: int) -> None:
    """Files that the edit still mentions and did not send again are those of the version it replaces (Central does so too)."""
    old = select(_ATTACHMENTS.c.name, _ATTACHMENTS.c.blob_sha256, _ATTACHMENTS.c.content_type, _ATTACHMENTS.c.received_at).where(
        _ATTACHMENTS.c.project_id == version.project_id, _ATTACHMENTS.c.version_id == replaced_id, _ATTACHMENTS.c.blob_sha256.is_not(None)
    )
    for row in connection.execute(old).all():
        connection.execute(
            update(_ATTACHMENTS)
            .where(_ATTACHMENTS.c.project_id == version.project_id, _ATTACHMENTS.c.version_id == version.id,
                   _ATTACHMENTS.c.name == row.name, _ATTACHMENTS.c.blob_sha256.is_(None))
            .values(blob_sha256=row.blob_sha256, content_type=row.content_type, received_at=row.received_at)
        )  # fmt: skip


def _expect_files(connection: Connection, version: ArrivingVersion) -> None:
    rows = [{"project_id": version.project_id, "version_id": version.id, "name": name, "is_expected": True} for name in version.expected_files()]
    if rows:
        connection.execute(_insert_once(connection, _ATTACHMENTS), rows)


def _store_files(session: Session, version: ArrivingVersion, submission_id: int, *, is_logged: bool = True) -> int:
    """The sent files are there under their names; of one that was there already a phone's stays, a program's is replaced. How many changed."""
    added = 0
    expected = set(version.expected_files()) if any(file.part_name for file in version.sending.files) else set()
    for file in version.sending.files:
        record_blob(session, file.blob)
        name = file.part_name if file.part_name in expected and file.name not in expected else file.name
        row = {
            "project_id": version.project_id, "version_id": version.id, "name": name, "blob_sha256": file.blob.sha256,
            "content_type": (file.content_type or "")[:100] or None, "received_at": version.at,
        }  # fmt: skip
        filling = _FILL_MISSING if version.actor.kind == "phone" else _FILL
        is_expected = filling.on(session, {**row, "received_at": stored_time(session, version.at)}).rowcount > 0
        # Else it is not mentioned in the XML (kept all the same), or there already.
        added += is_expected or insert_row(session, Attachment, {**row, "is_expected": False}, unless_known=True)
        if is_expected and is_logged:
            details = {"instanceId": version.envelope.instance_id, "submissionDefId": version.id, "name": name, "newBlobId": file.blob.sha256}
            record_audit(session, version.actor, "submission.attachment.update", **version.place(submission_id), **details)
    return added


def _apply_entities(session: Session, version: ArrivingVersion, division: str) -> None:
    if version.is_draft or not version.envelope.entities:
        return
    changes = read_entity_changes(version.envelope, version.definition, sealer_of(session.get_bind().dialect).seal)
    errors = apply_changes(session, version.actor, version.project_id, changes, division=division, submission_version_id=version.id)
    if errors:
        session.execute(
            update(_VERSIONS).where(_VERSIONS.c.project_id == version.project_id, _VERSIONS.c.id == version.id).values(entity_errors=errors)
        )
