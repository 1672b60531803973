"""Offline branches: whatever the order of arrival, one outcome; what must wait waits and is seen."""

from __future__ import annotations

import itertools
import uuid

import pytest

from server.entities.held import list_held
from server.model import AuditEntry, SubmissionVersion
from server.transactions import transaction
from tests.actors.house import House
from tests.actors.program import Program
from tests.entities.followed_up import Register, visit


@pytest.fixture
def register(house: House) -> Register:
    return Register(house)


def chain(person: str) -> list[bytes]:
    """Made, then changed three times, all offline on one phone."""
    branch = str(uuid.uuid4())
    return [
        visit(person, creates=True, who="张三", state="new", age="1"),
        visit(person, base=1, branch=branch, state="first"),
        visit(person, base=2, branch=branch, age="2"),
        visit(person, base=3, branch=branch, state="last", who="张三丰"),
    ]


def test_every_order_of_arrival_of_an_offline_chain_ends_the_same(register: Register) -> None:
    outcomes = []
    for order in itertools.permutations(range(4)):
        person = str(uuid.uuid4())
        sent = chain(person)
        for number in order:
            register.send(sent[number])
        entity = register.entity(person)
        assert entity is not None
        assert register.held() == 0
        outcomes.append((entity["label"], entity["version"], entity["conflict"], entity["data"], [v["base_version"] for v in register.versions(person)]))
    assert outcomes == [("张三丰", 4, None, {"state": "last", "age": "2"}, [None, 1, 2, 3])] * 24


def test_a_long_chain_that_waited_for_its_creation_is_applied_to_its_end(register: Register) -> None:
    person, branch = str(uuid.uuid4()), str(uuid.uuid4())
    for base in range(300, 0, -1):
        register.send(visit(person, base=base, branch=branch, age=str(base)))
    register.send(visit(person, creates=True, who="张三"))
    entity = register.entity(person)
    assert entity is not None
    assert (entity["version"], entity["data"], entity["conflict"], register.held()) == (301, {"age": "300"}, None, 0)


def test_a_chain_sent_twice_is_applied_once(register: Register) -> None:
    person = str(uuid.uuid4())
    sent = chain(person)
    for xml in [sent[2], sent[0], sent[2], sent[0], sent[1], sent[1]]:
        register.send(xml)
    entity = register.entity(person)
    assert entity is not None and entity["version"] == 3


def test_an_update_across_a_gap_waits_and_staff_see_it(register: Register) -> None:
    person, branch = str(uuid.uuid4()), str(uuid.uuid4())
    register.send(visit(person, creates=True, who="李四", state="new"))
    register.send(visit(person, base=3, trunk=1, branch=branch, state="third"))
    assert register.held() == 1
    with transaction(register.house.engine) as session:
        [row] = list_held(session, register.house.admin, 1)
        assert (row.uuid, row.base_version) == (person, 3)
    [shown] = Program.signed_in(register.house).reads("/projects/1/datasets/people/held")
    assert (shown["uuid"], shown["baseVersion"], shown["data"]) == (person, 3, {"state": "third"})
    assert [row["action"] for row in register.house.rows(AuditEntry, AuditEntry.action.like("submission.backlog%"))] == ["submission.backlog.hold"]
    entity = register.entity(person)
    assert entity is not None and entity["data"]["state"] == "new"


def test_after_five_days_what_waits_is_applied_and_marked(register: Register) -> None:
    person, branch = str(uuid.uuid4()), str(uuid.uuid4())
    register.send(visit(person, base=1, branch=branch, state="first"))
    register.send(visit(person, base=2, branch=branch, state="second"))
    assert register.entity(person) is None
    assert register.force() == 2
    entity = register.entity(person)
    assert entity is not None
    assert (entity["label"], entity["data"]["state"], entity["version"], register.held()) == ("auto generated", "second", 2, 0)
    assert [version["forced"] for version in register.versions(person)] == [True, True]
    # The creation comes at last: one more version, for staff to look at.
    register.send(visit(person, creates=True, who="王五", state="new"))
    entity = register.entity(person)
    assert entity is not None
    assert (entity["version"], entity["conflict"], entity["label"]) == (3, "hard", "王五")


