"""The audit log: append-only, hash-chained at read time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from server.model.schema import Table


class AuditEntry(Table):
    """Who did what to which thing. `project_id` is 0 for the site. `position` and `chain` are given by access/audit.py."""

    __tablename__ = "audit_entries"
    project_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    actor_id: Mapped[int | None] = mapped_column(BigInteger)
    action: Mapped[str] = mapped_column(String(60))
    form_pk: Mapped[int | None] = mapped_column(BigInteger)
    submission_id: Mapped[int | None] = mapped_column(BigInteger)
    thing: Mapped[str | None] = mapped_column(String(255))
    details: Mapped[dict[str, Any] | None]
    notes: Mapped[str | None]
    at: Mapped[datetime]
    position: Mapped[int | None] = mapped_column(BigInteger)
    chain: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    __table_args__ = (
        Index("uq_audit_entries_position", "position", unique=True),
        Index("ix_audit_entries_unchained", "id", sqlite_where=text("position IS NULL"), postgresql_where=text("position IS NULL")),
        Index("ix_audit_entries_submission", "project_id", "submission_id"),
        Index("ix_audit_entries_at", "at", "id"),
        Index("ix_audit_entries_action", "action", "at", "id"),
    )
