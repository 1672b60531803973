"""An officer's thumbs: forms filled in by JavaRosa, the engine inside ODK Collect, without a phone.

`FillForm.java` beside this file is compiled once into `.tools/` and runs as one process per test worker.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import tempfile
from base64 import b64decode, b64encode
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import Self

_SOURCE = Path(__file__).parent / "javarosa" / "FillForm.java"
_CACHE = Path(__file__).parents[2] / ".tools" / "javarosa"


class Refused(Exception):
    """The phone would not finish the form: `reason` is required or constraint, at `path`, with the form's `message`."""

    def __init__(self, reason: str, path: str, message: str) -> None:
        super().__init__(f"{reason} at {path}: {message}")
        self.reason, self.path, self.message = reason, path, message


class JavaRosa:
    """The running engine. `close` it, or use it as a context."""

    def __init__(self) -> None:
        jar = str(files("pyxform.validators.odk_validate") / "bin" / "ODK_Validate.jar")
        classes = _compiled(jar)
        self._folder = Path(tempfile.mkdtemp(prefix="javarosa-"))
        self._keys = count(1)
        # Serial collector and the first compiler only: starting takes a third of a second instead of one.
        command = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8",
                   "-Duser.timezone=Asia/Shanghai", "-cp", f"{classes}:{jar}", "FillForm"]  # fmt: skip
        with (self._folder / "stderr").open("wb") as errors:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)

    def open(self, xform: bytes, media: dict[str, bytes] | None = None) -> OpenForm:
        """A new, empty instance of the form. `media`: file name -> bytes, as the manifest lists them."""
        key = str(next(self._keys))
        folder = self._folder / key
        folder.mkdir()
        for name, content in (media or {}).items():
            (folder / name).write_bytes(content)
        (folder / "form.xml").write_bytes(xform)
        milliseconds = int(self.ask("open", key, str(folder / "form.xml"), str(folder))[1])
        return OpenForm(self, key, milliseconds)

    def ask(self, command: str, *words: str) -> list[str]:
        """The answer's words. Raises RuntimeError with JavaRosa's own sentence."""
        encoded = [b64encode(word.encode()).decode() for word in words]
        self._process.stdin.write(("\t".join([command, *encoded]) + "\n").encode())
        self._process.stdin.flush()
        status, *said = self._process.stdout.readline().decode().rstrip("\n").split("\t")
        answer = [status, *(b64decode(word).decode() for word in said)]
        if status in {"", "failed"}:
            raise RuntimeError(answer[1] if len(answer) > 1 else (self._folder / "stderr").read_text()[-2000:])
        return answer

    def close(self) -> None:
        """Ends the process and removes what it was given."""
        self._process.stdin.close()
        self._process.wait(timeout=10)
        self._process.stdout.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class OpenForm:
    """A form on the screen. Paths are names below the root, "members[2]/name"; [1] where nothing is said. `milliseconds`: what opening it took."""

    def __init__(self, engine: JavaRosa, key: str, milliseconds: int) -> None:
        self._engine, self._key, self.milliseconds = engine, key, milliseconds
        self.message = ""

    def answer(self, path: str, value: str) -> str:
        """ok | constraint | required | irrelevant | readonly | no_choice | invalid; `message` is then the form's."""
        status, self.message = self._engine.ask("answer", self._key, path, value)
        return status

    def fill(self, answers: dict[str, str]) -> None:
        """Each answer taken, in order. Raises AssertionError at the first that is not."""
        for path, value in answers.items():
            status = self.answer(path, value)
            assert status == "ok", f"{path} = {value!r}: {status} {self.message}"

    def refuses(self, path: str, value: str, said: str) -> None:
        """The answer breaks a constraint, and the form's message holds `said`."""
        status = self.answer(path, value)
        assert (status, said in self.message) == ("constraint", True), f"{path} = {value!r}: {status} {self.message}"

    def value(self, path: str) -> str:
        """What stands there, '' for nothing; attributes as "meta/entity/@id"."""
        return self._engine.ask("value", self._key, path)[1]

    def relevant(self, path: str) -> bool:
        """Whether it would be shown and sent."""
        return self._engine.ask("relevant", self._key, path)[0] == "true"

    def choices(self, path: str) -> list[str]:
        """The values on offer now, in order."""
        return self._engine.ask("choices", self._key, path)[1:]

    def add_repeat(self, path: str) -> str:
        """ok, or irrelevant where no more may be added."""
        return self._engine.ask("repeat", self._key, path)[0]

    def finalise(self) -> bytes:
        """The instance's XML as Collect would send it. Raises Refused at the first question that hinders it."""
        status, *said = self._engine.ask("finalise", self._key)
        if status != "ok":
            raise Refused(status, *said)
        return said[0].encode()


def _compiled(jar: str) -> Path:
    digest = hashlib.sha256(_SOURCE.read_bytes() + Path(jar).read_bytes()).hexdigest()[:16]
    folder = _CACHE / digest
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / "lock").open("w") as lock:
        # Test workers start together; the first compiles, the others wait.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "FillForm.class").exists():
            folder.mkdir(exist_ok=True)
            subprocess.run(["javac", "-nowarn", "-Xlint:-deprecation", "-encoding", "UTF-8", "-cp", jar, "-d", str(folder), str(_SOURCE)], check=True)
    return folder
