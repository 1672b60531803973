"""The central database as a reader sees it: a form's table, and the column of each question."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, inspect, null
from sqlalchemy import Table as SqlTable

from server.oversight.periods import china_day
from sync.tables import TABLES, CentralTables


@dataclass(frozen=True, slots=True)
class CentralForm:
    """`questions`: path with slashes -> the name of its column, outside of repeats."""

    table: SqlTable
    questions: dict[str, str]

    def column(self, path: str) -> Any:
        """The question's column; NULL if the form has no such question."""
        return self.table.c[self.questions[path]] if path in self.questions else null()

    @property
    def living(self) -> tuple[Any, ...]:
        """That a submission is neither deleted nor unreadable."""
        return self.table.c.deleted_at.is_(None), self.table.c.is_encrypted.is_(False)


def central_form(connection: Connection, project_id: int, form_id: str) -> CentralForm | None:
    """The form's table; None while nothing of it has been synced."""
    if not inspect(connection).has_table(TABLES.name):
        return None
    made = CentralTables(connection).of_form(project_id, form_id).get(())
    if made is None:
        return None
    questions: dict[str, str] = {}
    for column in made.columns:
        # A question that changed its type has a column for each; the first one is kept.
        questions.setdefault("/".join(column.path), column.name)
    return CentralForm(made.table, questions)


def as_day(value: Any) -> date | None:
    """A day out of a date, a time or a text; None for what is none."""
    if isinstance(value, datetime):
        return china_day(value)
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return None
