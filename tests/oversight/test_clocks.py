"""A disaster's clocks, from reports as phones send them: first times, who is late by level, who is silent, what is verified too late."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.access.actor import Actor, Grant, system_actor
from server.forms.catalogue_file import county_catalogue, shipped_catalogue
from server.model import Entity
from server.oversight.clocks import EventClocks, last_due, read_clocks
from server.problems import Problem
from server.transactions import transaction
from tests.actors.house import House
from tests.oversight.county import FAR, NEIGHBOUR, VILLAGE, County, at, filled

# An instant of the snowstorm in China's time, in hours after its beginning at 02:00 on 20 November.
BEGIN = at("2026-11-20", "02:00")


def hours(number: float) -> datetime:
    return BEGIN + timedelta(hours=number)


class Storm:
    """One snowstorm, reported by villages."""

    def __init__(self, county: County, *, hazard: str = "snow") -> None:
        self.county, self.event = county, str(uuid.uuid4())
        self._hazard = hazard
        self._made = False

    def report(self, kind: str, finished: float, *, received: float | None = None, village: str = VILLAGE, instance: str = "", **answers: Any) -> str:
        """The report's instanceID; times in hours after the beginning."""
        times = {name: value for name, value in answers.items() if name.endswith("_at")}
        told = {name.replace("__", "/"): str(value) for name, value in answers.items() if name not in times}
        told |= {("relief/" if name == "relief_started_at" else "") + name: hours(value).isoformat() for name, value in times.items()}
        told |= {"report_kind": kind, "event_id": self.event, "end": hours(finished).isoformat(), "hazard": self._hazard, "event_name": "示例雪灾"}
        entity = ""
        if not self._made:
            told["event_status"] = "open"
            entity = f'<entity dataset="disaster_events" id="{self.event}" create="1"><label>示例雪灾</label></entity>'
        made = self.county.reports("disaster_report", hours(finished if received is None else received), told, entity=entity, village=village, instance=instance)
        if not self._made:
            self._made = True
            self.county.dates(Entity, Entity.uuid == self.event, created_at=hours(finished if received is None else received))
        return made

    def clocks(self, now: float, *, actor: Actor | None = None, named: str | None = None, division: str | None = None) -> EventClocks:
        county = self.county
        county.syncs()
        with transaction(county.house.engine) as session, transaction(county.central) as central:
            return read_clocks(
                session, central, actor or system_actor(), county_catalogue(county.house.settings), 1, named or self.event, division=division, now=hours(now)
            )


@pytest.fixture
def storm(house: House) -> Storm:
    return Storm(County(house, "disaster_report"))


def test_the_first_times_of_a_village_and_who_is_late_by_level(storm: Storm) -> None:
    storm.report("initial", 0.9, received=6, happened_at=0, known_at=0.5, arrived_at=0.7, people__affected=40)
    storm.report("initial", 2.0, village=NEIGHBOUR, happened_at=0, known_at=0.6, people__affected=10)
    storm.report("initial", 4.0, village=FAR, happened_at=0, known_at=0.4, people__affected=5)
    storm.report("follow_up", 5.0, people__affected=50, relief_started_at=4.5)
    storm.report("verification", 30.0, people__affected=45)
    found = storm.clocks(31)
    first = found.villages[0]
    assert (first.code, first.name) == (VILLAGE, "达玉五谷村")
    assert [first.happened_at, first.known_at, first.arrived_at, first.finished_at, first.relief_started_at, first.verified_at] == [
        hours(number) for number in (0, 0.5, 0.7, 0.9, 4.5, 30)
    ]
    # No signal is no lateness: the first one received is the follow-up.
    assert (first.received_at, first.is_late) == (hours(5), False)
    assert {village.code: village.is_late for village in found.villages} == {VILLAGE: False, NEIGHBOUR: True, FAR: True}
    levels = {row.code: (row.level, row.allowed_minutes, row.is_late) for row in found.levels}
    # The township heard 30 minutes after it was known at 00:30; the other one 3.6 hours after; the county 30 minutes after 00:24.
    assert levels["632223202"] == ("township", 60, False)
    assert levels["632223290"] == ("township", 60, True)
    assert levels["632223"] == ("county", 120, False)
    county = found.rollup[0]
    assert (county.level, county.figures["people/affected"], county.villages, county.provisional) == ("county", 60, 3, 3)


def test_a_village_is_silent_after_the_hour_until_it_reports_even_a_zero(storm: Storm) -> None:
    # 03:00; 05:00. The first due hour, 08:00, is covered by the first report.
    storm.report("initial", 1, happened_at=0, known_at=1, people__affected=4)
    storm.report("initial", 3, village=NEIGHBOUR, happened_at=0, known_at=3, people__affected=4)

    def silent(now: float) -> list[str]:
        return [village.code for village in storm.clocks(now).villages if village.is_silent]

    assert silent(29.9) == []
    storm.report("zero", 25, village=NEIGHBOUR)
    assert silent(30) == [VILLAGE]
    storm.report("zero", 31)
    assert silent(31) == []
    assert sorted(silent(54.1)) == [NEIGHBOUR]
    storm.report("verification", 55, village=NEIGHBOUR, people__affected=4)
    assert silent(56) == []
    assert silent(80) == [VILLAGE]


