"""The pages of the quarterly duty and of disasters: what they tell, to whom, and what they never tell."""

from __future__ import annotations

import os

import pytest

from tests.actors.browser import browser_at, served
from tests.actors.house import House
from tests.oversight.county import FAR, VILLAGE, County
from tests.oversight.test_clocks import Storm
from tests.web.clerk import PASSWORD, Clerk, hire, words

ID_NUMBER = "999999196001010012"


@pytest.fixture
def county(house: House) -> County:
    return County(house, "wubao_visit", "disaster_report")


def test_the_duty_of_a_quarter_by_village_and_staff_with_names_of_who_waits(county: County) -> None:
    met, _unmet, far = county.registers("张三", "2026-01-05"), county.registers("李四", "2026-01-05"), county.registers("王五", "2026-01-05", village=FAR)
    county.visits(met, "2026-08-10")
    county.syncs()
    clerk = Clerk.signed_in(county.house, "county-reviewer")
    page = clerk.get("/projects/1/visits?period=2026Q3")
    text = " ".join(words(page).split())
    assert "五保老人探访 2026Q3" in text
    assert "达玉五谷村 2 1 1 50.0 % 0 0 1 0 0" in text
    assert "李四" in text
    assert f'/projects/1/entity-lists/persons/entities/{far}"' in page.text
    assert "王五" not in words(clerk.get(f"/projects/1/visits?period=2026Q3&division={VILLAGE}"))
    assert "2026Q3" in words(clerk.get("/projects/1/visits?period=2026Q3"))
    assert clerk.get("/projects/1/visits?period=soon").status_code == 400
    assert clerk.get("/projects/1/visits?division=nowhere").status_code == 400
    assert "Visits due" in words(clerk.get("/projects/1/visits?period=2026Q3", **{"Accept-Language": "en"}))


def test_a_township_has_its_own_page_and_a_leader_one_without_links_or_numbers(county: County) -> None:
    county.registers("张三", "2026-01-05", id_masked="999999********0012", birth_date="1960-01-01")
    county.registers("王五", "2026-01-05", village=FAR)
    county.syncs()
    township = Clerk.signed_in(county.house, "township-reviewer", division="632223202")
    page = words(township.get("/projects/1/visits?period=2026Q3"))
    assert ("张三" in page, "王五" in page) == (True, False)
    assert township.get("/projects/1/visits?period=2026Q3&division=632223290").status_code == 403
    leader = Clerk.signed_in(county.house, "county-leader")
    page = leader.get("/projects/1/visits?period=2026Q3")
    assert "张三" in page.text
    assert "/entity-lists/persons/" not in page.text
    assert "0012" not in page.text
    assert "1960" not in page.text
    assert "/projects/1/visits" in leader.get("/projects/1/forms").text


def test_a_disaster_with_its_first_times_who_is_late_and_its_figures(county: County) -> None:
    storm = Storm(county)
    storm.report("initial", 0.9, received=6, happened_at=0, known_at=0.5, arrived_at=0.7, people__affected=40, loss__loss_total="12.5",
                 narrative=f"身份证 {ID_NUMBER}")  # fmt: skip
    storm.report("initial", 3, village=FAR, happened_at=0, known_at=0.5, people__affected=2)
    county.syncs()
    leader = Clerk.signed_in(county.house, "county-leader")
    assert "示例雪灾" in words(leader.get("/projects/1/disasters"))
    page = leader.get(f"/projects/1/disasters/{storm.event}")
    text = " ".join(words(page).split())
    assert "青海湖乡 达玉五谷村" in text
    assert "2026-11-20 02:42 +12 分钟" in text
    assert "2026-11-20 02:54 +24 分钟" in text
    assert "2026-11-20 08:00 +330 分钟" in text
    assert text.count("迟报") == 2  # the far village, and its township
    assert "受灾人口（人） 42 40 40 2 2" in text
    assert "直接经济损失（万元） 12.5 12.5 12.5 0 0" in text
    assert ID_NUMBER not in page.text
    assert "2 个村中有 0 个已核报" in text
    township = Clerk.signed_in(county.house, "township-reviewer", division="632223202")
    assert "示例" not in words(township.get(f"/projects/1/disasters/{storm.event}")).replace("示例雪灾", "")
    assert leader.get("/projects/1/disasters/unknown").status_code == 404


