"""A user's own preferences: set and taken away; read with /users/current."""

from __future__ import annotations

from typing import Any

from flask import Response

from server import problems
from server.access.preferences import remove_preference, set_preference
from server.http.credentials import authenticate
from server.http.described import described
from server.http.json_answers import answer_success
from server.http.json_body import json_object
from server.http.parts import parts
from server.rest import blueprint
from server.transactions import transaction

_SITE = "/user-preferences/site/<name>"
_PROJECT = "/user-preferences/project/<int:project_id>/<name>"


def _value() -> Any:
    body = json_object()
    if "propertyValue" not in body:
        raise problems.property_not_found("propertyValue")
    if len(body) > 1:
        raise problems.unexpected_properties(["propertyValue"], list(body))
    return body["propertyValue"]


@blueprint.put(_SITE, defaults={"project_id": None})
@blueprint.put(_PROJECT)
@described(body={"propertyValue": "any!"})
def put_preference(project_id: int | None, name: str) -> Response:
    """Set one's own preference."""
    actor, value = authenticate(), _value()
    with transaction(parts().engine, write=True) as session:
        set_preference(session, actor, project_id, name, value)
    return answer_success()


@blueprint.delete(_SITE, defaults={"project_id": None})
@blueprint.delete(_PROJECT)
def delete_preference(project_id: int | None, name: str) -> Response:
    """Take one's own preference away."""
    actor = authenticate()
    with transaction(parts().engine, write=True) as session:
        remove_preference(session, actor, project_id, name)
    return answer_success()
