"""A project's actor properties: names, and the values in use."""

from __future__ import annotations

from flask import Response

from server.access.actor_properties import add_property, list_properties, list_values
from server.access.projects import find_project
from server.http.credentials import authenticate
from server.http.described import described
from server.http.json_answers import answer_json, answer_success, wants_extended
from server.http.json_body import json_object
from server.http.parts import parts
from server.rest import blueprint
from server.transactions import transaction


@blueprint.post("/projects/<int:project_id>/actor-properties")
@described(body={"name": "string!"})
def post_actor_property(project_id: int) -> Response:
    """A new property name for a project's app users and public links."""
    actor, body = authenticate(), json_object()
    with transaction(parts().engine, write=True) as session:
        add_property(session, actor, find_project(session, project_id), body.get("name"))
    return answer_success()


@blueprint.get("/projects/<int:project_id>/actor-properties")
def get_actor_properties(project_id: int) -> Response:
    """A project's property names; extended, with the values in use."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        project = find_project(session, project_id)
        if wants_extended():
            return answer_json([{"name": name, "values": values} for name, values in list_values(session, actor, project).items()])
        return answer_json([{"name": name} for name in list_properties(session, actor, project)])
