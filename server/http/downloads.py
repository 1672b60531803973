"""Files to a browser or phone: nothing in them ever runs."""

from __future__ import annotations

import mimetypes
from urllib.parse import quote

from flask import Response

# Types that browsers show and never run.
_SHOWN = {"image/jpeg", "image/png", "image/gif", "image/webp"}


def file_headers(response: Response, name: str, *, content_type: str | None = None, inline: bool = False) -> None:
    """`nosniff`, a sandbox, and `attachment` unless the type is known to be safe; the name by RFC 6266 and 8187."""
    kind = content_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
    shown = inline and kind in _SHOWN
    if kind in {"text/csv", "text/plain"} and name.lower().endswith(".csv"):
        kind = "text/csv; charset=utf-8"
    plain = "".join(c if 32 <= ord(c) < 127 and c not in '"\\/%' else "_" for c in name)
    response.headers["Content-Type"] = kind
    response.headers["Content-Disposition"] = (
        f"{'inline' if shown else 'attachment'}; filename=\"{plain}\"; filename*=UTF-8''{quote(name.encode('utf-8', 'replace'), safe='')}"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
