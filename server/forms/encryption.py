"""Encrypted forms: the keys they carry, and a project whose forms all do (managed encryption)."""

from __future__ import annotations

import base64
import hashlib
import os
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7
from sqlalchemy import select
from sqlalchemy.orm import Session

from server import problems
from server.forms.fields import read_form_definition
from server.forms.xform_edits import add_version_suffix, with_public_key
from server.model import EncryptionKey, Project

_LEAST_PASSPHRASE = 10
_ROUNDS = 128_000


def ensure_key(session: Session, public_key: str) -> int:
    """The key that a form brings along, once however many forms have it."""
    found = session.scalar(select(EncryptionKey.id).where(EncryptionKey.public == public_key))
    if found is not None:
        return found
    key = EncryptionKey(public=public_key, private=None, managed=False, hint=None, created_at=datetime.now(UTC))
    session.add(key)
    session.flush()
    return key.id


def make_managed_key(passphrase: str) -> tuple[str, dict[str, Any]]:
    """A new RSA key: its public part as forms carry it, and its private part sealed by the passphrase as ODK Central seals it.

    AES-256-CBC under PBKDF2 (128,000 rounds of SHA-256); all values in base64. Takes a second of CPU.
    """
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = private.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    plain = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    salt, iv = os.urandom(16), os.urandom(16)
    key = hashlib.pbkdf2_hmac("sha256", passphrase.encode("utf-8", "replace"), salt, _ROUNDS, 32)
    padder, encryptor = PKCS7(128).padder(), Cipher(AES(key), CBC(iv)).encryptor()
    sealed = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
    parts = {"privkey": sealed, "salt": salt, "iv": iv, "pubkey": public}
    return base64.b64encode(public).decode(), {name: base64.b64encode(part).decode() for name, part in parts.items()}


def check_passphrase(passphrase: Any) -> str:
    """Raises: missing_parameter, invalid_data_type, password_too_short."""
    if passphrase is None or passphrase == "":
        raise problems.missing_parameter("passphrase")
    if not isinstance(passphrase, str):
        raise problems.invalid_data_type("passphrase", None, "string")
    if len(passphrase) < _LEAST_PASSPHRASE:
        raise problems.password_too_short()
    return passphrase


def version_suffix() -> str:
    """What tells the encrypted version of a form from the one before."""
    return f"[encrypted:{os.urandom(4).hex()}]"


def encrypted_xform(session: Session, project: Project, xform: bytes, suffix: str | None = None) -> bytes:
    """The XForm with the project's key, under a version of its own; as it is where the project has no key or the form its own."""
    if project.key_id is None or read_form_definition(xform).public_key is not None:
        return xform
    key = session.get_one(EncryptionKey, project.key_id)
    return add_version_suffix(with_public_key(xform, key.public), suffix or version_suffix())
