"""What arrives is checked against its form's rules: it is kept, and staff see what is wrong."""

from __future__ import annotations

from server.changes import number_changes
from server.model import FormVersion, RuleViolations, Submission
from server.submissions.rule_check import check_arrivals
from server.transactions import transaction
from tests.actors.house import House
from tests.web.clerk import Clerk

FORM = """
| survey | | | | | | | |
| | type | name | label::中文 (zh) | label::English (en) | constraint | constraint_message::中文 (zh) | constraint_message::English (en) | required |
| | integer | age | 年龄 | Age | . < 120 | 年龄须小于 120。 | The age must be below 120. | |
| | text | who | 姓名 | Name | | | | yes |
| settings | | | | | | | | |
| | form_id | form_title | version | | | | | |
| | ages | 年龄 | 1 | | | | | |
"""


def submission(instance: str, age: str, who: str = "王一", *, replaces: str = "") -> bytes:
    deprecated = f"<orx:deprecatedID>{replaces}</orx:deprecatedID>" if replaces else ""
    return (
        f'<data xmlns:orx="http://openrosa.org/xforms" id="ages" version="1"><age>{age}</age><who>{who}</who>'
        f"<orx:meta><orx:instanceID>{instance}</orx:instanceID>{deprecated}</orx:meta></data>"
    ).encode()


def check(house: House) -> None:
    with transaction(house.engine, write=True) as session:
        number_changes(session)
    while check_arrivals(house.engine, limit=2):
        pass


def marks(house: House) -> list[list[tuple[str, str]]]:
    return [[(one["path"], one["rule"]) for one in row["violations"]] for row in house.rows(RuleViolations)]


def test_a_broken_rule_is_marked_and_the_submission_is_kept(house: House) -> None:
    house.publish(FORM)
    phone = house.new_phone()
    for number in range(5):
        assert phone.send(submission(f"uuid:good-{number}", "30")).status_code == 201
    assert phone.send(submission("uuid:bad", "130", "")).status_code == 201
    check(house)
    assert marks(house) == [[("age", "constraint"), ("who", "required")]]
    check(house)
    assert len(marks(house)) == 1


def test_the_mark_follows_the_current_version(house: House) -> None:
    house.publish(FORM)
    phone = house.new_phone()
    phone.send(submission("uuid:first", "130"))
    check(house)
    phone.send(submission("uuid:second", "30", replaces="uuid:first"))
    check(house)
    [row] = house.rows(Submission)
    assert row["current_version_id"] not in {found["version_id"] for found in house.rows(RuleViolations)}
    phone.send(submission("uuid:third", "131", replaces="uuid:second"))
    check(house)
    [row] = house.rows(Submission)
    assert row["current_version_id"] in {found["version_id"] for found in house.rows(RuleViolations)}


def test_what_is_tried_on_a_draft_is_not_marked(house: House) -> None:
    house.publish(FORM)
    house.save_draft(FORM.replace("| ages | 年龄 | 1 |", "| ages | 年龄 | 2 |"))
    [token] = [row["draft_token"] for row in house.rows(FormVersion) if row["draft_token"]]
    phone = house.new_phone()
    phone.base = f"/v1/test/{token}/projects/1/forms/ages/draft"
    assert phone.send(submission("uuid:draft", "130").replace(b'version="1"', b'version="2"')).status_code == 201
    check(house)
    assert marks(house) == []


def test_staff_see_which_question_broke_which_rule(house: House) -> None:
    house.publish(FORM)
    phone = house.new_phone()
    phone.send(submission("uuid:bad", "130", ""))
    phone.send(submission("uuid:good", "30"))
    check(house)
    staff = Clerk.signed_in(house, "county-reviewer")
    page = staff.get("/projects/1/submissions").text
    assert page.count('badge-hasIssues">违反规则') == 1
    [bad] = house.rows(Submission, Submission.instance_id == "uuid:bad")
    page = staff.get(f"/projects/1/submissions/{bad['id']}").text
    assert "年龄须小于 120。" in page
    assert "必填，但没有回答" in page
    english = staff.get(f"/projects/1/submissions/{bad['id']}", **{"Accept-Language": "en"}).text
    assert "The age must be below 120." in english


def test_staff_list_those_alone_that_break_rules(house: House) -> None:
    house.publish(FORM)
    phone = house.new_phone()
    for instance, age in (("uuid:good", "30"), ("uuid:bad", "130"), ("uuid:mended", "131")):
        phone.send(submission(instance, age))
    check(house)
    phone.send(submission("uuid:mended-2", "31", replaces="uuid:mended"))
    check(house)
    clerk = Clerk.signed_in(house, "county-reviewer")
    every, broken = (clerk.get(f"/projects/1/submissions{query}").text.count('class="row-title"') for query in ("", "?broken=yes"))
    assert (every, broken) == (3, 1)
