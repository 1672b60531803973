"""A form's public links."""

from __future__ import annotations

from typing import Any

from flask import Response
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor
from server.access.actor_properties import list_properties, read_values, set_values
from server.access.audit import remember_notes
from server.access.projects import find_project
from server.access.public_links import LinkAccess, create_link, delete_link, get_link, list_links
from server.forms.drafts import find_form
from server.http.credentials import authenticate
from server.http.described import described
from server.http.json_answers import action_notes, answer_json, answer_success, wants_extended
from server.http.json_body import flag_of, json_object, text_of
from server.http.parts import parts
from server.model import ActorRow, Form
from server.rest import blueprint
from server.rest.actor_shapes import actor_shape
from server.transactions import transaction

_ALL = "/projects/<int:project_id>/forms/<form_id>/public-links"
_ONE = _ALL + "/<int:link_id>"


def _form(session: Session, project_id: int, form_id: str) -> Form:
    """Raises: not_found."""
    find_project(session, project_id)
    form = find_form(session, project_id, form_id)
    if form is None:
        raise problems.not_found()
    return form


def link_shape(link: LinkAccess, *, extended: bool = False) -> dict[str, Any]:
    """A link with its token (null once revoked); extended, with who made it and its property values."""
    shape = {**actor_shape(link.row), "token": link.token, "once": link.once or None}
    if extended:
        shape |= {"createdBy": actor_shape(link.created_by) if link.created_by else None, "properties": link.row.properties or None}
    return shape


def _set_properties(session: Session, actor: Actor, form: Form, row: ActorRow, properties: Any) -> None:
    if properties is not None:
        project = find_project(session, form.project_id)
        set_values(session, actor, row, read_values(properties, list_properties(session, actor, project)))


@blueprint.get(_ALL)
def get_public_links(project_id: int, form_id: str) -> Response:
    """A form's public links."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        found = list_links(session, actor, _form(session, project_id, form_id), secrets=parts().secrets)
    return answer_json([link_shape(link, extended=wants_extended()) for link in found])


@blueprint.post(_ALL)
@described(body={"displayName": "string!", "once": "boolean", "properties": "object"})
def post_public_link(project_id: int, form_id: str) -> Response:
    """A new public link."""
    actor, body = authenticate(), json_object()
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        form = _form(session, project_id, form_id)
        actor.require("public_link.create", form)
        name, once = text_of(body, "displayName", required=True) or "", flag_of(body, "once") is True
        link = create_link(session, actor, form, name=name, once=once, secrets=parts().secrets)
        _set_properties(session, actor, form, link.row, body.get("properties"))
    return answer_json(link_shape(link))


@blueprint.get(_ONE)
def get_public_link(project_id: int, form_id: str, link_id: int) -> Response:
    """One public link."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        link = get_link(session, actor, _form(session, project_id, form_id), link_id, secrets=parts().secrets)
    return answer_json(link_shape(link, extended=wants_extended()))


@blueprint.patch(_ONE)
@described(body={"properties": "object"})
def patch_public_link(project_id: int, form_id: str, link_id: int) -> Response:
    """Set a public link's property values."""
    actor, body = authenticate(), json_object()
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        form = _form(session, project_id, form_id)
        link = get_link(session, actor, form, link_id, secrets=parts().secrets, verb="public_link.update")
        _set_properties(session, actor, form, link.row, body.get("properties"))
    return answer_json(link_shape(link, extended=True))


@blueprint.delete(_ONE)
def remove_public_link(project_id: int, form_id: str, link_id: int) -> Response:
    """Delete a public link; it opens nothing any more."""
    actor = authenticate()
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        delete_link(session, actor, _form(session, project_id, form_id), link_id, secrets=parts().secrets)
    return answer_success()
