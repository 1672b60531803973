"""Forms by program: from .xlsx or XML to a draft, a published version, an edit of it, the trash and back."""

from __future__ import annotations

import hashlib
import re

import pytest

from server.forms.xform_edits import add_version_suffix, set_version, with_public_key
from tests.actors.house import House
from tests.actors.phone import CollectPhone
from tests.actors.program import Program, problem_of
from tests.factories.questionnaire import a_visit, form_xml, visit_form
from tests.factories.xlsform import xlsform

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SHORT = r"""
| survey | | | |
| | type | name | label |
| | text | name | Name |
| | integer | age | Age |
| settings | | | |
| | form_id | form_title | version |
| | short | 短表 | 1 |
"""


def sent_as_xlsx(program: Program, markdown: str = SHORT, *, path: str = "/projects/1/forms", **headers: str):
    return program.post(path, xlsform(markdown), Content_Type=XLSX, **headers)


def sent_as_xml(program: Program, xform: bytes, *, path: str = "/projects/1/forms?publish=true"):
    return program.post(path, xform, Content_Type="application/xml")


def test_a_form_goes_from_xlsx_to_phones_and_its_file_comes_back(house: House) -> None:
    manager = Program.signed_in(house, "manager")
    file = xlsform(SHORT)
    made = manager.post("/projects/1/forms", file, Content_Type=XLSX, X_Action_Notes="for%20winter").json or {}
    assert (made["xmlFormId"], made["name"], made["version"], made["publishedAt"]) == ("short", "短表", "1", None)
    assert len(made["draftToken"]) == 64
    phone = house.new_phone()
    assert phone.form_list() == []
    assert manager.post("/projects/1/forms/short/draft/publish", X_Action_Notes="go").status_code == 200
    assert [form["formID"] for form in phone.form_list()] == ["short"]
    assert manager.get("/projects/1/forms/short.xlsx").data == file
    xform = manager.get("/projects/1/forms/short.xml")
    read = manager.reads("/projects/1/forms/short", X_Extended_Metadata="true")
    assert (read["hash"], read["sha256"]) == (hashlib.md5(xform.data).hexdigest(), hashlib.sha256(xform.data).hexdigest())
    assert (read["publishNotes"], read["excelContentType"], read["submissions"], read["publicLinks"]) == ("go", XLSX, 0, 0)
    assert xform.headers["ETag"] == f'"{read["hash"]}"'
    assert [entry["action"] for entry in manager_audits(house)] == ["form.update.publish", "form.create"]


def manager_audits(house: House) -> list[dict[str, object]]:
    return Program.signed_in(house).actions("form")


def test_an_xlsx_that_is_none_says_what_is_wrong_with_it(house: House) -> None:
    manager = Program.signed_in(house, "manager")
    broken = sent_as_xlsx(manager, SHORT.replace("| | integer | age | Age |", "| | nonsense | age | Age |"))
    assert problem_of(broken) == (400, 400.15)
    assert broken.json["details"]["error"]  # type: ignore[index]
    assert problem_of(manager.post("/projects/1/forms", b"PK\x03\x04 no", Content_Type=XLSX))[0] == 400
    assert problem_of(sent_as_xml(manager, b"<not/>")) == (400, 400.2)
    assert problem_of(sent_as_xml(manager, b"<!DOCTYPE x [<!ENTITY a 'b'>]><x/>"))[0] == 400
    assert problem_of(sent_as_xml(manager, b"")) == (400, 400.2)
    assert problem_of(sent_as_xml(manager, form_xml(SHORT).replace(b'id="short"', b'id="short.xml"'))) == (400, 400.8)
    assert problem_of(sent_as_xml(manager, form_xml(SHORT).replace(b'id="short"', b'id="' + b"x" * 65 + b'"'))) == (400, 400.13)


def test_warnings_stop_a_form_until_they_are_accepted(house: House) -> None:
    manager = Program.signed_in(house, "manager")
    sent_as_xml(manager, form_xml(SHORT))
    fewer = form_xml(SHORT.replace("| | integer | age | Age |\n", "").replace("| 1 |", "| 2 |"))
    draft = "/projects/1/forms/short/draft"
    stopped = sent_as_xml(manager, fewer, path=draft)
    assert problem_of(stopped) == (400, 400.16)
    assert stopped.json["details"]["warnings"]["workflowWarnings"] == [{"type": "structureChanged", "details": ["age"]}]  # type: ignore[index]
    assert sent_as_xml(manager, fewer, path=draft + "?ignoreWarnings=true").status_code == 200
    manager.delete("/projects/1/forms/short")
    again = sent_as_xml(manager, fewer, path="/projects/1/forms")
    assert again.json["details"]["warnings"]["workflowWarnings"][0]["type"] == "deletedFormExists"  # type: ignore[index]


