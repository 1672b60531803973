"""Staff see where they are signed in, end what is not theirs any more, and choose a password that is hard to guess."""

from __future__ import annotations

from tests.actors.house import House
from tests.actors.program import Program
from tests.web.clerk import PASSWORD, Clerk, hire

NEW = "yak butter on the stove"


def test_a_session_left_open_elsewhere_is_ended(house: House) -> None:
    clerk = Clerk.signed_in(house, "township-reviewer")
    elsewhere = Program.of_account(house, "township-reviewer0@example.com")
    listed = elsewhere.reads("/sessions")
    assert [one["current"] for one in listed] == [True, False]
    own = next(one["id"] for one in listed if one["current"])
    assert clerk.get("/account").text.count("/account/sessions/") == 1
    assert clerk.posts(f"/account/sessions/{own}/end", page="/account").status_code == 303
    assert elsewhere.get("/users/current").status_code == 401
    assert clerk.posts(f"/account/sessions/{own}/end", page="/account").status_code == 404


def test_one_program_ends_anothers_session_of_the_same_person_alone(house: House) -> None:
    email = hire(house, "viewer")
    here, there, stranger = Program.of_account(house, email), Program.of_account(house, email), Program.signed_in(house, "manager")
    other = next(one["id"] for one in here.reads("/sessions") if not one["current"])
    assert stranger.delete(f"/sessions/own/{other}").status_code == 404
    assert here.delete(f"/sessions/own/{other}").status_code == 200
    assert there.get("/users/current").status_code == 401


def test_a_weak_password_is_refused_with_the_reason_and_a_good_one_holds(house: House) -> None:
    clerk = Clerk.signed_in(house, "township-reviewer")
    weak = clerk.posts("/account/password", page="/account", old=PASSWORD, new="1234567890")
    assert (weak.status_code, "密码太弱" in weak.text) == (400, True)
    wrong = clerk.posts("/account/password", page="/account", old="wrong horse 9", new=NEW)
    assert wrong.status_code == 401
    assert clerk.posts("/account/password", page="/account", old=PASSWORD, new=NEW).status_code == 303
    assert "密码已更改" in clerk.get("/account?changed=1").text
    assert Program.of_account(house, "township-reviewer0@example.com", NEW).get("/users/current").status_code == 200
