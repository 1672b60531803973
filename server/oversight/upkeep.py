"""The job that keeps up due dates and what is left of batches: when something arrives, and when China's day changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from server.access.actor import system_actor
from server.changes import last_position, read_changes, read_cursor, save_cursor
from server.entities.lists import declare_lists, list_properties
from server.forms.catalogue import Catalogue
from server.model import Change, Entity, EntityList, EntityVersion, Form
from server.oversight.batches import batches_of, find_outdated_batches
from server.oversight.due_dates import NEXT_DUE, OVERDUE, Outdated, bring_up_to_date, find_outdated
from server.oversight.periods import china_day
from server.transactions import transaction

_T = TypeVar("_T")
CONSUMER, DAY = "due-dates", "due-dates-day"
_BATCH = 500
# Few enough for phones not to wait long for SQLite's one writer.
_ENTITIES = 100
_MOST_LISTS = 1000
_JUDGED_AGAIN = frozenset({"submission.created", "submission.edited", "submission.reviewed", "submission.deleted", "submission.restored"})
# The log counts what came or changed by the thousand, and does not name it.
_MANY = frozenset({"entity.many_created", "entity.many_updated", "entity.many_restored"})


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the day's walk is: a list and the last entity of it that was looked at."""

    day: date
    list_id: int
    entity_id: int


