"""Assignments of roles at the site, in a project, on a form: one set of views for the three."""

from __future__ import annotations

from typing import Any

from flask import Response
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Place
from server.access.assignments import get_assignable, give_role, list_assignments, list_form_assignments, take_role
from server.access.audit import remember_notes
from server.access.projects import find_project
from server.access.roles import find_role
from server.forms.drafts import find_form
from server.http.credentials import authenticate
from server.http.json_answers import action_notes, answer_json, answer_success, wants_extended
from server.http.parts import parts
from server.model import ActorRow, Assignment
from server.rest import blueprint
from server.rest.actor_shapes import actor_shape
from server.rest.roles import role_of
from server.transactions import transaction

_SITE = {"project_id": None, "form_id": None}
_BASES = (("/assignments", _SITE), ("/projects/<int:project_id>/assignments", {"form_id": None}), ("/projects/<int:project_id>/forms/<form_id>/assignments", {}))


def _place(session: Session, project_id: int | None, form_id: str | None) -> Place:
    """Raises: not_found."""
    if project_id is None:
        return Place()
    find_project(session, project_id)
    if form_id is None:
        return Place(project_id)
    form = find_form(session, project_id, form_id)
    if form is None:
        raise problems.not_found()
    return Place(project_id, form.id)


def assignment_shape(assignment: Assignment, row: ActorRow, *, extended: bool) -> dict[str, Any]:
    """An assignment by numbers, or with its holder."""
    role = find_role(assignment.role)
    number = role.number if role else None
    shape = {"actorId": row.id, "roleId": number}
    return {**shape, "actor": actor_shape(row)} if extended else shape


def get_assignments(project_id: int | None, form_id: str | None) -> Response:
    """Who has which role here."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        found = list_assignments(session, actor, _place(session, project_id, form_id))
    return answer_json([assignment_shape(*one, extended=wants_extended()) for one in found])


def get_role_holders(project_id: int | None, form_id: str | None, role_name: str) -> Response:
    """Who has this role here."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        found = list_assignments(session, actor, _place(session, project_id, form_id), role=role_of(role_name))
    return answer_json([actor_shape(row) for _assignment, row in found])


def post_assignment(project_id: int | None, form_id: str | None, role_name: str, actor_id: int) -> Response:
    """Give a role here."""
    actor = authenticate()
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        place = _place(session, project_id, form_id)
        give_role(session, actor, get_assignable(session, actor_id), role_of(role_name), place)
    return answer_success()


def delete_assignment(project_id: int | None, form_id: str | None, role_name: str, actor_id: int) -> Response:
    """Take a role back."""
    actor = authenticate()
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        place = _place(session, project_id, form_id)
        take_role(session, actor, get_assignable(session, actor_id), role_of(role_name), place)
    return answer_success()


for _base, _defaults in _BASES:
    blueprint.add_url_rule(_base, view_func=get_assignments, defaults=_defaults, methods=["GET"])
    blueprint.add_url_rule(f"{_base}/<role_name>", view_func=get_role_holders, defaults=_defaults, methods=["GET"])
    blueprint.add_url_rule(f"{_base}/<role_name>/<int:actor_id>", view_func=post_assignment, defaults=_defaults, methods=["POST"])
    blueprint.add_url_rule(f"{_base}/<role_name>/<int:actor_id>", view_func=delete_assignment, defaults=_defaults, methods=["DELETE"])


@blueprint.get("/projects/<int:project_id>/assignments/forms", defaults={"role_name": None})
@blueprint.get("/projects/<int:project_id>/assignments/forms/<role_name>")
def get_form_assignments(project_id: int, role_name: str | None) -> Response:
    """Roles on single forms of a project."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        find_project(session, project_id)
        role = role_of(role_name) if role_name is not None else None
        found = list_form_assignments(session, actor, project_id, role=role)
    return answer_json([{**assignment_shape(one, row, extended=wants_extended()), "xmlFormId": form.form_id} for one, row, form in found])
