"""Files of rows into an entity list: read in any encoding, mapped, checked, imported, undone."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import update

from server.entities.imports.mapping import ImportSettings
from server.entities.imports.work import forget_files
from server.model import AuditEntry, Change, EntityImport, EntitySource, EntityVersion
from server.problems import Problem
from server.transactions import SECOND_OF_IDS, transaction
from tests.entities.imported import HEADER, OTHER_VILLAGE, VILLAGE, Office, as_csv, id_number, office, person, xlsx

__all__ = ["office"]
ROWS = [HEADER, person(1), person(2), person(3, OTHER_VILLAGE)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_csv_is_read_in_whatever_encoding_it_comes(office: Office, encoding: str) -> None:
    done = office.runs(office.uploads(as_csv(ROWS, encoding)))
    assert (done.state, done.created_count) == ("done", 3)
    assert office.living()["王3"] == {"id_number": id_number(3), "division": OTHER_VILLAGE}
    assert {row["division"] for row in office.people()} == {VILLAGE, OTHER_VILLAGE}


def test_a_workbook_is_read_with_its_title_dates_and_numbers(office: Office) -> None:
    rows: list[Any] = [("海晏县名册",), (*HEADER, "出生日期", "家庭人口"), (*person(1), date(1960, 1, 31), 3), (), (*person(2), date(1961, 2, 1), 4.0)]
    done = office.runs(office.uploads(xlsx(rows), "名册.xlsx"))
    assert (done.rows_total, done.created_count) == (2, 2)
    assert office.living()["王1"] == {"id_number": id_number(1), "division": VILLAGE, "birth_date": "1960-01-31", "members": "3"}
    assert office.living()["王2"]["members"] == "4"


def test_columns_are_proposed_by_name_and_by_what_registers_call_them(office: Office) -> None:
    found = office.now(office.uploads(as_csv([("公民身份号码（必填）", "户主姓名", "Birth-Date", "无关")]), label=1, key=None))
    settings = ImportSettings.from_json(found.settings)
    assert settings.columns == {0: "id_number", 2: "birth_date"}


def test_every_version_is_as_others_make_them_and_names_the_import(office: Office) -> None:
    made = office.uploads(as_csv(ROWS))
    office.runs(made)
    [source] = office.house.rows(EntitySource)
    assert (source["details"]["type"], source["details"]["name"], source["details"]["count"]) == ("import", "名册.csv", 3)
    for entity in office.people():
        [version] = office.versions(entity["id"])
        assert (version["source_id"], version["version"], version["data"], version["label"]) == (source["id"], 1, entity["data"], entity["label"])
        [said] = office.house.said(EntityVersion.entity_id == entity["id"]).values()
        assert office.opened({"data": said})["data"] == {**entity["data"], "label": entity["label"]}
        assert (version["division"], version["created_at"]) == (entity["division"], entity["created_at"])
    assert [row["action"] for row in office.house.rows(AuditEntry, AuditEntry.id == source["audit_id"])] == ["entity.import"]
    assert [row["details"]["count"] for row in office.house.rows(Change, Change.kind == "entity.many_created")] == [3]


def test_nothing_is_imported_while_a_row_is_wrong_unless_that_is_said(office: Office) -> None:
    made = office.uploads(as_csv([*ROWS, ("李四", id_number(4)[:-1] + "Y", VILLAGE), ("", id_number(5), "999")]))
    assert office.errors(made) == [
        (5, "身份证号", "不是 18 位身份证号。如在表格中显示为科学记数，请把该列设为文本格式后重新填写。"),
        (6, "行政区划", "不是本服务器的行政区划：应为 12 位代码，或唯一的乡镇、村名称。"), (6, "姓名", "没有名称。"),
    ]  # fmt: skip
    with pytest.raises(Problem, match=r"409\.76"):
        office.runs(made)
    assert office.people() == []
    done = office.runs(made, skip_errors=True)
    assert (done.created_count, done.skipped_count, done.rows_bad) == (3, 2, 2)


def test_rows_that_match_by_a_key_update_and_others_create(office: Office) -> None:
    office.runs(office.uploads(as_csv(ROWS)))
    changed = [(*HEADER, "家庭人口"), ("王一", id_number(1), VILLAGE, "7"), ("王2", id_number(2), VILLAGE, ""), (*person(9), "2")]
    done = office.runs(office.uploads(as_csv(changed)))
    assert (done.created_count, done.updated_count, done.unchanged_count) == (1, 1, 1)
    assert set(office.living()) == {"王一", "王2", "王3", "王9"}
    [first] = office.people(label="王一")
    assert (first["version"], first["data"]["members"]) == (2, "7")
    old, new = office.versions(first["id"])
    assert (new["base_version"], new["source_id"], new["received"]["label"]) == (1, done.source_id, "王一")
    assert first["updated_at"] == new["created_at"] >= old["created_at"]


def test_an_empty_cell_leaves_what_is_there(office: Office) -> None:
    office.runs(office.uploads(as_csv(ROWS)))
    office.runs(office.uploads(as_csv([HEADER, ("", id_number(1), "")])))
    assert office.living()["王1"]["division"] == VILLAGE


def test_a_key_that_two_rows_or_two_entities_have_is_an_error(office: Office) -> None:
    office.runs(office.uploads(as_csv([HEADER, person(1), person(1)]), key=None))
    made = office.uploads(as_csv([HEADER, person(1), person(2), person(2)]))
    assert office.errors(made) == [
        (2, "身份证号", "登记表中有 2 个条目是这个值，无法确定是哪一个。"), (3, "身份证号", "文件中有几行是同一个值。"), (4, "身份证号", "文件中有几行是同一个值。"),
    ]  # fmt: skip


def test_a_file_that_was_exported_matches_by_id(office: Office) -> None:
    office.runs(office.uploads(as_csv(ROWS)))
    [one] = office.people(label="王1")
    made = office.uploads(as_csv([("__id", "label", "members"), (one["uuid"], "王一", "5"), ("", "新人", "1")]))
    assert ImportSettings.from_json(office.now(made).settings).key == "__id"
    done = office.runs(made)
    assert (done.created_count, done.updated_count) == (1, 1)
    unknown = office.uploads(as_csv([("__id", "label"), ("12345678-1234-4123-8234-123456789abc", "x")]))
    assert office.errors(unknown) == [(2, "__id", "登记表中没有这个编号。新条目请留空。")]


def test_a_column_mapped_twice_is_refused(office: Office) -> None:
    with pytest.raises(Problem, match=r"400\.77"):
        office.uploads(as_csv(ROWS), columns={0: "members", 1: "members"}, key=None)


def test_a_label_is_made_of_columns(office: Office) -> None:
    office.runs(office.uploads(as_csv(ROWS), label="{姓名}（{行政区划}）"))
    assert f"王1（{VILLAGE}）" in office.living()


def test_what_came_since_the_check_is_not_doubled(office: Office) -> None:
    first, second = office.uploads(as_csv(ROWS)), office.uploads(as_csv([HEADER, person(2), person(5)]))
    office.runs(first)
    done = office.runs(second)
    assert (done.created_count, done.skipped_count) == (1, 1)
    assert office.errors(second)[-1] == (2, "身份证号", "其后有了同一个值的条目，未导入。")
    assert [row["label"] for row in office.people()].count("王2") == 1


def test_an_import_is_undone_as_a_whole_but_for_what_was_changed_since(office: Office) -> None:
    office.runs(office.uploads(as_csv([HEADER, person(1), person(2)])))
    changed = [(*HEADER, "家庭人口"), ("王一", id_number(1), OTHER_VILLAGE, "7"), ("王二", id_number(2), VILLAGE, "8"), (*person(3), "1"), (*person(4), "1")]
    made = office.uploads(as_csv(changed))
    assert office.runs(made).updated_count == 2
    from server.entities.lists import get_list
    from server.entities.write import update_entity

    with transaction(office.house.engine, write=True) as session:
        people = get_list(session, office.actor, 1, "people", verb="entity.update")
        for label in ("王二", "王4"):
            [row] = office.people(label=label)
            update_entity(session, office.actor, people, row["uuid"], {"data": {"members": "9"}}, base_version=None, force=True)
    undone = office.undoes(made)
    assert (undone.state, undone.undone_count, undone.left_count) == ("undone", 2, 2)
    assert {one["label"] for one in undone.left_alone} == {"王二", "王4"}
    assert set(office.living()) == {"王1", "王二", "王4"}
    [first] = office.people(label="王1")
    assert (first["version"], first["division"], first["data"]) == (3, VILLAGE, {"id_number": id_number(1), "division": VILLAGE})
    [gone] = office.people(label="王3")
    assert gone["deleted_at"] is not None
    with pytest.raises(Problem, match=r"409\.77"):
        office.undoes(made)


def test_an_import_that_was_interrupted_goes_on_where_it_was(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    from server.entities.imports import work

    monkeypatch.setattr(work, "CHUNK", 3)
    made = office.uploads(as_csv([HEADER, *(person(n) for n in range(1, 21))]))
    monkeypatch.setattr(work, "_PIECE_SECONDS", 0.0)
    with transaction(office.house.engine, write=True) as session:
        from server.entities.imports.records import find_import, start

        start(session, office.actor, find_import(session, office.actor, made, lock=True))
    monkeypatch.setattr(work, "_PIECE_SECONDS", 2.0)
    done_before_the_crash = _crash_after(office, work, monkeypatch, chunks=2)
    assert office.now(made).position == len(office.people()) == done_before_the_crash == 6
    monkeypatch.undo()
    assert not work.work_on(office.house.engine, office.house.storage, 1, made, "another node"), "whoever held it may still be at it"
    office.works()
    assert (office.now(made).state, len(office.people())) == ("done", 20)
    assert len({row["data"]["id_number"] for row in office.people()}) == 20


def _crash_after(office: Office, work: Any, monkeypatch: pytest.MonkeyPatch, *, chunks: int) -> int:
    """The next chunk dies after it has written and before its commit."""
    real, seen = work.run_chunk, []

    def dying(session: Any, found: Any, lines: Any, newcomers: Any) -> None:
        real(session, found, lines, newcomers)
        seen.append(len(lines))
        if len(seen) > chunks:
            raise KeyboardInterrupt

    monkeypatch.setattr(work, "run_chunk", dying)
    with pytest.raises(KeyboardInterrupt):
        office.works()
    return sum(seen[:chunks])


def test_nothing_of_the_file_is_kept_once_its_rows_are_in_the_list(office: Office) -> None:
    made = office.uploads(as_csv(ROWS), key="id_number")
    office.runs(made)
    now = office.now(made)
    assert (now.blob_sha256, now.rows_sha256, now.plan_sha256, now.samples) == (None, None, None, [])


def test_a_file_that_nobody_imports_within_a_week_is_kept_no_more(office: Office) -> None:
    old, young = office.uploads(as_csv(ROWS), key="id_number"), office.uploads(as_csv(ROWS), key="id_number")
    with transaction(office.house.engine, write=True) as session:
        eight_days = 8 * 86_400 * SECOND_OF_IDS
        session.execute(update(EntityImport).where(EntityImport.id == old).values(id=old - eight_days))
        assert (forget_files(session, limit=10), forget_files(session, limit=10)) == (1, 0)
    now = office.now(old - eight_days)
    assert (now.state, now.blob_sha256, now.rows_sha256, now.samples) == ("failed", None, None, [])
    assert office.now(young).blob_sha256 is not None
    with pytest.raises(Problem, match=r"409\.77"):
        office.runs(old - eight_days)
    assert office.runs(young).created_count == 3
