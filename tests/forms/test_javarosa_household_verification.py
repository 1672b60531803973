"""household_verification on the phone: who, members, means, home, neighbours, result."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from lxml import etree

from server.oversight.periods import next_period, period_of
from server.settings import CHINA
from tests.actors.javarosa import OpenForm, Refused
from tests.actors.village import Village
from tests.factories.filled_forms import GOOD_ID, Opener, categorised, fill_repeat, verified
from tests.factories.phone_media import HOUSEHOLD, ORPHAN, SNOW, SYSTEM, VILLAGE, WUBAO

LISTED = {"household_known": "listed", "household": HOUSEHOLD, "purpose": "review"}


def refusal(form: OpenForm) -> Refused:
    with pytest.raises(Refused) as refused:
        form.finalise()
    return refused.value


def numbers(row: dict[str, Any], *names: str) -> list[float]:
    return [float(row[name]) for name in names]


def test_an_application_makes_the_household_and_a_later_review_updates_it(village: Village) -> None:
    """A new household is verified; a year later, the wage gone, it is reviewed from the phone's list."""
    instance = village.sends(verified(village.opened, household_known="new", purpose="application", accepted_on="2026-01-05",
                                      address="塔列村 9 号", phone="13900000001"))  # fmt: skip
    assert instance.findtext("{*}total_income") == "10000"
    household = village.entities()["王二 塔列村 9 号"]
    assert {name: household[name] for name in ("head_name", "address", "phone", "members", "verified_income_pc")} == {
        "head_name": "王二", "address": "塔列村 9 号", "phone": "13900000001", "members": "2", "verified_income_pc": "5000"}  # fmt: skip
    assert household["of_division"] == VILLAGE["division"]
    assert household["last_verified"] == instance.findtext("{*}today")

    form = verified(village.opened, household_known="listed", household=household["uuid"], purpose="review")
    assert form.value("address") == "塔列村 9 号"
    assert form.value("registered_last_verified") == household["last_verified"]
    form.fill({"members[1]/monthly_wage": "0"})
    assert not form.relevant("income/income_evidence")
    village.sends(form)
    assert village.entities()["王二 塔列村 9 号"]["verified_income_pc"] == "2000"

    tables = village.central()
    first, second = sorted(tables["household_verification"], key=lambda row: row["purpose"])
    assert (first["purpose"], str(first["accepted_on"])[:10], second["purpose"]) == ("application", "2026-01-05", "review")
    assert numbers(first, "income_income_farm", "income_income_transfers", "result_line", "result_line_difference") == [3000, 1000, 6000, 1750.25]
    assert (first["result_finding"], first["facilities_heating"]) == ("meets", "dung coal")
    assert sorted(row["member_name"] for row in tables["household_verification_members"]) == ["王二", "王二", "赵三", "赵三"]
    assert sorted(row["neighbour_said"] for row in tables["household_verification_neighbours"]) == ["agrees", "agrees", "differs", "differs"]


def test_totals_are_calculated_and_never_typed(opened: Opener) -> None:
    form = verified(opened)
    totals = {name: form.value(name) for name in ("member_count", "total_income", "total_costs", "income_per_head", "income_after_costs", "head_name")}
    assert totals == {"member_count": "2", "total_income": "10000", "total_costs": "1500.5", "income_per_head": "5000",
                      "income_after_costs": "4249.75", "head_name": "王二"}  # fmt: skip
    for total in ("income/income_farm", "income/income_property", "income/income_transfers", "total_income", "property/vehicle_value"):
        assert form.answer(total, "1") == "irrelevant", "there is nothing to write in"
    assert form.answer("result/line", "9000") == "readonly"
    entity = etree.fromstring(form.finalise()).find("{*}meta/{*}entity")
    assert entity.get("create") in {"1", "true"}
    assert UUID(entity.get("id")).version == 4


