"""Blobs by content. The bytes are in the store, or here while the store is away."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from server.model.schema import Table


class BlobRow(Table):
    """Bytes that something names, or named. `created_at`: when they were last kept.

    `swept_at`: since then nothing may name it any more, its bytes are being removed; `removed_at`: they are gone (see storage/sweep.py).
    """

    __tablename__ = "blobs"
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    md5: Mapped[str] = mapped_column(String(32))
    size_bytes: Mapped[int]
    created_at: Mapped[datetime]
    swept_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]
    __table_args__ = (
        Index("ix_blobs_swept", "swept_at", sqlite_where=text("swept_at IS NOT NULL"), postgresql_where=text("swept_at IS NOT NULL")),
    )


class BlobBytes(Table):
    """Bytes that could not reach the store yet; moved there and deleted here by a job."""

    __tablename__ = "blob_bytes"
    sha256: Mapped[str] = mapped_column(String(64), ForeignKey("blobs.sha256"), primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
