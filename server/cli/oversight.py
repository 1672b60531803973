"""`minqing visits coverage`, `minqing disasters`: what the county owes, from the central database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from server.cli.group import minqing, open_data
from server.cli.tables import format_option, show

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from server.forms.catalogue import Catalogue
    from server.oversight.clocks import EventClocks

_project = click.option("--project", default=1, show_default=True)
_division = click.option("--division", metavar="CODE", help="Only within this division: its code, or the digits that it begins with.")


@contextmanager
def _open_both() -> Iterator[tuple[Session, Session, Catalogue]]:
    from server.forms.catalogue_file import county_catalogue
    from server.transactions import open_engine, transaction

    with open_data() as (settings, engine):
        catalogue, target = county_catalogue(settings), open_engine(settings.central_database, pool_size=1)
        try:
            with transaction(engine) as session, transaction(target) as central:
                yield session, central, catalogue
        finally:
            target.dispose()


@minqing.group()
def visits() -> None:
    """The quarterly duty."""


@visits.command("coverage")
@click.option("--quarter", "span", required=True, metavar="2026Q4", help="Also 2026-11, 2026H2, 2026.")
@_division
@_project
@format_option
@click.option("--names", is_flag=True, help="Who is due and not visited, instead of the counts.")
def visits_coverage(span: str, division: str | None, project: int, form: str, names: bool) -> None:
    """Who is due, visited, at risk, missed: by county, township, village and member of staff. Provisional: visited, not reviewed yet."""
    from server.access.actor import system_actor
    from server.oversight.coverage import read_coverage
    from server.oversight.periods import china_day, read_span
    from server.oversight.reports import now_utc

    with _open_both() as (session, central, catalogue):
        found = read_coverage(
            session, central, system_actor("command line"), catalogue, project, span=read_span(span), today=china_day(now_utc()), division=division
        )
    if names:
        show(("programme", "period", "division", "state", "label", "uuid"),
             [(one.programme, one.period, one.division, one.state.value, one.label, one.uuid) for one in found.unvisited], form)  # fmt: skip
        return
    counted = ("due", "visited", "provisional", "open", "at_risk", "missed", "ended", "later", "by_receipt")
    headings = ("programme", "period", "level", "code", "name", *counted, "coverage")
    rows = [[getattr(row, name) for name in headings[:-1]] + [None if row.coverage is None else round(row.coverage, 4)] for row in found.rows]
    show(headings, rows, form)


@minqing.group()
def disasters() -> None:
    """Disasters: their clocks and figures."""


@disasters.command("list")
@_project
@format_option
def disasters_list(project: int, form: str) -> None:
    """The newest first."""
    from server.access.actor import system_actor
    from server.oversight.clocks import read_events

    with _open_both() as (session, _central, catalogue):
        events = read_events(session, system_actor("command line"), catalogue, project)
    show(("id", "name", "hazard", "status", "created_at"), [(e.uuid, e.name, e.hazard, e.status, e.created_at) for e in events], form)


@disasters.command("clocks")
@click.argument("event")
@_division
@_project
@format_option
@click.option("--show", "part", type=click.Choice(["villages", "levels", "figures"]), default="villages", show_default=True,
              help="First times by village; who is late by level; cumulative figures.")  # fmt: skip
def disasters_clocks(event: str, division: str | None, project: int, form: str, part: str) -> None:
    """The clocks of EVENT, which is an id, a name, or a part of a name."""
    from server.access.actor import system_actor
    from server.oversight.clocks import read_clocks

    with _open_both() as (session, central, catalogue):
        found = read_clocks(session, central, system_actor("command line"), catalogue, project, event, division=division)
    show(*{"villages": _villages, "levels": _levels, "figures": _figures}[part](found), form)


_Table = tuple[list[str], list[list[Any]]]


def _villages(found: EventClocks) -> _Table:
    from server.oversight.clocks import minutes_between

    own = ["code", "name", "happened_at", "known_at", "arrived_at", "finished_at", "received_at", "verified_at", "relief_started_at",
           "last_report_at", "reports", "is_late", "due_at", "is_silent", "verification_due_at", "is_verification_late"]  # fmt: skip
    spans = {f"{name}_after_{since}": (f"{since}_at", f"{name}_at")
             for since in ("happened", "known") for name in ("arrived", "finished", "received", "verified", "relief_started")}  # fmt: skip
    rows = [
        [getattr(village, name) for name in own] + [minutes_between(getattr(village, since), getattr(village, until)) for since, until in spans.values()]
        for village in found.villages
    ]
    return own + [f"{name}_minutes" for name in spans], rows


def _levels(found: EventClocks) -> _Table:
    headings = ["level", "code", "name", "known_at", "finished_at", "received_at", "allowed_minutes", "is_late"]
    return headings, [[getattr(row, name) for name in headings] for row in found.levels]


def _figures(found: EventClocks) -> _Table:
    headings = ["level", "code", "name", "villages", "provisional", *found.figures]
    return headings, [[row.level, row.code, row.name, row.villages, row.provisional, *(_number(row.figures[name]) for name in found.figures)] for row in found.rollup]


def _number(value: Any) -> int | float:
    return int(value) if value == int(value) else float(value)
