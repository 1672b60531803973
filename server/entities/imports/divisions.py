"""A row's division: a code of the county's file, or a name in it that is one place's alone."""

from __future__ import annotations

from functools import cache

from server.access.divisions import county_divisions


@cache
def known_divisions() -> dict[str, str]:
    """Code by whatever may stand for it in a register: the 12 digits, the digits that count, the name, township and name."""
    found = county_divisions()
    names: dict[str, set[str]] = {}
    for one in found.values():
        parent = found.get(one.parent)
        for name in (one.name, *((f"{parent.name}{one.name}",) if parent else ())):
            names.setdefault(name, set()).add(one.prefix)
    known = {name: next(iter(codes)) for name, codes in names.items() if len(codes) == 1}
    for one in found.values():
        known[one.code] = known[one.prefix] = one.prefix
    return known


def find_division(text: str) -> str | None:
    """The digits of the division that the text names; None: there is no such, or not only one."""
    return known_divisions().get(text) or known_divisions().get("".join(text.split()))
