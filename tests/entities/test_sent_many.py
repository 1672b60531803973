"""Many entities are checked by columns: what is taken, what is refused and what is stored is the same as one by one."""

from __future__ import annotations

import uuid
from typing import Any

import orjson
import pytest

from server.entities.sent import read_sent
from server.entities.sent_many import ManySent, many_in_json, read_many_sent
from server.model import Entity, EntitySum, EntityVersion
from server.problems import Problem
from tests.actors.house import House
from tests.actors.program import Program

_PROPERTIES = ("name_of_village", "state")
_GOOD = "a1b2c3d4-e5f6-4a7b-8c9d-0123456789ab"
_IDS: list[Any] = [
    _GOOD, _GOOD.upper(), f"uuid:{_GOOD}", _GOOD[:-1], _GOOD + "0", _GOOD[:-1] + "é", _GOOD.replace("-", "a"), "-" * 36, " " * 36, "", " ", 7, 0, None, ["x"],
    # As long as an id, with the parts of one, each in each place.
    *(_GOOD[:at] + what + _GOOD[at + 1 :] for at in range(36) for what in "-4b7g/:`"),
]  # fmt: skip
_LABELS: list[Any] = ["张三", "", " ", "\u3000", 5, None, ["x"], {}, True]
_DATA: list[Any] = [{"state": "x"}, {}, None, "x", 3, [], {"other": "x"}, *({"state": value} for value in ("", 1, None, {}, True)), {"state": "x", "name_of_village": 2}]
_BODIES: list[Any] = [
    *({"uuid": one, "label": "x", "data": {}} for one in _IDS), *({"uuid": _GOOD, "label": one, "data": {}} for one in _LABELS),
    *({"uuid": _GOOD, "label": "x", "data": one} for one in _DATA),
    {}, {"label": "x"}, {"data": {}}, {"uuid": _GOOD}, {"label": "x", "data": {}}, {"uuid": _GOOD, "label": "x", "data": {}, "more": 1}, None, "text", 1, [], ["label"],
]  # fmt: skip


def _outcome(read: Any) -> Any:
    try:
        found: ManySent = read()
    except Problem as problem:
        return problem.code, str(problem)
    return found.labels, found.data, found.uuids


def _by_columns(bodies: list[Any]) -> ManySent:
    """As a request brings them: what has the right types is read by these, all else as it is."""
    body = many_in_json(_body(orjson.dumps(bodies)))
    return read_many_sent(body["entities"] if body else bodies, _PROPERTIES)


def _body(entities: bytes, source: bytes = b'{"name": "x.csv"}') -> bytes:
    return b'{"entities": ' + entities + b', "source": ' + source + b"}"


def _row_by_row(bodies: list[Any]) -> ManySent:
    sent = [read_sent(one, _PROPERTIES) for one in bodies]
    return ManySent([one.uuid for one in sent], [one.label or "" for one in sent], [one.data for one in sent])


def _without_made_ids(outcome: Any, bodies: list[Any]) -> Any:
    """An id that a body leaves out is made, another each time."""
    if len(outcome) == 2:
        return outcome
    labels, data, uuids = outcome
    return labels, data, [known if one.get("uuid") else uuid.UUID(known).version for one, known in zip(bodies, uuids, strict=True)]


def test_columns_say_what_the_rows_say_of_each_that_is_odd() -> None:
    plain = [{"uuid": str(uuid.uuid4()), "label": f"张{number}", "data": {"state": str(number)}} for number in range(3)]
    taken = 0
    for odd in _BODIES:
        for bodies in ([odd], [odd, *plain], [*plain, odd], [*plain[:1], odd, *plain[1:]]):
            by_columns, by_rows = (_outcome(read) for read in (lambda: _by_columns(bodies), lambda: _row_by_row(bodies)))  # noqa: B023
            assert _without_made_ids(by_columns, bodies) == _without_made_ids(by_rows, bodies), bodies
            taken += len(by_rows) == 3
    assert 0 < taken < len(_BODIES) * 4


@pytest.mark.parametrize(
    "inner", [b"a", b"\\u5f20", b"\\ud83d\\ude00", b"\\/", b"\x7f", b'", "label": "second', b'", "data": {"state": "a", "state": "b"}, "label": "x']
)
def test_a_text_that_is_read_by_types_is_what_any_reader_of_json_makes_of_it(inner: bytes) -> None:
    text = _body(b'[{"data": {"state": "x"}, "label": "' + inner + b'"}]')
    typed = many_in_json(text)
    assert typed is not None
    assert {**typed, "entities": [{"label": one.label, "data": one.data} for one in typed["entities"]]} == orjson.loads(text)