def test_two_phones_that_change_other_properties_are_in_soft_conflict_and_the_same_in_hard(register: Register) -> None:
    person = str(uuid.uuid4())
    register.send(visit(person, creates=True, who="赵六", state="new", age="1"))
    register.send(visit(person, base=1, trunk=1, branch=str(uuid.uuid4()), age="2"))
    register.send(visit(person, base=1, trunk=1, branch=str(uuid.uuid4()), state="seen"))
    entity = register.entity(person)
    assert entity is not None
    assert (entity["conflict"], entity["data"]) == ("soft", {"state": "seen", "age": "2"})
    register.send(visit(person, base=1, trunk=1, branch=str(uuid.uuid4()), age="3"))
    entity = register.entity(person)
    assert entity is not None
    assert (entity["conflict"], entity["data"]["age"], entity["version"]) == ("hard", "3", 4)


def test_what_cannot_be_applied_is_told_and_changes_nothing(register: Register) -> None:
    person = str(uuid.uuid4())
    register.send(visit(person, base=1, state="x", instance="uuid:lost"))
    [version] = register.house.rows(SubmissionVersion, SubmissionVersion.instance_id == "uuid:lost")
    assert person in version["entity_errors"][0]["en"]
    [entry] = register.house.rows(AuditEntry, AuditEntry.action == "entity.error")
    assert entry["details"]["problem"]["problemCode"] == 404.8
    register.send(visit("no-uuid", creates=True, who="x"))
    register.send(visit(person, creates=True))
    assert register.entity(person) is None


def test_a_phone_changes_only_what_was_in_its_division(register: Register) -> None:
    person = str(uuid.uuid4())
    register.send(visit(person, creates=True, who="钱七", division="632223202200", state="new"))
    other = register.house.new_phone(division="632223203")
    register.send(visit(person, base=1, state="stolen"), other)
    entity = register.entity(person)
    assert entity is not None and entity["data"]["state"] == "new"
    # Nor by waiting: the update is released once its base is there, and still is not the phone's to make.
    branch = str(uuid.uuid4())
    register.send(visit(person, base=2, trunk=2, branch=branch, state="stolen"), other)
    register.send(visit(person, base=1, age="4"))
    assert register.held() == 0
    entity = register.entity(person)
    assert entity is not None and entity["data"] == {"division": "632223202200", "state": "new", "age": "4"}
    own = register.house.new_phone(division="632223202")
    register.send(visit(person, base=1, state="seen", division="632223203299"), own)
    # Handed over since; the phone that had it before had not heard of it.
    register.send(visit(person, base=1, age="5"), own)
    entity = register.entity(person)
    assert entity is not None
    assert (entity["data"]["age"], entity["division"]) == ("5", "632223203299")


def test_of_what_came_online_a_branchs_first_update_tells_and_later_ones_are_in_soft_conflict(register: Register) -> None:
    person, branch = str(uuid.uuid4()), str(uuid.uuid4())
    register.send(visit(person, creates=True, who="孙八", state="new", age="1"))
    staff = Program.signed_in(register.house)
    assert staff.patch(f"/projects/1/datasets/people/entities/{person}?baseVersion=1", {"data": {"age": "24"}}).status_code == 200
    register.send(visit(person, base=1, trunk=1, branch=branch, state="seen"))
    register.send(visit(person, base=2, trunk=1, branch=branch, age="26"))
    assert [row["conflict"] for row in register.versions(person)] == [None, None, "soft", "soft"]
    # Another branch is offline as well: whichever of the two comes first.
    register.send(visit(person, base=1, trunk=1, branch=str(uuid.uuid4()), age="25"))
    entity = register.entity(person)
    assert entity is not None and (entity["conflict"], entity["data"]["age"]) == ("hard", "25")
