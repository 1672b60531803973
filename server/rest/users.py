"""Users: accounts of people."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from sqlalchemy.orm import Session

from server import problems
from server.access.accounts import create_user
from server.access.actor import Actor, Place
from server.access.audit import remember_notes
from server.access.password_resets import begin_reset, finish_reset
from server.access.preferences import read_preferences
from server.access.sessions import find_session_actor
from server.access.users import (
    change_password,
    delete_user,
    find_account,
    get_account,
    get_user,
    invalidate_password,
    list_users,
    site_verbs,
    update_user,
)  # fmt: skip
from server.http.addresses import new_password_address
from server.http.credentials import authenticate
from server.http.described import described
from server.http.json_answers import action_notes, answer_json, answer_success, is_true, wants_extended
from server.http.json_body import json_object, text_of
from server.http.mail import send_password_link
from server.http.parts import parts
from server.rest import blueprint
from server.rest.actor_shapes import user_shape
from server.transactions import transaction


@blueprint.get("/users")
@described(query={"q": "string"})
def get_users() -> Response:
    """Users; with q, those whose name or e-mail is like it."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        found = list_users(session, actor, query=request.args.get("q"))
    return answer_json([user_shape(*account) for account in found])


def _password_of(body: dict[str, Any], name: str) -> str | None:
    """The password as text; one of another type is no password at all. Raises: invalid_data_type."""
    value = body.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise problems.invalid_data_type(name, None, "string")
    return value


@blueprint.post("/users")
@described(body={"email": "string!", "password": "string", "displayName": "string"})
def post_user() -> Response:
    """A new user."""
    actor, body = authenticate(), json_object()
    actor.require("user.create", Place())
    email = text_of(body, "email", most=320, required=True) or ""
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        user_id = create_user(
            session, actor, email=email, password=_password_of(body, "password"), name=text_of(body, "displayName") or email,
            password_rounds=parts().settings.password_rounds,
        )  # fmt: skip
        account = get_account(session, user_id)
        token = None if body.get("password") else begin_reset(session, user_id)
    if token is not None:
        send_password_link(parts().settings, email, new_password_address(token))
    return answer_json(user_shape(*account))


@blueprint.get("/users/current")
def get_current_user() -> Response:
    """Who signs this request."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        user, row = get_account(session, actor.id)
        shape = user_shape(user, row)
        if wants_extended():
            shape |= {"verbs": site_verbs(actor), "preferences": read_preferences(session, actor)}
    return answer_json(shape)


@blueprint.get("/users/<int:user_id>")
def get_one_user(user_id: int) -> Response:
    """One user."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        account = get_user(session, actor, user_id)
    return answer_json(user_shape(*account))


@blueprint.patch("/users/<int:user_id>")
@described(body={"email": "string", "displayName": "string"})
def patch_user(user_id: int) -> Response:
    """Change a user's name or e-mail."""
    actor, body = authenticate(), json_object()
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        account = update_user(session, actor, user_id, email=text_of(body, "email", most=320), name=text_of(body, "displayName"))
    return answer_json(user_shape(*account))


@blueprint.delete("/users/<int:user_id>")
def remove_user(user_id: int) -> Response:
    """Delete a user."""
    actor = authenticate()
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        delete_user(session, actor, user_id)
    return answer_success()


@blueprint.put("/users/<int:user_id>/password")
@described(body={"old": "string!", "new": "string!"})
def put_password(user_id: int) -> Response:
    """A new password, given the old one."""
    actor, body = authenticate(), json_object()
    old, new = _password_of(body, "old"), _password_of(body, "new")
    with transaction(parts().engine, write=True) as session:
        get_user(session, actor, user_id, verb="user.update")
        change_password(session, actor, user_id, old=old or "", new=new or "", password_rounds=parts().settings.password_rounds)
    return answer_success()


@blueprint.post("/users/reset/initiate")
@described(body={"email": "string!"}, query={"invalidate": "boolean"})
def post_reset() -> Response:
    """Begin a password reset."""
    invalidate = is_true("invalidate")
    actor, body = authenticate() if invalidate else None, json_object()
    email = text_of(body, "email", most=320, required=True) or ""
    with transaction(parts().engine, write=True) as session:
        token = _begin_reset(session, actor, email)
    # After the commit, and the same answer whether there is such an account or not.
    if token is not None:
        send_password_link(parts().settings, email, new_password_address(token))
    return answer_success()


def _begin_reset(session: Session, actor: Actor | None, email: str) -> str | None:
    account = find_account(session, email)
    if actor is not None:
        actor.require("user.password.invalidate", Place())
        if account is not None:
            invalidate_password(session, actor, account[0])
    return begin_reset(session, account[0].actor_id) if account is not None else None


@blueprint.post("/users/reset/verify")
@described(body={"new": "string!"})
def post_reset_verify() -> Response:
    """A new password by a reset token."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise problems.authentication_failed()
    new = _password_of(json_object(), "new") or ""
    with transaction(parts().engine, write=True) as session:
        if find_session_actor(session, token.strip()) is not None:
            raise problems.insufficient_rights()
        finish_reset(session, token.strip(), new=new, password_rounds=parts().settings.password_rounds)
    return answer_success()
