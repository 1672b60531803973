"""What a phone downloads of a register: its own village's rows, under a hash that changes when, and only when, they do."""

from __future__ import annotations

import csv
import io
import threading
import uuid
from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from server.http.kept_csvs import KeptCsvs
from server.model import EntityList, EntityProperty
from server.transactions import transaction
from tests.actors.house import House
from tests.actors.phone import CollectPhone
from tests.actors.program import Program
from tests.entities.followed_up import Register, visit

HERE, THERE, TOWN = "632223202200", "632223202201", "632223202"
LOOK_UP = """
| survey | | | |
| | type | name | label |
| | select_one_from_file people.csv | person | Person |
| settings | | | |
| | form_title | form_id | version |
| | 查看 | look_up | 1 |
"""
_PEOPLE = "/projects/1/datasets/people"


class Screen:
    """One phone's register: what its manifest says and what it downloads."""

    def __init__(self, phone: CollectPhone) -> None:
        self.phone = phone

    def entry(self) -> dict[str, str]:
        return self.phone.manifest("look_up")["people.csv"]

    def hash(self) -> str:
        return self.entry()["hash"]

    def content(self) -> bytes:
        answer = self.phone.get(self.entry()["downloadUrl"])
        assert answer.status_code == 200
        assert answer.headers["ETag"] == f'"{self.hash().removeprefix("md5:")}"'
        return answer.data  # type: ignore[no-any-return]

    def rows(self) -> dict[str, dict[str, str]]:
        return {row["name"]: row for row in csv.DictReader(io.StringIO(self.content().decode()))}

    def is_gone(self, person: str) -> bool:
        told = ElementTree.fromstring(self.phone.get(f"{self.entry()['integrityUrl']}?id={person}").data)
        return {one.get("id"): one.findtext("deleted") for one in told.iter("entity")} == {person: "true"}


class Village:
    """Two villages' phones, their township's, and staff."""

    def __init__(self, house: House) -> None:
        self.register = Register(house)
        house.publish(LOOK_UP)
        self.here, self.there, self.town = (Screen(house.new_phone(name=place, division=place)) for place in (HERE, THERE, TOWN))
        self.staff = Program.signed_in(house)

    def add(self, division: str = HERE) -> str:
        person = str(uuid.uuid4())
        self.register.send(visit(person, creates=True, who="张三", division=division, state="new"))
        return person

    def change(self, person: str, base: int, **answers: str) -> None:
        self.register.send(visit(person, base=base, **answers))


@pytest.fixture
def village(house: House) -> Village:
    return Village(house)


def test_the_hash_is_another_when_and_only_when_the_bytes_are(village: Village) -> None:
    staff, screens = village.staff, [village.here, village.there, village.town]
    person, other = village.add(HERE), village.add(THERE)
    many = [{"uuid": str(uuid.uuid4()), "label": "李四", "data": {"division": HERE}} for _number in range(3)]
    two = [one["uuid"] for one in many[:2]]
    steps: list[Callable[[], object]] = [
        lambda: village.change(person, 1, state="seen"),
        lambda: village.change(other, 1, state="seen"),
        lambda: staff.post(f"{_PEOPLE}/entities", {"uuid": str(uuid.uuid4()), "label": "王五", "data": {"division": THERE}}),
        lambda: staff.post(f"{_PEOPLE}/entities", {"entities": many, "source": {"name": "old.csv"}}),
        lambda: staff.patch(f"{_PEOPLE}/entities/{person}?force=true", {"label": "张三丰"}),
        lambda: village.change(person, 1, state="again"),
        lambda: staff.patch(f"{_PEOPLE}/entities/{person}?force=true&resolve=true", {}),
        lambda: staff.delete(f"{_PEOPLE}/entities/{person}"),
        lambda: staff.post(f"{_PEOPLE}/entities/{person}/restore"),
        lambda: staff.post(f"{_PEOPLE}/entities/bulk-delete", {"ids": two}),
        lambda: staff.post(f"{_PEOPLE}/entities/bulk-restore", {"ids": two}),
        lambda: staff.post(f"{_PEOPLE}/properties", {"name": "phone"}),
        lambda: village.register.send(visit(str(uuid.uuid4()), base=1, branch=str(uuid.uuid4()), state="early", division=HERE)),
        village.register.force,
        lambda: staff.post("/projects/1/datasets", {"name": "dogs"}),
    ]
    before = [(one.hash(), one.content()) for one in screens]
    changes = []
    for number, step in enumerate(steps):
        answer = step()
        assert getattr(answer, "status_code", 200) in {200, 201}, (number, answer)
        after = [(one.hash(), one.content()) for one in screens]
        for (old_hash, old), (new_hash, new) in zip(before, after, strict=True):
            assert (old_hash != new_hash) == (old != new), number
        changes.append([old != new for (_old, old), (_new, new) in zip(before, after, strict=True)])
        before = after
    here, there, town = True, True, True
    assert changes == [
        [here, False, town], [False, there, town], [False, there, town], [here, False, town], [here, False, town], [here, False, town],
        [False, False, False], [here, False, town], [here, False, town], [here, False, town], [here, False, town], [here, there, town],
        [False, False, False], [here, False, town], [False, False, False],
    ]  # fmt: skip


