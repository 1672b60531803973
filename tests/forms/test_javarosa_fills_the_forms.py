"""The county's forms, filled in by the engine inside ODK Collect: what an officer may and may not write."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from uuid import UUID

import pytest
from lxml import etree

from server.forms.compile import compile_xlsform
from server.forms.fields import read_form_definition
from tests.actors.javarosa import JavaRosa, OpenForm, Refused
from tests.factories.phone_media import HOUSEHOLD, ORPHAN, PLACE, SNOW, VILLAGE, WUBAO, phone_media

PHOTO = "photo.jpg"
GOOD_ID = "999999196001010012"
FORMS = ("household_verification", "wubao_visit", "orphan_visit", "disaster_report")


@pytest.fixture(scope="module")
def javarosa() -> Iterator[JavaRosa]:
    with JavaRosa() as engine:
        yield engine


@cache
def xform(form_id: str) -> bytes:
    return compile_xlsform((files("xlsforms") / form_id / "form.xlsx").read_bytes()).xform


@pytest.fixture
def opened(javarosa):
    """A form on the phone, its village chosen."""

    def open_form(form_id: str) -> OpenForm:
        form = javarosa.open(xform(form_id), phone_media(form_id))
        form.fill(VILLAGE)
        return form

    return open_form


def sent(form: OpenForm) -> etree._Element:
    return etree.fromstring(form.finalise())


def entity(instance: etree._Element) -> dict[str, str]:
    found = instance.find("{*}meta/{*}entity")
    return {**found.attrib, "label": found.findtext("{*}label") or found.findtext("label") or ""}


@pytest.mark.parametrize("form_id", FORMS)
def test_each_form_says_its_name_in_both_languages_and_warns_of_nothing(form_id):
    compiled = compile_xlsform((files("xlsforms") / form_id / "form.xlsx").read_bytes())
    definition = read_form_definition(compiled.xform)
    assert compiled.warnings == ()
    assert (definition.form_id, definition.version) == (form_id, "2026112401")
    assert definition.languages == ("中文 (zh)", "English (en)")
    assert [field.name for field in definition.fields if field.labels and len(field.labels) != 2] == []
    assert ("division",) in [field.path for field in definition.fields]


@pytest.mark.parametrize("form_id", FORMS)
def test_only_the_villages_of_the_chosen_township_are_offered(opened, form_id):
    form = opened(form_id)
    assert form.choices("division") == [f"63222320220{number}" for number in range(5)]
    form.fill({"township": "632223290000"})
    assert form.choices("division") == [f"63222329029{number}" for number in range(5)]


def test_the_catalogue_lists_every_form_once_with_what_staff_need_to_know():
    catalogue = tomllib.loads((files("xlsforms") / "catalogue.toml").read_text(encoding="utf-8"))["form"]
    assert [form["folder"] for form in catalogue] == list(FORMS)
    for form in catalogue:
        assert all(form[part]["zh"] and form[part]["en"] for part in ("title", "purpose", "who", "cadence"))


# -- household_verification


def verified(opened) -> OpenForm:
    """A household of two, visited by two, new in the register."""
    form = opened("household_verification")
    form.fill({"household_known": "new", "purpose": "review", "address": "塔列村 9 号", "phone": "13900000001"})
    form.fill({"investigators[1]/investigator_name": "甲", "investigators[1]/investigator_unit": "民政局"})
    form.add_repeat("investigators")
    form.fill({"investigators[2]/investigator_name": "乙", "investigators[2]/investigator_unit": "乡政府"})
    form.fill({"investigators_complete": "yes", "investigator_related": "no"})
    member = {"member_name": "王二", "relation": "self", "id_status": "seen", "id_number": GOOD_ID, "work_ability": "able",
              "serious_illness": "yes", "illness": "高血压", "illness_cost": "1200.5", "monthly_wage": "1000", "months_worked": "6"}  # fmt: skip
    form.fill({f"members[1]/{name}": value for name, value in member.items()})
    form.add_repeat("members")
    member = {"member_name": "赵三", "relation": "spouse", "id_status": "none", "id_reason": "补办中", "birth_said": "1962-02-03",
              "sex_said": "female", "work_ability": "none", "serious_illness": "no"}  # fmt: skip
    form.fill({f"members[2]/{name}": value for name, value in member.items()})
    form.fill({
        "members_complete": "yes",
        "income/income_farm": "3000", "income/income_property": "0", "income/income_transfers": "1000",
        "income/income_other": "0", "income/income_evidence": "said",
        "costs/cost_school": "0", "costs/cost_care": "0", "costs/cost_disaster": "300",
        "property/rooms": "3", "property/structure": "brick", "property/has_vehicle": "no",
        "home/location_fix": "yes", "home/location": PLACE,
        "home/photo_front": PHOTO, "home/photo_room": "room.jpg", "home/photo_stove": "stove.jpg",
        "result/line": "6000", "result/finding": "meets", "result/applicant_signs": "yes",
        "result/applicant_signature": "s0.png", "result/investigator_signature_1": "s1.png", "result/investigator_signature_2": "s2.png",
    })  # fmt: skip
    return form


def test_a_verification_of_a_new_household_creates_it_with_its_totals(opened):
    instance = sent(verified(opened))
    totals = {name: instance.findtext(f"{{*}}{name}") or instance.findtext(name) for name in (
        "member_count", "total_income", "total_costs", "income_per_head", "income_after_costs", "head_name")}  # fmt: skip
    assert totals == {"member_count": "2", "total_income": "10000", "total_costs": "1500.5", "income_per_head": "5000",
                      "income_after_costs": "4249.75", "head_name": "王二"}  # fmt: skip
    made = entity(instance)
    assert made["dataset"] == "households"
    assert made["create"] in {"1", "true"}
    assert UUID(made["id"]).version == 4
    assert made["label"] == "王二 塔列村 9 号"


def test_a_verification_of_a_listed_household_shows_what_is_known_and_updates_it(opened):
    form = opened("household_verification")
    form.fill({"household_known": "listed", "household": HOUSEHOLD})
    assert form.value("address") == "塔列村 1 号"
    assert form.value("meta/entity/@id") == HOUSEHOLD
    assert form.value("meta/entity/@baseVersion") == "5"
    assert form.value("meta/entity/@update") in {"1", "true"}


@pytest.mark.parametrize("wrong", ["999999196001010013", "99999919600101001x", "99999919600101001", "099999196001010012", "abc"])
def test_a_wrong_id_number_is_refused_and_the_message_says_what_is_allowed(opened, wrong):
    form = opened("household_verification")
    form.fill({"members[1]/member_name": "王二", "members[1]/relation": "self", "members[1]/id_status": "seen"})
    assert form.answer("members[1]/id_number", wrong) == "constraint"
    assert "校验码" in form.message


def test_a_right_id_number_gives_birth_sex_and_age(opened):
    form = opened("household_verification")
    form.fill({"members[1]/id_status": "seen", "members[1]/id_number": GOOD_ID})
    assert form.value("members[1]/birth_date") == "1960-01-01"
    assert form.value("members[1]/sex") == "male"
    assert 60 < int(form.value("members[1]/age")) < 120


def test_without_a_number_the_birth_date_is_asked_with_a_reason(opened):
    form = opened("household_verification")
    form.fill({"members[1]/id_status": "none"})
    assert not form.relevant("members[1]/id_number")
    assert form.answer("members[1]/id_reason", "") == "required"
    form.fill({"members[1]/birth_said": "1962-02-03"})
    assert form.value("members[1]/birth_date") == "1962-02-03"


def test_one_investigator_is_not_enough_nor_the_same_twice(opened):
    form = opened("household_verification")
    form.fill({"investigators[1]/investigator_name": "甲"})
    assert form.answer("investigators_complete", "yes") == "constraint"
    form.add_repeat("investigators")
    form.fill({"investigators[2]/investigator_name": "甲"})
    assert form.answer("investigators_complete", "yes") == "constraint"
    form.fill({"investigators[2]/investigator_name": "乙"})
    assert form.answer("investigators_complete", "yes") == "ok"


def test_a_household_has_exactly_one_head(opened):
    form = opened("household_verification")
    form.fill({"members[1]/relation": "spouse"})
    assert form.answer("members_complete", "yes") == "constraint"
    form.fill({"members[1]/relation": "self"})
    form.add_repeat("members")
    form.fill({"members[2]/relation": "self"})
    assert form.answer("members_complete", "yes") == "constraint"
    form.fill({"members[2]/relation": "child"})
    assert form.answer("members_complete", "yes") == "ok"


def test_the_same_id_number_twice_in_a_household_is_refused(opened):
    form = verified(opened)
    form.fill({"members[2]/id_status": "seen", "members[2]/id_number": GOOD_ID})
    with pytest.raises(Refused) as refused:
        form.finalise()
    assert "不能重复" in refused.value.message


def test_a_finding_against_the_calculation_needs_a_reason(opened):
    form = verified(opened)
    form.fill({"result/finding": "does_not"})
    with pytest.raises(Refused) as refused:
        form.finalise()
    assert refused.value.reason == "required"
    form.fill({"result/finding_reason": "名下有未申报的店铺"})
    assert form.finalise()


# -- wubao_visit

ABILITIES = ("eats", "dresses", "gets_up", "toilet", "walks", "washes")


def visited(opened, failed: int) -> OpenForm:
    """A wubao person met at home, unable to do `failed` of the six."""
    form = opened("wubao_visit")
    form.fill({"person": WUBAO, "met": "in_person", "photo": PHOTO, "location_fix": "yes", "location": PLACE})
    form.fill({f"abilities/{name}": "no" if number < failed else "yes" for number, name in enumerate(ABILITIES)})
    form.fill({
        "health/illness": "无", "health/medicine": "yes", "health/hospital_days": "0",
        "living/food_days": "20", "living/stove_safe": "yes", "living/fuel_days": "30", "living/roof_safe": "yes",
        "living/winter_clothes": "yes", "living/phone_reachable": "yes",
        "money/allowance": "full", "money/allowance_yuan": "900", "money/card_holder": "self",
        "needs_group/carer_visits": "3", "needs_group/satisfaction": "5", "needs_group/wants_institution": "no",
        "needs_group/needs": "nothing", "signature": "s.png",
    })  # fmt: skip
    return form


@pytest.mark.parametrize(
    ("failed", "self_care", "changed", "risk"),
    [(0, "able", "no", "low"), (1, "partly", "yes", "medium"), (3, "partly", "yes", "medium"), (4, "unable", "yes", "high"),
     (6, "unable", "yes", "high")],
)  # fmt: skip
def test_self_care_follows_from_the_six_abilities(opened, failed, self_care, changed, risk):
    form = visited(opened, failed)
    assert form.value("self_care") == self_care
    assert form.value("reassessment") == changed
    assert form.value("risk_calculated") == risk


def test_a_visit_updates_the_person_and_carries_the_village(opened):
    form = visited(opened, 1)
    form.fill({"risk": "medium"})
    instance = sent(form)
    assert {**entity(instance), "label": ""} == {"dataset": "persons", "id": WUBAO, "update": "1", "baseVersion": "3",
                                                  "trunkVersion": "", "branchId": "", "label": ""}  # fmt: skip
    assert instance.findtext("{*}division") == VILLAGE["division"]
    assert instance.findtext("{*}last_visit") == instance.findtext("{*}today")
    assert instance.findtext("{*}status") == "active"


def test_the_risk_may_be_raised_freely_and_lowered_only_with_a_reason(opened):
    form = visited(opened, 1)
    form.fill({"risk": "high"})
    assert not form.relevant("risk_lowered_why")
    form.fill({"risk": "low"})
    assert form.answer("risk_lowered_why", "") == "required"


def test_a_visit_to_the_hospital_does_not_move_the_home_there(opened):
    form = visited(opened, 0)
    assert form.value("home_location").startswith("36.9 100.9")
    form.fill({"met": "hospital"})
    assert not form.relevant("home_location")


def test_who_died_is_not_asked_about_and_leaves_the_register(opened):
    form = opened("wubao_visit")
    form.fill({"person": WUBAO, "met": "died", "not_met_why": "邻居告知", "died_on": "2024-01-02", "photo": PHOTO,
               "location_fix": "no", "location_reason": "室内"})  # fmt: skip
    assert form.answer("abilities/eats", "yes") == "irrelevant"
    instance = sent(form)
    assert instance.findtext("{*}status") == "dead"
    assert instance.findtext("{*}self_care") == "able"
    assert instance.find("{*}abilities") is None


# -- orphan_visit


def child_seen(opened) -> OpenForm:
    form = opened("orphan_visit")
    form.fill({
        "person": ORPHAN, "met": "in_person", "met_alone": "yes", "location_fix": "yes", "location": PLACE,
        "guardian_group/guardian_relation": "grandparent", "guardian_group/guardian_able": "yes", "guardian_group/consent": "no",
        "school/attends": "yes", "school/school_name": "示例小学", "school/absent_days": "2",
        "health/height": "132", "health/weight": "28.5", "health/vaccinated": "yes", "health/insured": "yes", "health/illness": "无",
        "safety/house_safe": "yes", "safety/road_safe": "yes", "safety/signs": "none",
        "money/allowance": "full", "money/allowance_yuan": "1100", "money/used_for_child": "yes",
        "home/own_bed": "yes", "home/desk": "yes", "home/heat": "yes", "risk": "low", "signature": "s.png",
    })  # fmt: skip
    return form


def test_a_visit_to_a_child_is_sent_with_the_guardian_known_and_no_face(opened):
    form = child_seen(opened)
    assert form.value("guardian_group/guardian") == "李五"
    assert not form.relevant("guardian_group/child_photo")
    instance = sent(form)
    assert entity(instance)["id"] == ORPHAN
    assert instance.findtext("{*}urgent") == "no"
    assert instance.find("{*}guardian_group/{*}child_photo") is None


def test_any_sign_of_harm_is_urgent_and_excludes_none(opened):
    form = child_seen(opened)
    assert form.answer("safety/signs", "none injuries") == "constraint"
    form.fill({"safety/signs": "injuries fear"})
    assert form.value("urgent") == "yes"
    assert form.value("risk_calculated") == "high"


@pytest.mark.parametrize(("question", "wrong"), [("health/height", "201"), ("health/height", "39"), ("health/weight", "121")])
def test_a_child_of_impossible_size_is_refused(opened, question, wrong):
    form = child_seen(opened)
    assert form.answer(question, wrong) == "constraint"
    assert "之间" in form.message


# -- disaster_report


def reported(opened, **event: str) -> OpenForm:
    form = opened("disaster_report")
    form.fill({**event, "location_fix": "yes", "location": PLACE})
    if event["report_kind"] == "zero":
        return form
    form.fill({"photo": PHOTO, "people/affected": "120", "people/dead": "1", "people/missing": "0", "people/injured": "2"})
    form.fill(dict.fromkeys((f"people/{name}" for name in (
        "urgent_relief", "evacuated", "resettled_central", "resettled_dispersed", "stranded")), "0"))  # fmt: skip
    form.fill({"dead_people[1]/dead_name": "某甲", "dead_people[1]/dead_sex": "male", "dead_people[1]/dead_age": "70",
               "dead_people[1]/dead_cause": "房屋倒塌"})  # fmt: skip
    form.fill({f"houses/{kind}_{unit}": value for kind in ("collapsed", "badly", "slightly")
               for unit, value in (("households", "1"), ("rooms", "3"))})  # fmt: skip
    form.fill({"farming/crops_affected": "30", "farming/crops_damaged": "20", "farming/crops_lost": "10.5",
               "farming/grassland": "800", "farming/large_dead": "12", "farming/sheep_dead": "150", "farming/pens_collapsed": "200",
               "utilities/road_km": "4", "utilities/power_out": "yes", "utilities/water_out": "no", "utilities/signal_out": "no",
               "loss/loss_total": "50", "loss/loss_farming": "30", "loss/loss_houses": "20", "loss/loss_infrastructure": "0",
               "loss/loss_business": "0", "narrative": "夜间大雪，积雪二十厘米，棚圈倒塌，道路中断，需要饲草和帐篷。"})  # fmt: skip
    return form


NEW_EVENT = {
    "report_kind": "initial", "event_known": "new", "hazard": "snow", "event_name": "示例雪灾",
    "happened_at": "2026-01-02T03:00:00.000+08:00", "known_at": "2026-01-02T03:30:00.000+08:00",
    "arrived_at": "2026-01-02T04:30:00.000+08:00",
}  # fmt: skip


def test_an_initial_report_makes_the_event_with_its_first_figures(opened):
    instance = sent(reported(opened, **NEW_EVENT))
    made = entity(instance)
    assert made["dataset"] == "disaster_events"
    assert made["create"] in {"1", "true"}
    assert UUID(made["id"]).version == 4
    assert made["label"] == "示例雪灾"
    assert instance.findtext("{*}event_status") == "open"
    assert instance.findtext("{*}last_affected") == "120"
    assert len(instance.findall("{*}dead_people")) == 1


def test_a_follow_up_updates_the_event_it_chose(opened):
    instance = sent(reported(opened, report_kind="follow_up", event=SNOW))
    assert entity(instance)["id"] == SNOW
    assert entity(instance)["update"] in {"1", "true"}
    assert instance.find("{*}event_status") is None


def test_a_zero_report_carries_no_figures(opened):
    instance = sent(reported(opened, report_kind="zero", event=SNOW))
    for part in ("people", "houses", "farming", "loss", "dead_people", "last_affected"):
        assert instance.find(f"{{*}}{part}") is None, part
    assert entity(instance)["id"] == SNOW


def test_a_verification_closes_the_figures(opened):
    instance = sent(reported(opened, report_kind="verification", event=SNOW))
    assert instance.findtext("{*}event_status") == "verified"


@pytest.mark.parametrize(
    ("question", "wrong", "said"),
    [
        ("people/injured", "120", "受灾人口"),
        ("people/affected", "2", "受灾人口"),
        ("people/dead", "-1", "受灾人口"),
        ("farming/crops_lost", "20.5", "成灾面积"),
        ("farming/crops_damaged", "31", "受灾面积"),
        ("houses/collapsed_rooms", "0", "户数"),
        ("loss/loss_houses", "21", "直接经济损失"),
        ("narrative", "下雪了", "20 个字"),
        ("known_at", "2026-01-02T02:00:00.000+08:00", "得知时间"),
    ],
)
def test_figures_that_cannot_be_are_refused_in_chinese(opened, question, wrong, said):
    form = reported(opened, **NEW_EVENT)
    assert form.answer(question, wrong) == "constraint"
    assert said in form.message


def test_the_dead_are_listed_one_by_one(opened):
    form = reported(opened, **NEW_EVENT)
    form.fill({"people/dead": "2"})
    with pytest.raises(Refused) as refused:
        form.finalise()
    assert "dead_people" in refused.value.path