@pytest.mark.parametrize("inner", [b"\xff", b"\xed\xa0\x80", b"\\ud800", b"\x00", b"\n", b"\\u000", b"\xc0\x80", b'"}]', b'", "more": "x'])
def test_a_text_that_is_no_json_or_says_more_than_it_should_is_left_to_a_closer_look(inner: bytes) -> None:
    assert many_in_json(_body(b'[{"data": {"state": "x"}, "label": "' + inner + b'"}]')) is None


@pytest.mark.parametrize(
    "source",
    [b"[" * 100_000 + b"]" * 100_000, b'{"size": 123456789012345678901234567890}', b'{"name": {}}', b"null", b'"x"', b'{"name": "x", "size": 1e999}', b'{"name": "\\u0000"}'],
)
def test_what_a_database_or_a_reader_could_not_hold_is_not_read_by_types(source: bytes) -> None:
    assert many_in_json(_body(b"[]")) is not None
    assert many_in_json(_body(b"[]", source)) is None


def test_many_are_stored_as_one_is(house: House) -> None:
    staff = Program.signed_in(house)
    for name in ("one", "many"):
        assert staff.post("/projects/1/datasets", {"name": name}).status_code == 200
        for known in _PROPERTIES:
            assert staff.post(f"/projects/1/datasets/{name}/properties", {"name": known}).status_code == 200
    texts = ["张三", 'a "quoted" one', "back\\slash", "\\N", "tab\there", "line\nfeed\r", "{},:[]", "'", "\x1f\x7f\u2028😀", "\\u0041\\", "null"]
    people = [{"label": text, "data": {"state": text, "name_of_village": other}} for text, other in zip(texts, reversed(texts), strict=True)]
    people += [{"label": "no values", "data": {}}, {"label": "no data"}]
    # More than go in at once.
    people += [{"label": f"张{number}", "data": {"state": str(number)}} for number in range(620 - len(people))]
    for one in people:
        assert staff.post("/projects/1/datasets/one/entities", one).status_code == 200
    answer = staff.post("/projects/1/datasets/many/entities", {"entities": people, "source": {"name": "x.csv"}})
    assert answer.status_code == 200, answer.text
    rows, versions = sorted(house.rows(Entity), key=lambda row: row["id"]), {row["entity_id"]: row for row in house.rows(EntityVersion)}
    half, said = len(people), house.said()
    singly, together = ([rows[at] for at in places] for places in (range(half), range(half, 2 * half)))
    assert {row["list_id"] for row in singly} != {row["list_id"] for row in together}
    for one, other, sent in zip(singly, together, people, strict=True):
        assert one["label"] == other["label"] == sent["label"]
        assert one["data"] == other["data"] == sent.get("data", {})
        of_one, of_other = versions[one["id"]], versions[other["id"]]
        assert said[one["id"], 1] == said[other["id"], 1] == {**sent.get("data", {}), "label": sent["label"]}
        apart = {"entity_id", "source_id", "created_at", "received"}
        assert {name: value for name, value in of_one.items() if name not in apart} == {name: value for name, value in of_other.items() if name not in apart}


@pytest.mark.parametrize("at", [3, 700, 1203])
def test_none_of_many_is_there_if_one_of_them_is_already(house: House, at: int) -> None:
    staff, people = Program.signed_in(house), "/projects/1/datasets/people"
    assert staff.post("/projects/1/datasets", {"name": "people"}).status_code == 200
    assert staff.post(f"{people}/entities", {"uuid": _GOOD, "label": "首位"}).status_code == 200
    before = (house.rows(Entity), house.rows(EntityVersion), _sums(house))
    many = [{"uuid": str(uuid.uuid4()), "label": f"张{number}", "data": {}} for number in range(1204)]
    answer = staff.post(f"{people}/entities", {"entities": [{**one, "uuid": _GOOD} if number == at else one for number, one in enumerate(many)], "source": {"name": "x"}})
    assert (answer.status_code, answer.get_json()["details"]["values"]) == (409, [_GOOD])
    assert (house.rows(Entity), house.rows(EntityVersion), _sums(house)) == before
    assert staff.post(f"{people}/entities", {"entities": many, "source": {"name": "x"}}).status_code == 200
    assert _sums(house)[0] == 1205


def _sums(house: House) -> tuple[int, int]:
    rows = house.rows(EntitySum)
    return sum(row["entities"] for row in rows), sum(row["total"] for row in rows)
