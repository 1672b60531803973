"""The county as it is drawn: villages, officers, households; and who is visited when, told as errands in the order of their arrival."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any

from server.access.divisions import county_divisions
from server.demo.form_filling import SameAs
from server.demo.people import Household, Person, Population
from server.demo.places import as_answer
from server.demo.sending import Errand
from server.forms.catalogue_file import shipped_catalogue
from server.oversight.periods import Period, periods_within
from server.settings import CHINA

_VISIT_FORMS = {"wubao": "wubao_visit", "orphan": "orphan_visit", "unattended": "orphan_visit"}
# Of a quarter's visits.
_MISSED, _NOT_AT_HOME, _DIES, _MOVES = 0.04, 0.10, 0.008, 0.004
# Of households that are not assisted.
_APPLIES = 0.05


@dataclass(slots=True)
class County:
    """Everything drawn. `today`: in Shanghai; `start`: the first day of the first quarter; `errands`: unordered."""

    random: Random
    today: date
    start: date
    villages: list[str]
    population: Population
    households: list[Household]
    errands: list[Errand] = field(default_factory=list)
    storm: date | None = None
    event: str = ""

    def new_uuid(self) -> str:
        """The next one of this county."""
        return _uuid(self.random)

    def in_village(self, code: str) -> list[Household]:
        """Its households."""
        return [one for one in self.households if one.division == code]

    def visits(self) -> list[Errand]:
        """Visits at which somebody was met."""
        return [one for one in self.errands if one.form_id in _VISIT_FORMS.values() and one.answers["met"] == "in_person"]


def officer_of(village: str) -> str:
    """The village's officer, as the phone is named."""
    return f"officer-{village}"


def visitor_of(village: str) -> str:
    """The township's home-visit staff."""
    return f"visitor-{village[:9]}"


STORE = "store-county"