def test_a_person_who_moves_leaves_one_phone_and_reaches_the_other(village: Village) -> None:
    person, neighbour = village.add(HERE), village.add(HERE)
    here, there, town = village.here, village.there, village.town
    hashes = [one.hash() for one in (here, there, town)]
    village.change(person, 1, division=THERE)
    assert all(one.hash() != old for one, old in zip((here, there, town), hashes, strict=True))
    assert set(here.rows()) == {neighbour}
    assert set(there.rows()) == {person}
    assert set(town.rows()) == {person, neighbour}
    assert [one.is_gone(person) for one in (here, there, town)] == [True, False, False]
    # A visit of the old village's phone from before it heard of the move is not lost, and takes nobody back.
    assert here.phone.send(visit(person, base=1, state="seen")).status_code == 201
    assert (there.rows()[person]["state"], set(here.rows())) == ("seen", {neighbour})
    # Out of the township: its phone loses the row as well.
    village.change(person, 3, division="632223100200")
    assert [one.is_gone(person) for one in (here, there, town)] == [True, True, True]
    assert set(town.rows()) == {neighbour}


def test_an_officer_who_moves_has_the_new_villages_people_at_the_next_sync(village: Village) -> None:
    person, other = village.add(HERE), village.add(THERE)
    phone = village.here
    before = phone.hash()
    assert village.staff.patch(f"/projects/1/app-users/{phone.phone.access.id}", {"division": THERE}).status_code == 200
    assert set(phone.rows()) == {other}
    assert (phone.hash() != before, phone.hash()) == (True, village.there.hash())
    assert (phone.is_gone(person), phone.is_gone(other)) == (True, False)
    assert village.staff.patch(f"/projects/1/app-users/{phone.phone.access.id}", {"division": "nowhere"}).status_code == 400
    bound = Program.signed_in(village.register.house, "manager", division=THERE)
    assert bound.patch(f"/projects/1/app-users/{phone.phone.access.id}", {"division": HERE}).status_code == 403, "nobody hands over to where he has no say"
    assert set(phone.rows()) == {other}


@pytest.mark.parametrize("nowhere", ["", "  ", "五谷村", "63222320220", "6322232022001", "６３２２２３２０２２０１"])
def test_no_division_or_one_that_is_none_moves_nobody(village: Village, nowhere: str) -> None:
    person = village.add(HERE)
    village.change(person, 1, division=nowhere)
    village.change(person, 2, state="seen")
    assert village.here.rows()[person]["__version"] == "3"
    assert (village.there.rows(), village.here.is_gone(person)) == ({}, False)


