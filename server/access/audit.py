"""The audit log: who did what to which thing; chained by hash behind the writers' backs, so that none waits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from server.access.actor import Actor
from server.model import AuditEntry
from server.plain_rows import insert_row
from server.transactions import new_id

_CHAINING_LOCK = 0x6175646974


def record_audit(
    session: Session, actor: Actor, action: str, *, project_id: int | None = None, form_pk: int | None = None,
    submission_id: int | None = None, thing: str | None = None, notes: str | None = None, **details: Any,
) -> int:  # fmt: skip
    """One more entry, in the caller's transaction: its id. `details` are plain JSON values and never personal data.

    `notes`: the reason that the one who acted gave; else what `remember_notes` took for this session.
    """
    entry_id = new_id()
    insert_row(session, AuditEntry, {
        "project_id": project_id or 0, "id": entry_id, "actor_id": actor.id or None, "action": action, "form_pk": form_pk,
        "submission_id": submission_id, "thing": thing, "details": details or None,
        "notes": notes or session.info.get("notes"), "at": datetime.now(UTC),
    })  # fmt: skip
    return entry_id


def remember_notes(session: Session, notes: str | None) -> None:
    """All that this session records bears these notes: the request's reason (X-Action-Notes)."""
    session.info["notes"] = notes


_COLUMNS = AuditEntry.__table__.c
_CONTENT = (
    _COLUMNS.project_id, _COLUMNS.id, _COLUMNS.actor_id, _COLUMNS.action, _COLUMNS.form_pk, _COLUMNS.submission_id, _COLUMNS.thing,
    _COLUMNS.details, _COLUMNS.notes, _COLUMNS.at,
)  # fmt: skip


def _link(previous: bytes, content: Sequence[Any]) -> bytes:
    """The hash of an entry's columns (`_CONTENT`) after the hash before it."""
    *plain, notes, at = content
    # Entries from before there were notes keep their hash.
    plain += [notes] if notes is not None else []
    return hashlib.sha256(previous + orjson.dumps([*plain, at.astimezone(UTC).isoformat()], option=orjson.OPT_SORT_KEYS)).digest()


def chain_audit(session: Session, *, limit: int = 2000) -> int:
    """Give position and hash to the next unchained entries; how many. Needs a write transaction."""
    connection = session.connection()
    is_postgresql = connection.dialect.name == "postgresql"
    if is_postgresql:
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CHAINING_LOCK})
    waiting = connection.execute(select(*_CONTENT).where(_COLUMNS.position.is_(None)).order_by(_COLUMNS.id).limit(limit)).all()
    if not waiting:
        return 0
    last = connection.execute(
        select(_COLUMNS.position, _COLUMNS.chain).where(_COLUMNS.position.is_not(None)).order_by(_COLUMNS.position.desc()).limit(1)
    ).one_or_none()
    position, previous = (last[0], last[1]) if last else (0, b"")
    links: list[tuple[int, bytes, int, int]] = []
    for entry in waiting:
        position += 1
        previous = _link(previous, entry)
        links.append((position, previous, entry.project_id, entry.id))
    if is_postgresql:
        # One statement for the batch: a statement an entry would cost more than the submission itself.
        connection.exec_driver_sql(
            "UPDATE audit_entries SET position = v.position, chain = v.chain FROM unnest(%s::bigint[], %s::bytea[], %s::bigint[], %s::bigint[])"
            " AS v(position, chain, project_id, id) WHERE audit_entries.project_id = v.project_id AND audit_entries.id = v.id",
            tuple(list(column) for column in zip(*links, strict=True)),
        )
    else:
        connection.exec_driver_sql("UPDATE audit_entries SET position = ?, chain = ? WHERE project_id = ? AND id = ?", links)
    return len(links)


def verify_audit(session: Session) -> tuple[int, int | None]:
    """How many entries hold, and the position of the first that does not (None: all hold)."""
    previous, held = b"", 0
    statement = select(*_CONTENT, _COLUMNS.position, _COLUMNS.chain).where(_COLUMNS.position.is_not(None)).order_by(_COLUMNS.position)
    for *content, position, chain in session.connection().execute(statement, execution_options={"yield_per": 500}):
        previous = _link(previous, content)
        if position != held + 1 or chain != previous:
            return held, held + 1
        held += 1
    return held, None
