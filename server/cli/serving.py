"""`minqing serve`."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import click

from server.cli.group import minqing
from server.settings import Settings

# What each web process runs: a factory without arguments.
GATEWAY = "server.serving:gateway"
_MOST_DEFAULT_WORKERS = 4
_DEMO_HOUSEHOLDS = 90


@minqing.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8080, show_default=True)
@click.option("--workers", default=None, type=click.IntRange(1, 64), help="Web processes (default: one per core, at most 4).")
@click.option("--data", type=click.Path(path_type=Path), help="Data directory (default ./data).")
@click.option("--no-forms", is_flag=True, help="First start without the forms of xlsforms/.")
@click.option("--demo", is_flag=True, help="A small synthetic county to look around in, made once.")
@click.option("--no-jobs", is_flag=True, help="No background work in this process group.")
@click.option("--certificate", type=click.Path(exists=True, path_type=Path), help="TLS certificate (PEM); with --key.")
@click.option("--key", type=click.Path(exists=True, path_type=Path), help="TLS key (PEM).")
def serve(
    host: str, port: int, workers: int | None, data: Path | None, no_forms: bool, demo: bool, no_jobs: bool, certificate: Path | None, key: Path | None
) -> None:
    """Start the server; the first start prepares everything. SIGTERM or Ctrl-C ends it cleanly."""
    from server.first_start import start

    if data is not None:
        os.environ["MINQING_DATA"] = str(data)
    settings = Settings.from_environment()
    first = start(settings, with_forms=not no_forms)
    if demo:
        _make_demo(settings)
    _greet(settings, first, f"{'https' if certificate else 'http'}://{host}:{port}")
    if workers is None:
        workers = min(os.cpu_count() or 1, _MOST_DEFAULT_WORKERS)
    jobs = None if no_jobs else _JobsProcess()
    if jobs:
        jobs.start()
    try:
        _serve_web(host, port, workers, certificate, key)
    finally:
        if jobs:
            jobs.stop()


def _make_demo(settings: Settings) -> None:
    from server.access.sealed import open_server_database
    from server.cli.demo import fill_with_county
    from server.demo.making import is_made

    engine = open_server_database(settings, pool_size=2)
    try:
        if not is_made(engine):
            fill_with_county(settings, engine, households=_DEMO_HOUSEHOLDS, quarters=2, seed=1)
    finally:
        engine.dispose()


def _serve_web(host: str, port: int, workers: int, certificate: Path | None, key: Path | None) -> None:
    # Imported here once: the web processes are forks of this one, and on two cores each would wait for the others' imports.
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces, Loops
    from granian.http import HTTP1Settings

    import server.serving  # noqa: F401

    Granian(
        GATEWAY, factory=True, address=host, port=port, interface=Interfaces.ASGI, workers=workers, loop=Loops.uvloop,
        http=HTTPModes.http1, backlog=2048, backpressure=4096, websockets=False, log_access=False, respawn_failed_workers=True,
        workers_kill_timeout=20, ssl_cert=certificate, ssl_key=key,
        http1_settings=HTTP1Settings(header_read_timeout=60_000, keep_alive=True),
    ).serve()  # fmt: skip


class _JobsProcess:
    """The jobs, in a process of their own, started again if it dies."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _keep(self) -> None:
        while not self._stopping.is_set():
            self._process = subprocess.Popen([sys.executable, "-m", "server.jobs"], start_new_session=True)
            self._process.wait()
            self._stopping.wait(1)

    def stop(self) -> None:
        self._stopping.set()
        if self._process and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()


def _greet(settings: Settings, first: Any, address: str) -> None:
    from server.access.phones import phone_settings, qr_text

    click.echo(f"民情 minqing  {settings.base_url or address}")
    if first.new_password:
        click.echo(f"管理员 administrator: {first.admin_email}  密码 password: {first.new_password}")
    if first.phone and first.phone.token:
        import segno

        told = phone_settings(settings.base_url or address, first.phone, project_name="海晏县民政")
        click.echo(f"手机扫码 phone's QR code ({first.phone.name}): {told['general']['server_url'] if first.new_password else ''}")
        segno.make(qr_text(told), error="l").terminal(compact=True)
    sys.stdout.flush()
