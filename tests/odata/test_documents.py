"""OData's documents: what Power BI, Excel and R read."""

from __future__ import annotations

import pytest
from lxml import etree

from tests.exports.program import HOUSEHOLD, Program, a_household, a_member

ROOT = "http://localhost/v1/projects/1/forms/household.svc"


def test_the_service_names_a_table_for_each_repeat(house):
    house.publish(HOUSEHOLD)
    answer = Program(house).get(".svc")
    assert answer.headers["OData-Version"] == "4.0"
    assert answer.json["@odata.context"] == f"{ROOT}/$metadata"
    assert [one["name"] for one in answer.json["value"]] == ["Submissions", "Submissions.home.members", "Submissions.home.members.animals"]


def test_the_metadata_types_every_question(house):
    house.publish(HOUSEHOLD)
    document = etree.fromstring(Program(house).get(".svc/$metadata").data)
    types = {(one.getparent().get("Name"), one.get("Name")): one.get("Type") for one in document.iter("{*}Property")}
    assert types[("Submissions", "people")] == "Edm.Int64"
    assert types[("Submissions", "place")] == "Edm.GeographyPoint"
    assert types[("Submissions.home.members", "__Submissions-id")] == "Edm.String"
    assert types[("Submissions.home.members.animals", "__Submissions-home-members-id")] == "Edm.String"
    missing = Program(house).get(".svc/$metadata", form="nothing")
    assert missing.status_code == 404 and missing.headers["Content-Type"] == "text/xml; charset=utf-8"


def test_a_row_has_typed_answers_and_links_to_its_repeats(house):
    house.publish(HOUSEHOLD)
    house.new_phone().send(a_household("uuid:1", place="36.9 100.8 3012.4 4.5", visited="2026-11-24T10:00:00.000+08", members=a_member("甲", 40, ("yak",))))
    [row] = Program(house).rows()
    assert (row["people"], row["income"], row["visited"]) == (3, 12.5, "2026-11-24T10:00:00.000+08:00")
    assert row["place"] == {"type": "Point", "coordinates": [100.8, 36.9, 3012.4], "properties": {"accuracy": 4.5}}
    assert row["home"] == {"roof": "tin", "members@odata.navigationLink": "Submissions('uuid%3A1')/home/members"}
    assert row["__system"]["submitterName"] == "达玉五谷村手机" and row["__system"]["edits"] == 0
    [wkt] = Program(house).rows(_wkt="true")
    assert wkt["place"] == "POINT (100.8 36.9 3012.4)"


def test_expand_puts_the_rows_of_repeats_inside(house):
    house.publish(HOUSEHOLD)
    house.new_phone().send(a_household("uuid:1", members=a_member("甲", 40, ("yak",)) + a_member("乙")))
    [row] = Program(house).rows(_expand="*")
    first, second = row["home"]["members"]
    assert (first["name"], first["animals"][0]["kind"], second["name"], "animals" in second) == ("甲", "yak", "乙", False)
    link = first["animals@odata.navigationLink"]
    assert Program(house).rows(link.replace("Submissions", "Submissions", 1))[0]["kind"] == "yak"
    tables = Program(house).rows("Submissions.home.members.animals")
    assert tables == [{"kind": "yak", "__id": first["animals"][0]["__id"], "__Submissions-home-members-id": first["__id"]}]


def test_pages_follow_their_links_and_nothing_is_left_out_or_twice(house):
    house.publish(HOUSEHOLD)
    phone = house.new_phone()
    for number in range(7):
        phone.send(a_household(f"uuid:{number}", members=a_member("甲") + a_member("乙")))
    program = Program(house)
    for table, expected in (("Submissions", 7), ("Submissions.home.members", 14)):
        keys, count, link = [], expected, f"{ROOT}/{table}?$top=3&$count=true"
        while link:
            answer = program.client.get(link.removeprefix("http://localhost"), headers=program._headers).json
            assert answer["@odata.count"] == count
            keys += [row["__id"] for row in answer["value"]]
            link = answer.get("@odata.nextLink")
            phone.send(a_household())
            count += 1 if table == "Submissions" else 0
        assert len(keys) == len(set(keys)) == expected, table


ANSWERS = [
    ("people gt 2", {"b", "c"}), ("people eq null", {"d"}), ("not people eq 2", {"b", "c", "d"}), ("income lt 10 and people ge 2", {"b"}),
    ("contains(head,'玛')", {"a", "c"}), ("startswith(head,'次') or head eq '无'", {"b", "d"}), ("endswith(head,'仁')", {"b"}),
    ("home/roof in ('tin','tile')", {"a", "b", "c", "d"}), ("year(visited) eq 2025", {"a"}), ("visited gt 2026-01-01T00:00:00Z", {"b"}),
    ("visited eq 2026-01-01T08:00:00.000%2B08:00", {"c"}), ("length(head) eq 1", {"c", "d"}), ("toupper(home/roof) eq 'TIN'", {"a", "b", "c"}),
    ("head eq 'O''Neill'", set()), ("__id in ('a','d') and __system/submitterName ne 'x'", {"a", "d"}), ("1 eq 1", {"a", "b", "c", "d"}),
    ("__system/submissionDate ge now()", set()), ("place eq '1 2 3 4'", {"a"}), ("contains(head,'%25')", set()),
]  # fmt: skip


@pytest.fixture
def four(house):
    house.publish(HOUSEHOLD)
    phone = house.new_phone()
    phone.send(a_household("a", people="2", income="20", visited="2025-12-31T23:00:00.000+08:00", place="1 2 3 4"))
    phone.send(a_household("b", people="3", income="9.5", head="次仁", visited="2026-02-28T23:00:00.000+08:00"))
    phone.send(a_household("c", people="30", head="玛", visited="2026-01-01T00:00:00.000Z", members=a_member("藏族", animals=("Yak",))))
    phone.send(a_household("d", people="", head="无", roof="tile", visited=""))
    return Program(house)


