"""Names of downloaded files, as every operating system takes them."""

from __future__ import annotations

import re

_ILLEGAL = re.compile(r'[/?<>\\:*|"\x00-\x1f\x80-\x9f]')
_RESERVED = re.compile(r"^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?$", re.IGNORECASE)


def safe_name(name: str) -> str:
    """The name without what Windows, macOS or Linux refuse, at most 255 bytes of UTF-8; "" if nothing is left."""
    cleaned = _ILLEGAL.sub("", name)
    if re.fullmatch(r"\.+", cleaned) or _RESERVED.fullmatch(cleaned):
        return ""
    return cleaned.rstrip(". ").encode("utf-8", "replace")[:255].decode("utf-8", "ignore")
