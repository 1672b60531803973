"""Abuses and faults, planted among the ordinary errands at a given rate: one function each, named after the check that should find it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from server.demo.county import County, Errand, errand, moment, officer_of, review_class, visit, visitor_of
from server.demo.form_filling import SameAs
from server.demo.people import Person
from server.demo.places import as_answer, moved, village_centre
from server.demo.usual import USUAL

_YES_NO = {"yes", "no"}
# The most favourable of each scale.
_BEST = {"pain": "none", "mood": "good", "eyesight": "good", "hearing": "good", "satisfaction": "5", "sleep": "well"}


@dataclass(slots=True)
class Planted:
    """What was planted. `check`: as domain checks are named; `errands`: those concerned; `subjects`: villages, households or officers."""

    check: str
    what: str
    errands: list[Errand] = field(default_factory=list)
    subjects: list[str] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        """For the list of what was planted; only what has been sent has an instanceID."""
        sent = [one.instance_id for one in self.errands if one.instance_id]
        return {"check": self.check, "what": self.what, "instance_ids": sent, "subjects": self.subjects}


Plant = Callable[[County, float], Iterator[Planted]]


def plant_all(county: County, rate: float) -> list[Planted]:
    """Each abuse and fault in the share `rate` of what it could befall, and at least once where there is anything it could."""
    return [planted for plant in PLANTS.values() for planted in plant(county, rate)]


def _some(county: County, things: list[Any], rate: float) -> list[Any]:
    """Those that it befalls; nothing is befallen twice by chance alone of an order: the county's own chance draws them."""
    if not things:
        return []
    return county.random.sample(things, min(len(things), max(1, round(len(things) * rate))))


def _fresh(county: County) -> list[Errand]:
    """Visits at which nothing is planted yet."""
    return [one for one in county.visits() if not one.planted]


def _mark(planted: Planted) -> Planted:
    for one in planted.errands:
        one.planted.append(planted.check)
    return planted


def _far_from_home(county: County, rate: float) -> Iterator[Planted]:
    for one in _some(county, _fresh(county), rate):
        latitude, longitude = (float(part) for part in one.answers["location"].split()[:2])
        place = moved((latitude, longitude), county.random.uniform(0.8, 3), county.random.uniform(0, 2 * math.pi))
        one.answers["location"] = as_answer(county.random, place)
        yield _mark(Planted("far_from_home", "a visit 0.8 to 3 km from the person's home", [one]))


