"""Addresses of submissions: each once for the form and once for its draft; and the way from a version's ID to the version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from flask import Response, request

from server.rest import blueprint
from server.submissions.records import AnotherVersion

FORM = "/projects/<int:project_id>/forms/<form_id>"
# What encodeURIComponent leaves as it is.
_UNRESERVED = "-_.!~*'()"
View = Callable[..., Any]


def for_both(path: str, method: str = "GET") -> Callable[[View], View]:
    """The view at `path` below the form's submissions and below its draft's, told apart by `is_draft`."""

    def register(view: View) -> View:
        for base, is_draft in ((FORM, False), (FORM + "/draft", True)):
            blueprint.add_url_rule(f"{base}/submissions{path}", view_func=view, methods=[method], defaults={"is_draft": is_draft})
        return view

    return register


@blueprint.errorhandler(AnotherVersion)
def to_version(moved: AnotherVersion) -> Response:
    """301 to the version, where what was asked for is the instanceID of a version and not of a submission (ODK Central does so too)."""
    raw = urlsplit(request.environ.get("RAW_URI") or request.full_path.rstrip("?"))
    before, found, after = raw.path.rpartition("/submissions/")
    while unquote(after.partition("/")[0]).removesuffix(".xml") != moved.instance_id and found:
        before, found, rest = before.rpartition("/submissions/")
        after = f"{rest}/submissions/{after}"
    address = f"{before}/submissions/{quote(moved.root_id, safe=_UNRESERVED)}/versions/{after}" + (f"?{raw.query}" if raw.query else "")
    response = Response(f"Moved Permanently. Redirecting to {address}", status=301, content_type="text/plain; charset=utf-8")
    response.headers["Location"] = address
    return response
