"""Both databases for every test: a PostgreSQL cluster of our own by `initdb`, and prepared SQLite files."""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from functools import cache
from pathlib import Path

import psycopg

from server.model.revision import prepare_schema
from server.transactions import open_engine

KINDS = ("sqlite", "postgresql")


def _program(name: str) -> str:
    found = shutil.which(name) or next((str(p) for p in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)), None)
    if found is None:
        raise RuntimeError(f"{name} is missing: run scripts/install-test-needs")
    return found


class Cluster:
    """A PostgreSQL server of this process's own. PostgreSQL refuses to run as root, so root hands it to `postgres` or `nobody`."""

    def __init__(self, *, durable: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="minqing-postgres-"))
        self._user = next(name for name in ("postgres", "nobody") if _exists(name)) if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(self.folder, self._user)
        self.data = self.folder / "data"
        self._run("initdb", "-D", str(self.data), "-U", "minqing", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        options = f"port={self.port}\nlisten_addresses='127.0.0.1'\nunix_socket_directories='{self.folder}'\nmax_connections=200\n"
        if not durable:
            options += "fsync=off\nsynchronous_commit=off\nfull_page_writes=off\n"
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(options)
        self.start()
        atexit.register(self.remove)

    def _run(self, program: str, *arguments: str) -> None:
        command = [_program(program), *arguments]
        if self._user:
            command = ["setpriv", f"--reuid={self._user}", f"--regid={pwd.getpwnam(self._user).pw_gid}", "--clear-groups", *command]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder)

    def start(self) -> None:
        """The server answers."""
        self._run("pg_ctl", "-D", str(self.data), "-w", "-l", str(self.folder / "log"), "start")

    def stop(self, mode: str = "fast") -> None:
        """The server is gone; `immediate` is as a crash."""
        self._run("pg_ctl", "-D", str(self.data), "-w", "-m", mode, "stop")

    def start_again(self) -> None:
        """The server answers again after a crash; its old children may take a moment to notice that it is gone."""
        for _try in range(60):
            try:
                self.start()
            except subprocess.CalledProcessError:
                time.sleep(0.5)
            else:
                return
        raise TimeoutError((self.folder / "log").read_text()[-2000:])

    @property
    def postmaster(self) -> int:
        """The server's process."""
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def remove(self) -> None:
        """Nothing of it is left a moment later.

        By a process of its own: it has some gigabytes of databases by then, and a test process that takes seconds to end is killed.
        """
        server = self.postmaster if (self.data / "postmaster.pid").exists() else None
        ended = f"kill -QUIT {server}; for _ in $(seq 100); do kill -0 {server} || break; sleep 0.1; done; " if server else ""
        command = ["sh", "-c", f'{ended}rm -rf -- "$0"', str(self.folder)]
        subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def url(self, database: str) -> str:
        return f"postgresql://minqing@127.0.0.1:{self.port}/{database}"

    def create(self, template: str | None = None) -> str:
        """The address of a new database."""
        name = f"t{uuid.uuid4().hex}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            # Copying files is quicker than writing each page to the log too; PostgreSQL before 15 knows no other way.
            strategy = " STRATEGY FILE_COPY" if connection.info.server_version >= 150000 else ""
            connection.execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else "") + strategy)
        return self.url(name)


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


@cache
def postgres_cluster() -> Cluster:
    """This process's cluster, started at first use."""
    return Cluster()


@cache
def _postgres_template() -> str:
    url = postgres_cluster().create()
    _prepare(url)
    return url.rpartition("/")[2]


@cache
def _sqlite_template() -> Path:
    path = Path(tempfile.mkdtemp(prefix="minqing-sqlite-")) / "template.sqlite"
    atexit.register(shutil.rmtree, path.parent, ignore_errors=True)
    _prepare(f"sqlite:///{path}")
    return path


def _prepare(url: str) -> None:
    engine = open_engine(url)
    prepare_schema(engine)
    engine.dispose()


def fresh_database(kind: str, folder: Path) -> str:
    """Address of a new database with the form server's schema."""
    if kind == "postgresql":
        return postgres_cluster().create(_postgres_template())
    path = folder / f"{uuid.uuid4().hex}.sqlite"
    shutil.copy(_sqlite_template(), path)
    return f"sqlite:///{path}"


def empty_database(kind: str, folder: Path) -> str:
    """Address of a new, empty database."""
    return postgres_cluster().create() if kind == "postgresql" else f"sqlite:///{folder / uuid.uuid4().hex}.sqlite"
