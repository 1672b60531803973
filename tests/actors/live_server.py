"""`minqing serve` as a user starts it: a process of its own, on a free port, killed or stopped as a test likes."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from benchmarks.running_server import process_family
from server.settings import Settings


class LiveServer:
    """A data directory and the server over it. `start` again after `kill` or `stop` finds everything as it was."""

    def __init__(self, folder: Path, *, database_url: str = "", central_url: str = "", command: tuple[str, ...] = ("-m", "server.cli", "serve"),
                 **environment: str) -> None:  # fmt: skip
        self.folder = folder
        self.settings = Settings(data=folder, database_url=database_url, central_url=central_url, storage=environment.get("MINQING_STORAGE", ""))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._command = [sys.executable, *command, "--port", str(self.port)]
        self._environment = {
            **os.environ, "MINQING_DATA": str(folder), "MINQING_DATABASE_URL": database_url, "MINQING_CENTRAL_URL": central_url,
            "MINQING_ADMIN_PASSWORD": "a password of the tests", "MINQING_PASSWORD_ROUNDS": "1", **environment,
        }  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None
        self.log = folder / "server.log"
        self.phone_path = ""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *arguments: str, seconds: float = 60) -> float:
        """Seconds until it answers; the first start also tells `phone_path`."""
        begun = time.monotonic()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([*self._command, *arguments], env=self._environment, stdout=log, stderr=log, start_new_session=True)
        while time.monotonic() - begun < seconds:
            if self._process.poll() is not None:
                raise RuntimeError(self.log.read_text()[-3000:])
            try:
                with urllib.request.urlopen(self.address + "/healthz", timeout=2):
                    break
            except OSError:
                time.sleep(0.03)
        else:
            raise TimeoutError(self.log.read_text()[-3000:])
        found = re.search(r"/v1/key/\S+", self.log.read_text())
        self.phone_path = found.group() if found else self.phone_path
        return time.monotonic() - begun

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL to the server and all its processes, as a power cut would end them."""
        assert self._process is not None
        for pid in process_family(self._process.pid):  # the parent first: it would start its children again
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        if self._process is None or self._process.poll() is not None:
            return 0
        self._process.terminate()
        return self._process.wait(30)

    def get(self, path: str) -> bytes:
        """The body of a GET; `path` may be an absolute address of this server."""
        with urllib.request.urlopen(path if path.startswith("http") else self.address + path, timeout=30) as answer:
            return answer.read()  # type: ignore[no-any-return]

    def send(self, xml: bytes, files: dict[str, bytes] | None = None, *, path: str | None = None) -> tuple[int, bytes]:
        """POST a submission as a phone does; status and body."""
        body, content_type = multipart(xml, files or {})
        request = urllib.request.Request(
            f"{self.address}{path or self.phone_path + '/submission'}?deviceID=collect:live", data=body,
            headers={"Content-Type": content_type, "X-OpenRosa-Version": "1.0", "Accept-Language": "zh-CN"},
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


BOUNDARY = "----minqing-test-boundary"


def multipart(xml: bytes, files: dict[str, bytes]) -> tuple[bytes, str]:
    """Body and content type of a submission."""
    parts = [("xml_submission_file", "submission.xml", "text/xml", xml), *((n, n, "image/jpeg", c) for n, c in files.items())]
    body = b"".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="{file}"\r\nContent-Type: {kind}\r\n\r\n'.encode() + content + b"\r\n"
        for name, file, kind, content in parts
    )
    return body + f"--{BOUNDARY}--\r\n".encode(), f"multipart/form-data; boundary={BOUNDARY}"
