"""A small county whose forms, people and visits are as old as a test says: what happened then is told through today's server."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import update

from server.access.actor import Actor, system_actor
from server.changes import number_changes
from server.forms.catalogue_file import county_catalogue
from server.forms.fields import read_form_definition
from server.model import Entity, EntityVersion, FormVersion, Submission, SubmissionVersion
from server.oversight.coverage import Coverage, CoverageRow, read_coverage
from server.oversight.periods import read_span
from server.oversight.upkeep import Upkeep
from server.settings import CHINA
from server.transactions import open_engine, transaction
from sync.replicate import replicate_changes
from tests.actors.house import House
from tests.actors.phone import CollectPhone
from tests.actors.program import Program
from tests.factories.shipped_forms import publish_shipped, xform

VILLAGE, NEIGHBOUR, FAR = "632223202200", "632223202201", "632223290290"
PERSONS = "/projects/1/datasets/persons/entities"


def at(day: date | str, clock: str = "10:00") -> datetime:
    """An instant of China's clock."""
    day = date.fromisoformat(day) if isinstance(day, str) else day
    return datetime.combine(day, time.fromisoformat(clock), CHINA).astimezone(UTC)


def filled(form_id: str, version: str, answers: Mapping[str, str], entity: str, instance: str) -> bytes:
    """A submission whose `answers` are by path with slashes; `entity`: its element, or nothing."""
    tree: dict[str, Any] = {}
    for path, value in answers.items():
        *groups, name = path.split("/")
        branch = tree
        for group in groups:
            branch = branch.setdefault(group, {})
        branch[name] = value

    def write(branch: Mapping[str, Any]) -> str:
        return "".join(f"<{name}>{write(value) if isinstance(value, dict) else value}</{name}>" for name, value in branch.items())

    return (
        f'<data xmlns:orx="http://openrosa.org/xforms" id="{form_id}" version="{version}">{write(tree)}'
        f"<orx:meta><orx:instanceID>{instance}</orx:instanceID>{entity}</orx:meta></data>"
    ).encode()


