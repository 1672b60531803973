"""Signing in and out, and the choice of language."""

from __future__ import annotations

from flask import Response, redirect, request, url_for

from server.access import sessions
from server.access.actor import NOBODY
from server.http.parts import parts
from server.problems import Problem
from server.transactions import transaction
from server.web import blueprint
from server.web.pages import page
from server.web.visitor import drop_session_cookie, language, local_path, set_language_cookie, set_session_cookie, visitor


@blueprint.get("/sign-in")
def sign_in() -> Response:
    """The form; whoever is signed in goes on."""
    if visitor().actor is not NOBODY:
        return redirect(local_path(request.args.get("next"), url_for("web.home")), 303)  # type: ignore[return-value]
    return page("sign_in.html", next=request.args.get("next", ""), email="", message=None)


@blueprint.post("/sign-in")
def try_sign_in() -> Response:
    """A session and where they were going, or the form again with what went wrong."""
    email, target = request.form.get("email", ""), request.form.get("next", "")
    try:
        made = sessions.sign_in(
            parts().engine, email=email, password=request.form.get("password", ""), address=request.remote_addr or "-",
            user_agent=request.user_agent.string, password_rounds=parts().settings.password_rounds,
        )  # fmt: skip
    except Problem as problem:
        return page("sign_in.html", problem.status, next=target, email=email, message=problem.message(language()))
    response = redirect(local_path(target, url_for("web.home")), 303)
    set_session_cookie(response, made)  # type: ignore[arg-type]
    return response  # type: ignore[return-value]


@blueprint.post("/sign-out")
def sign_out() -> Response:
    """The session is over, here and in the browser."""
    actor = visitor().actor
    with transaction(parts().engine, write=True) as session:
        sessions.end_session(session, actor)
    response = redirect(url_for("web.sign_in"), 303)
    drop_session_cookie(response)  # type: ignore[arg-type]
    return response  # type: ignore[return-value]


@blueprint.post("/language")
def choose_language() -> Response:
    """The same page in the language chosen."""
    response = redirect(local_path(request.form.get("next"), url_for("web.home")), 303)
    set_language_cookie(response, request.form.get("language", ""))  # type: ignore[arg-type]
    return response  # type: ignore[return-value]
