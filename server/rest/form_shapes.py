"""Forms, their versions, media and fields as JSON."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.exports.tables import odata_name
from server.forms.definitions import form_definition
from server.forms.fields import FormDefinition
from server.forms.reading import FormCounts, FormInVersion
from server.http.json_answers import instant
from server.model import ActorRow, BlobRow, Form, FormAttachment, FormVersion
from server.rest.actor_shapes import actor_shape

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def form_shape(row: FormInVersion) -> dict[str, Any]:
    """A form in one version."""
    form, version = row.form, row.version
    shape: dict[str, Any] = {
        "projectId": form.project_id, "xmlFormId": form.form_id, "state": form.state, "enketoId": None, "enketoOnceId": None,
        "createdAt": instant(form.created_at), "updatedAt": instant(form.updated_at), "webformsEnabled": form.web_forms_enabled,
    }  # fmt: skip
    if version is not None:
        shape |= version_shape(version)
    if form.deleted_at is not None:
        shape |= {"deletedAt": instant(form.deleted_at), "id": form.id}
    return shape


def version_shape(version: FormVersion) -> dict[str, Any]:
    """A version's own columns."""
    return {
        "keyId": version.key_id, "version": version.version, "hash": version.md5, "sha": version.sha1, "sha256": version.sha256,
        "draftToken": version.draft_token, "publishedAt": instant(version.published_at), "name": version.title or None,
    }  # fmt: skip


def extended_form_shape(session: Session, row: FormInVersion, counts: FormCounts, *, may_update: bool = False) -> dict[str, Any]:
    """A form with what hangs on it; the publisher's notes for who may change it."""
    version = row.version
    definition = form_definition(session, version.id) if version is not None else None
    notes = {"publishNotes": version.publish_notes} if may_update and version is not None else {}
    return {
        **form_shape(row), **notes, "submissions": counts.submissions,
        "reviewStates": {"received": counts.received, "hasIssues": counts.has_issues, "edited": counts.edited},
        "lastSubmission": instant(counts.last_submission), "excelContentType": XLSX if version is not None and version.xlsx_sha256 else None,
        "publicLinks": counts.public_links, "entityRelated": bool(definition and definition.entities),
        "createdBy": actor_shape(counts.created_by) if counts.created_by else None,
    }  # fmt: skip


def published_shape(form: Form, version: FormVersion, publisher: ActorRow | None, *, extended: bool, may_update: bool) -> dict[str, Any]:
    """A published version in the list of versions."""
    shape = form_shape(FormInVersion(form, version))
    if extended and may_update:
        shape["publishNotes"] = version.publish_notes
    if extended:
        shape |= {"publishedBy": actor_shape(publisher) if publisher else None, "excelContentType": XLSX if version.xlsx_sha256 else None}
    return shape


def attachment_shapes(session: Session, attachments: list[FormAttachment]) -> list[dict[str, Any]]:
    """Declared media, there or not."""
    digests = [row.blob_sha256 for row in attachments if row.blob_sha256]
    blobs = {blob.sha256: blob for blob in session.scalars(select(BlobRow).where(BlobRow.sha256.in_(digests)))}
    return [_attachment_shape(row, blobs.get(row.blob_sha256 or "")) for row in attachments]


def _attachment_shape(row: FormAttachment, blob: BlobRow | None) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "name": row.name, "type": row.kind, "exists": blob is not None or row.list_id is not None, "blobExists": blob is not None,
        "datasetExists": row.list_id is not None,
    }  # fmt: skip
    shape["hash"] = blob.md5 if blob is not None else None
    if blob is not None:
        shape["size"] = blob.size_bytes
    if row.updated_at is not None:
        shape["updatedAt"] = instant(row.updated_at)
    return shape


def field_shapes(definition: FormDefinition, *, for_odata: bool = False) -> list[dict[str, Any]]:
    """The form's fields, groups before what is in them; with `for_odata` under the names that OData gives them."""
    name_of = odata_name if for_odata else str
    return [
        {
            "path": "/" + "/".join(name_of(name) for name in field.path), "name": name_of(field.name), "type": field.told_type,
            "binary": True if field.told_type == "binary" or field.path == ("meta", "audit") else None,
            "selectMultiple": True if field.kind == "select" and field.told_type != "odk:rank" else None,
        }
        for field in definition.fields
    ]  # fmt: skip

