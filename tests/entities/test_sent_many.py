"""Many entities are checked by columns: what is taken, what is refused and what is stored is the same as one by one."""

from __future__ import annotations

import uuid
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from server.entities.sent import read_sent
from server.entities.sent_many import ManySent, read_many_sent
from server.model import Entity, EntityVersion
from server.problems import Problem
from tests.actors.house import House
from tests.actors.program import Program

_PROPERTIES = ("name_of_village", "state")
_GOOD = "a1b2c3d4-e5f6-4a7b-8c9d-0123456789ab"
_IDS = st.one_of(
    st.uuids(version=4).map(str), st.just(_GOOD.upper()), st.just(f"uuid:{_GOOD}"),
    st.sampled_from([_GOOD[:-1], _GOOD + "0", _GOOD.replace("-4", "-1"), _GOOD.replace("-8", "-7"), _GOOD.replace("-", "a"), "-" * 36, " " * 36, "", 7, None, "é" + _GOOD[1:]]),
    # As long as an id, with the parts of one in each place but one.
    st.builds(lambda at, what: _GOOD[:at] + what + _GOOD[at + 1 :], st.integers(0, 35), st.sampled_from("-g48/:`")),
)  # fmt: skip
_LABELS = st.one_of(st.text(min_size=1, max_size=3), st.sampled_from(["", " ", "张三", 5, None, ["x"]]))
_VALUES = st.one_of(st.text(max_size=3), st.sampled_from([1, None, {}, True]))
_DATA = st.one_of(st.dictionaries(st.sampled_from([*_PROPERTIES, "other"]), _VALUES, max_size=3), st.sampled_from([None, "x", 3, []]))
_PLAIN = st.fixed_dictionaries(
    {"uuid": st.uuids(version=4).map(str), "label": st.just("张三"), "data": st.dictionaries(st.sampled_from(_PROPERTIES), st.text(max_size=3))}
)
_ODD = st.one_of(
    st.fixed_dictionaries({}, optional={"uuid": _IDS, "label": _LABELS, "data": _DATA, "more": st.just(1)}), st.sampled_from([None, "text", 1, []])
)
_LONE_FAULT = st.one_of(
    st.builds(lambda one, it: {**one, "uuid": it}, _PLAIN, _IDS), st.builds(lambda one, it: {**one, "label": it}, _PLAIN, _LABELS),
    st.builds(lambda one, it: {**one, "data": it}, _PLAIN, _DATA), _ODD,
)  # fmt: skip


def _outcome(read: Any) -> Any:
    try:
        found: ManySent = read()
    except Problem as problem:
        return problem.code, str(problem)
    return found.labels, found.data, found.uuids


def _row_by_row(bodies: list[Any]) -> ManySent:
    sent = [read_sent(one, _PROPERTIES) for one in bodies]
    return ManySent([one.uuid for one in sent], [one.label or "" for one in sent], [one.data for one in sent])


def _without_made_ids(outcome: Any, bodies: list[Any]) -> Any:
    """An id that a body leaves out is made, another each time."""
    if len(outcome) == 2:
        return outcome
    labels, data, uuids = outcome
    return labels, data, [known if one.get("uuid") else uuid.UUID(known).version for one, known in zip(bodies, uuids, strict=True)]


@given(before=st.lists(_PLAIN, max_size=3), odd=_LONE_FAULT, after=st.lists(_PLAIN, max_size=2))
def test_columns_say_what_the_rows_say(before: list[Any], odd: Any, after: list[Any]) -> None:
    bodies = [*before, odd, *after]
    by_columns, by_rows = (_outcome(read) for read in (lambda: read_many_sent(bodies, _PROPERTIES), lambda: _row_by_row(bodies)))
    assert _without_made_ids(by_columns, bodies) == _without_made_ids(by_rows, bodies)


def test_many_are_stored_as_one_is(house: House) -> None:
    staff = Program.signed_in(house)
    for name in ("one", "many"):
        assert staff.post("/projects/1/datasets", {"name": name}).status_code == 200
        for known in _PROPERTIES:
            assert staff.post(f"/projects/1/datasets/{name}/properties", {"name": known}).status_code == 200
    texts = ["张三", 'a "quoted" one', "back\\slash", "\\N", "tab\there", "line\nfeed\r", "{},:[]", "'", "\x1f\x7f\u2028😀", "\\u0041\\", "null"]
    people = [{"label": text, "data": {"state": text, "name_of_village": other}} for text, other in zip(texts, reversed(texts), strict=True)]
    people += [{"label": "no values", "data": {}}, {"label": "no data"}]
    for one in people:
        assert staff.post("/projects/1/datasets/one/entities", one).status_code == 200
    answer = staff.post("/projects/1/datasets/many/entities", {"entities": people, "source": {"name": "x.csv"}})
    assert answer.status_code == 200, answer.text
    rows, versions = sorted(house.rows(Entity), key=lambda row: row["id"]), {row["entity_id"]: row for row in house.rows(EntityVersion)}
    half = len(people)
    singly, together = ([rows[at] for at in places] for places in (range(half), range(half, 2 * half)))
    assert {row["list_id"] for row in singly} != {row["list_id"] for row in together}
    for one, other, sent in zip(singly, together, people, strict=True):
        assert one["label"] == other["label"] == sent["label"]
        assert one["data"] == other["data"] == sent.get("data", {})
        of_one, of_other = versions[one["id"]], versions[other["id"]]
        assert of_one["received"] == of_other["received"] == {**sent.get("data", {}), "label": sent["label"]}
        apart = {"entity_id", "source_id", "created_at"}
        assert {name: value for name, value in of_one.items() if name not in apart} == {name: value for name, value in of_other.items() if name not in apart}
