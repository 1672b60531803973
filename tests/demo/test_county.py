"""A synthetic county: drawn alike for one seed, believable, received like what real phones send; and what is planted in it is known."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from shapely import Point
from sqlalchemy import select, text

from server.cli import minqing
from server.demo.county import County, draw_county, review_class
from server.demo.making import make_county
from server.demo.places import COUNTY_LAND
from server.demo.plants import PLANTS, Planted, plant_all
from server.demo.snowstorm import FODDER, strike
from server.model import Entity, EntityList, RuleViolations, Submission, SubmissionVersion
from server.submissions.rule_check import check_arrivals
from server.transactions import open_engine, transaction
from sync.replicate import replicate_changes
from tests.actors.house import House
from tests.factories.shipped_forms import publish_shipped

TODAY = date(2026, 11, 20)
FORMS = ("household_register", "household_verification", "wubao_visit", "orphan_visit", "disaster_report", "community_review", "relief_distribution", "relief_stock")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def drawn(households: int = 200, quarters: int = 3, seed: int = 7) -> County:
    county = draw_county(households=households, quarters=quarters, seed=seed, today=TODAY)
    strike(county)
    return county


def test_one_seed_gives_one_county() -> None:
    assert drawn().errands == drawn().errands
    assert drawn().errands != drawn(seed=8).errands


def test_homes_are_on_land_inside_the_county() -> None:
    homes = [Point(one.home[1], one.home[0]) for one in drawn(600).households]
    assert all(COUNTY_LAND.buffer(0.03).contains(home) for home in homes)
    assert len({(home.x, home.y) for home in homes}) == 600
    # The lake's middle is not in the county.
    assert not COUNTY_LAND.contains(Point(100.2, 36.9))


def test_id_numbers_are_right_in_form_and_nobodys() -> None:
    numbers = [one.number for household in drawn(600).households for one in household.members]
    assert len(set(numbers)) == len(numbers)
    assert {number[:6] for number in numbers} == {"999999"}
    assert all("10X98765432"[sum(w * int(d) for w, d in zip(_WEIGHTS, number, strict=False)) % 11] == number[17] for number in numbers)


def test_figures_of_the_storm_are_those_of_the_households_and_relief_adds_up() -> None:
    county = drawn()
    verified = {one.division: one.answers for one in county.errands if one.answers.get("report_kind") == "verification"}
    assert len(verified) >= 5
    for village, told in verified.items():
        hit = [one for one in county.in_village(village) if one.loss]
        assert told["affected"] == sum(len(one.members) for one in hit)
        [out] = [one for one in county.errands if one.form_id == "relief_stock" and one.answers["to_village"] == village]
        given = [one.answers["quantity"] for one in county.errands if one.form_id == "relief_distribution" and one.division == village]
        assert sum(given) == out.answers["quantity"] == sum(FODDER[one.loss] for one in hit)


def test_households_are_reviewed_as_often_as_their_class_says() -> None:
    county = drawn(600, quarters=4)
    assisted = {one.uuid: review_class(one, county.start) for one in county.households if one.category != "none"}
    reviews = Counter(one.touches[0] for one in county.errands if one.form_id == "household_verification" and one.answers["purpose"] == "review")
    by_class = {name: [reviews[uuid] for uuid, own in assisted.items() if own == name] for name in "ABC"}
    assert {name: max(found) for name, found in by_class.items()} == {"A": 1, "B": 2, "C": 4}
    assert all(len(found) > 10 for found in by_class.values())


def test_everyone_due_has_at_most_one_visit_in_person_a_quarter() -> None:
    visits = Counter((one.touches, one.finished.year, (one.finished.month - 1) // 3) for one in drawn(400).visits())
    assert visits
    assert max(visits.values()) == 1


@pytest.mark.parametrize("check", PLANTS)
def test_each_abuse_and_fault_can_be_planted(check: str) -> None:
    county = drawn(700, quarters=4, seed=11)
    found = list(PLANTS[check](county, 0.05))
    assert found
    assert {one.check for one in found} == {check}
    assert all(one.errands or one.subjects for one in found)


def made(house: House, county: County) -> int:
    for form_id in FORMS:
        publish_shipped(house, form_id)
    done = make_county(house.engine, house.secrets, house.admin, 1, county, settings=house.settings)
    central = open_engine(house.settings.central_database)
    while replicate_changes(house.engine, central, batch=500):
        pass
    central.dispose()
    while check_arrivals(house.engine, limit=500):
        pass
    return done


def broken(house: House) -> set[str]:
    """InstanceIDs of submissions that break a rule of their form."""
    with transaction(house.engine) as session:
        return set(session.scalars(select(SubmissionVersion.instance_id).join(RuleViolations, RuleViolations.version_id == SubmissionVersion.id)))


def test_a_county_is_received_and_only_what_was_planted_breaks_a_rule(house: House) -> None:
    county = drawn(60, quarters=2)
    planted = plant_all(county, 0.05)
    done = made(house, county)
    assert done == len(house.rows(Submission)) > 120
    assert [row["entity_errors"] for row in house.rows(SubmissionVersion) if row["entity_errors"]] == []
    assert [row["uuid"] for row in house.rows(Entity) if row["conflict"]] == [] or _only_after_death(planted)
    [event] = [row for row in house.rows(Entity) if row["uuid"] == county.event]
    villages = {row["division"]: row["data"] for row in house.rows(Entity) if row["data"].get("event") == county.event and "last_kind" in row["data"]}
    reports = [one for one in sorted(county.errands, key=lambda one: one.received) if one.form_id == "disaster_report" and one.instance_id]
    last = {one.division: str(one.answers["affected"]) for one in reports if one.answers["report_kind"] != "zero"}
    assert (event["version"], {division: told["last_affected"] for division, told in villages.items()}) == (1, last)
    sent = {one for each in planted for one in each.told()["instance_ids"]}
    assert broken(house) <= sent
    assert {row["data"]["review_class"] for row in house.rows(Entity) if row["data"].get("category") in {"dibao", "edge"}} == {"A", "B", "C"}
    under = [one for each in planted if each.check == "under_the_line" for one in each.told()["instance_ids"]]
    with open_engine(house.settings.central_database).connect() as connection:
        heads = connection.execute(text("SELECT instance_id, result_line, income_per_head FROM household_verification")).all()
    assert under
    assert all(1 <= float(line) - float(income) < 60 for instance, line, income in heads if instance in under)
    known = {row["instance_id"] for row in house.rows(Submission)}
    assert sent <= known


def _only_after_death(planted: list[Planted]) -> bool:
    return any(one.check == "visited_after_death" for one in planted)


def test_submissions_and_entities_are_as_old_as_the_story_says(house: House) -> None:
    county = drawn(40, quarters=2)
    made(house, county)
    by_instance = {one.instance_id: one for one in county.errands if one.instance_id}
    for row in house.rows(Submission):
        assert abs(row["received_at"].replace(tzinfo=row["received_at"].tzinfo or by_instance[row["instance_id"]].received.tzinfo) - by_instance[row["instance_id"]].received) < timedelta(seconds=1)
    with transaction(house.engine) as session:
        oldest = session.scalars(select(Entity.created_at).join(EntityList, EntityList.id == Entity.list_id).where(EntityList.name == "households").order_by(Entity.created_at)).first()
    assert oldest is not None
    assert oldest.date() < county.start
    with open_engine(house.settings.central_database).connect() as connection:
        rows = connection.execute(text("SELECT count(*), max(people_affected) FROM disaster_report")).one()
    assert rows[0] == sum(one.form_id == "disaster_report" for one in by_instance.values())


def test_the_command_makes_a_county_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from server.first_start import start
    from server.settings import Settings

    monkeypatch.setenv("MINQING_DATA", str(tmp_path))
    start(Settings(data=tmp_path))
    asked = ["--data", str(tmp_path), "demo", "--households", "30", "--quarters", "1", "--seed", "5", "--plant", "0.1"]
    first = CliRunner().invoke(minqing, asked)
    assert first.exit_code == 0, first.output
    assert "30 households" in first.output
    listed = json.loads((tmp_path / "planted.json").read_text())
    assert {"check", "what", "instance_ids", "subjects"} == set(listed[0])
    again = CliRunner().invoke(minqing, asked)
    assert again.exit_code == 1
    assert "409" not in again.output
