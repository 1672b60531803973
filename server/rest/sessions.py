"""Sessions: signing in and out by program."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import quote

from flask import Response, request

from server import problems
from server.access.sessions import NewSession, end_listed_session, end_session_by_token, list_sessions, read_session, sign_in
from server.http.credentials import authenticate
from server.http.described import described
from server.http.json_answers import answer_json, answer_success, instant
from server.http.json_body import json_object
from server.http.key_addresses import key_of_request
from server.http.parts import parts
from server.rest import blueprint
from server.transactions import transaction

_FOREVER = "9999-12-31T23:59:59.000Z"


@blueprint.post("/sessions")
@described(body={"email": "string!", "password": "string!"})
def post_session() -> Response:
    """Sign in."""
    body = json_object()
    email, password = body.get("email"), body.get("password")
    if _is_blank(email) or _is_blank(password):
        # A password is never told back, not even to who sent it.
        shown = {name: body[name] for name in ("email", "password") if name in body and (name == "email" or _is_blank(body[name]))}
        raise problems.missing_parameters(["email", "password"], shown)
    if not isinstance(email, str):
        raise problems.invalid_data_type("email", None, "string")
    if not isinstance(password, str):
        raise problems.authentication_failed()
    made = sign_in(
        parts().engine, email=email, password=password, address=request.remote_addr or "", user_agent=request.user_agent.string,
        password_rounds=parts().settings.password_rounds,
    )  # fmt: skip
    response = answer_json(
        {"token": made.token, "csrf": made.csrf, "createdAt": instant(made.created_at), "expiresAt": instant(made.expires_at)}
    )
    _set_cookies(response, made)
    return response


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _set_cookies(response: Response, made: NewSession) -> None:
    _add_cookies(response, quote(made.token, safe=""), quote(made.csrf, safe=""), made.expires_at, secure=request.is_secure)


def _drop_cookies(response: Response) -> None:
    _add_cookies(response, "null", "null", datetime.fromtimestamp(0, UTC), secure=True)


def _add_cookies(response: Response, token: str, csrf: str, expires: datetime, *, secure: bool) -> None:
    name = "__Host-session" if request.is_secure else "session"
    end = f"; Path=/; Expires={format_datetime(expires.replace(microsecond=0), usegmt=True)}"
    same = ("; Secure" if secure else "") + "; SameSite=Strict"
    response.headers.add("Set-Cookie", f"{name}={token}{end}; HttpOnly{same}")
    response.headers.add("Set-Cookie", f"__csrf={csrf}{end}{same}")


@blueprint.get("/sessions")
def get_sessions() -> Response:
    """One's own sessions; each ends by DELETE /sessions/own/ID."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        found = list_sessions(session, actor)
    return answer_json([
        {"id": one.id, "createdAt": instant(one.created_at), "expiresAt": instant(one.expires_at), "userAgent": one.user_agent, "current": one.is_own}
        for one in found
    ])  # fmt: skip


@blueprint.delete("/sessions/own/<session_id>")
def delete_own_session(session_id: str) -> Response:
    """End one of one's own sessions."""
    actor = authenticate()
    with transaction(parts().engine, write=True) as session:
        end_listed_session(session, actor, session_id)
    return answer_success()


@blueprint.get("/sessions/restore")
def get_session() -> Response:
    """The session that this request came with."""
    actor = authenticate()
    if key_of_request() is not None:
        return answer_json({"createdAt": None, "expiresAt": _FOREVER})
    with transaction(parts().engine) as session:
        created_at, expires_at = read_session(session, actor)
    return answer_json({"createdAt": instant(created_at), "expiresAt": instant(expires_at)})


@blueprint.delete("/sessions/current")
def delete_current_session() -> Response:
    """Sign out."""
    return _end(None)


@blueprint.delete("/sessions/<token>")
def delete_session(token: str) -> Response:
    """End a session, or revoke a phone's or public link's token."""
    return _end(token)


def _end(token: str | None) -> Response:
    actor = authenticate()
    with transaction(parts().engine, write=True) as session:
        own = end_session_by_token(session, actor, token, secrets=parts().secrets)
    response = answer_success()
    if own:
        _drop_cookies(response)
    return response
