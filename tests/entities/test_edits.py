"""An edit of a submission corrects its entity, and takes nothing from those who came after."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from server.model import AuditEntry, EntityHeld, SubmissionVersion
from tests.actors.house import House
from tests.actors.program import Program
from tests.entities.followed_up import Register, visit
from tests.entities.test_after_review import FORM, UUID


@pytest.fixture
def register(house: House) -> Register:
    return Register(house)


def now_of(register: Register, person: str) -> tuple[Any, ...]:
    entity = register.entity(person)
    assert entity is not None
    return entity["version"], entity["label"], entity["data"], entity["conflict"]


def a_person(register: Register, instance: str = "uuid:made") -> str:
    person = str(uuid.uuid4())
    register.send(visit(person, creates=True, who="张三", state="new", age="60", instance=instance))
    return person


def test_what_an_edit_says_otherwise_is_corrected_in_a_version_that_names_the_one_it_supersedes(register: Register) -> None:
    person = a_person(register)
    register.send(visit(person, base=1, state="seen", age="61", instance="uuid:visit"))
    edit = visit(person, base=1, state="seen", age="71", instance="uuid:edit", replaces="uuid:visit")
    register.send(edit)
    assert now_of(register, person) == (3, "张三", {"state": "seen", "age": "71"}, None)
    last = register.versions(person)[-1]
    assert (last["received"], last["supersedes"], last["base_version"], last["event"]) == ({"age": "71"}, 2, 2, "submission.update.version")
    # Once more, by a phone that got no answer; and an edit that differs in nothing that the entity knows.
    register.send(edit)
    register.send(visit(person, base=1, state="seen", age="71", known="x", instance="uuid:same", replaces="uuid:edit"))
    assert now_of(register, person)[0] == 3
    staff = Program.signed_in(register.house)
    shown = staff.reads(f"/projects/1/datasets/people/entities/{person}/versions")
    assert [(one["version"], one.get("supersedes"), one["conflict"]) for one in shown] == [(1, None, None), (2, None, None), (3, 2, None)]
    assert shown[2]["source"]["event"]["action"] == "submission.update.version"
    assert shown[2]["source"]["submission"]["instanceId"] == "uuid:visit"


def test_the_label_and_what_a_creation_said_are_corrected_too(register: Register) -> None:
    person = a_person(register)
    register.send(visit(person, creates=True, who="章三", state="new", instance="uuid:edit", replaces="uuid:made"))
    assert now_of(register, person) == (2, "章三", {"state": "new", "age": ""}, None), "what it says no more is taken back"
    register.send(visit(person, creates=True, state="new", age="9", instance="uuid:again", replaces="uuid:edit"))
    assert now_of(register, person) == (3, "章三", {"state": "new", "age": "9"}, None), "no label is no other label"


def test_what_somebody_changed_since_stands_and_staff_see_both_and_settle_it(register: Register) -> None:
    person = a_person(register)
    register.send(visit(person, base=1, state="seen", age="61", instance="uuid:visit"))
    register.send(visit(person, base=2, age="62"))
    register.send(visit(person, base=1, state="ill", age="71", instance="uuid:edit", replaces="uuid:visit"))
    assert now_of(register, person) == (4, "张三", {"state": "ill", "age": "62"}, "hard")
    staff = Program.signed_in(register.house)
    path = f"/projects/1/datasets/people/entities/{person}"
    shown = staff.reads(f"{path}/versions?relevantToConflict=true")
    assert [one["version"] for one in shown] == [2, 3, 4]
    last = shown[-1]
    assert (last["conflict"], last["conflictingProperties"], last["dataReceived"], last["data"]["age"]) == ("hard", ["age"], {"state": "ill", "age": "71"}, "62")
    assert staff.patch(f"{path}?resolve=true&baseVersion=4", {"data": {"age": "71"}}).status_code == 200
    assert now_of(register, person) == (5, "张三", {"state": "ill", "age": "71"}, None)
    # What staff settled is somebody's change as well.
    register.send(visit(person, base=1, state="ill", age="81", instance="uuid:edit2", replaces="uuid:edit"))
    assert now_of(register, person) == (6, "张三", {"state": "ill", "age": "71"}, "hard")


def test_edits_of_edits_chain_and_the_last_one_taken_back_leaves_what_was_there_before(register: Register) -> None:
    person = a_person(register)
    register.send(visit(person, base=1, state="seen", instance="uuid:0"))
    for number, state in enumerate(["a", "b", "c"], start=1):
        register.send(visit(person, base=1, state=state, instance=f"uuid:{number}", replaces=f"uuid:{number - 1}"))
    register.send(visit(person, base=1, age="5", instance="uuid:4", replaces="uuid:3"))
    versions = register.versions(person)
    assert [one["supersedes"] for one in versions] == [None, None, 2, 3, 4, 5]
    assert now_of(register, person) == (6, "张三", {"state": "new", "age": "5"}, None)


def test_an_edit_made_by_staff_in_the_browser_corrects_too(register: Register) -> None:
    person = a_person(register)
    staff = Program.signed_in(register.house, "manager")
    xml = visit(person, creates=True, who="张三", state="new", age="70", instance="uuid:staff", replaces="uuid:made")
    answer = staff.ask("PUT", "/projects/1/forms/follow_up/submissions/uuid:made", xml, Content_Type="text/xml")
    assert answer.status_code == 200, answer.text
    assert now_of(register, person) == (2, "张三", {"state": "new", "age": "70"}, None)


def test_an_edit_that_comes_before_its_change_is_applied_takes_its_place_and_its_time(register: Register) -> None:
    person, branch = str(uuid.uuid4()), str(uuid.uuid4())
    register.send(visit(person, base=2, branch=branch, age="62", instance="uuid:second"))
    [first] = register.house.rows(EntityHeld)
    register.send(visit(person, base=2, branch=branch, age="72", instance="uuid:edit", replaces="uuid:second"))
    [held] = register.house.rows(EntityHeld)
    assert (held["change"]["data"], held["held_at"]) == ({"age": "72"}, first["held_at"])
    register.send(visit(person, creates=True, who="张三", age="60"))
    register.send(visit(person, base=1, branch=branch, age="61"))
    assert now_of(register, person) == (3, "张三", {"age": "72"}, None)
    [edit] = register.house.rows(SubmissionVersion, SubmissionVersion.instance_id == "uuid:edit")
    assert register.versions(person)[-1]["received"] == {"age": "72"}
    assert edit["entity_errors"] is None


def test_an_edit_that_names_another_entity_takes_back_the_one_and_changes_the_other(register: Register) -> None:
    wrong, right = a_person(register, "uuid:a"), a_person(register, "uuid:b")
    register.send(visit(wrong, base=1, state="dead", age="61", instance="uuid:visit"))
    register.send(visit(wrong, base=2, age="62"))
    register.send(visit(right, base=1, state="dead", age="61", instance="uuid:edit", replaces="uuid:visit"))
    assert now_of(register, right) == (2, "张三", {"state": "dead", "age": "61"}, None)
    version, _label, data, conflict = now_of(register, wrong)
    assert (version, data, conflict) == (4, {"state": "new", "age": "62"}, "hard"), "alive again; of the age, staff decide"


def test_a_creation_that_is_taken_back_goes_into_the_trash_unless_somebody_has_changed_it(register: Register) -> None:
    alone, visited, other = a_person(register, "uuid:a"), a_person(register, "uuid:b"), str(uuid.uuid4())
    register.send(visit(visited, base=1, state="seen"))
    register.send(visit(other, creates=True, who="李四", instance="uuid:a2", replaces="uuid:a"))
    register.send(visit(other, base=1, age="3", instance="uuid:b2", replaces="uuid:b"))
    gone = register.entity(alone)
    assert gone is not None and gone["deleted_at"] is not None
    staff = Program.signed_in(register.house)
    assert staff.post(f"/projects/1/datasets/people/entities/{alone}/restore").status_code == 200
    version, _label, data, conflict = now_of(register, visited)
    assert (version, data, conflict) == (3, {"state": "seen", "age": "60"}, "hard")
    assert now_of(register, other)[:3] == (2, "李四", {"age": "3"})


def test_an_edit_that_cannot_be_applied_is_told_and_changes_nothing(register: Register) -> None:
    person = a_person(register)
    staff = Program.signed_in(register.house)
    staff.delete(f"/projects/1/datasets/people/entities/{person}")
    register.send(visit(person, creates=True, who="李四", instance="uuid:edit", replaces="uuid:made"))
    register.send(visit("no-uuid", creates=True, who="李四", instance="uuid:edit2", replaces="uuid:edit"))
    rows = {row["instance_id"]: row["entity_errors"] for row in register.house.rows(SubmissionVersion)}
    assert [bool(rows[name]) for name in ("uuid:made", "uuid:edit", "uuid:edit2")] == [False, True, True]
    assert len(register.house.rows(AuditEntry, AuditEntry.action == "entity.error")) == 2
    entity = register.entity(person)
    assert entity is not None and (entity["version"], entity["label"]) == (1, "张三")


def test_of_a_list_that_waits_for_approval_an_edit_corrects_once_it_is_approved(house: House) -> None:
    house.publish(FORM)
    manager, phone = Program.signed_in(house, "manager"), house.new_phone()
    manager.patch("/projects/1/datasets/applicants", {"approvalRequired": True})
    path, entity = "/projects/1/forms/apply/submissions/uuid:a", f"/projects/1/datasets/applicants/entities/{UUID}"

    def application(instance: str, name: str, replaces: str = "") -> bytes:
        deprecated = f"<orx:deprecatedID>{replaces}</orx:deprecatedID>" if replaces else ""
        return (
            f'<data xmlns:orx="http://openrosa.org/xforms" id="apply" version="1"><full_name>{name}</full_name><enrol>yes</enrol>'
            f"<meta><orx:instanceID>{instance}</orx:instanceID>{deprecated}"
            f'<entity dataset="applicants" id="{UUID}" create="1"><label>{name}</label></entity></meta></data>'
        ).encode()

    assert phone.send(application("uuid:a", "张三")).status_code == 201
    assert phone.send(application("uuid:b", "章三", "uuid:a")).status_code == 201
    assert manager.get(entity).status_code == 404
    manager.patch(path, {"reviewState": "approved"})
    assert manager.reads(entity)["currentVersion"]["label"] == "章三"
    assert phone.send(application("uuid:c", "张三丰", "uuid:b")).status_code == 201
    assert manager.reads(entity)["currentVersion"]["label"] == "章三"
    for _twice in range(2):
        manager.patch(path, {"reviewState": "approved"})
        current = manager.reads(entity)["currentVersion"]
        assert (current["label"], current["version"], current["supersedes"]) == ("张三丰", 2, 1)


@pytest.mark.parametrize("edit_comes_last", [True, False])
def test_a_form_that_repeats_what_it_was_shown_takes_no_correction_back_whichever_comes_first(register: Register, edit_comes_last: bool) -> None:
    person, branch = a_person(register), str(uuid.uuid4())
    register.send(visit(person, base=1, trunk=1, branch=branch, state="new", age="61", instance="uuid:visit"))
    edit = visit(person, base=1, trunk=1, branch=branch, state="new", age="71", instance="uuid:edit", replaces="uuid:visit")
    others = [visit(person, base=2, trunk=1, branch=branch, state="seen", age="61"), visit(person, base=2, state="seen", age="61")]
    for xml in [*others, edit] if edit_comes_last else [edit, *others]:
        register.send(xml)
    version, _label, data, conflict = now_of(register, person)
    # The second of the others had not seen the first: a soft conflict of theirs, but none with the correction.
    assert (version, data, conflict) == (5, {"state": "seen", "age": "71"}, "soft")
    # Who sets it otherwise is in conflict with it.
    register.send(visit(person, base=3, trunk=1, branch=branch, state="seen", age="62"))
    assert now_of(register, person)[2:] == ({"state": "seen", "age": "62"}, "hard")
