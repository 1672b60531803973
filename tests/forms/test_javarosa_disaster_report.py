"""disaster_report on the phone: initial, follow-up, zero and verification, and what the figures must obey."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from lxml import etree

from server.model import Entity, SubmissionVersion
from tests.actors.javarosa import OpenForm, Refused
from tests.actors.village import Village
from tests.factories.filled_forms import NEW_EVENT, Opener, fill_repeat, reported
from tests.factories.phone_media import SNOW, SYSTEM, VILLAGE, village_of

LAST = ("affected", "dead", "missing", "injured", "livestock_dead", "loss")


def refusal(form: OpenForm) -> Refused:
    with pytest.raises(Refused) as refused:
        form.finalise()
    return refused.value


def by_kind(village: Village) -> dict[str, dict[str, Any]]:
    return {row["report_kind"]: row for row in village.central()["disaster_report"]}


def events(status: str = "open") -> str:
    """The snowstorm as the phone's list has it."""
    return f"name,label,hazard,event_name,status,{SYSTEM}\n{SNOW},11·24 雪灾,snow,11·24 雪灾,{status},2,,\n"


def last_of(division: str, *figures: str, status: str = "open") -> str:
    """The village's last report of the snowstorm as the phone's list has it."""
    header = "name,label,event,division,status," + ",".join(f"last_{name}" for name in LAST) + "," + SYSTEM
    return f"{header}\n{village_of(SNOW, division)},11·24 雪灾,{SNOW},{division},{status},{','.join(figures)},2,,\n"


# -- the life of a disaster


def test_a_disaster_from_its_first_report_to_its_verification(village: Village) -> None:
    """Initial, follow-up with more dead livestock, a zero report, verification: each on the lists that the one before left."""
    first = village.sends(reported(village.opened, **NEW_EVENT))
    event, own = village.entities()["示例雪灾"], village.entities()["示例雪灾 塔列村"]
    assert UUID(event["uuid"]).version == UUID(own["uuid"]).version == 4
    assert {name: event[name] for name in ("hazard", "status", "event_name")} == {"hazard": "snow", "status": "open", "event_name": "示例雪灾"}
    assert (own["event"], own["of_division"], own["status"], own["uuid"]) == (event["uuid"], VILLAGE["division"], "open", village_of(event["uuid"]))
    assert [float(own[f"last_{name}"]) for name in LAST] == [120, 1, 0, 2, 162, 50]

    form = reported(village.opened, report_kind="follow_up", event=event["uuid"])
    assert [float(form.value(f"known_{name}")) for name in LAST] == [120, 1, 0, 2, 162, 50]
    assert form.value("jumped") == "no"
    form.fill({"farming/sheep_dead": "220", "loss/loss_total": "80"})
    village.sends(form)
    own = village.entities()["示例雪灾 塔列村"]
    assert (own["last_livestock_dead"], float(own["last_loss"]), own["status"]) == ("232", 80.0, "open")

    village.sends(reported(village.opened, report_kind="zero", event=event["uuid"]))
    after_zero = village.entities()["示例雪灾 塔列村"]
    assert {**after_zero, "last_report_at": ""} == {**own, "last_report_at": "", "last_kind": "zero"}

    form = reported(village.opened, report_kind="verification", event=event["uuid"])
    form.fill({"farming/sheep_dead": "220", "loss/loss_total": "80", "people/injured": "3"})
    village.sends(form)
    made = village.entities()
    assert (made["示例雪灾 塔列村"]["status"], made["示例雪灾 塔列村"]["last_injured"]) == ("verified", "3")
    assert made["示例雪灾"] == event, "other villages go on"
    village.sends(reported(village.opened, report_kind="zero", event=event["uuid"]))
    assert village.entities()["示例雪灾 塔列村"]["status"] == "verified"

    rows = by_kind(village)
    assert set(rows) == {"initial", "follow_up", "zero", "verification"}
    assert (rows["initial"]["hazard"], rows["initial"]["sub_hazard"], rows["initial"]["place"]) == ("snow", "heavy_snow", "夏季草场")
    assert first.findtext("{*}event_id") == event["uuid"] == rows["follow_up"]["event"]
    assert (rows["follow_up"]["farming_sheep_dead"], rows["zero"]["people_affected"], rows["verification"]["people_injured"]) == (220, None, 3)
    assert len(village.central()["disaster_report_dead_people"]) == 3


