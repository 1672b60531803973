"""Forms: the list, one with its versions, its state, the trash."""

from __future__ import annotations

from flask import Response, redirect, request, url_for
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor, Place
from server.forms import publish, queries
from server.http.parts import parts
from server.model import Form, FormVersion
from server.transactions import transaction
from server.web import blueprint
from server.web.pages import page
from server.web.visitor import visitor


def form_of_project(session: Session, actor: Actor, project_id: int, form_pk: int, *, verb: str = "form.read") -> Form:
    """The project's form by row key. Raises: not_found, insufficient_rights."""
    form = queries.get_form_by_key(session, actor, form_pk, verb=verb)
    if form.project_id != project_id:
        raise problems.not_found()
    return form


def to_form(project_id: int, form_pk: int) -> Response:
    """On to the form's page."""
    return redirect(url_for("web.show_form", project_id=project_id, form_pk=form_pk), 303)  # type: ignore[return-value]


@blueprint.get("/projects/<int:project_id>/forms")
def list_forms(project_id: int) -> Response:
    """Forms by title; below, what is in the trash."""
    actor = visitor().actor
    with transaction(parts().engine) as session:
        rows = queries.list_forms(session, actor, project_id)
        trash = queries.list_forms(session, actor, project_id, deleted=True) if actor.can("form.restore", Place(project_id)) else []
    return page("forms.html", rows=rows, trash=trash, may_create=actor.can("form.create", Place(project_id)), trash_days=publish.TRASH_DAYS)


@blueprint.get("/projects/<int:project_id>/forms/<int:form_pk>")
def show_form(project_id: int, form_pk: int) -> Response:
    """One form: its versions, its draft with media and test address."""
    actor = visitor().actor
    with transaction(parts().engine) as session:
        form = form_of_project(session, actor, project_id, form_pk)
        versions = queries.list_versions(session, actor, form)
        draft = session.get(FormVersion, form.draft_version_id) if form.draft_version_id else None
        shown_id = form.draft_version_id or form.current_version_id
        media = queries.list_attachments(session, shown_id) if shown_id else []
    title = next((version.title for version in [*versions, draft] if version and version.id in {form.current_version_id, shown_id}), form.form_id)
    return page(
        "form.html", form=form, title=title, versions=versions, draft=draft, media=media, states=publish.STATES,
        may_update=actor.can("form.update", form) and form.deleted_at is None, may_delete=actor.can("form.delete", form),
        may_restore=actor.can("form.restore", form),
    )  # fmt: skip


@blueprint.post("/projects/<int:project_id>/forms/<int:form_pk>/state")
def set_form_state(project_id: int, form_pk: int) -> Response:
    """The form is open, closing or closed."""
    actor = visitor().actor
    with transaction(parts().engine, write=True) as session:
        form = form_of_project(session, actor, project_id, form_pk, verb="form.update")
        publish.set_state(session, actor, form, request.form.get("state", ""))
    return to_form(project_id, form_pk)


@blueprint.post("/projects/<int:project_id>/forms/<int:form_pk>/trash")
def trash_form(project_id: int, form_pk: int) -> Response:
    """The form is in the trash."""
    actor = visitor().actor
    with transaction(parts().engine, write=True) as session:
        publish.delete_form(session, actor, form_of_project(session, actor, project_id, form_pk, verb="form.delete"))
    return redirect(url_for("web.list_forms", project_id=project_id), 303)  # type: ignore[return-value]


@blueprint.post("/projects/<int:project_id>/forms/<int:form_pk>/restore")
def restore_form(project_id: int, form_pk: int) -> Response:
    """The form is back."""
    actor = visitor().actor
    with transaction(parts().engine, write=True) as session:
        publish.restore_form(session, actor, form_of_project(session, actor, project_id, form_pk, verb="form.restore"))
    return to_form(project_id, form_pk)
