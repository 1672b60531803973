"""A file of rows is read in a child process with bounded memory, time and disk; what it holds is kept as blobs."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import orjson
from isal import isal_zlib

from server import problems
from server.column_letters import column_letter
from server.problems import Problem
from server.storage import Blob, Storage
from server.xlsx_archive import archive_fault

MOST_BYTES = 50_000_000
_SECONDS = 90
_MOST_UNPACKED = 600_000_000
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_PACKAGES = Path(__file__).resolve().parents[3]
_NOT_A_NAME = re.compile("[\x00-\x1f\x7f\ud800-\udfff/\\\\]")
# A hostile file may take 1.2 GB before it is stopped: few at once.
_AT_ONCE = threading.BoundedSemaphore(2)


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file whose bytes and rows are durable. `columns`: header texts; `samples`: the first rows as [number, cells]."""

    name: str
    blob: Blob
    rows: Blob
    sheets: list[str]
    sheet: str
    columns: list[str]
    header_row: int
    count: int
    samples: list[Any]


def read_register(storage: Storage, path: Path, file_name: str, *, sheet: str = "") -> ReadFile:
    """The file at `path` is kept, with its rows. Raises: too_large, import_unreadable."""
    kind = _kind_of(path, file_name)
    with tempfile.TemporaryDirectory(prefix="import-") as folder:
        target = Path(folder) / "rows"
        with _AT_ONCE:
            answer = _run_child(path, kind, target, sheet)
        if "error" in answer:
            raise _refusal(answer["error"], answer["detail"])
        blob, rows = _keep(storage, path), _keep(storage, target)
    name = _NOT_A_NAME.sub("_", Path(file_name).name)[:255] or "rows"
    return ReadFile(
        name, blob, rows, answer["sheets"], answer["sheet"], _column_names(answer["header"], answer["samples"]), answer["header_row"], answer["rows"],
        answer["samples"],
    )  # fmt: skip


def _column_names(header: list[str], samples: list[Any]) -> list[str]:
    width = max([len(header), *(len(cells) for _number, cells in samples)])
    padded = [*header, *[""] * (width - len(header))]
    return [name.strip()[:255] or column_letter(index + 1) for index, name in enumerate(padded)]


def _kind_of(path: Path, file_name: str) -> str:
    """Raises: too_large, import_unreadable."""
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise problems.too_large(MOST_BYTES)
    with path.open("rb") as file:
        head = file.read(4)
    if head.startswith(_OLD_EXCEL) or file_name.lower().endswith(".xls"):
        raise _refusal("old", None)
    if not head:
        raise _refusal("empty", None)
    if head.startswith(b"PK"):
        _check_archive(path)
        return "xlsx"
    if file_name.lower().endswith(".xlsx"):
        raise _refusal("damaged", None)
    return "csv"


def _check_archive(path: Path) -> None:
    fault = archive_fault(path, most_unpacked=_MOST_UNPACKED)
    if fault is not None:
        raise _refusal(fault, None)


def _run_child(path: Path, kind: str, target: Path, sheet: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "server.entities.imports.read_worker", str(path), kind, str(target), sheet.replace("\0", ""), str(_SECONDS)]
    environment = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LANG") if name in os.environ}
    environment |= {"PYTHONPATH": str(_PACKAGES), "PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, start_new_session=True)
    try:
        said, _ = child.communicate(timeout=_SECONDS * 1.5)
        return json.loads(said)  # type: ignore[no-any-return]
    except (subprocess.TimeoutExpired, ValueError):
        # Killed by its memory or CPU limit before it could answer.
        return {"error": "costly", "detail": None}
    finally:
        _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    if child.stdout is not None:
        child.stdout.close()


def _keep(storage: Storage, path: Path) -> Blob:
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1024 * 1024):
            sha256.update(chunk)
            md5.update(chunk)
        file.seek(0)
        return storage.keep(file, sha256=sha256.hexdigest(), md5=md5.hexdigest(), size_bytes=path.stat().st_size)


def keep_lines(storage: Storage, path: Path) -> Blob:
    """A file of gzipped JSON lines is durable."""
    return _keep(storage, path)


def read_lines(storage: Storage, sha256: str, *, skip: int = 0) -> Iterator[Any]:
    """The JSON lines of a blob, from line `skip` on. Raises: not_found, busy."""
    unpacker, left = isal_zlib.decompressobj(31), b""
    for chunk in storage.open(sha256):
        *lines, left = (left + unpacker.decompress(chunk)).split(b"\n")
        if skip >= len(lines):
            skip -= len(lines)
            continue
        for line in lines[skip:]:
            yield orjson.loads(line)
        skip = 0


class LineWriter:
    """JSON lines into a gzipped file; use as a context."""

    def __init__(self, path: Path) -> None:
        self._file, self._packer, self._pieces = path.open("wb"), isal_zlib.compressobj(1, zlib.DEFLATED, 31), list[bytes]()

    def __enter__(self) -> Self:
        return self

    def write(self, value: Any) -> None:
        """One more line."""
        self._pieces.append(orjson.dumps(value))
        if len(self._pieces) >= 2000:
            self._flush()

    def _flush(self) -> None:
        if self._pieces:
            self._file.write(self._packer.compress(b"\n".join(self._pieces) + b"\n"))
            self._pieces = []

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._file.write(self._packer.flush())
        self._file.close()


_REFUSALS = {
    "old": ("这是旧格式（.xls）或加密的文件。请在 WPS 或 Excel 中取消密码，另存为 .xlsx 或 CSV 后再上传。",
            "This is an old .xls file, or one with a password. Save it as .xlsx or CSV without a password, then upload it."),
    "damaged": ("文件无法读取，可能已损坏，或不是 .xlsx 或 CSV。请在 WPS 或 Excel 中打开并重新保存。",
                "The file cannot be read; it may be damaged, or be neither .xlsx nor CSV. Open it and save it again."),
    "size": ("文件展开后过大。请分成几个文件上传。", "The file unpacks to far too much. Split it into several files."),
    "costly": ("文件过大或过于复杂，未能在限定的时间和内存内读完。请只保留需要的列，或分成几个文件。",
               "The file could not be read within the time and memory allowed. Keep only the columns needed, or split it."),
    "empty": ("文件中没有数据。请检查是否选对了文件和工作表。", "There are no rows in the file. Check that it is the right file and sheet."),
    "encoding": ("无法识别文件的文字编码。请另存为 UTF-8 或 GB18030 编码的 CSV，或 .xlsx。",
                 "The file's text encoding is not known. Save it as CSV in UTF-8 or GB18030, or as .xlsx."),
}  # fmt: skip


def _refusal(code: str, detail: Any) -> Problem:
    if code == "rows":
        return problems.import_unreadable(f"超过 {detail} 行。请分成几个文件上传。", f"There are more than {detail} rows. Split the file.")
    if code == "columns":
        return problems.import_unreadable(
            f"第 {detail} 行超过 200 列。请只保留需要的列。", f"Row {detail} has more than 200 columns. Keep only those needed."
        )
    if code == "sheet":
        names = "、".join(detail[:20])
        return problems.import_unreadable(f"没有这个工作表。文件中有：{names}。", f"There is no such sheet. The file has: {names}.")
    if code == "csv":
        row, reason = detail
        return problems.import_unreadable(
            f"CSV 第 {row} 行附近的引号或格式有误。请在表格软件中打开并另存为 CSV 或 .xlsx。",
            f"The CSV is broken near row {row} ({reason}). Open it in a spreadsheet program and save it again.",
        )
    return problems.import_unreadable(*_REFUSALS[code])
