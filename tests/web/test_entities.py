"""The registers on the pages: found, read with their history, corrected, their conflicts settled with both sides in view."""

from __future__ import annotations

import re
import uuid

import pytest

from server.model import Entity, EntityVersion
from tests.actors.browser import browser_at, served
from tests.actors.house import House
from tests.entities.followed_up import VILLAGE, Register, visit
from tests.web.clerk import PASSWORD, Clerk, hire, words

LIST = "/projects/1/entity-lists/people"


def a_person(register: Register, name: str = "张三", village: str = VILLAGE, **answers: str) -> str:
    person = str(uuid.uuid4())
    register.send(visit(person, creates=True, who=name, division=village, **{"state": "new", "age": "70", **answers}))
    return person


def a_conflict(register: Register) -> str:
    """Two phones, both from version 1: one says the state is `ill`, the other `moved` and another age."""
    person = a_person(register)
    register.send(visit(person, base=1, trunk=1, branch=str(uuid.uuid4()), state="ill"))
    register.send(visit(person, base=1, trunk=1, branch=str(uuid.uuid4()), state="moved", age="71"))
    return person


def path_of(person: str) -> str:
    return f"{LIST}/entities/{person}"


def test_a_register_is_found_by_name_and_its_entries_by_words_village_and_conflict(house: House) -> None:
    register, clerk = Register(house), Clerk.signed_in(house, "county-reviewer")
    a_person(register, "王五", state="well")
    a_person(register, "李四", village="632223202204")
    a_conflict(register)
    assert "people" in words(clerk.get("/projects/1/entity-lists"))

    def names(query: str) -> set[str]:
        return {name for name in ("王五", "李四", "张三") if name in re.sub(r"<form.*?</form>", "", clerk.get(LIST + query).text, flags=re.DOTALL)}

    assert names("") == {"王五", "李四", "张三"}
    assert names("?q=well") == {"王五"}
    assert names("?division=632223202204") == {"李四"}
    assert names("?show=conflict") == {"张三"}
    assert names("?show=deleted") == set()


def test_long_registers_come_in_pages(house: House) -> None:
    register, clerk = Register(house), Clerk.signed_in(house, "county-reviewer")
    people = [a_person(register, f"村民{number:02}") for number in range(53)]
    first = clerk.get(LIST).text
    assert first.count('class="row-title"') == 50
    older = re.search(r'href="([^"]+)" rel="next"', first)[1].replace("&amp;", "&")  # type: ignore[index]
    assert re.findall(r"村民\d\d", clerk.get(older).text) == ["村民02", "村民01", "村民00"]
    assert len(people) == 53


def test_each_version_says_what_it_changed_and_whence_it_came(house: House) -> None:
    register, clerk = Register(house), Clerk.signed_in(house, "viewer")
    person = a_person(register)
    register.send(visit(person, base=1, state="ill"))
    page = clerk.get(path_of(person))
    assert re.sub(r"\s+", " ", words(page)).count("state: new → ill") == 1
    assert len(re.findall(r'href="/projects/1/submissions/\d+"', page.text)) == 2
    assert "人工更正" not in page.text


def test_a_conflict_shows_both_sides_and_ends_as_staff_choose(house: House) -> None:
    register, clerk = Register(house), Clerk.signed_in(house, "township-reviewer", division="632223202")
    person = a_conflict(register)
    page = clerk.get(path_of(person))
    [row] = re.findall(r'<tr><td class="row-title">state</td>(.*?)</tr>', page.text)
    assert re.findall(r">([^<]+)</td>", row) == ["new", "ill", "moved"]
    offered = re.findall(r'type="radio" name="value\.state" value="(\w+)"', page.text)
    assert sorted(offered) == ["ill", "moved", "new"]
    answer = clerk.posts(path_of(person) + "/settle", page=path_of(person), version="3", **{"value.state": "ill", "value.age": "71"})
    assert answer.status_code == 303
    [entity] = house.rows(Entity, Entity.uuid == person)
    assert (entity["conflict"], entity["version"], entity["data"]["state"], entity["data"]["age"]) == (None, 4, "ill", "71")
    assert house.rows(EntityVersion, EntityVersion.version == 4)[0]["received"] == {"state": "ill"}
    settled = clerk.get(path_of(person)).text
    assert ("冲突已解决" in settled, "解决冲突" in settled) == (True, False)


def test_a_conflict_settled_as_it_is_makes_no_new_version(house: House) -> None:
    register, clerk = Register(house), Clerk.signed_in(house, "county-reviewer")
    person = a_conflict(register)
    assert clerk.posts(path_of(person) + "/settle", page=path_of(person), version="3", **{"value.state": "moved"}).status_code == 303
    [entity] = house.rows(Entity, Entity.uuid == person)
    assert (entity["conflict"], entity["version"]) == (None, 3)