class Upkeep:
    """One node's. `now` and `catalogue` are asked each time: days pass, and a county may replace its file."""

    def __init__(self, engine: Engine, catalogue: Callable[[], Catalogue], now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.engine, self._catalogue, self._now = engine, catalogue, now
        self._walk: _Place | None = None

    def is_waiting(self) -> bool:
        """Whether something has happened, or the day's walk is not at its end."""
        with transaction(self.engine) as session:
            return last_position(session) > read_cursor(session, CONSUMER) or read_cursor(session, DAY) != self._today.toordinal()

    @property
    def _today(self) -> date:
        return china_day(self._now())

    def work(self) -> bool:
        """One bounded piece; whether more is left."""
        catalogue, today = self._catalogue(), self._today
        followed = self._follow_log(catalogue, today)
        with transaction(self.engine) as session:
            if read_cursor(session, DAY) == today.toordinal():
                return followed >= _BATCH
        return self._walk_on(catalogue, today) or followed >= _BATCH

    def _follow_log(self, catalogue: Catalogue, today: date) -> int:
        """The next changes; how many there were."""
        with transaction(self.engine) as session:
            changes = read_changes(session, read_cursor(session, CONSUMER), limit=_BATCH)
            if not changes:
                return 0
            lists = _kept_lists(session, catalogue)
            touched = _touched(session, catalogue, lists, changes)
            found = [(one, self._outdated(session, catalogue, one, ids, today)) for one in lists if (ids := sorted(touched[one.id]))]
            again = any(change.kind in _MANY and (change.details or {}).get("list") in {one.name for one in lists} for change in changes)
        self._write(catalogue, [(one, some) for one, outdated in found for some in _pieces(outdated)])
        with transaction(self.engine, write=True) as session:
            # Last: what was not written because of a crash is found again.
            save_cursor(session, CONSUMER, changes[-1].position or 0)
            if again:
                self._walk = None
                save_cursor(session, DAY, 0)
        return len(changes)

    def _outdated(self, session: Session, catalogue: Catalogue, entity_list: EntityList, ids: Sequence[int], today: date) -> list[Outdated]:
        found: list[Outdated] = []
        for some in _pieces(ids):
            if any(visits.list_name == entity_list.name for _form, visits in catalogue.programmes):
                found += find_outdated(session, catalogue, entity_list, some, today)
            for form in catalogue.forms:
                if form.takes is not None and form.takes.list_name == entity_list.name:
                    found += find_outdated_batches(session, entity_list, form, form.takes, some)
        return found

    def _write(self, catalogue: Catalogue, pieces: Sequence[tuple[EntityList, Sequence[Outdated]]]) -> None:
        for entity_list, outdated in pieces:
            with transaction(self.engine, write=True) as session:
                _declare(session, catalogue, entity_list)
                bring_up_to_date(session, entity_list, outdated)

    def _walk_on(self, catalogue: Catalogue, today: date) -> bool:
        """The next entities of the day's walk through all lists; whether there may be more."""
        place = self._walk if self._walk is not None and self._walk.day == today else _Place(today, 0, 0)
        with transaction(self.engine) as session:
            entity_list = next((one for one in _kept_lists(session, catalogue) if one.id >= place.list_id), None)
            if entity_list is not None:
                after = place.entity_id if entity_list.id == place.list_id else 0
                own: Any = Entity.__table__.c
                living = select(own.id).where(own.list_id == entity_list.id, own.id > after).order_by(own.id).limit(_ENTITIES)
                ids = list(session.scalars(living))
                outdated = self._outdated(session, catalogue, entity_list, ids, today)
        if entity_list is None:
            self._walk = None
            with transaction(self.engine, write=True) as session:
                save_cursor(session, DAY, today.toordinal())
            return False
        if outdated:
            self._write(catalogue, [(entity_list, outdated)])
        is_last = len(ids) < _ENTITIES
        self._walk = _Place(today, entity_list.id + 1, 0) if is_last else _Place(today, entity_list.id, ids[-1])
        return True


def _pieces(things: Sequence[_T]) -> Iterator[Sequence[_T]]:
    return (things[start : start + _ENTITIES] for start in range(0, len(things), _ENTITIES))


def _kept_lists(session: Session, catalogue: Catalogue) -> Sequence[EntityList]:
    """The lists of all projects in which something is kept up."""
    names = {visits.list_name for _form, visits in catalogue.programmes} | {form.takes.list_name for form in catalogue.forms if form.takes}
    statement = select(EntityList).where(EntityList.name.in_(sorted(names)), EntityList.deleted_at.is_(None))
    return session.scalars(statement.order_by(EntityList.id).limit(_MOST_LISTS)).all()


def _declare(session: Session, catalogue: Catalogue, entity_list: EntityList) -> None:
    """The list has the properties that phones are to download."""
    wanted = [NEXT_DUE, OVERDUE] if any(visits.list_name == entity_list.name for _form, visits in catalogue.programmes) else []
    wanted += [form.takes.left_property for form in catalogue.forms if form.takes is not None and form.takes.list_name == entity_list.name]
    if not set(wanted) <= set(list_properties(session, entity_list)):
        declare_lists(session, system_actor("jobs"), entity_list.project_id, {entity_list.name: tuple(wanted)})


def _touched(session: Session, catalogue: Catalogue, lists: Sequence[EntityList], changes: Sequence[Change]) -> dict[int, set[int]]:
    """By list, the entities that the changes are about."""
    found: dict[int, set[int]] = defaultdict(set)
    by_name = {(one.project_id, one.name): one.id for one in lists}
    for list_id, uuids in _named(by_name, changes):
        found[list_id].update(session.scalars(select(Entity.id).where(Entity.list_id == list_id, Entity.uuid.in_(uuids))))
    judged: dict[int, set[int]] = defaultdict(set)
    for change in changes:
        if change.kind in _JUDGED_AGAIN and change.submission_id is not None:
            judged[change.project_id].add(change.submission_id)
    list_ids = [one.id for one in lists]
    for project_id, submissions in judged.items():
        made: Any = EntityVersion.__table__.c
        statement = (
            select(Entity.list_id, Entity.id).join(EntityVersion.__table__, (made.project_id == Entity.project_id) & (made.entity_id == Entity.id))
            .where(made.project_id == project_id, made.submission_id.in_(submissions), Entity.list_id.in_(list_ids))
        )  # fmt: skip
        for list_id, entity_id in session.execute(statement):
            found[list_id].add(entity_id)
        for form in catalogue.forms:
            if form.takes is not None and (list_id := by_name.get((project_id, form.takes.list_name))) is not None:
                form_pks = session.scalars(select(Form.id).where(Form.project_id == project_id, Form.form_id == form.form_id)).all()
                found[list_id].update(batches_of(session, project_id, form_pks, list(submissions), form.takes, list_id))
    return found


def _named(lists: dict[tuple[int, str], int], changes: Sequence[Change]) -> Iterator[tuple[int, set[str]]]:
    named: dict[int, set[str]] = defaultdict(set)
    for change in changes:
        details = change.details or {}
        list_id = lists.get((change.project_id, details.get("list", "")))
        if change.kind.startswith("entity.") and list_id is not None and "uuid" in details:
            named[list_id].add(details["uuid"])
    yield from named.items()
