"""Audit entries as JSON."""

from __future__ import annotations

from typing import Any

from server.access.actees import actee_id, actee_of
from server.access.audit_log import AuditSubjects
from server.http.json_answers import instant
from server.model import ActorRow, AuditEntry, EntityList, Project
from server.rest.actor_shapes import actor_shape


def audit_shape(entry: AuditEntry) -> dict[str, Any]:
    """An entry by ids alone."""
    actee = actee_of(entry)
    details = entry.details
    if entry.submission_id is not None and entry.action.startswith("submission."):
        details = {"submissionId": entry.submission_id, **(details or {})}
    return {
        "actorId": entry.actor_id, "action": entry.action, "acteeId": actee_id(*actee) if actee else None, "details": details,
        "loggedAt": instant(entry.at), "notes": entry.notes,
    }  # fmt: skip


def extended_audit_shape(entry: AuditEntry, subjects: AuditSubjects) -> dict[str, Any]:
    """An entry with who acted (`actor`) and what it was done to (`actee`), where they are still there."""
    shape = audit_shape(entry)
    actor = subjects.actors.get(entry.actor_id or 0)
    if actor is not None:
        shape["actor"] = actor_shape(actor)
    about = actee_of(entry)
    found = subjects.actees.get(about) if about else None
    if found is not None:
        shape["actee"] = _actee_shape(found)
    return shape


def _actee_shape(found: Any) -> dict[str, Any]:
    if isinstance(found, ActorRow):
        return actor_shape(found)
    if isinstance(found, Project):
        return {
            "id": found.id, "name": found.name, "description": found.description, "archived": found.archived, "keyId": found.key_id,
            "createdAt": instant(found.created_at), "updatedAt": instant(found.updated_at), "deletedAt": instant(found.deleted_at),
        }  # fmt: skip
    if isinstance(found, EntityList):
        return {
            "name": found.name, "projectId": found.project_id, "createdAt": instant(found.created_at), "approvalRequired": found.approval_required,
            "ownerOnly": found.owner_only, "deletedAt": instant(found.deleted_at),
        }  # fmt: skip
    form, version = found
    return {
        "projectId": form.project_id, "xmlFormId": form.form_id, "state": form.state, "createdAt": instant(form.created_at),
        "updatedAt": instant(form.updated_at), "deletedAt": instant(form.deleted_at), "name": version.title if version else None,
        "version": version.version if version else None, "hash": version.md5 if version else None,
    }  # fmt: skip
