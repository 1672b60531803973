"""Where the bytes of blobs live in production: files, or S3."""

from __future__ import annotations

import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any

_CHUNK = 256 * 1024
_AWAY_SECONDS = 30.0


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
        """The bytes are gone, or were not there. Raises: StoreAway."""

    @abstractmethod
    def list_older(self, than: datetime) -> Iterator[str]:
        """Digests of what was put before `than`, in no order; what an interrupted `put` left is removed on the way. Raises: StoreAway."""


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
        try:
            self._path(sha256).unlink(missing_ok=True)
        except OSError as error:
            raise StoreAway(str(error)) from error

    def list_older(self, than: datetime) -> Iterator[str]:
        for folder in sorted(self._root.glob("[0-9a-f][0-9a-f]")):
            for entry in os.scandir(folder):
                try:
                    is_older = entry.stat().st_mtime < than.timestamp()
                except FileNotFoundError:
                    continue
                if not is_older:
                    continue
                if entry.name.startswith("."):
                    Path(entry.path).unlink(missing_ok=True)
                elif len(entry.name) == 62:
                    yield folder.name + entry.name


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
        try:
            self._client().delete_object(Bucket=self._bucket, Key=self._prefix + sha256)
        except Exception as error:
            raise StoreAway(type(error).__name__) from error

    def list_older(self, than: datetime) -> Iterator[str]:
        try:
            for page in self._client().get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix):
                for found in page.get("Contents", ()):
                    name = found["Key"].removeprefix(self._prefix)
                    if len(name) == 64 and found["LastModified"] < than:
                        yield name
        except Exception as error:
            raise StoreAway(type(error).__name__) from error
