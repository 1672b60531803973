"""Answers to phones, compressed where the phone takes it: a village's mobile data is dear, and lists shrink to a fifth."""

from __future__ import annotations

from flask import Blueprint, Response, request
from isal import igzip

# Below this a packet is sent anyway.
_FROM_BYTES = 600
_TYPES = frozenset({"text/xml", "application/xml", "text/csv"})


def register(blueprint: Blueprint) -> None:
    """XML and CSV of this adapter go out as gzip to whoever accepts it. What is streamed is left: it is made while it is sent."""
    blueprint.after_request(compressed)


def compressed(response: Response) -> Response:
    """The answer as gzip, if it is long enough and whoever asks accepts that."""
    if response.mimetype not in _TYPES or response.status_code != 200 or response.is_streamed:
        return response
    response.vary.add("Accept-Encoding")
    if "gzip" not in request.accept_encodings or "Content-Encoding" in response.headers or request.method == "HEAD":
        return response
    content = response.get_data()
    if len(content) >= _FROM_BYTES:
        response.set_data(igzip.compress(content, 2, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
        etag, _is_weak = response.get_etag()
        if etag is not None:
            # The same list in other bytes (RFC 9110, 8.8.1).
            response.set_etag(etag, weak=True)
    return response