def draw_county(*, households: int, quarters: int, seed: int, today: date) -> County:
    """The county and its ordinary errands, the same for the same arguments. Quarters end with the present one."""
    random = Random(seed)
    villages = sorted(code for code, place in county_divisions().items() if place.level == "village")
    start = _first_day(today, quarters)
    population = Population(random, iter(lambda: _uuid(random), None), today)
    drawn = [population.household(villages[number * len(villages) // households], number % 90 + 1) for number in range(households)]
    county = County(random, today, start, villages, population, drawn)
    for household in county.households:
        household.registered_on = start - timedelta(days=random.randrange(20, 45))
        county.errands.append(_registration(county, household))
        for person in household.members:
            if person.claim != "none":
                county.errands += _visits(county, household, person)
        county.errands += _assistance(county, household)
    return county


def _uuid(random: Random) -> str:
    return str(uuid.UUID(int=random.getrandbits(128), version=4))


def _first_day(today: date, quarters: int) -> date:
    months = today.year * 12 + (today.month - 1) // 3 * 3 - 3 * (quarters - 1)
    return date(months // 12, months % 12 + 1, 1)


def quarters_of(county: County) -> Iterator[tuple[date, date]]:
    """First and last day of each, up to today."""
    first = county.start
    while first <= county.today:
        months = first.year * 12 + first.month - 1 + 3
        following = date(months // 12, months % 12 + 1, 1)
        yield first, following - timedelta(days=1)
        first = following


def moment(random: Random, day: date, hours: tuple[int, int] = (9, 18)) -> datetime:
    """Some time of the day, in China."""
    return datetime.combine(day, time(hours[0]), CHINA) + timedelta(minutes=random.randrange((hours[1] - hours[0]) * 60))


def synced(random: Random, finished: datetime, *, offline: float = 0.25) -> datetime:
    """When the server has it: soon, or days later where the phone was out of signal."""
    wait = timedelta(hours=random.uniform(6, 90)) if random.random() < offline else timedelta(minutes=random.uniform(0.2, 20))
    return finished + wait


def review_of(county: County, received: datetime) -> str:
    """How far the review of something that old has come."""
    age = (county.today - received.astimezone(CHINA).date()).days
    return "county" if age > 20 else "township" if age > 5 else ""


def errand(county: County, form_id: str, officer: str, household: Household, finished: datetime, answers: dict[str, Any], **more: Any) -> Errand:
    """An errand at the household, at whose home the phone finds itself."""
    received = more.pop("received", None) or synced(county.random, finished)
    answers = {"location": as_answer(county.random, household.home), **answers}
    return Errand(form_id, officer, household.division, finished, received, answers, review=review_of(county, received), **more)


def _registration(county: County, household: Household) -> Errand:
    members = [
        {"member_name": one.name, "relation": one.relation, "id_number": one.number, "ethnicity": one.ethnicity, "claim": one.claim, "@id": one.uuid or _uuid(county.random),
         "guardian": household.head.name, "self_care": _self_care(one)} for one in household.members
    ]  # fmt: skip
    answers = {
        "household_known": "new", "new_household_id": household.uuid, "address": household.address, "phone": household.phone,
        "household_category": household.category, "review_class": review_class(household, household.registered_on), "members": members,
    }  # fmt: skip
    finished = moment(county.random, household.registered_on)
    touches = (household.uuid, *(one.uuid for one in household.members if one.uuid))
    return errand(county, "household_register", officer_of(household.division), household, finished, answers, touches=touches, minutes=county.random.uniform(6, 20))


def _self_care(person: Person) -> str:
    return "able" if person.failed == 0 else "partly" if person.failed <= 3 else "unable"


def _visits(county: County, household: Household, person: Person) -> list[Errand]:
    random, found = county.random, []
    for first, last in quarters_of(county):
        if person.ended is not None:
            break
        day = first + timedelta(days=random.randrange(2, (last - first).days - 3))
        if day >= county.today or random.random() < _MISSED:
            continue
        if random.random() < _NOT_AT_HOME:
            found.append(visit(county, household, person, day, met="not_home"))
            day = min(day + timedelta(days=random.randrange(2, 8)), last)
            if day >= county.today:
                continue
        met = random.choices(("in_person", "died", "moved"), (1 - _DIES - _MOVES, _DIES if person.claim == "wubao" else 0, _MOVES))[0]
        if met != "in_person":
            person.ended = day
        found.append(visit(county, household, person, day, met=met))
    return found


def visit(county: County, household: Household, person: Person, day: date, *, met: str = "in_person") -> Errand:
    """A visit of that day. The abilities are the person's own."""
    random = county.random
    finished = moment(random, day)
    answers: dict[str, Any] = {"person": person.uuid, "met": met, "allowance_month": day.replace(day=1).isoformat(), "risk": SameAs("risk_calculated")}
    if met == "died":
        answers["died_on"] = (day - timedelta(days=random.randrange(1, 6))).isoformat()
    if person.claim == "wubao":
        abilities = ("eats", "dresses", "gets_up", "toilet", "walks", "washes")
        answers |= {name: "no" if number < person.failed else "yes" for number, name in enumerate(abilities)}
    else:
        age = person.age_on(day)
        answers |= {"height": str(78 + 6 * min(age, 15) + random.randrange(-4, 5)), "weight": str(9 + 3 * min(age, 15) + random.randrange(-2, 4))}
        answers["next_visit_on"] = (day + timedelta(days=85)).isoformat()
    officer = officer_of(household.division) if random.random() < 0.6 else visitor_of(household.division)
    minutes = random.uniform(4, 16) if met == "in_person" else random.uniform(2.2, 5)
    return errand(county, _VISIT_FORMS[person.claim], officer, household, finished, answers, touches=(person.uuid,), minutes=minutes)


# -- assistance


def _assistance(county: County, household: Household) -> list[Errand]:
    """Of who is assisted, the verifications of its class; of who applies one, the review by the villagers and its notice."""
    random, found = county.random, []
    if household.category == "none":
        day = county.start + timedelta(days=random.randrange(5, 45))
        if random.random() >= _APPLIES or day + timedelta(days=20) >= county.today:
            return []
        return [verification(county, household, day, purpose="application"), *_community_review(county, household, day + timedelta(days=4))]
    for period in _review_periods(household, county):
        first = max(period.start, county.start)
        day = first + timedelta(days=random.randrange(5, (period.end - first).days - 3))
        if day < county.today and random.random() >= _MISSED:
            found.append(verification(county, household, day, purpose="review"))
    return found


def _review_periods(household: Household, county: County) -> list[Period]:
    programme = next(visits for _form, visits in shipped_catalogue().programmes if visits.list_name == "households")
    cadence = programme.cadence_of({"review_class": review_class(household, county.start)})
    return periods_within(cadence, Period(county.start, county.today, ""))


def review_class(household: Household, day: date) -> str:
    """As the verification form calculates it: C with somebody able to work, B with somebody partly able, else A."""
    abilities = {_work_ability(one, one.age_on(day)) for one in household.members}
    return "C" if "able" in abilities else "B" if "partly" in abilities else "A"


def _work_ability(person: Person, age: int) -> str:
    return "none" if age < 16 or age > 70 else "able" if person.wage else "partly"


def verification(county: County, household: Household, day: date, *, purpose: str, **answers: Any) -> Errand:
    """Two investigators at the home: members, income, costs, property, neighbours, result."""
    random = county.random
    members = [_verified(one, day) for one in household.members]
    investigators = [{"investigator_name": name, "investigator_unit": unit} for name, unit in (("核查员甲", "县民政局"), ("核查员乙", "乡镇政府"))]
    said = {
        "household_known": "listed", "household": household.uuid, "purpose": purpose, "accepted_on": (day - timedelta(days=random.randrange(3, 16))).isoformat(),
        "phone": household.phone, "investigators": investigators, "members": members, "sheep_kept": household.sheep, "sheep_sold": household.sheep // 5,
        "sheep_price": random.randrange(700, 1000), "yak_kept": household.yaks, "yak_sold": household.yaks // 6, "yak_price": random.randrange(6000, 9000),
        "neighbours": [{}, {}], "finding": SameAs("calculated_finding"), "finding_reason": "储蓄为借款，已核实",
        "review_class": SameAs("review_class_calculated"), "children_apart": [], "vehicles": [], **answers,
    }  # fmt: skip
    return errand(
        county, "household_verification", visitor_of(household.division), household, moment(random, day), said, touches=(household.uuid,),
        minutes=random.uniform(18, 50),
    )  # fmt: skip


def _verified(person: Person, day: date) -> dict[str, Any]:
    age = person.age_on(day)
    able = _work_ability(person, age)
    said: dict[str, Any] = {
        "member_name": person.name, "relation": person.relation, "id_number": person.number, "ethnicity": person.ethnicity, "work_ability": able,
        "monthly_wage": person.wage, "months_worked": person.months or 1, "serious_illness": "yes" if person.illness_cost else "no",
        "illness_cost": person.illness_cost,
    }  # fmt: skip
    if able == "none" or not person.wage:
        said["monthly_wage"] = 0
    return said


def _community_review(county: County, household: Household, day: date) -> list[Errand]:
    random = county.random
    called = random.randrange(15, 40)
    present = max(-(-called * 2 // 3), called - random.randrange(6))
    votes_for = random.randrange(present // 2 + 1, present + 1)
    against = random.randrange(present - votes_for + 1)
    met = {
        "household": household.uuid, "stage": "review", "met_on": day.isoformat(), "called": called, "present": present, "votes_for": votes_for,
        "votes_against": against, "votes_abstain": present - votes_for - against, "result": "approved", "objections": [],
    }  # fmt: skip
    ends = day + timedelta(days=9)
    notice = {"household": household.uuid, "stage": "notice", "notice_from": (day + timedelta(days=1)).isoformat(), "notice_to": ends.isoformat(), "objections": []}
    officer = officer_of(household.division)
    return [
        errand(county, "community_review", officer, household, moment(random, day), met),
        errand(county, "community_review", officer, household, moment(random, ends), notice),
    ]
