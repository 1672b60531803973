"""What was known of a register on an earlier day: by API, CSV and page, and no more of it than the reader may see."""

from __future__ import annotations

import csv
import io
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text, update

from server.access.actor import system_actor
from server.entities.lists import get_list
from server.entities.purge import purge_entities
from server.exports.entity_past import read_as_of
from server.exports.entity_rows import entities_statement, select_entities
from server.model import Entity, EntityAbsence, EntityVersion
from server.transactions import transaction
from tests.actors.house import House
from tests.actors.program import Program, problem_of
from tests.entities.followed_up import Register, visit
from tests.web.clerk import Clerk, words

HERE, THERE, TOWN = "632223202200", "632223202201", "632223202"
_LIST = "/projects/1/datasets/people"
_PAGE = "/projects/1/entity-lists/people"


def china(day: int, hour: int = 12, month: int = 3) -> datetime:
    """That hour of that day of March 2026 in China."""
    return datetime(2026, month, day, hour, tzinfo=UTC) - timedelta(hours=8)


class Archive:
    """A register whose history took place in March 2026."""

    def __init__(self, house: House) -> None:
        self.house, self.register = house, Register(house)
        self.staff = Program.signed_in(house)

    def adds(self, on: datetime, *, division: str = HERE, who: str = "张三", instance: str | None = None) -> str:
        person = str(uuid.uuid4())
        self.register.send(visit(person, creates=True, who=who, division=division, state="new", instance=instance))
        self._happened(person, 1, on)
        return person

    def changes(self, person: str, on: datetime, **data: str) -> None:
        answer = self.staff.patch(f"{_LIST}/entities/{person}?force=true", {"data": data})
        assert answer.status_code == 200, answer.text
        self._happened(person, answer.json["currentVersion"]["version"], on)  # type: ignore[index]

    def deletes(self, person: str, on: datetime) -> None:
        assert self.staff.delete(f"{_LIST}/entities/{person}").status_code == 200
        with transaction(self.house.engine, write=True) as session:
            session.execute(update(EntityAbsence).where(EntityAbsence.restored_at.is_(None)).values(deleted_at=on))

    def restores(self, person: str, on: datetime) -> None:
        assert self.staff.post(f"{_LIST}/entities/{person}/restore").status_code == 200
        with transaction(self.house.engine, write=True) as session:
            session.execute(update(EntityAbsence).where(EntityAbsence.restored_at > china(1, month=6)).values(restored_at=on))

    def _happened(self, person: str, version: int, on: datetime) -> None:
        [entity] = self.house.rows(Entity, Entity.uuid == person)
        with transaction(self.house.engine, write=True) as session:
            named = (EntityVersion.entity_id == entity["id"], EntityVersion.version == version)
            session.execute(update(EntityVersion).where(*named).values(created_at=on))
            if version == 1:
                session.execute(update(Entity).where(Entity.id == entity["id"]).values(created_at=on))

    def on(self, at: str, reader: Program | None = None, more: str = "") -> dict[str, dict[str, str]]:
        """The CSV as of then, by id; the JSON list agrees with it."""
        answer = (reader or self.staff).get(f"{_LIST}/entities.csv?asOf={at}{more}")
        assert answer.status_code == 200, answer.text
        rows = {row["__id"]: row for row in csv.DictReader(io.StringIO(answer.text))}
        if not more:
            listed = (reader or self.staff).reads(f"{_LIST}/entities?asOf={at}")
            assert [(one["uuid"], one["currentVersion"]["label"], str(one["currentVersion"]["version"])) for one in listed] == [
                (row["__id"], row["label"], row["__version"]) for row in rows.values()
            ]
        return rows

    def states(self, at: str, reader: Program | None = None) -> dict[str, str]:
        return {person: row["state"] for person, row in self.on(at, reader).items()}


@pytest.fixture
def archive(house: House) -> Archive:
    return Archive(house)


