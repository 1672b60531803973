"""The county's forms, filled in to the end on a phone. `opened(form_id)`: the form, its village chosen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from tests.actors.javarosa import OpenForm
from tests.factories.phone_media import HOUSEHOLD, ORPHAN, PLACE, SNOW, TENTS, WUBAO

Opener = Callable[..., OpenForm]
PHOTO = "photo.jpg"
GOOD_ID = "999999196001010012"
ABILITIES = ("eats", "dresses", "gets_up", "toilet", "walks", "washes")
NEW_EVENT = {
    "report_kind": "initial", "event_known": "new", "hazard": "snow", "sub_hazard": "heavy_snow", "event_name": "示例雪灾",
    "happened_at": "2026-01-02T03:00:00.000+08:00", "known_at": "2026-01-02T03:30:00.000+08:00",
    "arrived_at": "2026-01-02T04:30:00.000+08:00",
}  # fmt: skip


def fill_repeat(form: OpenForm, name: str, *entries: dict[str, str]) -> None:
    """One repetition for each entry; the first is there already."""
    for number, entry in enumerate(entries, start=1):
        if number > 1:
            form.add_repeat(name)
        form.fill({f"{name}[{number}]/{question}": value for question, value in entry.items()})


HEAD = {
    "member_name": "王二", "relation": "self", "id_status": "seen", "id_number": GOOD_ID, "ethnicity": "tibetan", "marital_status": "married",
    "schooling": "primary", "work_ability": "able", "disability_type": "none", "serious_illness": "yes", "illness": "高血压",
    "illness_cost": "1200.5", "monthly_wage": "1000", "months_worked": "6",
}  # fmt: skip
SPOUSE = {
    "member_name": "赵三", "relation": "spouse", "id_status": "none", "id_reason": "补办中", "birth_said": "1962-02-03", "sex_said": "female",
    "ethnicity": "mongol", "marital_status": "married", "schooling": "none", "work_ability": "none", "disability_type": "physical",
    "disability_grade": "3", "serious_illness": "no",
}  # fmt: skip
# A year of 3,000 yuan net from the land and 1,000 of transfers.
MEANS = {
    **{f"herding/{animal}_{what}": "0" for animal in ("sheep", "yak", "horse") for what in ("kept", "sold")}, "herding/herding_costs": "0",
    "crops/crop_area": "12", "crops/crops_income": "3500", "crops/crops_costs": "500", "crops/fungus_roots": "0",
    "property_income/rent_income": "0", "property_income/land_income": "0", "property_income/interest_income": "0",
    "transfers/pension": "800", "transfers/grassland_subsidy": "200", "transfers/other_transfers": "0", "transfers/has_children_apart": "no",
    "income/income_evidence": "said", "income/farm_evidence": "estimated", "income/transfers_evidence": "document", "income/income_other": "0",
    "costs/cost_school": "0", "costs/cost_care": "0", "costs/cost_disaster": "300",
}  # fmt: skip
HOME = {
    "property/rooms": "3", "property/floor_area": "80", "property/structure": "brick", "property/safety_grade": "B", "property/has_vehicle": "no",
    "assets/savings": "2000", "assets/has_shop": "no", "assets/has_other_house": "no", "home/location_fix": "yes", "home/location": PLACE,
    "home/photo_front": PHOTO, "home/photo_room": "room.jpg", "home/photo_stove": "stove.jpg", "facilities/heating": "dung coal",
    "facilities/water": "well", "facilities/power": "grid",
}  # fmt: skip
SIGNED = {
    "result/finding": "meets", "result/review_class": "C", "result/applicant_signs": "yes", "result/applicant_signature": "s0.png",
    "result/investigator_signature_1": "s1.png", "result/investigator_signature_2": "s2.png",
}  # fmt: skip


def verified(opened: Opener, **household: str) -> OpenForm:
    """A household of two, visited by two; new in the register unless told otherwise."""
    form = opened("household_verification")
    form.fill(household or {"household_known": "new", "purpose": "review", "address": "塔列村 9 号", "phone": "13900000001"})
    fill_repeat(form, "investigators", *({"investigator_name": name, "investigator_unit": unit} for name, unit in (("甲", "民政局"), ("乙", "乡政府"))))
    form.fill({"investigators_complete": "yes", "investigator_related": "no"})
    fill_repeat(form, "members", HEAD, SPOUSE)
    form.fill({"members_complete": "yes", **MEANS, **HOME})
    fill_repeat(form, "neighbours", {"neighbour_relation": "neighbour", "neighbour_said": "agrees"},
                {"neighbour_relation": "villager", "neighbour_said": "differs", "neighbour_what": "说还有十只羊"})  # fmt: skip
    form.fill({"neighbours_complete": "yes", **SIGNED})
    return form


AT_HOME = {
    "health/illness": "无", "health/medicine": "yes", "health/last_doctor": "quarter", "health/hospital_days": "0", "health/pain": "none",
    "health/mood": "good", "health/eyesight": "poor", "health/hearing": "good",
    "living/food_days": "20", "living/stove_safe": "yes", "living/fuel_days": "30", "living/roof_safe": "yes", "living/water_ok": "yes",
    "living/power_ok": "yes", "living/winter_clothes": "yes", "living/phone_reachable": "yes",
    "money/allowance": "full", "money/allowance_month": "2026-01-01", "money/allowance_yuan": "900", "money/card_holder": "self",
    "needs_group/carer_name": "卓玛", "needs_group/carer_visits": "3", "needs_group/carer_paid": "yes", "needs_group/satisfaction": "5",
    "needs_group/wants_institution": "no", "needs_group/needs": "nothing", "signs": "signature", "signature": "s.png",
}  # fmt: skip


def visited(opened: Opener, failed: int, person: str = WUBAO) -> OpenForm:
    """A wubao person met at home, unable to do `failed` of the six; the risk is not yet chosen."""
    form = opened("wubao_visit")
    form.fill({"person": person, "met": "in_person", "photo": PHOTO, "location_fix": "yes", "location": PLACE})
    form.fill({f"abilities/{name}": "no" if number < failed else "yes" for number, name in enumerate(ABILITIES)})
    form.fill(AT_HOME)
    return form


SAFE = {
    "guardian_group/guardian_relation": "grandparent", "guardian_group/guardian_age": "67", "guardian_group/guardian_health": "chronic",
    "guardian_group/guardian_able": "yes", "guardian_group/agreement_signed": "yes", "guardian_group/living_with": "guardian",
    "guardian_group/consent": "no",
    "school/attends": "yes", "school/school_name": "示例小学", "school/school_grade": "primary", "school/absent_days": "2",
    "school/marks_trend": "same", "school/boarding": "no",
    "health/height": "132", "health/weight": "28.5", "health/vaccinated": "yes", "health/insured": "yes", "health/illness": "无",
    "health/disability": "none", "health/operation_project": "not_needed",
    "feelings/sleep": "well", "feelings/friends": "yes", "feelings/bullied": "no",
    "safety/house_safe": "yes", "safety/road_safe": "yes", "safety/water_safe": "yes", "safety/hazards": "none", "safety/signs": "none",
    "money/allowance": "full", "money/allowance_month": "2026-01-01", "money/allowance_yuan": "1100", "money/card_holder": "guardian",
    "money/used_for_child": "yes", "home/own_bed": "yes", "home/desk": "yes", "home/heat": "yes",
    "file/birth_on_file": "yes", "file/parents_on_file": "yes", "file/agreement_on_file": "yes", "file/photos_on_file": "yes",
    "risk": "low", "next_visit_on": "2099-01-01", "signature": "s.png",
}  # fmt: skip


def child_seen(opened: Opener, person: str = ORPHAN) -> OpenForm:
    form = opened("orphan_visit")
    form.fill({"person": person, "met": "in_person", "met_alone": "yes", "location_fix": "yes", "location": PLACE, **SAFE})
    return form


FIGURES = {
    "people/affected": "120", "people/dead": "1", "people/missing": "0", "people/injured": "2",
    **dict.fromkeys((f"people/{name}" for name in ("urgent_relief", "evacuated", "resettled_central", "resettled_dispersed", "stranded")), "0"),
    "dead_people[1]/dead_name": "某甲", "dead_people[1]/dead_sex": "male", "dead_people[1]/dead_age": "70", "dead_people[1]/dead_place": "塔列村",
    "dead_people[1]/dead_cause": "房屋倒塌", "dead_people[1]/dead_on": "2026-01-02", "rosters_complete": "yes",
    **{f"houses/{kind}_{unit}": value for kind in ("collapsed", "badly", "slightly") for unit, value in (("households", "1"), ("rooms", "3"))},
    "special_houses/special_dibao": "1", "special_houses/special_wubao": "0", "special_houses/special_disabled": "1",
    "farming/crops_affected": "30", "farming/crops_damaged": "20", "farming/crops_lost": "10.5", "farming/grassland": "800",
    "farming/large_dead": "12", "farming/sheep_dead": "150", "farming/pens_collapsed": "200",
    "herds/large_in_danger": "40", "herds/sheep_in_danger": "600", "herds/herds_stranded": "2", "herds/livestock_stranded": "300",
    "utilities/road_km": "4", "utilities/power_out": "yes", "utilities/power_since": "2026-01-02T04:00:00.000+08:00",
    "utilities/power_places": "2", "utilities/water_out": "no", "utilities/signal_out": "no",
    "loss/loss_total": "50", "loss/loss_farming": "30", "loss/loss_houses": "20", "loss/loss_infrastructure": "0", "loss/loss_business": "0",
    "narrative": "夜间大雪，积雪二十厘米，棚圈倒塌，道路中断，需要饲草和帐篷。",
}  # fmt: skip


def reported(opened: Opener, **event: str) -> OpenForm:
    """A report of the village with `FIGURES`; none on a zero report."""
    form = opened("disaster_report")
    form.fill(event)
    if event["report_kind"] == "initial":
        form.fill({"place": "夏季草场"})
    if event["report_kind"] != "verification":
        form.fill({"trend": "same"})
    form.fill({"location_fix": "yes", "location": PLACE})
    if event["report_kind"] != "zero":
        form.fill({"response_declared": "no", "photo": PHOTO, **FIGURES})
    return form


def child_birth_date() -> str:
    """Of a child of nine."""
    return f"{datetime.now(UTC).year - 9}-01-02"


def registered(opened: Opener) -> OpenForm:
    """A new household of three: its head, an elder in it who is wubao, and an orphan."""
    form = opened("household_register")
    form.fill({"household_known": "new", "address": "塔列村 9 号", "phone": "13900000001", "household_category": "dibao"})
    common = {"id_status": "none", "id_reason": "补办中", "ethnicity": "tibetan"}
    members = [
        {"member_name": "王二", "relation": "self", **common, "birth_said": "1970-02-03", "sex_said": "male", "claim": "none"},
        {"member_name": "赵老", "relation": "parent", "id_status": "seen", "id_number": GOOD_ID, "ethnicity": "han", "claim": "wubao",
         "support": "home", "self_care": "partly"},
        {"member_name": "王小", "relation": "grandchild", **common, "birth_said": child_birth_date(), "sex_said": "female", "claim": "orphan",
         "guardian": "王二"},
    ]  # fmt: skip
    fill_repeat(form, "members", *members)
    form.fill({"members_complete": "yes", "home/location_fix": "yes", "home/location": PLACE, "home/photo_front": "front.jpg", "signature": "s0.png"})
    return form


def categorised(opened: Opener, household: str, category: str = "dibao") -> OpenForm:
    """A child is added to a listed household, and its category of assistance corrected."""
    form = opened("household_register")
    form.fill({"household_known": "listed", "household": household, "household_category": category})
    form.fill({f"members[1]/{name}": value for name, value in {
        "member_name": "王末", "relation": "grandchild", "id_status": "none", "id_reason": "补办中", "birth_said": child_birth_date(),
        "sex_said": "male", "ethnicity": "hui", "claim": "none"}.items()})  # fmt: skip
    form.fill({"members_complete": "yes", "home/location_fix": "yes", "home/location": PLACE, "home/photo_front": "front.jpg"})
    return form


def stocked(opened: Opener, event: str = SNOW) -> OpenForm:
    """Ten tents go out of the store to a village of the snowstorm."""
    form = opened("relief_stock")
    form.fill({
        "store": "县救灾仓库", "movement": "out", "item": "tent", "unit": "piece", "quantity": "10", "for_event": "yes", "event": event,
        "to_village": "632223202204", "rule": "loss", "condition": "good", "photo": PHOTO, "signature": "s.png",
    })  # fmt: skip
    return form


def handed_out(opened: Opener, quantity: str = "2", *, batch: str = TENTS, household: str = HOUSEHOLD) -> OpenForm:
    """Tents of a batch of which four are left, to a household."""
    form = opened("relief_distribution")
    form.fill({
        "batch": batch, "household": household, "for_one_person": "no", "quantity": quantity, "received_by": "self", "related": "no",
        "location_fix": "yes", "location": PLACE, "photo": PHOTO, "signature": "s.png",
    })  # fmt: skip
    return form


def reviewed(opened: Opener, household: str = HOUSEHOLD) -> OpenForm:
    """A meeting of ten out of twelve, seven of them for the household."""
    form = opened("community_review")
    form.fill({
        "household": household, "stage": "review", "meeting/met_on": "2026-01-10", "meeting/place": "村委会", "meeting/called": "12",
        "meeting/present": "10", "meeting/recorded_by": "甲", "meeting/related": "no", "votes/votes_for": "7", "votes/votes_against": "2",
        "votes/votes_abstain": "1", "result": "approved", "meeting_photo": PHOTO, "sheet_photo": "sheet.jpg",
    })  # fmt: skip
    return form


def noticed(opened: Opener, household: str = HOUSEHOLD) -> OpenForm:
    """The notice of that household, with one objection."""
    form = opened("community_review")
    form.fill({
        "household": household, "stage": "notice", "notice/notice_from": "2026-01-11", "notice/notice_to": "2026-01-18",
        "notice/location_fix": "yes", "notice/location": PLACE, "notice/notice_photo": PHOTO, "notice/objected": "yes",
    })  # fmt: skip
    form.fill({"objections[1]/objector": "李*", "objections[1]/about": "有车", "objections[1]/outcome": "核实为其弟所有"})
    return form
