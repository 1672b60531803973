"""Staff see where they are signed in, end what is not theirs any more, and choose a password that is hard to guess."""

from __future__ import annotations

import dataclasses
import email as email_package
import email.policy
import re
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller

from benchmarks.running_server import free_port
from tests.actors.house import House
from tests.actors.program import Program
from tests.web.clerk import PASSWORD, Clerk, hire

NEW = "yak butter on the stove"


@contextmanager
def mail_server() -> Iterator[tuple[str, list[EmailMessage]]]:
    """A mail server of the test's own: its host and port, and what it took."""
    mails: list[EmailMessage] = []

    class Takes:
        async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd names it
            mails.append(email_package.message_from_bytes(envelope.content, policy=email.policy.default))
            return "250 OK"

    controller = Controller(Takes(), hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield f"127.0.0.1:{controller.port}", mails
    finally:
        controller.stop()


@contextmanager
def with_settings(house: House, **changed: Any) -> Iterator[None]:
    """The house's app with other settings, for a while."""
    before = house.app.extensions["minqing"]
    house.app.extensions["minqing"] = dataclasses.replace(before, settings=dataclasses.replace(before.settings, **changed))
    try:
        yield
    finally:
        house.app.extensions["minqing"] = before


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


def test_a_password_is_chosen_by_the_link_that_came_by_mail(house: House) -> None:
    email = hire(house, "viewer")
    with mail_server() as (address, mails), with_settings(house, smtp_url=f"smtp://{address}", base_url="https://minqing.example"):
        stranger = Program(house)
        assert stranger.post("/users/reset/initiate", {"email": "nobody@example.com"}).json == {"success": True}
        assert stranger.post("/users/reset/initiate", {"email": email}).json == {"success": True}
        [mail] = mails
    assert mail["To"] == email
    [path] = set(re.findall(r"https://minqing\.example(/new-password/\S+)", mail.get_content()))
    clerk = Clerk(house)
    assert "新密码" in clerk.get(path).text
    assert clerk.posts(path, page=path, new="short").status_code == 400
    assert clerk.posts(path, page=path, new=NEW).status_code == 303
    assert clerk.posts(path, page=path, new=NEW).status_code == 401, "once"
    assert Program.of_account(house, email, NEW).get("/users/current").status_code == 200


def test_a_mail_server_that_is_away_changes_no_answer(house: House) -> None:
    email = hire(house, "viewer")
    with with_settings(house, smtp_url="smtp://127.0.0.1:1"):
        assert Program(house).post("/users/reset/initiate", {"email": email}).json == {"success": True}
