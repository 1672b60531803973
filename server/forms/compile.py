"""XLSForm -> XForm, in child processes that are killed when they take too long or too much."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from server import problems
from server.forms.compile_messages import explain, explain_validation
from server.forms.sensitive import check_sensitive
from server.forms.workbook import check_workbook

_PACKAGES = Path(__file__).resolve().parents[2]
_MOST_ANSWERED = 60_000_000
# A hostile form may take 1.5 GB before it is stopped: few at once.
_AT_ONCE = threading.BoundedSemaphore(2)


@dataclass(frozen=True, slots=True)
class FormWarning:
    """Something that compiles and may still be wrong. `sheet` and `row` are None where the whole form is meant."""

    sheet: str | None
    row: int | None
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class CompiledForm:
    """The XForm as it is served, what to warn of, and itemsets.csv where the form has external choices."""

    xform: bytes
    warnings: tuple[FormWarning, ...]
    itemsets: bytes | None


def compile_xlsform(
    content: bytes,
    *,
    file_name: str = "form.xlsx",
    form_id_fallback: str | None = None,
    seconds: float = 60,
    validate: bool = True,
) -> CompiledForm:
    """The XForm of an .xlsx file. A form without form_id takes `form_id_fallback`, else the file's name.

    Raises: too_large, form_invalid (with sheet, row and reason; also when `seconds` are over).
    """
    check_workbook(content, file_name)
    until = time.monotonic() + seconds
    form_id = form_id_fallback or Path(file_name).stem or "form"
    command = [sys.executable, "-m", "server.forms.compile_worker", form_id, str(max(1, round(seconds)))]
    with _AT_ONCE:
        code, said, _ = _run(command, content, until)
    try:
        answer: dict[str, Any] = json.loads(said)
    except ValueError:
        # Killed by its memory or CPU limit before it could answer.
        raise _too_costly(f"exit {code}") from None
    if "error" in answer:
        raise problems.form_invalid([explain(answer["error"], answer["rows"])])
    xform = answer["xform"].encode()
    check_sensitive(xform, answer["rows"])
    warnings = [FormWarning(**explain(warning, answer["rows"])) for warning in answer["warnings"]]
    if validate:
        warnings.extend(_validate(xform, answer["rows"], until))
    itemsets = answer["itemsets"]
    return CompiledForm(xform, tuple(warnings), itemsets.encode() if itemsets is not None else None)


def _validate(xform: bytes, rows: dict[str, int], until: float) -> list[FormWarning]:
    """What ODK Validate warns of. Raises: form_invalid."""
    java = shutil.which("java")
    if java is None:
        return [
            FormWarning(
                None,
                None,
                "服务器上没有 Java，未用 ODK Validate 检查公式。请先在手机上试填。",
                "There is no Java on this server, so ODK Validate did not check the formulas. Try the form on a phone first.",
            )
        ]
    jar = files("pyxform.validators.odk_validate") / "bin" / "ODK_Validate.jar"
    with tempfile.TemporaryDirectory(prefix="validate-") as folder:
        path = Path(folder) / "form.xml"
        path.write_bytes(xform)
        command = [java, "-Xmx256m", "-Djava.awt.headless=true", "-jar", str(jar), str(path)]
        code, _, complaint = _run(command, b"", until)
    if code == 0:
        return []
    raise problems.form_invalid(explain_validation(complaint.decode("utf-8", "replace"), rows))


def _run(command: list[str], given: bytes, until: float) -> tuple[int, bytes, bytes]:
    """Exit code, stdout, stderr of a child in a process group of its own. Raises: form_invalid when the time is over."""
    environment = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LANG", "JAVA_HOME") if name in os.environ}
    environment |= {"PYTHONPATH": str(_PACKAGES), "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"}
    child = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )
    try:
        said, complaint = child.communicate(given, timeout=max(0.1, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise _too_costly("time") from None
    finally:
        # Also after a normal end: nothing the child started may outlive it.
        _kill_group(child)
    if len(said) > _MOST_ANSWERED:
        raise _too_costly("size")
    return child.returncode, said, complaint


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
    finally:
        child.wait()
        for pipe in (child.stdin, child.stdout, child.stderr):
            if pipe is not None:
                pipe.close()


def _too_costly(why: str) -> problems.Problem:
    return problems.form_invalid(
        [
            {
                "sheet": None,
                "row": None,
                "zh": "表单过大或过于复杂，未能在限定的时间和内存内完成检查。请减少题目或选项，或把长的选项表改为 CSV 文件。",
                "en": f"The form is too large or complex to be checked in the time and memory allowed ({why}). "
                "Reduce its questions or choices, or move long choice lists to a CSV file.",
            }
        ]
    )
