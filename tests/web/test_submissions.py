"""Submissions: found, read, reviewed, by those who may."""

from __future__ import annotations

import pytest

from server.model import AuditEntry, Change, Comment, Submission
from tests.actors.house import House
from tests.factories.questionnaire import a_visit, visit_form
from tests.web.clerk import Clerk, words

JPEG, SCRIPT = b"\xff\xd8\xff\xe0 a photo", "<script>alert(1)</script>"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;"
EVIL = """
| survey | | | |
| | type | name | label |
| | text | division | Village |
| | text | age | <script>alert(1)</script> |
| | image | door | Door |
| settings | | | |
| | form_title | form_id | version |
| | <script>alert(1)</script> | visit | 1 |
"""


def _sent(house: House, **visit: str) -> None:
    house.publish(visit_form())
    assert house.new_phone().send(a_visit(door="door.jpg", **visit), {"door.jpg": JPEG}).status_code == 201


def _state(house: House) -> tuple[str, str | None]:
    [row] = house.rows(Submission)
    return row["review_state"], row["review_level"]


def test_a_submission_is_listed_and_read_by_its_labels(house: House) -> None:
    _sent(house, age="70", members=("王一", "王二"))  # type: ignore[arg-type]
    clerk = Clerk.signed_in(house, "county-reviewer")
    listed = words(clerk.get("/projects/1/submissions"))
    assert "探访" in listed
    assert "青海湖乡 达玉五谷村" in listed
    page = words(clerk.get(clerk.first_case()))
    for expected in ("Age", "70", "Members", "王一", "王二", "Door"):
        assert expected in page


def test_filters_narrow_the_list(house: House) -> None:
    _sent(house)
    clerk = Clerk.signed_in(house, "county-reviewer")
    for query, found in (
        ("form=1", True), ("form=99", False), ("division=632223202", True), ("division=632223190", False), ("state=received", True),
        ("state=approved", False), ("from=2020-01-01", True), ("to=2020-01-01", False), ("officer=1", True), ("officer=99", False),
        ("form=x&state=y&from=z&before=,", True),
    ):  # fmt: skip
        assert ("row-title" in clerk.get(f"/projects/1/submissions?{query}").text) is found, query


def test_pages_follow_one_another_without_gap_or_repetition(house: House) -> None:
    house.publish(visit_form())
    phone = house.new_phone()
    for _ in range(53):
        phone.send(a_visit())
    clerk = Clerk.signed_in(house, "county-reviewer")
    first = clerk.get("/projects/1/submissions?state=received").text
    older = first.split('rel="next"')[0].rpartition('href="')[2].split('"')[0].replace("&amp;", "&")
    second = clerk.get(older).text
    ids = [part.split('"')[0] for page in (first, second) for part in page.split('row-title"><a href="')[1:]]
    assert (first.count("row-title"), len(ids), len(set(ids))) == (50, 53, 53)


