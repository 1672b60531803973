"""No operation answers 5xx, whatever it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.actors.house import House
from tests.actors.program import Program
from tests.factories.questionnaire import a_visit, visit_form

BODIES: dict[str, bytes] = {
    "NUL": b'{"name": "a\\u0000b", "displayName": "a\\u0000b", "email": "a\\u0000@b.c", "body": "a\\u0000b", "password": "a\\u0000b"}',
    "raw NUL": b'{"name": "a\x00b"}',
    "lone surrogate": b'{"name": "\\ud800", "displayName": "\\ud800", "email": "\\ud800@b.c", "body": "\\udfff", "reviewState": "\\ud800"}',
    "Infinity": b'{"name": Infinity, "archived": NaN}',
    "huge number": b'{"name": 1e999, "email": 123456789012345678901234567890, "limit": -99999999999999999999999999}',
    "long number": b'{"name": ' + b"9" * 5000 + b"}",
    "wrong types": b'{"name": {"a": []}, "displayName": [1], "email": 5, "password": {}, "archived": "yes", "properties": 3, "forms": 1, "body": [], '
    b'"old": 1, "new": 2, "state": {}, "reviewState": 7, "propertyValue": 1, "passphrase": [], "hint": {}, "once": 3, "enabled": []}',
    "an array": b"[1, 2, 3]",
    "a string": b'"x"',
    "null": b"null",
    "empty": b"",
    "not JSON": b"{",
    "deep": b'{"name": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"a":' * 40_000 + b"1" + b"}" * 40_000,
    "bad UTF-8": b'{"name": "\xff\xfe"}',
    "long": b'{"name": "' + b"x" * 200_000 + b'", "displayName": "' + b"y" * 40_000 + b'"}',
}
VALUES = {
    "project_id": "1", "form_pk": "1", "form_id": "visit", "user_id": "1", "phone_id": "2", "actor_id": "1", "instance_id": "uuid:first", "root_id": "uuid:first",
    "role_name": "viewer", "name": "a.jpg", "key": "login-appearance", "token": "x" * 64, "version": "1", "version_id": "uuid:first", "table": "Submissions",
    "link_id": "1", "import_id": "1", "place": "'uuid:first')", "list_id": "1", "uuid": "12345678-1234-4123-8234-123456789abc",
}  # fmt: skip
STRANGE_VALUES = ["%00", "%ff%fe", "%ed%a0%80", "99999999999999999999", "-1", "a%2F..%2Fb", "%F0%9F%92%A9", "x" * 3000, "'", "%25", "%0d%0aX: y"]
QUERIES = [
    "$filter=" + "(" * 20_000 + "1" + ")" * 20_000, "$filter=%00", "$filter=__id eq '%ff'", "$top=99999999999999999999", "$skip=-1", "$top=x",
    "$skiptoken=%00", "$skiptoken=01eyJhIjoxfQ", "$orderby=%00 asc", "$select=" + ",".join(["a"] * 5000), "$search=%22%00", "limit=1e9", "offset=-5",
    "limit=99999999999999999999999", "start=%00", "end=0000-00-00", "action=%00", "q=%00", "q=" + "x" * 5000, "deviceID=%00", "publish=%00",
    "$filter=" + "not " * 5000 + "true", "$filter=" + " and ".join(["age gt 1"] * 2000), "$wkt=%00", "$count=%00", "ignoreWarnings=maybe",
]  # fmt: skip


def routes(house: House) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Method, rule and the arguments of each route of /v1, but sign-out, which would end the test."""
    for rule in house.app.url_map.iter_rules():
        if rule.rule.startswith("/v1/") and rule.endpoint != "rest.delete_current_session":
            for method in sorted(set(rule.methods or ()) - {"HEAD", "OPTIONS"}):
                yield method, rule.rule, {name: VALUES.get(name, "x") for name in rule.arguments}


def filled_in(rule: str, values: dict[str, str]) -> str:
    path = rule
    for name, value in values.items():
        for kind in ("", "int:", "path:", "string:"):
            path = path.replace(f"<{kind}{name}>", value)
    return path.removeprefix("/v1")


@pytest.fixture
def admin(house: House) -> Program:
    house.publish(visit_form())
    house.new_phone().send(a_visit("uuid:first", door="a.jpg"), {"a.jpg": b"\xff\xd8"})
    return Program.signed_in(house)


def kind_of(answer: Any) -> bool:
    return 200 <= answer.status_code < 500 or answer.status_code == 501


@pytest.mark.slow
def test_no_body_makes_any_operation_fail(house: House, admin: Program) -> None:
    failed = []
    for method, rule, values in routes(house):
        if method == "GET":
            continue
        for name, body in BODIES.items():
            answer = admin.ask(method, filled_in(rule, values), body, Content_Type="application/json")
            if not kind_of(answer):
                failed.append((method, rule, name, answer.status_code))
    assert failed == []


@pytest.mark.slow
def test_no_path_and_no_query_makes_any_operation_fail(house: House, admin: Program) -> None:
    failed = []
    for method, rule, values in routes(house):
        for name in values:
            for strange in STRANGE_VALUES:
                answer = admin.ask(method, filled_in(rule, {**values, name: strange}), b"{}", Content_Type="application/json")
                if not kind_of(answer):
                    failed.append((method, rule, name, strange[:30], answer.status_code))
        if method != "GET":
            continue
        for query in QUERIES:
            answer = admin.get(f"{filled_in(rule, values)}?{query}")
            if not kind_of(answer):
                failed.append((method, rule, "query", query[:40], answer.status_code))
    assert failed == []
