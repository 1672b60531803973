"""Drafts: set, published, deleted; and their media."""

from __future__ import annotations

from flask import Response, request
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor
from server.access.audit import remember_notes
from server.access.projects import find_project
from server.forms.drafts import (
    clear_attachment,
    copy_published,
    delete_draft,
    draft_attachment,
    find_form,
    link_list,
    put_attachment,
)  # fmt: skip
from server.forms.publish import publish_draft
from server.http.bodies import kept_body
from server.http.credentials import authenticate
from server.http.described import described
from server.http.json_answers import action_notes, answer_json, answer_success
from server.http.json_body import flag_of, json_object
from server.http.parts import parts
from server.model import Form
from server.rest import blueprint
from server.rest.form_shapes import XLSX, attachment_shapes
from server.rest.forms import put_sent_form, read_sent_form
from server.transactions import transaction

_DRAFT = "/projects/<int:project_id>/forms/<form_id>/draft"
_FILE = f"{_DRAFT}/attachments/<name>"


def _form(session: Session, actor: Actor, project_id: int, form_id: str) -> Form:
    """The form, for who may change it. Raises: not_found, insufficient_rights."""
    find_project(session, project_id)
    form = find_form(session, project_id, form_id)
    if form is None:
        raise problems.not_found()
    actor.require("form.update", form)
    return form


@blueprint.post(_DRAFT)
@described(query={"ignoreWarnings": "boolean"}, media=(XLSX, "application/xml"))
def post_draft(project_id: int, form_id: str) -> Response:
    """A new draft from .xlsx or XML; without a body, from the published version."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        _form(session, actor, project_id, form_id)
    sent = read_sent_form() if request.get_data(cache=True).strip() else None
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        form = _form(session, actor, project_id, form_id)
        if sent is None:
            copy_published(session, actor, form)
        else:
            put_sent_form(session, actor, project_id, sent, form=form)
    return answer_success()


@blueprint.post(f"{_DRAFT}/publish")
@described(query={"version": "string"})
def post_publish(project_id: int, form_id: str) -> Response:
    """Publish the draft, under another version's name if one is given."""
    actor, version = authenticate(), request.args.get("version")
    if version is not None and len(version) > 255:
        raise problems.value_too_long("version", 255)
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        publish_draft(session, actor, _form(session, actor, project_id, form_id), version=version)
    return answer_success()


@blueprint.delete(_DRAFT)
def remove_draft(project_id: int, form_id: str) -> Response:
    """Throw the draft away."""
    actor = authenticate()
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        delete_draft(session, actor, _form(session, actor, project_id, form_id))
    return answer_success()


@blueprint.post(_FILE)
@described(media=("*/*",))
def post_draft_attachment(project_id: int, form_id: str, name: str) -> Response:
    """The draft's medium has these bytes."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        draft_attachment(session, _form(session, actor, project_id, form_id), name)
    blob = kept_body()
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        row = put_attachment(session, actor, _form(session, actor, project_id, form_id), name, blob, content_type=request.mimetype)
        return answer_json(attachment_shapes(session, [row])[0])


@blueprint.patch(_FILE)
@described(body={"dataset": "boolean!"})
def patch_draft_attachment(project_id: int, form_id: str, name: str) -> Response:
    """The draft's medium is the entity list of its name, or no longer."""
    actor, body = authenticate(), json_object()
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        row = link_list(session, actor, _form(session, actor, project_id, form_id), name, linked=flag_of(body, "dataset") is True)
        shape = attachment_shapes(session, [row])[0]
        # As ODK Central has it: here no hash is told of what is no file.
        return answer_json({name: value for name, value in shape.items() if (name, value) != ("hash", None)})


@blueprint.delete(_FILE)
def remove_draft_attachment(project_id: int, form_id: str, name: str) -> Response:
    """The draft lacks this medium again."""
    actor = authenticate()
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        clear_attachment(session, actor, _form(session, actor, project_id, form_id), name)
    return answer_success()