class County:
    """Its forms were published at the beginning of 2025."""

    def __init__(self, house: House, *forms: str) -> None:
        self.house = house
        self.versions: dict[str, str] = {}
        for form_id in ("household_register", *forms):
            self.publishes(form_id)
        self.staff = Program.signed_in(house, "admin")
        self.phones: dict[str, CollectPhone] = {}
        self.central = open_engine(house.settings.central_database)

    def publishes(self, form_id: str, *, markdown: str | None = None) -> None:
        if markdown is None:
            publish_shipped(self.house, form_id)
            self.versions[form_id] = read_form_definition(xform(form_id)).version
        else:
            self.house.publish(markdown)
            self.versions[form_id] = "1"
        self.dates(FormVersion, FormVersion.id > 0, published_at=at("2025-01-01"))

    def dates(self, table: Any, *conditions: Any, **when: datetime) -> None:
        """The rows tell another time."""
        with transaction(self.house.engine, write=True) as session:
            session.execute(update(table).where(*conditions).values(**when))

    def registers(self, label: str, on: str | date, *, village: str = VILLAGE, entities: str = PERSONS, **data: str) -> str:
        """An entity's id; it is in the register since that day."""
        told = {"division": village, "status": "active", "category": "wubao", **data}
        answer = self.staff.post(entities, {"label": label, "data": told})
        assert answer.status_code == 200, answer.text
        made: str = answer.json["uuid"]  # type: ignore[index]
        [row] = self.house.rows(Entity, Entity.uuid == made)
        self.dates(Entity, Entity.id == row["id"], created_at=at(on))
        self.dates(EntityVersion, EntityVersion.entity_id == row["id"], created_at=at(on))
        return made

    def changes(self, person: str, on: str | date, *, entities: str = PERSONS, **data: str) -> None:
        """County staff correct the register on that day."""
        answer = self.staff.patch(f"{entities}/{person}?force=true", {"data": data})
        assert answer.status_code == 200, answer.text
        self._last_version_is_of(person, on)

    def _last_version_is_of(self, person: str, on: str | date) -> None:
        row = self.entity(person)
        self.dates(EntityVersion, EntityVersion.entity_id == row["id"], EntityVersion.version == row["version"], created_at=at(on))

    def entity(self, person: str) -> dict[str, Any]:
        [row] = self.house.rows(Entity, Entity.uuid == person)
        return row

    def phone(self, village: str = VILLAGE) -> CollectPhone:
        """The village's, bound to it."""
        if village not in self.phones:
            self.phones[village] = self.house.new_phone(name=f"手机{village[-3:]}", division=village)
        return self.phones[village]

    def visits(
        self, person: str, on: str | date, *, received: str | date | None = None, met: str = "in_person", form_id: str = "wubao_visit",
        base: int | None = None, offline: bool = False, village: str | None = None, **answers: str,
    ) -> str:  # fmt: skip
        """The visit's instanceID. `on`: the day that the phone says; `received`: the day on which the server had it (the same)."""
        row, instance = self.entity(person), f"uuid:{uuid.uuid4()}"
        base = base or row["version"]
        branch = f' trunkVersion="{base}" branchId="{uuid.uuid4()}"' if offline else ""
        entity = f'<entity dataset="persons" id="{person}" update="1" baseVersion="{base}"{branch}/>'
        ended = {"died": "dead", "moved": "moved"}.get(met, "active")
        told = {"division": row["division"], "person": person, "met": met, "today": str(on), "status": ended, "last_visit": str(on), **answers}
        answer = self.phone(village or row["division"]).send(filled(form_id, self.versions[form_id], told, entity, instance))
        assert answer.status_code == 201, answer.text
        self._received(instance, at(received or on, "18:00"))
        return instance

    def reports(self, form_id: str, on: datetime, answers: Mapping[str, str], *, entity: str = "", village: str = VILLAGE, instance: str = "") -> str:
        """Any submission, received at that time: its instanceID."""
        instance = instance or f"uuid:{uuid.uuid4()}"
        told = {"division": village, **answers}
        answer = self.phone(village).send(filled(form_id, self.versions[form_id], told, entity, instance))
        assert answer.status_code == 201, answer.text
        self._received(instance, on)
        return instance

    def _received(self, instance: str, when: datetime) -> None:
        [row] = self.house.rows(Submission, Submission.instance_id == instance)
        self.dates(Submission, Submission.id == row["id"], received_at=when)
        self.dates(SubmissionVersion, SubmissionVersion.submission_id == row["id"], received_at=when)
        self.dates(EntityVersion, EntityVersion.submission_id == row["id"], created_at=when)

    def reviews(self, instance: str, state: str, *, form_id: str = "wubao_visit") -> None:
        answer = self.staff.patch(f"/projects/1/forms/{form_id}/submissions/{instance}", {"reviewState": state})
        assert answer.status_code == 200, answer.text

    def syncs(self) -> None:
        """The central database has everything."""
        replicate_changes(self.house.engine, self.central)

    def coverage(self, period: str, today: str, *, actor: Actor | None = None, division: str | None = None) -> Coverage:
        """As it stands at the end of that day."""
        self.syncs()
        with transaction(self.house.engine) as session, transaction(self.central) as central:
            return read_coverage(
                session, central, actor or system_actor(), county_catalogue(self.house.settings), 1, span=read_span(period),
                today=date.fromisoformat(today), division=division,
            )  # fmt: skip

    def keeps_up(self, day: str | date) -> int:
        """The job on that day, until nothing is left to do: in how many pieces."""
        job, pieces = Upkeep(self.house.engine, lambda: county_catalogue(self.house.settings), lambda: at(day, "09:00")), 0
        with transaction(self.house.engine, write=True) as session:
            number_changes(session)
        while job.is_waiting():
            job.work()
            pieces += 1
            assert pieces < 500
            with transaction(self.house.engine, write=True) as session:
                number_changes(session)
        # A version that the job made on that day is of that day.
        self.dates(EntityVersion, EntityVersion.event == "entity.maintained", EntityVersion.created_at > at(day) + timedelta(days=1), created_at=at(day, "09:00"))
        self.dates(EntityVersion, EntityVersion.event == "entity.maintained", EntityVersion.created_at > datetime.now(UTC) - timedelta(minutes=10), created_at=at(day, "09:00"))
        return pieces


def row_of(found: Coverage, level: str, name: str = "", *, programme: str = "wubao_visit", period: str | None = None) -> CoverageRow:
    """The one row of this level whose name or code this is."""
    rows = [
        row for row in found.rows
        if row.level == level and row.programme == programme and period in {None, row.period} and (not name or name in {row.name, row.code})
    ]  # fmt: skip
    assert len(rows) == 1, rows
    return rows[0]
