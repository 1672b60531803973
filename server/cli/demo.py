"""`minqing demo`."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import orjson

from server.cli.group import minqing, open_data
from server.settings import CHINA, Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine


@minqing.command()
@click.option("--households", default=300, show_default=True, type=click.IntRange(1, 100_000))
@click.option("--quarters", default=2, show_default=True, type=click.IntRange(1, 40), help="The last of them is the present one.")
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same county.")
@click.option("--plant", "rate", type=click.FloatRange(0, 1), help="Plant each abuse and fault at this rate.")
@click.option("--planted", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="Where the list of what was planted goes (default: planted.json in the data directory).")
@click.option("--project", default=1, show_default=True)
def demo(households: int, quarters: int, seed: int, rate: float | None, planted: Path | None, project: int) -> None:
    """A synthetic county: officers, households, visits, a snowstorm, verifications and relief, received like real ones."""
    with open_data() as (settings, engine):
        fill_with_county(settings, engine, households=households, quarters=quarters, seed=seed, rate=rate, planted=planted, project_id=project)


def fill_with_county(
    settings: Settings, engine: Engine, *, households: int, quarters: int, seed: int, rate: float | None = None, planted: Path | None = None, project_id: int = 1
) -> None:
    """The county is there, and what was planted is written to `planted` as JSON. Says how it goes. Raises: what make_county raises."""
    from server.access.actor import system_actor
    from server.access.secret_key import read_secret_key
    from server.access.secrets import Secrets
    from server.demo.county import draw_county
    from server.demo.making import make_county
    from server.demo.plants import plant_all
    from server.demo.snowstorm import strike

    county = draw_county(households=households, quarters=quarters, seed=seed, today=datetime.now(CHINA).date())
    strike(county)
    found = plant_all(county, rate) if rate is not None else []
    secrets, start, total = Secrets(read_secret_key(settings)), time.monotonic(), len(county.errands)
    with click.progressbar(length=total, label="提交 / submissions", file=sys.stderr) as bar:
        done = make_county(
            engine, secrets, system_actor("demo"), project_id, county, settings=settings, progress=lambda count: bar.update(count - bar.pos)
        )  # fmt: skip
        bar.update(total - bar.pos)
    seconds = time.monotonic() - start
    click.echo(f"{len(county.households)} 户，{done} 份提交，{seconds:.1f} 秒 / {len(county.households)} households, {done} submissions, {seconds:.1f} s")
    if rate is not None:
        path = planted or Path(settings.data) / "planted.json"
        path.write_bytes(orjson.dumps([one.told() for one in found], option=orjson.OPT_INDENT_2))
        click.echo(f"埋设的问题 {len(found)} 处，清单见 {path} / {len(found)} things planted, listed in {path}")
