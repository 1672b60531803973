"""Submissions, versions, comments, attachments and keys as JSON."""

from __future__ import annotations

from typing import Any

from server.http.json_answers import instant
from server.model import ActorRow, Attachment, Comment, EncryptionKey
from server.rest.actor_shapes import actor_shape
from server.submissions.records import Record, VersionRecord


def _someone(row: ActorRow | None) -> dict[str, Any] | None:
    return actor_shape(row) if row is not None else None


def version_shape(record: VersionRecord, *, extended: bool = False, with_form: bool = False) -> dict[str, Any]:
    """One version; extended with its sender, `with_form` also with the form version's name."""
    version = record.version
    shape: dict[str, Any] = {
        "submitterId": version.submitter_id, "createdAt": instant(version.received_at), "instanceName": record.instance_name,
        "instanceId": version.instance_id, "current": record.is_current, "deviceId": version.device_id, "userAgent": version.user_agent,
    }  # fmt: skip
    if extended:
        shape["submitter"] = _someone(record.submitter)
        if with_form:
            shape["formVersion"] = record.form_version
    return shape


def submission_shape(record: Record, *, extended: bool = False) -> dict[str, Any]:
    """A submission with its current version; extended with who sent either."""
    row = record.submission
    shape: dict[str, Any] = {
        "instanceId": row.instance_id, "submitterId": row.submitter_id, "deviceId": row.device_id, "userAgent": record.user_agent,
        "reviewState": None if row.review_state == "received" else row.review_state, "createdAt": instant(row.received_at),
        "updatedAt": instant(row.updated_at), "deletedAt": instant(row.deleted_at),
        "currentVersion": version_shape(record.current, extended=extended),
    }  # fmt: skip
    if extended:
        shape["submitter"] = _someone(record.submitter)
    return shape


def comment_shape(comment: Comment, author: ActorRow | None = None) -> dict[str, Any]:
    """A comment, with its author where asked for."""
    shape: dict[str, Any] = {"body": comment.body, "actorId": comment.actor_id, "createdAt": instant(comment.created_at)}
    return {**shape, "actor": actor_shape(author)} if author is not None else shape


def attachment_shape(row: Attachment) -> dict[str, Any]:
    """A file that is expected."""
    return {"name": row.name, "exists": row.blob_sha256 is not None}


def key_shape(key: EncryptionKey) -> dict[str, Any]:
    """A public key."""
    return {"id": key.id, "public": key.public, "managed": key.managed, "hint": key.hint, "createdAt": instant(key.created_at)}
