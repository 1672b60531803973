"""The command itself, and what each of its groups needs. Exit codes: 0 done, 1 a problem (said in a sentence), 2 wrong use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from server.problems import Problem
from server.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine


class Group(click.Group):
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


@click.group(cls=Group)
@click.option("--data", type=click.Path(path_type=Path), help="Data directory (default ./data).")
def minqing(data: Path | None) -> None:
    """民情: a form server for field data, from XLSForm to phone to central database."""
    if data is not None:
        os.environ["MINQING_DATA"] = str(data)


@contextmanager
def open_data() -> Iterator[tuple[Settings, Engine]]:
    """The settings and the database of a server that was started before."""
    from server.access.sealed import open_server_database
    from server.model.revision import check_revision
    from server.transactions import transaction

    settings = Settings.from_environment()
    if settings.server_database.startswith("sqlite:///") and not Path(settings.server_database.removeprefix("sqlite:///")).exists():
        raise click.ClickException("还没有数据。请先运行 minqing serve。/ No data yet: run minqing serve first.")
    engine = open_server_database(settings, pool_size=2)
    try:
        with transaction(engine) as session:
            check_revision(session.connection())
        yield settings, engine
    finally:
        engine.dispose()
