"""A `minqing serve` of its own for a benchmark: a prepared project with one form, a phone, and the processes' CPU time."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from server.access.actor import system_actor
from server.access.phones import create_phone
from server.access.sealed import open_server_database
from server.access.secret_key import read_secret_key
from server.access.secrets import Secrets
from server.forms.drafts import save_draft
from server.forms.fields import read_form_definition
from server.forms.publish import publish_draft
from server.model import Project
from server.model.revision import prepare_schema
from server.settings import Settings
from server.transactions import transaction


@dataclass(frozen=True, slots=True)
class RunningServer:
    """Where it listens, the phone's path below it, and its processes."""

    port: int
    phone_path: str
    pid: int
    settings: Settings

    def processes(self) -> list[int]:
        """The server's process and all below it."""
        return process_family(self.pid)

    def cpu_seconds(self) -> float:
        """User and system time of all its processes so far."""
        return sum(process_cpu_seconds(pid) for pid in self.processes())

    def memory_mb(self) -> dict[int, float]:
        """Resident megabytes by process."""
        pages = os.sysconf("SC_PAGE_SIZE") / 1e6
        return {pid: int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * pages for pid in self.processes()}


def process_family(pid: int) -> list[int]:
    """A process and all below it, itself first."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int(entry.joinpath("stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


def process_cpu_seconds(pid: int) -> float:
    """User and system seconds of one process; 0 once it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def prepare(settings: Settings, xforms: list[bytes]) -> str:
    """Schema, project 1 with these forms published, one phone; its path below the server's address."""
    settings.data.mkdir(parents=True, exist_ok=True)
    engine = open_server_database(settings)
    prepare_schema(engine)
    actor = system_actor("benchmark")
    with transaction(engine, write=True) as session:
        session.add(Project(name="benchmark", created_at=datetime.now(UTC)))
        session.flush()
        for xform in xforms:
            publish_draft(session, actor, save_draft(session, actor, 1, xform=xform, definition=read_form_definition(xform)))
        phone = create_phone(session, actor, 1, name="phone", division="632223", secrets=Secrets(read_secret_key(settings)))
    engine.dispose()
    return f"/v1/key/{phone.token}/projects/1"


@contextmanager
def running_server(settings: Settings, xforms: list[bytes], *, workers: int | None = None) -> Iterator[RunningServer]:
    """The server up and answering; ended by SIGTERM when the block ends."""
    phone_path = prepare(settings, xforms)
    port = free_port()
    command = [sys.executable, "-m", "server.cli", "serve", "--port", str(port), "--no-forms"]
    environment = {
        **os.environ, "MINQING_DATA": str(settings.data), "MINQING_DATABASE_URL": settings.database_url, "MINQING_CENTRAL_URL": settings.central_url,
        "MINQING_STORAGE": settings.storage,
    }  # fmt: skip
    if workers:
        command += ["--workers", str(workers)]
    log = (settings.data / "server.log").open("w")
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        wait_until_ready(port)
        yield RunningServer(port, phone_path, process.pid, settings)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        log.close()


def wait_until_ready(port: int, *, seconds: float = 30) -> float:
    """Seconds until /healthz answers. Raises TimeoutError."""
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2):
                return time.monotonic() - start
        except OSError:
            time.sleep(0.02)
    raise TimeoutError(f"no answer on port {port}")