def test_a_register_is_shown_as_it_was_on_each_day(archive: Archive) -> None:
    first = archive.adds(china(1))
    archive.changes(first, china(10), state="ill")
    second = archive.adds(china(15), who="李四")
    archive.changes(first, china(20), state="well", age="71")
    assert archive.states("0001-01-01") == archive.states("2026-02-28") == {}
    assert archive.states("2026-03-01") == {first: "new"}
    assert archive.states("2026-03-09") == {first: "new"}
    assert archive.states("2026-03-10") == {first: "ill"}
    assert archive.states("2026-03-15") == {second: "new", first: "ill"}
    assert archive.states("2026-03-31") == {second: "new", first: "well"}
    row = archive.on("2026-03-12")[first]
    assert (row["age"], row["__version"], row["__updates"]) == ("", "2", "1")
    assert (row["__createdAt"], row["__updatedAt"]) == ("2026-03-01T04:00:00.000Z", "2026-03-10T04:00:00.000Z")
    assert archive.on("2026-03-09")[first]["__updatedAt"] == ""


def test_a_date_is_the_end_of_that_day_in_china(archive: Archive) -> None:
    late = archive.adds(china(31, 23))
    next_day = archive.adds(china(1, 0, month=4))
    assert set(archive.states("2026-03-31")) == {late}
    assert set(archive.states("2026-04-01")) == {late, next_day}
    assert archive.states("2026-03-30") == {}
    assert set(archive.states("2026-03-31T23:00:00%2B08:00")) == {late}
    assert set(archive.states("2026-03-31T23:00:00+08:00")) == {late}, "an unescaped plus"
    assert set(archive.states("2026-03-31T15:00:00Z")) == {late}
    assert archive.states("2026-03-31T14:59:59Z") == {}
    assert archive.states("2026-03-31T22:59:59") == {}, "an instant without a zone is China's"


def test_who_was_in_the_trash_then_is_left_out_and_who_was_not_is_there(archive: Archive) -> None:
    person, gone = archive.adds(china(1)), archive.adds(china(1))
    archive.deletes(person, china(5))
    archive.restores(person, china(9))
    archive.deletes(gone, china(20))
    assert set(archive.states("2026-03-04")) == {person, gone}
    assert set(archive.states("2026-03-05")) == {gone}
    assert set(archive.states("2026-03-08")) == {gone}
    assert set(archive.states("2026-03-09")) == {person, gone}
    assert set(archive.states("2026-03-20")) == {person}
    archive.deletes(person, china(25))
    assert archive.states("2026-03-26") == {}
    assert set(archive.states("2026-03-19")) == {person, gone}


def test_the_past_keeps_what_an_edit_corrected_since(archive: Archive) -> None:
    person = archive.adds(china(1), instance="uuid:wrong")
    corrected = visit(person, creates=True, who="张三", division=HERE, state="corrected", instance="uuid:right", replaces="uuid:wrong")
    archive.register.send(corrected)
    assert [version["version"] for version in archive.register.versions(person)] == [1, 2]
    archive._happened(person, 2, china(12))
    assert archive.states("2026-03-11") == {person: "new"}
    assert archive.states("2026-03-12") == {person: "corrected"}


def test_the_erased_are_gone_from_the_past_too(archive: Archive) -> None:
    person, other = archive.adds(china(1)), archive.adds(china(1))
    archive.deletes(person, china(20))
    assert set(archive.states("2026-03-10")) == {person, other}
    with transaction(archive.house.engine, write=True) as session:
        assert purge_entities(session, archive.house.admin, deleted_before=datetime.now(UTC) + timedelta(seconds=5)) == 1
    assert set(archive.states("2026-03-10")) == {other}


def test_nobody_sees_another_villages_past_nor_that_of_who_was_handed_over(archive: Archive) -> None:
    moved, here, there = archive.adds(china(1), who="迁"), archive.adds(china(1), division=HERE), archive.adds(china(1), division=THERE)
    archive.changes(moved, china(10), division=THERE)
    old, new = (Program.signed_in(archive.house, role, division=division) for role, division in (("viewer", HERE), ("county-reviewer", THERE)))
    assert set(archive.states("2026-03-05")) == {moved, here, there}
    assert set(archive.states("2026-03-05", old)) == {here}, "it was his then, and is another's now"
    assert set(archive.states("2026-03-15", old)) == {here}
    assert set(archive.states("2026-03-05", new)) == {there}, "it was another's then"
    assert set(archive.states("2026-03-15", new)) == {moved, there}
    town = Program.signed_in(archive.house, "viewer", division=TOWN)
    assert set(archive.states("2026-03-05", town)) == {moved, here, there}
    assert archive.on("2026-03-05", town)[moved]["division"] == HERE