def _batch_at_one_place(county: County, rate: float) -> Iterator[Planted]:
    by_quarter: dict[tuple[str, int, int], list[Errand]] = defaultdict(list)
    for one in _fresh(county):
        by_quarter[one.division[:9], one.finished.year, (one.finished.month - 1) // 3].append(one)
    for visits in _some(county, [found for found in by_quarter.values() if len({one.touches for one in found}) >= 5], rate):
        distinct = list({one.touches: one for one in visits}.values())[:7]
        centre, first = village_centre(distinct[0].division), min(distinct, key=lambda one: one.finished).finished
        for number, one in enumerate(distinct):
            one.officer = visitor_of(one.division)
            _move_to(one, first + timedelta(minutes=14 * number))
            one.answers["location"] = as_answer(county.random, centre, jitter_m=4)
        yield _mark(Planted("batch_at_one_place", "5 to 7 visits to different homes at one place within two hours", distinct, [distinct[0].officer]))


def _move_to(one: Errand, finished: Any) -> None:
    """The visit was finished then, and arrived as much later as before."""
    one.received = finished + (one.received - one.finished)
    one.finished = finished
    one.answers["allowance_month"] = finished.date().replace(day=1).isoformat()


def _impossible_travel(county: County, rate: float) -> Iterator[Planted]:
    by_officer: dict[str, list[Errand]] = defaultdict(list)
    for one in _fresh(county):
        by_officer[one.officer].append(one)
    for visits in _some(county, [found for found in by_officer.values() if len(found) >= 2], rate):
        first, second = sorted(visits, key=lambda one: one.finished)[:2]
        latitude, longitude = (float(part) for part in first.answers["location"].split()[:2])
        _move_to(second, first.finished + timedelta(minutes=9))
        second.minutes = 6
        second.answers["location"] = as_answer(county.random, moved((latitude, longitude), county.random.uniform(35, 60), 0.6))
        yield _mark(Planted("impossible_travel", "two visits of one officer 35 to 60 km apart within nine minutes", [first, second], [first.officer]))


def _too_fast(county: County, rate: float) -> Iterator[Planted]:
    for one in _some(county, _fresh(county), rate):
        one.minutes = county.random.uniform(0.3, 1.2)
        yield _mark(Planted("too_fast", "a visit filled in in less than 75 seconds", [one]))


def _copied_answers(county: County, rate: float) -> Iterator[Planted]:
    by_officer: dict[tuple[str, str], list[Errand]] = defaultdict(list)
    for one in _fresh(county):
        by_officer[one.officer, one.form_id].append(one)
    pairs = [sorted(found, key=lambda one: one.finished)[-2:] for found in by_officer.values() if len({one.touches for one in found}) >= 2]
    for first, second in _some(county, [pair for pair in pairs if pair[0].touches != pair[1].touches], rate):
        drawn = _drawn(county, first.form_id)
        own = {name: answer for name, answer in first.answers.items() if name in {"eats", "dresses", "gets_up", "toilet", "walks", "washes"}}
        first.answers |= drawn
        second.answers |= {**drawn, **own}
        yield _mark(Planted("copied_answers", "the second visit repeats the first one's answers", [first, second], [first.officer]))


def _drawn(county: County, form_id: str) -> dict[str, Any]:
    """One set of usual answers, of what usually varies."""
    found: dict[str, Any] = {}
    for name, spread in USUAL[form_id].items():
        if isinstance(spread, dict) and name not in {"location_fix", "allowance", "consent", "signs", "attends"}:
            found[name] = county.random.choices(list(spread), list(spread.values()))[0]
        elif isinstance(spread, tuple) and name not in {"height", "weight"}:
            found[name] = str(county.random.randint(*spread))
    return {name: answer for name, answer in found.items() if name not in {"eats", "dresses", "gets_up", "toilet", "walks", "washes"}}


def _straight_lining(county: County, rate: float) -> Iterator[Planted]:
    by_officer: dict[str, list[Errand]] = defaultdict(list)
    for one in _fresh(county):
        if one.form_id == "wubao_visit":
            by_officer[one.officer].append(one)
    for visits in _some(county, [found for found in by_officer.values() if len(found) >= 3], rate):
        rows = {name: "yes" for name, spread in USUAL["wubao_visit"].items() if isinstance(spread, dict) and set(spread) <= _YES_NO}
        for one in visits:
            one.answers |= {**rows, **_BEST, "wants_institution": "no", "needs": "nothing"}
        yield _mark(Planted("straight_lining", "all scales and yes/no rows of an officer's visits are alike", visits, [visits[0].officer]))


def _photo_used_twice(county: County, rate: float) -> Iterator[Planted]:
    visits = [one for one in _fresh(county) if one.form_id == "wubao_visit"]
    for number, one in enumerate(_some(county, visits, rate)):
        others = [other for other in visits if other.touches != one.touches and not other.planted]
        if others:
            other = county.random.choice(others)
            one.photos["photo"] = other.photos["photo"] = 9_000_000 + number
            yield _mark(Planted("photo_used_twice", "one photo in visits to two homes", [one, other]))


def _clock_games(county: County, rate: float) -> Iterator[Planted]:
    for number, one in enumerate(_some(county, _fresh(county), rate)):
        if number % 2:
            one.minutes = -county.random.uniform(30, 300)
        else:
            one.finished = one.received + timedelta(days=county.random.uniform(1, 3))
        yield _mark(Planted("clock_games", "ends before it starts" if number % 2 else "finished on the phone after the server had it", [one]))


def _visited_after_death(county: County, rate: float) -> Iterator[Planted]:
    told = {one.touches[0]: one for one in county.errands if one.answers.get("met") == "died"}
    dead = [(home, one) for home in county.households for one in home.members if one.uuid in told]
    if not dead:
        homes = [(home, one) for home in county.households for one in home.members if one.claim == "wubao" and _last_visit(county, one) is not None]
        for home, one in _some(county, homes, 0):
            one.ended = _last_visit(county, one).finished.date() + timedelta(days=5)  # type: ignore[union-attr]
            told[one.uuid] = visit(county, home, one, one.ended, met="died")
            county.errands.append(told[one.uuid])
            dead.append((home, one))
    for home, one in _some(county, dead, rate):
        assert one.ended is not None
        died, late = told[one.uuid], visit(county, home, one, one.ended + timedelta(days=county.random.randrange(12, 30)))
        late.received = max(late.received, died.received + timedelta(days=1))
        county.errands.append(late)
        yield _mark(Planted("visited_after_death", "met in person, with allowance, after the day of death", [died, late], [one.uuid]))


def _last_visit(county: County, person: Person) -> Errand | None:
    return max((one for one in county.visits() if one.touches == (person.uuid,)), key=lambda one: one.finished, default=None)


def _same_id_twice(county: County, rate: float) -> Iterator[Planted]:
    homes = {one.touches[0]: one for one in county.errands if one.form_id == "household_register"}
    for household in _some(county, [one for one in county.households if len(one.members) > 1], rate * 0.3):
        other = county.random.choice([one for one in county.households if one.division != household.division] or county.households)
        if other is household:
            continue
        copied = household.members[-1]
        homes[other.uuid].answers["members"].append({
            "member_name": copied.name, "relation": "other", "id_number": copied.number, "ethnicity": copied.ethnicity, "claim": "none", "@id": county.new_uuid(),
        })  # fmt: skip
        both = [homes[household.uuid], homes[other.uuid]]
        yield _mark(Planted("same_id_twice", "one ID number in two households", both, [household.uuid, other.uuid]))


def _shared_phone(county: County, rate: float) -> Iterator[Planted]:
    homes = {one.touches[0]: one for one in county.errands if one.form_id == "household_register"}
    for village in _some(county, [code for code in county.villages if len(county.in_village(code)) >= 3], rate):
        shared = county.random.sample(county.in_village(village), 3)
        for one in shared[1:]:
            one.phone = shared[0].phone
            homes[one.uuid].answers["phone"] = one.phone
            for other in county.errands:
                if other.touches == (one.uuid,) and "phone" in other.answers:
                    other.answers["phone"] = one.phone
        yield _mark(Planted("shared_phone", "one phone number for three unrelated households", [homes[one.uuid] for one in shared], [one.uuid for one in shared]))


def _taking_turns(county: County, rate: float) -> Iterator[Planted]:
    """Half of a village's dibao households give way to others, though nobody's income has changed."""
    middle = county.start + (county.today - county.start) / 2
    villages = [code for code in county.villages if sum(one.category == "dibao" for one in county.in_village(code)) >= 4]
    for village in _some(county, villages, rate):
        homes = county.in_village(village)
        leaving = [one for one in homes if one.category == "dibao"]
        leaving = leaving[: -(-len(leaving) // 2)]
        coming = [one for one in homes if one.category == "none"][: len(leaving)]
        changed = []
        for one, category in [*((one, "none") for one in leaving), *((one, "dibao") for one in coming)]:
            # The form wants to hear of somebody: a child was born.
            child = county.population.person("grandchild", ages=(0, 0), ethnicity=one.head.ethnicity)
            born = {"member_name": child.name, "relation": "grandchild", "id_status": "none", "id_reason": "尚未办理", "birth_said": middle.isoformat(),
                    "sex_said": child.sex, "ethnicity": child.ethnicity, "claim": "none", "@id": county.new_uuid()}  # fmt: skip
            said = {"household_known": "listed", "household": one.uuid, "household_category": category, "review_class": review_class(one, middle), "address": one.address, "phone": one.phone, "members": [born]}
            at = moment(county.random, middle)
            changed.append(errand(county, "household_register", officer_of(village), one, at, said, touches=(one.uuid,)))
        county.errands += changed
        yield _mark(Planted("taking_turns", "half of the village's dibao households are replaced by others", changed, [village]))


def _equal_split(county: County, rate: float) -> Iterator[Planted]:
    for batch, given in _some(county, _batches(county), rate):
        total = sum(one.answers["quantity"] for one in given)
        for one in given:
            one.answers["quantity"] = round(total / len(given), 2)
        yield _mark(Planted("equal_split", "every household of the batch gets the same, however hard it was hit", given, [batch]))


def _batches(county: County) -> list[tuple[str, list[Errand]]]:
    """Hand-overs by batch, of batches in which households were hit differently."""
    found: dict[str, list[Errand]] = defaultdict(list)
    for one in county.errands:
        if one.form_id == "relief_distribution" and not one.planted:
            found[one.answers["batch"]].append(one)
    return [(batch, given) for batch, given in found.items() if len({one.answers["quantity"] for one in given}) > 1]


def _relatives(county: County, rate: float) -> Iterator[Planted]:
    verified = [one for one in county.errands if one.form_id == "household_verification" and not one.planted]
    for one in _some(county, verified, rate):
        one.answers |= {
            "investigator_related": "yes", "relative_who": "村主任的弟弟", "relative_steps_aside": "no", "relative_stays_why": "人手不足，无人可换", "finding": "meets",
            "finding_reason": "村里情况都清楚，应当纳入",
        }  # fmt: skip
        yield _mark(Planted("relatives", "a relative who did not step aside finds that the household meets the line", [one], list(one.touches)))


def _under_the_line(county: County, rate: float) -> Iterator[Planted]:
    """Incomes of 1 to 60 yuan under the line: pensions are set so that nothing else counts."""
    nothing = ("sheep_kept", "sheep_sold", "yak_kept", "yak_sold", "horse_kept", "horse_sold", "herding_costs", "crops_income", "crops_costs", "land_income",
               "interest_income", "grassland_subsidy", "other_transfers", "cost_school", "cost_care", "cost_disaster")  # fmt: skip
    verified = [one for one in county.errands if one.form_id == "household_verification" and not one.planted]
    for one in _some(county, verified, rate):
        members = [replace_wages(member) for member in one.answers["members"]]
        # The county's line stands in the form.
        pension = SameAs("line_yuan", times=len(members), plus=-county.random.randrange(1, 60) * len(members))
        one.answers |= {**dict.fromkeys(nothing, 0), "members": members, "pension": pension}
        yield _mark(Planted("under_the_line", "income per head 1 to 60 yuan under the line", [one], list(one.touches)))


def replace_wages(member: dict[str, Any]) -> dict[str, Any]:
    """The member without wages and illness."""
    return {**member, "monthly_wage": 0, "serious_illness": "no", "illness_cost": 0}


def _finding_against(county: County, rate: float) -> Iterator[Planted]:
    verified = [one for one in county.errands if one.form_id == "household_verification" and not one.planted]
    for one in _some(county, verified, rate):
        one.answers |= {"finding": "meets", "finding_reason": "生活确有困难，建议纳入", "pension": 60_000}
        yield _mark(Planted("finding_against_calculation", "found to meet the line with an income far above it", [one], list(one.touches)))


def _short_payment(county: County, rate: float) -> Iterator[Planted]:
    for one in _some(county, _fresh(county), rate):
        one.answers |= {"allowance": "short", "allowance_yuan": str(county.random.randrange(3, 8) * 100)}
        yield _mark(Planted("short_payment", "less allowance received than is due", [one], list(one.touches)))


def _list_vs_hand_over(county: County, rate: float) -> Iterator[Planted]:
    for batch, given in _some(county, [found for found in _batches(county) if len(found[1]) >= 3], rate):
        lost = given[-1]
        county.errands.remove(lost)
        given[0].answers["quantity"] = round(given[0].answers["quantity"] / 2, 2)
        yield _mark(Planted("list_vs_hand_over", "hand-overs do not add up to what went out", given[:-1], [batch]))


def _figures_jump(county: County, rate: float) -> Iterator[Planted]:
    reports = [one for one in county.errands if one.answers.get("report_kind") == "follow_up" and not one.planted and one.answers["sheep_dead"] > 0]
    for one in _some(county, reports, rate):
        # A tampered client: the form would ask why.
        one.answers |= {"sheep_dead": 1000, "affected": 500, "loss_total": 100, "loss_farming": 100, "loss_houses": 0, "jump_why": ""}
        yield _mark(Planted("figures_jump", "round figures far outside the bounds, without an explanation", [one], [one.division]))


def _silent_village(county: County, rate: float) -> Iterator[Planted]:
    reporting = sorted({one.division for one in county.errands if one.form_id == "disaster_report" and one.answers.get("event_known") != "new" and not one.planted})
    first = {one.division for one in county.errands if one.answers.get("event_known") == "new"}
    for village in _some(county, [code for code in reporting if code not in first], rate * 0.5):
        county.errands[:] = [one for one in county.errands if not (one.form_id == "disaster_report" and one.division == village)]
        yield Planted("silent_village", "struck like its neighbours, and never reports", [], [village])


PLANTS: dict[str, Plant] = {
    "far_from_home": _far_from_home, "batch_at_one_place": _batch_at_one_place, "impossible_travel": _impossible_travel, "too_fast": _too_fast,
    "copied_answers": _copied_answers, "straight_lining": _straight_lining, "photo_used_twice": _photo_used_twice, "clock_games": _clock_games,
    "visited_after_death": _visited_after_death, "same_id_twice": _same_id_twice, "shared_phone": _shared_phone, "taking_turns": _taking_turns,
    "equal_split": _equal_split, "relatives": _relatives, "under_the_line": _under_the_line, "finding_against_calculation": _finding_against,
    "short_payment": _short_payment, "list_vs_hand_over": _list_vs_hand_over, "figures_jump": _figures_jump, "silent_village": _silent_village,
}  # fmt: skip
