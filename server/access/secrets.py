"""Sealing what must be shown again, hashing what must only be compared."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets as random_secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_TOKEN = re.compile("[A-Za-z0-9!$_-]{64}")
# 56 characters: none that are mistaken for another when read from paper.
_ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class Secrets:
    """Keys for sealing, look-up and signing, all drawn from the server's one secret."""

    def __init__(self, secret_key: str) -> None:
        self._seal = AESGCM(self._derive(secret_key, "seal"))
        self._lookup = self._derive(secret_key, "lookup")
        self.signing = self._derive(secret_key, "sign")

    @staticmethod
    def _derive(secret_key: str, purpose: str) -> bytes:
        return hashlib.blake2b(secret_key.encode(), digest_size=32, person=purpose.encode()).digest()

    def seal(self, text: str) -> bytes:
        """Encrypted and authenticated; never the same bytes twice."""
        nonce = os.urandom(12)
        return nonce + self._seal.encrypt(nonce, text.encode(), None)

    def unseal(self, sealed: bytes) -> str:
        """The text that `seal` took. Raises ValueError if it was sealed with another secret or changed."""
        try:
            return self._seal.decrypt(sealed[:12], sealed[12:], None).decode()
        except InvalidTag:
            raise ValueError("sealed with another secret key, or changed") from None

    def lookup_key(self, text: str) -> bytes:
        """32 bytes to find `text` by without storing it."""
        return hmac.digest(self._lookup, text.encode("utf-8", "surrogatepass"), "sha256")


def new_token() -> str:
    """64 characters of the kind ODK Central uses in addresses: letters, digits, `!` and `$`."""
    return base64.b64encode(random_secrets.token_bytes(48), altchars=b"!$").decode()


def is_token(text: str) -> bool:
    """Whether `text` has a token's shape."""
    return _TOKEN.fullmatch(text) is not None


def new_password(length: int = 12) -> str:
    """A password that can be read from paper."""
    return "".join(random_secrets.choice(_ALPHABET) for _ in range(length))
