"""The county's forms, filled in by the engine inside ODK Collect: what an officer may and may not write."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from uuid import UUID

import pytest
from lxml import etree

from server.forms.compile import compile_xlsform
from server.forms.drafts import save_draft
from server.forms.fields import read_form_definition
from server.forms.publish import publish_draft
from server.model import Entity
from server.transactions import transaction
from tests.actors.javarosa import JavaRosa, OpenForm, Refused
from tests.factories.filled_forms import (
    GOOD_ID,
    NEW_EVENT,
    PHOTO,
    child_birth_date,
    child_seen,
    handed_out,
    noticed,
    registered,
    reported,
    reviewed,
    stocked,
    verified,
    visited,
)
from tests.factories.phone_media import HOUSEHOLD, ORPHAN, PLACE, SNOW, TENTS, VILLAGE, WUBAO, phone_media

FORMS = ("household_register", "household_verification", "wubao_visit", "orphan_visit", "disaster_report", "community_review", "relief_distribution", "relief_stock")


@pytest.fixture(scope="module")
def javarosa() -> Iterator[JavaRosa]:
    with JavaRosa() as engine:
        yield engine


@cache
def xform(form_id: str) -> bytes:
    return compile_xlsform((files("xlsforms") / form_id / "form.xlsx").read_bytes()).xform


def publish_shipped(house, form_id: str) -> None:
    with transaction(house.engine, write=True) as session:
        form = save_draft(session, house.admin, 1, xform=xform(form_id), definition=read_form_definition(xform(form_id)))
        publish_draft(session, house.admin, form)


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
    assert definition.form_id == form_id
    assert re.fullmatch(r"\d{10}", definition.version)
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


# -- household_register


def test_a_registration_makes_the_household_and_those_to_be_visited_alone(opened, house):
    """Of three members two are visited; what the phone made is sent, and stands in the registers."""
    form = registered(opened)
    assert form.value("member_count") == "3"
    assert form.value("visited_count") == "2"
    publish_shipped(house, "household_register")
    assert house.new_phone().send(form.finalise(), {"front.jpg": b"front", "s0.png": b"signed"}).status_code == 201
    made = {row["label"]: row for row in house.rows(Entity)}
    assert set(made) == {"王二 塔列村 9 号", "赵老", "王小"}
    assert {row["division"] for row in made.values()} == {VILLAGE["division"]}
    household = made["王二 塔列村 9 号"]
    assert {name: household["data"][name] for name in ("head_name", "members", "category", "status")} == {
        "head_name": "王二", "members": "3", "category": "dibao", "status": "active"}  # fmt: skip
    elder, child = made["赵老"]["data"], made["王小"]["data"]
    assert (elder["category"], elder["support"], elder["id_masked"]) == ("wubao", "home", "999999********0012")
    assert (child["category"], child["guardian"], child["birth_date"]) == ("orphan", "王二", child_birth_date())
    assert elder["household"] == child["household"] == household["uuid"]


def test_a_grown_up_is_no_orphan(opened):
    form = registered(opened)
    assert form.answer("members[2]/claim", "orphan") == "constraint"
    assert "18 周岁" in form.message


def test_a_listed_household_gets_new_persons_and_keeps_its_head(opened):
    form = opened("household_register")
    form.fill({"household_known": "listed", "household": HOUSEHOLD})
    assert form.value("address") == "塔列村 1 号"
    form.fill({"household_category": "dibao"})
    form.fill({f"members[1]/{name}": value for name, value in {
        "member_name": "李六", "relation": "child", "id_status": "none", "id_reason": "补办中", "birth_said": child_birth_date(), "sex_said": "male",
        "ethnicity": "han", "claim": "unattended", "guardian": "王一"}.items()})  # fmt: skip
    form.fill({"members_complete": "yes", "home/location_fix": "yes", "home/location": PLACE, "home/photo_front": "front.jpg"})
    assert not form.relevant("signature")
    instance = sent(form)
    assert instance.findtext("{*}head_name") == "王一"
    assert {**entity(instance), "label": ""} | {"create": ""} == {
        "dataset": "households", "id": HOUSEHOLD, "update": "1", "create": "", "baseVersion": "5", "trunkVersion": "", "branchId": "", "label": ""}  # fmt: skip
    form.fill({"members[1]/relation": "self"})
    assert form.answer("members_complete", "yes") == "constraint"


# -- household_verification


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


# -- relief_stock


def test_goods_sent_to_a_village_become_a_batch_of_its_list(opened, house):
    publish_shipped(house, "relief_stock")
    files = {PHOTO: b"goods", "s.png": b"signed"}
    assert house.new_phone().send(stocked(opened).finalise(), files).status_code == 201
    [batch] = house.rows(Entity)
    assert batch["label"].startswith("帐篷 10 ")
    assert batch["division"] == "632223202204"
    assert {name: batch["data"][name] for name in ("event", "item", "unit", "quantity", "rule")} == {
        "event": SNOW, "item": "tent", "unit": "piece", "quantity": "10", "rule": "loss"}  # fmt: skip


def test_what_comes_in_makes_no_batch(opened):
    form = opened("relief_stock")
    form.fill({"store": "县救灾仓库", "movement": "in", "item": "cash", "unit": "yuan", "quantity": "100000", "source": "省级调拨",
               "condition": "good", "photo": PHOTO, "signature": "s.png"})  # fmt: skip
    assert not form.relevant("event")
    instance = sent(form)
    assert entity(instance)["create"] not in {"1", "true"}


def test_money_is_counted_in_yuan_and_goods_are_not(opened):
    form = stocked(opened)
    assert form.answer("unit", "yuan") == "constraint"
    assert form.answer("quantity", "0") == "constraint"
    form.fill({"movement": "count", "quantity": "0"})


# -- relief_distribution


def test_a_hand_over_shows_what_is_left_and_more_takes_a_reason(opened):
    form = handed_out(opened)
    assert form.value("still_there") == "4"
    assert form.value("receiver_name") == "王一"
    assert not form.relevant("too_much")
    instance = sent(form)
    assert instance.findtext("{*}batch") == TENTS
    form = handed_out(opened, "5")
    assert form.relevant("too_much")
    with pytest.raises(Refused) as refused:
        form.finalise()
    assert "too_much_why" in refused.value.path
    form.fill({"too_much_why": "另有两顶从邻村调来"})
    assert form.finalise()


def test_only_batches_of_the_village_are_offered(opened):
    form = opened("relief_distribution")
    assert form.choices("batch") == [TENTS]
    form.fill({"township": "632223290000", "division": "632223290290"})
    assert form.choices("batch") == []


# -- community_review


@pytest.mark.parametrize(
    ("question", "wrong", "said"),
    [
        ("meeting/present", "7", "三分之二"),
        ("meeting/present", "13", "应到人数"),
        ("meeting/called", "2", "至少 3 人"),
        ("meeting/met_on", "2099-01-01", "不能晚于今天"),
        ("votes/votes_abstain", "2", "实到人数"),
    ],
)
def test_a_meeting_that_cannot_decide_is_refused(opened, question, wrong, said):
    form = reviewed(opened)
    assert form.answer(question, wrong) == "constraint"
    assert said in form.message


def test_a_result_against_the_vote_takes_a_reason(opened):
    form = reviewed(opened)
    assert form.value("passed") == "yes"
    assert not form.relevant("result_reason")
    form.fill({"result": "refused"})
    assert form.answer("result_reason", "") == "required"


def test_a_notice_stands_for_a_week_and_names_nobody(opened):
    form = noticed(opened)
    assert form.answer("notice/notice_to", "2026-01-17") == "constraint"
    assert form.answer("objections[1]/objector", "李四") == "constraint"
    instance = sent(form)
    assert instance.find("{*}meeting") is None
    assert instance.findtext("{*}objections/{*}objector") == "李*"
