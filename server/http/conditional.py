"""ETag and 304, never in a shared cache."""

from __future__ import annotations

from flask import Response, request


def with_etag(md5_hex: str, response: Response) -> Response:
    """The response with this ETag, or 304 without a body if the client has it already."""
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Authorization, Accept-Language"
    response.set_etag(md5_hex)
    return response.make_conditional(request)


def has_etag(md5_hex: str) -> bool:
    """Whether the client named this ETag in If-None-Match: then the body need not be made."""
    return request.if_none_match.contains_weak(md5_hex)
