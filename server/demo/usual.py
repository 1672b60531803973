"""What people usually answer to what a story says nothing of: choices by weight, numbers within bounds, words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random

from server.demo.form_filling import Question

# A choice by weight, a whole number between two, or one of some texts.
Spread = Mapping[str, float] | tuple[int, int] | Sequence[str]

_YES, _NO, _MOSTLY, _SELDOM = {"yes": 1}, {"no": 1}, {"yes": 0.93, "no": 0.07}, {"yes": 0.06, "no": 0.94}
_NONE = ["无"]

USUAL: Mapping[str, Mapping[str, Spread]] = {
    "household_register": {
        "id_status": {"seen": 0.9, "said": 0.1}, "support": {"home": 0.8, "institution": 0.2}, "members_complete": _YES, "location_fix": _YES, "guardian": ["祖母", "叔父", "姑母"],
    },
    "household_verification": {
        "purpose": {"review": 1}, "id_status": {"seen": 1}, "investigators_complete": _YES, "investigator_related": _NO, "members_complete": _YES,
        "marital_status": {"married": 0.7, "single": 0.15, "widowed": 0.15}, "schooling": {"none": 0.3, "primary": 0.4, "junior": 0.2, "senior": 0.1},
        "student": {"yes": 0.5, "no": 0.5}, "disability_type": {"none": 0.92, "physical": 0.05, "sight": 0.03}, "disability_grade": {"3": 0.5, "4": 0.5},
        "illness": ["高血压", "风湿病", "胆囊炎", "慢性支气管炎"], "horse_kept": (0, 2), "horse_sold": (0, 0), "herding_costs": (300, 3000),
        "crop_area": (0, 20), "crops_income": (0, 3000), "crops_costs": (0, 800), "fungus_roots": (0, 0), "rent_income": (0, 0), "land_income": (0, 1200),
        "interest_income": (0, 60), "pension": (0, 2400), "grassland_subsidy": (500, 3500), "other_transfers": (0, 500), "has_children_apart": {"no": 1},
        "income_evidence": {"document": 0.3, "said": 0.5, "estimated": 0.2}, "farm_evidence": {"said": 0.5, "estimated": 0.5}, "property_evidence": {"document": 1},
        "transfers_evidence": {"document": 1}, "other_evidence": {"said": 1}, "income_other": (0, 0), "cost_school": (0, 2500), "cost_care": (0, 300),
        "cost_disaster": (0, 800), "rooms": (2, 6), "floor_area": (40, 130), "structure": {"brick": 0.6, "earth": 0.3, "concrete": 0.1},
        "safety_grade": {"A": 0.3, "B": 0.5, "C": 0.17, "D": 0.03}, "has_vehicle": {"no": 1}, "savings": (0, 9000), "has_shop": _NO, "has_other_house": _NO,
        "location_fix": _YES, "heating": {"coal": 0.5, "dung": 0.3, "dung coal": 0.2}, "water": {"tap": 0.6, "well": 0.4}, "power": {"grid": 0.9, "solar": 0.1},
        "neighbour_relation": {"neighbour": 0.7, "villager": 0.3}, "neighbour_said": {"agrees": 0.9, "unknown": 0.1}, "neighbours_complete": _YES,
        "applicant_signs": _YES, "address": ["村中"], "work_ability": {"able": 0.6, "partly": 0.2, "none": 0.2}, "monthly_wage": (0, 0),
    },
    "wubao_visit": {
        "not_met_why": ["去女儿家", "转场放牧", "赶集未归"], "neighbour_asked": _YES, "neighbour_said": ["身体还好", "前天见过", "过几天回来"], "hospital_name": ["县医院"],
        "moved_to": ["西宁市儿子家"], "funeral_aid": {"applied": 0.6, "not_yet": 0.4}, "location_fix": _YES,
        **dict.fromkeys(("eats", "dresses", "gets_up", "toilet", "walks", "washes"), _MOSTLY),
        "illness": ["无", "高血压", "关节炎", "白内障", "慢阻肺"], "medicine": _MOSTLY, "last_doctor": {"month": 0.3, "quarter": 0.4, "year": 0.2, "longer": 0.1},
        "hospital_days": (0, 6), "pain": {"none": 0.5, "some": 0.4, "strong": 0.1}, "mood": {"good": 0.7, "low": 0.25, "very_low": 0.05},
        "eyesight": {"good": 0.5, "poor": 0.5}, "hearing": {"good": 0.6, "poor": 0.4}, "food_days": (6, 40), "stove_safe": _MOSTLY, "fuel_days": (8, 60),
        "roof_safe": _MOSTLY, "water_ok": _MOSTLY, "power_ok": _MOSTLY, "winter_clothes": _MOSTLY, "phone_reachable": {"yes": 0.8, "no": 0.2},
        "allowance": {"full": 1}, "allowance_yuan": (900, 900), "card_holder": {"self": 0.8, "relative": 0.2}, "carer_name": ["才让措", "马秀英", "王玉花"],
        "carer_visits": (1, 7), "carer_paid": _MOSTLY, "satisfaction": (2, 5), "wants_institution": {"no": 0.9, "yes": 0.1},
        "needs": {"nothing": 0.5, "fuel": 0.15, "medicine": 0.1, "fuel medicine": 0.1, "clothes": 0.08, "repair": 0.07}, "urgency": {"quarter": 0.7, "week": 0.25, "today": 0.05},
        "signs": {"signature": 0.6, "thumbprint": 0.4}, "allowance_less_why": ["尚未到账，下月补发"],
    },
    "orphan_visit": {
        "not_met_why": ["在学校", "去亲戚家"], "moved_to": ["随监护人迁往西宁"], "met_alone": _MOSTLY, "not_alone_why": ["年幼，不愿离开祖母"], "location_fix": _YES,
        "guardian": ["祖母"], "guardian_changed_why": ["原监护人外出务工"], "guardian_relation": {"grandparent": 0.7, "uncle_aunt": 0.3}, "guardian_age": (40, 76),
        "guardian_health": {"good": 0.5, "chronic": 0.4, "poor": 0.1}, "guardian_able": _MOSTLY, "agreement_signed": _MOSTLY, "living_with": {"guardian": 0.8, "boarding": 0.2},
        "consent": {"no": 0.6, "yes": 0.4}, "attends": _YES, "school_name": ["示例寄宿小学", "示例中学"], "school_grade": {"primary": 0.6, "junior": 0.4}, "absent_days": (0, 6),
        "marks_trend": {"same": 0.6, "better": 0.25, "worse": 0.15}, "boarding": {"yes": 0.5, "no": 0.5}, "height": (98, 168), "weight": (16, 55), "vaccinated": _MOSTLY,
        "insured": _MOSTLY, "illness": _NONE, "disability": {"none": 1}, "operation_project": {"not_needed": 1}, "sleep": {"well": 0.9, "badly": 0.1}, "friends": _MOSTLY,
        "bullied": {"no": 1}, "house_safe": _MOSTLY, "road_safe": _MOSTLY, "water_safe": _MOSTLY, "hazards": {"none": 0.7, "river": 0.1, "dogs": 0.1, "road": 0.1}, "signs": {"none": 1},
        "allowance": {"full": 1}, "allowance_yuan": (1100, 1100), "card_holder": {"guardian": 1}, "used_for_child": _MOSTLY, "own_bed": _MOSTLY, "desk": _MOSTLY, "heat": _MOSTLY,
        **dict.fromkeys(("birth_on_file", "parents_on_file", "agreement_on_file", "photos_on_file"), _MOSTLY), "plan_18_kind": {"school": 0.6, "work": 0.4}, "plan_18": ["继续读职业学校"],
    },
    "disaster_report": {"location_fix": _YES, "response_declared": _NO, "rosters_complete": _YES, "jump_why": ["随转场牧户陆续清点，数字增加"]},
    "community_review": {"place": ["村委会"], "recorded_by": ["村会计"], "related": _NO, "location_fix": _YES, "objected": _NO},
    "relief_distribution": {"for_one_person": _NO, "received_by": {"self": 0.8, "family": 0.2}, "received_by_name": ["家属"], "related": _NO, "location_fix": _YES, "too_much_why": ["按登记户数补发"]},
    "relief_stock": {"condition": {"good": 1}, "rule": {"loss": 1}, "source": ["省级救灾物资储备库"]},
}  # fmt: skip


def usual_answers(form_id: str, random: Random) -> Callable[[Question], str]:
    """What somebody answers to a question of that form; "" where nothing is known of it."""
    spreads = USUAL.get(form_id, {})

    def answer(question: Question) -> str:
        spread = spreads.get(question.name)
        if spread is None:
            return ""
        if isinstance(spread, Mapping):
            return random.choices(list(spread), list(spread.values()))[0]
        if isinstance(spread, tuple):
            return str(random.randint(spread[0], spread[1]))
        return random.choice(spread)

    return answer
