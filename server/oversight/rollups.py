"""A disaster's cumulative figures: an area's are the sum of its villages' latest accepted reports; a verification replaces them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from server.oversight.places import levels_of, name_of
from server.oversight.reports import Report, order_of

VERIFICATION, ZERO = "verification", "zero"


@dataclass(frozen=True, slots=True)
class FiguresRow:
    """`level`: county, township, village. `villages`: how many have reported figures; `provisional`: of these, whose report nobody has approved."""

    level: str
    code: str
    name: str
    villages: int
    provisional: int
    figures: dict[str, Decimal]


def latest_accepted(reports: Sequence[Report]) -> dict[str, Report]:
    """By village, the report that counts: the last verification, else the last accepted one with figures. A zero report has none.

    What was sent back does not count until it is corrected; the one before it does.
    """
    found: dict[str, Report] = {}
    for report in sorted(reports, key=lambda report: (report.kind == VERIFICATION, *order_of(report))):
        if report.is_accepted and report.kind != ZERO:
            found[report.division] = report
    return found


def rollup(reports: Sequence[Report], names: Sequence[str], *, division: str = "") -> list[FiguresRow]:
    """Figures of the county, each township and each village, as far as they lie within the division; `names`: which figures."""
    parts: dict[tuple[str, str], list[Report]] = defaultdict(list)
    for village, report in latest_accepted(reports).items():
        for level, code in levels_of(village):
            if len(code) >= len(division):
                parts[code, level].append(report)
    return [
        FiguresRow(
            level, code, name_of(code), len(own), sum(not report.is_reviewed for report in own),
            {name: sum((report.figures.get(name, Decimal(0)) for report in own), Decimal(0)) for name in names},
        )
        for (code, level), own in sorted(parts.items())
    ]  # fmt: skip
