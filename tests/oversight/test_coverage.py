"""Who is due, visited, at risk, missed: told through the real server and read from the central database."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest

from server.access.actor import Actor, Grant
from server.problems import Problem
from tests.actors.house import House
from tests.oversight.county import FAR, NEIGHBOUR, VILLAGE, County, row_of


@pytest.fixture
def county(house: House) -> County:
    return County(house, "wubao_visit")


def counts(county: County, period: str = "2026Q3", today: str = "2026-11-25", level: str = "county", name: str = "") -> tuple[int, int, int, int]:
    """(due, visited, at risk, missed)."""
    row = row_of(county.coverage(period, today), level, name)
    return row.due, row.visited, row.at_risk, row.missed


def test_who_was_met_is_visited_and_who_was_not_is_missed_once_the_quarter_is_over(county: County) -> None:
    met, _unmet = county.registers("张三", "2026-01-05"), county.registers("李四", "2026-01-05")
    away = county.registers("王五", "2026-01-05", village=NEIGHBOUR)
    county.visits(met, "2026-08-10")
    county.visits(away, "2026-08-11", met="not_home")
    assert counts(county) == (3, 1, 0, 2)
    assert counts(county, level="village", name=VILLAGE) == (2, 1, 0, 1)
    assert counts(county, level="township", name="青海湖乡") == (3, 1, 0, 2)
    assert [one.label for one in county.coverage("2026Q3", "2026-11-25").unvisited] == ["李四", "王五"]
    assert row_of(county.coverage("2026Q3", "2026-11-25"), "county").coverage == pytest.approx(1 / 3)


def test_before_its_last_fifteen_days_a_duty_is_open_and_in_them_at_risk(county: County) -> None:
    county.registers("张三", "2026-01-05")
    states = {day: row_of(county.coverage("2026Q3", day), "county") for day in ("2026-09-15", "2026-09-16", "2026-09-30", "2026-10-01")}
    assert [(row.open, row.at_risk, row.missed) for row in states.values()] == [(1, 0, 0), (0, 1, 0), (0, 1, 0), (0, 0, 1)]


def test_who_enters_in_the_last_days_is_due_in_the_next_quarter(county: County) -> None:
    county.registers("张三", "2026-09-15")
    county.registers("李四", "2026-09-16")
    row = row_of(county.coverage("2026Q3", "2026-11-25"), "county")
    assert (row.due, row.missed, row.later) == (1, 1, 1)
    assert row_of(county.coverage("2026Q4", "2026-11-25"), "county").due == 2


def test_a_late_sync_counts_for_the_day_that_the_phone_says_and_an_impossible_day_for_the_receipt(county: County) -> None:
    late, early, future = (county.registers(name, "2026-01-05") for name in ("张三", "李四", "王五"))
    county.visits(late, "2026-09-29", received="2026-10-20")
    county.visits(early, "2024-12-31", received="2026-10-20")  # before the form was published
    county.visits(future, "2027-05-01", received="2026-10-20")
    third, fourth = (row_of(county.coverage(period, "2026-11-25"), "county") for period in ("2026Q3", "2026Q4"))
    assert (third.due, third.visited, third.by_receipt) == (3, 1, 0)
    assert (fourth.due, fourth.visited, fourth.by_receipt) == (3, 2, 2)


def test_a_rejected_or_deleted_visit_counts_for_nothing_and_one_without_review_is_provisional(county: County) -> None:
    people = [county.registers(name, "2026-01-05") for name in ("张三", "李四", "王五", "赵六")]
    approved, _plain, rejected, deleted = (county.visits(person, "2026-08-10") for person in people)
    county.reviews(approved, "approved")
    county.reviews(rejected, "rejected")
    assert county.staff.delete(f"/projects/1/forms/wubao_visit/submissions/{deleted}").status_code == 200
    row = row_of(county.coverage("2026Q3", "2026-11-25"), "county")
    assert (row.due, row.visited, row.provisional, row.missed) == (4, 2, 1, 2)


def test_who_died_or_moved_is_due_only_before_that_day_and_not_missed(county: County) -> None:
    seen_before, unseen, told_late = (county.registers(name, "2026-01-05") for name in ("张三", "李四", "王五"))
    county.visits(seen_before, "2026-07-20")
    county.visits(seen_before, "2026-08-20", met="died", died_on="2026-08-15")
    county.visits(unseen, "2026-08-20", met="moved")
    # Died in the third quarter; the register hears of it in the fourth.
    county.visits(told_late, "2026-10-12", met="died", died_on="2026-09-20")
    third = row_of(county.coverage("2026Q3", "2026-11-25"), "county")
    assert (third.due, third.visited, third.ended, third.missed) == (1, 1, 2, 0)
    assert [row for row in county.coverage("2026Q4", "2026-11-25").rows if row.level == "county"] == []


def test_who_was_handed_over_is_the_duty_of_where_they_are_last(county: County) -> None:
    person = county.registers("张三", "2026-01-05")
    county.visits(person, "2026-07-20")
    county.changes(person, "2026-08-01", division=FAR)
    found = county.coverage("2026Q3", "2026-11-25")
    assert [(row.code, row.visited) for row in found.rows if row.level == "village"] == [(FAR, 1)]
    assert [(row.code, row.due) for row in county.coverage("2026Q2", "2026-11-25").rows if row.level == "village"] == [(VILLAGE, 1)]


def test_staff_add_up_to_the_county(county: County) -> None:
    people = [county.registers(f"村民{number}", "2026-01-05", village=(VILLAGE, NEIGHBOUR)[number % 2]) for number in range(6)]
    county.phone(NEIGHBOUR)
    for person in people[:3]:
        county.visits(person, "2026-08-10")
    rows = [row for row in county.coverage("2026Q3", "2026-11-25").rows if row.level == "staff"]
    assert {row.name: (row.due, row.visited) for row in rows} == {"手机200": (3, 2), "手机201": (3, 1)}


def test_a_township_sees_its_own_and_a_leader_names_but_no_more(county: County) -> None:
    here, there = county.registers("张三", "2026-01-05"), county.registers("李四", "2026-01-05", village=FAR)
    county.registers("王五", "2026-01-05")
    county.changes(here, "2026-10-05", division=FAR)
    township = Actor(7, "user", "乡", (Grant("township-reviewer", 1),), "632223202")
    found = county.coverage("2026Q3", "2026-11-25", actor=township)
    assert {row.level for row in found.rows} == {"township", "village", "staff"}
    # Handed over since: the duty was here, the person's name is another township's now.
    assert sorted(one.label for one in found.unvisited) == ["", "王五"]
    assert there not in {one.uuid for one in found.unvisited}
    with pytest.raises(Problem) as refused:
        county.coverage("2026Q3", "2026-11-25", actor=township, division="632223290")
    assert refused.value.status == 403
    leader = Actor(8, "user", "县", (Grant("county-leader", 1),), None)
    assert len(county.coverage("2026Q3", "2026-11-25", actor=leader).unvisited) == 3
    with pytest.raises(Problem):
        county.coverage("2026Q3", "2026-11-25", actor=Actor(9, "phone", "手机", (Grant("app-user", 1),), VILLAGE))


def test_a_simulated_year_has_exactly_one_duty_per_person_and_quarter(county: County) -> None:
    """Against a model that goes through the year day by day and knows nothing of spells."""
    chance = random.Random(20260101)
    year = [date(2026, 1, 1) + timedelta(days=number) for number in range(365)]
    lives: dict[str, list[str]] = {}
    met_on: dict[str, set[date]] = {}
    for number in range(24):
        entered = year[0] if number % 3 else chance.choice(year[:340])
        life = ["" if day < entered else VILLAGE for day in year]
        person = county.registers(f"村民{number:02}", entered)
        met_on[person] = set()
        events = sorted(chance.sample(year[(entered - year[0]).days + 1 : 360], k=min(6, 358 - (entered - year[0]).days)))
        for day in events:
            what = chance.choice(["visit", "visit", "visit", "away", "move", "die"])
            received = min(day + timedelta(days=chance.choice([0, 0, 1, 9, 40])), year[-1])
            if what == "move":
                place = chance.choice([NEIGHBOUR, FAR, VILLAGE])
                if place != county.entity(person)["division"]:
                    county.changes(person, day, division=place)
                    life[(day - year[0]).days :] = [place] * (365 - (day - year[0]).days)
            elif what == "die":
                county.visits(person, day, met="died", died_on=str(day - timedelta(days=1)))
                life[(day - year[0]).days :] = [""] * (365 - (day - year[0]).days)
                break
            else:
                # Register entries are in the order of their days, as no phone here syncs after a later change.
                county.visits(person, day, received=received if day == events[-1] else day, met="in_person" if what == "visit" else "not_home")
                if what == "visit":
                    met_on[person].add(day)
        lives[person] = life
    for number, (first, last) in enumerate([(0, 90), (90, 181), (181, 273), (273, 365)], start=1):
        found = county.coverage(f"2026Q{number}", "2027-01-10")
        expected = {"due": 0, "visited": 0, "missed": 0, "ended": 0, "later": 0}
        places: dict[str, int] = {}
        for person, life in lives.items():
            there = [place for place in life[first:last] if place]
            if not there:
                continue
            entered = next(index for index, place in enumerate(life) if place)
            died = next((index for index in range(first, last) if index > entered and not life[index]), None)
            seen = any(first <= (day - year[0]).days < last for day in met_on[person])
            state = "ended" if died is not None and not seen else "later" if entered >= last - 15 else "visited" if seen else "missed"
            expected[state] += 1
            if state in {"visited", "missed"}:
                expected["due"] += 1
                places[there[-1]] = places.get(there[-1], 0) + 1
        row = row_of(found, "county")
        assert {name: getattr(row, name) for name in expected} == expected
        assert {row.code: row.due for row in found.rows if row.level == "village" and row.due} == places
        assert sum(row.due for row in found.rows if row.level == "staff") == row.due
