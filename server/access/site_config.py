"""What the site is configured with over the interface: the sign-in page's words and pictures, usage reports (never sent)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor, Place
from server.access.audit import record_audit
from server.model import SiteConfig

VALUES = frozenset({"analytics", "login-appearance"})
PICTURES = frozenset({"logo", "hero-image"})
PUBLIC = frozenset({"login-appearance", "logo", "hero-image"})
_TEXTS = {"login-appearance": ("title", "description"), "analytics": ("email", "organization")}


def check_settable(key: str) -> None:
    """Raises: unexpected_value."""
    if key not in VALUES | PICTURES:
        raise problems.unexpected_value("key", key[:60], "the config is unknown or cannot be set.")


def _clean(key: str, given: Any) -> dict[str, Any]:
    body = given if isinstance(given, dict) else {}
    value: dict[str, Any] = {} if key != "analytics" else {"enabled": body.get("enabled") is True}
    if key != "analytics" or value["enabled"]:
        value.update({name: body[name][:10_000] for name in _TEXTS[key] if isinstance(body.get(name), str) and body[name]})
    return value


def set_value(session: Session, actor: Actor, key: str, given: Any) -> SiteConfig:
    """Raises: insufficient_rights, unexpected_value."""
    actor.require("config.set", Place())
    check_settable(key)
    value = _clean(key, given)
    return _save(session, actor, SiteConfig(key=key, value=value, set_at=datetime.now(UTC)), {"value": value})


def set_picture(session: Session, actor: Actor, key: str, *, sha256: str, content_type: str) -> SiteConfig:
    """Raises: insufficient_rights, unexpected_value."""
    actor.require("config.set", Place())
    check_settable(key)
    row = SiteConfig(key=key, blob_sha256=sha256, content_type=content_type[:100], set_at=datetime.now(UTC))
    return _save(session, actor, row, {"blobId": int(sha256[:12], 16)})


def _save(session: Session, actor: Actor, row: SiteConfig, details: dict[str, Any]) -> SiteConfig:
    old = session.get(SiteConfig, row.key)
    if old is not None:
        session.delete(old)
        session.flush()
    session.add(row)
    session.flush()
    record_audit(session, actor, "config.set", key=row.key, **details)
    return row


def unset(session: Session, actor: Actor, key: str) -> None:
    """Whether it was set or not. Raises: insufficient_rights, unexpected_value."""
    actor.require("config.set", Place())
    check_settable(key)
    row = session.get(SiteConfig, key)
    if row is not None:
        session.delete(row)
        record_audit(session, actor, "config.set", key=key, value=None, blobId=None)


def read_config(session: Session, actor: Actor | None, key: str) -> SiteConfig:
    """The configured value; `actor` None where anyone may read it. Raises: insufficient_rights, not_found."""
    if actor is not None:
        actor.require("config.read", Place())
    elif key not in PUBLIC:
        raise problems.insufficient_rights()
    row = session.get(SiteConfig, key) if len(key) <= 60 else None
    if row is None:
        raise problems.not_found()
    return row


def read_public(session: Session) -> Sequence[SiteConfig]:
    """All that anyone may read."""
    return session.scalars(select(SiteConfig).where(SiteConfig.key.in_(PUBLIC))).all()
