"""What requests for exports share: options, passphrases, headers."""

from __future__ import annotations

import re
from typing import Any

from flask import Response, request

from server.exports.csv_files import CsvOptions, passphrases_of
from server.http.json_answers import is_true
from server.http.json_body import json_object

_WHOLE = re.compile(r"\s*\+?(\d{1,15})")


def is_false(name: str) -> bool:
    """Whether the query parameter says false, in any case."""
    return request.args.get(name, "").strip().lower() == "false"


def lenient_number(name: str) -> int | None:
    """The number that a query parameter begins with; None for none and for 0, as ODK Central reads it."""
    found = _WHOLE.match(request.args.get(name, ""))
    return (min(int(found[1]), 2**31 - 1) or None) if found is not None else None


def csv_options() -> CsvOptions:
    """ODK Central's options, and `bom`."""
    return CsvOptions(
        filter_text=request.args.get("$filter"), group_paths=not is_false("groupPaths"), deleted_fields=is_true("deletedFields"),
        split_selects=is_true("splitSelectMultiples"), for_spreadsheets=is_true("bom"),
    )  # fmt: skip


def passphrases() -> dict[int, str]:
    """Passphrases by key id: of a GET's address, of a POST's body as form or JSON. Raises: undecryptable, those of json_object."""
    if request.method != "POST":
        return passphrases_of(request.args)
    given: dict[str, Any] = request.form.to_dict() or json_object()
    return passphrases_of(given)


def with_weak_etag(response: Response, etag: str) -> Response:
    """The response with `W/"etag"`, for private caches that ask again."""
    response.set_etag(etag, weak=True)
    response.headers["Cache-Control"] = "private, no-cache"
    return response
