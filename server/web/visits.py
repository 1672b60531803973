"""The quarterly duty: who is due, visited, at risk, missed, by village and member of staff."""

from __future__ import annotations

from flask import Response, request

from server.access.actor import Place
from server.forms.catalogue_file import county_catalogue
from server.http.parts import parts
from server.oversight.coverage import read_coverage
from server.oversight.periods import Period, china_day, period_of, read_span
from server.oversight.reports import now_utc
from server.transactions import transaction
from server.web import blueprint
from server.web.pages import page
from server.web.showing import divisions_within
from server.web.visitor import visitor

_SHOWN_NAMES = 200
_SHOWN_QUARTERS = 8


@blueprint.get("/projects/<int:project_id>/visits")
def show_visits(project_id: int) -> Response:
    """`?period=2026Q4`, this quarter without; `?division=` narrows it."""
    actor, given, today = visitor().actor, request.args, china_day(now_utc())
    catalogue = county_catalogue(parts().settings)
    span = read_span(given["period"]) if given.get("period") else period_of("quarter", today)
    with transaction(parts().engine) as session, transaction(parts().central) as central:
        found = read_coverage(session, central, actor, catalogue, project_id, span=span, today=today, division=given.get("division") or None)
    titles = {form.form_id: form.title for form in catalogue.forms}
    return page(
        "visits.html", found=found, span=span, quarters=_quarters(span, period_of("quarter", today)), titles=titles, divisions=divisions_within(actor),
        chosen=given, shown=_SHOWN_NAMES, may_read=actor.can("entity.read", Place(project_id)),
    )  # fmt: skip


def _quarters(chosen: Period, newest: Period) -> list[str]:
    names, year, number = [], newest.start.year, (newest.start.month + 2) // 3
    for _ in range(_SHOWN_QUARTERS):
        names.append(f"{year}Q{number}")
        year, number = (year, number - 1) if number > 1 else (year - 1, 4)
    return names if chosen.name in names else [chosen.name, *names]