def test_answers_are_filtered_in_the_database(four):
    for expression, expected in ANSWERS:
        answer = four.client.get(f"/v1/projects/1/forms/household.svc/Submissions?$filter={expression}&$count=true", headers=four._headers)
        assert answer.status_code == 200, (expression, answer.text)
        assert {row["__id"] for row in answer.json["value"]} == expected, expression
        assert answer.json["@odata.count"] == len(expected)


def test_answers_order_the_rows_and_pages_go_on(four):
    assert [row["people"] for row in four.rows(_orderby="people desc")] == [30, 3, 2, None]
    assert [row["__id"] for row in four.rows(_orderby="home/roof desc,people")] == ["a", "b", "c", "d"]
    page = four.get(".svc/Submissions", _orderby="people", _top="2").json
    rest = four.client.get(page["@odata.nextLink"].removeprefix("http://localhost"), headers=four._headers).json
    assert [row["people"] for row in page["value"] + rest["value"]] == [None, 2, 3, 30]
    assert "@odata.nextLink" not in rest


def test_search_looks_through_answers_at_any_depth(four):
    assert {row["__id"] for row in four.rows(_search="玛")} == {"a", "c"}
    assert {row["__id"] for row in four.rows(_search="yak")} == {"c"}
    assert {row["__id"] for row in four.rows(_search="members")} == set()
    assert {row["__id"] for row in four.rows("Submissions", _search="30", _filter="people gt 1")} == {"c"}


def test_rows_of_a_repeat_are_filtered_and_searched_too(house):
    house.publish(HOUSEHOLD)
    phone = house.new_phone()
    phone.send(a_household("a", people="2", members=a_member("甲", 40, ("yak",)) + a_member("乙", 8)))
    phone.send(a_household("b", people="5", members=a_member("丙", 41) + a_member("乙", "")))
    program = Program(house)

    def found(expression: str, table: str = "Submissions.home.members") -> list[str]:
        return [row.get("name") or row["kind"] for row in program.rows(table, _filter=expression)]

    assert found("age gt 8") == ["丙", "甲"]
    assert found("age eq null") == ["乙"] and found("not age gt 8") == ["乙", "乙"]
    assert found("age gt 8 and $root/Submissions/people lt 3") == ["甲"]
    assert found("name in ('甲','丙') and length(name) eq 1") == ["丙", "甲"]
    assert found("contains(kind,'ak')", "Submissions.home.members.animals") == ["yak"]
    assert [row["name"] for row in program.rows("Submissions.home.members", _search="YAK")] == ["甲"]
    assert program.get(".svc/Submissions.home.members", _filter="age gt 8 or $root/Submissions/people lt 3").json["code"] == 501.4
    assert program.get(".svc/Submissions.home.members", _filter="__system/reviewState eq 'rejected'").json["details"] == {"at": 0, "text": "__system/reviewState"}
    assert program.get(".svc/Submissions.home.members", _filter="age gt 8", _top="1", _count="true").json["@odata.count"] == 2


HOSTILE = [
    "(" * 20_000 + "a" + ")" * 20_000, "(" * 100, "not " * 5000 + "true", "a" * 15_999, "'", "__id eq", "__id eq 'x", "__id eq '\x00'", "\ud800",
    " or ".join(["people eq 1"] * 2000), "people eq 1e999", "people eq " + "9" * 400, "people eq 'x'", "__system/submissionDate gt 'yesterday'",
    "year(head) eq 1", "people add 1 eq 2", "home/members/any(m:m/age gt 1)", "nothing eq 1", "concat(head,head) eq 'x'", "people", "head", "true and 1",
    "contains(head)", "contains(head,null)", "__id in ()", "__id in (head)", "head eq people", ";drop table submissions", "__system/submissionDate gt 9999-12-31T23:59:59.999Z",
    "people gt 99999999999999999999999999", "visited gt 0000-00-00T00:00:00Z", "__id eq null and people lt null", "division eq $root",
]  # fmt: skip


def test_no_filter_is_answered_with_a_server_error(four):
    for expression in HOSTILE:
        for table in ("Submissions", "Submissions.home.members"):
            answer = four.get(f".svc/{table}", _filter=expression.encode("utf-8", "surrogatepass").decode("utf-8", "replace"))
            assert answer.status_code in {200, 400, 501}, (expression[:50], answer.text)
            assert answer.status_code != 500


def test_unsupported_options_are_named_with_central_s_codes(four):
    assert four.get(".svc/Submissions", _apply="x").json["code"] == 501.1
    assert four.get(".svc/Submissions", _expand="home").json["code"] == 501.6
    assert four.get(".svc/Submissions", _expand="*", _select="head").json["code"] == 501.11
    assert four.get(".svc/Submissions", _select="nothing").json["code"] == 400.23
    assert four.get(".svc/Submissions", _select="home/members/name").json["code"] == 400.24
    assert four.get(".svc/Submissions", _skiptoken="zz").json["code"] == 400.35
    assert four.get(".svc/Submissions", _format="atom").json["code"] == 406.1
    assert four.get(".svc/Submissions.nothing").status_code == 404
    assert four.get(".svc/Submissions.home").status_code == 404
    assert four.get(".svc/Submissions('nothing')").status_code == 404
    assert four.get(".svc/Submissions", _filter="(").json["code"] == 400.18
    assert four.get(".svc/Submissions", _filter="people add 1 eq 2").json["code"] == 501.4
    assert four.get(".svc/Submissions", _top="x").status_code == 400
