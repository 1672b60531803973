"""Who may see totals, and of which divisions; divisions by level and name."""

from __future__ import annotations

from server import problems
from server.access.actor import Actor, Place
from server.access.divisions import county_divisions

# Digits of a county's, a township's and a village's code.
LEVELS = (("county", 6), ("township", 9), ("village", 12))


def require_totals(actor: Actor, project_id: int, division: str | None) -> str:
    """The prefix of the divisions that are meant: the one asked for, or the actor's own. Raises: insufficient_rights, invalid_value."""
    wanted = division or actor.division or ""
    if wanted and not (wanted.isascii() and wanted.isdigit() and len(wanted) <= 12):
        raise problems.invalid_value("division", f"{wanted[:20]!r}: digits of a division's code")
    if len(wanted) == 12:
        known = county_divisions().get(wanted)
        wanted = known.prefix if known else wanted
    actor.require("totals.read", Place(project_id, None, wanted))
    return wanted


def levels_of(division: str) -> list[tuple[str, str]]:
    """(level, code prefix) of the county, township and village that a division lies in, as far as its code goes."""
    return [(level, division[:digits]) for level, digits in LEVELS if len(division) >= digits]


def name_of(code: str) -> str:
    """The division's name; its code where the file does not know it."""
    found = county_divisions().get(code.ljust(12, "0"))
    return found.name if found else code
