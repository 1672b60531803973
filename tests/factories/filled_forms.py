"""The county's forms, filled in to the end on a phone. `opened(form_id)`: the form, its village chosen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from tests.actors.javarosa import OpenForm
from tests.factories.phone_media import HOUSEHOLD, ORPHAN, PLACE, SNOW, TENTS, WUBAO

Opener = Callable[[str], OpenForm]
PHOTO = "photo.jpg"
GOOD_ID = "999999196001010012"
ABILITIES = ("eats", "dresses", "gets_up", "toilet", "walks", "washes")
NEW_EVENT = {
    "report_kind": "initial", "event_known": "new", "hazard": "snow", "event_name": "示例雪灾",
    "happened_at": "2026-01-02T03:00:00.000+08:00", "known_at": "2026-01-02T03:30:00.000+08:00",
    "arrived_at": "2026-01-02T04:30:00.000+08:00",
}  # fmt: skip


def verified(opened: Opener) -> OpenForm:
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


def visited(opened: Opener, failed: int) -> OpenForm:
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


def child_seen(opened: Opener) -> OpenForm:
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


def reported(opened: Opener, **event: str) -> OpenForm:
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
    for number, member in enumerate(members, start=1):
        if number > 1:
            form.add_repeat("members")
        form.fill({f"members[{number}]/{name}": value for name, value in member.items()})
    form.fill({"members_complete": "yes", "home/location_fix": "yes", "home/location": PLACE, "home/photo_front": "front.jpg", "signature": "s0.png"})
    return form


def stocked(opened: Opener) -> OpenForm:
    """Ten tents go out of the store to a village of the snowstorm."""
    form = opened("relief_stock")
    form.fill({
        "store": "县救灾仓库", "movement": "out", "item": "tent", "unit": "piece", "quantity": "10", "for_event": "yes", "event": SNOW,
        "to_village": "632223202204", "rule": "loss", "condition": "good", "photo": PHOTO, "signature": "s.png",
    })  # fmt: skip
    return form


def handed_out(opened: Opener, quantity: str = "2") -> OpenForm:
    """Tents of a batch of which four are left, to a household."""
    form = opened("relief_distribution")
    form.fill({
        "batch": TENTS, "household": HOUSEHOLD, "for_one_person": "no", "quantity": quantity, "received_by": "self", "related": "no",
        "location_fix": "yes", "location": PLACE, "photo": PHOTO, "signature": "s.png",
    })  # fmt: skip
    return form


def reviewed(opened: Opener) -> OpenForm:
    """A meeting of ten out of twelve, seven of them for the household."""
    form = opened("community_review")
    form.fill({
        "household": HOUSEHOLD, "stage": "review", "meeting/met_on": "2026-01-10", "meeting/place": "村委会", "meeting/called": "12",
        "meeting/present": "10", "meeting/recorded_by": "甲", "meeting/related": "no", "votes/votes_for": "7", "votes/votes_against": "2",
        "votes/votes_abstain": "1", "result": "approved", "meeting_photo": PHOTO, "sheet_photo": "sheet.jpg",
    })  # fmt: skip
    return form


def noticed(opened: Opener) -> OpenForm:
    """The notice of that household, with one objection."""
    form = opened("community_review")
    form.fill({
        "household": HOUSEHOLD, "stage": "notice", "notice/notice_from": "2026-01-11", "notice/notice_to": "2026-01-18",
        "notice/location_fix": "yes", "notice/location": PLACE, "notice/notice_photo": PHOTO, "notice/objected": "yes",
    })  # fmt: skip
    form.fill({"objections[1]/objector": "李*", "objections[1]/about": "有车", "objections[1]/outcome": "核实为其弟所有"})
    return form
