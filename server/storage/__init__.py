"""Blobs by content: files or S3, and the database while the store is away.

A blob without a row is harmless and swept later; a row without its blob must not exist. So `keep` makes the bytes
durable first; the row is written in the transaction that mentions it (`record_blob`).
"""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from server import problems
from server.model import BlobBytes
from server.plain_rows import insert_row
from server.storage.stores import BlobStore, FileStore, S3Store, StoreAway
from server.transactions import Statement, stored_time, transaction

__all__ = ["KEPT_AGAIN", "Blob", "Storage", "StoreAway", "open_storage", "record_blob"]
log = logging.getLogger(__name__)
# A known blob counts as new; NULL, which the column refuses, stops whoever would name one whose bytes are being removed.
KEPT_AGAIN = "ON CONFLICT (sha256) DO UPDATE SET created_at = CASE WHEN blobs.swept_at IS NULL THEN excluded.created_at END"
_KEEP = Statement(f"INSERT INTO blobs (sha256, md5, size_bytes, created_at) VALUES (:sha256, :md5, :size_bytes, :created_at) {KEPT_AGAIN}")


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that are durable: hex digests and length. `content` is set only while the store is away."""

    sha256: str
    md5: str
    size_bytes: int
    content: bytes | None = None


class Storage:
    """What the server keeps blobs with: the store, and the database behind it while the store is away."""

    def __init__(self, store: BlobStore, engine: Engine) -> None:
        self.store, self._engine = store, engine

    def keep(self, stream: IO[bytes], *, sha256: str, md5: str, size_bytes: int) -> Blob:
        """The bytes are durable in the store; with the store away, they ride in `Blob.content` into the caller's transaction."""
        try:
            self.store.put(sha256, stream, size_bytes)
        except StoreAway as error:
            log.warning("the blob store is away (%s): bytes go to the database", error)
            stream.seek(0)
            return Blob(sha256, md5, size_bytes, stream.read())
        return Blob(sha256, md5, size_bytes)

    def keep_bytes(self, content: bytes) -> Blob:
        """`keep` for bytes at hand."""
        return self.keep(
            io.BytesIO(content), sha256=hashlib.sha256(content).hexdigest(),
            md5=hashlib.md5(content, usedforsecurity=False).hexdigest(), size_bytes=len(content),
        )  # fmt: skip

    def open(self, sha256: str) -> Iterator[bytes]:
        """The blob's bytes in chunks, from wherever they are. Raises: not_found, busy (the store is away)."""
        with transaction(self._engine) as session:
            content = session.scalar(select(BlobBytes.content).where(BlobBytes.sha256 == sha256))
        if content is not None:
            return iter([content])
        chunks = self.store.read(sha256)
        try:
            first = next(chunks, b"")
        except KeyError:
            raise problems.not_found() from None
        except StoreAway:
            raise problems.busy() from None
        return _with_first(first, chunks)

    def move_spilled(self, *, limit: int = 20) -> int:
        """Bytes that wait in the database go to the store; how many went. Raises: StoreAway."""
        with transaction(self._engine) as session:
            names = session.scalars(select(BlobBytes.sha256).order_by(BlobBytes.created_at).limit(limit)).all()
        for sha256 in names:
            with transaction(self._engine) as session:
                content = session.scalar(select(BlobBytes.content).where(BlobBytes.sha256 == sha256))
            if content is None:
                continue
            self.store.put(sha256, io.BytesIO(content), len(content))
            with transaction(self._engine, write=True) as session:
                session.execute(delete(BlobBytes).where(BlobBytes.sha256 == sha256))
        return len(names)


def _with_first(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def record_blob(session: Session, blob: Blob) -> None:
    """The row (and, with the store away, the bytes) of a kept blob, once however often it comes. Raises: busy (it is being swept)."""
    now = datetime.now(UTC)
    row = {"sha256": blob.sha256, "md5": blob.md5, "size_bytes": blob.size_bytes, "created_at": stored_time(session, now)}
    try:
        _KEEP.on(session, row)
    except session.get_bind().dialect.loaded_dbapi.IntegrityError as error:
        raise problems.busy() from error
    if blob.content is not None:
        insert_row(session, BlobBytes, {"sha256": blob.sha256, "content": blob.content, "created_at": now}, unless_known=True)


def open_storage(address: str, endpoint: str, engine: Engine) -> Storage:
    """`address` as Settings.blob_storage gives it: `file:PATH` or `s3://bucket/prefix`."""
    if address.startswith("s3://"):
        parts = urlsplit(address)
        prefix = parts.path.strip("/")
        return Storage(S3Store(parts.netloc, prefix + "/" if prefix else "", endpoint), engine)
    root = Path(address.removeprefix("file:"))
    root.mkdir(parents=True, exist_ok=True)
    return Storage(FileStore(root), engine)
