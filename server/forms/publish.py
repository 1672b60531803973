"""Publication, state, trash. A published version never changes by a byte."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor
from server.access.audit import record_audit
from server.changes import record_change
from server.entities.lists import declare_lists
from server.forms.definitions import form_definition
from server.forms.drafts import find_form, reversion_draft
from server.forms.entity_checks import declared_lists, require_lists_of
from server.forms.trash import trash_stale_drafts
from server.model import Form, FormVersion

TRASH_DAYS = 30
STATES = ("open", "closing", "closed")


def publish_draft(
    session: Session, actor: Actor, form: Form, *, version: str | None = None, at: datetime | None = None
) -> FormVersion:
    """The draft is the form's current version: frozen, its entity lists declared, the change recorded.

    `version`: it is published under this name instead of its own; `at`: when, if not now. Raises: insufficient_rights, no_draft, version_not_unique.
    """
    actor.require("form.update", form)
    if form.draft_version_id is None:
        raise problems.no_draft()
    if version is not None:
        reversion_draft(session, actor, form, version)
    draft = session.get_one(FormVersion, form.draft_version_id)
    # Also of a form in the trash: phones may hold its submissions, which name the form and this version.
    taken = select(FormVersion.id).join(Form, Form.id == FormVersion.form_pk).where(
        Form.project_id == form.project_id, Form.form_id == form.form_id, FormVersion.version == draft.version,
        FormVersion.published_at.is_not(None),
    )  # fmt: skip
    if session.scalar(taken) is not None:
        raise problems.version_not_unique(form.form_id, draft.version)
    definition = form_definition(session, draft.id)
    if draft.key_id is None:
        declare_lists(session, actor, form.project_id, declared_lists(definition))
    draft.published_at, draft.published_by, draft.draft_token = at or datetime.now(UTC), actor.id or None, None
    draft.publish_notes = session.info.get("notes")
    old = form.current_version_id
    form.current_version_id, form.draft_version_id = draft.id, None
    trash_stale_drafts(session, form.project_id, form.id, None)
    if at is None:
        form.updated_at = draft.published_at
    session.flush()
    details = {"form_version_id": draft.id, "version": draft.version}
    record_audit(session, actor, "form.update.publish", project_id=form.project_id, form_pk=form.id, oldDefId=old, newDefId=draft.id)
    record_change(session, "form.published", project_id=form.project_id, form_pk=form.id, details=details)
    return draft


def set_state(session: Session, actor: Actor, form: Form, state: str) -> None:
    """open: listed and accepting; closing: accepting what is on phones; closed: neither. Raises: insufficient_rights, invalid_value."""
    actor.require("form.update", form)
    if state not in STATES:
        raise problems.unexpected_value("state", state[:100], f"must be one of {', '.join(STATES)}")
    update_form(session, actor, form, {"state": state})


def update_form(session: Session, actor: Actor, form: Form, changes: dict[str, Any]) -> None:
    """`changes`: state, web_forms_enabled, checked by the caller. Raises: insufficient_rights."""
    actor.require("form.update", form)
    for name, value in changes.items():
        setattr(form, name, value)
    form.updated_at = datetime.now(UTC)
    shown = {"web_forms_enabled": "webformsEnabled"}
    data = {shown.get(name, name): value for name, value in changes.items()}
    record_audit(session, actor, "form.update", project_id=form.project_id, form_pk=form.id, data=data)


def delete_form(session: Session, actor: Actor, form: Form) -> None:
    """The form is in the trash for 30 days, with its submissions; phones do not see it. Raises: insufficient_rights."""
    actor.require("form.delete", form)
    form.deleted_at = datetime.now(UTC)
    record_audit(session, actor, "form.delete", project_id=form.project_id, form_pk=form.id)
    record_change(session, "form.deleted", project_id=form.project_id, form_pk=form.id)


def restore_form(session: Session, actor: Actor, form: Form) -> None:
    """The form is back. Raises: insufficient_rights, uniqueness_violation (its ID is in use again), not_found (30 days are over),
    lists_missing_for_restore.
    """
    actor.require("form.restore", form)
    is_erased = form.current_version_id is None and form.draft_version_id is None
    if is_erased or form.deleted_at is None or form.deleted_at < datetime.now(UTC) - timedelta(days=TRASH_DAYS):
        raise problems.not_found()
    if find_form(session, form.project_id, form.form_id) is not None:
        raise problems.uniqueness_violation(["projectId", "xmlFormId"], [str(form.project_id), form.form_id])
    require_lists_of(session, form)
    form.deleted_at = None
    record_audit(session, actor, "form.restore", project_id=form.project_id, form_pk=form.id)
    record_change(session, "form.restored", project_id=form.project_id, form_pk=form.id)
