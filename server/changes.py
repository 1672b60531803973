"""The ordered log of what changed, and its numbering.

Order is given at read time: `number_changes` takes a lock, gives positions to the rows it can see, and commits before
the lock is free. So whoever sees a position sees every lower one, however many writers commit in whatever order.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from server.model import Change, Cursor
from server.plain_rows import insert_row
from server.transactions import new_id

_NUMBERING_LOCK = 0x6D696E71  # "minq": any constant that nothing else on the database uses


def record_change(
    session: Session, kind: str, *, project_id: int, form_pk: int | None = None, submission_id: int | None = None,
    details: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    """One more unnumbered row in the log, in the caller's transaction."""
    insert_row(session, Change, {
        "project_id": project_id, "id": new_id(), "kind": kind, "form_pk": form_pk, "submission_id": submission_id,
        "details": details, "at": datetime.now(UTC),
    })  # fmt: skip


def number_changes(session: Session, *, limit: int = 2000) -> int:
    """Give the next positions to at most `limit` unnumbered changes; how many were numbered. Needs a write transaction."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _NUMBERING_LOCK})
        result = session.execute(
            text(
                "WITH unnumbered AS (SELECT project_id, id FROM changes WHERE position IS NULL ORDER BY id LIMIT :limit),"
                " numbered AS (SELECT project_id, id, row_number() OVER (ORDER BY id) AS n FROM unnumbered)"
                " UPDATE changes SET position = n + (SELECT coalesce(max(position), 0) FROM changes)"
                " FROM numbered WHERE changes.project_id = numbered.project_id AND changes.id = numbered.id"
            ),
            {"limit": limit},
        )
        return result.rowcount  # type: ignore[attr-defined,no-any-return]
    ids = session.execute(
        select(Change.project_id, Change.id).where(Change.position.is_(None)).order_by(Change.id).limit(limit)
    ).all()
    last = last_position(session)
    if ids:
        session.connection().exec_driver_sql(
            "UPDATE changes SET position = ? WHERE project_id = ? AND id = ?",
            [(last + n, project_id, change_id) for n, (project_id, change_id) in enumerate(ids, start=1)],
        )
    return len(ids)


def last_position(session: Session) -> int:
    """The highest position given; 0 while there is none."""
    return session.scalar(select(func.coalesce(func.max(Change.position), 0))) or 0


def read_changes(session: Session, after: int, *, limit: int = 500) -> list[Change]:
    """The next numbered changes with a position greater than `after`, in order."""
    statement = select(Change).where(Change.position > after).order_by(Change.position).limit(limit)
    return list(session.scalars(statement))


def read_cursor(session: Session, consumer: str) -> int:
    """The position up to which `consumer` has worked; 0 at first."""
    return session.scalar(select(Cursor.position).where(Cursor.consumer == consumer)) or 0


def save_cursor(session: Session, consumer: str, position: int) -> None:
    """`consumer` has worked up to `position`, in the caller's transaction."""
    row = session.get(Cursor, consumer)
    if row is None:
        row = Cursor(consumer=consumer, position=position, failures=0, updated_at=datetime.now(UTC))
        session.add(row)
    row.position, row.failures, row.last_error, row.updated_at = position, 0, None, datetime.now(UTC)
