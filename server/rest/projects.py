"""Projects."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from sqlalchemy.orm import Session

from server.access.actor import Actor, Place
from server.access.audit import remember_notes
from server.access.projects import count_project, create_project, delete_project, get_project, list_projects, update_project
from server.access.users import verbs_on
from server.http.credentials import authenticate
from server.http.described import described
from server.http.json_answers import action_notes, answer_json, answer_success, instant, wants_extended
from server.http.json_body import flag_of, json_object, text_of
from server.http.parts import parts
from server.model import Project
from server.rest import blueprint
from server.rest.project_contents import add_entity_lists, add_form_lists
from server.transactions import transaction


def project_shape(project: Project) -> dict[str, Any]:
    """A project's own columns."""
    return {
        "id": project.id, "name": project.name, "description": project.description, "archived": project.archived, "keyId": project.key_id,
        "createdAt": instant(project.created_at), "updatedAt": instant(project.updated_at), "deletedAt": instant(project.deleted_at),
    }  # fmt: skip


def _extended(session: Session, actor: Actor, project: Project) -> dict[str, Any]:
    counts = count_project(session, actor, project.id)
    return {
        **project_shape(project), "forms": counts.forms, "appUsers": counts.app_users, "datasets": counts.datasets,
        "lastSubmission": instant(counts.last_submission), "lastEntity": instant(counts.last_entity),
    }  # fmt: skip


def _listed(session: Session, actor: Actor, project: Project) -> dict[str, Any]:
    shape = _extended(session, actor, project) if wants_extended() else project_shape(project)
    shape["verbs"] = verbs_on(actor, Place(project.id))
    return shape


@blueprint.get("/projects")
@described(query={"forms": "boolean", "datasets": "boolean"})
def get_projects() -> Response:
    """Projects; with forms=true or datasets=true, with what is in them."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        shapes = {project.id: _listed(session, actor, project) for project in list_projects(session, actor)}
        if request.args.get("forms"):
            add_form_lists(session, actor, shapes)
        if request.args.get("datasets"):
            add_entity_lists(session, actor, shapes)
    return answer_json(list(shapes.values()))


def project_changes(body: dict[str, Any], *, required: bool = False) -> dict[str, Any]:
    """What the body says of a project's own columns. Raises: missing_parameter, invalid_data_type."""
    changes: dict[str, Any] = {}
    if required or "name" in body:
        changes["name"] = text_of(body, "name", required=True)
    if required or "description" in body:
        changes["description"] = text_of(body, "description", most=10_000)
    if required or "archived" in body:
        changes["archived"] = flag_of(body, "archived")
    return changes


@blueprint.post("/projects")
@described(body={"name": "string!", "description": "string", "archived": "boolean"})
def post_project() -> Response:
    """A new project."""
    actor, body = authenticate(), json_object()
    actor.require("project.create", Place())
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        project = create_project(session, actor, **project_changes(body, required=True))
    return answer_json(project_shape(project))


@blueprint.get("/projects/<int:project_id>")
def get_one_project(project_id: int) -> Response:
    """One project."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        project = get_project(session, actor, project_id)
        if not wants_extended():
            return answer_json(project_shape(project))
        return answer_json({**_extended(session, actor, project), "verbs": verbs_on(actor, Place(project.id))})


@blueprint.patch("/projects/<int:project_id>")
@described(body={"name": "string", "description": "string", "archived": "boolean"})
def patch_project(project_id: int) -> Response:
    """Change a project."""
    actor, body = authenticate(), json_object()
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        project = get_project(session, actor, project_id, verb="project.update")
        update_project(session, actor, project, project_changes(body))
    return answer_json(project_shape(project))


@blueprint.delete("/projects/<int:project_id>")
def remove_project(project_id: int) -> Response:
    """Delete a project."""
    actor = authenticate()
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        delete_project(session, actor, get_project(session, actor, project_id, verb="project.delete"))
    return answer_success()
