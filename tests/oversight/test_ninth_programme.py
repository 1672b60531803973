"""A visiting programme more is one XLSForm and a few lines of the catalogue: monthly checks on elders who live alone."""

from __future__ import annotations

from importlib.resources import files

from tests.actors.house import House
from tests.oversight.county import County, row_of

CHECK = """
| survey | | | | |
| | type | name | label | save_to |
| | today | today | | |
| | text | division | Village | |
| | select_one_from_file persons.csv | person | Who | |
| | select_one met | met | Met? | |
| | date | died_on | Died on | |
| | text | status | Status | status |
| choices | | | |
| | list_name | name | label |
| | met | in_person | In person |
| | met | not_home | Not at home |
| | met | died | Died |
| settings | | | |
| | form_title | form_id | version |
| | 独居老人巡访 | alone_check | 1 |
| entities | | |
| | list_name | entity_id |
| | persons | ${person} |
"""
LINES = """
[[form]]
folder = "alone_check"
title = { zh = "独居老人巡访", en = "Elders who live alone" }
purpose = { zh = "每月看望独居老人。", en = "Looks after elders who live alone, each month." }
who = { zh = "村民政助理员", en = "Village officers" }
cadence = { zh = "每人每月至少一次", en = "At least once a month" }
reads = ["persons"]
writes = ["persons"]

[form.visits]
list = "persons"
select = { category = ["living_alone"] }
active = { status = ["active"] }
cadence = "month"
person = "person"
day = "today"
met = { question = "met", values = ["in_person"] }
died = { question = "met", values = ["died"], on = "died_on" }
marks_label = true
"""


def add_programme(house: House, county: County) -> None:
    """What a county does: one XLSForm, a few lines."""
    county.publishes("alone_check", markdown=CHECK)
    shipped = (files("xlsforms") / "catalogue.toml").read_text(encoding="utf-8")
    (house.settings.data / "catalogue.toml").write_text(shipped + LINES, encoding="utf-8")


def test_its_visits_count_in_coverage_and_due_dates_without_any_code(house: House) -> None:
    county = County(house, "wubao_visit")
    add_programme(house, county)
    elder, other = (county.registers(name, "2026-09-01", category="living_alone") for name in ("张三", "李四"))
    wubao = county.registers("王五", "2026-07-01")
    county.visits(elder, "2026-10-08", form_id="alone_check")
    county.visits(elder, "2026-11-09", form_id="alone_check")
    county.keeps_up("2026-11-10")
    told = {name: (row["label"], row["data"]["next_due"]) for name in (elder, other, wubao) for row in [county.entity(name)]}
    assert told == {elder: ("张三", "2026-12-31"), other: ("李四  本月未访", "2026-09-30"), wubao: ("王五  本季度未访", "2026-09-30")}
    found = county.coverage("2026Q4", "2026-12-20")
    rows = {period: row_of(found, "county", programme="alone_check", period=period) for period in ("2026-10", "2026-11", "2026-12")}
    assert {period: (row.due, row.visited, row.at_risk, row.missed) for period, row in rows.items()} == {
        "2026-10": (2, 1, 0, 1), "2026-11": (2, 1, 0, 1), "2026-12": (2, 0, 2, 0),
    }  # fmt: skip
    assert row_of(found, "county", programme="wubao_visit").due == 1
    county.visits(other, "2026-11-20", form_id="alone_check", met="died", died_on="2026-11-19")
    county.keeps_up("2026-12-01")
    assert (county.entity(other)["label"], county.entity(other)["data"]["next_due"]) == ("李四", "")
    assert county.entity(elder)["label"] == "张三  本月未访"
    november = row_of(county.coverage("2026-11", "2026-12-20"), "county", programme="alone_check")
    assert (november.due, november.visited, november.ended) == (1, 1, 1)


def test_who_is_in_two_programmes_reads_as_the_one_that_is_due_first(house: House) -> None:
    county = County(house, "wubao_visit")
    add_programme(house, county)
    catalogue = house.settings.data / "catalogue.toml"
    catalogue.write_text(catalogue.read_text(encoding="utf-8").replace('category = ["living_alone"]', 'category = ["living_alone", "wubao"]'), encoding="utf-8")
    person = county.registers("张三", "2026-10-01")
    county.visits(person, "2026-10-08")
    county.keeps_up("2026-10-09")
    assert (county.entity(person)["label"], county.entity(person)["data"]["next_due"]) == ("张三  本月未访", "2026-10-31")
    county.visits(person, "2026-10-10", form_id="alone_check")
    county.keeps_up("2026-11-02")
    assert (county.entity(person)["label"], county.entity(person)["data"]["next_due"]) == ("张三  本月未访", "2026-11-30")