def test_a_phone_that_has_the_bytes_is_told_so_and_nothing_is_made(village: Village) -> None:
    village.add(HERE)
    entry = village.here.entry()
    tag = f'"{entry["hash"].removeprefix("md5:")}"'
    kept = village.register.house.app.extensions["minqing"].csvs
    answer = village.here.phone.get(entry["downloadUrl"], **{"If-None-Match": tag})
    assert (answer.status_code, answer.data, kept.find(tag.strip('"'))) == (304, b"", None)
    assert village.here.content() == kept.find(tag.strip('"'))
    village.add(THERE)
    assert village.here.phone.get(entry["downloadUrl"], **{"If-None-Match": tag}).status_code == 304
    village.add(HERE)
    assert village.here.phone.get(entry["downloadUrl"], **{"If-None-Match": tag}).status_code == 200


def test_a_list_too_long_to_keep_is_streamed_with_the_same_bytes(village: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    village.add(HERE)
    village.add(THERE)
    kept = village.here.content()
    monkeypatch.setattr("server.http.form_files.MOST_ROWS", 0)
    village.register.house.app.extensions["minqing"].csvs.forget()
    answer = village.here.phone.get(village.here.entry()["downloadUrl"])
    assert answer.is_streamed
    assert answer.data == kept == village.here.content()


def test_kept_lists_are_bounded_and_made_once() -> None:
    kept = KeptCsvs(most_bytes=100)
    assert kept.find_or_make("big", [b"x" * 60]) == b"x" * 60
    assert kept.find("big") is None, "one list does not push out all others"
    for number in range(10):
        kept.find_or_make(str(number), [b"y" * 20])
    assert [number for number in range(10) if kept.find(str(number)) is not None] == [5, 6, 7, 8, 9]
    made: list[int] = []
    started = threading.Barrier(6)

    def pieces() -> list[bytes]:
        made.append(1)
        return [b"z"]

    class Once:
        def __iter__(self):
            return iter(pieces())

    def ask() -> None:
        started.wait()
        assert kept.find_or_make("z", Once()) == b"z"

    threads = [threading.Thread(target=ask) for _number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_any_text_reads_as_it_was_written(village: Village) -> None:
    texts = ["五谷村，1号", "a,b", 'say "hi"', "two\nlines", "\r", " ", "", "\x1f", "\x1e", "a\x1f\x1eb", "=1+1", "\\N", "\\.", "🏠", "ü" * 3000]
    many = [{"uuid": str(uuid.uuid4()), "label": value if value.strip() else "-", "data": {"division": HERE, "state": value}} for value in texts]
    expected = {}
    for one in many:
        answer = village.staff.post(f"{_PEOPLE}/entities", one)
        assert answer.status_code == 200, answer.text
        expected[one["uuid"]] = (one["label"], one["data"]["state"])  # type: ignore[index]
        rows = csv.reader(io.StringIO(village.here.content().decode(), newline=""))
        assert {row[0]: (row[1], row[4]) for row in list(rows)[1:]} == expected


def test_a_list_of_many_columns_and_many_blocks_is_whole(village: Village) -> None:
    names = [f"p{number}" for number in range(700)]
    with transaction(village.register.house.engine, write=True) as session:
        people = session.query(EntityList).filter_by(name="people").one()
        session.add_all(EntityProperty(list_id=people.id, name=name, created_at=people.created_at) for name in names)
    many = [{"uuid": str(uuid.uuid4()), "label": f"人{number}", "data": {"division": HERE, "p699": str(number)}} for number in range(9000)]
    assert village.staff.post(f"{_PEOPLE}/entities", {"entities": many, "source": {"name": "x.csv"}}).status_code == 200
    lines = village.here.content().decode().splitlines()
    assert lines[0].split(",")[-1] == "p699"
    assert [(line.split(",")[0], line.split(",")[-1]) for line in lines[1:]] == [(one["uuid"], one["data"]["p699"]) for one in reversed(many)]
