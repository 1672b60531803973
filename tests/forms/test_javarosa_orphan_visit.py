"""orphan_visit on the phone: the child, its guardian, school, safety, and what follows from them."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.actors.village import Village
from tests.factories.filled_forms import Opener, child_seen, registered
from tests.factories.phone_media import HOUSEHOLD, ORPHAN, PLACE, SYSTEM, VILLAGE, WUBAO

TODAY = datetime.now(ZoneInfo("Asia/Shanghai")).date()


def registered_child(village: Village) -> str:
    village.publish("orphan_visit")
    village.sends(registered(village.opened))
    return str(village.entities()["王小"]["uuid"])


def test_a_child_that_is_well_is_visited_and_no_face_is_kept(village: Village) -> None:
    child = registered_child(village)
    form = child_seen(village.opened, child)
    assert form.value("guardian_group/guardian") == "王二"
    assert not form.relevant("guardian_group/child_photo")
    instance = village.sends(form)
    assert instance.find("{*}guardian_group/{*}child_photo") is None
    person = village.entities()["王小"]
    assert (person["last_visit"], person["risk"], person["guardian"], person["status"]) == (instance.findtext("{*}today"), "low", "王二", "active")
    [row] = village.central()["orphan_visit"]
    assert (row["urgent"], float(row["health_height"]), float(row["health_weight"])) == ("no", 132.0, 28.5)
    assert (row["file_file_complete"], str(row["next_visit_on"])[:10]) == ("yes", "2099-01-01")


def test_a_child_not_met_alone_takes_the_reason_along(village: Village) -> None:
    form = child_seen(village.opened, registered_child(village))
    form.fill({"met_alone": "no"})
    assert form.answer("not_alone_why", "") == "required"
    form.fill({"not_alone_why": "奶奶一直在场"})
    village.sends(form)
    [row] = village.central()["orphan_visit"]
    assert (row["met_alone"], row["not_alone_why"]) == ("no", "奶奶一直在场")


def test_a_sign_of_harm_is_urgent_for_the_county(village: Village) -> None:
    form = child_seen(village.opened, registered_child(village))
    assert not form.relevant("safety/signs_what")
    form.refuses("safety/signs", "none injuries", "没有")
    form.fill({"safety/signs": "injuries fear"})
    assert (form.value("urgent"), form.value("risk_calculated"), form.relevant("urgent_shown")) == ("yes", "high", True)
    assert form.answer("safety/danger_now", "") == form.answer("safety/signs_what", "") == "required"
    form.fill({"safety/danger_now": "no", "safety/signs_what": "左臂有淤青", "risk": "high"})
    village.sends(form)
    assert village.entities()["王小"]["risk"] == "high"
    [row] = village.central()["orphan_visit"]
    assert (row["urgent"], row["safety_danger_now"]) == ("yes", "no")


@pytest.mark.parametrize(("met", "asked", "value", "status"), [
    ("died", "died_on", "2024-05-06", "dead"), ("moved", "moved_to", "西宁，由叔叔照料", "moved"), ("not_home", "", "", "active")])  # fmt: skip
def test_a_child_that_was_not_met_is_not_asked_about(village: Village, met: str, asked: str, value: str, status: str) -> None:
    child = registered_child(village)
    form = village.opened("orphan_visit")
    form.fill({"person": child, "met": met, "not_met_why": "家里没有人", "location_fix": "yes", "location": PLACE})
    groups = ("guardian_group", "school", "health", "feelings", "safety", "money", "home", "file", "risk", "next_visit_on", "signature")
    assert [group for group in groups if form.relevant(group)] == []
    if asked:
        assert form.answer(asked, "") == "required"
        form.fill({asked: value})
    village.sends(form)
    person = village.entities()["王小"]
    assert (person["status"], person.get("last_visit", "")) == (status, "")


def test_another_guardian_than_the_registers_is_explained(opened: Opener) -> None:
    form = child_seen(opened)
    assert (form.value("guardian_group/guardian"), form.value("guardian_group/guardian_changed")) == ("李五", "no")
    form.fill({"guardian_group/guardian": "李九"})
    assert form.value("guardian_group/guardian_changed") == "yes"
    assert form.answer("guardian_group/guardian_changed_why", "") == "required"
    assert form.value("risk_calculated") == "medium"
    form.fill({"guardian_group/guardian_changed_why": "李五外出务工"})


def test_an_institution_has_no_age(opened: Opener) -> None:
    form = child_seen(opened)
    form.refuses("guardian_group/guardian_age", "17", "18 至 110")
    form.fill({"guardian_group/guardian_age": "18", "guardian_group/guardian_relation": "institution"})
    assert not form.relevant("guardian_group/guardian_age")
    assert not form.relevant("guardian_group/guardian_health")


def test_a_face_is_photographed_with_consent_alone(opened: Opener) -> None:
    form = child_seen(opened)
    form.fill({"guardian_group/consent": "yes"})
    assert form.answer("guardian_group/child_photo", "") == "required"


@pytest.mark.parametrize(
    ("question", "wrong", "said", "right"),
    [("health/height", "201", "之间", "200"), ("health/height", "39", "之间", "40"), ("health/weight", "121", "之间", "2"),
     ("school/absent_days", "93", "0 至 92", "92"), ("safety/hazards", "none river", "没有", "river dogs"),
     ("next_visit_on", "2020-01-01", "今天以后", "2099-02-02"), ("money/allowance_month", "2099-01-01", "不能晚于", "2026-01-01")],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_chinese(opened: Opener, question: str, wrong: str, said: str, right: str) -> None:
    form = child_seen(opened)
    form.refuses(question, wrong, said)
    form.fill({question: right})


@pytest.mark.parametrize(
    ("question", "answer", "risk"),
    [("guardian_group/guardian_able", "no", "high"), ("guardian_group/living_with", "alone", "high"), ("safety/house_safe", "no", "medium"),
     ("safety/water_safe", "no", "medium"), ("school/attends", "no", "medium"), ("feelings/bullied", "yes", "medium"),
     ("money/used_for_child", "no", "medium"), ("money/allowance", "short", "medium"), ("school/marks_trend", "worse", "low")],
)  # fmt: skip
def test_risk_follows_from_the_answers(opened: Opener, question: str, answer: str, risk: str) -> None:
    form = child_seen(opened)
    form.fill({question: answer})
    assert form.value("risk_calculated") == risk
    assert form.relevant("risk_lowered_why") == (risk != "low")


def test_out_of_school_takes_a_reason_instead_of_marks(opened: Opener) -> None:
    form = child_seen(opened)
    form.fill({"school/attends": "no"})
    assert [name for name in ("school_name", "school_grade", "absent_days", "marks_trend", "boarding") if form.relevant(f"school/{name}")] == []
    assert form.answer("school/not_attending_why", "") == "required"


def test_a_child_that_was_missed_is_offered_first(opened: Opener) -> None:
    header = "name,label,division,full_name,category,status,self_care,last_visit,guardian,birth_date,risk,overdue," + SYSTEM + "\n"
    rows = [f"{uuid},{name},{VILLAGE['division']},{name},{category},active,,,李五,2015-05-05,low,{overdue},1,,\n"
            for uuid, name, category, overdue in ((WUBAO, "张三", "wubao", "missed"), (ORPHAN, "李四", "orphan", "no"), (HOUSEHOLD, "王小", "unattended", "missed"))]  # fmt: skip
    form = opened("orphan_visit", persons=header + "".join(rows))
    assert (form.value("overdue_count"), form.choices("person")) == ("1", [HOUSEHOLD])
    form.fill({"list_shown": "due"})
    assert form.choices("person") == [ORPHAN, HOUSEHOLD]
    without = opened("orphan_visit", persons=header + rows[1])
    assert (without.relevant("overdue_shown"), without.choices("person")) == (False, [ORPHAN])


def test_a_file_that_lacks_something_says_so(opened: Opener) -> None:
    form = child_seen(opened)
    assert not form.relevant("file/file_missing")
    form.fill({"file/parents_on_file": "no"})
    assert form.value("file/file_complete") == "no"
    assert form.relevant("file/file_missing")


def test_full_pay_that_is_less_than_due_needs_a_reason(opened: Opener) -> None:
    form = child_seen(opened)
    assert not form.relevant("money/allowance_less_why")
    form.fill({"money/allowance_yuan": "1099.5"})
    assert form.answer("money/allowance_less_why", "") == "required"


@pytest.mark.parametrize(("days", "plan"), [(100, True), (175, True), (250, False), (3000, False)])
def test_who_turns_18_within_six_months_has_a_plan(opened: Opener, days: int, plan: bool) -> None:
    born = TODAY + timedelta(days=days - 18 * 365.2425)
    row = f"{ORPHAN},李四,{VILLAGE['division']},李四,orphan,active,,,李五,{born},low,1,,\n"
    header = "name,label,division,full_name,category,status,self_care,last_visit,guardian,birth_date,risk," + SYSTEM + "\n"

    def with_this_child(form_id: str):
        return opened(form_id, persons=header + row)

    form = child_seen(with_this_child)
    assert form.relevant("plan_18") == form.relevant("plan_18_kind") == plan
    if plan:
        assert form.answer("plan_18", "") == "required"
        form.fill({"plan_18_kind": "school", "plan_18": "考职业学校"})
    assert form.finalise()
