"""Blobs by content: files or S3, and the database while the store is away.

A blob without a row is harmless and swept later; a row without its blob must not exist. So `keep` makes the bytes
durable first; the row is written in the transaction that mentions it (`record_blob`).
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from sqlalchemy import Engine, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from server import problems
from server.model import BlobBytes, BlobRow
from server.transactions import transaction

log = logging.getLogger(__name__)
_CHUNK = 256 * 1024
_AWAY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that are durable: hex digests and length. `content` is set only while the store is away."""

    sha256: str
    md5: str
    size_bytes: int
    content: bytes | None = None


class StoreAway(Exception):
    """The store cannot be reached now."""


class BlobStore(ABC):
    """Where bytes live in production: files or S3."""

    @abstractmethod
    def put(self, sha256: str, stream: IO[bytes], size_bytes: int) -> None:
        """The stream's bytes are durable under their digest. Raises: StoreAway."""

    @abstractmethod
    def read(self, sha256: str) -> Iterator[bytes]:
        """The bytes in chunks. Raises: StoreAway, KeyError (not there)."""

    @abstractmethod
    def remove(self, sha256: str) -> None:
        """The bytes are gone, or were not there."""


class FileStore(BlobStore):
    """Files named by digest, two levels of folders."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known_folders: set[str] = set()

    def _path(self, sha256: str) -> Path:
        if len(sha256) != 64 or not all(c in "0123456789abcdef" for c in sha256):
            raise KeyError(sha256)
        return self._root / sha256[:2] / sha256[2:]

    def put(self, sha256: str, stream: IO[bytes], size_bytes: int) -> None:
        path = self._path(sha256)
        try:
            # A file under its final name was complete and synced before it got that name.
            if path.exists() and path.stat().st_size == size_bytes:
                return
            if sha256[:2] not in self._known_folders:
                path.parent.mkdir(parents=True, exist_ok=True)
                _sync_folder(self._root)
                self._known_folders.add(sha256[:2])
            temporary = path.with_name(f".{sha256[2:]}.{os.getpid()}.{threading.get_ident()}")
            with temporary.open("wb") as file:
                while chunk := stream.read(_CHUNK):
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            _sync_folder(path.parent)
        except OSError as error:
            raise StoreAway(str(error)) from error

    def read(self, sha256: str) -> Iterator[bytes]:
        try:
            file = self._path(sha256).open("rb")
        except FileNotFoundError:
            raise KeyError(sha256) from None
        with file:
            while chunk := file.read(_CHUNK):
                yield chunk

    def remove(self, sha256: str) -> None:
        self._path(sha256).unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class S3Store(BlobStore):
    """Objects named by digest. boto3 is imported at first use: the core starts without it."""

    def __init__(self, bucket: str, prefix: str, endpoint: str) -> None:
        self._bucket, self._prefix, self._endpoint = bucket, prefix, endpoint
        self._made: Any = None
        self._away_until = 0.0
        self._lock = threading.Lock()

    def _client(self) -> Any:
        with self._lock:
            if self._made is None:
                import boto3
                from botocore.config import Config

                self._made = boto3.client(
                    "s3", endpoint_url=self._endpoint or None,
                    config=Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1}, max_pool_connections=32,
                                  s3={"addressing_style": "path"} if self._endpoint else None),
                )  # fmt: skip
            return self._made

    def put(self, sha256: str, stream: IO[bytes], size_bytes: int) -> None:
        # After a failure nobody waits for the time-out again for a while: phones must have their answer.
        if time.monotonic() < self._away_until:
            raise StoreAway("not tried: the store failed a moment ago")
        try:
            self._client().put_object(Bucket=self._bucket, Key=self._prefix + sha256, Body=stream, ContentLength=size_bytes)
        except Exception as error:
            self._away_until = time.monotonic() + _AWAY_SECONDS
            raise StoreAway(type(error).__name__) from error

    def read(self, sha256: str) -> Iterator[bytes]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            body = self._client().get_object(Bucket=self._bucket, Key=self._prefix + sha256)["Body"]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in {"NoSuchKey", "404"}:
                raise KeyError(sha256) from None
            raise StoreAway(type(error).__name__) from error
        except BotoCoreError as error:
            raise StoreAway(type(error).__name__) from error
        yield from body.iter_chunks(_CHUNK)

    def remove(self, sha256: str) -> None:
        self._client().delete_object(Bucket=self._bucket, Key=self._prefix + sha256)


class Storage:
    """What the server keeps blobs with: the store, and the database behind it while the store is away."""

    def __init__(self, store: BlobStore, engine: Engine) -> None:
        self._store, self._engine = store, engine

    def keep(self, stream: IO[bytes], *, sha256: str, md5: str, size_bytes: int) -> Blob:
        """The bytes are durable in the store; with the store away, they ride in `Blob.content` into the caller's transaction."""
        try:
            self._store.put(sha256, stream, size_bytes)
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
        chunks = self._store.read(sha256)
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
            self._store.put(sha256, io.BytesIO(content), len(content))
            with transaction(self._engine, write=True) as session:
                session.execute(delete(BlobBytes).where(BlobBytes.sha256 == sha256))
        return len(names)


def _with_first(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def record_blob(session: Session, blob: Blob) -> None:
    """The row (and, with the store away, the bytes) of a kept blob, once however often it comes."""
    make = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    now = datetime.now(UTC)
    session.connection().execute(
        make(BlobRow.__table__).on_conflict_do_nothing(),  # type: ignore[arg-type]
        {"sha256": blob.sha256, "md5": blob.md5, "size_bytes": blob.size_bytes, "created_at": now},
    )
    if blob.content is not None:
        session.connection().execute(
            make(BlobBytes.__table__).on_conflict_do_nothing(),  # type: ignore[arg-type]
            {"sha256": blob.sha256, "content": blob.content, "created_at": now},
        )


def open_storage(address: str, endpoint: str, engine: Engine) -> Storage:
    """`address` as Settings.blob_storage gives it: `file:PATH` or `s3://bucket/prefix`."""
    if address.startswith("s3://"):
        parts = urlsplit(address)
        prefix = parts.path.strip("/")
        return Storage(S3Store(parts.netloc, prefix + "/" if prefix else "", endpoint), engine)
    root = Path(address.removeprefix("file:"))
    root.mkdir(parents=True, exist_ok=True)
    return Storage(FileStore(root), engine)
