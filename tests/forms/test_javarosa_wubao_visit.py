"""wubao_visit on the phone: met or not, the six abilities, the home, money, risk."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from lxml import etree

from tests.actors.javarosa import OpenForm, Refused
from tests.actors.village import Village
from tests.factories.filled_forms import PHOTO, Opener, registered, visited
from tests.factories.phone_media import PLACE, SYSTEM, VILLAGE, WUBAO

TODAY = datetime.now(ZoneInfo("Asia/Shanghai")).date()


def registered_elder(village: Village) -> str:
    """The person's uuid: wubao, self-care partly by the register."""
    village.publish("wubao_visit")
    village.sends(registered(village.opened))
    return str(village.entities()["赵老"]["uuid"])


def not_met(opened: Opener, person: str, met: str, **more: str) -> OpenForm:
    form = opened("wubao_visit")
    form.fill({"person": person, "met": met, "not_met_why": "门锁着", "neighbour_asked": "no", **more, "photo": PHOTO,
               "location_fix": "no", "location_reason": "山谷里没有信号"})  # fmt: skip
    return form


def test_a_first_visit_stands_in_the_register_and_the_central_database(village: Village) -> None:
    elder = registered_elder(village)
    form = visited(village.opened, 2, elder)
    form.fill({"risk": "medium"})
    assert form.value("reassessment") == "no", "the register says partly, and so do the abilities"
    instance = village.sends(form)
    person = village.entities()["赵老"]
    assert {name: person[name] for name in ("last_visit", "self_care", "risk", "status")} == {
        "last_visit": instance.findtext("{*}today"), "self_care": "partly", "risk": "medium", "status": "active"}  # fmt: skip
    [row] = village.central()["wubao_visit"]
    assert (row["person"], row["met"], row["submission_division"]) == (elder, "in_person", VILLAGE["division"])
    assert (row["abilities_eats"], row["abilities_walks"], row["needs_group_satisfaction"]) == ("no", "yes", 5)
    assert (float(row["money_allowance_yuan"]), row["health_mood"]) == (900.0, "good")


def test_who_is_not_at_home_stays_due_and_keeps_what_the_register_knows(village: Village) -> None:
    elder = registered_elder(village)
    form = not_met(village.opened, elder, "not_home", neighbour_asked="yes", neighbour_said="去县医院看病")
    assert [part for part in ("abilities", "health", "living", "money", "risk", "signature") if form.relevant(part)] == []
    village.sends(form)
    person = village.entities()["赵老"]
    assert (person.get("last_visit", ""), person["self_care"], person["status"]) == ("", "partly", "active")
    [row] = village.central()["wubao_visit"]
    assert (row["met"], row["neighbour_said"], row["abilities_eats"]) == ("not_home", "去县医院看病", None)


def test_who_died_leaves_the_register_and_is_offered_no_more(village: Village) -> None:
    elder = registered_elder(village)
    form = village.opened("wubao_visit")
    form.fill({"person": elder, "met": "died", "not_met_why": "邻居告知", "neighbour_asked": "no"})
    form.refuses("died_on", "2099-01-01", "不能晚于今天")
    assert form.answer("died_on", "") == "required"
    form.fill({"died_on": "2024-01-02", "funeral_aid": "applied", "photo": PHOTO, "location_fix": "yes", "location": PLACE})
    assert form.answer("abilities/eats", "yes") == "irrelevant"
    village.sends(form)
    assert village.entities()["赵老"]["status"] == "dead"
    again = village.opened("wubao_visit")
    again.fill({"list_shown": "all"})
    assert again.choices("person") == []


@pytest.mark.parametrize(("met", "asked", "status"), [("moved", "moved_to", "moved"), ("hospital", "hospital_name", "active")])
def test_who_has_gone_is_asked_for_where(opened: Opener, met: str, asked: str, status: str) -> None:
    form = not_met(opened, WUBAO, met)
    assert form.answer(asked, "") == "required"
    form.fill({asked: "海晏县"})
    assert form.value("status") == status
    assert not form.relevant("home_location"), "the home is not where nobody was met at it"
    assert form.finalise()


