"""household_register on the phone: a household, and those of its members who are visited."""

from __future__ import annotations

from tests.actors.village import Village
from tests.factories.filled_forms import Opener, categorised, child_birth_date, registered
from tests.factories.phone_media import HOUSEHOLD, PLACE, VILLAGE


def test_a_registration_makes_the_household_and_those_to_be_visited_alone(village: Village) -> None:
    """Of three members two are visited; what the phone made is sent, and stands in the registers."""
    form = registered(village.opened)
    assert form.value("member_count") == "3"
    assert form.value("visited_count") == "2"
    village.sends(form)
    made = village.entities()
    assert set(made) == {"王二 塔列村 9 号", "赵老", "王小"}
    assert {row["of_division"] for row in made.values()} == {VILLAGE["division"]}
    household, elder, child = made["王二 塔列村 9 号"], made["赵老"], made["王小"]
    assert {name: household[name] for name in ("head_name", "members", "category", "status")} == {
        "head_name": "王二", "members": "3", "category": "dibao", "status": "active"}  # fmt: skip
    assert (elder["category"], elder["support"], elder["id_masked"]) == ("wubao", "home", "999999********0012")
    assert (child["category"], child["guardian"], child["birth_date"]) == ("orphan", "王二", child_birth_date())
    assert elder["household"] == child["household"] == household["uuid"]
    tables = village.central()
    [row] = tables["household_register"]
    assert (row["member_count"], row["household_category"], row["submission_division"]) == ("3", "dibao", VILLAGE["division"])
    assert {member["member_name"] for member in tables["household_register_members"]} == {"王二", "赵老", "王小"}


def test_a_person_added_to_a_listed_household_keeps_its_head_and_counts(village: Village) -> None:
    village.sends(registered(village.opened))
    household = village.entities()["王二 塔列村 9 号"]["uuid"]
    form = village.opened("household_register")
    form.fill({"household_known": "listed", "household": household})
    assert form.value("address") == "塔列村 9 号"
    form.fill({"household_category": "dibao"})
    form.fill({f"members[1]/{name}": value for name, value in {
        "member_name": "王末", "relation": "grandchild", "id_status": "none", "id_reason": "补办中", "birth_said": child_birth_date(),
        "sex_said": "male", "ethnicity": "hui", "claim": "unattended", "guardian": "王二"}.items()})  # fmt: skip
    form.fill({"members_complete": "yes", "home/location_fix": "yes", "home/location": PLACE, "home/photo_front": "front.jpg"})
    village.sends(form)
    made = village.entities()
    assert (made["王二 塔列村 9 号"]["members"], made["王二 塔列村 9 号"]["head_name"]) == ("4", "王二")
    assert made["王末"]["household"] == household


def test_the_class_of_review_that_is_known_is_entered_and_kept(village: Village) -> None:
    """As the approval says; a household that is listed shows its class, and keeps it where nobody corrects it."""
    form = registered(village.opened)
    assert form.answer("review_class", "") == "ok", "it need not be known"
    form.fill({"review_class": "B"})
    village.sends(form)
    household = village.entities()["王二 塔列村 9 号"]
    assert household["review_class"] == "B"
    form = categorised(village.opened, household["uuid"], "edge")
    assert form.value("review_class") == "B"
    village.sends(form)
    household = village.entities()["王二 塔列村 9 号"]
    assert (household["review_class"], household["category"]) == ("B", "edge")
    form.fill({"household_category": "none"})
    assert not form.relevant("review_class")


def test_a_grown_up_is_no_orphan(opened: Opener) -> None:
    form = registered(opened)
    form.refuses("members[2]/claim", "orphan", "18 周岁")
    form.fill({"members[2]/claim": "wubao"})


def test_a_listed_household_gets_no_second_head(opened: Opener) -> None:
    form = opened("household_register")
    form.fill({"household_known": "listed", "household": HOUSEHOLD})
    assert form.value("address") == "塔列村 1 号"
    assert not form.relevant("signature")
    form.fill({"members[1]/relation": "self"})
    form.refuses("members_complete", "yes", "户主")
    form.fill({"members[1]/relation": "child", "members_complete": "yes"})


def test_somebody_who_lost_the_card_is_registered_with_a_reason(opened: Opener) -> None:
    form = opened("household_register")
    form.fill({"members[1]/id_status": "none"})
    assert not form.relevant("members[1]/id_number")
    assert form.answer("members[1]/id_reason", "") == "required"
    form.refuses("members[1]/birth_said", "2099-01-01", "不能晚于今天")
    form.fill({"members[1]/id_reason": "补办中", "members[1]/birth_said": "1962-02-03"})
    assert form.value("members[1]/id_masked") == ""
