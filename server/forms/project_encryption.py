"""Managed encryption: all forms of a project carry one key, whose private half only a passphrase opens."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor
from server.access.audit import record_audit
from server.forms.drafts import put_draft
from server.forms.encryption import encrypted_xform, version_suffix
from server.forms.fields import read_form_definition
from server.forms.publish import publish_draft
from server.model import EncryptionKey, Form, FormVersion, Project, Submission


def encrypt_project(session: Session, actor: Actor, project: Project, *, public: str, private: dict[str, Any], hint: str | None) -> None:
    """The project's forms carry this key from now on: published ones in a new version, drafts in place of what they were.

    Forms with a key of their own stay as they are; submissions to drafts go, because they were sent in the open.
    Raises: insufficient_rights, already_active.
    """
    actor.require("project.update", project)
    if project.key_id is not None:
        raise problems.already_active("managed encryption")
    key = EncryptionKey(public=public, private=private, managed=True, hint=hint, created_at=datetime.now(UTC))
    session.add(key)
    session.flush()
    project.key_id, project.updated_at = key.id, datetime.now(UTC)
    suffix = version_suffix()
    for form in session.scalars(select(Form).where(Form.project_id == project.id, Form.deleted_at.is_(None)).order_by(Form.id)).all():
        _encrypt_form(session, actor, project, form, suffix)
    table = Submission.__table__
    session.execute(
        update(table).where(table.c.project_id == project.id, table.c.is_draft.is_(True), table.c.deleted_at.is_(None))  # type: ignore[arg-type]
        .values(deleted_at=datetime.now(UTC))
    )  # fmt: skip
    record_audit(session, actor, "project.update", project_id=project.id, encrypted=True)
    record_audit(session, actor, "project.update", project_id=project.id, data={"keyId": key.id})


def _encrypt_form(session: Session, actor: Actor, project: Project, form: Form, suffix: str) -> None:
    draft = session.get(FormVersion, form.draft_version_id) if form.draft_version_id else None
    current = session.get(FormVersion, form.current_version_id) if form.current_version_id else None
    kept = (bytes(draft.xform), draft.xlsx_sha256, draft.draft_token) if draft is not None and draft.key_id is None else None
    if current is not None and current.key_id is None:
        _put(session, actor, project, form, bytes(current.xform), suffix, current.xlsx_sha256)
        publish_draft(session, actor, form)
    if kept is not None:
        made = _put(session, actor, project, form, kept[0], suffix if current is None else version_suffix(), kept[1])
        made.draft_token = kept[2]
    session.flush()


def _put(session: Session, actor: Actor, project: Project, form: Form, xform: bytes, suffix: str, xlsx_sha256: str | None) -> FormVersion:
    encrypted = encrypted_xform(session, project, xform, suffix)
    put_draft(session, actor, form, encrypted, read_form_definition(encrypted), None, is_new=False)
    made = session.get_one(FormVersion, form.draft_version_id)
    made.xlsx_sha256 = xlsx_sha256
    return made
