"""A ZIP archive written from front to back: deflate at the fastest level, sizes after the bytes where they are not known before.

Format: PKWARE APPNOTE 6.3.10; ZIP64 records where an archive or a file needs them.
"""

from __future__ import annotations

import struct
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from isal import isal_zlib

_LIMIT = 0xFFFFFFFF
_UTF8, _SIZES_FOLLOW = 0x800, 0x8
_SPOOL_BYTES = 512 * 1024
_CHUNK = 256 * 1024


class Deflated:
    """One file's bytes on their way into an archive."""

    __slots__ = ("_compressor", "crc", "size", "stored")

    def __init__(self) -> None:
        self._compressor: Any = isal_zlib.compressobj(1, isal_zlib.DEFLATED, -15)
        self.crc = self.size = self.stored = 0

    def write(self, content: bytes) -> bytes:
        """What the archive gets for `content`; often nothing yet."""
        self.crc = isal_zlib.crc32(content, self.crc)
        self.size += len(content)
        packed: bytes = self._compressor.compress(content)
        self.stored += len(packed)
        return packed

    def finish(self) -> bytes:
        """The last bytes."""
        packed: bytes = self._compressor.flush()
        self.stored += len(packed)
        return packed


class Spooled:
    """A whole file, packed, waiting for its turn: in memory while small, else on disk."""

    def __init__(self, name: str) -> None:
        self.name, self.deflated = name, Deflated()
        self._file: Any = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115 - closed by close()

    def write(self, content: bytes) -> None:
        """Appends to the file."""
        self._file.write(self.deflated.write(content))

    def packed(self) -> Iterator[bytes]:
        """All of it, packed; nothing can be written afterwards."""
        self._file.write(self.deflated.finish())
        self._file.seek(0)
        while chunk := self._file.read(_CHUNK):
            yield chunk

    def close(self) -> None:
        """Nothing of it is left."""
        self._file.close()


@dataclass(frozen=True, slots=True)
class _Entry:
    name: bytes
    crc: int
    stored: int
    size: int
    offset: int
    flags: int


class ZipStream:
    """The archive so far. Every method yields the next bytes of it, in the order of the calls."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._offset = 0
        moment = time.localtime()
        self._time = (moment.tm_hour << 11) | (moment.tm_min << 5) | (moment.tm_sec // 2)
        self._date = (max(moment.tm_year - 1980, 0) << 9) | (moment.tm_mon << 5) | moment.tm_mday

    def add(self, name: str, contents: Iterable[bytes]) -> Iterator[bytes]:
        """A file, while its content is made."""
        start, packing = self._offset, Deflated()
        encoded = name.encode("utf-8", "replace")
        yield self._out(self._header(encoded, _UTF8 | _SIZES_FOLLOW, 0, 0, 0))
        for content in contents:
            if packed := packing.write(content):
                yield self._out(packed)
        yield self._out(packing.finish())
        sizes = "<4sIQQ" if max(packing.stored, packing.size) > _LIMIT else "<4sIII"
        yield self._out(struct.pack(sizes, b"PK\x07\x08", packing.crc, packing.stored, packing.size))
        self._entries.append(_Entry(encoded, packing.crc, packing.stored, packing.size, start, _UTF8 | _SIZES_FOLLOW))

    def add_spooled(self, file: Spooled) -> Iterator[bytes]:
        """A file that is whole already."""
        start, encoded, packing = self._offset, file.name.encode("utf-8", "replace"), file.deflated
        chunks = file.packed()
        first = next(chunks, b"")
        yield self._out(self._header(encoded, _UTF8, packing.crc, packing.stored, packing.size))
        yield self._out(first)
        for chunk in chunks:
            yield self._out(chunk)
        self._entries.append(_Entry(encoded, packing.crc, packing.stored, packing.size, start, _UTF8))

    def end(self) -> bytes:
        """The directory, with which the archive is complete."""
        start = self._offset
        directory = b"".join(self._directory_entry(entry) for entry in self._entries)
        count, size = len(self._entries), len(directory)
        tail = b""
        if count > 0xFFFF or start > _LIMIT or size > _LIMIT:
            tail = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start)
            tail += struct.pack("<4sIQI", b"PK\x06\x07", 0, start + size, 1)
        short = min(count, 0xFFFF)
        tail += struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, short, short, min(size, _LIMIT), min(start, _LIMIT), 0)
        return directory + tail

    def _out(self, content: bytes) -> bytes:
        self._offset += len(content)
        return content

    def _header(self, name: bytes, flags: int, crc: int, stored: int, size: int) -> bytes:
        extra = struct.pack("<HHQQ", 1, 16, size, stored) if max(stored, size) > _LIMIT else b""
        shown = (_LIMIT, _LIMIT) if extra else (stored, size)
        return struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 45 if extra else 20, flags, 8, self._time, self._date, crc, *shown, len(name), len(extra)) + name + extra

    def _directory_entry(self, entry: _Entry) -> bytes:
        large = [value for value in (entry.size, entry.stored, entry.offset) if value > _LIMIT]
        extra = struct.pack(f"<HH{len(large)}Q", 1, 8 * len(large), *large) if large else b""
        return struct.pack(
            "<4sHHHHHHIIIHHHHHII", b"PK\x01\x02", 45, 45 if large else 20, entry.flags, 8, self._time, self._date, entry.crc, min(entry.stored, _LIMIT),
            min(entry.size, _LIMIT), len(entry.name), len(extra), 0, 0, 0, 0, min(entry.offset, _LIMIT),
        ) + entry.name + extra  # fmt: skip
