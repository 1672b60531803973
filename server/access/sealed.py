"""ID and bank account numbers at rest: encrypted, beside what may be shown of them. Whoever reads the database alone learns nothing more.

Stored as `sealed|<masked>|<ciphertext>`. Equal numbers give equal text (AES-SIV, RFC 5297, is deterministic), so that they can be matched
and compared without the key: the ciphertext is its own keyed hash.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from sqlalchemy import Dialect, Engine

from server.access.secret_key import read_secret_key
from server.settings import Settings
from server.transactions import open_engine

_NAMES = re.compile(r"(^|_)(id_number|id_card|id_no|idcard|idnumber|identity_number|sfzh|sfz|bank_account|bank_card)$", re.IGNORECASE)
_UNUSUAL = re.compile(r"[^0-9A-Za-z*]")
_PREFIX = "sealed|"
# No XML begins with it.
_SEALED_XML = b"\x00sealed1"
# A ciphertext has 17 bytes at least: no answer looks so by chance.
_IN_TEXT = re.compile(rb"sealed\|([0-9A-Za-z*]*)\|[A-Za-z0-9_-]{23,}")
# No sealed value is longer.
LONGEST = 4096
_MOST_CHARACTERS = 1000
_IN_JSON = re.compile(r'"sealed\|([^|"\\]*)\|([A-Za-z0-9_-]+)"')


@lru_cache(maxsize=10_000)
def is_sealed_name(name: str) -> bool:
    """Whether a question or property of this name holds a number that is stored sealed."""
    return _NAMES.search(name) is not None


def is_sealed(value: Any) -> bool:
    """Whether the value is one that `Sealer.seal` gave."""
    return isinstance(value, str) and value.startswith(_PREFIX) and value.count("|") == 2


def holds_sealed(json_text: str) -> bool:
    """Whether there may be a sealed value in it; never False where there is one."""
    return '"sealed|' in json_text


def masked(text: str) -> str:
    """The first 6 and the last 4 characters, of a sealed value too; of a short text nothing."""
    if is_sealed(text):
        return text.split("|")[1]
    return f"{text[:6]}{'*' * (len(text) - 10)}{text[-4:]}" if len(text) > 10 else "*" * len(text)


def matching_hash(value: str) -> str | None:
    """32 hex digits that are equal for equal numbers under one server's secret; None of a value that is not sealed."""
    return hashlib.sha256(value.split("|")[2].encode()).hexdigest()[:32] if is_sealed(value) else None


def masked_bytes(text: bytes) -> bytes:
    """Text with every sealed value as its mask; the same object where there is none."""
    return _IN_TEXT.sub(rb"\1", text) if b"sealed|" in text else text


def masked_json(json_text: str) -> str:
    """JSON text with every sealed value as its mask."""
    return _IN_JSON.sub(r'"\1"', json_text)


class Sealer:
    """Seals and opens with keys drawn from the server's one secret."""

    def __init__(self, secret_key: str) -> None:
        self._values = AESSIV(hashlib.blake2b(secret_key.encode(), digest_size=64, person=b"id numbers").digest())
        self._xml = AESGCM(hashlib.blake2b(secret_key.encode(), digest_size=32, person=b"xml at rest").digest())

    def seal(self, text: str) -> str:
        """The value as it is stored; what is sealed stays as it is. "" stays "": there is nothing to hide."""
        if not text or len(text) > _MOST_CHARACTERS or (is_sealed(text) and self._opened(text) is not None):
            # What is so long is no number.
            return text
        shown = _UNUSUAL.sub("*", masked(text))
        return f"{_PREFIX}{shown}|{base64.urlsafe_b64encode(self._values.encrypt(text.encode('utf-8', 'surrogatepass'), None)).rstrip(b'=').decode()}"

    def unseal(self, value: str) -> str:
        """The number; a value that is not sealed as it is. Raises ValueError if it was sealed with another secret or changed."""
        if not is_sealed(value):
            return value
        opened = self._opened(value)
        if opened is None:
            raise ValueError("sealed with another secret key, or changed")
        return opened

    def _opened(self, value: str) -> str | None:
        token = value.split("|")[2]
        try:
            return self._values.decrypt(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)), None).decode("utf-8", "surrogatepass")
        except (InvalidTag, ValueError):
            return None

    def unsealed_json(self, json_text: str) -> str:
        """JSON text with every sealed value as the number. Raises ValueError as `unseal` does."""
        return _IN_JSON.sub(lambda found: f'"{_escaped(self.unseal(found[0][1:-1]))}"', json_text)

    def seal_xml(self, xml: bytes) -> bytes:
        """A submission's XML as it is stored where it holds such a number."""
        nonce = os.urandom(12)
        return _SEALED_XML + nonce + self._xml.encrypt(nonce, xml, None)

    def unseal_xml(self, stored: bytes) -> bytes:
        """The XML byte for byte as it was sent. Raises ValueError as `unseal` does."""
        if not stored.startswith(_SEALED_XML):
            return stored
        start = len(_SEALED_XML)
        try:
            return self._xml.decrypt(stored[start : start + 12], stored[start + 12 :], None)
        except InvalidTag:
            raise ValueError("sealed with another secret key, or changed") from None


def _escaped(text: str) -> str:
    return "".join(f"\\u{ord(c):04x}" if c < " " or c in '"\\' else c for c in text)


def open_server_database(settings: Settings, *, pool_size: int = 20) -> Engine:
    """The server's own database, whose sealed values can be read."""
    engine = open_engine(settings.server_database, pool_size=pool_size)
    # On the dialect, which the engine's readers and writers share.
    engine.dialect.minqing_sealer = Sealer(read_secret_key(settings))  # type: ignore[attr-defined]
    return engine


def sealer_of(dialect: Dialect) -> Sealer:
    """The sealer of an engine that `open_server_database` opened. Raises RuntimeError of another engine."""
    found: Sealer | None = getattr(dialect, "minqing_sealer", None)
    if found is None:
        raise RuntimeError("this engine was not opened with the server's secret")
    return found
