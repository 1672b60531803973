"""The sums from which a list's hash is told are, after whatever was written, those of its rows."""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text

import server.model
from server.backup import read_backup, write_backup
from server.entities.purge import purge_entities, purge_lists
from server.model import Entity, EntityList, EntitySum
from server.model.revision import prepare_schema
from server.transactions import new_id, open_engine, transaction
from tests.actors.house import House
from tests.actors.program import Program
from tests.databases import empty_database
from tests.entities.followed_up import Register, visit
from tests.entities.imported import Office, as_csv

_VILLAGES = ("632223202200", "632223202201", "632223201200")
_PEOPLE = "/projects/1/datasets/people"


def kept_sums(engine: Any) -> dict[tuple[int, str], tuple[int, int]]:
    """By list and division, as they are kept."""
    columns: Any = EntitySum.__table__.c
    statement = select(columns.list_id, columns.division, func.sum(columns.entities), func.sum(columns.total)).group_by(columns.list_id, columns.division)
    with transaction(engine) as session:
        return {(row[0], row[1]): (int(row[2]), int(row[3])) for row in session.execute(statement) if (row[2], row[3]) != (0, 0)}


def true_sums(engine: Any) -> dict[tuple[int, str], tuple[int, int]]:
    """By list and division, of the rows."""
    columns: Any = Entity.__table__.c
    statement = select(columns.list_id, columns.division, func.count(), func.sum(columns.stamp)).where(columns.deleted_at.is_(None))
    with transaction(engine) as session:
        return {(row[0], row[1]): (row[2], int(row[3])) for row in session.execute(statement.group_by(columns.list_id, columns.division))}


def require_exact(house: House) -> None:
    assert kept_sums(house.engine) == true_sums(house.engine)


class Clerk:
    """Someone who does everything that can be done to a list, each time to some entities of it."""

    def __init__(self, house: House, choice: random.Random) -> None:
        self.house, self.choice = house, choice
        self.register, self.staff = Register(house), Program.signed_in(house)
        self.submissions: list[str] = []
        self.steps: list[Callable[[], object]] = [
            self.creates, self.creates_many, self.visits, self.changes, self.moves, self.deletes, self.deletes_many, self.restores, self.restores_many,
            self.corrects, self.purges, self.drops_list, self.forces,
        ]  # fmt: skip

    def some(self, *, deleted: bool = False, most: int = 4) -> list[str]:
        rows = self.house.rows(Entity, Entity.deleted_at.is_not(None) if deleted else Entity.deleted_at.is_(None))
        found = [row["uuid"] for row in rows]
        return self.choice.sample(found, min(len(found), most))

    def village(self) -> str:
        return self.choice.choice(_VILLAGES)

    def person(self) -> dict[str, Any]:
        return {"uuid": str(uuid.uuid4()), "label": "张三", "data": {"division": self.village(), "state": "new"}}

    def creates(self) -> None:
        assert self.staff.post(f"{_PEOPLE}/entities", self.person()).status_code == 200

    def creates_many(self) -> None:
        body = {"entities": [self.person() for _number in range(5)], "source": {"name": "old.csv"}}
        assert self.staff.post(f"{_PEOPLE}/entities", body).status_code == 200
        # The second time all of them are refused, after some were written.
        body["entities"] = [self.person(), *body["entities"]]  # type: ignore[list-item]
        assert self.staff.post(f"{_PEOPLE}/entities", body).status_code == 409

    def visits(self) -> None:
        person, instance = str(uuid.uuid4()), f"uuid:{uuid.uuid4()}"
        self.register.send(visit(person, creates=True, who="李四", division=self.village(), instance=instance))
        self.submissions.append(instance)
        self.register.send(visit(person, base=1, state="seen"))
        self.register.send(visit(str(uuid.uuid4()), base=1, branch=str(uuid.uuid4()), state="early", division=self.village()))

    def corrects(self) -> None:
        if self.submissions:
            latest = f"uuid:{uuid.uuid4()}"
            number = self.choice.randrange(len(self.submissions))
            creates = self.choice.random() < 0.5
            self.register.send(visit(str(uuid.uuid4()), creates=creates, base=1, who="王五", division=self.village(), instance=latest, replaces=self.submissions[number]))
            self.submissions[number] = latest

    def changes(self) -> None:
        for person in self.some(most=2):
            assert self.staff.patch(f"{_PEOPLE}/entities/{person}?force=true", {"data": {"state": str(self.choice.random())}}).status_code == 200

    def moves(self) -> None:
        for person in self.some(most=2):
            assert self.staff.patch(f"{_PEOPLE}/entities/{person}?force=true", {"data": {"division": self.village()}}).status_code == 200

    def deletes(self) -> None:
        for person in self.some(most=1):
            assert self.staff.delete(f"{_PEOPLE}/entities/{person}").status_code == 200

    def restores(self) -> None:
        for person in self.some(deleted=True, most=1):
            assert self.staff.post(f"{_PEOPLE}/entities/{person}/restore").status_code == 200

    def deletes_many(self) -> None:
        self._many("bulk-delete", self.some())

    def restores_many(self) -> None:
        self._many("bulk-restore", self.some(deleted=True))

    def _many(self, what: str, ids: list[str]) -> None:
        if ids:
            assert self.staff.post(f"{_PEOPLE}/entities/{what}", {"ids": ids}).status_code == 200

    def purges(self) -> None:
        with transaction(self.house.engine, write=True) as session:
            now = session.scalar(select(func.max(Entity.deleted_at)))
            if now is not None:
                purge_entities(session, self.house.admin, deleted_before=now, limit=3)

    def drops_list(self) -> None:
        name = f"other{new_id()}"
        assert self.staff.post("/projects/1/datasets", {"name": name}).status_code == 200
        assert self.staff.post(f"/projects/1/datasets/{name}/entities", {"label": "x"}).status_code == 200
        assert self.staff.delete(f"/projects/1/datasets/{name}").status_code == 200
        with transaction(self.house.engine, write=True) as session:
            later = session.scalar(select(func.max(EntityList.deleted_at)))
            assert later is not None
            purge_lists(session, self.house.admin, deleted_before=later.replace(year=later.year + 1))
        assert [row for row in self.house.rows(EntityList) if row["name"] == name] == []

    def forces(self) -> None:
        self.register.force()


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), steps=st.lists(st.integers(0, 12), min_size=25, max_size=40))
def test_after_any_writes_the_sums_are_those_of_the_rows(clerk: Clerk, seed: int, steps: list[int]) -> None:
    clerk.choice.seed(seed)
    for step in steps:
        clerk.steps[step]()
        require_exact(clerk.house)