def test_a_drought_is_followed_up_every_ten_days(house: House) -> None:
    drought = Storm(County(house, "disaster_report"), hazard="drought")
    drought.report("initial", 1, happened_at=0, known_at=1, people__affected=4)
    assert [drought.clocks(24 * day).villages[0].is_silent for day in (1, 5, 10, 10.3, 12)] == [False, False, False, True, True]


def test_a_verification_is_late_five_days_after_stable_and_not_before_anybody_said_so(storm: Storm) -> None:
    storm.report("initial", 1, happened_at=0, known_at=1, people__affected=4, trend="worse")
    assert storm.clocks(400).villages[0].verification_due_at is None
    storm.report("follow_up", 48, people__affected=4, trend="stable")
    storm.report("follow_up", 72, people__affected=9, trend="worse")
    storm.report("follow_up", 96, people__affected=9, trend="stable")
    village = storm.clocks(96 + 5 * 24).villages[0]
    assert (village.verification_due_at, village.is_verification_late) == (hours(96 + 5 * 24), False)
    assert storm.clocks(96 + 5 * 24 + 1).villages[0].is_verification_late
    storm.report("verification", 96 + 4 * 24, received=500, people__affected=8)
    assert not storm.clocks(600).villages[0].is_verification_late


def test_a_corrected_and_a_withdrawn_report_count_as_they_now_stand(storm: Storm) -> None:
    first = storm.report("initial", 1, happened_at=0, known_at=0.9, people__affected=4)
    second = storm.report("follow_up", 10, people__affected=400)

    def affected() -> list[int]:
        return [int(row.figures["people/affected"]) for row in storm.clocks(12).rollup]

    assert affected() == [400, 400, 400]
    staff = storm.county.staff
    storm.county.reviews(second, "hasIssues", form_id="disaster_report")
    assert (affected(), storm.clocks(12).sent_back) == ([4, 4, 4], 1)
    told = {"report_kind": "follow_up", "event_id": storm.event, "end": hours(10).isoformat(), "people/affected": "40"}
    edit = filled("disaster_report", storm.county.versions["disaster_report"], {"division": VILLAGE, **told}, f"<orx:deprecatedID>{second}</orx:deprecatedID>", "uuid:edit")
    assert storm.county.phone().send(edit).status_code == 201
    assert affected() == [40, 40, 40]
    assert staff.delete(f"/projects/1/forms/disaster_report/submissions/{second}").status_code == 200
    assert affected() == [4, 4, 4]
    storm.county.reviews(first, "rejected", form_id="disaster_report")
    assert (affected(), storm.clocks(12).villages) == ([], [])


def test_a_disaster_is_found_by_name_and_a_township_sees_its_own(storm: Storm) -> None:
    storm.report("initial", 1, happened_at=0, known_at=1, people__affected=4)
    storm.report("initial", 1, village=FAR, happened_at=0, known_at=1, people__affected=7)
    assert len(storm.clocks(2, named="雪灾").villages) == 2
    with pytest.raises(Problem) as unknown:
        storm.clocks(2, named="地震")
    assert unknown.value.status == 404
    township = Actor(7, "user", "乡", (Grant("township-reviewer", 1),), "632223290")
    found = storm.clocks(2, actor=township)
    assert ([village.code for village in found.villages], [row.level for row in found.rollup]) == ([FAR], ["township", "village"])
    with pytest.raises(Problem):
        storm.clocks(2, actor=township, division=VILLAGE)
    other = Storm(storm.county)
    other.report("initial", 2, happened_at=0, known_at=1)
    with pytest.raises(Problem, match="示例雪灾"):
        storm.clocks(2, named="雪")


@pytest.mark.parametrize(("first", "now", "due"), [
    ("02:30", "2026-11-20 07:59", None), ("02:30", "2026-11-20 08:00", "2026-11-20 08:00"), ("08:00", "2026-11-21 07:00", None),
    ("09:00", "2026-11-21 08:00", "2026-11-21 08:00"), ("09:00", "2026-12-01 12:00", "2026-12-01 08:00"),
])  # fmt: skip
def test_the_due_hour_is_chinas(first: str, now: str, due: str | None) -> None:
    moment = datetime.fromisoformat(now + "+08:00").astimezone(UTC)
    found, _step = last_due(at("2026-11-20", first), moment, shipped_catalogue().clocks, "snow")
    assert found == (datetime.fromisoformat(due + "+08:00") if due else None)
