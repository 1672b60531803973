"""`minqing`: click groups over domain functions. Exit codes: 0 done, 1 a problem (said in a sentence), 2 wrong use."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from server.problems import Problem
from server.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine


# What each web process runs: a factory without arguments.
GATEWAY = "server.serving:gateway"
_MOST_DEFAULT_WORKERS = 4


class _Group(click.Group):
    """Problems end as one sentence in Chinese and English, not as a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Problem as problem:
            click.echo(problem.zh, err=True)
            click.echo(problem.en, err=True)
            for error in problem.details.get("errors", []):
                where = f"[{error.get('sheet')} {error.get('row')}] " if error.get("row") else ""
                click.echo(f"  {where}{error['zh']} / {error['en']}", err=True)
            ctx.exit(1)


@click.group(cls=_Group)
@click.option("--data", type=click.Path(path_type=Path), help="Data directory (default ./data).")
def minqing(data: Path | None) -> None:
    """民情: a form server for field data, from XLSForm to phone to central database."""
    if data is not None:
        os.environ["MINQING_DATA"] = str(data)


@contextmanager
def _engine() -> Iterator[tuple[Settings, Engine]]:
    from server.model.revision import check_revision
    from server.transactions import open_engine, transaction

    settings = Settings.from_environment()
    if settings.server_database.startswith("sqlite:///") and not Path(settings.server_database.removeprefix("sqlite:///")).exists():
        raise click.ClickException("还没有数据。请先运行 minqing serve。/ No data yet: run minqing serve first.")
    engine = open_engine(settings.server_database, pool_size=2)
    try:
        with transaction(engine) as session:
            check_revision(session.connection())
        yield settings, engine
    finally:
        engine.dispose()


# -- serve


@minqing.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8080, show_default=True)
@click.option("--workers", default=None, type=click.IntRange(1, 64), help="Web processes (default: one per core, at most 4).")
@click.option("--data", type=click.Path(path_type=Path), help="Data directory (default ./data).")
@click.option("--no-forms", is_flag=True, help="First start without the forms of xlsforms/.")
@click.option("--no-jobs", is_flag=True, help="No background work in this process group.")
@click.option("--certificate", type=click.Path(exists=True, path_type=Path), help="TLS certificate (PEM); with --key.")
@click.option("--key", type=click.Path(exists=True, path_type=Path), help="TLS key (PEM).")
def serve(
    host: str, port: int, workers: int | None, data: Path | None, no_forms: bool, no_jobs: bool, certificate: Path | None, key: Path | None
) -> None:
    """Start the server; the first start prepares everything. SIGTERM or Ctrl-C ends it cleanly."""
    from server.first_start import start

    if data is not None:
        os.environ["MINQING_DATA"] = str(data)
    settings = Settings.from_environment()
    first = start(settings, with_forms=not no_forms)
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


def _serve_web(host: str, port: int, workers: int, certificate: Path | None, key: Path | None) -> None:
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces, Loops
    from granian.http import HTTP1Settings

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


# -- users and phones


@minqing.group()
def user() -> None:
    """Staff accounts."""


@user.command("create")
@click.argument("email")
@click.option("--name", default="", help="Name that others see.")
@click.option("--division", help="Bind to the divisions whose code begins so.")
@click.password_option()
def user_create(email: str, name: str, division: str | None, password: str) -> None:
    """Make an account; give it a role with `minqing user promote`."""
    from server.access.accounts import create_user
    from server.access.actor import system_actor
    from server.transactions import transaction

    with _engine() as (settings, engine), transaction(engine, write=True) as session:
        user_id = create_user(
            session, system_actor("command line"), email=email, password=password, name=name or email, division=division,
            password_rounds=settings.password_rounds,
        )  # fmt: skip
    click.echo(f"{user_id} {email}")


