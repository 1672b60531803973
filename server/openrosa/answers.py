"""The XML that phones read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.utils import formatdate
from xml.sax.saxutils import escape, quoteattr

from flask import Response, request

from server.http.digest import challenges
from server.http.key_addresses import key_of_request
from server.http.languages import preferred_language
from server.http.problem_answers import problem_json
from server.problems import Problem

_PHONE_PATHS = re.compile(r"^/(v1/(projects/[^/]+/(formList|submission$|forms/[^/]+/(manifest|draft/submission$))|test/.*/(formList|submission|manifest)$)|([^/]+/)?(formList|submission|xformsManifest/|forms/.*form\.xml)$)")
_BROKEN_BODY = "400.39"
# Control characters that XML 1.0 cannot hold even escaped.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def is_phone_path(path: str) -> bool:
    """Whether errors at this path are read by a phone, also where no route matched."""
    return _PHONE_PATHS.match(path) is not None


def text(value: str) -> str:
    """Escaped for an element's content."""
    if value.isalnum():  # most names and versions: a list of 100 forms has hundreds of them
        return value
    return escape(_UNWRITABLE.sub("\ufffd", value))


def attribute(value: str) -> str:
    """Quoted for an attribute."""
    return quoteattr(_UNWRITABLE.sub("\ufffd", value))


def xml_answer(body: str | Iterable[str], status: int = 200) -> Response:
    """`body` as text/xml with the headers without which Collect says "not an OpenRosa server"."""
    content = body if isinstance(body, str) else "".join(body)
    response = Response('<?xml version="1.0" encoding="UTF-8"?>\n' + content, status=status, content_type="text/xml; charset=utf-8")
    return with_openrosa_headers(response)


def with_openrosa_headers(response: Response) -> Response:
    """Version, date and length that each OpenRosa answer carries."""
    response.headers["X-OpenRosa-Version"] = "1.0"
    response.headers["Date"] = formatdate(usegmt=True)
    response.headers.setdefault("Cache-Control", "private, no-cache")
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def message_xml(message: str, status: int, nature: str = "") -> Response:
    """OpenRosaResponse with the sentence that the officer sees."""
    marked = f" nature={attribute(nature)}" if nature else ""
    return xml_answer(
        f'<OpenRosaResponse xmlns="http://openrosa.org/http/response"><message{marked}>{text(message)}</message></OpenRosaResponse>', status
    )


def language() -> str:
    """`zh` or `en`. Phones that say nothing read Chinese; programs, which sign in or test a draft, English."""
    is_program = request.path.startswith("/v1/") and key_of_request() is None
    return preferred_language(default="en" if is_program else "zh")


def problem_xml(problem: Problem, request_id: str = "") -> Response:
    """A problem as a phone reads it; a 401 outside the token address carries the challenges."""
    if problem.code == _BROKEN_BODY and request.path.startswith("/v1/") and key_of_request() is None:
        # No phone sends this; ODK Central's programs read JSON here.
        return problem_json(problem, request_id)
    response = message_xml(problem.message(language()), problem.status, "submit_failure" if request.method == "POST" else "error")
    if problem.status == 401 and key_of_request() is None and not request.path.startswith("/v1/test/"):
        for challenge in challenges():
            response.headers.add("WWW-Authenticate", challenge)
    return response