@pytest.mark.parametrize(
    ("failed", "self_care", "changed", "risk"),
    [(0, "able", "no", "low"), (1, "partly", "yes", "medium"), (3, "partly", "yes", "medium"), (4, "unable", "yes", "high"),
     (6, "unable", "yes", "high")],
)  # fmt: skip
def test_self_care_follows_from_the_six_abilities(opened: Opener, failed: int, self_care: str, changed: str, risk: str) -> None:
    form = visited(opened, failed)
    assert form.value("self_care") == self_care
    assert [value for value in ("able", "partly", "unable") if form.relevant(f"care_{value}_shown")] == [self_care]
    assert form.value("reassessment") == changed
    assert form.relevant("reassessment_shown") == (changed == "yes")
    assert form.value("risk_calculated") == risk


@pytest.mark.parametrize(
    ("question", "answer", "risk"),
    [("living/stove_safe", "no", "high"), ("living/food_days", "2", "high"), ("living/food_days", "3", "low"), ("living/fuel_days", "2", "medium"),
     ("health/medicine", "no", "medium"), ("health/mood", "very_low", "medium"), ("health/pain", "strong", "medium"),
     ("living/winter_clothes", "no", "medium"), ("money/allowance", "none", "medium"), ("health/eyesight", "lost", "low")],
)  # fmt: skip
def test_risk_follows_from_the_answers(opened: Opener, question: str, answer: str, risk: str) -> None:
    form = visited(opened, 0)
    form.fill({question: answer})
    assert form.value("risk_calculated") == risk
    assert form.value("risk_word") == {"low": "低", "medium": "中", "high": "高"}[risk]


def test_the_risk_may_be_raised_freely_and_lowered_only_with_a_reason(opened: Opener) -> None:
    form = visited(opened, 1)
    form.fill({"risk": "high"})
    assert not form.relevant("risk_lowered_why")
    form.fill({"risk": "low"})
    assert form.answer("risk_lowered_why", "") == "required"
    form.fill({"risk_lowered_why": "儿子已回家同住"})
    assert form.finalise()


def test_a_visit_updates_the_person_that_it_chose(opened: Opener) -> None:
    form = visited(opened, 1)
    form.fill({"risk": "medium"})
    entity = etree.fromstring(form.finalise()).find("{*}meta/{*}entity")
    assert dict(entity.attrib) == {"dataset": "persons", "id": WUBAO, "update": "1", "baseVersion": "3", "trunkVersion": "", "branchId": ""}
    assert form.value("home_location").startswith("36.9 100.9")


def test_full_pay_that_is_less_than_due_needs_a_reason(opened: Opener) -> None:
    form = visited(opened, 0)
    form.fill({"risk": "low"})
    assert not form.relevant("money/allowance_less_why")
    form.fill({"money/allowance_yuan": "899"})
    assert form.relevant("money/allowance_less")
    with pytest.raises(Refused, match="allowance_less_why"):
        form.finalise()
    form.fill({"money/allowance": "short"})
    assert not form.relevant("money/allowance_less_why"), "said to be short: the reason is known"
    form.fill({"money/allowance": "none"})
    assert not form.relevant("money/allowance_yuan")


def test_a_thumb_print_stands_for_a_signature(opened: Opener) -> None:
    form = visited(opened, 0)
    form.fill({"risk": "low", "signs": "thumbprint"})
    assert not form.relevant("signature")
    assert form.answer("thumbprint_photo", "") == "required"
    form.fill({"thumbprint_photo": "thumb.jpg"})
    assert form.finalise()


