"""Backup and restore: one .tar with the database's rows, the blobs and the secret, from a running server.

Rows travel as JSON lines per table, read in one instant, so that a backup made on SQLite can be restored on PostgreSQL
and the other way round: that is also how a county moves from one to the other.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import orjson
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from sqlalchemy import Engine, Integer, LargeBinary, func, insert, select, text
from sqlalchemy.orm import Session

from server import problems
from server.access.secret_key import read_secret_key
from server.model import BlobRow, EntitySum, Project, Table
from server.model.revision import HEAD, prepare_schema
from server.model.schema import Instant
from server.problems import Problem
from server.settings import Settings
from server.storage import Storage, open_storage
from server.transactions import open_engine, transaction

_ROWS = 500


def sealed_backup(settings: Settings, engine: Engine, passphrase: str) -> Iterator[bytes]:
    """A backup's bytes, encrypted on their way out: `openssl enc -d -aes-256-ctr -pbkdf2 -in FILE -out backup.tar` opens them.

    The plain file lives in the data directory, readable by this program alone, for as long as it is sent.
    """
    with tempfile.TemporaryDirectory(prefix="backup-", dir=settings.data) as folder:
        path = Path(folder) / "backup.tar"
        write_backup(settings, engine, path)
        salt = os.urandom(8)
        # OpenSSL's defaults for -pbkdf2: SHA-256, 10,000 rounds, key and counter in one.
        derived = hashlib.pbkdf2_hmac("sha256", passphrase.encode("utf-8", "surrogatepass"), salt, 10_000, 48)
        encryptor = Cipher(AES(derived[:32]), CTR(derived[32:])).encryptor()
        yield b"Salted__" + salt
        with path.open("rb") as file:
            while chunk := file.read(256 * 1024):
                yield encryptor.update(chunk)
        yield encryptor.finalize()


# Triggers make these rows anew from the others'.
_DERIVED = {EntitySum.__tablename__}


def write_backup(settings: Settings, engine: Engine, path: Path, *, progress: Callable[[int], None] = lambda _n: None) -> int:
    """`path` is a .tar of one instant's rows, every blob that they name, and the secret; how many files it has.

    The file appears under its name only when it is whole.
    """
    storage = open_storage(settings.blob_storage, settings.s3_endpoint, engine)
    partial, count = path.with_name(path.name + ".partial"), 0
    with transaction(engine) as session, tarfile.open(partial, "w") as archive:
        _add(archive, "minqing.json", orjson.dumps({"revision": HEAD, "secret": read_secret_key(settings), "at": datetime.now(UTC)}))
        for table in (table for table in Table.metadata.sorted_tables if table.name not in _DERIVED):
            with tempfile.TemporaryFile() as rows:
                for row in session.connection().execute(select(table), execution_options={"yield_per": _ROWS}).mappings():
                    # SQLAlchemy has a kind of str of its own for some.
                    rows.write(orjson.dumps({str(name): _written(value) for name, value in row.items()}) + b"\n")
                _add_stream(archive, f"rows/{table.name}.jsonl", rows)
            count += 1
            progress(count)
        kept = select(BlobRow.sha256).where(BlobRow.swept_at.is_(None)).order_by(BlobRow.sha256)
        for sha256 in session.execute(kept, execution_options={"yield_per": _ROWS}).scalars():
            with tempfile.TemporaryFile() as content:
                if _copy_blob(engine, storage, sha256, content):
                    _add_stream(archive, f"blobs/{sha256}", content)
            count += 1
            progress(count)
    partial.chmod(0o600)
    partial.replace(path)
    return count


def _copy_blob(engine: Engine, storage: Storage, sha256: str, target: IO[bytes]) -> bool:
    """Whether the bytes are there; they may be gone only where the blob was swept since the backup began. Raises: not_found, busy."""
    try:
        for chunk in storage.open(sha256):
            target.write(chunk)
    except Problem:
        with transaction(engine) as session:
            if session.scalar(select(BlobRow.sha256).where(BlobRow.sha256 == sha256, BlobRow.swept_at.is_(None))) is not None:
                raise
        return False
    return True


def _written(value: Any) -> Any:
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes | memoryview) else value


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o600
    archive.addfile(entry, io.BytesIO(content))


def _add_stream(archive: tarfile.TarFile, name: str, stream: Any) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = stream.tell(), 0o600
    stream.seek(0)
    archive.addfile(entry, stream)


def read_backup(settings: Settings, path: Path) -> int:
    """The empty database and store have everything that the backup has; how many files were read.

    Raises: not_empty, backup_unreadable (cut off, a blob that is not what its name says), schema_is_newer.
    """
    Path(settings.data).mkdir(parents=True, exist_ok=True)
    engine = open_engine(settings.server_database, pool_size=2)
    prepare_schema(engine)
    storage = open_storage(settings.blob_storage, settings.s3_endpoint, engine)
    count = 0
    try:
        with transaction(engine, write=True) as session, tarfile.open(path) as archive:
            if session.scalar(select(func.count()).select_from(Project)):
                raise problems.not_empty()
            for entry in archive:
                stream = archive.extractfile(entry)
                if stream is None:
                    continue
                if entry.name == "minqing.json":
                    _keep_secret(settings, orjson.loads(stream.read()))
                elif entry.name.startswith("rows/"):
                    _insert_rows(session, entry.name, stream)
                elif entry.name.startswith("blobs/"):
                    content = stream.read()
                    if hashlib.sha256(content).hexdigest() != entry.name.removeprefix("blobs/"):
                        raise problems.backup_unreadable(entry.name)
                    storage.keep_bytes(content)
                count += 1
            _restart_numbering(session)
    except (tarfile.TarError, orjson.JSONDecodeError, EOFError) as error:
        raise problems.backup_unreadable(type(error).__name__) from error
    return count


def _keep_secret(settings: Settings, told: dict[str, Any]) -> None:
    if told["revision"] != HEAD:
        raise problems.backup_unreadable(f"revision {told['revision']}")
    if not settings.secret_key:
        secret = Path(settings.data) / "secret.key"
        secret.touch(mode=0o600)
        secret.write_text(told["secret"], encoding="ascii")


def _insert_rows(session: Session, name: str, stream: Any) -> None:
    if Path(name).stem in _DERIVED:
        return
    table = Table.metadata.tables[Path(name).stem]
    binary = {column.name for column in table.columns if isinstance(column.type, LargeBinary)}
    instants = {column.name for column in table.columns if isinstance(column.type, Instant)}
    for rows in _batches(stream):
        for row in rows:
            for column in binary & row.keys():
                row[column] = None if row[column] is None else base64.b64decode(row[column]["base64"])
            for column in instants & row.keys():
                row[column] = None if row[column] is None else datetime.fromisoformat(row[column])
        session.connection().execute(insert(table), rows)


def _batches(stream: Any) -> Iterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    for line in stream:
        rows.append(orjson.loads(line))
        if len(rows) >= _ROWS:
            yield rows
            rows = []
    if rows:
        yield rows


def _restart_numbering(session: Session) -> None:
    """PostgreSQL's sequences go on after the highest restored key."""
    if session.get_bind().dialect.name != "postgresql":
        return
    for table in Table.metadata.sorted_tables:
        key = table.columns.get("id")
        if key is not None and key.primary_key and len(table.primary_key) == 1 and isinstance(key.type, Integer):
            session.execute(text(f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), coalesce(max(id), 0) + 1, false) FROM {table.name}"))
