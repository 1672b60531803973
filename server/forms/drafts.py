"""Drafts: saved, given their media, tested at an address of their own."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor, Place
from server.access.audit import record_audit
from server.access.secrets import new_token
from server.entities.lists import check_lists, list_name_of
from server.forms.definition_checks import check_definition, check_sizes, check_warnings
from server.forms.encryption import encrypted_xform, ensure_key
from server.forms.entity_checks import declared_lists
from server.forms.fields import FormDefinition, read_form_definition
from server.forms.trash import trash_stale_drafts
from server.forms.xform_edits import set_version
from server.model import EntityList, Form, FormAttachment, FormVersion, Project
from server.storage import Blob, record_blob
from server.transactions import new_id

_MOST_TYPE = 100


def save_draft(
    session: Session, actor: Actor, project_id: int, *, xform: bytes, definition: FormDefinition, xlsx: Blob | None = None,
    form: Form | None = None, must_be_new: bool = False, ignore_warnings: bool = True, warnings: list[dict[str, Any]] | None = None,
) -> Form:  # fmt: skip
    """The form has this draft (a new form if there was none with its ID); media of the same name are carried over.

    Each save makes a new row, so that whatever was read of a version stays true. In a project with managed encryption the draft
    carries the project's key. `warnings`: what the compiler warned of; unless they are to be ignored, they and our own stop the draft.
    Raises: insufficient_rights, not_found, invalid_value (another form's ID), uniqueness_violation (`must_be_new`), field_type_conflict,
    missing_meta, invalid_entity_form, list_name_conflict, property_name_conflict, form_warnings.
    """
    project = session.get(Project, project_id)
    if project is None or project.deleted_at is not None:
        raise problems.not_found()
    known = find_form(session, project_id, definition.form_id)
    if must_be_new and known is not None:
        actor.require("form.create", Place(project_id))
        raise problems.uniqueness_violation(["projectId", "xmlFormId"], [str(project_id), definition.form_id])
    form = form or known
    actor.require("form.update" if form else "form.create", form or Place(project_id))
    check_definition(session, form, definition)
    if not ignore_warnings:
        check_warnings(session, project_id, form, definition, warnings or [])
    xform, definition = _with_project_key(session, project, xform, definition)
    if definition.public_key is None:
        check_lists(session, project_id, declared_lists(definition))
    now = datetime.now(UTC)
    if form is None:
        form = Form(project_id=project_id, form_id=definition.form_id, state="open", created_by=actor.id or None, created_at=now)
        session.add(form)
        session.flush()
        record_audit(session, actor, "form.create", project_id=project_id, form_pk=form.id)
        return put_draft(session, actor, form, xform, definition, xlsx, is_new=True)
    return put_draft(session, actor, form, xform, definition, xlsx, is_new=False)


def _with_project_key(session: Session, project: Project, xform: bytes, definition: FormDefinition) -> tuple[bytes, FormDefinition]:
    encrypted = encrypted_xform(session, project, xform)
    return (xform, definition) if encrypted is xform else (encrypted, read_form_definition(encrypted))


def put_draft(session: Session, actor: Actor, form: Form, xform: bytes, definition: FormDefinition, xlsx: Blob | None, *, is_new: bool) -> Form:
    """A new row that is the form's draft, in place of the one before; whoever calls has checked the right and the definition.

    Raises: value_too_long.
    """
    check_sizes(definition)
    if xlsx is not None:
        record_blob(session, xlsx)
    earlier_id, now = form.draft_version_id or form.current_version_id, datetime.now(UTC)
    earlier = session.get(FormVersion, earlier_id) if earlier_id else None
    draft = FormVersion(
        # A key of its own for ever: what is remembered of a version must never be another's (SQLite gives free numbers again).
        id=new_id(), form_pk=form.id, project_id=form.project_id, version=definition.version, title=definition.title, xform=xform,
        md5=hashlib.md5(xform, usedforsecurity=False).hexdigest(), sha1=hashlib.sha1(xform, usedforsecurity=False).hexdigest(),
        sha256=hashlib.sha256(xform).hexdigest(), xlsx_sha256=xlsx.sha256 if xlsx else None, definition=definition.to_json(),
        created_by=actor.id or None, created_at=now, key_id=ensure_key(session, definition.public_key) if definition.public_key else None,
        draft_token=earlier.draft_token if earlier and form.draft_version_id else new_token(),
    )  # fmt: skip
    session.add(draft)
    session.flush()
    _declare_attachments(session, draft, definition, earlier)
    old_draft_id = form.draft_version_id
    _drop_old_draft(session, form)
    form.draft_version_id = draft.id
    if not is_new:
        form.updated_at = now
        record_audit(
            session, actor, "form.update.draft.set", project_id=form.project_id, form_pk=form.id, oldDraftDefId=old_draft_id, newDraftDefId=draft.id
        )
    session.flush()
    return form


def copy_published(session: Session, actor: Actor, form: Form) -> Form:
    """The form's draft is a copy of its current version, with its .xlsx. Raises: insufficient_rights, missing_parameter (never published)."""
    actor.require("form.update", form)
    current = session.get(FormVersion, form.current_version_id) if form.current_version_id else None
    if current is None:
        raise problems.missing_parameter("xml")
    xform = bytes(current.xform)
    project = session.get_one(Project, form.project_id)
    xform, definition = _with_project_key(session, project, xform, read_form_definition(xform))
    xlsx_sha256 = current.xlsx_sha256
    put_draft(session, actor, form, xform, definition, None, is_new=False)
    session.get_one(FormVersion, form.draft_version_id).xlsx_sha256 = xlsx_sha256
    return form


def reversion_draft(session: Session, actor: Actor, form: Form, version: str) -> None:
    """The draft says that it is this version; its bytes are new, its media and its .xlsx stay. Raises: unparseable_xml."""
    draft = session.get_one(FormVersion, form.draft_version_id)
    xform, xlsx_sha256 = set_version(bytes(draft.xform), version), draft.xlsx_sha256
    put_draft(session, actor, form, xform, read_form_definition(xform), None, is_new=False)
    session.get_one(FormVersion, form.draft_version_id).xlsx_sha256 = xlsx_sha256


def delete_draft(session: Session, actor: Actor, form: Form) -> None:
    """The form has no draft any more. Raises: insufficient_rights, no_published_version, no_draft."""
    actor.require("form.update", form)
    if form.current_version_id is None:
        raise problems.no_published_version()
    if form.draft_version_id is None:
        raise problems.no_draft()
    old = form.draft_version_id
    _drop_old_draft(session, form)
    form.updated_at = datetime.now(UTC)
    record_audit(session, actor, "form.update.draft.delete", project_id=form.project_id, form_pk=form.id, oldDraftDefId=old)


def find_form(session: Session, project_id: int, form_id: str) -> Form | None:
    """The form with this ID that is not in the trash."""
    return session.scalar(select(Form).where(Form.project_id == project_id, Form.form_id == form_id, Form.deleted_at.is_(None)))


def _declare_attachments(session: Session, draft: FormVersion, definition: FormDefinition, earlier: FormVersion | None) -> None:
    carried = {}
    if earlier is not None:
        rows = session.scalars(select(FormAttachment).where(FormAttachment.form_version_id == earlier.id))
        carried = {row.name: row for row in rows}
    lists = dict(
        session.execute(select(EntityList.name, EntityList.id).where(EntityList.project_id == draft.project_id, EntityList.deleted_at.is_(None))).all()
    )
    for name, kind in definition.attachments:
        old = carried.get(name)
        if old is not None and old.kind == kind:
            kept = {"blob_sha256": old.blob_sha256, "list_id": old.list_id, "content_type": old.content_type, "updated_at": old.updated_at}
        else:
            # New here: an entity list of its name, if there is one. Later on only who edits the draft says what it is.
            kept = {"list_id": lists.get(list_name_of(name)) if kind == "file" else None}
        session.add(FormAttachment(form_version_id=draft.id, name=name, kind=kind, **kept))
    session.flush()


def _drop_old_draft(session: Session, form: Form) -> None:
    if form.draft_version_id is not None:
        old = form.draft_version_id
        form.draft_version_id = None
        session.flush()
        trash_stale_drafts(session, form.project_id, form.id, None)
        session.execute(delete(FormAttachment).where(FormAttachment.form_version_id == old))
        session.execute(delete(FormVersion).where(FormVersion.id == old))


def draft_attachment(session: Session, form: Form, name: str) -> FormAttachment:
    """The draft's declared medium. Raises: no_draft, not_found (the form declares no such file)."""
    if form.draft_version_id is None:
        raise problems.no_draft()
    row = session.scalar(
        select(FormAttachment).where(FormAttachment.form_version_id == form.draft_version_id, FormAttachment.name == name)
    )
    if row is None:
        raise problems.not_found()
    return row


def put_attachment(
    session: Session, actor: Actor, form: Form, name: str, blob: Blob, *, content_type: str | None = None
) -> FormAttachment:
    """The draft has this medium; `content_type` is served with it. Raises: insufficient_rights, no_draft, not_found (not declared)."""
    actor.require("form.update", form)
    row = draft_attachment(session, form, name)
    record_blob(session, blob)
    row.content_type = _known_type(content_type)
    return _set_attachment(session, actor, form, row, blob.sha256, None)


def _known_type(content_type: str | None) -> str | None:
    """The type that whoever sent the file named, where it is one: many programs name the one that HTML forms have by default."""
    if not content_type or content_type == "application/x-www-form-urlencoded" or len(content_type) > _MOST_TYPE:
        return None
    return content_type if content_type.isascii() and content_type.isprintable() else None


def clear_attachment(session: Session, actor: Actor, form: Form, name: str) -> None:
    """The draft lacks this medium again. Raises: insufficient_rights, no_draft, not_found (also if it was not there)."""
    actor.require("form.update", form)
    row = draft_attachment(session, form, name)
    if row.blob_sha256 is None and row.list_id is None:
        raise problems.not_found()
    _set_attachment(session, actor, form, row, None, None)


def link_list(session: Session, actor: Actor, form: Form, name: str, *, linked: bool) -> FormAttachment:
    """The draft's medium is the entity list of its name, or no longer. Raises: insufficient_rights, not_found, list_link_not_allowed."""
    actor.require("form.update", form)
    named = (EntityList.project_id == form.project_id, EntityList.name == re.sub(r"\.csv$", "", name, flags=re.IGNORECASE), EntityList.deleted_at.is_(None))
    found = session.scalar(select(EntityList).where(*named))
    if found is None:
        raise problems.not_found()
    row = draft_attachment(session, form, name)
    if linked:
        actor.require("entity.list", Place(form.project_id))
    if linked and row.kind != "file":
        raise problems.list_link_not_allowed()
    return _set_attachment(session, actor, form, row, None, found.id if linked else None)


def _set_attachment(session: Session, actor: Actor, form: Form, row: FormAttachment, sha256: str | None, list_id: int | None) -> FormAttachment:
    old = {"oldBlobId": row.blob_sha256, "oldDatasetId": row.list_id}
    row.blob_sha256, row.list_id, row.updated_at = sha256, list_id, datetime.now(UTC)
    session.flush()
    record_audit(
        session, actor, "form.attachment.update", project_id=form.project_id, form_pk=form.id, formDefId=row.form_version_id, name=row.name,
        **old, newBlobId=sha256, newDatasetId=list_id,
    )  # fmt: skip
    return row
