"""Addresses and queries that no database could hold are the sender's error, said once for every route."""

from __future__ import annotations

import re

from flask import Flask, request

from server import problems

_SURROGATE = re.compile("[\ud800-\udfff]")
_MOST_ID = 2**31 - 1  # as ODK Central's keys; our own row keys, in pages and where Central has none, are longer
_MOST_ROW_KEY = 2**63 - 1
_MOST_PATH_PART = 2000
_OWN_KEYS = {"import_id"}


def register(app: Flask) -> None:
    """Each request is looked at before its view."""
    app.before_request(require_storable_address)


def require_storable_address() -> None:
    """Raises: value_out_of_range, not_found (a path), invalid_value (a query), for NUL, lone surrogates and numbers beyond any key."""
    is_program = request.path.startswith("/v1/")
    for name, value in (request.view_args or {}).items():
        if isinstance(value, int) and value > (_MOST_ID if is_program and name not in _OWN_KEYS else _MOST_ROW_KEY):
            raise problems.value_out_of_range(str(value)[:40], "integer") if is_program else problems.not_found()
        if isinstance(value, str) and (len(value) > _MOST_PATH_PART or not is_storable(value)):
            raise problems.not_found()
    for name, value in request.args.items(multi=True):
        if not (is_storable(value) and is_storable(name)):
            raise problems.invalid_value(name[:100].replace("\0", ""), "NUL")


def is_storable(text: str) -> bool:
    """Whether PostgreSQL takes the text: no NUL, no half of a surrogate pair."""
    return "\0" not in text and _SURROGATE.search(text) is None
