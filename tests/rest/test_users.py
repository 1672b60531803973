"""Accounts by program: made, found, changed, deleted; passwords that are refused, with a sentence why."""

from __future__ import annotations

import pytest

from server.access.password_resets import begin_reset
from server.access.users import find_account
from server.transactions import transaction
from tests.actors.house import House
from tests.actors.program import Program, problem_of
from tests.web.clerk import PASSWORD, hire

NEW = "yak butter on the stove"


def test_an_account_is_made_found_changed_and_gone(house: House) -> None:
    admin = Program.signed_in(house)
    made = admin.post("/users", {"email": "Zhuoma@example.com", "password": NEW, "displayName": "卓玛"}, X_Action_Notes="%E6%96%B0%E4%BA%BA").json or {}
    assert made["displayName"] == "卓玛"
    assert made["lastLoginAt"] is None
    assert [user["id"] for user in admin.reads("/users?q=zhuom")] == [made["id"]]
    assert problem_of(admin.post("/users", {"email": "ZHUOMA@example.com"})) == (409, 409.3)
    changed = admin.patch(f"/users/{made['id']}", {"displayName": "卓玛措"}).json or {}
    assert (changed["displayName"], changed["email"]) == ("卓玛措", "Zhuoma@example.com")
    herself = Program.of_account(house, "zhuoma@example.com", NEW)
    assert admin.delete(f"/users/{made['id']}").status_code == 200
    assert herself.get("/users/current").status_code == 401
    assert problem_of(Program(house).post("/sessions", {"email": "zhuoma@example.com", "password": NEW})) == (401, 401.2)
    assert [entry["action"] for entry in admin.actions("user")][:3] == ["user.delete", "user.session.create", "user.update"]
    assert admin.actions("user.create")[0]["notes"] == "新人"
    assert admin.post("/users", {"email": "zhuoma@example.com"}).status_code == 200


def test_who_is_no_administrator_finds_a_person_by_the_whole_address_alone(house: House) -> None:
    viewer, other = Program.signed_in(house, "viewer"), hire(house, "manager")
    assert viewer.reads("/users") == []
    assert viewer.reads("/users?q=manag") == []
    assert [user["email"] for user in viewer.reads(f"/users?q={other}")] == [other]
    assert problem_of(viewer.post("/users", {"email": "x@example.com"})) == (403, 403.1)
    someone = find_id(house, other)
    for answer in (viewer.get(f"/users/{someone}"), viewer.patch(f"/users/{someone}", {"displayName": "x"}), viewer.delete(f"/users/{someone}")):
        assert problem_of(answer) == (403, 403.1)
    assert viewer.patch(f"/users/{viewer.reads('/users/current')['id']}", {"displayName": "我"}).status_code == 200


def find_id(house: House, email: str) -> int:
    with transaction(house.engine) as session:
        account = find_account(session, email)
    assert account is not None
    return account[0].actor_id


@pytest.mark.parametrize(
    ("password", "code"), [("short", 400.21), ("l" + "o" * 72 + "ng", 400.38), ("hunter2!!!", 400.44), ("1234567890", 400.44), ("admin00admin", 400.44)]
)
def test_a_password_that_is_easily_guessed_is_refused_with_the_reason(house: House, password: str, code: float) -> None:
    admin = Program.signed_in(house)
    answer = admin.post("/users", {"email": "admin@example.org", "password": password}, Accept_Language="zh-CN")
    assert problem_of(answer) == (400, code)
    assert any("\u4e00" <= c <= "\u9fff" for c in answer.json["message"])  # type: ignore[index]


def test_a_new_password_ends_the_other_sessions(house: House) -> None:
    email = hire(house, "viewer")
    here, there = Program.of_account(house, email), Program.of_account(house, email)
    user_id = here.reads("/users/current")["id"]
    assert problem_of(here.put(f"/users/{user_id}/password", {"old": "wrong horse 9", "new": NEW})) == (401, 401.2)
    assert here.put(f"/users/{user_id}/password", {"old": PASSWORD, "new": NEW}).status_code == 200
    assert here.get("/users/current").status_code == 200
    assert there.get("/users/current").status_code == 401
    assert Program.of_account(house, email, NEW).get("/users/current").status_code == 200


def test_a_reset_token_works_once_and_ends_all_sessions(house: House) -> None:
    email = hire(house, "viewer")
    before = Program.of_account(house, email)
    with transaction(house.engine, write=True) as session:
        token = begin_reset(session, find_id(house, email))
    with_token = Program(house, token)
    assert problem_of(with_token.post("/users/reset/verify", {"new": "short"})) == (400, 400.21)
    assert with_token.post("/users/reset/verify", {"new": NEW}).status_code == 200
    assert with_token.post("/users/reset/verify", {"new": NEW}).status_code == 401
    assert before.get("/users/current").status_code == 401
    assert Program.of_account(house, email, NEW).get("/users/current").status_code == 200
    assert problem_of(before.post("/users/reset/initiate", {"email": ""})) == (400, 400.2)


def test_an_administrator_takes_a_password_away(house: House) -> None:
    admin, email = Program.signed_in(house), hire(house, "viewer")
    assert problem_of(Program(house).post("/users/reset/initiate?invalidate=true", {"email": email})) == (401, 401.2)
    assert admin.post("/users/reset/initiate?invalidate=true", {"email": email}).status_code == 200
    assert problem_of(Program(house).post("/sessions", {"email": email, "password": PASSWORD})) == (401, 401.2)


def test_preferences_are_each_users_own(house: House) -> None:
    mine, theirs = Program.signed_in(house, "manager"), Program.signed_in(house, "viewer")
    assert mine.put("/user-preferences/site/theme", {"propertyValue": {"dark": True}}).status_code == 200
    assert mine.put("/user-preferences/project/1/sorting", {"propertyValue": None}).status_code == 200
    assert problem_of(mine.put("/user-preferences/site/theme", {"value": 1})) == (400, 400.23)
    assert problem_of(mine.put("/user-preferences/project/99/x", {"propertyValue": 1})) == (404, 404.1)
    found = mine.reads("/users/current", X_Extended_Metadata="true")
    assert found["preferences"] == {"site": {"theme": {"dark": True}}, "projects": {"1": {"sorting": None}}}
    assert theirs.reads("/users/current", X_Extended_Metadata="true")["preferences"] == {"site": {}, "projects": {}}
    assert mine.delete("/user-preferences/site/theme").status_code == 200
    assert problem_of(mine.delete("/user-preferences/site/theme")) == (404, 404.1)
