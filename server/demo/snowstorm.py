"""A snowstorm: reports of each village, goods that go out, and their hand-over house by house. The figures are those of the households drawn."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from server.access.divisions import county_divisions
from server.demo.county import STORE, County, errand, moment, officer_of, synced
from server.demo.people import Household
from server.demo.places import as_answer, village_centre
from server.demo.sending import Errand
from server.settings import CHINA

DAYS_AGO = 26
_STRUCK_SHARE = 0.45
# Bags of fodder by how hard a household was hit.
FODDER = {1: 2, 2: 5, 3: 10}


def strike(county: County) -> None:
    """The storm of 26 days ago (or of the county's second week), in nearly half of the villages; its errands are added."""
    random = county.random
    day = max(county.start + timedelta(days=8), county.today - timedelta(days=DAYS_AGO))
    if day + timedelta(days=12) > county.today:
        return
    county.storm, county.event = day, county.new_uuid()
    struck = sorted(random.sample(county.villages, max(2, round(len(county.villages) * _STRUCK_SHARE))))
    began = datetime.combine(day, time(3), CHINA)
    for number, village in enumerate(struck):
        hit = [one for one in county.in_village(village) if one.loss]
        if hit:
            county.errands += _reports(county, village, hit, began, is_first=number == 0 or not _has_initial(county))
            county.errands += _relief(county, village, hit)


def _has_initial(county: County) -> bool:
    return any(one.form_id == "disaster_report" for one in county.errands)


def _reports(county: County, village: str, hit: list[Household], began: datetime, *, is_first: bool) -> list[Errand]:
    random, found = county.random, []
    known = began + timedelta(minutes=random.randrange(5, 25) if is_first else random.randrange(25, 60))
    arrived = known + timedelta(minutes=random.randrange(20, 90))
    finished = arrived + timedelta(minutes=random.randrange(6, 25))
    new = {"event_known": "new", "new_event_id": county.event, "hazard": "snow", "sub_hazard": "heavy_snow", "event_name": f"{began:%m}月{began.day}日雪灾"}
    initial = {
        "report_kind": "initial", **(new if is_first else {"event_known": "listed", "event": county.event}), "happened_at": _told(began), "known_at": _told(known),
        "arrived_at": _told(arrived), "place": "夏季草场", "trend": "worse", "narrative": "夜间持续降雪，牧户棚圈受损，部分牲畜被困，道路积雪难行，急需饲草和燃料。",
    }  # fmt: skip
    # The first report must be there before another village can choose its event.
    received = finished + timedelta(seconds=40) if is_first else max(synced(random, finished), began + timedelta(minutes=190))
    found.append(_report(county, village, finished, {**initial, **_figures(hit, 0.5, began)}, received))
    for later, share in ((1, 0.8), (2, 1.0), (3, 1.0)):
        at = datetime.combine(began.date() + timedelta(days=later), time(6, 20), CHINA) + timedelta(minutes=random.randrange(95))
        trend = {"report_kind": "follow_up", "event": county.event, "trend": "same" if later < 3 else "stable"}
        relieved = {"relief_started_at": _told(began + timedelta(hours=31))} if later > 1 else {}
        relieved["workers"] = str(random.randrange(3, 12))
        found.append(_report(county, village, at, {**trend, **relieved, **_figures(hit, share, began)}))
    at = moment(random, began.date() + timedelta(days=4), (6, 8))
    found.append(_report(county, village, at, {"report_kind": "zero", "event": county.event, "trend": "stable"}))
    at = moment(random, began.date() + timedelta(days=7))
    verified = {"report_kind": "verification", "event": county.event, "relief_started_at": _told(began + timedelta(hours=31))}
    found.append(_report(county, village, at, {**verified, **_figures(hit, 1.0, began)}))
    return found


def _report(county: County, village: str, finished: datetime, answers: dict[str, Any], received: datetime | None = None) -> Errand:
    random = county.random
    place = as_answer(random, village_centre(village), jitter_m=300)
    said = {"dead_people": [], "missing_people": [], "location": place, "village_name": county_divisions()[village].name, **answers}
    # The form gives the village's figures the event's id, with the division's digits for its last ones.
    made = (county.event,) if answers.get("event_known") == "new" else ()
    return Errand(
        "disaster_report", officer_of(village), village, finished, received or synced(random, finished, offline=0.15), said,
        touches=(*made, county.event[:24] + village), minutes=random.uniform(5, 18), review="county",
    )  # fmt: skip


def _figures(hit: list[Household], share: float, began: datetime) -> dict[str, Any]:
    """The village's cumulative figures so far: of the households hit, `share` is known of."""
    known = hit[: max(1, round(len(hit) * share))]
    sheep = sum(one.sheep * one.loss // 12 for one in known)
    large = sum(one.yaks * one.loss // 16 for one in known)
    badly = [one for one in known if one.loss == 3]
    slightly = [one for one in known if one.loss == 2]
    # Halves add up without an error in the last digit, and the form compares the parts with the whole.
    farming, houses = round(2 * (sheep * 0.08 + large * 0.7)) / 2, round(2 * (len(badly) * 2.4 + len(slightly) * 0.5)) / 2
    none = ("dead", "missing", "injured", "evacuated", "resettled_central", "resettled_dispersed", "stranded", "collapsed_households", "collapsed_rooms", "special_disabled",
            "crops_affected", "crops_damaged", "crops_lost", "herds_stranded")  # fmt: skip
    return {
        **dict.fromkeys(none, 0), "affected": sum(len(one.members) for one in known), "urgent_relief": sum(len(one.members) for one in badly),
        "badly_households": len(badly), "badly_rooms": 2 * len(badly), "slightly_households": len(slightly), "slightly_rooms": len(slightly),
        "special_dibao": sum(one.category == "dibao" for one in [*badly, *slightly]), "special_wubao": sum(one.head.claim == "wubao" for one in [*badly, *slightly]),
        "grassland": 20 * len(known), "large_dead": large, "sheep_dead": sheep, "pens_collapsed": 30 * len(badly),
        "large_in_danger": sum(one.yaks for one in known) - large, "sheep_in_danger": sum(one.sheep for one in known) - sheep, "road_km": 1.5,
        "power_out": "yes" if badly else "no", "power_since": _told(began + timedelta(hours=1)), "power_places": 1, "water_out": "no", "signal_out": "no",
        "loss_total": farming + houses, "loss_farming": farming, "loss_houses": houses, "loss_infrastructure": 0, "loss_business": 0,
    }  # fmt: skip


def _relief(county: County, village: str, hit: list[Household]) -> list[Errand]:
    random, storm = county.random, county.storm
    assert storm is not None
    batch, total = county.new_uuid(), sum(FODDER[one.loss] for one in hit)
    out = {
        "store": "县救灾物资储备库", "movement": "out", "item": "fodder", "unit": "piece", "quantity": total, "for_event": "yes", "event": county.event, "to_village": village,
        "rule": "loss", "@id": batch,
    }  # fmt: skip
    at = moment(random, storm + timedelta(days=1), (9, 12))
    found = [Errand("relief_stock", STORE, village, at, at + timedelta(minutes=3), out, touches=(batch,), review="county")]
    for household in hit:
        at = moment(random, storm + timedelta(days=random.randrange(2, 6)))
        given = {"batch": batch, "household": household.uuid, "quantity": FODDER[household.loss]}
        found.append(errand(county, "relief_distribution", officer_of(village), household, at, given, minutes=random.uniform(2.5, 6)))
    return found


def _told(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")
