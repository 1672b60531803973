"""A request's JSON, bounded in size and depth before anything reads it."""

from __future__ import annotations

from typing import Any

import orjson
from flask import request

from server import problems

_MOST_BYTES = 250_000
_MOST_DEPTH = 64


def json_object(*, most_bytes: int = _MOST_BYTES) -> dict[str, Any]:
    """The body as an object; {} where there is none, or none of JSON.

    Raises: request_too_large, unparseable (also NUL, lone surrogates, numbers out of range, nesting beyond 64), invalid_data_type.
    """
    value = json_value(most_bytes=most_bytes)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise problems.invalid_data_type("body", None, "object")
    return value


def json_value(*, most_bytes: int = _MOST_BYTES) -> Any:
    """The body as any JSON value; None where there is none, or none of JSON. Raises as json_object."""
    body = json_text(most_bytes=most_bytes)
    if not body.strip():
        return None
    try:
        # It stops at a depth of 1,024 by itself.
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise problems.unparseable("json", len(body)) from None
    if body.count(b"[") + body.count(b"{") > _MOST_DEPTH and _is_deep(value):
        raise problems.unparseable("json", len(body))
    # PostgreSQL can store no NUL in any text.
    if b"\\u0000" in body and _has_nul(value):
        raise problems.unparseable("json", len(body))
    return value


def json_text(*, most_bytes: int = _MOST_BYTES) -> bytes:
    """The body as it came; none where it is none of JSON. Raises: request_too_large."""
    kind = request.mimetype
    if kind and kind != "application/json" and not kind.endswith("+json"):
        return b""
    if (request.content_length or 0) > most_bytes:
        raise problems.request_too_large()
    body = request.get_data(cache=True)
    if len(body) > most_bytes:
        raise problems.request_too_large()
    return body


def _is_deep(value: Any) -> bool:
    """Whether its arrays and objects nest too deep, level by level: nothing here calls itself."""
    level = [value]
    for _depth in range(_MOST_DEPTH + 1):
        inner: list[Any] = []
        for one in level:
            if one.__class__ is dict:
                inner += one.values()
            elif one.__class__ is list:
                inner += one
        if not inner:
            return False
        level = [one for one in inner if one.__class__ is dict or one.__class__ is list]
    return bool(level)


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, list):
        return any(_has_nul(part) for part in value)
    if isinstance(value, dict):
        return any("\x00" in name or _has_nul(part) for name, part in value.items())
    return False


def text_of(body: dict[str, Any], name: str, *, most: int = 255, required: bool = False) -> str | None:
    """The text under `name`; None if absent or null. Raises: invalid_data_type, missing_parameter, value_too_long."""
    value = body.get(name)
    if value is None or value == "":
        if required:
            raise problems.missing_parameter(name)
        return value
    if not isinstance(value, str):
        raise problems.invalid_data_type(name, None, "string")
    if len(value) > most:
        raise problems.value_too_long(name, most)
    return value


def flag_of(body: dict[str, Any], name: str) -> bool | None:
    """The boolean under `name`; None if absent or null. Raises: invalid_data_type."""
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise problems.invalid_data_type(name, value[:100] if isinstance(value, str) else None, "boolean")
    return value