def test_a_listed_household_is_shown_and_corrected_instead_of_asked(opened: Opener) -> None:
    form = verified(opened, **LISTED)
    assert (form.value("registered_head"), form.value("address")) == ("王一", "塔列村 1 号")
    assert form.value("meta/entity/@id") == HOUSEHOLD
    assert form.value("meta/entity/@baseVersion") == "5"
    assert form.value("meta/entity/@update") in {"1", "true"}
    assert form.finalise()


def test_households_overdue_for_review_are_offered_first_then_those_soon_due(opened: Opener) -> None:
    header = "name,label,division,head_name,address,phone,status,overdue," + SYSTEM + "\n"
    rows = [f"{uuid},户{number},{VILLAGE['division']},户{number},{number} 号,,active,{overdue},1,,\n"
            for number, (uuid, overdue) in enumerate(((WUBAO, "no"), (ORPHAN, "at_risk"), (HOUSEHOLD, "missed"), (SNOW, "")))]  # fmt: skip
    form = opened("household_verification", households=header + "".join(rows))
    form.fill({"household_known": "listed", "purpose": "review"})
    assert form.choices("household") == [HOUSEHOLD]
    form.fill({"household_list": "all"})
    assert form.choices("household") == [WUBAO, ORPHAN, HOUSEHOLD, SNOW]
    form.fill({"household_list": "first", "purpose": "application"})
    assert (form.relevant("household_list"), form.choices("household")) == (False, [WUBAO, ORPHAN, HOUSEHOLD, SNOW])
    form = opened("household_verification", households=header + rows[0] + rows[1] + rows[3])
    form.fill({"household_known": "listed", "purpose": "review"})
    assert form.choices("household") == [ORPHAN]


# -- who


@pytest.mark.parametrize("wrong", ["999999196001010013", "99999919600101001x", "99999919600101001", "099999196001010012", "abc"])
def test_a_wrong_id_number_is_refused_and_the_message_says_what_is_allowed(opened: Opener, wrong: str) -> None:
    form = opened("household_verification")
    form.fill({"members[1]/id_status": "seen"})
    form.refuses("members[1]/id_number", wrong, "校验码")


def test_a_right_id_number_gives_birth_sex_and_age(opened: Opener) -> None:
    form = opened("household_verification")
    form.fill({"members[1]/id_status": "seen", "members[1]/id_number": GOOD_ID})
    assert (form.value("members[1]/birth_date"), form.value("members[1]/sex")) == ("1960-01-01", "male")
    assert 60 < int(form.value("members[1]/age")) < 120


def test_what_is_asked_of_a_member_follows_age_and_health(opened: Opener) -> None:
    form = opened("household_verification")
    form.fill({"members[1]/id_status": "none"})
    assert not form.relevant("members[1]/id_number")
    assert form.answer("members[1]/id_reason", "") == "required"
    form.fill({"members[1]/birth_said": "1962-02-03"})
    assert (form.relevant("members[1]/marital_status"), form.relevant("members[1]/student")) == (True, False)
    form.fill({"members[1]/birth_said": "2018-02-03"})
    assert (form.relevant("members[1]/marital_status"), form.relevant("members[1]/student")) == (False, True)
    form.fill({"members[1]/disability_type": "none", "members[1]/serious_illness": "no", "members[1]/work_ability": "none"})
    asked = ("disability_grade", "illness", "illness_cost", "monthly_wage", "months_worked")
    assert [name for name in asked if form.relevant(f"members[1]/{name}")] == []
    form.fill({"members[1]/disability_type": "sight", "members[1]/serious_illness": "yes", "members[1]/work_ability": "partly", "members[1]/monthly_wage": "10"})
    assert [name for name in asked if not form.relevant(f"members[1]/{name}")] == []
    form.refuses("members[1]/months_worked", "13", "0 至 12")
    form.fill({"members[1]/months_worked": "12"})


