"""Answers that are made while they are sent."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from flask import Response


def answer_stream(pieces: Iterator[bytes], content_type: str) -> Response:
    """The pieces as a body. The first one is made before anything is sent, so that what goes wrong there is still a Problem.

    `pieces` is closed, with its transaction, when the client goes.
    """
    first = next(pieces, b"")
    response = Response(_with_first(first, pieces), content_type=content_type)
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Authorization, Cookie, Accept-Language"
    response.call_on_close(lambda: pieces.close() if isinstance(pieces, Generator) else None)
    return response


def _with_first(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest
