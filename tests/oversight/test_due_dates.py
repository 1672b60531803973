"""Due dates and labels as phones have them: right each day and after each visit, on few rows, and in nobody's way."""

from __future__ import annotations

import csv
import io
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from server.model import EntityVersion, SubmissionVersion
from tests.actors.house import House
from tests.oversight.county import NEIGHBOUR, PERSONS, VILLAGE, County, at

HOUSEHOLDS = "/projects/1/datasets/households/entities"
BATCHES = "/projects/1/datasets/relief_batches/entities"


@pytest.fixture
def county(house: House) -> County:
    return County(house, "wubao_visit")


def reads(county: County, person: str) -> tuple[str, str, str]:
    """(label, next_due, overdue)."""
    row = county.entity(person)
    return row["label"], row["data"].get("next_due", ""), row["data"].get("overdue", "")


def maintained(county: County) -> int:
    return len(county.house.rows(EntityVersion, EntityVersion.event == "entity.maintained"))


def test_a_new_person_is_due_this_quarter_and_the_label_says_so(county: County) -> None:
    early, late = county.registers("张三", "2026-10-02"), county.registers("李四", "2026-12-20")
    county.keeps_up("2026-12-21")
    assert reads(county, early) == ("张三  本季度未访", "2026-12-31", "at_risk")
    assert reads(county, late) == ("李四", "2027-03-31", "no")


def test_a_visit_moves_the_date_and_the_quarters_change_brings_the_label_back(county: County) -> None:
    person = county.registers("张三", "2026-07-02")
    county.keeps_up("2026-08-01")
    assert reads(county, person) == ("张三  本季度未访", "2026-09-30", "no")
    county.visits(person, "2026-08-05")
    county.keeps_up("2026-08-05")
    assert reads(county, person) == ("张三", "2026-12-31", "no")
    county.keeps_up("2026-09-30")
    assert reads(county, person) == ("张三", "2026-12-31", "no")
    county.keeps_up("2026-10-01")
    assert reads(county, person) == ("张三  本季度未访", "2026-12-31", "no")
    county.keeps_up("2026-12-17")
    assert reads(county, person)[2] == "at_risk"
    county.keeps_up("2027-01-01")
    assert reads(county, person) == ("张三  本季度未访", "2026-12-31", "missed")


def test_only_rows_that_read_otherwise_are_changed(county: County) -> None:
    people = [county.registers(f"村民{number}", "2026-07-02") for number in range(130)]
    county.keeps_up("2026-08-01")
    assert maintained(county) == 130
    for day in ("2026-08-01", "2026-08-02", "2026-08-30"):
        county.keeps_up(day)
    assert maintained(county) == 130
    county.visits(people[7], "2026-08-31")
    county.keeps_up("2026-08-31")
    assert maintained(county) == 131


def test_a_rejected_visit_is_no_visit_and_neither_is_one_not_met(county: County) -> None:
    person = county.registers("张三", "2026-07-02")
    made = county.visits(person, "2026-08-05")
    county.visits(person, "2026-08-06", met="not_home")
    county.keeps_up("2026-08-06")
    assert reads(county, person)[1] == "2026-12-31"
    county.reviews(made, "rejected")
    county.keeps_up("2026-08-07")
    assert reads(county, person) == ("张三  本季度未访", "2026-09-30", "no")


def test_who_died_moved_or_is_of_no_programme_is_not_due(county: County) -> None:
    dead, other = county.registers("张三", "2026-07-02"), county.registers("李四", "2026-07-02", category="none")
    county.keeps_up("2026-08-01")
    county.visits(dead, "2026-08-05", met="died", died_on="2026-08-04")
    county.keeps_up("2026-08-05")
    assert (reads(county, dead), reads(county, other)) == (("张三", "", ""), ("李四", "", ""))


