"""Sessions: signing in and out by program."""

from __future__ import annotations

from flask import Response, request

from server import problems
from server.access.sessions import NewSession, end_session_by_token, read_session, sign_in
from server.http.credentials import authenticate
from server.http.json_answers import answer_json, answer_success, instant
from server.http.json_body import json_object
from server.http.key_addresses import key_of_request
from server.http.parts import parts
from server.rest import blueprint
from server.transactions import transaction

_FOREVER = "9999-12-31T23:59:59.000Z"


@blueprint.post("/sessions")
def post_session() -> Response:
    body = json_object()
    email, password = body.get("email"), body.get("password")
    if not email or not password:
        raise problems.missing_parameters(["email", "password"], {"email": email if isinstance(email, str) else None})
    if not isinstance(email, str) or not isinstance(password, str):
        raise problems.invalid_data_type("email" if not isinstance(email, str) else "password", None, "string")
    made = sign_in(
        parts().engine, email=email, password=password, address=request.remote_addr or "", user_agent=request.user_agent.string,
        password_rounds=parts().settings.password_rounds,
    )  # fmt: skip
    response = answer_json(
        {"token": made.token, "csrf": made.csrf, "createdAt": instant(made.created_at), "expiresAt": instant(made.expires_at)}
    )
    _set_cookies(response, made)
    return response


def _set_cookies(response: Response, made: NewSession) -> None:
    name = "__Host-session" if request.is_secure else "session"
    for cookie, value, hidden in ((name, made.token, True), ("__csrf", made.csrf, False)):
        response.set_cookie(cookie, value, expires=made.expires_at, path="/", secure=request.is_secure, httponly=hidden, samesite="Strict")


def _drop_cookies(response: Response) -> None:
    name = "__Host-session" if request.is_secure else "session"
    for cookie, hidden in ((name, True), ("__csrf", False)):
        response.set_cookie(cookie, "null", expires=0, path="/", secure=True, httponly=hidden, samesite="Strict")


@blueprint.get("/sessions/restore")
def get_session() -> Response:
    actor = authenticate()
    if key_of_request() is not None:
        return answer_json({"createdAt": None, "expiresAt": _FOREVER})
    with transaction(parts().engine) as session:
        created_at, expires_at = read_session(session, actor)
    return answer_json({"createdAt": instant(created_at), "expiresAt": instant(expires_at)})


@blueprint.delete("/sessions/current")
def delete_current_session() -> Response:
    return _end(None)


@blueprint.delete("/sessions/<token>")
def delete_session(token: str) -> Response:
    return _end(token)


def _end(token: str | None) -> Response:
    actor = authenticate()
    with transaction(parts().engine, write=True) as session:
        own = end_session_by_token(session, actor, token, secrets=parts().secrets)
    response = answer_success()
    if own:
        _drop_cookies(response)
    return response
