"""`minqing backup`, `restore`, `purge` and `audit`."""

from __future__ import annotations

from pathlib import Path

import click

from server.cli.group import minqing, open_data
from server.settings import Settings


@minqing.command()
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Write database, blobs and secret into one .tar while the server runs."""
    from server.backup import write_backup

    with open_data() as (settings, engine):
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

    with open_data() as (_settings, engine):
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

    with open_data() as (_settings, engine), transaction(engine) as session:
        held, broken = verify_audit(session)
    if broken is not None:
        raise click.ClickException(f"第 {broken} 条审计记录被改动。/ Audit entry {broken} was changed.")
    click.echo(f"{held} 条审计记录完好 / audit entries hold")
