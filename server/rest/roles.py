"""Roles: fixed, read by anyone who is signed in."""

from __future__ import annotations

from typing import Any

from flask import Response

from server import problems
from server.access.roles import LISTED_ROLES, Role, find_role
from server.http.credentials import authenticate
from server.http.json_answers import answer_json
from server.rest import blueprint


def role_shape(role: Role) -> dict[str, Any]:
    """A role with its verbs; it was made with the program, so it bears no date."""
    return {"id": role.number, "name": role.name, "system": role.system, "verbs": sorted(role.verbs), "createdAt": None, "updatedAt": None}


@blueprint.get("/roles")
def get_roles() -> Response:
    """All roles with their verbs."""
    authenticate()
    return answer_json([role_shape(role) for role in LISTED_ROLES])


@blueprint.get("/roles/<name>")
def get_role(name: str) -> Response:
    """One role, by number or system name."""
    authenticate()
    return answer_json(role_shape(role_of(name)))


def role_of(name: str) -> Role:
    """The role that a path names, by number or system name. Raises: not_found."""
    role = find_role(name)
    if role is None:
        raise problems.not_found()
    return role
