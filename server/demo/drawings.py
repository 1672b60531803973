"""Photos of a county that does not exist: small drawings as PNG, each its own, valid for whoever opens them."""

from __future__ import annotations

import struct
import zlib
from random import Random

_SIDE = 48


def draw_photo(seed: int) -> bytes:
    """A sky, a ridge and some coloured houses, about 1 to 3 KB; the same seed gives the same bytes."""
    random = Random(seed)
    sky = [random.randrange(120, 256) for _ in range(3)]
    ground = [random.randrange(40, 180) for _ in range(3)]
    ridge = random.randrange(_SIDE // 4, _SIDE * 3 // 4)
    heights = [ridge]
    for _ in range(_SIDE - 1):
        heights.append(min(_SIDE - 4, max(4, heights[-1] + random.randrange(-3, 4))))
    houses = [(random.randrange(_SIDE - 8), random.randrange(_SIDE // 2, _SIDE - 8), random.randrange(4, 9), bytes(random.randrange(256) for _ in range(3))) for _ in range(4)]
    above, below = bytes(sky), bytes(ground)
    lines = []
    for y in range(_SIDE):
        line = bytearray(b"".join([above if y < height else below for height in heights]))
        for left, top, size, paint in houses:
            if top <= y < top + size:
                line[3 * left : 3 * (left + size)] = paint * size
        lines.append(b"\x00" + bytes(line))
    return _png(b"".join(lines))


def draw_signature(seed: int) -> bytes:
    """A stroke on white, of one person always the same."""
    random = Random(seed)
    rows = [bytearray(b"\x00" + b"\xff" * (3 * _SIDE)) for _ in range(_SIDE // 2)]
    y = _SIDE // 4
    for x in range(2, _SIDE - 2):
        y = min(_SIDE // 2 - 2, max(1, y + random.randrange(-2, 3)))
        rows[y][1 + 3 * x : 4 + 3 * x] = b"\x00\x00\x60"
    return _png(b"".join(rows), height=_SIDE // 2)


def _png(lines: bytes, *, height: int = _SIDE) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", _SIDE, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines, 6)) + chunk(b"IEND", b"")
