"""Drafts: an .xlsx uploaded and checked, its media, the test address, publication."""

from __future__ import annotations

from urllib.parse import quote

from flask import Response, request
from werkzeug.datastructures import FileStorage

from server import problems
from server.access.actor import Place
from server.access.phones import qr_text
from server.forms import drafts, publish
from server.forms.compile import compile_xlsform
from server.forms.fields import read_form_definition
from server.http.addresses import base_url
from server.http.parts import parts
from server.model import Form, FormVersion
from server.transactions import transaction
from server.web import blueprint
from server.web.forms import form_of_project, to_form
from server.web.pages import page
from server.web.phones import svg
from server.web.visitor import visitor


def _sent_file(name: str) -> FileStorage:
    file = request.files.get(name)
    if file is None or not file.filename:
        raise problems.missing_part(name)
    return file


@blueprint.post("/projects/<int:project_id>/forms")
def upload_form(project_id: int) -> Response:
    """A new form, or a new draft of the form with this ID."""
    visitor().actor.require("form.create", Place(project_id))
    return _upload(project_id, None)


@blueprint.post("/projects/<int:project_id>/forms/<int:form_pk>/draft")
def upload_draft(project_id: int, form_pk: int) -> Response:
    """A new draft of this form."""
    with transaction(parts().engine) as session:
        form_of_project(session, visitor().actor, project_id, form_pk, verb="form.update")
    return _upload(project_id, form_pk)


def _upload(project_id: int, form_pk: int | None) -> Response:
    actor, file = visitor().actor, _sent_file("xlsx")
    content = file.stream.read()
    # Compiling takes seconds: outside any transaction, so that no phone waits for it.
    compiled = compile_xlsform(content, file_name=file.filename or "form.xlsx")
    definition, kept = read_form_definition(compiled.xform), parts().storage.keep_bytes(content)
    itemsets = parts().storage.keep_bytes(compiled.itemsets) if compiled.itemsets is not None else None
    with transaction(parts().engine, write=True) as session:
        form: Form | None = form_of_project(session, actor, project_id, form_pk, verb="form.update") if form_pk else None
        form = drafts.save_draft(session, actor, project_id, xform=compiled.xform, definition=definition, xlsx=kept, form=form)
        if itemsets is not None and "itemsets.csv" in {name for name, _kind in definition.attachments}:
            drafts.put_attachment(session, actor, form, "itemsets.csv", itemsets)
    if compiled.warnings:
        return page("form_warnings.html", warnings=compiled.warnings, form_pk=form.id, title=definition.title, version=definition.version)
    return to_form(project_id, form.id)


@blueprint.post("/projects/<int:project_id>/forms/<int:form_pk>/media")
def upload_media(project_id: int, form_pk: int) -> Response:
    """The draft has these files, each under a name that the form declares."""
    actor, given = visitor().actor, [file for file in request.files.getlist("media") if file.filename]
    if not given:
        raise problems.missing_part("media")
    with transaction(parts().engine) as session:
        form_of_project(session, actor, project_id, form_pk, verb="form.update")
    kept = {file.filename or "": parts().storage.keep_bytes(file.stream.read()) for file in given}
    with transaction(parts().engine, write=True) as session:
        form = form_of_project(session, actor, project_id, form_pk, verb="form.update")
        for name, blob in kept.items():
            drafts.put_attachment(session, actor, form, name, blob)
    return to_form(project_id, form_pk)


@blueprint.post("/projects/<int:project_id>/forms/<int:form_pk>/publish")
def publish_form(project_id: int, form_pk: int) -> Response:
    """The draft is what phones get from now on."""
    actor = visitor().actor
    with transaction(parts().engine, write=True) as session:
        publish.publish_draft(session, actor, form_of_project(session, actor, project_id, form_pk, verb="form.update"))
    return to_form(project_id, form_pk)


@blueprint.get("/projects/<int:project_id>/forms/<int:form_pk>/test.svg")
def draft_qr(project_id: int, form_pk: int) -> Response:
    """What ODK Collect scans to try the draft. Raises: no_draft."""
    with transaction(parts().engine) as session:
        form = form_of_project(session, visitor().actor, project_id, form_pk, verb="form.update")
        draft = session.get(FormVersion, form.draft_version_id) if form.draft_version_id else None
    if draft is None:
        raise problems.no_draft()
    address = f"{base_url()}/v1/test/{draft.draft_token}/projects/{project_id}/forms/{quote(form.form_id, safe='')}/draft"
    settings = {"general": {"server_url": address, "form_update_mode": "match_exactly", "autosend": "wifi_and_cellular"},
                "project": {"name": f"[测试] {draft.title}"[:50], "icon": "测"}, "admin": {}}  # fmt: skip
    return svg(qr_text(settings))
