"""Follow-up visits filled in by JavaRosa, the engine inside Collect, from the list that the server gave, offline, one after the other."""

from __future__ import annotations

import csv
import io
import itertools
import uuid
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.actors.house import House
from tests.actors.javarosa import JavaRosa
from tests.actors.phone import CollectPhone
from tests.entities.followed_up import Register

VILLAGE = "632223202200"
ENROL = """
| survey | | | | |
| | type | name | label | save_to |
| | text | who | Name | |
| | text | division | Village | division |
| | text | state | State | state |
| | integer | age | Age | age |
| settings | | | |
| | form_title | form_id | version |
| | 登记 | enrol | 1 |
| entities | | |
| | list_name | label |
| | people | ${who} |
"""
KNOWN = "instance('people')/root/item[name=${person}]"
VISIT = f"""
| survey | | | | | | |
| | type | name | label | save_to | trigger | calculation |
| | select_one_from_file people.csv | person | Person | | | |
| | text | state | State | state | ${{person}} | {KNOWN}/state |
| | integer | age | Age | age | ${{person}} | {KNOWN}/age |
| settings | | | |
| | form_title | form_id | version |
| | 探访 | visit | 1 |
| entities | | |
| | list_name | entity_id |
| | people | ${{person}} |
"""


class Officer:
    """A phone with its own store of entities, as Collect keeps it between two syncs."""

    def __init__(self, engine: JavaRosa, phone: CollectPhone) -> None:
        self.engine, self.phone = engine, phone
        self.forms = {entry["formID"]: phone.get(entry["downloadUrl"]).data for entry in phone.form_list()}
        self.store: dict[str, dict[str, str]] = {}
        self.sync()

    def sync(self) -> None:
        """The list by its manifest: a row of a higher version replaces what the phone made of it."""
        content = self.phone.get(self.phone.manifest("visit")["people.csv"]["downloadUrl"]).data.decode()
        self.columns = next(csv.reader(io.StringIO(content)))
        for row in csv.DictReader(io.StringIO(content)):
            known = self.store.get(row["name"])
            if known is None or int(row["__version"]) > int(known["__version"]):
                self.store[row["name"]] = {**row, "__trunkVersion": row["__version"], "__branchId": str(uuid.uuid4())}

    def fills(self, form_id: str, answers: dict[str, str], *, shown: dict[str, str] | None = None) -> bytes:
        """The submission; what it makes of its entity the phone knows at once."""
        out = io.StringIO()
        writer = csv.DictWriter(out, [*self.columns, "__trunkVersion", "__branchId"])
        writer.writeheader()
        writer.writerows(self.store.values())
        form = self.engine.open(self.forms[form_id], {"people.csv": out.getvalue().encode()} if form_id == "visit" else {})
        for number, (path, value) in enumerate(answers.items()):
            form.fill({path: value})
            if number == 0 and shown is not None:
                assert {name: form.value(name) for name in shown} == shown
        xml = form.finalise()
        self._learn(xml)
        return xml

    def _learn(self, xml: bytes) -> None:
        root = ElementTree.fromstring(xml)
        [entity] = [one for one in root.iter() if one.tag.rpartition("}")[2] == "entity"]
        said = {one.tag.rpartition("}")[2]: one.text or "" for one in root}
        known = self.store.get(entity.attrib["id"])
        if known is None:
            label = next(one.text or "" for one in entity if one.tag.rpartition("}")[2] == "label")
            known = {"name": entity.attrib["id"], "label": label, "__version": "0", "__trunkVersion": "", "__branchId": str(uuid.uuid4())}
        changed = {name: value for name, value in said.items() if name in self.columns}
        self.store[known["name"]] = {**known, **changed, "__version": str(int(known["__version"]) + 1)}


def place_of(xml: bytes) -> dict[str, str]:
    [entity] = [one for one in ElementTree.fromstring(xml).iter() if one.tag.rpartition("}")[2] == "entity"]
    return {name: entity.attrib.get(name, "") for name in ("baseVersion", "trunkVersion", "branchId")}


@pytest.fixture(scope="module")
def engine() -> Iterator[JavaRosa]:
    with JavaRosa() as running:
        yield running


@pytest.fixture
def register(house: House) -> Register:
    made = Register(house)
    house.publish(ENROL)
    house.publish(VISIT)
    return made


def outcome(register: Register, person: str) -> tuple[Any, ...]:
    entity = register.entity(person)
    assert entity is not None
    versions = [(row["base_version"], row["branch_base_version"], row["conflict"], row["data"]) for row in register.versions(person)]
    return entity["label"], entity["version"], entity["conflict"], entity["data"], versions


@pytest.mark.slow
def test_two_visits_offline_end_the_same_whichever_is_sent_first(register: Register, engine: JavaRosa) -> None:
    officer = Officer(engine, register.house.new_phone(division=VILLAGE))
    people = []
    for _number in range(2):
        enrolled = officer.fills("enrol", {"who": "卓玛", "division": VILLAGE, "state": "new", "age": "70"})
        register.send(enrolled, officer.phone)
        people.append(list(officer.store)[-1])
    officer.store.clear()
    officer.sync()
    outcomes = []
    for person, order in zip(people, ((0, 1), (1, 0)), strict=True):
        visits = [
            officer.fills("visit", {"person": person, "state": "seen"}, shown={"state": "new", "age": "70"}),
            officer.fills("visit", {"person": person, "age": "71"}, shown={"state": "seen", "age": "70"}),
        ]
        first, second = map(place_of, visits)
        assert [first["baseVersion"], second["baseVersion"]] == ["1", "2"]
        assert first["trunkVersion"] == second["trunkVersion"] == "1"
        assert first["branchId"] == second["branchId"] != ""
        for number in order:
            register.send(visits[number], officer.phone)
        outcomes.append(outcome(register, person))
        assert register.held() == 0
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][:4] == ("卓玛", 3, None, {"division": VILLAGE, "state": "seen", "age": "71"})
    before = {name: dict(row) for name, row in officer.store.items()}
    officer.sync()
    assert officer.store == before, "the server's third version is what the phone has"


@pytest.mark.slow
def test_who_was_enrolled_and_visited_twice_offline_ends_the_same_in_any_order(register: Register, engine: JavaRosa) -> None:
    officer = Officer(engine, register.house.new_phone(division=VILLAGE))
    outcomes = []
    for order in itertools.permutations(range(3)):
        work = [officer.fills("enrol", {"who": "才让", "division": VILLAGE, "state": "new", "age": "80"})]
        person = list(officer.store)[-1]
        work += [officer.fills("visit", {"person": person, "state": "seen"}), officer.fills("visit", {"person": person, "age": "81"})]
        assert [place_of(xml)["trunkVersion"] for xml in work[1:]] == ["", ""]
        for number in order:
            register.send(work[number], officer.phone)
        outcomes.append(outcome(register, person))
    assert outcomes == [outcomes[0]] * 6
    assert outcomes[0][:4] == ("才让", 3, None, {"division": VILLAGE, "state": "seen", "age": "81"})
    assert register.held() == 0