def test_the_past_is_searched_in_the_words_of_then(archive: Archive) -> None:
    person = archive.adds(china(1))
    archive.changes(person, china(10), state="ill")
    assert set(archive.on("2026-03-05", more="&$search=new")) == {person}
    assert archive.on("2026-03-05", more="&$search=ill") == {}
    assert set(archive.on("2026-03-15", more="&$search=ill")) == {person}
    assert set(archive.on("2026-03-15", more="&$search=张三")) == {person}


@pytest.mark.parametrize("query", ["entities.csv?asOf=2026-03-01&$filter=__id eq 'x'", "entities?asOf=2026-03-01&deleted=true"])
def test_what_the_past_cannot_be_asked_is_refused_in_plain_words(archive: Archive, query: str) -> None:
    answer = archive.staff.get(f"{_LIST}/{query}")
    assert problem_of(answer) == (400, 400.79)


@pytest.mark.parametrize("said", ["yesterday", "2026-02-30", "2026-13-01", "31/03/2026", "2026-03-31Tnoon", "20260331", "2026-W14-2"])
def test_a_bad_date_is_refused_in_plain_words_and_none_is_a_fault_of_the_server(archive: Archive, said: str) -> None:
    for path in ("entities", "entities.csv", "entities.geojson"):
        answer = archive.staff.get(f"{_LIST}/{path}?asOf={said}")
        assert problem_of(answer) == (400, 400.78)
        assert "2026-03-31" in answer.text


def test_the_future_is_simply_the_present(archive: Archive) -> None:
    person = archive.adds(china(1))
    archive.changes(person, datetime.now(UTC), state="today")
    for at in ("9999-12-31", "2199-01-01T00:00:00Z", (datetime.now(UTC) + timedelta(hours=8)).date().isoformat()):
        assert archive.states(at) == {person: "today"}
        assert archive.staff.get(f"{_LIST}/entities.csv?asOf={at}&$filter=__system/conflict eq null").status_code == 200
    assert read_as_of("2199-01-01") is None


def test_the_pasts_etag_is_another_than_the_presents(archive: Archive) -> None:
    person = archive.adds(china(1))
    tags = [archive.staff.get(f"{_LIST}/entities.csv{at}").headers["ETag"] for at in ("", "?asOf=2026-03-05", "?asOf=2026-03-06")]
    assert len(set(tags)) == 3
    path = f"{_LIST}/entities.csv?asOf=2026-03-05"
    assert archive.staff.get(path, If_None_Match=tags[1]).status_code == 304
    archive.deletes(person, china(20))
    deleted = archive.staff.get(path, If_None_Match=tags[1])
    assert deleted.status_code == 200
    with transaction(archive.house.engine, write=True) as session:
        purge_entities(session, archive.house.admin, deleted_before=datetime.now(UTC) + timedelta(seconds=5))
    erased = archive.staff.get(path, If_None_Match=deleted.headers["ETag"])
    assert (erased.status_code, len(erased.text.splitlines())) == (200, 1)


def test_the_page_says_that_the_past_is_shown_and_offers_no_change(archive: Archive) -> None:
    person = archive.adds(china(1))
    archive.changes(person, china(10), state="ill")
    gone = archive.adds(china(1), who="李四")
    archive.deletes(gone, china(20))
    clerk = Clerk.signed_in(archive.house, "county-reviewer")
    present, past = clerk.get(_PAGE), clerk.get(f"{_PAGE}?asOf=2026-03-09", Accept_Language="zh")
    told = "这是截至 2026-03-09 23:59 的登记表"
    assert told in words(past)
    assert told[:4] not in words(present)
    assert {name for name in ("张三", "李四") if name in words(past)} == {"张三", "李四"}
    assert "李四" not in words(present)
    assert "new" in words(past)
    assert "ill" in words(present)
    assert f"/entities/{person}" not in past.text
    assert f"/entities/{person}" in present.text
    assert 'value="2026-03-09"' in past.text
    assert "/imports" not in past.text


def test_the_pages_past_is_narrowed_by_division_and_its_next_page_is_as_old(archive: Archive) -> None:
    for number in range(52):
        archive.adds(china(1), who=f"村民{number:02}")
    moved = archive.adds(china(1), who="迁走人")
    archive.changes(moved, china(10), division=THERE)
    clerk = Clerk.signed_in(archive.house, "county-reviewer")
    first = clerk.get(f"{_PAGE}?asOf=2026-03-05&division={HERE}")
    assert "迁走人" in first.text
    assert "迁走人" not in clerk.get(f"{_PAGE}?asOf=2026-03-15&division={HERE}").text
    older = first.text.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")
    assert "asOf=2026-03-05" in older
    assert "这是截至" in words(clerk.get(older))
    assert "村民02" in words(clerk.get(older))


