"""The file of the catalogue: shipped in xlsforms/, or the county's own `catalogue.toml` in the data directory, which replaces it."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from datetime import date, time
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from server import problems
from server.forms.catalogue import (
    CADENCES,
    Catalogue,
    CatalogueForm,
    Clocks,
    Deadline,
    Reports,
    Said,
    Takes,
    Visiting,
    Visits,
)
from server.settings import Settings

FILE = "catalogue.toml"


def county_catalogue(settings: Settings) -> Catalogue:
    """The county's own file in the data directory, else the one that is shipped. Raises: invalid_value, naming form and key."""
    own = settings.data / FILE
    try:
        stat = own.stat()
    except FileNotFoundError:
        return shipped_catalogue()
    return _of_file(own, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=8)
def _of_file(path: Path, _changed_ns: int, _size: int) -> Catalogue:
    return read_catalogue(path.read_bytes())


@lru_cache(maxsize=1)
def shipped_catalogue() -> Catalogue:
    """xlsforms/catalogue.toml."""
    return read_catalogue((resources.files("xlsforms") / FILE).read_bytes())


def read_catalogue(content: bytes) -> Catalogue:
    """Raises: invalid_value, naming form and key."""
    try:
        told = tomllib.loads(content.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise problems.invalid_value(FILE, str(error)[:200]) from None
    top = _Table(told, "")
    county, visiting, clocks = (top.table(name) for name in ("county", "visiting", "disasters"))
    forms = tuple(_read_form(one) for one in top.tables("form"))
    names = [form.form_id for form in forms]
    if doubled := next((name for name in names if names.count(name) > 1), None):
        raise _wrong(f"[[form]] {doubled}", "is there twice")
    made = Catalogue(
        visiting=Visiting(visiting.number("late_entry_days"), visiting.number("at_risk_days"), visiting.table("unvisited").texts_of(CADENCES)),
        clocks=_read_clocks(clocks),
        forms=forms,
        holidays=county.days("holidays"), moved_workdays=county.days("moved_workdays"),
    )  # fmt: skip
    for one in (top, county, visiting, clocks):
        one.end()
    return made


def _wrong(place: str, reason: str) -> problems.Problem:
    return problems.invalid_value(FILE, f"{place}: {reason}")


class _Table:
    """A table of the file that knows where it stands and what of it has not been read."""

    def __init__(self, told: Any, place: str) -> None:
        if not isinstance(told, dict):
            raise _wrong(place, "a table is needed")
        self.told, self.place, self._read = told, place, set[str]()

    def _at(self, name: str) -> str:
        return f"{self.place} {name}".strip()

    def has(self, name: str) -> bool:
        return name in self.told

    def get(self, name: str, kind: type | tuple[type, ...], sort: str, default: Any = None) -> Any:
        """The value of `name`. Raises: invalid_value (missing without a default, of another kind)."""
        self._read.add(name)
        value = self.told.get(name, default)
        if value is None:
            raise _wrong(self._at(name), f"is missing; {sort} is needed")
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise _wrong(self._at(name), f"{sort} is needed, not {str(value)[:50]!r}")
        return value

    def text(self, name: str, default: str | None = None) -> str:
        value: str = self.get(name, str, "a text", default)
        if not value.strip() and default is None:
            raise _wrong(self._at(name), "is empty")
        return value

    def number(self, name: str) -> int:
        value: int = self.get(name, int, "a whole number")
        if value < 0:
            raise _wrong(self._at(name), f"is 0 or more, not {value}")
        return value

    def texts(self, name: str, default: list[str] | None = None) -> tuple[str, ...]:
        found = self.get(name, list, "a list of texts", default)
        if any(not isinstance(one, str) for one in found):
            raise _wrong(self._at(name), "a list of texts is needed")
        return tuple(found)

    def days(self, name: str) -> frozenset[date]:
        found = self.get(name, list, "a list of days", [])
        if any(type(one) is not date for one in found):
            raise _wrong(self._at(name), "a list of days is needed, such as 2026-10-01")
        return frozenset(found)

    def table(self, name: str) -> _Table:
        return _Table(self.get(name, dict, "a table"), self._at(name))

    def tables(self, name: str) -> list[_Table]:
        found = self.get(name, list, f"[[{name}]]", [])
        return [_Table(one, f"{self._at(name)} {number}") for number, one in enumerate(found, start=1)]

    def each(self, read: Callable[[_Table, str], Any]) -> tuple[tuple[str, Any], ...]:
        """(name, value as `read`) of each entry, in the file's order."""
        return tuple((name, read(self, name)) for name in self.told)

    def texts_of(self, names: tuple[str, ...]) -> dict[str, str]:
        found = {name: self.text(name) for name in names}
        self.end()
        return found

    def end(self) -> None:
        """Raises: invalid_value, naming an entry that nothing reads: it is mistyped."""
        for name in self.told:
            if name not in self._read:
                raise _wrong(self._at(name), "nothing is known by this name")


def _read_clocks(table: _Table) -> Clocks:
    minutes = table.table("report_minutes")
    try:
        due_at = time.fromisoformat(table.text("due_at"))
    except ValueError:
        raise _wrong(f"{table.place} due_at", "is a time such as 08:00") from None
    made = Clocks(
        {level: minutes.number(level) for level in ("village", "township", "county")}, table.number("follow_up_hours"),
        dict(table.table("follow_up_days").each(_Table.number)) if table.has("follow_up_days") else {}, due_at, table.number("verification_days"),
    )  # fmt: skip
    minutes.end()
    if made.follow_up_hours == 0 or 0 in made.follow_up_days.values():
        raise _wrong(table.place, "time between follow-ups is more than 0")
    return made


def _read_form(table: _Table) -> CatalogueForm:
    form_id = table.text("folder")
    table.place = f"[[form]] {form_id}"
    told = {name: table.table(name).texts_of(("zh", "en")) for name in ("title", "purpose", "who", "cadence")}
    made = CatalogueForm(
        form_id, **told, reads=table.texts("reads", []), writes=table.texts("writes", []), division=table.text("division", "division"),
        sensitive=table.texts("sensitive", []), thresholds=table.texts("thresholds", []), deadlines=tuple(_read_deadline(one) for one in table.tables("deadlines")),
        visits=_read_visits(table.table("visits")) if table.has("visits") else None,
        reports=_read_reports(table.table("reports")) if table.has("reports") else None,
        takes=_read_takes(table.table("takes")) if table.has("takes") else None,
    )  # fmt: skip
    table.end()
    used = [part.list_name for part in (made.visits, made.reports) if part is not None]
    for name in used:
        if name not in made.writes:
            raise _wrong(table.place, f"writes must name the list {name!r}, by which the server finds what a submission is about")
    return made


def _read_deadline(table: _Table) -> Deadline:
    working = table.has("working_days")
    made = Deadline(table.text("name"), table.text("after"), table.number("working_days" if working else "days"), working)
    table.end()
    return made


def _read_said(table: _Table) -> Said:
    made = Said(table.text("question"), table.texts("values", []), table.text("on", ""))
    table.end()
    return made


def _read_cadence(table: _Table, name: str) -> str:
    value = table.text(name)
    if value not in CADENCES:
        raise _wrong(f"{table.place} {name}", f"is one of {', '.join(CADENCES)}, not {value!r}")
    return value


def _read_visits(table: _Table) -> Visits:
    by = None
    if table.has("cadence_by"):
        chosen = table.table("cadence_by")
        by = (chosen.text("property"), chosen.table("values").each(_read_cadence))
        chosen.end()
    made = Visits(
        table.text("list"), table.table("select").each(_Table.texts), table.table("active").each(_Table.texts), _read_cadence(table, "cadence"),
        table.text("person"), table.text("day"), **{name: _read_said(table.table(name)) if table.has(name) else None for name in ("met", "died", "moved")},
        cadence_by=by, marks_label=table.get("marks_label", bool, "true or false", False),
    )  # fmt: skip
    table.end()
    return made


def _read_reports(table: _Table) -> Reports:
    kinds = table.table("kinds").texts_of(("initial", "follow_up", "zero", "verification"))
    texts = {name: table.text(name) for name in ("event", "kind", "happened", "known", "arrived", "relief_started", "finished")}
    made = Reports(
        table.text("list"), **texts, kinds=tuple(kinds.items()), stable=_read_said(table.table("stable")), figures=table.texts("figures"), hazard_property=table.text("hazard_property"),
        status_property=table.text("status_property"), ended_values=table.texts("ended_values"),
    )  # fmt: skip
    table.end()
    return made


def _read_takes(table: _Table) -> Takes:
    made = Takes(table.text("list"), *(table.text(name) for name in ("batch", "quantity", "total_property", "left_property")))
    table.end()
    return made