def test_a_zero_report_carries_no_figures(opened: Opener) -> None:
    form = reported(opened, report_kind="zero", event=SNOW)
    instance = etree.fromstring(form.finalise())
    for part in ("people", "houses", "special_houses", "farming", "herds", "utilities", "loss", "relief", "dead_people", "photo", "jumped", "village_report/last_affected"):
        assert instance.find("/".join(f"{{*}}{step}" for step in part.split("/"))) is None, part
    assert actions(instance) == {"disaster_villages": ("create", village_of(SNOW))}, "the village's first report may be one"


def actions(instance: etree._Element) -> dict[str, tuple[str, str]]:
    """By list, what the report does to which entity of it."""
    found = {}
    for entity in instance.iter("{*}entity"):
        for action in ("create", "update"):
            if entity.get(action) in {"1", "true"}:
                found[entity.get("dataset")] = (action, entity.get("id"))
    return found


def test_each_of_two_villages_sees_its_own_last_figures(village: Village) -> None:
    """Both report one event, one after the other and again: each is compared with its own, and the event is in no conflict."""
    village.sends(reported(village.opened, **NEW_EVENT))
    event = village.entities()["示例雪灾"]["uuid"]
    joins = {"report_kind": "initial", "event_known": "listed", "event": event, "happened_at": NEW_EVENT["happened_at"], "known_at": NEW_EVENT["known_at"]}

    def neighbour(form_id: str) -> OpenForm:
        form = village.opened(form_id)
        form.fill({"division": "632223202200"})
        return form

    other = reported(neighbour, **joins)
    assert (other.value("own_last"), other.value("known_affected"), other.value("jumped")) == ("no", "", "no")
    other.fill({"people/affected": "30"})
    village.sends(other)
    for opener, figures, much in ((village.opened, "120", "361"), (neighbour, "30", "91")):
        form = reported(opener, report_kind="follow_up", event=event)
        assert (form.value("own_last"), form.value("known_affected")) == ("yes", figures)
        form.fill({"people/affected": much})
        assert (form.value("jumped"), refusal(form).path.startswith("/data/jump_why")) == ("yes", True)
        form.fill({"people/affected": str(int(figures) * 3)})
        assert form.value("jumped") == "no"
        village.sends(form)
    made = village.entities()
    assert (made["示例雪灾 塔列村"]["last_affected"], made["示例雪灾 达玉五谷村"]["last_affected"]) == ("360", "90")
    assert {row["conflict"] for row in village.house.rows(Entity)} == {None}
    assert [row["entity_errors"] for row in village.house.rows(SubmissionVersion) if row["entity_errors"]] == []


def test_a_phone_of_one_village_does_not_get_anothers_figures(village: Village) -> None:
    village.sends(reported(village.opened, **NEW_EVENT))
    for division, count in ((VILLAGE["division"], 1), ("632223202200", 0)):
        phone = village.house.new_phone(division=division)
        told = phone.manifest("disaster_report")
        lists = {name: phone.get(told[f"{name}.csv"]["downloadUrl"]).text.count("\n") - 1 for name in ("disaster_villages", "disaster_events")}
        assert lists == {"disaster_villages": count, "disaster_events": 1}


def test_a_village_still_reports_once_the_county_calls_the_disaster_verified(opened: Opener) -> None:
    form = opened("disaster_report", disaster_events=events("verified"))
    form.fill({"report_kind": "follow_up"})
    assert form.choices("event") == [SNOW]
    form = opened("disaster_report", disaster_events=events("closed"))
    form.fill({"report_kind": "follow_up"})
    assert form.choices("event") == []


# -- figures against the last report's