def test_a_question_keeps_its_type_through_all_versions(house: House) -> None:
    manager = Program.signed_in(house, "manager")
    sent_as_xml(manager, form_xml(SHORT))
    draft = "/projects/1/forms/short/draft?ignoreWarnings=true"
    number = sent_as_xml(manager, form_xml(SHORT.replace("| text | name |", "| integer | name |")), path=draft)
    assert problem_of(number) == (400, 400.17)
    assert number.json["details"] == {"path": "/name", "type": "string"}  # type: ignore[index]
    text = form_xml(SHORT.replace("| integer | age |", "| text | age |").replace("| 1 |", "| 2 |"))
    assert sent_as_xml(manager, text, path=draft).status_code == 200, "any answer can be read as text"


def test_versions_are_published_under_any_name_once_and_stay_as_they_were(house: House) -> None:
    manager = Program.signed_in(house, "manager")
    sent_as_xml(manager, form_xml(SHORT))
    first = manager.get("/projects/1/forms/short.xml").data
    assert manager.post("/projects/1/forms/short/draft").status_code == 200, "without a body: a copy"
    again = manager.post("/projects/1/forms/short/draft/publish")
    assert problem_of(again) == (409, 409.6)
    assert manager.post("/projects/1/forms/short/draft/publish?version=2%20%22%3C%26").status_code == 200
    assert b'version="2 ' in manager.get("/projects/1/forms/short.xml").data or b"version='2 " in manager.get("/projects/1/forms/short.xml").data
    assert manager.reads("/projects/1/forms/short")["version"] == '2 "<&'
    assert manager.get("/projects/1/forms/short/versions/1.xml").data == first
    assert [version["version"] for version in manager.reads("/projects/1/forms/short/versions")] == ['2 "<&', "1"]
    assert problem_of(manager.get("/projects/1/forms/short/versions/9")) == (404, 404.1)
    nameless = form_xml(SHORT).replace(b' version="1"', b"").replace(b'id="short"', b'id="nameless"')
    sent_as_xml(manager, nameless)
    assert manager.get("/projects/1/forms/nameless/versions/___.xml").data == nameless


def test_a_draft_is_tested_replaced_and_thrown_away(house: House) -> None:
    manager = Program.signed_in(house, "manager")
    sent_as_xml(manager, form_xml(SHORT), path="/projects/1/forms")
    assert problem_of(manager.delete("/projects/1/forms/short/draft")) == (409, 409.7), "it is all the form has"
    token = manager.reads("/projects/1/forms/short/draft")["draftToken"]
    tester = CollectPhone(house.app.test_client(), house.phone_access())
    tester.base = f"/v1/test/{token}/projects/1/forms/short/draft"
    assert [form["formID"] for form in tester.form_list()] == ["short"]
    manager.post("/projects/1/forms/short/draft/publish")
    gone = tester.get(tester.base + "/formList")
    assert gone.status_code == 404
    assert "测试地址已失效" in gone.text
    manager.post("/projects/1/forms/short/draft")
    assert manager.delete("/projects/1/forms/short/draft").status_code == 200
    assert problem_of(manager.get("/projects/1/forms/short/draft")) == (404, 404.1)


def test_media_are_put_listed_carried_over_and_cleared(house: House) -> None:
    manager = Program.signed_in(house, "manager")
    with_media = SHORT.replace("| | integer | age | Age |", "| | select_one_from_file villages.csv | age | Age |")
    sent_as_xml(manager, form_xml(with_media), path="/projects/1/forms")
    files = "/projects/1/forms/short/draft/attachments"
    assert [(one["name"], one["exists"]) for one in manager.reads(files)] == [("villages.csv", False)]
    put = manager.post(f"{files}/villages.csv", b"name,label\na,A\n", Content_Type="text/csv").json or {}
    assert (put["blobExists"], put["size"]) == (True, 15)
    assert problem_of(manager.post(f"{files}/other.csv", b"x")) == (404, 404.1)
    manager.post("/projects/1/forms/short/draft/publish")
    assert manager.get("/projects/1/forms/short/attachments/villages.csv").data == b"name,label\na,A\n"
    manager.post("/projects/1/forms/short/draft")
    assert manager.reads(files)[0]["exists"] is True, "carried over"
    assert manager.delete(f"{files}/villages.csv").status_code == 200
    assert problem_of(manager.delete(f"{files}/villages.csv")) == (404, 404.1)
    assert manager.get("/projects/1/forms/short/attachments/villages.csv").status_code == 200, "the published version keeps its own"


