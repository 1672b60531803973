"""Forms: uploaded, checked, tried, published, closed, put in the trash and taken out again."""

from __future__ import annotations

import io

from server.model import Form, FormVersion
from tests.actors.house import House
from tests.factories.questionnaire import visit_form
from tests.factories.xlsform import xlsform
from tests.web.clerk import Clerk, words

PLAIN = """
| survey | | | |
| | type | name | label |
| | text | name | Name |
| settings | | | |
| | form_title | form_id | version |
| | 登记 | register | {version} |
"""
WITH_MEDIA = """
| survey | | | | |
| | type | name | label | choice_filter |
| | select_one_from_file villages.csv | village | Village | |
| settings | | | |
| | form_title | form_id | version |
| | 登记 | register | 1 |
"""


def _upload(clerk: Clerk, markdown: str, path: str = "/projects/1/forms", page: str | None = None) -> object:
    return clerk.posts(path, page=page or "/projects/1/forms", xlsx=(io.BytesIO(xlsform(markdown)), "form.xlsx"))


def test_an_uploaded_form_is_a_draft_and_then_published(house: House) -> None:
    clerk = Clerk.signed_in(house, "manager")
    _upload(clerk, PLAIN.format(version=1))
    [form] = house.rows(Form)
    path = f"/projects/1/forms/{form['id']}"
    assert form["draft_version_id"] is not None
    assert clerk.get(path + "/test.svg").status_code == 200
    assert clerk.posts(path + "/publish", page=path).status_code == 303
    assert clerk.posts(path + "/publish", page="/projects/1/forms").status_code == 404
    assert clerk.get(path + "/test.svg").status_code == 404
    assert [row["form_id"] for row in house.rows(Form, Form.current_version_id.is_not(None))] == ["register"]
    assert [entry["formID"] for entry in house.new_phone().form_list()] == ["register"]


def test_a_faulty_form_is_refused_with_sheet_row_and_reason(house: House) -> None:
    clerk = Clerk.signed_in(house, "manager")
    answer = _upload(clerk, PLAIN.format(version=1).replace("| text | name | Name |", "| text | two words | Name |"))
    assert answer.status_code == 400
    assert "survey" in words(answer)
    assert house.rows(Form) == []
    assert clerk.posts("/projects/1/forms", xlsx=(io.BytesIO(b"not a workbook"), "form.xlsx")).status_code == 400
    assert clerk.posts("/projects/1/forms").status_code == 400


def test_a_second_version_goes_to_the_same_form_and_to_no_other(house: House) -> None:
    clerk = Clerk.signed_in(house, "manager")
    house.publish(PLAIN.format(version=1))
    house.publish(visit_form())
    _upload(clerk, PLAIN.format(version=2), "/projects/1/forms/1/draft")
    assert "2" in words(clerk.get("/projects/1/forms/1"))
    assert _upload(clerk, PLAIN.format(version=3), "/projects/1/forms/2/draft").status_code == 400
    assert [row["draft_version_id"] for row in house.rows(Form, Form.id == 2)] == [None]


def test_media_are_taken_under_the_names_the_form_declares(house: House) -> None:
    clerk = Clerk.signed_in(house, "manager")
    house.save_draft(WITH_MEDIA)
    path = "/projects/1/forms/1"
    assert "缺少" in words(clerk.get(path))
    assert clerk.posts(path + "/media", page=path, media=(io.BytesIO(b"name,label\n"), "other.csv")).status_code == 404
    assert clerk.posts(path + "/media", page=path, media=(io.BytesIO(b"name,label\na,A\n"), "villages.csv")).status_code == 303
    assert "已上传" in words(clerk.get(path))


def test_state_trash_and_return(house: House) -> None:
    clerk, phone = Clerk.signed_in(house, "manager"), house.new_phone()
    house.publish(PLAIN.format(version=1))
    path = "/projects/1/forms/1"
    assert clerk.posts(path + "/state", page=path, state="closing").status_code == 303
    assert phone.form_list() == []
    assert clerk.posts(path + "/state", page=path, state="gone").status_code == 400
    clerk.posts(path + "/state", page=path, state="open")
    assert clerk.posts(path + "/trash", page=path).status_code == 303
    assert phone.form_list() == []
    assert "回收站" in words(clerk.get("/projects/1/forms"))
    assert clerk.posts(path + "/restore", page="/projects/1/forms").status_code == 303
    assert [entry["formID"] for entry in phone.form_list()] == ["register"]


def test_whoever_only_reads_changes_no_form(house: House) -> None:
    house.publish(PLAIN.format(version=1))
    viewer, path = Clerk.signed_in(house, "viewer"), "/projects/1/forms/1"
    page = viewer.get(path)
    assert page.status_code == 200
    assert "/trash" not in page.text
    for action in ("/state", "/trash", "/publish", "/draft", "/media"):
        assert viewer.posts(path + action, page=path, state="closed", media=(io.BytesIO(b"x"), "x")).status_code == 403, action
    assert _upload(viewer, PLAIN.format(version=2)).status_code == 403
    assert len(house.rows(FormVersion)) == 1


def test_a_form_of_another_project_is_not_found(house: House) -> None:
    house.publish(PLAIN.format(version=1))
    assert Clerk.signed_in(house, "admin").get("/projects/2/forms/1").status_code == 404
