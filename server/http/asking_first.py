"""Before a large body is read, the gateway asks with the headers alone whether the sender may send anything: strangers go first."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask, Response, request

from server import problems
from server.forms.queries import get_draft
from server.http.credentials import ONLY_AUTHENTICATE, authenticate, sender
from server.http.digest import phone_by_password
from server.http.parts import parts
from server.transactions import transaction

# What a stranger may send: a sign-in, a new password.
_STRANGERS_BYTES = 100_000


def register(app: Flask, *, is_known_visitor: Callable[[], bool]) -> None:
    """Requests that only ask are answered here, 204 or with why not; `is_known_visitor` says whether a browser is signed in."""

    def answer() -> Response | None:
        if not request.environ.get(ONLY_AUTHENTICATE) or request.endpoint is None:
            return None
        if (request.content_length or _STRANGERS_BYTES + 1) > _STRANGERS_BYTES:
            _require_known(is_known_visitor)
        return Response(status=204)

    app.before_request(answer)


def _require_known(is_known_visitor: Callable[[], bool]) -> None:
    token = (request.view_args or {}).get("token")
    if request.blueprint == "web":
        if not is_known_visitor():
            raise problems.authentication_failed()
    elif request.path.startswith("/v1/test/") and token is not None:
        with transaction(parts().engine) as session:
            get_draft(session, request.view_args["project_id"], request.view_args["form_id"], token)  # type: ignore[index]
    elif request.endpoint == "openrosa.kobo_submission":
        phone_by_password()
    elif request.path.endswith("/submission"):
        sender()
    else:
        authenticate()
