"""submissions.csv and submissions.csv.zip hold what was sent, in ODK Central's columns."""

from __future__ import annotations

import csv
import io

from openpyxl import load_workbook

from tests.exports.program import HOUSEHOLD, Program, a_household, a_member, unzipped

HEADER = (
    "SubmissionDate,division,head,people,income,heating,place-Latitude,place-Longitude,place-Altitude,place-Accuracy,visited,id_number,door,home-roof,"
    "meta-instanceID,KEY,SubmitterID,SubmitterName,AttachmentsPresent,AttachmentsExpected,Status,ReviewState,DeviceID,Edits,FormVersion"
)


def test_the_columns_are_central_s_also_without_a_submission(house):
    house.publish(HOUSEHOLD)
    answer = Program(house).get("/submissions.csv")
    assert answer.text == HEADER + "\n"
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == "attachment; filename=\"household.csv\"; filename*=UTF-8''household.csv"
    files = Program(house).files()
    assert list(files) == ["household.csv", "household-members.csv", "household-animals.csv"]
    assert files["household-members.csv"] == b"name,age,PARENT_KEY,KEY\n"


def test_a_row_holds_the_answers_as_sent(house):
    house.publish(HOUSEHOLD)
    house.new_phone().send(a_household("uuid:1", head='卓玛, "小" འཇམ་', place="36.9 100.8 3012.4 4.5", people="07", visited="2026-11-24T10:00:00.000+08:00"))
    line = Program(house).get("/submissions.csv").text.split("\n")[1]
    assert line[24:] == (
        ',632223202200,"卓玛, ""小"" འཇམ་",7,12.5,coal,36.9,100.8,3012.4,4.5,2026-11-24T10:00:00.000+08:00,,,tin,uuid:1,uuid:1,1,达玉五谷村手机,0,0,,,collect:abc,0,1'
    )


def test_rows_of_repeats_know_the_row_above(house):
    house.publish(HOUSEHOLD)
    house.new_phone().send(a_household("uuid:1", members=a_member("甲", 40, ("yak", "sheep")) + a_member("乙", "") + a_member("丙", 3, ("dog",))))
    files = Program(house).files()
    assert files["household-members.csv"].decode().splitlines()[1:] == [
        "甲,40,uuid:1,uuid:1/home/members[1]", "乙,,uuid:1,uuid:1/home/members[2]", "丙,3,uuid:1,uuid:1/home/members[3]",
    ]  # fmt: skip
    assert files["household-animals.csv"].decode().splitlines()[1:] == [
        "yak,uuid:1/home/members[1],uuid:1/home/members[1]/animals[1]", "sheep,uuid:1/home/members[1],uuid:1/home/members[1]/animals[2]",
        "dog,uuid:1/home/members[3],uuid:1/home/members[3]/animals[1]",
    ]  # fmt: skip


def test_select_multiples_split_into_the_values_that_were_chosen(house):
    house.publish(HOUSEHOLD)
    for key, chosen in (("uuid:1", "coal dung"), ("uuid:2", "dung"), ("uuid:3", "")):
        house.new_phone().send(a_household(key, heating=chosen))
    rows = Program(house).table(splitSelectMultiples="true", groupPaths="false")
    assert [(row["heating"], row["heating/coal"], row["heating/dung"]) for row in rows] == [("", "0", "0"), ("dung", "0", "1"), ("coal dung", "1", "1")]
    assert "roof" in rows[0] and "home-roof" not in rows[0]


def test_a_file_for_spreadsheets_has_a_mark_and_runs_nothing(house):
    house.publish(HOUSEHOLD)
    house.new_phone().send(a_household("uuid:1", head="=HYPERLINK(1)", income="-2.5", roof="+86 971"))
    plain, marked = Program(house).get("/submissions.csv").data, Program(house).get("/submissions.csv", bom="true").data
    assert b",=HYPERLINK(1)," in plain and not plain.startswith(b"\xef\xbb\xbf")
    assert marked.startswith(b"\xef\xbb\xbfSubmissionDate")
    assert b",'=HYPERLINK(1),3,-2.5," in marked and b",'+86 971," in marked


