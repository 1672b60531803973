"""Entity lists over `/v1`."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from tests.actors.house import House
from tests.actors.program import Program, problem_of

PEOPLE = "/projects/1/datasets/people"


@pytest.fixture
def admin(house: House) -> Program:
    program = Program.signed_in(house)
    program.post("/projects/1/datasets", {"name": "people"})
    for name in ("division", "age"):
        assert program.post(f"{PEOPLE}/properties", {"name": name}).json == {"success": True}
    return program


def entity(label: str, **data: str) -> dict[str, Any]:
    return {"label": label, "data": data}


def rows_of(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.data.decode())))


def test_a_list_is_made_described_and_its_name_is_taken(admin: Program) -> None:
    shape = admin.reads(PEOPLE)
    assert [one["name"] for one in shape["properties"]] == ["division", "age"]
    assert shape["sourceForms"] == shape["linkedForms"] == []
    assert problem_of(admin.post("/projects/1/datasets", {"name": "people"})) == (409, 409.3)
    assert problem_of(admin.post("/projects/1/datasets", {"name": "People"})) == (409, 409.16)
    for name in ("a.b", "__x", "", "1a", None, 3, {}):
        assert problem_of(admin.post("/projects/1/datasets", {"name": name})) == (400, 400.8)
    assert problem_of(admin.post(f"{PEOPLE}/properties", {"name": "Age"})) == (409, 409.3)


def test_a_deleted_list_frees_its_name_and_keeps_its_rows_in_the_trash(admin: Program) -> None:
    admin.post(f"{PEOPLE}/entities", entity("张三", age="5"))
    assert admin.delete(PEOPLE).json == {"success": True}
    assert problem_of(admin.get(PEOPLE)) == (404, 404.1)
    [trashed] = admin.reads("/projects/1/datasets?deleted=true")
    assert [row["label"] for row in rows_of(admin.get(f"/projects/1/trash/datasets/{trashed['id']}/entities.csv"))] == ["张三"]
    assert admin.post("/projects/1/datasets", {"name": "people"}).status_code == 200
    assert rows_of(admin.get(f"{PEOPLE}/entities.csv")) == []


def test_a_property_in_use_is_not_deleted(admin: Program) -> None:
    admin.post(f"{PEOPLE}/entities", entity("张三", age="5"))
    answer = admin.delete(f"{PEOPLE}/properties/age")
    assert problem_of(answer) == (409, 409.22)
    assert answer.json["details"]["prerequisites"]["nonEmptyEntities"]["details"]["totalCount"] == 1  # type: ignore[index]
    assert admin.delete(f"{PEOPLE}/properties/division").json == {"success": True}
    assert [one["name"] for one in admin.reads(PEOPLE)["properties"]] == ["age"]


def test_the_csv_is_sent_again_only_once_something_changed(admin: Program) -> None:
    admin.post(f"{PEOPLE}/entities", entity("张三", age="5"))
    first = admin.get(f"{PEOPLE}/entities.csv")
    assert [(row["label"], row["age"], row["__version"]) for row in rows_of(first)] == [("张三", "5", "1")]
    assert admin.get(f"{PEOPLE}/entities.csv", If_None_Match=first.headers["ETag"]).status_code == 304
    [row] = rows_of(first)
    admin.patch(f"{PEOPLE}/entities/{row['__id']}?baseVersion=1", {"data": {"age": "6"}})
    assert admin.get(f"{PEOPLE}/entities.csv", If_None_Match=first.headers["ETag"]).status_code == 200


def test_who_is_bound_to_a_division_sees_and_makes_its_entities_alone(admin: Program, house: House) -> None:
    for label, division in (("近", "632223202200"), ("远", "632223203200")):
        admin.post(f"{PEOPLE}/entities", entity(label, division=division))
    far = next(row for row in rows_of(admin.get(f"{PEOPLE}/entities.csv")) if row["label"] == "远")["__id"]
    bound = Program.signed_in(house, "manager", division="632223202")
    for path in ("entities.csv", "entities", "entities?deleted=true", "entities.geojson"):
        assert "远".encode() not in bound.get(f"{PEOPLE}/{path}").data
        assert far.encode() not in bound.get(f"{PEOPLE}/{path}").data
    assert far.encode() not in bound.get(f"{PEOPLE}.svc/Entities?$count=true").data
    assert bound.reads(f"{PEOPLE}.svc/Entities?$count=true")["@odata.count"] == 1
    assert bound.reads("/projects/1/datasets", X_Extended_Metadata="true")[0]["entities"] == 1
    for path in ("", "/versions", "/diffs", "/audits", "/geojson"):
        assert bound.get(f"{PEOPLE}/entities/{far}{path}").status_code == 403
    assert bound.delete(f"{PEOPLE}/entities/{far}").status_code == 403
    assert bound.patch(f"{PEOPLE}/entities/{far}?force=true", {"label": "x"}).status_code == 403
    assert bound.post(f"{PEOPLE}/entities/bulk-delete", {"ids": [far]}).json == {"count": 0}
    assert bound.post(f"{PEOPLE}/entities", entity("新", division="632223203200")).status_code == 403
    assert bound.post(f"{PEOPLE}/entities", entity("新")).status_code == 200
    assert len(rows_of(bound.get(f"{PEOPLE}/entities.csv"))) == 2


def test_a_phones_list_is_what_it_made_or_what_its_properties_say(admin: Program, house: House) -> None:
    for label, age in (("一", "1"), ("二", "2")):
        admin.post(f"{PEOPLE}/entities", entity(label, age=age))
    admin.post("/projects/1/actor-properties", {"name": "cares_for"})
    house.publish("""
| survey | | | |
| | type | name | label |
| | select_one_from_file people.csv | person | Person |
| settings | | | |
| | form_title | form_id | version |
| | 探访 | visit_people | 1 |
""")
    phone = admin.post("/projects/1/app-users", {"displayName": "p"}).json or {}
    admin.post(f"/projects/1/forms/visit_people/assignments/app-user/{phone['id']}")

    def seen() -> list[str]:
        return [row["label"] for row in rows_of(admin.get(f"/key/{phone['token']}/projects/1/forms/visit_people/attachments/people.csv"))]

    rules = [{"datasetProperty": "age", "actorProperty": "cares_for"}]
    shape = admin.patch(PEOPLE, {"accessFilter": {"type": "property", "rules": rules}}).json or {}
    assert shape["accessFilter"] == {"type": "property", "rules": rules}
    assert seen() == []
    assert admin.patch(f"/projects/1/app-users/{phone['id']}", {"properties": {"cares_for": "2"}}).status_code == 200
    assert seen() == ["二"]
    assert (admin.patch(PEOPLE, {"ownerOnly": True}).json or {})["accessFilter"] == {"type": "ownerOnly"}
    assert seen() == []
    admin.patch(PEOPLE, {"accessFilter": None})
    assert seen() == ["二", "一"]
