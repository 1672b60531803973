"""Files of rows over `/v1`: uploaded, checked, imported, undone, by whoever may and in their division alone."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from server.model import Entity, EntitySource
from tests.actors.program import Program, problem_of
from tests.entities.imported import HEADER, OTHER_VILLAGE, VILLAGE, Office, as_csv, id_number, office, person, xlsx

__all__ = ["office"]
IMPORTS = "/projects/1/datasets/people/imports"
ROWS = [HEADER, person(1), person(2), person(3, OTHER_VILLAGE)]


def uploaded(program: Program, content: bytes, name: str = "名册.csv", **query: str) -> dict[str, Any]:
    asked = "".join(f"&{key}={quote(value)}" for key, value in query.items())
    answer = program.post(f"{IMPORTS}?filename={quote(name)}{asked}", content, Content_Type="application/octet-stream", User_Agent="etl")
    assert answer.status_code == 200, answer.text
    return answer.json  # type: ignore[return-value]


def test_a_file_is_uploaded_checked_imported_and_undone(office: Office) -> None:
    staff = Program.signed_in(office.house)
    made = uploaded(staff, as_csv(ROWS))
    path = f"{IMPORTS}/{made['id']}"
    assert (made["state"], made["fileName"], made["rows"], made["columns"]) == ("uploaded", "名册.csv", 3, list(HEADER))
    assert (made["mapping"], made["label"], made["key"]) == ({"身份证号": "id_number", "行政区划": "division"}, "姓名", "id_number")
    assert made["samples"][0] == [2, list(person(1))]
    assert problem_of(staff.post(f"{path}/start")) == (409, 409.77)
    assert staff.post(f"{path}/check").json["state"] == "checking"  # type: ignore[index]
    office.works()
    assert staff.reads(path)["state"] == "checked"
    assert office.people() == []
    assert staff.post(f"{path}/start", None, User_Agent="etl").json["state"] == "importing"  # type: ignore[index]
    office.works()
    done = staff.reads(path)
    assert (done["state"], done["rowsDone"], done["created"], done["errors"]) == ("done", 3, 3, [])
    assert set(office.living()) == {"王1", "王2", "王3"}
    [source] = office.house.rows(EntitySource)
    assert (source["details"]["type"], source["details"]["userAgent"]) == ("import", "etl")
    assert staff.post(f"{path}/undo").json["state"] == "undoing"  # type: ignore[index]
    office.works()
    assert (staff.reads(path)["state"], staff.reads(path)["undone"], office.living()) == ("undone", 3, {})
    assert problem_of(staff.post(f"{path}/undo")) == (409, 409.77)
    assert [(one["id"], one["state"]) for one in staff.reads(IMPORTS)] == [(made["id"], "undone")]
    assert [entry["action"] for entry in staff.actions() if entry["action"].startswith("entity.import")] == ["entity.import.undo", "entity.import"]


def test_nothing_is_imported_while_a_row_is_wrong_unless_that_is_said(office: Office) -> None:
    staff = Program.signed_in(office.house)
    path = f"{IMPORTS}/{uploaded(staff, as_csv([*ROWS, ('李四', id_number(4), '999')]))['id']}"
    staff.post(f"{path}/check")
    office.works()
    found = staff.reads(path)
    assert (found["rowsGood"], found["rowsBad"], found["errorCount"]) == (3, 1, 1)
    assert [(error["row"], error["column"]) for error in found["errors"]] == [(5, "行政区划")]
    errors = staff.get(f"{path}/errors.csv")
    assert errors.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert errors.text.splitlines()[1].startswith("5,行政区划,")
    assert problem_of(staff.post(f"{path}/start")) == (409, 409.76)
    assert problem_of(staff.post(f"{path}/start", {"skipErrors": "yes"}))[0] == 400
    assert staff.post(f"{path}/start", {"skipErrors": True}).status_code == 200
    office.works()
    assert (staff.reads(path)["created"], staff.reads(path)["skipped"]) == (3, 1)


def test_a_program_says_what_each_column_is(office: Office) -> None:
    staff = Program.signed_in(office.house)
    rows = [("甲", "乙", "丙", "丁"), ("张三", id_number(1), VILLAGE, "4")]
    made = uploaded(staff, xlsx(rows, sheet="二"), "register.xlsx", sheet="二")
    assert (made["mapping"], made["sheets"]) == ({}, ["二"])
    path = f"{IMPORTS}/{made['id']}"
    said = {"mapping": {"乙": "id_number", "C": "division", "丁": ""}, "label": "{甲}（{丁}口）", "key": None}
    shown = staff.post(f"{path}/check", said).json or {}
    assert (shown["mapping"], shown["label"], shown["key"]) == ({"乙": "id_number", "丙": "division"}, "{甲}（{丁}口）", None)
    office.works()
    # What is not said again stays as it was set up.
    assert staff.post(f"{path}/check", {"key": "id_number"}).json["mapping"] == shown["mapping"]  # type: ignore[index]
    office.works()
    staff.post(f"{path}/start")
    office.works()
    assert office.living() == {"张三（4口）": {"id_number": id_number(1), "division": VILLAGE}}


@pytest.mark.parametrize(
    "wrong",
    [{"mapping": {"无": "id_number"}}, {"mapping": {"姓名": "nosuch"}}, {"mapping": {"姓名": "division", "行政区划": "division"}}, {"key": "members"}, {"label": "无"},
     {"label": "{无}"}, {"label": None, "key": None}, {"mapping": []}, {"mapping": {"姓名": 1}}, {"mapping": {"姓名": {}}}, {"key": 5}, {"label": ["x"]}],
)  # fmt: skip
def test_settings_that_are_wrong_are_refused_and_nothing_changes(office: Office, wrong: dict[str, Any]) -> None:
    staff = Program.signed_in(office.house)
    made = uploaded(staff, as_csv(ROWS))
    assert staff.post(f"{IMPORTS}/{made['id']}/check", wrong).status_code == 400
    assert staff.reads(f"{IMPORTS}/{made['id']}") == {name: value for name, value in made.items() if name != "samples"}


@pytest.mark.parametrize(
    ("content", "name"),
    [(b"", "a.csv"), (b"PK\x03\x04broken", "a.xlsx"), (b"\xd0\xcf\x11\xe0", "a.xls"), (b"a\n1\n", "a.xlsx"), (b"a,b\n1\0,2\n", "a.csv"), ("a\0".encode("utf-16"), "a.csv")],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_refused(office: Office, content: bytes, name: str) -> None:
    staff = Program.signed_in(office.house)
    assert problem_of(staff.post(f"{IMPORTS}?filename={name}", content)) == (400, 400.76)
    assert staff.reads(IMPORTS) == []


def test_numbers_are_told_to_nobody_but_who_sends_the_file(office: Office) -> None:
    staff, other = Program.signed_in(office.house), Program.signed_in(office.house, "manager")
    made = uploaded(staff, as_csv([*ROWS, ("李四", id_number(4)[:-1] + "Y", VILLAGE)]))
    path = f"{IMPORTS}/{made['id']}"
    staff.post(f"{path}/check")
    office.works()
    answers = [other.get(path), other.get(IMPORTS), other.get(f"{path}/errors.csv"), other.post(f"{path}/start", {"skipErrors": True}), staff.get(path)]
    assert {answer.status_code for answer in answers} == {200}
    assert not any("999999196001" in answer.text for answer in answers)


def test_staff_of_a_division_import_into_it_alone_and_see_no_other_divisions_imports(office: Office) -> None:
    county, township = Program.signed_in(office.house), Program.signed_in(office.house, "manager", division="632223201")
    other = Program.signed_in(office.house, "manager", division=VILLAGE)
    of_county = uploaded(county, as_csv(ROWS))["id"]
    mine = uploaded(township, as_csv(ROWS))["id"]
    assert [one["id"] for one in township.reads(IMPORTS)] == [mine]
    assert township.get(f"{IMPORTS}/{of_county}").status_code == 403
    assert {one["id"] for one in county.reads(IMPORTS)} == {of_county, mine}
    township.post(f"{IMPORTS}/{mine}/check")
    office.works()
    # All three are another township's.
    assert (township.reads(f"{IMPORTS}/{mine}")["rowsGood"], township.reads(f"{IMPORTS}/{mine}")["rowsBad"]) == (0, 3)
    for path in (f"{mine}/check", f"{mine}/start", f"{mine}/undo", f"{of_county}/check", f"{of_county}/start", f"{of_county}/undo"):
        assert other.post(f"{IMPORTS}/{path}").status_code == 403
    assert other.get(f"{IMPORTS}/{mine}/errors.csv").status_code == 403
    assert office.house.rows(Entity) == []


def test_who_may_not_create_entities_uploads_nothing(office: Office) -> None:
    viewer = Program.signed_in(office.house, "viewer")
    assert viewer.post(f"{IMPORTS}?filename=a.csv", as_csv(ROWS)).status_code == 403
    assert viewer.get(IMPORTS).status_code == 403
    assert Program(office.house).post(f"{IMPORTS}?filename=a.csv", as_csv(ROWS)).status_code == 401
