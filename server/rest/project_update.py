"""A project with all its forms and their assignments, put at once; and its managed encryption."""

from __future__ import annotations

from typing import Any

from flask import Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor, Place
from server.access.assignments import give_role, list_form_assignments, take_role
from server.access.audit import remember_notes
from server.access.projects import get_project, update_project
from server.access.roles import LISTED_ROLES, Role
from server.forms.encryption import check_passphrase, make_managed_key
from server.forms.project_encryption import encrypt_project
from server.forms.publish import update_form
from server.http.credentials import authenticate
from server.http.described import described
from server.http.json_answers import action_notes, answer_json, answer_success
from server.http.json_body import json_object, text_of
from server.http.parts import parts
from server.model import ActorRow, Form
from server.rest import blueprint
from server.rest.forms import form_changes
from server.rest.projects import project_changes, project_shape
from server.transactions import transaction

# Roles that the system gives; a put that does not name them leaves them.
_KEPT = ("formview", "pub-link")


@blueprint.post("/projects/<int:project_id>/key")
@described(body={"passphrase": "string!", "hint": "string"})
def post_project_key(project_id: int) -> Response:
    """Encrypt all forms of the project with a new key under this passphrase."""
    actor, body = authenticate(), json_object()
    with transaction(parts().engine) as session:
        project = get_project(session, actor, project_id, verb="project.update")
        if project.key_id is not None:
            raise problems.already_active("managed encryption")
    hint = text_of(body, "hint", most=1000)
    # Making a key takes a second: outside any transaction.
    public, private = make_managed_key(check_passphrase(body.get("passphrase")))
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        project = get_project(session, actor, project_id, verb="project.update")
        encrypt_project(session, actor, project, public=public, private=private, hint=hint)
    return answer_success()


@blueprint.put("/projects/<int:project_id>")
@described(body={"name": "string!", "description": "string", "archived": "boolean", "forms": "array"})
def put_project(project_id: int) -> Response:
    """Set a project, and all of its forms with their assignments where they are given."""
    actor, body = authenticate(), json_object()
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        project = get_project(session, actor, project_id, verb="project.update")
        update_project(session, actor, project, project_changes(body, required=True))
        if isinstance(body.get("forms"), list):
            _put_forms(session, actor, project_id, body["forms"])
        return answer_json(project_shape(project))


def _put_forms(session: Session, actor: Actor, project_id: int, given: list[Any]) -> None:
    forms = {
        form.form_id: form for form in session.scalars(select(Form).where(Form.project_id == project_id, Form.deleted_at.is_(None)).limit(5000))
    }
    if len(given) != len(forms):
        raise problems.unexpected_forms_list()
    seen: set[str] = set()
    for one in given:
        name = one.get("xmlFormId") if isinstance(one, dict) else None
        if name in seen:
            raise problems.unexpected_value("xmlFormId", name, "duplicate value")
        if not isinstance(name, str) or name not in forms:
            raise problems.unexpected_forms_list()
        seen.add(name)
        form = forms[name]
        update_form(session, actor, form, form_changes(one))
        if isinstance(one.get("assignments"), list):
            _put_assignments(session, actor, form, one["assignments"])


def _put_assignments(session: Session, actor: Actor, form: Form, given: list[Any]) -> None:
    wanted = [_wanted(one) for one in given]
    place = Place(form.project_id, form.id)
    held = {
        (row.id, assignment.role): row
        for assignment, row, on in list_form_assignments(session, actor, form.project_id) if on.id == form.id and assignment.role not in _KEPT
    }  # fmt: skip
    for (holder_id, role_name), row in held.items():
        if not any((holder_id, role_name) == (other, role.system) for other, role in wanted):
            take_role(session, actor, row, next(role for role in LISTED_ROLES if role.system == role_name), place)
    for holder_id, role in wanted:
        if (holder_id, role.system) not in held:
            holder = session.get(ActorRow, holder_id)
            if holder is None or holder.deleted_at is not None:
                raise problems.key_does_not_exist("actorId", holder_id, "actors")
            give_role(session, actor, holder, role, place)


def _wanted(one: Any) -> tuple[int, Role]:
    found = one if isinstance(one, dict) else {}
    for name in ("actorId", "roleId"):
        if found.get(name) is None:
            raise problems.missing_parameter(f"assignment {name}")
        if not isinstance(found[name], int) or isinstance(found[name], bool) or abs(found[name]) >= 2**31:
            raise problems.invalid_data_type(f"assignment {name}", None, "integer")
    role = next((role for role in LISTED_ROLES if role.number == found["roleId"]), None)
    if role is None:
        raise problems.key_does_not_exist("roleId", found["roleId"], "roles")
    return found["actorId"], role
