"""Signing in, closed doors, tokens, headers."""

from __future__ import annotations

import pytest

from tests.actors.house import House
from tests.web.clerk import PASSWORD, Clerk, hire


@pytest.mark.parametrize("path", ["/", "/projects/1/submissions", "/projects/1/submissions/1", "/projects/1/phones/1/qr.svg", "/projects/1/forms"])
def test_a_stranger_is_sent_to_the_sign_in_page(house: House, path: str) -> None:
    answer = Clerk(house).get(path)
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/sign-in")


def test_every_page_but_the_short_list_is_closed(house: House) -> None:
    """Also those that are written tomorrow."""
    stranger = house.app.test_client()
    for rule in house.app.url_map.iter_rules():
        if not rule.endpoint.startswith("web.") or rule.endpoint in {
            "web.sign_in", "web.try_sign_in", "web.choose_language", "web.static", "web.show_new_password", "web.set_new_password",
        }:
            continue
        values = {name: "approve" if name == "decision" else 1 for name in rule.arguments}
        with house.app.test_request_context():
            path = house.app.url_map.bind("localhost").build(rule.endpoint, values, method=next(iter(rule.methods - {"HEAD", "OPTIONS"})))
        answer = stranger.open(path, method=next(iter(rule.methods - {"HEAD", "OPTIONS"})))
        assert (answer.status_code, answer.headers["Location"].split("?")[0]) == (303, "/sign-in"), rule


def test_signing_in_goes_where_one_was_going_and_nowhere_else(house: House) -> None:
    email = hire(house, "admin")
    going = Clerk(house).posts("/sign-in", email=email, password=PASSWORD, next="/projects/1/phones?after=3")
    assert going.headers["Location"] == "/projects/1/phones?after=3"
    for elsewhere in ("https://example.org/", "//example.org/", "/\\example.org"):
        assert Clerk(house).posts("/sign-in", email=email, password=PASSWORD, next=elsewhere).headers["Location"] == "/"


def test_a_wrong_password_says_so_and_many_make_one_wait(house: House) -> None:
    email, clerk = hire(house, "admin"), Clerk(house)
    for _ in range(5):
        answer = clerk.signs_in(email, "wrong password")
        assert answer.status_code == 401
        assert "登录信息不正确" in answer.text
    assert clerk.signs_in(email).status_code == 429


def test_the_cookie_is_bound_to_host_and_https(house: House) -> None:
    plain = Clerk(house).signs_in(hire(house, "admin"))
    [session] = [c for c in plain.headers.getlist("Set-Cookie") if c.startswith("session=")]
    assert "HttpOnly" in session
    assert "SameSite=Strict" in session
    secure = Clerk(house, secure=True).signs_in("admin0@example.com")
    [session] = [c for c in secure.headers.getlist("Set-Cookie") if c.startswith("__Host-session=")]
    assert "Secure" in session
    assert "Path=/" in session


def test_a_form_without_the_token_changes_nothing(house: House) -> None:
    clerk = Clerk.signed_in(house, "admin")
    for token in ({}, {"csrf": "guessed"}, {"csrf": "民"}):
        assert clerk.client.post("/projects/1/phones", data={"name": "x", **token}).status_code == 403
    assert clerk.client.post("/sign-in", data={"email": "a", "password": "b"}).status_code == 403
    assert "还没有手机" in clerk.get("/projects/1/phones").text


def test_a_token_of_one_stranger_serves_no_other(house: House) -> None:
    hire(house, "admin")
    page = Clerk(house).get("/sign-in").text
    token = page.split('name="csrf" value="')[1].split('"')[0]
    answer = house.app.test_client().post("/sign-in", data={"email": "admin0@example.com", "password": PASSWORD, "csrf": token})
    assert answer.status_code == 403


def test_signing_out_ends_the_session_on_the_server(house: House) -> None:
    clerk = Clerk.signed_in(house, "admin")
    kept = clerk.client.get_cookie("session").value
    assert clerk.posts("/sign-out", page="/projects/1/forms").status_code == 303
    clerk.client.set_cookie("session", kept)
    assert clerk.get("/projects/1/forms").status_code == 303


def test_pages_carry_the_security_headers(house: House) -> None:
    clerk = Clerk.signed_in(house, "admin")
    for path in ("/projects/1/submissions", "/projects/1/submissions/1", "/no/such/page"):
        headers = clerk.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store"
        assert "Strict-Transport-Security" not in headers
    assert "Strict-Transport-Security" in Clerk(house, secure=True).get("/sign-in").headers


def test_the_language_is_chinese_unless_asked_otherwise(house: House) -> None:
    clerk = Clerk(house)
    assert "登录" in clerk.get("/sign-in").text
    assert "Password" in clerk.get("/sign-in", **{"Accept-Language": "en-GB"}).text
    assert clerk.posts("/language", page="/sign-in", language="en", next="/sign-in").headers["Location"] == "/sign-in"
    assert "Password" in clerk.get("/sign-in", **{"Accept-Language": "zh-CN"}).text


@pytest.mark.parametrize(
    "path",
    [
        "/projects/1/submissions/99999999999999999999", "/projects/99999999999999999999/forms", "/projects/1/submissions?form=99999999999999999999",
        "/projects/1/submissions?before=2026-01-01,99999999999999999999", "/projects/1/submissions?before=9999-12-31T23:59:59,1",
        "/projects/1/submissions?to=9999-12-31", "/projects/1/submissions?from=0001-01-01", "/projects/1/submissions?division=%00", "/projects/1/phones?after=-1",
        "/projects/1/phones?after=99999999999999999999", "/projects/1/submissions?division=%F0%9F%98%80%25'", "/projects/1/submissions/1/versions/1/file?name=%00",
    ],
)  # fmt: skip
def test_odd_addresses_are_the_senders_error_never_ours(house: House, path: str) -> None:
    assert Clerk.signed_in(house, "admin").get(path).status_code in {200, 400, 404}


def test_nul_in_a_form_is_refused(house: House) -> None:
    assert Clerk(house).signs_in("admin\0@example.com").status_code == 400


def test_a_leader_who_reads_no_cases_starts_at_the_forms(house: House) -> None:
    leader = Clerk.signed_in(house, "county-leader")
    start = leader.get("/")
    assert (start.status_code, start.headers["Location"]) == (303, "/projects/1/forms")
    assert leader.get("/projects/1/forms").status_code == 200
    assert leader.get("/projects/1/submissions").status_code == 403