def test_the_archive_has_the_photos_that_are_here(house):
    house.publish(HOUSEHOLD)
    phone = house.new_phone()
    phone.send(a_household("uuid:1", door="door.jpg"), {"door.jpg": b"a photo" * 1000})
    phone.send(a_household("uuid:2", door="gone.jpg"))
    assert Program(house).files()["media/door.jpg"] == b"a photo" * 1000
    assert [(row["AttachmentsPresent"], row["AttachmentsExpected"]) for row in Program(house).table()] == [("0", "1"), ("1", "1")]
    answer = Program(house).get("/submissions.csv.zip", attachments="false")
    assert list(unzipped(answer.data)) == ["household.csv", "household-members.csv", "household-animals.csv"]
    assert 'filename="household.csv.zip"' in answer.headers["Content-Disposition"]


def test_an_edit_counts_and_keeps_the_first_key(house):
    house.publish(HOUSEHOLD)
    phone = house.new_phone()
    phone.send(a_household("uuid:1"))
    phone.send(a_household("uuid:2", replaces="uuid:1", head="次仁"))
    [row] = Program(house).table()
    assert (row["KEY"], row["meta-instanceID"], row["head"], row["Edits"], row["ReviewState"]) == ("uuid:1", "uuid:2", "次仁", "1", "edited")


def test_a_division_s_user_exports_its_rows_alone(house):
    house.publish(HOUSEHOLD)
    phone = house.new_phone()
    phone.send(a_household("uuid:1", division="632223202200", door="a.jpg", members=a_member("甲")), {"a.jpg": b"a"})
    phone.send(a_household("uuid:2", division="632223203200", door="b.jpg", members=a_member("乙")), {"b.jpg": b"b"})
    bound = Program(house, role="viewer", division="632223202")
    assert [row["KEY"] for row in bound.table()] == ["uuid:1"]
    files = bound.files()
    assert set(files) == {"household.csv", "household-members.csv", "household-animals.csv", "media/a.jpg"}
    assert "乙".encode() not in files["household-members.csv"]


def test_id_numbers_are_masked_for_who_may_not_read_them(house):
    house.publish(HOUSEHOLD)
    house.new_phone().send(a_household("uuid:1", id_number="632223198001011234"))
    assert Program(house, role="viewer").table()[0]["id_number"] == "632223********1234"
    assert Program(house, role="admin").table()[0]["id_number"] == "632223198001011234"
    assert Program(house, role="viewer").get("/submissions.csv", _filter="id_number eq '632223198001011234'").json["code"] == 501.5


def test_what_did_not_change_is_not_sent_again(house):
    house.publish(HOUSEHOLD)
    house.new_phone().send(a_household("uuid:1"))
    program = Program(house)
    etag = program.get("/submissions.csv").headers["ETag"]
    again = program.client.get("/v1/projects/1/forms/household/submissions.csv", headers={**program._headers, "If-None-Match": etag})
    assert (again.status_code, again.data, etag[:3]) == (304, b"", 'W/"')
    house.new_phone().send(a_household("uuid:2"))
    assert program.get("/submissions.csv").headers["ETag"] != etag


def test_each_export_is_in_the_audit_log(house):
    from server.model import AuditEntry

    house.publish(HOUSEHOLD)
    Program(house, role="viewer").table()
    Program(house, role="admin").table()
    found = [(row["action"], row["details"]) for row in house.rows(AuditEntry, AuditEntry.action.in_(["form.submission.export", "submission.unmask"]))]
    assert found == [("form.submission.export", {}), ("form.submission.export", {}), ("submission.unmask", {"what": "export"})] or len(found) == 3


def test_strangers_and_other_roles_get_nothing(house):
    house.publish(HOUSEHOLD)
    assert Program(house, role="none").get("/submissions.csv").status_code == 403
    assert Program(house, role="formfill").get("/submissions.csv.zip").status_code == 403
    assert house.app.test_client().get("/v1/projects/1/forms/household/submissions.csv").status_code in {401, 403}
    assert Program(house).get("/submissions.csv", form="nothing").status_code == 404
    assert Program(house).get("/draft/submissions.csv").status_code == 404


