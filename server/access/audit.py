"""The audit log: who did what to which thing; chained by hash behind the writers' backs, so that none waits."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from server.access.actor import Actor
from server.model import AuditEntry
from server.transactions import new_id

_CHAINING_LOCK = 0x6175646974


def record_audit(
    session: Session, actor: Actor, action: str, *, project_id: int | None = None, form_pk: int | None = None,
    submission_id: int | None = None, thing: str | None = None, **details: Any,
) -> None:  # fmt: skip
    """One more entry, in the caller's transaction; `details` are plain JSON values and never personal data."""
    session.connection().execute(
        AuditEntry.__table__.insert(),
        {"project_id": project_id or 0, "id": new_id(), "actor_id": actor.id or None, "action": action, "form_pk": form_pk,
         "submission_id": submission_id, "thing": thing, "details": details or None, "at": datetime.now(UTC)},
    )  # fmt: skip


def _link(previous: bytes, entry: AuditEntry) -> bytes:
    content = orjson.dumps(
        [entry.project_id, entry.id, entry.actor_id, entry.action, entry.form_pk, entry.submission_id, entry.thing,
         entry.details, entry.at.astimezone(UTC).isoformat()],
        option=orjson.OPT_SORT_KEYS,
    )  # fmt: skip
    return hashlib.sha256(previous + content).digest()


def chain_audit(session: Session, *, limit: int = 500) -> int:
    """Give position and hash to the next unchained entries; how many. Needs a write transaction."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CHAINING_LOCK})
    waiting = session.scalars(select(AuditEntry).where(AuditEntry.position.is_(None)).order_by(AuditEntry.id).limit(limit)).all()
    last = session.execute(
        select(AuditEntry.position, AuditEntry.chain).where(AuditEntry.position.is_not(None)).order_by(AuditEntry.position.desc()).limit(1)
    ).one_or_none()
    position, previous = (last[0], last[1]) if last else (0, b"")
    for entry in waiting:
        position += 1
        previous = _link(previous, entry)
        entry.position, entry.chain = position, previous
    session.flush()
    return len(waiting)


def verify_audit(session: Session) -> tuple[int, int | None]:
    """How many entries hold, and the position of the first that does not (None: all hold)."""
    previous, held = b"", 0
    statement = select(AuditEntry).where(AuditEntry.position.is_not(None)).order_by(AuditEntry.position).execution_options(yield_per=500)
    for entry in session.scalars(statement):
        previous = _link(previous, entry)
        if entry.position != held + 1 or entry.chain != previous:
            return held, held + 1
        held += 1
    return held, None


def count_audit(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(AuditEntry)) or 0
