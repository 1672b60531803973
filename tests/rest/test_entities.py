"""Entities over `/v1`."""

from __future__ import annotations

from typing import Any

import pytest

from server.entities.purge import purge_entities
from server.transactions import transaction
from tests.actors.house import House
from tests.actors.program import Program, problem_of
from tests.rest.test_hostile_input import BODIES, QUERIES, STRANGE_VALUES, kind_of

ALL = "/projects/1/datasets/people/entities"
ONE, TWO = "12345678-1234-4123-8234-123456789abc", "12345678-1234-4123-8234-123456789abd"


@pytest.fixture
def admin(house: House) -> Program:
    program = Program.signed_in(house)
    program.post("/projects/1/datasets", {"name": "people"})
    for name in ("age", "geometry"):
        program.post("/projects/1/datasets/people/properties", {"name": name})
    assert program.post(ALL, {"uuid": ONE, "label": "张三", "data": {"age": "5"}}).status_code == 200
    return program


def test_an_update_says_which_version_it_was_made_from(admin: Program) -> None:
    assert problem_of(admin.patch(f"{ALL}/{ONE}", {"label": "x"})) == (409, 409.15)
    assert problem_of(admin.patch(f"{ALL}/{ONE}?baseVersion=2", {"label": "x"})) == (409, 409.15)
    changed = admin.patch(f"{ALL}/{ONE}?baseVersion=1", {"data": {"age": "6"}}).json or {}
    assert (changed["currentVersion"]["version"], changed["currentVersion"]["data"]) == (2, {"age": "6"})
    assert admin.patch(f"{ALL}/{ONE}?force=true", {"label": "张三丰"}).status_code == 200
    assert admin.reads(f"{ALL}/{ONE}/diffs") == [
        [{"old": "5", "new": "6", "propertyName": "age"}], [{"old": "张三", "new": "张三丰", "propertyName": "label"}],
    ]  # fmt: skip
    assert [one["version"] for one in admin.reads(f"{ALL}/{ONE}/versions")] == [1, 2, 3]
    assert [one["action"] for one in admin.reads(f"{ALL}/{ONE}/audits")] == ["entity.update.version"] * 2 + ["entity.create"]


def test_many_are_made_at_once_or_none(admin: Program) -> None:
    source = {"name": "名册.csv", "size": 10}
    taken = [{"label": "a"}, {"uuid": ONE, "label": "b"}]
    assert problem_of(admin.post(ALL, {"entities": taken, "source": source})) == (409, 409.3)
    assert problem_of(admin.post(ALL, {"entities": [{"label": "a"}, {"label": ""}], "source": source})) == (400, 400.8)
    assert len(admin.reads(ALL)) == 1
    assert admin.post(ALL, {"entities": [{"label": str(n), "data": {"age": "1"}} for n in range(1200)], "source": source}).json == {"success": True}
    listed = admin.reads(ALL)
    assert len(listed) == 1201
    [made] = admin.reads(f"{ALL}/{listed[0]['uuid']}/versions")
    assert (made["source"]["name"], made["source"]["count"]) == ("名册.csv", 1200)
    assert [one["action"] for one in admin.reads(f"{ALL}/{listed[0]['uuid']}/audits")] == ["entity.bulk.create"]


def test_what_was_deleted_is_restored_and_its_id_is_not_used_again(admin: Program, house: House) -> None:
    admin.delete(f"{ALL}/{ONE}")
    assert problem_of(admin.get(f"{ALL}/{ONE}")) == (404, 404.1)
    assert [one["uuid"] for one in admin.reads(f"{ALL}?deleted=true")] == [ONE]
    assert problem_of(admin.post(ALL, {"uuid": ONE, "label": "again"})) == (409, 409.19)
    admin.post(f"{ALL}/{ONE}/restore")
    assert admin.reads(f"{ALL}/{ONE}")["deletedAt"] is None
    admin.post(ALL, {"uuid": TWO, "label": "李四"})
    assert admin.post(f"{ALL}/bulk-delete", {"ids": [ONE, TWO]}).json == {"count": 2}
    assert admin.post(f"{ALL}/bulk-restore", {"ids": [TWO]}).json == {"count": 1}
    from datetime import UTC, datetime, timedelta

    with transaction(house.engine, write=True) as session:
        assert purge_entities(session, house.admin) == 0
        assert purge_entities(session, house.admin, deleted_before=datetime.now(UTC) + timedelta(seconds=1)) == 1
    assert admin.reads(f"{ALL}?deleted=true") == []
    assert problem_of(admin.post(ALL, {"uuid": ONE, "label": "again"})) == (409, 409.19)