def test_a_phone_that_was_offline_meanwhile_is_in_no_conflict(county: County) -> None:
    online, offline = county.registers("张三", "2026-07-02"), county.registers("李四", "2026-07-02")
    # The phone has version 1 of both; the server keeps them up twice before it sends.
    county.keeps_up("2026-08-01")
    county.keeps_up("2026-09-20")
    county.visits(online, "2026-08-10", base=1, received="2026-09-21")
    county.visits(offline, "2026-08-10", base=1, offline=True, received="2026-09-21")
    county.keeps_up("2026-09-21")
    for person, name in ((online, "张三"), (offline, "李四")):
        row = county.entity(person)
        assert (row["conflict"], row["data"]["last_visit"], row["data"]["next_due"], row["label"]) == (None, "2026-08-10", "2026-12-31", name)
        page = county.staff.reads(f"{PERSONS}/{person}/versions?relevantToConflict=true")
        assert page == []
    assert [row["entity_errors"] for row in county.house.rows(SubmissionVersion)] == [None, None]


def test_a_chain_made_offline_around_the_servers_own_versions_is_applied_whole_and_a_true_conflict_is_still_one(county: County) -> None:
    person, branch = county.registers("张三", "2026-07-02"), str(uuid.uuid4())
    county.keeps_up("2026-08-01")

    def sends(base: int, trunk: int, branch: str, risk: str) -> None:
        entity = f'<entity dataset="persons" id="{person}" update="1" baseVersion="{base}" trunkVersion="{trunk}" branchId="{branch}"/>'
        told = {"person": person, "met": "not_home", "today": "2026-08-10", "status": "active", "risk": risk}
        county.reports("wubao_visit", at("2026-09-21"), told, entity=entity)

    sends(1, 1, branch, "low")
    county.keeps_up("2026-09-20")
    sends(2, 1, branch, "medium")
    county.keeps_up("2026-10-02")
    sends(3, 1, branch, "high")
    row = county.entity(person)
    assert (row["conflict"], row["data"]["risk"]) == (None, "high")
    # Another phone, that had seen none of it, says otherwise.
    sends(1, 1, str(uuid.uuid4()), "low")
    assert county.entity(person)["conflict"] == "hard"
    county.keeps_up("2026-10-03")
    assert county.entity(person)["conflict"] == "hard"


def test_staff_who_opened_the_page_before_the_job_came_may_save_and_others_must_look_again(county: County) -> None:
    person = county.registers("张三", "2026-07-02")
    county.keeps_up("2026-08-01")
    assert county.entity(person)["version"] == 2
    saved = county.staff.patch(f"{PERSONS}/{person}?baseVersion=1", {"data": {"risk": "high"}})
    assert saved.status_code == 200, saved.text
    assert county.staff.patch(f"{PERSONS}/{person}?baseVersion=1", {"data": {"risk": "low"}}).status_code == 409
    for wrong in ("9", "x", "-1", "99999999999999999999"):
        assert county.staff.patch(f"{PERSONS}/{person}?baseVersion={wrong}", {"data": {"risk": "low"}}).status_code in {400, 409}


def test_an_edit_that_takes_its_entity_back_is_not_held_up_by_the_servers_own_version(county: County) -> None:
    instance, household = f"uuid:{uuid.uuid4()}", str(uuid.uuid4())
    made = f'<entity dataset="households" id="{household}" create="1"><label>王一 塔列村 1 号</label></entity>'
    told = {"household_category": "dibao", "household_status": "active", "household_division": VILLAGE}
    county.publishes("household_verification")
    county.reports("household_register", at("2026-07-02"), told, entity=made, instance=instance)
    county.keeps_up("2026-08-01")
    assert county.entity(household)["data"]["next_due"] == "2026-12-31"
    edit = county.phone().send(
        (f'<data xmlns:orx="http://openrosa.org/xforms" id="household_register" version="{county.versions["household_register"]}"><division>{VILLAGE}</division>'
         f"<orx:meta><orx:instanceID>uuid:{uuid.uuid4()}</orx:instanceID><orx:deprecatedID>{instance}</orx:deprecatedID></orx:meta></data>").encode()
    )  # fmt: skip
    assert edit.status_code == 201, edit.text
    row = county.entity(household)
    assert (row["deleted_at"] is not None, row["conflict"]) == (True, None)


