"""Who is at the browser: the session's actor, CSRF tokens, cookies."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass

from flask import Response, g, request

from server import problems
from server.access.actor import NOBODY, Actor
from server.access.sessions import SESSION_HOURS, NewSession, find_session_actor
from server.http.languages import preferred_language
from server.http.parts import parts
from server.problems import Problem
from server.transactions import transaction

LANGUAGES = ("zh", "en")
_YEAR_SECONDS = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Visitor:
    """The actor (NOBODY for a stranger) and the token that each of their POSTs must carry."""

    actor: Actor
    csrf: str


def visitor() -> Visitor:
    """Whoever sends this request, looked up once."""
    if "visitor" not in g:
        with transaction(parts().engine) as session:
            g.visitor = _of_session(lambda token: find_session_actor(session, token)) or _stranger()
    return g.visitor  # type: ignore[no-any-return]


def is_known_visitor() -> bool:
    """Whether the browser is signed in."""
    return visitor().actor is not NOBODY


def known_visitor() -> Visitor | None:
    """The visitor if already looked up: for pages about problems, of which the database may be one."""
    return g.get("visitor")


def _of_session(find: object) -> Visitor | None:
    try:
        found = find(request.cookies.get(_name("session"), ""))  # type: ignore[operator]
    except Problem:  # the account was deleted since
        return None
    return Visitor(*found) if found else None


def _stranger() -> Visitor:
    """A stranger's token is bound to a cookie that only we can have signed into it."""
    guest = request.cookies.get(_name("guest"), "")
    if not 20 <= len(guest) <= 100:
        guest = g.new_guest = secrets.token_urlsafe(24)
    return Visitor(NOBODY, hmac.digest(parts().secrets.signing, b"guest:" + guest.encode("utf-8", "replace"), "sha256").hex())


def require_csrf() -> None:
    """Raises: insufficient_rights, where the form's token is not the visitor's."""
    given = request.form.get("csrf", "")
    if not hmac.compare_digest(given.encode("utf-8", "replace"), visitor().csrf.encode()):
        raise problems.insufficient_rights()


def _name(name: str) -> str:
    """`__Host-` binds a cookie to this host and to https; a browser takes it nowhere else."""
    return f"__Host-{name}" if request.is_secure else name


def _set(response: Response, name: str, value: str, seconds: int | None) -> None:
    response.set_cookie(name, value, max_age=seconds, path="/", secure=request.is_secure, httponly=True, samesite="Strict")


def set_session_cookie(response: Response, made: NewSession) -> None:
    """The browser keeps the session for as long as it lives here."""
    _set(response, _name("session"), made.token, SESSION_HOURS * 3600)


def drop_session_cookie(response: Response) -> None:
    """The browser forgets the session."""
    _set(response, _name("session"), "", 0)


def set_guest_cookie(response: Response) -> None:
    """A stranger who was given a token has the cookie that goes with it."""
    if "new_guest" in g:
        _set(response, _name("guest"), g.new_guest, None)


def language() -> str:
    """`zh` or `en`: the visitor's choice, else what the browser asks for, else Chinese."""
    chosen = request.cookies.get("language")
    return chosen if chosen in LANGUAGES else preferred_language()


def set_language_cookie(response: Response, chosen: str) -> None:
    """The choice holds for a year."""
    _set(response, "language", chosen if chosen in LANGUAGES else "zh", _YEAR_SECONDS)


def local_path(target: str | None, otherwise: str) -> str:
    """`target` if it is a path on this server, else `otherwise`: nobody is sent elsewhere by a link to us."""
    safe = target and target.startswith("/") and not target.startswith("//") and "\\" not in target and target.isprintable()
    return target if safe and target else otherwise