def test_one_investigator_is_not_enough_nor_the_same_twice(opened: Opener) -> None:
    form = opened("household_verification")
    form.fill({"investigators[1]/investigator_name": "甲"})
    form.refuses("investigators_complete", "yes", "至少两人")
    form.add_repeat("investigators")
    form.fill({"investigators[2]/investigator_name": "甲"})
    form.refuses("investigators_complete", "yes", "不能相同")
    form.fill({"investigators[2]/investigator_name": "乙", "investigators_complete": "yes"})


def test_a_related_investigator_is_named_and_steps_aside_or_says_why_not(village: Village) -> None:
    form = verified(village.opened)
    form.fill({"investigator_related": "yes"})
    assert refusal(form).path.startswith("/data/relative_who")
    form.fill({"relative_who": "乙是户主的弟弟", "relative_steps_aside": "no"})
    form.refuses("relative_stays_why", "无", "5 个字")
    form.fill({"relative_stays_why": "乡里只有两名核查人员"})
    village.sends(form)
    [row] = village.central()["household_verification"]
    assert (row["investigator_related"], row["relative_who"], row["relative_steps_aside"]) == ("yes", "乙是户主的弟弟", "no")


def test_a_household_has_exactly_one_head(opened: Opener) -> None:
    form = opened("household_verification")
    form.fill({"members[1]/relation": "spouse"})
    form.refuses("members_complete", "yes", "户主")
    form.fill({"members[1]/relation": "self"})
    form.add_repeat("members")
    form.fill({"members[2]/relation": "self"})
    form.refuses("members_complete", "yes", "户主")
    form.fill({"members[2]/relation": "child", "members_complete": "yes"})


def test_the_same_id_number_twice_in_a_household_is_refused(opened: Opener) -> None:
    form = verified(opened)
    form.fill({"members[2]/id_status": "seen", "members[2]/id_number": GOOD_ID})
    assert "不能重复" in refusal(form).message


# -- means


def test_a_herders_income_is_heads_sold_by_price_less_costs(opened: Opener) -> None:
    form = verified(opened)
    assert not form.relevant("herding/sheep_price")
    form.fill({"herding/sheep_kept": "60", "herding/sheep_sold": "10", "herding/sheep_price": "800", "herding/yak_sold": "2",
               "herding/yak_price": "6000.5", "herding/herding_costs": "3000"})  # fmt: skip
    assert float(form.value("income/income_farm")) == 8000 + 12001 - 3000 + 3000
    form.fill({"crops/fungus_roots": "100", "crops/fungus_costs": "500"})
    assert float(form.value("income/income_farm")) == 20001 + 100 * float(form.value("fungus_price_yuan")) - 500
    form.refuses("herding/sheep_price", "0", "大于 0")
    form.refuses("herding/yak_kept", "-1", "不小于 0")
    form.fill({"crops/crops_costs": "90000"})
    assert float(form.value("income/income_farm")) < 0
    assert form.relevant("income/farm_evidence"), "a loss too needs evidence"


@pytest.mark.parametrize(
    ("child", "due"),
    [
        ({"support_basis": "formula", "child_members": "3", "child_income": "66000"}, 15000.0),
        ({"support_basis": "formula", "child_members": "3", "child_income": "36000"}, 0.0),
        ({"support_basis": "formula", "child_members": "3", "child_income": "1"}, 0.0),
        ({"support_basis": "agreed", "support_agreed": "2400"}, 2400.0),
    ],
    ids=["above twice the line", "at it", "poor", "by agreement"],
)
def test_children_who_live_apart_owe_by_agreement_or_the_countys_formula(opened: Opener, child: dict[str, str], due: float) -> None:
    form = verified(opened)
    form.fill({"transfers/has_children_apart": "yes"})
    fill_repeat(form, "children_apart", {"child_name": "王大", **child}, {"child_name": "王三", "support_basis": "agreed", "support_agreed": "100"})
    assert float(form.value("children_apart[1]/support_due")) == due
    assert float(form.value("income/income_transfers")) == 1000 + due + 100
    form.fill({"result/finding": form.value("result/calculated_finding")})
    assert form.finalise()


