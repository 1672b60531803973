"""Forms as lists and single rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, exists, func, or_, select
from sqlalchemy.orm import Session, undefer

from server import problems
from server.access.actor import Actor, Place, visible
from server.forms.drafts import find_form
from server.forms.trash import in_trash
from server.model import BlobRow, EntityList, Form, FormAttachment, FormVersion


@dataclass(frozen=True, slots=True)
class FormRow:
    """A form with the title and version of its current version, or of its draft while it has none."""

    form: Form
    title: str
    version: str
    published_at: datetime | None
    draft_version: str | None
    draft_token: str | None


def list_forms(session: Session, actor: Actor, project_id: int, *, deleted: bool = False, limit: int = 1000) -> list[FormRow]:
    """A project's forms by title, those in the trash if `deleted`. Only what the actor may list."""
    if not actor.grants:
        actor.require("form.list", Place(project_id))
    current, draft = FormVersion.__table__.alias("current"), FormVersion.__table__.alias("draft")
    statement = (
        select(Form, func.coalesce(current.c.title, draft.c.title), func.coalesce(current.c.version, draft.c.version),
               current.c.published_at, draft.c.version, draft.c.draft_token)
        .outerjoin(current, current.c.id == Form.current_version_id)
        .outerjoin(draft, draft.c.id == Form.draft_version_id)
        .where(Form.project_id == project_id, in_trash() if deleted else Form.deleted_at.is_(None))
        .order_by(func.coalesce(current.c.title, draft.c.title), Form.id).limit(limit)
    )  # fmt: skip
    return [FormRow(*row) for row in session.execute(visible(statement, actor, "form.list", Form))]


def get_form(session: Session, actor: Actor, project_id: int, form_id: str, *, verb: str = "form.read") -> Form:
    """The form by its own ID. Raises: not_found, insufficient_rights."""
    form = find_form(session, project_id, form_id)
    if form is None:
        actor.require(verb, Place(project_id))
        raise problems.not_found()
    actor.require(verb, form)
    return form


def get_form_by_key(session: Session, actor: Actor, form_pk: int, *, verb: str = "form.read") -> Form:
    """The form by row key, in the trash or not. Raises: not_found, insufficient_rights."""
    form = session.get(Form, form_pk)
    if form is None:
        raise problems.not_found()
    actor.require(verb, form)
    return form


def list_versions(session: Session, actor: Actor, form: Form, *, limit: int = 200) -> Sequence[FormVersion]:
    """Published versions, newest first. Raises: insufficient_rights."""
    actor.require("form.read", form)
    statement = select(FormVersion).where(FormVersion.form_pk == form.id, FormVersion.published_at.is_not(None))
    return session.scalars(statement.order_by(FormVersion.published_at.desc()).limit(limit)).all()


@dataclass(frozen=True, slots=True)
class ListedForm:
    """What formList says of a form."""

    form_id: str
    name: str
    version: str
    md5: str
    has_media: bool


def _available_media() -> object:
    return or_(FormAttachment.blob_sha256.is_not(None), FormAttachment.list_id.is_not(None))


# Made once: every phone asks this at each look.
_OPEN_FORMS = (
    select(Form.form_id, FormVersion.title, FormVersion.version, FormVersion.md5,
           exists().where(FormAttachment.form_version_id == FormVersion.id))
    .join(FormVersion, FormVersion.id == Form.current_version_id)
    .where(Form.project_id == bindparam("project_id"), Form.state == "open", Form.deleted_at.is_(None))
    .order_by(func.lower(func.coalesce(func.nullif(FormVersion.title, ""), Form.form_id)), Form.id).limit(2000)
)  # fmt: skip
_ONE_OPEN_FORM = _OPEN_FORMS.where(Form.form_id == bindparam("form_id"))


def list_open_forms(session: Session, actor: Actor, project_id: int, *, form_id: str | None = None) -> list[ListedForm]:
    """Published forms that are open, for a phone: those the actor may list, none for who may list none."""
    statement = _OPEN_FORMS if form_id is None else _ONE_OPEN_FORM
    if not actor.can("open_form.read", Place(project_id)):
        statement = visible(statement, actor, "open_form.read", Form)
    rows = session.connection().execute(statement, {"project_id": project_id, "form_id": form_id})
    return [ListedForm(*row) for row in rows]


def get_version(session: Session, form: Form, version: str | None = None, *, with_xform: bool = False) -> FormVersion:
    """The current version, or the published one named. Raises: form_version_unknown."""
    statement = select(FormVersion).where(FormVersion.form_pk == form.id)
    if with_xform:
        statement = statement.options(undefer(FormVersion.xform))
    if version is None:
        statement = statement.where(FormVersion.id == form.current_version_id)
    else:
        statement = statement.where(FormVersion.version == version, FormVersion.published_at.is_not(None))
    found = session.scalar(statement)
    if found is None:
        raise problems.form_version_unknown(form.form_id, version or "")
    return found


def get_draft(session: Session, project_id: int, form_id: str, token: str) -> tuple[Form, FormVersion]:
    """The draft at its test address. Raises: draft_access_failed (the token is no draft's)."""
    row = session.execute(
        select(Form, FormVersion).join(FormVersion, FormVersion.id == Form.draft_version_id).options(undefer(FormVersion.xform))
        .where(FormVersion.draft_token == token, Form.project_id == project_id, Form.form_id == form_id, Form.deleted_at.is_(None))
    ).one_or_none()  # fmt: skip
    if row is None:
        raise problems.draft_access_failed()
    return row[0], row[1]


@dataclass(frozen=True, slots=True)
class Medium:
    """A form's medium that is there: a blob (`sha256`, `md5`) or an entity list."""

    name: str
    kind: str
    sha256: str | None
    md5: str | None
    entity_list: EntityList | None
    content_type: str | None


def list_media(session: Session, form_version_id: int, *, name: str | None = None) -> list[Medium]:
    """The media that are there, by name."""
    statement = (
        select(FormAttachment.name, FormAttachment.kind, FormAttachment.blob_sha256, BlobRow.md5, EntityList, FormAttachment.content_type)
        .outerjoin(BlobRow, BlobRow.sha256 == FormAttachment.blob_sha256)
        .outerjoin(EntityList, EntityList.id == FormAttachment.list_id)
        .where(FormAttachment.form_version_id == form_version_id, _available_media())  # type: ignore[arg-type]
        .order_by(FormAttachment.name)
    )  # fmt: skip
    if name is not None:
        statement = statement.where(FormAttachment.name == name)
    return [Medium(*row) for row in session.execute(statement)]


def list_attachments(session: Session, form_version_id: int) -> Sequence[FormAttachment]:
    """The media that a version declares, there or not; the caller has checked the right to the form."""
    return session.scalars(
        select(FormAttachment).where(FormAttachment.form_version_id == form_version_id).order_by(FormAttachment.name)
    ).all()
