"""Drafts: saved, given their media, tested at an address of their own."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor, Place
from server.access.audit import record_audit
from server.access.secrets import new_token
from server.forms.fields import FormDefinition
from server.model import EntityList, Form, FormAttachment, FormVersion, Project
from server.storage import Blob, record_blob
from server.transactions import new_id


def save_draft(
    session: Session, actor: Actor, project_id: int, *, xform: bytes, definition: FormDefinition, xlsx: Blob | None = None,
    form: Form | None = None,
) -> Form:  # fmt: skip
    """The form has this draft (a new form if there was none with its ID); media of the same name are carried over.

    Each save makes a new row, so that whatever was read of a version stays true.
    Raises: insufficient_rights, not_found, invalid_value (another form's ID).
    """
    if session.get(Project, project_id) is None:
        raise problems.not_found()
    form = form or find_form(session, project_id, definition.form_id)
    actor.require("form.update" if form else "form.create", form or Place(project_id))
    now = datetime.now(UTC)
    if form is None:
        form = Form(project_id=project_id, form_id=definition.form_id, state="open", created_by=actor.id or None, created_at=now)
        session.add(form)
        session.flush()
        record_audit(session, actor, "form.create", project_id=project_id, form_pk=form.id)
    elif form.form_id != definition.form_id:
        raise problems.invalid_value("form_id", f"{definition.form_id} != {form.form_id}")
    if xlsx is not None:
        record_blob(session, xlsx)
    earlier_id = form.draft_version_id or form.current_version_id
    earlier = session.get(FormVersion, earlier_id) if earlier_id else None
    draft = FormVersion(
        # A key of its own for ever: what is remembered of a version must never be another's (SQLite gives free numbers again).
        id=new_id(), form_pk=form.id, project_id=project_id, version=definition.version, title=definition.title, xform=xform,
        md5=hashlib.md5(xform, usedforsecurity=False).hexdigest(), xlsx_sha256=xlsx.sha256 if xlsx else None,
        definition=definition.to_json(), created_by=actor.id or None, created_at=now,
        draft_token=earlier.draft_token if earlier and form.draft_version_id else new_token(),
    )  # fmt: skip
    session.add(draft)
    session.flush()
    _declare_attachments(session, draft, definition, earlier)
    _drop_old_draft(session, form)
    form.draft_version_id, form.updated_at = draft.id, now
    session.flush()
    record_audit(session, actor, "form.update.draft.set", project_id=project_id, form_pk=form.id, version=definition.version)
    return form


def find_form(session: Session, project_id: int, form_id: str) -> Form | None:
    """The form with this ID that is not in the trash."""
    return session.scalar(select(Form).where(Form.project_id == project_id, Form.form_id == form_id, Form.deleted_at.is_(None)))


def _declare_attachments(session: Session, draft: FormVersion, definition: FormDefinition, earlier: FormVersion | None) -> None:
    carried = {}
    if earlier is not None:
        rows = session.scalars(select(FormAttachment).where(FormAttachment.form_version_id == earlier.id))
        carried = {row.name: row for row in rows}
    lists = dict(
        session.execute(select(EntityList.name, EntityList.id).where(EntityList.project_id == draft.project_id)).all()
    )
    for name, kind in definition.attachments:
        old = carried.get(name)
        list_id = lists.get(name.removesuffix(".csv")) if name.endswith(".csv") and not (old and old.blob_sha256) else None
        session.add(
            FormAttachment(form_version_id=draft.id, name=name, kind=kind, blob_sha256=old.blob_sha256 if old else None,
                           list_id=list_id, updated_at=old.updated_at if old else None)
        )  # fmt: skip
    session.flush()


def _drop_old_draft(session: Session, form: Form) -> None:
    if form.draft_version_id is not None:
        old = form.draft_version_id
        form.draft_version_id = None
        session.flush()
        session.execute(delete(FormAttachment).where(FormAttachment.form_version_id == old))
        session.execute(delete(FormVersion).where(FormVersion.id == old))


def put_attachment(session: Session, actor: Actor, form: Form, name: str, blob: Blob) -> None:
    """The draft has this medium. Raises: insufficient_rights, no_draft, not_found (the form declares no such file)."""
    actor.require("form.update", form)
    if form.draft_version_id is None:
        raise problems.no_draft()
    row = session.scalar(
        select(FormAttachment).where(FormAttachment.form_version_id == form.draft_version_id, FormAttachment.name == name)
    )
    if row is None:
        raise problems.not_found()
    record_blob(session, blob)
    row.blob_sha256, row.list_id, row.updated_at = blob.sha256, None, datetime.now(UTC)
    record_audit(session, actor, "form.attachment.update", project_id=form.project_id, form_pk=form.id, name=name)
