"""multipart/form-data within limits: each part is hashed on its way to memory (small) or disk (large)."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from flask import Request
from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header

from server import problems

XML_PART = "xml_submission_file"
INCOMPLETE_PART = "*isIncomplete*"
_CHUNK = 512 * 1024


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
    """A file as sent. `stream` stands at its start. `part_name`: the part's own name, where it is another than the file's."""

    name: str
    content_type: str | None
    stream: IO[bytes]
    sha256: str
    md5: str
    size_bytes: int
    part_name: str | None = None


@dataclass(slots=True)
class SubmissionParts:
    """The XML's bytes, the attachments in order, and whether another POST of this submission follows."""

    xml: bytes
    attachments: list[Part]
    is_incomplete: bool


@contextmanager
def read_parts(request: Request, limits: Limits) -> Iterator[SubmissionParts]:
    """The parts of a submission; their temporary files are gone when the block ends.

    Raises: unreadable_body (truncated, malformed), too_large, missing_part, invalid_value (a file's name).
    """
    with read_stream(request.stream, request.headers.get("Content-Type", ""), limits) as parts:
        yield parts


@contextmanager
def read_stream(stream: IO[bytes], content_type: str, limits: Limits) -> Iterator[SubmissionParts]:
    """`read_parts` of any stream with its Content-Type."""
    opened: list[IO[bytes]] = []
    try:
        yield _read(stream, content_type, limits, opened)
    finally:
        for file in opened:
            file.close()


class _Spool:
    def __init__(self, segment: MultipartSegment, limits: Limits, opened: list[IO[bytes]]) -> None:
        self.name, self.file_name, self.content_type = segment.name, segment.filename, segment.header("Content-Type")
        self.stream: Any = tempfile.SpooledTemporaryFile(max_size=limits.memory_bytes)  # noqa: SIM115 - closed by read_stream
        opened.append(self.stream)
        self.sha256, self.md5, self.size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0

    def write(self, data: bytes) -> None:
        self.stream.write(data)
        self.size += len(data)
        if self.name != XML_PART:
            self.sha256.update(data)
            self.md5.update(data)

    def part(self) -> Part:
        self.stream.seek(0)
        name = self.file_name or self.name or ""
        return Part(name, self.content_type, self.stream, self.sha256.hexdigest(), self.md5.hexdigest(), self.size, self.name if self.name != name else None)


def _read(stream: IO[bytes], content_type: str, limits: Limits, opened: list[IO[bytes]]) -> SubmissionParts:
    kind, options = parse_options_header(content_type)
    if kind != "multipart/form-data":
        raise problems.missing_part(XML_PART)
    boundary = options.get("boundary", "")
    if not boundary or len(boundary) > 200 or not boundary.isascii():
        raise problems.unreadable_body("Multipart: Boundary not found")
    xml: bytes | None = None
    attachments: list[Part] = []
    is_incomplete = False
    for spool in _spools(stream, boundary, limits, opened):
        if spool.name == XML_PART:
            if spool.size > limits.xml_bytes:
                raise problems.too_large(limits.xml_bytes)
            spool.stream.seek(0)
            xml = spool.stream.read()
        elif spool.name == INCOMPLETE_PART:
            is_incomplete = True
        elif spool.file_name is not None:
            attachments.append(_checked(spool.part()))
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


def _spools(stream: IO[bytes], boundary: str, limits: Limits, opened: list[IO[bytes]]) -> Iterator[_Spool]:
    """The parts, each once it is whole. Raises: unreadable_body, too_large."""
    total, current = 0, None
    try:
        with PushMultipartParser(boundary, max_segment_count=limits.parts, max_header_size=8192) as parser:
            while not parser.closed:
                data = stream.read(_CHUNK)
                total += len(data)
                if total > limits.body_bytes:
                    raise problems.too_large(limits.body_bytes)
                for event in parser.parse(data):
                    if isinstance(event, MultipartSegment):
                        current = _Spool(event, limits, opened)
                    elif event and current is not None:
                        if current.size == 0 and event.startswith(b"--" + boundary.encode()):
                            raise problems.unreadable_body("Malformed part header")
                        current.write(event)
                    elif current is not None:
                        yield current
                        current = None
    except ParserLimitReached:
        raise problems.unreadable_body("Too many parts") from None
    except (MultipartError, ValueError, UnicodeError):
        raise problems.unreadable_body("Unexpected end of form") from None
