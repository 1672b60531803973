"""The staff pages."""

from __future__ import annotations

from flask import Blueprint, Flask, Response

from server.problems import Problem

blueprint = Blueprint("web", __name__)


def register(app: Flask) -> None:
    """The app has the staff pages."""


def problem_page(problem: Problem, request_id: str) -> Response:  # noqa: ARG001
    """The problem as a page."""
    return Response(problem.zh, status=problem.status, content_type="text/plain; charset=utf-8")
