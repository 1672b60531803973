"""Submissions of encrypted forms, opened with a project key's passphrase (ODK XForms encryption specification).

A submission's AES key comes RSA-OAEP encrypted (SHA-256; MGF1 with SHA-256, or with SHA-1 from some clients) in its XML; each of its files is AES-256-CFB with an
IV of its own, counted from the MD5 of instanceID and key. A managed key's private half is stored AES-256-CBC encrypted under
PBKDF2 (128,000 rounds of SHA-256) of the passphrase.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from lxml import etree
from sqlalchemy import select
from sqlalchemy.orm import Session

from server import problems
from server.model import EncryptionKey
from server.problems import Problem
from server.submissions.envelope import parse_xml

_ROUNDS = 128_000
_BLOCK = 16
MOST_KEYS = 20
_OAEPS = tuple(padding.OAEP(mgf=padding.MGF1(mask()), algorithm=hashes.SHA256(), label=None) for mask in (hashes.SHA256, hashes.SHA1))


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an encrypted submission says of itself: its AES key as sent, and its files in the order of their IVs, the XML last."""

    sealed_key: str
    xml_file: str
    files: tuple[str, ...]


def read_manifest(xml: bytes) -> Manifest | None:
    """The manifest of an encrypted submission's XML; None if it has none."""
    try:
        root = parse_xml(xml)
    except Problem:
        return None
    sealed_key, xml_file, media = "", "", []
    for child in root:
        name = etree.QName(child).localname
        if name == "base64EncryptedKey":
            sealed_key = (child.text or "").strip()
        elif name == "encryptedXmlFile":
            xml_file = (child.text or "").strip()
        elif name == "media":
            media += [(file.text or "").strip() for file in child if (file.text or "").strip()]
    return Manifest(sealed_key, xml_file, (*media, xml_file)) if xml_file else None


class Decryptor:
    """Private keys by key id, opened. `keys` names them all."""

    def __init__(self, private: Mapping[int, RSAPrivateKey]) -> None:
        self._private = dict(private)

    @property
    def keys(self) -> frozenset[int]:
        """Ids of the keys that it opens."""
        return frozenset(self._private)

    def open_file(
        self, key_id: int | None, manifest: Manifest, instance_id: str, name: str, content: Iterable[bytes], *, is_strict: bool = True
    ) -> Iterator[bytes]:
        """The plain bytes of one of the submission's files. Raises: undecryptable; unless strict, a damaged end is given as it is."""
        private = self._private.get(key_id or 0)
        if private is None or name not in manifest.files:
            raise problems.undecryptable()
        try:
            key = _opened_key(private, base64.b64decode(manifest.sealed_key))
            cipher = Cipher(algorithms.AES(key), CFB(_iv(instance_id, key, manifest.files.index(name)))).decryptor()
        except (ValueError, binascii.Error):
            raise problems.undecryptable() from None
        return _unpadded((cipher.update(chunk) for chunk in content), is_strict=is_strict)


def _opened_key(private: RSAPrivateKey, sealed: bytes) -> bytes:
    for oaep in _OAEPS[:-1]:
        try:
            return private.decrypt(sealed, oaep)
        except ValueError:
            continue
    return private.decrypt(sealed, _OAEPS[-1])


def _iv(instance_id: str, key: bytes, index: int) -> bytes:
    counted = bytearray(hashlib.md5(instance_id.encode() + key, usedforsecurity=False).digest())
    for step in range(index + 1):
        counted[step % _BLOCK] = (counted[step % _BLOCK] + 1) % 256
    return bytes(counted)


def _unpadded(chunks: Iterable[bytes], *, is_strict: bool) -> Iterator[bytes]:
    """The bytes without their PKCS #7 padding, the last block held back until it is known to be the last."""
    held = b""
    for chunk in chunks:
        held += chunk
        if len(held) > _BLOCK:
            yield held[:-_BLOCK]
            held = held[-_BLOCK:]
    count = held[-1] if held else 0
    is_padded = 1 <= count <= min(_BLOCK, len(held)) and held[-count:] == bytes([count]) * count
    if is_strict and not is_padded:
        raise problems.undecryptable()
    yield held[:-count] if is_padded else held


def open_decryptor(session: Session, passphrases: Mapping[int, str]) -> Decryptor:
    """The managed keys that these passphrases open; others of the ids are left out. Raises: undecryptable (a wrong passphrase)."""
    if not passphrases:
        return Decryptor({})
    if len(passphrases) > MOST_KEYS:
        raise problems.undecryptable()
    rows = session.execute(
        select(EncryptionKey.id, EncryptionKey.private).where(EncryptionKey.managed.is_(True), EncryptionKey.id.in_(list(passphrases)))
    ).all()
    return Decryptor({key_id: _private_key(private, passphrases[key_id]) for key_id, private in rows if private})


def _private_key(sealed: Mapping[str, Any], passphrase: str) -> RSAPrivateKey:
    try:
        salt, iv = base64.b64decode(sealed["salt"]), base64.b64decode(sealed["iv"])
        key = hashlib.pbkdf2_hmac("sha256", passphrase.encode("utf-8", "replace"), salt, _ROUNDS, 32)
        plain = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor().update(base64.b64decode(sealed["privkey"]))
        opened = serialization.load_pem_private_key(plain[: -plain[-1]] if 1 <= plain[-1] <= _BLOCK else plain, password=None)
    except (ValueError, KeyError, TypeError, IndexError):
        raise problems.undecryptable() from None
    if not isinstance(opened, RSAPrivateKey):
        raise problems.undecryptable()
    return opened