def test_fields_are_listed_as_programs_know_them(house: House) -> None:
    manager = Program.signed_in(house, "manager")
    sent_as_xml(manager, form_xml(visit_form()))
    fields = {field["path"]: (field["type"], field["binary"]) for field in manager.reads("/projects/1/forms/visit/fields")}
    assert fields["/age"] == ("int", None)
    assert fields["/door"] == ("binary", True)
    assert fields["/members"] == ("repeat", None)
    assert fields["/meta/instanceID"] == ("string", None)


def test_the_trash_keeps_a_form_for_a_month_and_gives_it_back(house: House) -> None:
    manager = Program.signed_in(house, "manager")
    sent_as_xml(manager, form_xml(visit_form()))
    house.new_phone().send(a_visit("uuid:kept"))
    assert manager.delete("/projects/1/forms/visit").status_code == 200
    assert problem_of(manager.get("/projects/1/forms/visit")) == (404, 404.1)
    [trashed] = manager.reads("/projects/1/forms?deleted=true", X_Extended_Metadata="true")
    assert trashed["submissions"] == 1
    assert problem_of(manager.post("/projects/1/forms/visit/restore")) == (400, 400.11)
    assert manager.post(f"/projects/1/forms/{trashed['id']}/restore").status_code == 200
    assert manager.reads("/projects/1/forms/visit", X_Extended_Metadata="true")["submissions"] == 1


def test_a_closed_form_is_for_those_who_may_read_forms(house: House) -> None:
    manager = Program.signed_in(house, "manager")
    sent_as_xml(manager, form_xml(visit_form()))
    phone = house.new_phone()
    assert problem_of(manager.patch("/projects/1/forms/visit", {"state": "ajar"})) == (400, 400.8)
    assert manager.patch("/projects/1/forms/visit", {"state": "closed"}).json["state"] == "closed"  # type: ignore[index]
    assert phone.get(phone.base + "/forms/visit.xml").status_code == 403
    assert Program.signed_in(house, "viewer").get("/projects/1/forms/visit").status_code == 200
    assert Program.signed_in(house, "formfill").get("/projects/1/forms/visit").status_code == 403


def test_an_encrypted_project_gives_each_form_a_new_version_with_its_key(house: House) -> None:
    manager = Program.signed_in(house, "manager")
    sent_as_xml(manager, form_xml(SHORT))
    manager.post("/projects/1/forms/short/draft")
    before = manager.get("/projects/1/forms/short.xml").data
    assert problem_of(manager.post("/projects/1/key", {"passphrase": "short"})) == (400, 400.21)
    assert problem_of(manager.post("/projects/1/key", {})) == (400, 400.2)
    assert manager.post("/projects/1/key", {"passphrase": "yak butter tea", "hint": "a drink"}).status_code == 200
    assert problem_of(manager.post("/projects/1/key", {"passphrase": "yak butter tea"})) == (409, 409.4)
    for path in ("/projects/1/forms/short.xml", "/projects/1/forms/short/draft.xml"):
        text = manager.get(path).text
        assert re.search(r'<submission base64RsaPublicKey="[A-Za-z0-9+/]{392}"/></model>', text)
        assert re.search(r'version="1\[encrypted:\w{8}\]"', text)
    assert manager.get("/projects/1/forms/short/versions/1.xml").data == before, "what was published never changes"
    key_id = manager.reads("/projects/1")["keyId"]
    assert manager.reads("/projects/1/forms/short")["keyId"] == key_id
    newer = sent_as_xml(manager, form_xml(visit_form())).json or {}
    assert newer["keyId"] == key_id, "so do forms made later"
    told = [entry["details"] for entry in Program.signed_in(house).actions("project.update")]
    assert told == [{"data": {"keyId": key_id}}, {"encrypted": True}]


@pytest.mark.parametrize("version", ["2", "", 'a "b" <c> & d', "版本"])
def test_only_the_version_changes_in_a_forms_text(version: str) -> None:
    for xform in (form_xml(SHORT), form_xml(SHORT).replace(b' version="1"', b""), form_xml(SHORT).replace(b'version="1"', b"orx:version = '1'")):
        changed = set_version(xform, version)
        root = re.search(rb"<data [^>]*?>", changed)
        assert root is not None
        [(start, end)] = [(m.start(), m.end()) for m in [re.search(rb"<data [^>]*?>", xform)] if m]
        assert changed[:start] == xform[:start]
        assert changed[len(changed) - (len(xform) - end) :] == xform[end:]
        assert add_version_suffix(changed, "!").count(b"!") == 1
    assert with_public_key(form_xml(SHORT), "KEY").count(b'<submission base64RsaPublicKey="KEY"/></model>') == 1
