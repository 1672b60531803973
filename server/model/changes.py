"""The ordered log of changes, its readers' cursors and the jobs' leases."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from server.model.schema import Table


class Change(Table):
    """`position` is given at read time under a lock (changes.py), so that order never runs ahead of visibility."""

    __tablename__ = "changes"
    project_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    position: Mapped[int | None] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(String(40))
    form_pk: Mapped[int | None] = mapped_column(BigInteger)
    submission_id: Mapped[int | None] = mapped_column(BigInteger)
    details: Mapped[dict[str, Any] | None]
    at: Mapped[datetime]
    __table_args__ = (
        Index("uq_changes_position", "position", unique=True),
        Index("ix_changes_unnumbered", "id", sqlite_where=text("position IS NULL"), postgresql_where=text("position IS NULL")),
    )


class Cursor(Table):
    """How far a consumer has read; saved in the same transaction as its effect."""

    __tablename__ = "cursors"
    consumer: Mapped[str] = mapped_column(String(60), primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)
    failures: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None]
    updated_at: Mapped[datetime]


class Lease(Table):
    """One node runs a job until `expires_at`, renewing as it goes."""

    __tablename__ = "leases"
    job: Mapped[str] = mapped_column(String(60), primary_key=True)
    holder: Mapped[str] = mapped_column(String(100))
    expires_at: Mapped[datetime]
