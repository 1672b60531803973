"""Addresses inside OData documents: as the client wrote its own, so that percent-encoding comes back as it came."""

from __future__ import annotations

import base64
from collections.abc import Callable
from urllib.parse import parse_qsl, quote_plus

import orjson
from flask import request

from server import problems
from server.http.addresses import base_url
from server.problems import Problem

_SVC = ".svc"


def request_path() -> str:
    """The request's path as it was sent, without the query."""
    raw = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or ""
    path = str(raw).partition("?")[0]
    # Some servers give the whole address.
    return "/" + path.partition("://")[2].partition("/")[2] if "://" in path[:10] else path


def service_root() -> str:
    """`https://host/v1/projects/1/forms/ID.svc`."""
    path = request_path()
    return base_url() + path[: path.index(_SVC) + len(_SVC)] if _SVC in path else base_url() + path


NextAddress = Callable[[dict[str, str | None] | None, int | None], str]


def next_addresses() -> NextAddress:
    """This request's address with `$skiptoken`, or with `$skip` where rows are in an order of their own: usable after the request."""
    pairs = parse_qsl(request.query_string.decode("utf-8", "replace"), keep_blank_values=True)
    start = f"{base_url()}{request_path()}?"

    def address(token: dict[str, str | None] | None, skip: int | None) -> str:
        name, value = ("$skiptoken", write_token(token)) if token is not None else ("$skip", str(skip))
        others = [(key, value if key == name else text) for key, text in pairs if key not in {"$skip", "$skiptoken"} or key == name]
        if all(key != name for key, _text in others):
            others.append((name, value))
        return start + "&".join(f"{_form_quoted(key)}={_form_quoted(text)}" for key, text in others)

    return address


def _form_quoted(text: str) -> str:
    # application/x-www-form-urlencoded as browsers write it.
    return quote_plus(text, safe="*", errors="replace").replace("~", "%7E")


def write_token(content: dict[str, str | None]) -> str:
    """ODK Central's `$skiptoken`: 01 and base64 of JSON."""
    return "01" + base64.b64encode(orjson.dumps(content)).decode()


def read_token(token: str) -> dict[str, str | None]:
    """What a `$skiptoken` says. Raises: odata_invalid_skiptoken."""
    if not token.startswith("01") or len(token) > 2000:
        raise problems.odata_invalid_skiptoken()
    try:
        content = orjson.loads(base64.b64decode(token[2:] + "=" * (-len(token[2:]) % 4), validate=True))
    except ValueError:
        raise problems.odata_invalid_skiptoken() from None
    if not isinstance(content, dict) or not all(value is None or (isinstance(value, str) and "\x00" not in value) for value in content.values()):
        raise problems.odata_invalid_skiptoken()
    return content


def table_names(table: str) -> list[str]:
    """`Submissions.children.child` -> ["children", "child"]. Raises: not_found."""
    first, *names = table.split(".")
    if first != "Submissions":
        raise problems.not_found()
    return names


def keyed_place(path: str) -> list[tuple[str, str | None]]:
    """`Submissions('x')/children/child('y')` -> each name with its key. Raises: not_found."""
    place: list[tuple[str, str | None]] = []
    for part in path.split("/"):
        name, bracket, key = part.partition("(")
        if bracket and not (key.startswith("'") and key.endswith("')") and len(key) > 2):
            raise problems.not_found()
        if "\x00" in key or any(0xD800 <= ord(c) < 0xE000 for c in key):
            raise problems.not_found()
        place.append((name, key[1:-2].replace("''", "'") if bracket else None))
    if place[0][0] != "Submissions" or not place[0][1]:
        raise problems.not_found()
    return place


def problem_xml(problem: Problem, details: str) -> str:
    """An error as `$metadata` answers it."""
    from xml.sax.saxutils import escape

    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<error code="{problem.code}">\n  <message>{escape(problem.en)}</message>\n'
        f"  <details>{escape(details)}</details>\n</error>"
    )
