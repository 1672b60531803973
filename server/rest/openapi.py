"""The OpenAPI document of `/v1`, made from the routes, and a page to read it on."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from flask import Response, current_app, render_template, url_for
from werkzeug.routing import Rule

from server.http.described import Description, description_of
from server.http.json_answers import answer_json
from server.rest import blueprint

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_PROBLEM = {
    "description": "What went wrong and what to do next; the status is the whole part of the code.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_SCHEMAS = {
    "Problem": {
        "type": "object", "required": ["message", "code"],
        "properties": {"message": {"type": "string"}, "code": {"type": "number"}, "details": {"type": ["object", "null"]}},
    },
}  # fmt: skip
_SECURITY = {
    "session": {"type": "http", "scheme": "bearer", "description": "The token of POST /v1/sessions."},
    "password": {"type": "http", "scheme": "basic", "description": "E-mail and password, over https alone."},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "__Host-session"},
    "link": {"type": "apiKey", "in": "query", "name": "st", "description": "A public link's or a phone's token; also as /v1/key/TOKEN/..."},
}
# Views that ask nobody who they are.
_OPEN = {"rest.post_session", "rest.get_public_config", "rest.get_public_value", "rest.post_reset_verify", "rest.get_openapi", "rest.get_api_page"}


def openapi_document() -> dict[str, Any]:
    """OpenAPI 3.1 of every route under /v1."""
    paths: dict[str, dict[str, Any]] = {}
    for rule in _rules():
        view = current_app.view_functions[rule.endpoint]
        for method in sorted(set(rule.methods or ()) & set(_METHODS)):
            path = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)
            paths.setdefault(path, {}).setdefault(method.lower(), _operation(rule, view, method))
    return {
        "openapi": "3.1.0",
        "info": {"title": "minqing", "version": "1", "description": "ODK Central's interface, as minqing answers it."},
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": _SCHEMAS, "securitySchemes": _SECURITY},
        "security": [{name: []} for name in _SECURITY],
    }


def _rules() -> Iterator[Rule]:
    for rule in current_app.url_map.iter_rules():
        if rule.rule.startswith("/v1/"):
            yield rule


def _operation(rule: Rule, view: Callable[..., Any], method: str) -> dict[str, Any]:
    told = description_of(view)
    operation: dict[str, Any] = {
        "operationId": f"{rule.endpoint.rpartition('.')[2]}_{method.lower()}_{zlib.crc32(rule.rule.encode())}",
        "summary": _summary(view),
        "tags": [view.__module__.rpartition(".")[2].replace("_", " ")],
        "parameters": [*_path_parameters(rule), *({"name": name, "in": "query", "schema": _schema(kind)} for name, kind in told.query.items())],
        "responses": {"200": {"description": "Done.", "content": {told.answers: {}}}, "default": _PROBLEM},
    }
    if method in {"POST", "PUT", "PATCH"}:
        operation["requestBody"] = _body(told)
    if rule.endpoint in _OPEN:
        operation["security"] = []
    return operation


def _summary(view: Callable[..., Any]) -> str:
    first = (view.__doc__ or "").strip().partition("\n")[0]
    return first.rstrip(".") or view.__name__.replace("_", " ").capitalize()


def _path_parameters(rule: Rule) -> list[dict[str, Any]]:
    kinds = dict(re.findall(r"<int:([^<>]+)>()", rule.rule))
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "integer", "minimum": 1} if name in kinds else {"type": "string"}}
        for name in re.findall(r"<(?:[^:<>]+:)?([^<>]+)>", rule.rule)
    ]


def _schema(kind: str) -> dict[str, Any]:
    plain = kind.rstrip("!")
    return {} if plain == "any" else {"type": plain}


def _body(told: Description) -> dict[str, Any]:
    required = [name for name, kind in told.body.items() if kind.endswith("!")]
    schema: dict[str, Any] = {"type": "object", "properties": {name: _schema(kind) for name, kind in told.body.items()}}
    if required:
        schema["required"] = required
    content = {media: {"schema": schema if media == "application/json" else {"type": "string"}} for media in told.media}
    return {"required": bool(required) or "application/json" not in told.media, "content": content}


@blueprint.get("/openapi.json")
def get_openapi() -> Response:
    """This interface, for programs."""
    return answer_json(openapi_document())


@blueprint.get("/docs")
def get_api_page() -> Response:
    """This interface, for people; nothing on the page comes from another host."""
    document = openapi_document()
    rooms: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            rooms.setdefault(operation["tags"][0], []).append((method.upper(), path, operation))
    style = url_for("web.static", filename="staff.css")
    response = Response(render_template("api.html", rooms=dict(sorted(rooms.items())), style=style))
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