def test_each_kind_of_income_that_is_there_has_its_evidence(opened: Opener) -> None:
    form = verified(opened)
    assert [kind for kind in ("farm", "property", "transfers", "other") if form.relevant(f"income/{kind}_evidence")] == ["farm", "transfers"]
    form.fill({"property_income/rent_income": "1200", "income/income_other": "50"})
    assert refusal(form).path.startswith("/data/income[1]/property_evidence")
    form.fill({"income/property_evidence": "document", "income/other_evidence": "said"})
    assert form.finalise()


def test_a_vehicle_has_a_value_and_none_has_none(opened: Opener) -> None:
    form = verified(opened)
    assert not form.relevant("property/vehicle_value")
    form.fill({"property/has_vehicle": "yes"})
    assert "vehicles" in refusal(form).path
    fill_repeat(form, "vehicles", {"vehicle_kind": "tractor", "vehicle_plate": "无", "vehicle_worth": "8000"},
                {"vehicle_kind": "motorcycle", "vehicle_plate": "青C00000", "vehicle_worth": "1500"})  # fmt: skip
    assert float(form.value("property/vehicle_value")) == 9500
    form.refuses("vehicles[1]/vehicle_worth", "-5", "不能小于 0")
    assert form.finalise()


@pytest.mark.parametrize(
    ("question", "wrong", "said", "right"),
    [("property/rooms", "51", "0 至 50", "50"), ("property/floor_area", "1001", "1000", "1000"), ("costs/cost_school", "-1", "不能小于 0", "0"),
     ("facilities/heating", "none coal", "没有", "none"), ("transfers/pension", "-0.5", "不能小于 0", "0.5"), ("phone", "123", "7 至 13", "0970-8630000")],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_chinese(opened: Opener, question: str, wrong: str, said: str, right: str) -> None:
    form = verified(opened)
    form.refuses(question, wrong, said)
    form.fill({question: right})


@pytest.mark.parametrize("photo", ["photo_front", "photo_room", "photo_stove"])
def test_no_home_without_three_photos(opened: Opener, photo: str) -> None:
    assert verified(opened).answer(f"home/{photo}", "") == "required"


def test_one_neighbour_is_not_enough(opened: Opener) -> None:
    form = opened("household_verification")
    form.fill({"neighbours[1]/neighbour_relation": "cadre", "neighbours[1]/neighbour_said": "differs"})
    assert form.answer("neighbours[1]/neighbour_what", "") == "required"
    form.refuses("neighbours_complete", "yes", "两户")
    form.add_repeat("neighbours")
    form.fill({"neighbours_complete": "yes"})


# -- result


def test_the_class_of_review_decides_when_the_household_is_due_again(village: Village) -> None:
    """Somebody able to work: quarterly. Later nobody is: it may be reviewed yearly, and the register says so."""
    village.sends(verified(village.opened, household_known="new", purpose="application", accepted_on="2026-01-05", address="塔列村 9 号"))
    today = datetime.now(CHINA).date()
    village.sends(categorised(village.opened, village.entities()["王二 塔列村 9 号"]["uuid"]))
    household = village.keeps_up()["王二 塔列村 9 号"]
    assert (household["review_class"], household["category"]) == ("C", "dibao")
    quarter = period_of("quarter", today)
    assert household["next_due"] == str(next_period("quarter", quarter).end), "verified in this one"

    form = verified(village.opened, household_known="listed", household=household["uuid"], purpose="review")
    assert form.value("review_class_before") == "C"
    form.fill({"members[1]/work_ability": "none", "result/review_class": "A"})
    assert form.value("result/review_class_calculated") == "A"
    village.sends(form)
    household = village.keeps_up()["王二 塔列村 9 号"]
    assert (household["review_class"], household["next_due"]) == ("A", f"{today.year + 1}-12-31")


@pytest.mark.parametrize(
    ("abilities", "review_class"),
    [(("able", "none"), "C"), (("partly", "able"), "C"), (("partly", "none"), "B"), (("none", "none"), "A")],
    ids=["one able", "able and partly", "partly", "nobody"],
)
def test_the_class_of_review_follows_from_who_can_work(opened: Opener, abilities: tuple[str, str], review_class: str) -> None:
    form = verified(opened)
    form.fill({f"members[{number}]/work_ability": ability for number, ability in enumerate(abilities, start=1)})
    assert form.value("result/review_class_calculated") == review_class
    assert form.value("result/review_class_word").startswith(review_class)


def test_a_household_is_reviewed_less_often_than_calculated_only_with_a_reason(opened: Opener) -> None:
    form = verified(opened)
    assert form.answer("result/review_class", "") == "required"
    form.fill({"result/review_class": "B"})
    form.refuses("result/review_class_why", "病了", "5 个字")
    form.fill({"result/review_class_why": "务工者已确诊重病，停工一年"})
    form.fill({"members[1]/work_ability": "none"})
    assert not form.relevant("result/review_class_why"), "more often than calculated takes none"


@pytest.mark.parametrize("answers", [{"result/finding": "does_not"}, {"result/finding": "unclear"}, {"purpose": "temporary"}])
def test_who_is_not_taken_into_dibao_keeps_the_class_of_review(opened: Opener, answers: dict[str, str]) -> None:
    form = verified(opened, **LISTED)
    assert form.relevant("result/review_class")
    form.fill(answers)
    assert not form.relevant("result/review_class")
    form.fill({} if "purpose" in answers else {"result/finding_reason": "名下有未申报的店铺"})
    assert etree.fromstring(form.finalise()).find("{*}result/{*}review_class") is None


def test_a_finding_against_the_calculation_needs_a_reason(village: Village) -> None:
    form = verified(village.opened)
    assert (form.value("result/calculated_finding"), form.relevant("result/finding_differs")) == ("meets", False)
    form.fill({"result/finding": "does_not"})
    assert form.relevant("result/finding_differs")
    assert (refusal(form).reason, form.answer("result/finding_reason", "不行")) == ("required", "constraint")
    form.fill({"result/finding_reason": "名下有未申报的店铺"})
    village.sends(form)
    [row] = village.central()["household_verification"]
    assert (row["result_finding"], row["result_calculated_finding"], row["result_finding_reason"]) == ("does_not", "meets", "名下有未申报的店铺")


def test_a_household_over_the_line_is_calculated_not_to_meet_it(opened: Opener) -> None:
    form = verified(opened)
    form.fill({"members[1]/monthly_wage": "2000"})
    assert form.value("result/calculated_finding") == "does_not"
    assert float(form.value("result/line_difference")) == 6000 - (16000 - 1500.5) / 2
    assert form.answer("result/finding_reason", "") == "required"


def test_savings_over_the_limit_take_a_reason_to_be_overlooked(opened: Opener) -> None:
    form = verified(opened)
    form.fill({"assets/savings": "24000"})
    assert not form.relevant("result/finding_reason")
    form.fill({"assets/savings": "24000.5"})
    assert form.relevant("assets/savings_over_shown")
    assert form.answer("result/finding_reason", "") == "required"
    form.fill({"result/finding": "does_not", "result/finding_reason": "存款超过限额"})


def test_who_refuses_to_sign_has_a_witness(village: Village) -> None:
    form = verified(village.opened)
    form.fill({"result/applicant_signs": "no"})
    assert not form.relevant("result/applicant_signature")
    for question in ("refusal_witness", "refusal_why", "witness_signature"):
        assert form.answer(f"result/{question}", "") == "required"
    form.fill({"result/refusal_witness": "马乡长", "result/refusal_why": "对收入计算有异议", "result/witness_signature": "w.png"})
    instance = village.sends(form)
    assert instance.find("{*}result/{*}applicant_signature") is None
    [row] = village.central()["household_verification"]
    assert (row["result_applicant_signs"], row["result_refusal_witness"]) == ("no", "马乡长")