@user.command("promote")
@click.argument("email")
@click.option("--role", default="admin", show_default=True, help="admin, manager, viewer, county-reviewer, township-reviewer, auditor, ...")
@click.option("--project", type=int, help="In this project only.")
def user_promote(email: str, role: str, project: int | None) -> None:
    """Give an account a role, at the site or in a project."""
    from server.access.accounts import assign_role, get_user_id
    from server.access.actor import system_actor
    from server.transactions import transaction

    with _engine() as (_settings, engine), transaction(engine, write=True) as session:
        assign_role(session, system_actor("command line"), get_user_id(session, email), role, project_id=project)
    click.echo(f"{email}: {role}")


@user.command("set-password")
@click.argument("email")
@click.password_option()
def user_set_password(email: str, password: str) -> None:
    """Set an account's password and end its sessions."""
    from server.access.accounts import get_user_id, set_password
    from server.access.actor import system_actor
    from server.transactions import transaction

    with _engine() as (settings, engine), transaction(engine, write=True) as session:
        user_id = get_user_id(session, email)
        set_password(session, system_actor("command line"), user_id, password=password, password_rounds=settings.password_rounds)
    click.echo(email)


@minqing.group()
def phone() -> None:
    """Phones and their QR codes."""


@phone.command("create")
@click.argument("name")
@click.option("--project", default=1, show_default=True)
@click.option("--division", help="Bind to the divisions whose code begins so.")
@click.option("--address", default="http://127.0.0.1:8080", show_default=True, help="Address as the phone reaches the server.")
@click.option("--no-qr", is_flag=True, help="Print the address alone.")
def phone_create(name: str, project: int, division: str | None, address: str, no_qr: bool) -> None:
    """Make a phone and print its address and QR code."""
    import segno

    from server.access.actor import system_actor
    from server.access.phones import create_phone, phone_settings, qr_text
    from server.access.secret_key import read_secret_key
    from server.access.secrets import Secrets
    from server.transactions import transaction

    with _engine() as (settings, engine):
        with transaction(engine, write=True) as session:
            made = create_phone(
                session, system_actor("command line"), project, name=name, division=division, secrets=Secrets(read_secret_key(settings))
            )
        told = phone_settings(settings.base_url or address, made, project_name=name)
    click.echo(told["general"]["server_url"])
    click.echo(f"{made.username} {made.password}")
    if not no_qr:
        segno.make(qr_text(told), error="l").terminal(compact=True)


# -- forms


@minqing.group()
def forms() -> None:
    """XLSForms: compile, publish, read, compare."""


@forms.command("compile")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), help="Write the XForm here (default: check only).")
def forms_compile(file: Path, output: Path | None) -> None:
    """Check an .xlsx with pyxform and ODK Validate."""
    from server.forms.compile import compile_xlsform

    compiled = compile_xlsform(file.read_bytes(), file_name=file.name)
    for warning in compiled.warnings:
        click.echo(f"[{warning.sheet} {warning.row}] {warning.zh} / {warning.en}", err=True)
    if output:
        output.write_bytes(compiled.xform)
    click.echo(f"{file.name}: 通过 / passed")


