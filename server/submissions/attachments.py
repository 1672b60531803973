"""Files of submissions as programs read, add and clear them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor
from server.access.audit import record_audit
from server.changes import record_change
from server.model import Attachment, BlobRow, SubmissionVersion
from server.storage import Blob, record_blob
from server.submissions.records import Which, find_by_instance, find_version

_MOST = 5000


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that is there: hex digests, and the type that its sender gave."""

    sha256: str
    md5: str
    content_type: str | None


def list_expected(session: Session, actor: Actor, which: Which, version_id: str | None = None) -> Sequence[Attachment]:
    """The files that a version mentions, there or not, by name. Raises: what find_version raises."""
    version = find_version(session, actor, which, version_id).version
    statement = select(Attachment).where(
        Attachment.project_id == version.project_id, Attachment.version_id == version.id, Attachment.is_expected.is_(True)
    )
    return session.scalars(statement.order_by(Attachment.name).limit(_MOST)).all()


def find_file(session: Session, actor: Actor, which: Which, name: str, version_id: str | None = None) -> StoredFile:
    """A version's file. Raises: what find_version raises, not_found (also while its bytes have not arrived)."""
    version = find_version(session, actor, which, version_id).version
    row = session.execute(
        select(Attachment.content_type, BlobRow.sha256, BlobRow.md5).join(BlobRow, BlobRow.sha256 == Attachment.blob_sha256)
        .where(Attachment.project_id == version.project_id, Attachment.version_id == version.id, Attachment.name == name)
    ).one_or_none()  # fmt: skip
    if row is None:
        raise problems.not_found()
    return StoredFile(row.sha256, row.md5, row.content_type)


def check_may_put(session: Session, actor: Actor, which: Which, name: str) -> None:
    """Asked before the bytes are read: `put_file` would take this file. Raises: what put_file raises."""
    _find_place(session, actor, which, name, lock=False)


def put_file(session: Session, actor: Actor, which: Which, name: str, blob: Blob, content_type: str | None) -> None:
    """The submission's current version has this file, which it mentions.

    Who may only send submissions may add what is missing to their own, as long as nobody edited it.
    Raises: not_found, insufficient_rights.
    """
    version, row = _find_place(session, actor, which, name, lock=True)
    record_blob(session, blob)
    _change(session, actor, version, row, instance_id=which.instance_id, blob=blob, content_type=content_type)


def _find_place(session: Session, actor: Actor, which: Which, name: str, *, lock: bool) -> tuple[SubmissionVersion, Attachment]:
    _form, submission = find_by_instance(session, actor, which, verb="submission.create", lock=lock)
    version = session.get_one(SubmissionVersion, (submission.project_id, submission.current_version_id))
    row = session.get(Attachment, (version.project_id, version.id, name))
    if row is None or not row.is_expected:
        raise problems.not_found()
    is_own = bool(actor.id) and version.submitter_id == actor.id and version.instance_id == submission.instance_id
    if not (is_own and row.blob_sha256 is None):
        actor.require("submission.update", submission)
    return version, row


def clear_file(session: Session, actor: Actor, which: Which, name: str, version_id: str | None = None) -> None:
    """The version mentions the file still, and it is not there. Raises: not_found, insufficient_rights."""
    version = find_version(session, actor, which, version_id, verb="submission.update").version
    row = session.get(Attachment, (version.project_id, version.id, name))
    if row is None or not row.is_expected:
        raise problems.not_found()
    _change(session, actor, version, row, instance_id=version_id or which.instance_id, blob=None, content_type=None)


def _change(
    session: Session, actor: Actor, version: SubmissionVersion, row: Attachment, *, instance_id: str, blob: Blob | None, content_type: str | None
) -> None:
    old = row.blob_sha256
    row.blob_sha256, row.content_type = (blob.sha256, (content_type or "")[:100] or None) if blob else (None, None)
    row.received_at = datetime.now(UTC) if blob else None
    place = {"project_id": version.project_id, "form_pk": version.form_pk, "submission_id": version.submission_id}
    details = {"instanceId": instance_id, "submissionDefId": version.id, "name": row.name, "oldBlobId": old}
    record_audit(session, actor, "submission.attachment.update", **place, **details, **({"newBlobId": blob.sha256} if blob else {}))
    if not version.is_draft:
        record_change(session, "submission.attachments", **place)
