"""What every page has: layout, words, security headers, closed doors; and the page of a problem."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

from flask import Flask, Response, make_response, redirect, render_template, request, url_for
from sqlalchemy.exc import SQLAlchemyError

from server import problems
from server.access.actor import NOBODY, Place
from server.http.storable import is_storable
from server.problems import Problem
from server.web import blueprint, showing
from server.web.visitor import known_visitor, language, require_csrf, set_guest_cookie, visitor
from server.web.wording import translate

PROJECT = 1
LARGEST_NUMBER = 2**63 - 1
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_open_to_strangers = frozenset({"web.sign_in", "web.try_sign_in", "web.choose_language", "web.static", "web.show_new_password", "web.set_new_password"})
_STATIC = Path(__file__).parent / "static"


def register(app: Flask) -> None:
    """The app's templates know words, values and the visitor; its pages carry the headers."""
    app.jinja_env.globals.update(
        asset=_asset, division_name=showing.division_name, local_time=showing.local_time, Place=Place
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.after_request(_with_headers)


def page(template: str, status: int = 200, **values: Any) -> Response:
    """The template as an answer, in the visitor's language."""
    now, chosen = known_visitor(), language()
    project_id = (request.view_args or {}).get("project_id", PROJECT)
    known = {"_": partial(translate, chosen), "language": chosen, "actor": now.actor if now else NOBODY, "csrf": now.csrf if now else ""}
    return make_response(render_template(template, project_id=project_id, **known, **values), status)


def problem_page(problem: Problem, request_id: str) -> Response:
    """The problem's sentence as a page; where a form had errors, a row for each."""
    if problem.status == 404:
        with suppress(Problem, SQLAlchemyError):
            visitor()
    return page("problem.html", problem.status, problem=problem, request_id=request_id, message=problem.message(language()))


@cache
def _digest(name: str) -> str:
    return hashlib.sha256((_STATIC / name).read_bytes()).hexdigest()[:12]


def _asset(name: str) -> str:
    """The address of a static file, another one whenever its bytes are others."""
    return url_for("web.static", filename=name, v=_digest(name))


@blueprint.before_request
def _require_visitor() -> Any:
    """Whatever is not on the short list needs a signed-in visitor, and each POST their token."""
    if request.endpoint == "web.static":
        return None
    _require_storable_form()
    known = visitor().actor is not NOBODY
    if not known and request.endpoint not in _open_to_strangers:
        target = request.full_path.rstrip("?") if request.method == "GET" else None
        return redirect(url_for("web.sign_in", next=target), 303)
    if request.method not in {"GET", "HEAD", "OPTIONS"}:
        require_csrf()
    return None


def _require_storable_form() -> None:
    """Raises: invalid_value, for what no database could hold: so that it is the sender's error, not ours."""
    for name, value in request.form.items(multi=True):
        if not is_storable(value):
            raise problems.invalid_value(name, "NUL")


def number_argument(name: str, default: int | None = None) -> int | None:
    """The whole number `?name=`; `default` where it is none that a database could hold."""
    number = request.values.get(name, type=int)
    return number if number is not None and abs(number) <= LARGEST_NUMBER else default


def _with_headers(response: Response) -> Response:
    is_page = response.mimetype == "text/html"
    if request.blueprint != "web" and not is_page:
        return response
    headers = response.headers
    headers.setdefault("Content-Security-Policy", _POLICY)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    if request.is_secure:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if request.endpoint == "web.static" and response.status_code == 200:
        headers["Cache-Control"] = "public, max-age=31536000, immutable" if "v" in request.args else "no-cache"
    elif request.endpoint != "web.static":
        headers["Cache-Control"] = "no-store"
        headers.setdefault("Vary", "Cookie, Accept-Language")
        set_guest_cookie(response)
    return response


@blueprint.get("/")
def home() -> Response:
    """The start is the list of what came in; the forms, for who may not read it."""
    start = "web.list_submissions" if visitor().actor.can("submission.list", Place(PROJECT)) else "web.list_forms"
    return redirect(url_for(start, project_id=PROJECT), 303)  # type: ignore[return-value]