def test_a_page_of_the_past_that_cannot_be_shown_says_why(archive: Archive) -> None:
    clerk = Clerk.signed_in(archive.house, "county-reviewer")
    for query, told in (("asOf=2026-02-30", "不是日期或时间"), ("asOf=2026-03-01&show=conflict", "只能按词语和行政区划查找")):
        answer = clerk.get(f"{_PAGE}?{query}")
        assert answer.status_code == 400
        assert told in words(answer)


def test_the_past_is_read_by_keys_however_many_versions_there_are(archive: Archive) -> None:
    person = archive.adds(china(1))
    [one] = archive.house.rows(Entity, Entity.uuid == person)
    _multiply(archive, one["id"], 3000)
    with transaction(archive.house.engine) as session:
        entity_list = get_list(session, system_actor(), 1, "people", verb="entity.list")
        selection = select_entities(session, system_actor(), entity_list, as_of=china(5))
        dialect = session.get_bind().dialect
        asked = entities_statement(session, selection).compile(dialect=dialect)
        explain = "EXPLAIN " if dialect.name == "postgresql" else "EXPLAIN QUERY PLAN "
        plan = [str(row[-1]) for row in session.connection().exec_driver_sql(explain + str(asked), _parameters(asked, dialect.name))]
    told = "\n".join(plan)
    assert "Seq Scan on entity_versions" not in told, told
    assert not any(line.startswith("SCAN") for line in plan), told
    assert ("pk_entity_versions" in told) or ("USING INDEX sqlite_autoindex_entity_versions_1" in told) or "PRIMARY KEY" in told, told


def _parameters(asked: Any, dialect: str) -> Any:
    values = asked.construct_params()
    processors = asked._bind_processors
    bound = {name: processors[name](value) if name in processors else value for name, value in values.items()}
    return bound if dialect == "postgresql" else tuple(bound[name] for name in asked.positiontup)


def _multiply(archive: Archive, entity_id: int, count: int) -> None:
    """So many more entities with two versions each, copies of this one."""
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
    entity, version = Entity.__table__.c.keys(), EntityVersion.__table__.c.keys()
    own = {"id": "id + n.i * 1000", "entity_id": "entity_id + n.i * 1000", "uuid": "'copy-' || n.i", "version": "v.version"}
    with transaction(archive.house.engine, write=True) as session:
        for table, columns, key in (("entities", entity, "id"), ("entity_versions", version, "entity_id")):
            taken = ", ".join(own.get(name, name) if name != "version" or table == "entities" else "n.k" for name in columns)
            taken = taken.replace("v.version", "version").replace("n.k", "k.k")
            twice = "" if table == "entities" else ", (SELECT 1 AS k UNION ALL SELECT 2) k"
            session.execute(text(f"INSERT INTO {table} ({', '.join(columns)}) {numbers} SELECT {taken} FROM {table}, n{twice} WHERE {key} = {entity_id}"))
    with archive.house.engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")
        connection.commit()


def test_odata_shows_the_past_page_by_page(archive: Archive) -> None:
    people = [archive.adds(china(day), who=f"人{day}") for day in (1, 2, 3)]
    archive.changes(people[0], china(10), state="ill")
    archive.adds(china(20))
    rows, path = [], "/projects/1/datasets/people.svc/Entities?$top=2&$count=true&asOf=2026-03-05"
    while path:
        page = archive.staff.reads(path)
        assert page["@odata.count"] == 3
        rows += [(row["__id"], row["state"], row["__system"]["version"]) for row in page["value"]]
        path = page.get("@odata.nextLink", "").partition("/v1")[2]
    assert rows == [(person, "new", 1) for person in reversed(people)]
    now = archive.staff.reads("/projects/1/datasets/people.svc/Entities?asOf=2026-03-12")["value"]
    assert {row["__id"]: row["state"] for row in now}[people[0]] == "ill"
    for query, code in (("asOf=2026-03-05&$filter=__id eq 'x'", 400.79), ("asOf=2026-03-05&$orderby=__id", 400.79), ("asOf=soon", 400.78)):
        assert problem_of(archive.staff.get(f"/projects/1/datasets/people.svc/Entities?{query}")) == (400, code)
