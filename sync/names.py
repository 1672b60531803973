"""Names of tables and columns: readable, and good on every database whatever a form calls its questions."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Container

# PostgreSQL cuts identifiers at 63 bytes; four are kept for the number of a second one of the same name.
_MOST_BYTES = 59
_UNSAFE = re.compile(r"[^\w]+", re.UNICODE)


def readable_name(*parts: str) -> str:
    """The parts joined by `_`, in lower case, Chinese kept; long ones cut with a hash, so that they stay distinct."""
    joined = unicodedata.normalize("NFC", "_".join(parts)).casefold()
    name = _UNSAFE.sub("_", joined).strip("_") or "x"
    if name[0].isdigit():
        name = "_" + name
    if len(name.encode()) <= _MOST_BYTES:
        return name
    digest = hashlib.sha1(joined.encode(), usedforsecurity=False).hexdigest()[:8]
    return f"{_cut(name, _MOST_BYTES - 9)}_{digest}"


def _cut(text: str, most_bytes: int) -> str:
    return text.encode()[:most_bytes].decode(errors="ignore")


def unused_name(wanted: str, taken: Container[str]) -> str:
    """`wanted`, or the first of `wanted_2`, `wanted_3`... that is not taken."""
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    return name
