"""Signing in by program: bearer, cookie, Basic, a token in the path; and out again."""

from __future__ import annotations

import base64
import re

from server.model import AccountSession
from tests.actors.house import House
from tests.actors.program import Program, problem_of
from tests.web.clerk import PASSWORD, hire


def test_a_session_opens_what_its_token_says_and_nothing_after_its_end(house: House) -> None:
    email = hire(house, "manager")
    made = Program(house).post("/sessions", {"email": email.upper(), "password": PASSWORD})
    session = made.json or {}
    assert set(session) == {"token", "csrf", "createdAt", "expiresAt"}
    assert re.fullmatch(r"[A-Za-z0-9!$]{64}", session["token"])
    [row] = house.rows(AccountSession)
    assert session["token"].encode() not in row["token_key"]
    program = Program(house, session["token"])
    assert program.reads("/users/current")["email"] == email
    assert program.reads("/sessions/restore")["expiresAt"] == session["expiresAt"]
    assert program.delete("/sessions/current").json == {"success": True}
    assert problem_of(program.get("/users/current")) == (401, 401.2)


def test_no_one_gets_in_without_a_right_password_and_the_password_is_never_told_back(house: House) -> None:
    email, stranger = hire(house, "manager"), Program(house)
    assert problem_of(stranger.post("/sessions", {"email": email, "password": "wrong horse 1"})) == (401, 401.2)
    assert problem_of(stranger.post("/sessions", {"email": "nobody@example.com", "password": PASSWORD})) == (401, 401.2)
    assert problem_of(stranger.post("/sessions", {"email": {"a": 1}, "password": PASSWORD})) == (400, 400.11)
    missing = stranger.post("/sessions", {"password": PASSWORD})
    assert problem_of(missing) == (400, 400.3)
    assert PASSWORD not in missing.text


def test_guessing_is_slowed_and_the_right_password_works_again_later(house: House) -> None:
    email, stranger = hire(house, "manager"), Program(house)
    answers = [stranger.post("/sessions", {"email": email, "password": f"guess number {n}"}).status_code for n in range(8)]
    assert answers[:5] == [401] * 5
    assert answers[-1] == 429


def test_basic_works_over_https_alone(house: House) -> None:
    credentials = base64.b64encode(f"{hire(house, 'manager')}:{PASSWORD}".encode()).decode()
    plain = Program(house).get("/projects", Authorization=f"Basic {credentials}")
    assert problem_of(plain) == (401, 401.3)
    secure = Program(house).get("/projects", Authorization=f"Basic {credentials}", X_Forwarded_Proto="https")
    assert secure.status_code == 200
    for nonsense in ("Basic ???", "Basic", "Digest x", "Bearer", "Nonsense"):
        assert Program(house).get("/projects", Authorization=nonsense, X_Forwarded_Proto="https").status_code == 401


def test_a_cookie_reads_but_changes_nothing_without_its_csrf_token(house: House) -> None:
    made = Program(house).post("/sessions", {"email": hire(house, "admin"), "password": PASSWORD}).json or {}
    as_browser = {"Cookie": f"__Host-session={made['token']}", "X_Forwarded_Proto": "https"}
    program = Program(house)
    assert program.get("/projects", **as_browser).status_code == 200
    assert problem_of(program.get("/projects", Cookie=f"session={made['token']}")) == (401, 401.3)
    assert problem_of(program.post("/projects", {"name": "x"}, **as_browser)) == (401, 401.2)
    assert problem_of(program.post("/projects", {"name": "x", "__csrf": "wrong"}, **as_browser)) == (401, 401.2)
    assert program.post("/projects", {"name": "x", "__csrf": made["csrf"]}, **as_browser).status_code == 200
    assert program.post("/projects", {"name": "y"}, X_Requested_With="XMLHttpRequest", **as_browser).status_code == 200


def test_a_phones_token_opens_any_address_and_is_revoked_by_a_manager(house: House) -> None:
    manager, phone = Program.signed_in(house, "manager"), house.phone_access()
    stranger = Program(house)
    assert stranger.reads(f"/key/{phone.token}/sessions/restore")["expiresAt"].startswith("9999")
    assert problem_of(stranger.get(f"/users/current?st={phone.token}")) == (404, 404.1)
    assert problem_of(stranger.delete(f"/key/{phone.token}/sessions/{phone.token}")) == (403, 403.1)
    assert problem_of(stranger.get(f"/key/{'x' * 64}/projects")) == (403, 403.1)
    assert problem_of(stranger.get("/key/short/projects")) == (401, 401.2)
    assert manager.delete(f"/sessions/{phone.token}").status_code == 200
    assert problem_of(stranger.get(f"/key/{phone.token}/sessions/restore")) == (403, 403.1)
    assert manager.delete(f"/sessions/{'y' * 64}").status_code == 403