def test_households_are_due_by_the_class_of_their_review(county: County) -> None:
    county.publishes("household_verification")
    plain = county.registers("王一", "2026-02-02", entities=HOUSEHOLDS, category="dibao")
    edge = county.registers("王二", "2026-02-02", entities=HOUSEHOLDS, category="edge")
    none = county.registers("王三", "2026-02-02", entities=HOUSEHOLDS, category="none")
    county.keeps_up("2026-02-03")
    assert [county.entity(one)["data"].get("next_due", "") for one in (plain, edge, none)] == ["2026-12-31", "2026-12-31", ""]
    assert county.entity(plain)["label"] == "王一"
    entity = f'<entity dataset="households" id="{plain}" update="1" baseVersion="2"/>'
    county.reports("household_verification", at("2026-03-01"), {"household_id": plain, "today": "2026-03-01"}, entity=entity)
    county.keeps_up("2026-03-01")
    assert county.entity(plain)["data"]["next_due"] == "2027-12-31"
    county.changes(edge, "2026-03-02", entities=HOUSEHOLDS, review_class="C")
    county.keeps_up("2026-03-02")
    assert (county.entity(edge)["data"]["next_due"], county.entity(edge)["data"]["overdue"]) == ("2026-03-31", "no")


def test_what_came_by_the_thousand_is_kept_up_too_and_its_import_can_still_be_undone(county: County) -> None:
    people = [{"label": f"村民{number:03}", "data": {"division": NEIGHBOUR, "status": "active", "category": "wubao"}} for number in range(250)]
    answer = county.staff.post(PERSONS, {"source": {"name": "册.csv", "size": 1}, "entities": people})
    assert answer.status_code == 200, answer.text
    county.dates(EntityVersion, EntityVersion.source_id.is_not(None), created_at=at("2026-07-02"))
    county.keeps_up("2026-08-01")
    assert maintained(county) == 250


def test_the_phones_list_shows_who_is_due(county: County) -> None:
    person = county.registers("张三", "2026-07-02")
    county.keeps_up("2026-08-01")
    phone = county.phone()
    told = phone.manifest("wubao_visit")["persons.csv"]
    [row] = csv.DictReader(io.StringIO(phone.get(told["downloadUrl"]).text))
    assert (row["name"], row["label"], row["next_due"], row["overdue"]) == (person, "张三  本季度未访", "2026-09-30", "no")


def test_a_batch_says_what_is_left_through_edits_rejections_and_too_much(county: County) -> None:
    for form_id in ("disaster_report", "relief_stock", "relief_distribution"):
        county.publishes(form_id)

    def batch(**data: str) -> str:
        answer = county.staff.post(BATCHES, {"label": "帐篷", "data": {"division": VILLAGE, "item": "tent", **data}})
        assert answer.status_code == 200, answer.text
        return answer.json["uuid"]  # type: ignore[index, no-any-return]

    def left(one: str) -> Any:
        county.keeps_up("2026-08-01")
        return county.entity(one)["data"].get("left")

    tents, quilts = batch(quantity="10"), batch(quantity="7.5")
    assert (left(tents), left(quilts)) == ("10", "7.5")
    def gives(one: str, quantity: str) -> str:
        return county.reports("relief_distribution", datetime.now(UTC), {"batch": one, "quantity": quantity})

    first, _second = gives(tents, "2"), gives(tents, "3.5")
    assert left(tents) == "4.5"
    county.reviews(first, "rejected", form_id="relief_distribution")
    assert left(tents) == "6.5"
    gives(quilts, "8")
    assert (left(quilts), left(tents)) == ("-0.5", "6.5")
