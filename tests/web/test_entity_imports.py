"""Files of rows through the pages: uploaded, mapped, checked, imported, undone, by whoever may and in their division alone."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from server.model import Entity
from tests.actors.browser import browser_at, served
from tests.actors.house import House
from tests.entities.imported import HEADER, VILLAGE, Office, as_csv, office, person, xlsx
from tests.web.clerk import PASSWORD, Clerk, hire, words

__all__ = ["office"]
IMPORTS = "/projects/1/entity-lists/people/imports"
BAD = [HEADER, person(1), ("李四", "123", VILLAGE)]


def uploaded(clerk: Clerk, content: bytes, name: str = "名册.csv") -> str:
    """The path of the new import."""
    answer = clerk.posts(IMPORTS, file=(io.BytesIO(content), name))
    assert answer.status_code == 303, words(answer)
    return str(answer.headers["Location"])


def chosen(clerk: Clerk, path: str, **changes: str) -> dict[str, str]:
    """The mapping as the page proposes it."""
    found: dict[str, str] = {}
    for name, options in re.findall(r'<select name="([^"]+)"[^>]*>(.*?)</select>', clerk.get(path).text, flags=re.DOTALL):
        [selected] = re.findall(r"<option(?: value=\"([^\"]*)\")? selected>([^<]*)<", options) or [("", "")]
        found[name] = selected[0] or selected[1]
    return {**found, "pattern": "", **changes}


def checked(clerk: Clerk, office: Office, content: bytes, name: str = "名册.csv", **changes: str) -> str:
    path = uploaded(clerk, content, name)
    assert clerk.posts(f"{path}/check", page=path, **chosen(clerk, path, **changes)).status_code == 303
    office.works()
    return path


def test_a_file_is_mapped_checked_imported_and_undone(office: Office) -> None:
    clerk = Clerk.signed_in(office.house, "admin")
    assert "文件导入" in words(clerk.get("/projects/1/entity-lists/people"))
    path = uploaded(clerk, as_csv([HEADER, person(1), person(2)]))
    assert chosen(clerk, path) == {"column.0": "", "column.1": "id_number", "column.2": "division", "label": "0", "key": "id_number", "pattern": ""}
    assert clerk.posts(f"{path}/check", page=path, **chosen(clerk, path)).status_code == 303
    at_work = clerk.get(path)
    assert ('http-equiv="refresh"' in at_work.text, "正在检查" in words(at_work)) == (True, True)
    office.works()
    assert office.people() == []
    page = clerk.get(path)
    assert ('http-equiv="refresh"' in page.text, "导入 2 行" in words(page)) == (False, True)
    assert clerk.posts(f"{path}/start", page=path).status_code == 303
    office.works()
    assert set(office.living()) == {"王1", "王2"}
    assert clerk.posts(f"{path}/undo", page=path).status_code == 303
    office.works()
    assert office.living() == {}
    assert "已撤销" in words(clerk.get(IMPORTS))


def test_errors_are_told_by_row_and_column_and_the_right_rows_go_in_when_that_is_said(office: Office) -> None:
    clerk = Clerk.signed_in(office.house, "admin")
    path = checked(clerk, office, as_csv(BAD))
    page = clerk.get(path)
    assert re.search(r'data-label="行">3</td><td data-label="列">身份证号</td><td[^>]*>不是 18 位身份证号', page.text)
    refused = clerk.posts(f"{path}/start", page=path)
    assert (refused.status_code, "1 行有误" in words(refused), office.people()) == (409, True, [])
    saved = clerk.get(f"{path}/errors.csv")
    assert saved.data.decode("utf-8-sig").splitlines()[1].startswith("3,身份证号,")
    assert clerk.posts(f"{path}/start", page=path, skip="1").status_code == 303
    office.works()
    assert set(office.living()) == {"王1"}


def test_the_mapping_is_changed_and_the_label_put_together(office: Office) -> None:
    clerk = Clerk.signed_in(office.house, "admin")
    path = checked(clerk, office, as_csv([(*HEADER, "几口人"), (*person(1), "3")]), **{"column.3": "members", "pattern": "{姓名}（{几口人}）"})
    clerk.posts(f"{path}/start", page=path)
    office.works()
    assert office.living()["王1（3）"]["members"] == "3"


def test_another_sheet_of_the_file_is_read(office: Office) -> None:
    from openpyxl import load_workbook

    clerk = Clerk.signed_in(office.house, "admin")
    book = load_workbook(io.BytesIO(xlsx([("无", "关"), ("1", "2")], sheet="说明")))
    second: Any = book.create_sheet("名册")
    second.append(HEADER)
    second.append(person(7))
    written = io.BytesIO()
    book.save(written)
    path = uploaded(clerk, written.getvalue(), "两张.xlsx")
    answer = clerk.posts(f"{path}/sheet", page=path, sheet="名册")
    assert "王7" in clerk.get(answer.headers["Location"]).text


@pytest.mark.parametrize(("content", "name", "said"), [
    (b"\xd0\xcf\x11\xe0old", "名册.xls", "旧格式"), (b"", "空.csv", "没有数据"), (b"PK\x03\x04broken", "坏.xlsx", "无法读取"),
])  # fmt: skip
def test_a_file_that_cannot_be_read_is_refused_with_what_to_do(office: Office, content: bytes, name: str, said: str) -> None:
    clerk = Clerk.signed_in(office.house, "admin")
    answer = clerk.posts(IMPORTS, file=(io.BytesIO(content), name))
    assert (answer.status_code, said in words(answer)) == (400, True)
    assert clerk.posts(IMPORTS).status_code == 400


@pytest.mark.parametrize("changes", [
    {"key": "nosuch"}, {"column.1": "nosuch"}, {"column.0": "division"}, {"pattern": "{无}"}, {"label": "99"}, {"label": "", "key": ""}, {"column.0": "__id"},
])  # fmt: skip
def test_a_mapping_that_cannot_be_is_refused_in_a_sentence(office: Office, changes: dict[str, str]) -> None:
    clerk = Clerk.signed_in(office.house, "admin")
    path = uploaded(clerk, as_csv([HEADER, person(1)]))
    assert clerk.posts(f"{path}/check", page=path, **chosen(clerk, path, **changes)).status_code == 400
    assert clerk.posts(f"{path}/start", page=path).status_code == 409


def test_who_may_not_create_entries_imports_nothing_and_sees_no_imports(office: Office) -> None:
    path = uploaded(Clerk.signed_in(office.house, "admin"), as_csv([HEADER, person(1)]))
    clerk = Clerk.signed_in(office.house, "township-reviewer", division="632223202")
    assert "文件导入" not in words(clerk.get("/projects/1/entity-lists/people"))
    assert {clerk.get(one).status_code for one in (IMPORTS, path, f"{path}/errors.csv")} == {403}
    for what in ("", "/check", "/start", "/undo", "/sheet"):
        there = f"{path}{what}" if what else IMPORTS
        assert clerk.posts(there, page="/projects/1/entity-lists/people", file=(io.BytesIO(b"a,b\n1,2"), "x.csv")).status_code == 403


def test_staff_of_a_division_import_into_it_alone_and_see_no_other_divisions_imports(office: Office) -> None:
    county = uploaded(Clerk.signed_in(office.house, "admin"), as_csv([HEADER, person(1)]))
    clerk = Clerk.signed_in(office.house, "manager", division="632223202")
    assert clerk.get(county).status_code == 403
    path = checked(clerk, office, as_csv([HEADER, person(1), person(2, "632223190290")]))
    assert "不在您负责的行政区划内" in words(clerk.get(path))
    assert county not in clerk.get(IMPORTS).text


def test_an_import_is_not_found_under_another_list_or_number(office: Office) -> None:
    clerk = Clerk.signed_in(office.house, "admin")
    assert clerk.get(f"{IMPORTS}/42").status_code == 404
    assert clerk.get(f"{IMPORTS}/99999999999999999999").status_code == 404
    assert clerk.get("/projects/1/entity-lists/nosuch/imports").status_code == 404


@contextmanager
def jobs_at(office: Office) -> Iterator[None]:
    """The work goes on beside the browser."""
    stop = threading.Event()

    def works() -> None:
        while not stop.wait(0.1):
            office.works()

    thread = threading.Thread(target=works)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.story
@pytest.mark.parametrize(("language", "width", "height", "check", "go"), [
    ("zh", 1366, 768, "检查全部行", "只导入正确的 1 行，跳过有误的行"), ("en", 390, 844, "Check all rows", "Import the 1 right rows, leave out the others"),
])  # fmt: skip
def test_a_clerk_imports_the_right_rows_of_a_file(
    house: House, office: Office, tmp_path: Path, language: str, width: int, height: int, check: str, go: str
) -> None:
    file = tmp_path / "名册.xlsx"
    file.write_bytes(xlsx(BAD))
    email = hire(house, "manager")
    with served(house.app) as address, jobs_at(office), browser_at(address, language=language, width=width, height=height) as staff:
        staff.signs_in(email, PASSWORD)
        staff.page.goto(address + IMPORTS)
        staff.needs_no_sideways_scrolling()
        staff.page.locator("input[type=file]").set_input_files(file)
        staff.page.locator("main button.primary").click()
        staff.page.get_by_role("button", name=check, exact=True).wait_for()
        staff.needs_no_sideways_scrolling()
        staff.page.get_by_role("button", name=check, exact=True).click()
        staff.page.get_by_role("button", name=go, exact=True).wait_for(timeout=15000)
        staff.needs_no_sideways_scrolling()
        staff.page.get_by_role("button", name=go, exact=True).click()
        staff.page.locator("summary").wait_for(timeout=15000)
        staff.needs_no_sideways_scrolling()
    assert [row["label"] for row in house.rows(Entity)] == ["王1"]