def test_odata_pages_orders_filters_and_searches(admin: Program) -> None:
    admin.post(ALL, {"entities": [{"label": f"人{n}", "data": {"age": str(n)}} for n in range(5)], "source": {"name": "x"}})
    table = "/projects/1/datasets/people.svc/Entities"
    names: list[str] = []
    path = f"{table}?$top=2&$count=true"
    while path:
        page = admin.reads(path)
        assert page["@odata.count"] == 6
        names += [row["label"] for row in page["value"]]
        path = page.get("@odata.nextLink", "").partition("/v1")[2]
    assert names == ["人4", "人3", "人2", "人1", "人0", "张三"]
    assert admin.reads(f"{table}?$orderby=__system/createdAt asc&$top=1")["value"][0]["label"] == "张三"
    assert [row["label"] for row in admin.reads(f"{table}?$search=张")["value"]] == ["张三"]
    assert [row["label"] for row in admin.reads(f"{table}?$search=4")["value"]] == ["人4"]
    assert admin.reads(f"{table}?$filter=__id eq '{ONE}'&$select=label")["value"] == [{"label": "张三"}]
    assert problem_of(admin.get(f"{table}?$filter=age eq '1'")) == (501, 501.5)
    assert problem_of(admin.get(f"{table}?$select=nothing")) == (400, 400.23)


def test_places_are_geojson_of_whatever_kind_they_are(admin: Program) -> None:
    for label, place in (("point", "1 2 3 4"), ("line", "1 2;3 4"), ("area", "0 0;0 1;1 1;0 0"), ("none", "somewhere 5"), ("far", "95 2")):
        admin.post(ALL, {"label": label, "data": {"geometry": place}})
    features = admin.reads("/projects/1/datasets/people/entities.geojson")["features"]
    assert [one["geometry"]["type"] for one in features] == ["Polygon", "LineString", "Point"]
    assert admin.reads(f"{ALL}/{ONE}/geojson")["features"] == []


@pytest.mark.slow
def test_nothing_that_is_sent_makes_an_entity_operation_fail(house: House, admin: Program) -> None:
    failed: list[Any] = []
    rules = [rule for rule in house.app.url_map.iter_rules() if "/datasets" in rule.rule and rule.rule.startswith("/v1/")]
    bodies = {
        **BODIES, "lists": b'{"entities": [[], 1, null], "ids": [1, null], "source": []}', "odd": b'{"label": 1, "data": {"age": 3}, "uuid": 7}',
        "deep data": b'{"label": "x", "data": {"age": {"a": [1]}}}', "access": b'{"accessFilter": {"type": "property", "rules": [1]}}',
    }  # fmt: skip
    for rule in rules:
        for method in sorted(set(rule.methods or ()) - {"HEAD", "OPTIONS"}):
            path = rule.rule.removeprefix("/v1").replace("<int:project_id>", "1").replace("<name>", "people").replace("<int:list_id>", "1")
            for uuid in (ONE, *STRANGE_VALUES):
                here = path.replace("<uuid>", uuid).replace("<property_name>", uuid)
                if method == "GET":
                    answers = [(query, admin.get(f"{here}?{query}")) for query in ("", *QUERIES, "baseVersion=x")]
                elif method == "DELETE" and "<" not in rule.rule.partition("<name>")[2]:
                    answers = []
                else:
                    answers = [(name, admin.ask(method, f"{here}?force=true", body, Content_Type="application/json")) for name, body in bodies.items()]
                failed += [(method, here[:80], name[:40], answer.status_code) for name, answer in answers if not kind_of(answer)]
                if here == path:
                    break
    assert failed == []