@forms.command("publish")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--project", default=1, show_default=True)
@click.option("--media", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Folder with the form's media.")
def forms_publish(file: Path, project: int, media: Path | None) -> None:
    """Compile an .xlsx, upload its media and publish it."""
    from server.access.actor import system_actor
    from server.forms.compile import compile_xlsform
    from server.forms.drafts import put_attachment, save_draft
    from server.forms.fields import read_form_definition
    from server.forms.publish import publish_draft
    from server.storage import open_storage
    from server.transactions import transaction

    actor, content = system_actor("command line"), file.read_bytes()
    compiled = compile_xlsform(content, file_name=file.name)
    definition = read_form_definition(compiled.xform)
    with _engine() as (settings, engine):
        storage = open_storage(settings.blob_storage, settings.s3_endpoint, engine)
        kept = {path.name: storage.keep_bytes(path.read_bytes()) for path in media.iterdir()} if media else {}
        xlsx = storage.keep_bytes(content)
        with transaction(engine, write=True) as session:
            form = save_draft(session, actor, project, xform=compiled.xform, definition=definition, xlsx=xlsx)
            for name, _kind in definition.attachments:
                if name in kept:
                    put_attachment(session, actor, form, name, kept[name])
            version = publish_draft(session, actor, form)
            click.echo(f"{form.form_id} {version.version}")


@forms.command("text")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def forms_text(file: Path) -> None:
    """An .xlsx as Markdown tables, for reading and for git."""
    from server.forms.text import form_as_text

    click.echo(form_as_text(file.read_bytes()))


@forms.command("diff")
@click.argument("old", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("new", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def forms_diff(old: Path, new: Path) -> None:
    """What changed between two .xlsx, in plain words."""
    from server.forms.text import form_difference

    click.echo(form_difference(old.read_bytes(), new.read_bytes()))


# -- sync


@minqing.group()
def sync() -> None:
    """The central database."""


@sync.command("run")
@click.option("--once", is_flag=True, help="End when everything is applied.")
def sync_run(once: bool) -> None:
    """Bring the central database up to date, and keep it so."""
    from server.transactions import open_engine
    from sync.replicate import replicate_changes

    with _engine() as (settings, engine):
        target = open_engine(settings.central_database, pool_size=2)
        total = 0
        while True:
            applied = replicate_changes(engine, target)
            total += applied
            if applied:
                click.echo(f"\r{total}", nl=False, err=True)
            if once and not applied:
                break
            if not applied:
                time.sleep(1)
        click.echo(f"{total} 条变更已同步 / changes applied")


@sync.command("status")
def sync_status() -> None:
    """How far the central database is behind, in rows and seconds."""
    from server.transactions import open_engine
    from sync.replicate import lag

    with _engine() as (settings, engine):
        behind = lag(engine, open_engine(settings.central_database, pool_size=1))
    click.echo(f"落后 behind: {behind.rows} 行 rows, {behind.seconds:.1f} 秒 seconds")


@sync.command("rebuild")
@click.confirmation_option(prompt="重建中央数据库的全部表？/ Make all tables of the central database again?")
def sync_rebuild() -> None:
    """Make the whole central database again from the log."""
    from server.transactions import open_engine
    from sync.replicate import rebuild

    with _engine() as (settings, engine):
        rebuild(engine, open_engine(settings.central_database, pool_size=2), progress=lambda n: click.echo(f"\r{n}", nl=False, err=True))
    click.echo("完成 / done")


# -- backup, audit


@minqing.command()
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Write database, blobs and secret into one .tar while the server runs."""
    from server.backup import write_backup

    with _engine() as (settings, engine):
        count = write_backup(settings, engine, file, progress=lambda n: click.echo(f"\r{n}", nl=False, err=True))
    click.echo(f"{file}: {count} 个文件 / files")


@minqing.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def restore(file: Path) -> None:
    """Put a backup back into an empty data directory (and, if so set, an empty PostgreSQL database)."""
    from server.backup import read_backup

    count = read_backup(Settings.from_environment(), file)
    click.echo(f"{count} 个文件已恢复 / files restored")


@minqing.command()
@click.option("--now", is_flag=True, help="Also what was deleted less than 30 days ago.")
def purge(now: bool) -> None:
    """Erase for good the forms and submissions that were deleted over 30 days ago (serve does so each hour)."""
    from server.submissions.form_purge import empty_trash

    with _engine() as (_settings, engine):
        empty_trash(engine, everything=now)
    click.echo("回收站已清理 / trash emptied")


@minqing.group()
def audit() -> None:
    """The audit log."""


@audit.command("verify")
def audit_verify() -> None:
    """Whether every chained entry is as it was written; exit code 1 if one is not."""
    from server.access.audit import verify_audit
    from server.transactions import transaction

    with _engine() as (_settings, engine), transaction(engine) as session:
        held, broken = verify_audit(session)
    if broken is not None:
        raise click.ClickException(f"第 {broken} 条审计记录被改动。/ Audit entry {broken} was changed.")
    click.echo(f"{held} 条审计记录完好 / audit entries hold")


if __name__ == "__main__":
    minqing()