DECIMALS = ["3.50", "3", "12.5", "-0.250", "1.0E7", "007", "+4", ".5", "12345678901234567890.5", "about 3", "-2"]


def test_decimals_are_written_as_the_phone_sent_them_and_are_numbers_to_programs(house):
    house.publish(HOUSEHOLD)
    phone, program = house.new_phone(), Program(house)
    for number, sent in enumerate(DECIMALS):
        phone.send(a_household(f"uuid:{number}", income=sent))
    assert [row["income"] for row in reversed(program.table())] == DECIMALS
    assert [row["income"] for row in reversed(program.rows())] == [3.5, 3, 12.5, -0.25, 1e7, 7, 4, 0.5, 12345678901234567890.5, None, -2]
    found = {row["__id"] for row in program.rows(_filter="income ge 3.5")}
    assert found == {f"uuid:{number}" for number in (0, 2, 4, 5, 6, 8)}
    assert [row["__id"] for row in program.rows(_filter="income eq 3.5")] == ["uuid:0"]
    assert [row["__id"] for row in program.rows(_orderby="income")] == [f"uuid:{n}" for n in (9, 10, 3, 7, 1, 0, 6, 5, 2, 4, 8)]
    header, *rows = load_workbook(io.BytesIO(program.get("/submissions.xlsx", language="zh").data))["Submissions"].iter_rows(values_only=True)
    assert [row[header.index("收入")] for row in reversed(rows)] == [3.5, 3, 12.5, -0.25, 1e7, 7, 4, 0.5, "12345678901234567890.5", "about 3", -2]


ODD_REPEATS = """
| survey | | | |
| | type | name | label |
| | begin repeat | one | One |
| | text | only | Only |
| | begin repeat | none | None |
| | begin repeat | many | Many |
| | text | a | A |
| | geopoint | b | B |
| | decimal | c | C |
| | end repeat | | |
| | end repeat | | |
| | end repeat | | |
| settings | | | |
| | form_title | form_id | version |
| | Odd | odd | 1 |
"""


def test_rows_of_repeats_are_the_same_however_they_are_written(house):
    house.publish(ODD_REPEATS)
    phone, program = house.new_phone(), Program(house)
    many = '<many><a>x, "y"\n\r z</a><b>1 2</b><c>3.50</c></many><many><a/></many>'
    one = f'<one><only>""</only><none>{many}</none><none/></one><one/><one><only>"</only></one>'
    for key in ("uuid:plain", 'odd, "key"', "uuid:'x"):
        xml = f'<data id="odd" version="1">{one}<meta><instanceID>{key}</instanceID></meta></data>'
        assert phone.send(xml.encode()).status_code == 201
    phone.send(f'<data id="odd" version="1">{"<one><only>q</only></one>" * 1001}<meta><instanceID>long</instanceID></meta></data>'.encode())
    plain, cell_by_cell = (unzipped(program.get("/submissions.csv.zip", form="odd", bom=bom).data) for bom in ("false", "true"))
    assert {name: content.removeprefix(b"\xef\xbb\xbf") for name, content in cell_by_cell.items()} == plain
    read = {name: list(csv.reader(io.StringIO(content.decode(), newline=""))) for name, content in plain.items()}
    assert read["odd-one.csv"][1002:1005] == [
        ['""', "uuid:'x", "uuid:'x/one[1]"], ["", "uuid:'x", "uuid:'x/one[2]"], ['"', "uuid:'x", "uuid:'x/one[3]"],
    ]  # fmt: skip
    assert read["odd-none.csv"][:2] == [["PARENT_KEY", "KEY"], ["uuid:'x/one[1]", "uuid:'x/one[1]/none[1]"]]
    assert read["odd-many.csv"][3] == ['x, "y"\n z'.replace("\n", "\n\n"), "1", "2", "", "", "3.50", 'odd, "key"/one[1]/none[1]', 'odd, "key"/one[1]/none[1]/many[1]']
    assert read["odd-one.csv"][1001][2] == "long/one[1001]"