@pytest.mark.parametrize(
    ("figures", "jumped"),
    [
        (("120", "1", "0", "2", "162", "50"), False),
        (("40", "1", "0", "2", "162", "50"), False),
        (("39", "1", "0", "2", "162", "50"), True),
        (("121", "1", "0", "2", "162", "50"), True),
        (("120", "0", "0", "2", "162", "50"), False),
        (("120", "1", "1", "2", "162", "50"), True),
        (("120", "1", "0", "2", "163", "50"), True),
        (("120", "1", "0", "2", "162", "16"), True),
        (("", "", "", "", "", ""), False),
    ],
    ids=["the same", "three times", "above three times", "below", "the first dead", "fewer missing", "fewer livestock", "more loss", "nothing known"],
)
def test_a_figure_below_the_last_or_far_above_it_is_explained(opened: Opener, figures: tuple[str, ...], jumped: bool) -> None:
    form = reported(lambda form_id: opened(form_id, disaster_villages=last_of(VILLAGE["division"], *figures)), report_kind="follow_up", event=SNOW)
    assert form.value("jumped") == ("yes" if jumped else "no")
    assert form.relevant("jumped_shown") == jumped
    if jumped:
        assert refusal(form).path.startswith("/data/jump_why")
        form.refuses("jump_why", "对的", "5 个字")
        form.fill({"jump_why": "昨日道路中断，今日才统计到"})
    assert form.finalise()


# -- rules among the figures


@pytest.mark.parametrize(
    ("question", "wrong", "said", "right"),
    [
        ("people/injured", "120", "受灾人口", "119"),
        ("people/affected", "2", "受灾人口", "3"),
        ("people/dead", "-1", "受灾人口", "1"),
        ("people/missing", "118", "受灾人口", "0"),
        ("people/evacuated", "121", "受灾人口", "120"),
        ("people/resettled_central", "1", "转移安置", "0"),
        ("people/stranded", "121", "受灾人口", "120"),
        ("farming/crops_lost", "20.5", "成灾面积", "20"),
        ("farming/crops_damaged", "31", "受灾面积", "30"),
        ("houses/collapsed_rooms", "0", "户数", "1"),
        ("houses/badly_rooms", "0", "户数", "9"),
        ("special_houses/special_dibao", "4", "受损总户数", "3"),
        ("herds/livestock_stranded", "1", "畜群数", "2"),
        ("loss/loss_houses", "21", "直接经济损失", "20"),
        ("loss/loss_farming", "30.5", "直接经济损失", "1"),
        ("utilities/power_places", "0", "1 至 200", "1"),
        ("utilities/power_since", "2099-01-02T02:00:00.000+08:00", "不能晚于现在", "2026-01-02T05:00:00.000+08:00"),
        ("narrative", "下雪了", "20 个字", "夜间大雪，积雪二十厘米，棚圈倒塌，道路中断，急需饲草。"),
        ("known_at", "2026-01-02T02:00:00.000+08:00", "得知时间", "2026-01-02T03:00:00.000+08:00"),
        ("arrived_at", "2026-01-02T03:10:00.000+08:00", "到达时间", "2026-01-02T03:30:00.000+08:00"),
        ("happened_at", "2099-01-02T03:10:00.000+08:00", "不能晚于现在", "2026-01-02T03:10:00.000+08:00"),
        ("dead_people[1]/dead_age", "121", "0 至 120", "0"),
        ("dead_people[1]/dead_id_number", "999999196001010013", "校验码", "999999196001010012"),
    ],
)
def test_figures_that_cannot_be_are_refused_in_chinese(opened: Opener, question: str, wrong: str, said: str, right: str) -> None:
    form = reported(opened, **NEW_EVENT)
    form.refuses(question, wrong, said)
    form.fill({question: right})