@pytest.fixture
def clerk(house: House) -> Clerk:
    return Clerk(house, random.Random())


def test_an_import_and_its_undo_keep_the_sums(house: House, tmp_path: Path) -> None:
    office = Office(house, tmp_path)
    rows = [("姓名", "村", "电话"), *((f"人{number}", _VILLAGES[number % 3], str(number)) for number in range(30))]
    done = office.runs(office.uploads(as_csv(rows)), skip_errors=True)
    require_exact(house)
    assert kept_sums(house.engine)
    office.undoes(done.id)
    require_exact(house)


def test_writers_of_one_list_at_once_lose_nothing_and_their_slots_stay_few(house: House) -> None:
    clerk = Clerk(house, random.Random(1))
    staff, failed = clerk.staff, []
    people = [clerk.person() for _number in range(12)]
    assert staff.post(f"{_PEOPLE}/entities", {"entities": people, "source": {"name": "x.csv"}}).status_code == 200
    ids = [one["uuid"] for one in people]

    def work(number: int) -> None:
        choice, own = random.Random(number), Program(house, staff.headers["Authorization"].removeprefix("Bearer "))
        for _time in range(25):
            person = choice.choice(ids)
            answers = (
                lambda person=person: own.patch(f"{_PEOPLE}/entities/{person}?force=true", {"data": {"division": choice.choice(_VILLAGES)}}),
                lambda: own.post(f"{_PEOPLE}/entities/bulk-delete", {"ids": choice.sample(ids, 3)}),
                lambda: own.post(f"{_PEOPLE}/entities/bulk-restore", {"ids": choice.sample(ids, 3)}),
                lambda: own.post(f"{_PEOPLE}/entities", clerk.person()),
            )
            answer = choice.choice(answers)()
            if answer.status_code not in {200, 404, 503}:
                failed.append((answer.status_code, answer.text))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    require_exact(house)
    assert len(house.rows(EntitySum)) < 100


def test_rows_of_before_are_summed(database_kind: str, tmp_path: Path) -> None:
    engine = open_engine(empty_database(database_kind, tmp_path))
    config = Config()
    config.set_main_option("script_location", str(Path(server.model.__file__).parent / "migrations"))
    with engine.execution_options(minqing_write=True).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0007")
        at = "'2026-01-01 00:00:00.000000'"
        connection.execute(text(f"INSERT INTO projects (id, name, created_at) VALUES (1, 'p', {at})"))
        connection.execute(
            text(f"INSERT INTO entity_lists (id, project_id, name, approval_required, owner_only, created_at) VALUES (7, 1, 'people', false, false, {at})")
        )
        for key, division, stamp, deleted in ((1, "63", 5, "NULL"), (2, "63", 2**40 - 1, "NULL"), (3, "", 9, "NULL"), (4, "63", 4, at)):
            connection.execute(
                text(
                    "INSERT INTO entities (project_id, id, list_id, uuid, label, data, version, division, created_at, stamp, deleted_at)"
                    f" VALUES (1, {key}, 7, 'u{key}', 'Zhang', '{{}}', 1, '{division}', {at}, {stamp}, {deleted})"
                )
            )
    prepare_schema(engine)
    assert kept_sums(engine) == {(7, "63"): (2, 2**40 + 4), (7, ""): (1, 9)} == true_sums(engine)
    with engine.execution_options(minqing_write=True).begin() as connection:
        connection.execute(text("DELETE FROM entities WHERE id = 1"))
        connection.execute(text("UPDATE entities SET deleted_at = NULL WHERE id = 4"))
    assert kept_sums(engine) == {(7, "63"): (2, 2**40 + 3), (7, ""): (1, 9)} == true_sums(engine)
    engine.dispose()


def test_a_restored_backup_has_the_sums_of_its_rows(house: House, tmp_path: Path) -> None:
    staff = Program.signed_in(house)
    assert staff.post("/projects/1/datasets", {"name": "people"}).status_code == 200
    many = [{"label": f"王{number}", "data": {}} for number in range(7)]
    assert staff.post(f"{_PEOPLE}/entities", {"entities": many, "source": {"name": "people.csv"}}).status_code == 200
    (tmp_path / "fresh").mkdir()
    write_backup(house.settings, house.engine, tmp_path / "backup.tar")
    fresh = replace(house.settings, database_url=empty_database(house.engine.dialect.name, tmp_path / "fresh"), data=tmp_path / "fresh")
    read_backup(fresh, tmp_path / "backup.tar")
    restored = open_engine(fresh.database_url)
    assert sum(count for count, _total in kept_sums(restored).values()) == 7
    assert kept_sums(restored) == true_sums(restored) == kept_sums(house.engine)
    restored.dispose()
