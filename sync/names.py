"""Names of tables and columns: readable, and good on every database whatever a form calls its questions."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Container

# PostgreSQL cuts identifiers at 63 bytes; four are kept for the number of a second one of the same name.
_CUT_AT = 63
_MOST_BYTES = _CUT_AT - 4
_UNDERSCORES = re.compile("__+")
# Columns that every PostgreSQL table has already; names that SQLite keeps for itself, and that PostgreSQL's catalogue hides.
_TAKEN_BY_POSTGRESQL = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
_TAKEN_PREFIXES = ("sqlite_", "pg_")


def readable_name(*parts: str) -> str:
    """The parts joined by `_`, in lower case, Chinese and Tibetan kept; long ones cut with a hash, so that they stay distinct."""
    joined = unicodedata.normalize("NFC", "_".join(parts)).casefold()
    kept = "".join(c if c.isalnum() or unicodedata.category(c)[0] == "M" else "_" for c in joined)
    name = _UNDERSCORES.sub("_", kept).strip("_") or "x"
    if name[0].isdigit() or name in _TAKEN_BY_POSTGRESQL or name.startswith(_TAKEN_PREFIXES):
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
        name = _cut(wanted, _CUT_AT - len(f"_{number}")) + f"_{number}"
    return name