def test_the_dead_and_missing_are_listed_one_by_one(opened: Opener) -> None:
    """As many entries as the figure says, no more, no fewer."""
    form = reported(opened, **NEW_EVENT)
    form.fill({"people/dead": "2", "people/missing": "1"})
    assert "dead_people" in refusal(form).path
    person = {"sex": "female", "age": "8", "place": "塔列村", "cause": "雪崩", "on": "2026-01-02"}
    form.fill({"dead_people[2]/dead_name": "某乙", **{f"dead_people[2]/dead_{name}": value for name, value in person.items()}})
    assert "missing_people" in refusal(form).path
    fill_repeat(form, "missing_people", {"missing_name": "某丙", **{f"missing_{name}": value for name, value in person.items()}})
    instance = etree.fromstring(form.finalise())
    assert (len(instance.findall("{*}dead_people")), len(instance.findall("{*}missing_people"))) == (2, 1)
    assert (instance.findtext("{*}dead_listed"), instance.findtext("{*}missing_listed")) == ("2", "1")
    form.fill({"people/dead": "0", "people/missing": "0"})
    assert not form.relevant("rosters_complete")
    assert etree.fromstring(form.finalise()).find("{*}dead_people") is None


def test_resettled_people_that_do_not_add_up_are_explained(opened: Opener) -> None:
    form = reported(opened, **NEW_EVENT)
    form.fill({"people/evacuated": "30", "people/resettled_central": "10", "people/resettled_dispersed": "20"})
    assert not form.relevant("people/resettled_why")
    form.fill({"people/resettled_dispersed": "15"})
    assert form.relevant("people/resettled_differs")
    assert form.answer("people/resettled_why", "") == "required"
    form.fill({"people/resettled_why": "五人已自行返回"})
    assert form.finalise()


def test_three_photos_once_a_response_is_declared(opened: Opener) -> None:
    form = reported(opened, **NEW_EVENT)
    assert form.answer("photo", "") == "required"
    assert form.answer("photo_2", "") == form.answer("photo_3", "") == "ok"
    form.fill({"response_declared": "yes"})
    assert form.answer("photo_2", "") == form.answer("photo_3", "") == "required"
    form.fill({"photo_2": "b.jpg", "photo_3": "c.jpg"})
    assert form.finalise()


def test_the_kinds_of_the_chosen_hazard_are_offered(opened: Opener) -> None:
    form = opened("disaster_report")
    form.fill({"report_kind": "initial", "event_known": "new", "hazard": "landslide"})
    assert form.choices("sub_hazard") == ["slide", "rockfall", "debris_flow"]


def test_what_is_out_is_asked_since_when_and_where(opened: Opener) -> None:
    form = reported(opened, **NEW_EVENT)
    assert form.answer("utilities/power_since", "") == form.answer("utilities/power_places", "") == "required"
    form.fill({"utilities/power_out": "no", "utilities/signal_out": "yes"})
    assert (form.relevant("utilities/power_since"), form.relevant("utilities/signal_since")) == (False, True)


def test_an_initial_report_of_a_listed_event_joins_it(opened: Opener) -> None:
    form = reported(opened, report_kind="initial", event_known="listed", event=SNOW, happened_at=NEW_EVENT["happened_at"], known_at=NEW_EVENT["known_at"])
    assert form.answer("arrived_at", "") == "ok", "not yet there"
    assert actions(etree.fromstring(form.finalise())) == {"disaster_villages": ("create", village_of(SNOW))}


def test_a_second_report_without_signal_builds_on_the_first_one(opened: Opener) -> None:
    """What Collect has kept of the first, which is not sent yet, is the village's last report already."""
    lists = last_of(VILLAGE["division"], "120", "1", "0", "2", "162", "50").replace(",2,,\n", f",1,,{SNOW}\n")
    form = reported(lambda form_id: opened(form_id, disaster_villages=lists), report_kind="follow_up", event=SNOW)
    entity = etree.fromstring(form.finalise()).find("{*}village_report/{*}meta/{*}entity")
    assert {name: entity.get(name) for name in ("id", "baseVersion", "trunkVersion", "branchId")} == {
        "id": village_of(SNOW), "baseVersion": "1", "trunkVersion": "", "branchId": SNOW}  # fmt: skip
    assert entity.get("update") in {"1", "true"}
