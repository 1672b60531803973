"""multipart/form-data within limits: each part is hashed on its way to memory (small) or disk (large)."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from flask import Request
from werkzeug.exceptions import HTTPException
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData, Preamble

from server import problems

XML_PART = "xml_submission_file"
INCOMPLETE_PART = "*isIncomplete*"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a POST may hold: bytes of XML, of all bodies, and the number of parts."""

    xml_bytes: int = 5_000_000
    body_bytes: int = 110_000_000
    parts: int = 1000
    # Read only once the whole body is here, by few threads at once: a usual photo needs no second file.
    memory_bytes: int = 1024 * 1024


@dataclass(slots=True)
class Part:
    """A file as sent. `stream` stands at its start."""

    name: str
    content_type: str | None
    stream: IO[bytes]
    sha256: str
    md5: str
    size_bytes: int


@dataclass(slots=True)
class SubmissionParts:
    """The XML's bytes, the attachments in order, and whether another POST of this submission follows."""

    xml: bytes
    attachments: list[Part]
    is_incomplete: bool


@contextmanager
def read_parts(request: Request, limits: Limits) -> Iterator[SubmissionParts]:
    """The parts of a submission; their temporary files are gone when the block ends.

    Raises: unsupported_media_type, unreadable_body (truncated, malformed), too_large, missing_part, invalid_value (a file's name).
    """
    opened: list[IO[bytes]] = []
    try:
        yield _read(request, limits, opened)
    finally:
        for stream in opened:
            stream.close()


class _Spool:
    def __init__(self, event: File | Field, limits: Limits, opened: list[IO[bytes]]) -> None:
        self.name = event.name
        self.file_name = event.filename if isinstance(event, File) else None
        self.content_type = event.headers.get("Content-Type")
        self.stream: Any = tempfile.SpooledTemporaryFile(max_size=limits.memory_bytes)  # noqa: SIM115 - closed by read_parts
        opened.append(self.stream)
        self.sha256, self.md5, self.size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0

    def write(self, data: bytes) -> None:
        self.stream.write(data)
        self.sha256.update(data)
        self.md5.update(data)
        self.size += len(data)

    def part(self) -> Part:
        self.stream.seek(0)
        name = self.file_name or self.name or ""
        return Part(name, self.content_type, self.stream, self.sha256.hexdigest(), self.md5.hexdigest(), self.size)


def _read(request: Request, limits: Limits, opened: list[IO[bytes]]) -> SubmissionParts:
    if request.mimetype != "multipart/form-data":
        raise problems.unsupported_media_type(request.mimetype or "-")
    boundary = request.mimetype_params.get("boundary", "")
    if not boundary or len(boundary) > 200:
        raise problems.unreadable_body("boundary")
    xml: bytes | None = None
    attachments: list[Part] = []
    is_incomplete = False
    try:
        for spool in _spools(request, boundary, limits, opened):
            if spool.name == XML_PART:
                if spool.size > limits.xml_bytes:
                    raise problems.too_large(limits.xml_bytes)
                spool.stream.seek(0)
                xml = spool.stream.read()
            elif spool.name == INCOMPLETE_PART:
                is_incomplete = True
            elif spool.file_name is not None:
                attachments.append(_checked(spool.part()))
    except (ValueError, UnicodeError, HTTPException) as error:
        if isinstance(error, HTTPException) and error.code == 413:
            raise problems.too_large(limits.body_bytes) from None
        raise problems.unreadable_body("multipart") from None
    if xml is None:
        raise problems.missing_part(XML_PART)
    return SubmissionParts(xml, attachments, is_incomplete)


def _checked(part: Part) -> Part:
    name = part.name
    if not name or len(name) > 255:
        raise problems.invalid_value("filename", "1-255")
    if any(ord(c) < 32 or ord(c) == 127 or 0xD800 <= ord(c) < 0xE000 or c == "\ufffd" for c in name):
        raise problems.invalid_value("filename", "control characters / 控制字符")
    return part


def _spools(request: Request, boundary: str, limits: Limits, opened: list[IO[bytes]]) -> Iterator[_Spool]:
    decoder = MultipartDecoder(boundary.encode("latin-1", "replace"), max_form_memory_size=None, max_parts=limits.parts)
    current: _Spool | None = None
    total = 0
    while True:
        data = request.stream.read(256 * 1024)
        total += len(data)
        if total > limits.body_bytes:
            raise problems.too_large(limits.body_bytes)
        decoder.receive_data(data or None)
        event = decoder.next_event()
        while not isinstance(event, Epilogue | NeedData):
            if isinstance(event, File | Field):
                current = _Spool(event, limits, opened)
            elif isinstance(event, Data) and current is not None:
                current.write(event.data)
                if not event.more_data:
                    yield current
                    current = None
            elif not isinstance(event, Preamble | Data):
                raise problems.unreadable_body("multipart")
            event = decoder.next_event()
        if isinstance(event, Epilogue):
            return
        if not data:
            raise problems.unreadable_body("truncated")