def test_scripts_in_answers_labels_and_file_names_never_run(house: House) -> None:
    house.publish(EVIL)
    name = 'x"><script>alert(1)<.jpg'
    xml = a_visit(age=ESCAPED, door=name.replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;"), meta=f"<orx:instanceName>{ESCAPED}</orx:instanceName>")
    assert house.new_phone(name=SCRIPT).send(xml, {name: b"<html><script>alert(1)</script>"}).status_code == 201
    clerk = Clerk.signed_in(house, "admin")
    for path in ("/projects/1/submissions", clerk.first_case(), "/projects/1/forms", "/projects/1/forms/1", "/projects/1/phones", "/projects/1/phones/1"):
        page = clerk.get(path).text
        assert "<script>alert" not in page, path
        assert ESCAPED in page, path
        assert "<script>" not in page, path


@pytest.mark.parametrize(("content", "shown"), [(JPEG, True), (b"<svg onload=alert(1)>", False), (b"<html>", False)])
def test_a_file_is_shown_only_if_its_bytes_are_an_image(house: House, content: bytes, shown: bool) -> None:
    house.publish(visit_form())
    house.new_phone().send(a_visit(door="door.jpg"), {"door.jpg": content})
    clerk = Clerk.signed_in(house, "county-reviewer")
    page = clerk.get(clerk.first_case()).text
    answer = clerk.get(page.split('class="photo" src="')[1].split('"')[0].replace("&amp;", "&"))
    assert answer.data == content
    assert answer.headers["Content-Disposition"].startswith("inline" if shown else "attachment")
    assert answer.headers["Content-Type"] == ("image/jpeg" if shown else "application/octet-stream")
    assert answer.headers["Content-Security-Policy"].startswith("sandbox")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_xml_is_what_the_phone_sent(house: House) -> None:
    house.publish(visit_form())
    xml = a_visit()
    house.new_phone().send(xml)
    clerk = Clerk.signed_in(house, "county-reviewer")
    path = clerk.get(clerk.first_case()).text.split('/xml"')[0].rpartition('href="')[2] + "/xml"
    answer = clerk.get(path)
    assert answer.data == xml
    assert answer.headers["Content-Disposition"].startswith("attachment")


def test_a_township_sees_its_own_and_nothing_else(house: House) -> None:
    _sent(house, division="632223202200")
    own = Clerk.signed_in(house, "township-reviewer", division="632223202")
    other = Clerk.signed_in(house, "township-reviewer", division="6322231901")
    case = own.first_case()
    assert "row-title" not in other.get("/projects/1/submissions").text
    assert other.get(case).status_code == 403
    file = own.get(case).text.split('class="photo" src="')[1].split('"')[0].replace("&amp;", "&")
    assert own.get(file).status_code == 200
    assert other.get(file).status_code == 403
    assert other.posts(case + "/approve", page="/projects/1/submissions").status_code == 403
    assert _state(house) == ("received", None)


def test_the_township_approves_first_and_the_county_last(house: House) -> None:
    _sent(house)
    township = Clerk.signed_in(house, "township-reviewer", division="632223202")
    case = township.first_case()
    assert township.posts(case + "/approve", page=case).status_code == 303
    assert _state(house) == ("received", "township")
    assert "乡镇已审" in township.get(case).text
    county = Clerk.signed_in(house, "county-reviewer")
    assert county.posts(case + "/approve", page=case, reason="核实无误").status_code == 303
    assert _state(house) == ("approved", "county")
    assert "核实无误" in county.get(case).text
    assert township.posts(case + "/send-back", page=case, reason="再看").status_code == 403
    assert _state(house) == ("approved", "county")
    assert [row["kind"] for row in house.rows(Change)].count("submission.reviewed") == 2
    assert [row["action"] for row in house.rows(AuditEntry)].count("submission.update") == 2


@pytest.mark.parametrize(("decision", "state"), [("send-back", "hasIssues"), ("reject", "rejected")])
def test_sending_back_and_rejecting_need_a_reason(house: House, decision: str, state: str) -> None:
    _sent(house)
    clerk = Clerk.signed_in(house, "county-reviewer")
    case = clerk.first_case()
    refused = clerk.posts(f"{case}/{decision}", page=case, reason="  ")
    assert (refused.status_code, "请写明原因" in refused.text) == (400, True)
    assert _state(house) == ("received", None)
    assert clerk.posts(f"{case}/{decision}", page=case, reason="照片看不清").status_code == 303
    assert _state(house)[0] == state
    [comment] = house.rows(Comment)
    assert (comment["body"], comment["review_state"]) == ("照片看不清", state)


def test_a_decision_on_a_version_that_was_replaced_is_refused(house: House) -> None:
    house.publish(visit_form())
    phone = house.new_phone()
    phone.send(a_visit("uuid:first"))
    clerk = Clerk.signed_in(house, "county-reviewer")
    case = clerk.first_case()
    seen = clerk.get(case).text.split('name="version" value="')[1].split('"')[0]
    phone.send(a_visit("uuid:second", age="71", replaces="uuid:first"))
    assert clerk.posts(case + "/approve", page=case, version=seen).status_code == 409
    assert _state(house) == ("edited", None)


def test_whoever_only_reads_can_decide_and_say_nothing(house: House) -> None:
    _sent(house)
    viewer = Clerk.signed_in(house, "viewer")
    case = viewer.first_case()
    assert "/approve" not in viewer.get(case).text
    for path in ("/approve", "/comments"):
        assert viewer.posts(case + path, page="/projects/1/submissions", comment="x").status_code == 403
    assert house.rows(Comment) == []


def test_a_comment_stands_under_the_submission(house: House) -> None:
    _sent(house)
    clerk = Clerk.signed_in(house, "township-reviewer", division="632223202")
    case = clerk.first_case()
    assert clerk.posts(case + "/comments", page=case, comment="已电话核实").status_code == 303
    assert "已电话核实" in clerk.get(case).text
    assert clerk.posts(case + "/comments", page=case, comment=" ").status_code == 400


def test_id_numbers_are_masked_until_one_says_why(house: House) -> None:
    house.publish(visit_form().replace("| text | name | Name |", "| text | id_number | ID |"))
    house.new_phone().send(a_visit().replace(b"<orx:meta>", b"<members><id_number>999999196001010012</id_number></members><orx:meta>"))
    clerk = Clerk.signed_in(house, "county-reviewer")
    case = clerk.first_case()
    assert "999999********0012" in clerk.get(case).text
    assert "999999196001010012" not in clerk.get(case).text
    assert clerk.posts(case + "/unmasked", page=case, reason=" ").status_code == 400
    assert "999999196001010012" in clerk.posts(case + "/unmasked", page=case, reason="核对低保名册").text
    [entry] = [row for row in house.rows(AuditEntry) if row["action"] == "submission.unmask"]
    assert entry["details"] == {"reason": "核对低保名册"}
    viewer = Clerk.signed_in(house, "viewer")
    assert "/xml" not in viewer.get(case).text
    xml = clerk.get(case).text.split('/xml"')[0].rpartition('href="')[2] + "/xml"
    assert viewer.get(xml).status_code == 403
    assert viewer.posts(case + "/unmasked", page="/projects/1/submissions", reason="x").status_code == 403
