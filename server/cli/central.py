"""`minqing sync`."""

from __future__ import annotations

import time

import click

from server.cli.group import minqing, open_data


@minqing.group()
def sync() -> None:
    """The central database."""


@sync.command("run")
@click.option("--once", is_flag=True, help="End when everything is applied.")
def sync_run(once: bool) -> None:
    """Bring the central database up to date, and keep it so."""
    from server.transactions import open_engine
    from sync.replicate import replicate_changes

    with open_data() as (settings, engine):
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

    with open_data() as (settings, engine):
        behind = lag(engine, open_engine(settings.central_database, pool_size=1))
    click.echo(f"落后 behind: {behind.rows} 行 rows, {behind.seconds:.1f} 秒 seconds")


@sync.command("rebuild")
@click.confirmation_option(prompt="重建中央数据库的全部表？/ Make all tables of the central database again?")
def sync_rebuild() -> None:
    """Make the whole central database again from the log."""
    from server.transactions import open_engine
    from sync.replicate import rebuild

    with open_data() as (settings, engine):
        rebuild(engine, open_engine(settings.central_database, pool_size=2), progress=lambda n: click.echo(f"\r{n}", nl=False, err=True))
    click.echo("完成 / done")
