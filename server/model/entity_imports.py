"""Imports of files into entity lists, and when entities were in the trash."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from server.model.schema import Table

_AT_WORK = "state IN ('checking', 'importing', 'undoing')"


class EntityImport(Table):
    """A file of county staff on its way into a list.

    `state`: uploaded, checking, checked, importing, done, undoing, undone; failed: its file is there no more.
    `columns`, `samples`, `sheets`: what was found in the file; `settings`: what becomes of it (imports/mapping.py).
    `blob_sha256`: the file, `rows_sha256`: its rows as JSON lines, `plan_sha256`: what each good row is to do; none is kept once that is done,
    or when nobody has started it within a week.
    `position`: lines of the plan that are done; `undo_position`: the last entity that was looked at. Both are saved with their effect.
    `holder`: who works on it until `held_until`. `errors`, `left_alone`: the first thousand; the counts are of all.
    """

    __tablename__ = "entity_imports"
    project_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    list_id: Mapped[int] = mapped_column(ForeignKey("entity_lists.id"))
    actor_id: Mapped[int | None] = mapped_column(BigInteger)
    division: Mapped[str] = mapped_column(String(12))
    state: Mapped[str] = mapped_column(String(20))
    file_name: Mapped[str] = mapped_column(String(255))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    blob_sha256: Mapped[str | None] = mapped_column(ForeignKey("blobs.sha256"), index=True)
    rows_sha256: Mapped[str | None] = mapped_column(ForeignKey("blobs.sha256"), index=True)
    plan_sha256: Mapped[str | None] = mapped_column(ForeignKey("blobs.sha256"), index=True)
    sheet: Mapped[str | None] = mapped_column(String(255))
    sheets: Mapped[list[Any]]
    columns: Mapped[list[Any]]
    samples: Mapped[list[Any]]
    settings: Mapped[dict[str, Any]]
    rows_total: Mapped[int]
    rows_checked: Mapped[int]
    rows_good: Mapped[int]
    rows_bad: Mapped[int]
    errors_total: Mapped[int]
    errors: Mapped[list[Any]] = mapped_column(deferred=True)
    position: Mapped[int]
    created_count: Mapped[int]
    updated_count: Mapped[int]
    unchanged_count: Mapped[int]
    skipped_count: Mapped[int]
    source_id: Mapped[int | None] = mapped_column(BigInteger)
    undo_source_id: Mapped[int | None] = mapped_column(BigInteger)
    undo_position: Mapped[int] = mapped_column(BigInteger)
    undone_count: Mapped[int]
    left_count: Mapped[int]
    left_alone: Mapped[list[Any]] = mapped_column(deferred=True)
    holder: Mapped[str | None] = mapped_column(String(100))
    held_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    checked_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[int | None] = mapped_column(BigInteger)
    __table_args__ = (
        Index("ix_entity_imports_list", "list_id", "id"),
        Index("ix_entity_imports_at_work", "state", sqlite_where=text(_AT_WORK), postgresql_where=text(_AT_WORK)),
    )


class EntityAbsence(Table):
    """An entity was in the trash from `deleted_at` on, until `restored_at` (null: it still is)."""

    __tablename__ = "entity_absences"
    project_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    entity_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    deleted_at: Mapped[datetime] = mapped_column(primary_key=True)
    restored_at: Mapped[datetime | None]