@pytest.mark.parametrize(
    ("question", "wrong", "said", "right"),
    [("health/hospital_days", "93", "0 至 92", "92"), ("living/food_days", "-1", "0 至 365", "365"), ("needs_group/carer_visits", "51", "0 至 50", "0"),
     ("needs_group/satisfaction", "6", "1 至 5", "1"), ("needs_group/needs", "nothing food", "没有", "food fuel"),
     ("money/allowance_month", "2099-01-01", "不能晚于", "2026-01-01"), ("money/allowance_yuan", "-1", "不能小于 0", "1000")],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_chinese(opened: Opener, question: str, wrong: str, said: str, right: str) -> None:
    form = visited(opened, 0)
    form.refuses(question, wrong, said)
    form.fill({question: right})


def test_a_need_says_how_urgent_it_is(opened: Opener) -> None:
    form = visited(opened, 0)
    assert not form.relevant("needs_group/urgency")
    form.fill({"needs_group/needs": "fuel repair"})
    assert form.answer("needs_group/urgency", "") == "required"
    form.fill({"needs_group/urgency": "today"})
    assert form.value("risk_calculated") == "medium"


def persons(*last_visits: str, missed: str = "") -> str:
    """One each; those whose number is in `missed` are so by the server."""
    rows = (f"{number}1111111-1111-4111-8111-111111111111,老人{number},{VILLAGE['division']},老人{number},wubao,active,able,{visit},,1950-01-01,low,"
            f"{'missed' if str(number) in missed else 'no'},1,,"
            for number, visit in enumerate(last_visits))  # fmt: skip
    return "name,label,division,full_name,category,status,self_care,last_visit,guardian,birth_date,risk,overdue," + SYSTEM + "\n" + "\n".join(rows) + "\n"


def test_those_not_visited_this_quarter_are_offered_and_all_others_on_request(opened: Opener) -> None:
    first_day = TODAY.replace(month=(TODAY.month - 1) // 3 * 3 + 1, day=1)
    form = opened("wubao_visit", persons=persons("", str(first_day), str(first_day - timedelta(days=1)), str(TODAY), "2019-05-05"))
    assert form.value("quarter_start") == f"{first_day:%Y%m%d}"
    assert [choice[0] for choice in form.choices("person")] == ["0", "2", "4"]
    form.fill({"list_shown": "all"})
    assert [choice[0] for choice in form.choices("person")] == ["0", "1", "2", "3", "4"]


def test_who_was_missed_is_offered_before_all_others_until_visited(opened: Opener) -> None:
    """The phone's list has its own order, in which who was visited on this phone today is still missed by the server's count."""
    form = opened("wubao_visit", persons=persons("", "2019-05-05", "", str(TODAY), missed="13"))
    assert (form.value("overdue_count"), form.relevant("overdue_shown")) == ("1", True)
    assert [choice[0] for choice in form.choices("person")] == ["1"]
    form.fill({"list_shown": "due"})
    assert [choice[0] for choice in form.choices("person")] == ["0", "1", "2"]
    form.fill({"list_shown": "all"})
    assert [choice[0] for choice in form.choices("person")] == ["0", "1", "2", "3"]


def test_the_person_due_first_is_the_first_choice_on_the_phone(village: Village) -> None:
    """Registered long ago and not visited in a quarter that is over, before whom the register has anew."""
    village.publish("wubao_visit")
    elders = []
    for name in ("赵老", "钱老"):
        form = registered(village.opened)
        form.fill({"members[2]/member_name": name})
        village.sends(form)
        elders.append(village.entities()[name]["uuid"])
    village.was_there_since(elders[0], TODAY - timedelta(days=200))
    village.keeps_up()
    form = visited(village.opened, 0, elders[0])
    assert form.choices("person") == [elders[0]]
    form.fill({"list_shown": "due"})
    assert set(form.choices("person")) == set(elders)
    form.fill({"risk": "low"})
    village.sends(form)
    village.keeps_up()
    assert village.opened("wubao_visit").choices("person") == [elders[1]]
