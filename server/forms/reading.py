"""Which version of a form a program means, and who may read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session, undefer

from server import problems
from server.access.actor import Actor, Place, division_end, visible
from server.forms.drafts import find_form
from server.forms.trash import in_trash
from server.model import ActorRow, Form, FormVersion, Project, PublicLink, Submission

LIST_LIMIT = 2000
EMPTY_VERSION = "___"


@dataclass(frozen=True, slots=True)
class FormInVersion:
    """A form with the version that is meant; `version` None for a form that has neither a draft nor a published version."""

    form: Form
    version: FormVersion | None


def find_readable(
    session: Session, actor: Actor, project_id: int, form_id: str, *, draft: bool = False, version: str | None = None, with_xform: bool = False,
) -> FormInVersion:  # fmt: skip
    """The published version, else the draft; or the draft; or the version named (`___` for an empty name).

    A draft is for who may change the form; a closed form for who may read forms; any other also for phones and public links.
    Raises: not_found, insufficient_rights, authentication_failed.
    """
    form = find_form(session, project_id, form_id)
    if form is None:
        raise problems.not_found()
    meant = _meant(session, form, draft=draft, version=version, with_xform=with_xform)
    require_readable(actor, form, meant)
    return FormInVersion(form, meant)


def _meant(session: Session, form: Form, *, draft: bool, version: str | None, with_xform: bool) -> FormVersion:
    statement = select(FormVersion).where(FormVersion.form_pk == form.id)
    if version is not None:
        name = "" if version == EMPTY_VERSION else version
        statement = statement.where(FormVersion.version == name, FormVersion.published_at.is_not(None))
    else:
        statement = statement.where(FormVersion.id == (form.draft_version_id if draft else form.current_version_id or form.draft_version_id))
    if with_xform:
        statement = statement.options(undefer(FormVersion.xform))
    found = session.scalar(statement)
    if found is None:
        raise problems.not_found()
    return found


def require_readable(actor: Actor, form: Form, version: FormVersion | None) -> None:
    """Raises: insufficient_rights, authentication_failed."""
    if version is None or version.published_at is None:
        actor.require("form.update", form)
    elif form.state == "closed":
        actor.require("form.read", form)
    else:
        actor.require("open_form.read", form)


def list_readable(session: Session, actor: Actor, project_id: int, *, deleted: bool = False) -> list[FormInVersion]:
    """A project's forms by name, each in its published version, else its draft; those in the trash if `deleted`.

    Drafts alone are listed for who may change forms, closed ones for who may list all. Raises: insufficient_rights.
    """
    actor.require("open_form.list", Place(project_id))
    meant = func.coalesce(Form.current_version_id, Form.draft_version_id)
    statement = (
        select(Form, FormVersion).outerjoin(FormVersion, FormVersion.id == meant)
        .where(Form.project_id == project_id, in_trash() if deleted else Form.deleted_at.is_(None))
        .order_by(func.lower(func.coalesce(func.nullif(FormVersion.title, ""), Form.form_id)), Form.id).limit(LIST_LIMIT)
    )  # fmt: skip
    rows = [FormInVersion(*row) for row in session.execute(visible(statement, actor, "open_form.list", Form))]
    return [row for row in rows if _is_listed(actor, row)]


def _is_listed(actor: Actor, row: FormInVersion) -> bool:
    if row.version is None or row.version.published_at is None:
        return actor.can("form.update", row.form)
    return row.form.state != "closed" or actor.can("form.list", row.form)


def list_published(session: Session, form: Form, *, limit: int = 1000) -> Sequence[tuple[FormVersion, ActorRow | None]]:
    """Published versions with who published them, newest first; the caller has checked the right."""
    statement = (
        select(FormVersion, ActorRow).outerjoin(ActorRow, ActorRow.id == FormVersion.published_by)
        .where(FormVersion.form_pk == form.id, FormVersion.published_at.is_not(None))
        .order_by(FormVersion.published_at.desc(), FormVersion.id.desc()).limit(limit)
    )  # fmt: skip
    return [(row[0], row[1]) for row in session.execute(statement)]


@dataclass(slots=True)
class FormCounts:
    """What hangs on a form, as far as the reader's division allows."""

    submissions: int = 0
    received: int = 0
    has_issues: int = 0
    edited: int = 0
    public_links: int = 0
    last_submission: datetime | None = None
    created_by: ActorRow | None = None


def count_forms(session: Session, actor: Actor, forms: Sequence[Form], *, draft: bool = False) -> dict[int, FormCounts]:
    """Counts by form key: submissions (of drafts if `draft`) by review state, the last one, public links, and who made the form."""
    keys = [form.id for form in forms]
    counts = {key: FormCounts() for key in keys}
    columns = Submission
    statement = (
        select(columns.form_pk, columns.review_state, func.count(), func.max(columns.received_at))
        .where(columns.form_pk.in_(keys), columns.is_draft.is_(draft), columns.deleted_at.is_(None))
        .group_by(columns.form_pk, columns.review_state)
    )  # fmt: skip
    if draft:
        # What was tried on a draft that was replaced since is not this draft's.
        statement = statement.where(columns.form_version_id.in_([form.draft_version_id for form in forms]))
    if actor.division:
        statement = statement.where(columns.division >= actor.division, columns.division < division_end(actor.division))
    for key, state, number, last in session.execute(statement):
        count = counts[key]
        count.submissions += number
        count.last_submission = max(count.last_submission or last, last)
        name = {"received": "received", "hasIssues": "has_issues", "edited": "edited"}.get(state)
        if name:
            setattr(count, name, number)
    links = (
        select(PublicLink.form_pk, func.count()).join(ActorRow, ActorRow.id == PublicLink.actor_id)
        .where(PublicLink.form_pk.in_(keys), ActorRow.deleted_at.is_(None), PublicLink.revoked_at.is_(None)).group_by(PublicLink.form_pk)
    )  # fmt: skip
    for key, number in session.execute(links):
        counts[key].public_links = number
    makers = {form.created_by for form in forms if form.created_by}
    names = {row.id: row for row in session.scalars(select(ActorRow).where(ActorRow.id.in_(makers)))}
    for form in forms:
        counts[form.id].created_by = names.get(form.created_by or 0)
    return counts


def find_trashed(session: Session, project_id: int, form_pk: int) -> Form:
    """The form in the trash, by its number. Raises: not_found."""
    form = session.scalar(select(Form).where(Form.id == form_pk, Form.project_id == project_id, in_trash()))
    if form is None or session.get(Project, project_id) is None:
        raise problems.not_found()
    return form


