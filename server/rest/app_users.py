"""App users: phones, as ODK Central's programs know them. One made here may use the forms alone that it is assigned to."""

from __future__ import annotations

from typing import Any

from flask import Response
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor, Place
from server.access.actor_properties import list_properties, read_values, set_values
from server.access.audit import remember_notes
from server.access.phones import create_phone, delete_phone, last_submissions, list_phone_rows, move_phone
from server.access.projects import find_project
from server.http.credentials import authenticate
from server.http.described import described
from server.http.json_answers import action_notes, answer_json, answer_success, instant, wants_extended
from server.http.json_body import json_object, text_of
from server.http.parts import parts
from server.model import ActorRow
from server.rest import blueprint
from server.rest.actor_shapes import actor_shape, phone_shape
from server.transactions import transaction

_ALL = "/projects/<int:project_id>/app-users"
_ONE = _ALL + "/<int:phone_id>"


def _shapes(session: Session, actor: Actor, project_id: int, *, phone_id: int | None = None, extended: bool = False) -> list[dict[str, Any]]:
    find_project(session, project_id)
    rows = list_phone_rows(session, actor, project_id, secrets=parts().secrets, phone_id=phone_id)
    if not extended:
        return [phone_shape(phone, row) for phone, row, _maker in rows]
    last = last_submissions(session, [row.id for _phone, row, _maker in rows])
    return [
        {**phone_shape(phone, row), "createdBy": actor_shape(maker) if maker else None, "lastUsed": instant(last.get(row.id)),
         "properties": row.properties or None}
        for phone, row, maker in rows
    ]  # fmt: skip


@blueprint.get(_ALL)
def get_app_users(project_id: int) -> Response:
    """A project's app users (phones)."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        return answer_json(_shapes(session, actor, project_id, extended=wants_extended()))


@blueprint.post(_ALL)
@described(body={"displayName": "string!", "division": "string", "properties": "object"})
def post_app_user(project_id: int) -> Response:
    """A new app user."""
    actor, body = authenticate(), json_object()
    name, division = text_of(body, "displayName", required=True) or "", text_of(body, "division", most=12)
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        project = find_project(session, project_id)
        phone = create_phone(session, actor, project_id, name=name, division=division, secrets=parts().secrets, all_forms=False)
        row = session.get_one(ActorRow, phone.id)
        if body.get("properties") is not None:
            set_values(session, actor, row, read_values(body["properties"], list_properties(session, actor, project)))
        return answer_json(phone_shape(phone, row))


@blueprint.get(_ONE)
def get_app_user(project_id: int, phone_id: int) -> Response:
    """One app user."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        found = _shapes(session, actor, project_id, phone_id=phone_id, extended=wants_extended())
    if not found:
        raise problems.not_found()
    return answer_json(found[0])


@blueprint.patch(_ONE)
@described(body={"properties": "object", "division": "string"})
def patch_app_user(project_id: int, phone_id: int) -> Response:
    """Set an app user's properties, or move it to another division."""
    actor, body = authenticate(), json_object()
    division = text_of(body, "division", most=12)
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        project = find_project(session, project_id)
        actor.require("field_key.update", Place(project_id))
        if not _shapes(session, actor, project_id, phone_id=phone_id):
            raise problems.not_found()
        if body.get("properties") is not None:
            values = read_values(body["properties"], list_properties(session, actor, project))
            set_values(session, actor, session.get_one(ActorRow, phone_id), values)
        if "division" in body:
            move_phone(session, actor, phone_id, division=division)
        return answer_json(_shapes(session, actor, project_id, phone_id=phone_id, extended=True)[0])


@blueprint.delete(_ONE)
def delete_app_user(project_id: int, phone_id: int) -> Response:
    """Delete an app user; its token opens nothing any more."""
    actor = authenticate()
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        find_project(session, project_id)
        delete_phone(session, actor, project_id, phone_id)
    return answer_success()
