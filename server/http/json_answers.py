"""JSON for programs: times, nulls and headers as ODK Central writes them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_to_bytes

import orjson
from flask import Response, request

from server import problems


def answer_json(value: Any, status: int = 200) -> Response:
    """`value` (plain JSON values, datetimes by `instant`) as application/json."""
    response = Response(orjson.dumps(value), status=status, content_type="application/json; charset=utf-8")
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def answer_success() -> Response:
    """ODK Central's answer where there is nothing to say."""
    return answer_json({"success": True})


def instant(at: datetime | None) -> str | None:
    """2026-01-02T03:04:05.678Z."""
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def wants_extended() -> bool:
    """Whether the client asked for X-Extended-Metadata."""
    return request.headers.get("X-Extended-Metadata", "").strip().lower() == "true"


def is_true(name: str) -> bool:
    """Whether the query parameter says true, in any case."""
    return request.args.get(name, "").strip().lower() == "true"


def whole_number(name: str) -> int | None:
    """A query parameter as a number of 0 to 2**53, None if absent. Raises: invalid_data_type."""
    text = request.args.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise problems.invalid_data_type(name, text[:50], "integer")
    return int(text)


def action_notes() -> str | None:
    """The reason for a change that goes into the audit log (X-Action-Notes, percent-encoded). Raises: invalid_header."""
    text = request.headers.get("X-Action-Notes")
    if text is None:
        return None
    try:
        notes = unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise problems.invalid_header("x-action-notes", None) from None
    if len(notes) > 10_000 or "\x00" in notes:
        raise problems.invalid_header("x-action-notes", None)
    return notes