def test_once_every_village_has_verified_the_county_is_led_to_where_it_says_so(county: County) -> None:
    storm, reviewer, leader = Storm(county), Clerk.signed_in(county.house, "county-reviewer"), Clerk.signed_in(county.house, "county-leader")
    for village in (VILLAGE, FAR):
        storm.report("initial", 1, village=village, happened_at=0, known_at=0.5, people__affected=2)
    storm.report("verification", 50, happened_at=0, known_at=0.5, people__affected=3)
    county.syncs()
    first = reviewer.get(f"/projects/1/disasters/{storm.event}")
    assert "2 个村中有 1 个已核报" in words(first)
    assert f"/entities/{storm.event}" not in first.text
    storm.report("verification", 51, village=FAR, happened_at=0, known_at=0.5, people__affected=2)
    county.syncs()
    second = reviewer.get(f"/projects/1/disasters/{storm.event}")
    assert "2 个村中有 2 个已核报" in words(second)
    place = f"/projects/1/entity-lists/disaster_events/entities/{storm.event}"
    assert place in second.text
    assert reviewer.get(place).status_code == 200
    # Who only looks is not led to where nothing is to be done for them.
    seen = leader.get(f"/projects/1/disasters/{storm.event}")
    assert "2 个村中有 2 个已核报" in words(seen)
    assert place not in seen.text


def test_pages_of_an_empty_county_say_so_and_strangers_and_phones_see_none(county: County) -> None:
    clerk = Clerk.signed_in(county.house, "auditor")
    assert "没有应访对象" in words(clerk.get("/projects/1/visits"))
    assert "还没有灾害" in words(clerk.get("/projects/1/disasters"))
    stranger = Clerk(county.house)
    assert stranger.get("/projects/1/visits").status_code == 303
    collector = Clerk.signed_in(county.house, "formfill")
    assert [collector.get(path).status_code for path in ("/projects/1/visits", "/projects/1/disasters", "/projects/1/disasters/x")] == [403, 403, 403]
    assert "/projects/1/visits" not in collector.get("/projects/1/forms").text


def test_a_persons_history_says_what_the_server_kept_up(county: County) -> None:
    person = county.registers("张三", "2026-07-02")
    county.keeps_up("2026-08-01")
    page = words(Clerk.signed_in(county.house, "county-reviewer").get(f"/projects/1/entity-lists/persons/entities/{person}"))
    assert page.count("系统更新") == 1
    assert "→ 2026-09-30" in " ".join(page.split())


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize("width", [390, 1366])
def test_the_pages_fit_a_phone_and_a_desk(county: County, width: int) -> None:
    for number in range(12):
        county.registers(f"村民{number}", "2026-01-05", village=(VILLAGE, FAR)[number % 2])
    storm = Storm(county)
    for village in (VILLAGE, FAR):
        storm.report("initial", 3, village=village, happened_at=0, known_at=0.5, arrived_at=1, people__affected=2)
    county.syncs()
    email = hire(county.house, "county-reviewer")
    with served(county.house.app) as address, browser_at(address, language="zh", width=width, height=844) as browser:
        browser.signs_in(email, PASSWORD)
        for path in ("visits?period=2026Q3", "disasters", f"disasters/{storm.event}"):
            browser.page.goto(f"{address}/projects/1/{path}")
            browser.needs_no_sideways_scrolling()
            if shots := os.environ.get("MINQING_SHOTS"):
                browser.page.screenshot(path=f"{shots}/{path.split('?')[0].replace('/', '-')[:12]}-{width}.png", full_page=True)