def test_whoever_read_an_older_version_overwrites_nothing(house: House) -> None:
    register, clerk = Register(house), Clerk.signed_in(house, "county-reviewer")
    person = a_person(register)
    register.send(visit(person, base=1, state="ill"))
    answer = clerk.posts(path_of(person) + "/edit", page=path_of(person), version="1", **{"value.label": "张三", "value.age": "99"})
    assert answer.status_code == 409
    [entity] = house.rows(Entity, Entity.uuid == person)
    assert (entity["version"], entity["data"]["age"]) == (2, "70")


def test_a_correction_by_hand_says_only_what_it_changes_and_an_earlier_version_comes_back(house: House) -> None:
    register, clerk = Register(house), Clerk.signed_in(house, "county-reviewer")
    person = a_person(register)
    clerk.posts(path_of(person) + "/edit", page=path_of(person), version="1", **{"value.label": "张三丰", "value.age": "71", "value.state": "new"})
    [second] = house.rows(EntityVersion, EntityVersion.version == 2)
    assert (second["label"], second["received"]) == ("张三丰", {"label": "张三丰", "age": "71"})
    clerk.posts(path_of(person) + "/versions/1/restore", page=path_of(person), version="2")
    [entity] = house.rows(Entity, Entity.uuid == person)
    assert (entity["label"], entity["version"], entity["data"]["age"]) == ("张三", 3, "70")


def test_a_deleted_entry_is_in_the_trash_and_comes_back(house: House) -> None:
    register, clerk = Register(house), Clerk.signed_in(house, "county-reviewer")
    person = a_person(register)
    assert clerk.posts(path_of(person) + "/trash", page=path_of(person)).status_code == 303
    assert clerk.get(path_of(person)).status_code == 404
    assert "张三" not in clerk.get(LIST).text
    assert "张三" in clerk.get(LIST + "?show=deleted").text
    assert clerk.posts(path_of(person) + "/restore", page=LIST + "?show=deleted").status_code == 303
    assert clerk.get(path_of(person)).status_code == 200


def test_what_waits_for_an_earlier_update_is_on_a_page(house: House) -> None:
    register, clerk = Register(house), Clerk.signed_in(house, "county-reviewer")
    person = a_person(register)
    register.send(visit(person, base=2, trunk=1, branch=str(uuid.uuid4()), state="ill"))
    assert "1 条离线更新" in clerk.get(LIST).text
    page = clerk.get(LIST + "/waiting")
    assert person[:8] in page.text
    assert re.search(r'href="/projects/1/submissions/\d+"', page.text)


def test_staff_of_another_township_see_none_of_it_and_change_none_of_it(house: House) -> None:
    register = Register(house)
    person = a_person(register)
    clerk = Clerk.signed_in(house, "township-reviewer", division="632223203")
    assert "张三" not in clerk.get(LIST).text
    assert clerk.get(path_of(person)).status_code == 403
    assert clerk.posts(path_of(person) + "/edit", page=LIST, version="1", **{"value.label": "x"}).status_code == 403
    leader = Clerk.signed_in(house, "county-leader")
    assert leader.get(LIST).status_code == 403
    assert leader.get("/projects/1/entity-lists").status_code == 403


@pytest.mark.parametrize("what", ["settle", "edit", "versions/1/restore", "trash", "restore"])
def test_who_may_only_read_changes_nothing(house: House, what: str) -> None:
    register, clerk = Register(house), Clerk.signed_in(house, "viewer")
    person = a_conflict(register)
    assert clerk.posts(f"{path_of(person)}/{what}", page=LIST, version="3", **{"value.state": "ill"}).status_code in {403, 404}
    assert house.rows(Entity, Entity.uuid == person)[0]["version"] == 3


@pytest.mark.story
@pytest.mark.parametrize(("language", "width", "height", "settle"), [("zh", 1366, 768, "就这样定"), ("en", 390, 844, "Settle")])
def test_a_township_reviewer_settles_a_conflict(house: House, language: str, width: int, height: int, settle: str) -> None:
    register = Register(house)
    person = a_conflict(register)
    email = hire(house, "township-reviewer", division="632223202")
    with served(house.app) as address, browser_at(address, language=language, width=width, height=height) as staff:
        staff.signs_in(email, PASSWORD)
        staff.page.goto(address + LIST + "?show=conflict")
        staff.needs_no_sideways_scrolling()
        staff.page.get_by_role("link", name="张三").click()
        staff.sees("moved")
        staff.needs_no_sideways_scrolling()
        staff.page.get_by_label("ill", exact=True).check()
        staff.page.get_by_role("button", name=settle, exact=True).click()
        staff.page.wait_for_load_state()
        staff.needs_no_sideways_scrolling()
    [entity] = house.rows(Entity, Entity.uuid == person)
    assert (entity["conflict"], entity["data"]["state"]) == (None, "ill")
