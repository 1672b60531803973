"""Problem -> answer: XML for phones, JSON for programs, a page for staff; unexpected errors logged, shown as one sentence."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable
from typing import Any

import orjson
from flask import Flask, Response, current_app, request
from sqlalchemy.exc import DBAPIError, OperationalError
from werkzeug.exceptions import HTTPException

from server import problems
from server.http.languages import preferred_language
from server.http.parts import parts
from server.problems import Problem

log = logging.getLogger(__name__)
_TOKENS = re.compile(r"/(key|test|sessions|new-password)/[^/]+")


def redacted_path(path: str) -> str:
    """The path without the tokens that are a phone's whole secret."""
    return _TOKENS.sub(r"/\1/…", path)


Writer = Callable[[Problem, str], Response]


def register(app: Flask, choose_writer: Callable[[], Writer]) -> None:
    """All errors of this app end here; `choose_writer` picks XML, JSON or a page for the current request."""
    app.extensions["minqing_problem_writer"] = choose_writer
    app.register_error_handler(Problem, answer_problem)
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(Exception, _answer_unexpected)


def answer_problem(problem: Problem, request_id: str = "") -> Response:
    """The problem in the words and format of whoever asked."""
    writer: Writer = current_app.extensions["minqing_problem_writer"]()
    response = writer(problem, request_id)
    response.headers["Cache-Control"] = "no-store"
    return response


def problem_json(problem: Problem, _request_id: str) -> Response:
    """ODK Central's error shape: `details` only where there are some."""
    body: dict[str, Any] = {"message": problem.message(preferred_language(default="en")), "code": float(problem.code)}
    if problem.details:
        body["details"] = problem.details if isinstance(problem.details, str) else dict(problem.details)
    return Response(orjson.dumps(body), status=problem.status, content_type="application/json; charset=utf-8")


_BY_STATUS = {401: problems.authentication_failed, 403: problems.insufficient_rights, 404: problems.not_found}


# A number in the path that is none: ODK Central says what is wrong with it.
_ID_PATH = re.compile(r"/v1/(?:(?:projects|users)/(?!current|reset|\d+(?:/|$))([^/]+)|projects/\d+/forms/(?!\d+/)([^/]+)/restore$)")


def _wrong_id(text: str) -> Problem:
    if re.fullmatch(r"-?\d+", text):
        return problems.value_out_of_range(text[:40], "integer")
    return problems.invalid_data_type("id", text[:40], "integer")


def _answer_http(error: HTTPException) -> Response:
    status = error.code or 500
    if error.response is not None or status < 400:
        return error.get_response()  # type: ignore[return-value]
    if status == 413:
        return answer_problem(problems.too_large(parts().settings.max_body_bytes))
    if status == 404 and (wrong := _ID_PATH.match(request.path)):
        return answer_problem(_wrong_id(wrong[1] or wrong[2]))
    if status in _BY_STATUS:
        return answer_problem(_BY_STATUS[status]())
    if status == 405:
        response = answer_problem(Problem("405.1", "该地址不支持此操作。", "This address does not take that method."))
        if getattr(error, "valid_methods", None):
            response.headers["Allow"] = ", ".join(error.valid_methods)  # type: ignore[attr-defined]
        return response
    return answer_problem(Problem(f"{status}.1", "请求有误，请检查后重试。", "The request was not understood. Check it and try again."))


def _answer_unexpected(error: Exception) -> Response:
    request_id = secrets.token_hex(6)
    if isinstance(error, OperationalError):
        log.error("database unavailable [%s] %s %s: %s", request_id, request.method, redacted_path(request.path), error.orig)
        return answer_problem(problems.busy(), request_id)
    # A statement's parameters can be personal data: only the error's kind goes to the log.
    shown = type(error.orig).__name__ if isinstance(error, DBAPIError) else None
    if shown:
        log.error("unexpected [%s] %s %s: %s", request_id, request.method, redacted_path(request.path), shown)
    else:
        log.error("unexpected [%s] %s %s", request_id, request.method, redacted_path(request.path), exc_info=error)
    return answer_problem(problems.unexpected(request_id), request_id)
