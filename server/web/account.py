"""One's own account: a new password, by the old one or by a link from a mail, and where one is signed in."""

from __future__ import annotations

from flask import Response, redirect, request, url_for

from server.access.password_resets import finish_reset
from server.access.sessions import end_listed_session, list_sessions
from server.access.users import change_password
from server.http.parts import parts
from server.problems import Problem
from server.transactions import transaction
from server.web import blueprint
from server.web.pages import page
from server.web.visitor import language, visitor


def _shown(*, message: str | None = None, changed: bool = False, status: int = 200) -> Response:
    with transaction(parts().engine) as session:
        found = list_sessions(session, visitor().actor)
    return page("account.html", status, sessions=found, message=message, changed=changed)


@blueprint.get("/account")
def show_account() -> Response:
    """Sessions, and the form for a new password."""
    return _shown(changed=request.args.get("changed") == "1")


@blueprint.post("/account/password")
def set_own_password() -> Response:
    """The new password holds, and all other sessions are over; or the page again with why not."""
    actor = visitor().actor
    try:
        with transaction(parts().engine, write=True) as session:
            change_password(
                session, actor, actor.id, old=request.form.get("old", ""), new=request.form.get("new", ""),
                password_rounds=parts().settings.password_rounds,
            )  # fmt: skip
    except Problem as problem:
        return _shown(message=problem.message(language()), status=problem.status)
    return redirect(url_for("web.show_account", changed=1), 303)  # type: ignore[return-value]


@blueprint.post("/account/sessions/<session_id>/end")
def end_own_session(session_id: str) -> Response:
    """One of one's own sessions is over."""
    with transaction(parts().engine, write=True) as session:
        end_listed_session(session, visitor().actor, session_id)
    return redirect(url_for("web.show_account"), 303)  # type: ignore[return-value]


@blueprint.get("/new-password/<token>")
def show_new_password(token: str) -> Response:
    """The form behind the link that was sent by mail."""
    return page("new_password.html", token=token, message=None)


@blueprint.post("/new-password/<token>")
def set_new_password(token: str) -> Response:
    """The new password holds, and on to signing in; or the form again with why not."""
    try:
        with transaction(parts().engine, write=True) as session:
            finish_reset(session, token, new=request.form.get("new", ""), password_rounds=parts().settings.password_rounds)
    except Problem as problem:
        return page("new_password.html", problem.status, token=token, message=problem.message(language()))
    return redirect(url_for("web.sign_in"), 303)  # type: ignore[return-value]
