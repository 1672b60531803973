"""A phone's POST of a submission on the shortest way: from the HTTP server to one statement, past the web framework.

Whatever is not plainly a new submission that may be taken is left to the views, which do it again and say what they find.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from typing import IO
from urllib.parse import parse_qs

from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from server.direct import DirectWriter
from server.http.clients import bounded, client_name
from server.http.credentials import is_remembered, note_phone
from server.http.multipart import Limits, read_stream
from server.http.parts import Parts
from server.openrosa.submission import THANKS, keep_files
from server.problems import Problem
from server.submissions.arrive import arrive
from server.submissions.arriving import Arrival, Sending
from server.submissions.envelope import read_envelope

_PATH = re.compile(r"/v1/key/([A-Za-z0-9!$_-]{64})/projects/([1-9]\d{0,8})/submission")
_BODY = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<OpenRosaResponse xmlns="http://openrosa.org/http/response">'
    '<message nature="submit_success">{}</message></OpenRosaResponse>'
)


@dataclass(frozen=True, slots=True)
class Post:
    """A request as the HTTP server has it: header names in lower case, the whole body at its start."""

    path: str
    query: str
    headers: Mapping[str, str]
    body: IO[bytes]


class ArrivalDesk:
    """Takes new submissions for one app."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._writer = DirectWriter(parts.engine)
        self._limits = Limits(body_bytes=parts.settings.max_body_bytes)

    def takes(self, path: str) -> bool:
        """Whether a POST to this path may come here."""
        return path.startswith("/v1/key/") and _PATH.fullmatch(path) is not None

    def knows(self, path: str) -> bool:
        """Whether who sends to this path proved who they are moments ago: `take` asks again when all is here."""
        found = _PATH.fullmatch(path)
        return found is not None and is_remembered(self._parts, found[1])

    def take(self, post: Post) -> tuple[list[tuple[bytes, bytes]], bytes] | None:
        """Headers and body of the 201, once the submission is durable; None if the views must see to it (nothing was changed)."""
        found = _PATH.fullmatch(post.path)
        if found is None or post.headers.get("x-openrosa-version") != "1.0":
            return None
        try:
            with read_stream(post.body, post.headers.get("content-type", ""), self._limits) as sent:
                envelope = read_envelope(sent.xml)
                if envelope.deprecated_id or envelope.entities:
                    return None
                device_id = parse_qs(post.query).get("deviceID", [None])[0]
                client = client_name(post.headers.get("odk-client"), post.headers.get("user-agent"))
                sending = Sending(keep_files(self._parts.storage, sent.attachments), bounded(device_id), client, sent.is_incomplete)
                token_key = self._parts.secrets.lookup_key(found[1])
                arrived = arrive(self._writer, self._parts.engine, int(found[2]), token_key, envelope, sent.xml, sending)
        except (Problem, ValueError):
            return None
        if arrived is None:
            return None
        # The submission is safe: that staff see the phone a little late must not take its 201 away.
        with suppress(Problem):
            note_phone(self._parts, arrived.submitter_id)
        return _answer(post.headers.get("accept-language", ""))


def _answer(accept_language: str) -> tuple[list[tuple[bytes, bytes]], bytes]:
    body = _message(accept_language[:200])
    headers = [
        (b"content-type", b"text/xml; charset=utf-8"), (b"content-length", str(len(body)).encode()), (b"x-openrosa-version", b"1.0"),
        (b"date", formatdate(usegmt=True).encode()), (b"cache-control", b"private, no-cache"), (b"x-content-type-options", b"nosniff"),
    ]  # fmt: skip
    return headers, body


@lru_cache(maxsize=200)
def _message(accept_language: str) -> bytes:
    language = parse_accept_header(accept_language, LanguageAccept).best_match(["zh", "en"], default="zh")
    zh, en = THANKS[Arrival.NEW]
    return _BODY.format(en if language == "en" else zh).encode()
