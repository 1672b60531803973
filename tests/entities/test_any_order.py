"""Several phones, offline, on one person: shuffled, dropped, delayed, sent again, edited; the outcome is that of a model of the specification."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from server.entities import merge
from server.entities.records import find_version
from server.model import EntityHeld
from tests.actors.house import House
from tests.entities.followed_up import Register
from tests.entities.offline_work import NAMES, Screen, Submission, applied_of, outcome_of

ANSWERS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["1", "2", "3"]), min_size=1)
VISITS = st.lists(ANSWERS, min_size=1, max_size=3)
PHONES = st.lists(st.tuples(st.booleans(), VISITS), min_size=1, max_size=3)
QUICK = settings(
    max_examples=40, deadline=None, derandomize=True, database=None, report_multiple_bugs=False, phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip


@pytest.fixture
def register(house: House) -> Register:
    return Register(house)


def start_of(person: str, phones: list[tuple[bool, list[dict[str, str]]]]) -> list[Submission]:
    """The creation, and what phones did that had seen it as it was first."""
    first = {"state": "new", "age": "0"}
    created = Submission(person, None, 0, 0, {}, {}, [first])
    return [created, *work_of(person, phones, trunk=1, shown=first, seen={created: 1})]


def work_of(person: str, phones: list[Any], *, trunk: int, shown: dict[str, str], seen: dict[Submission, int]) -> list[Submission]:
    screens = [(Screen(person, trunk, dict(shown), dict(seen), is_prefilled), visits) for is_prefilled, visits in phones]
    return [screen.fill(answers) for screen, visits in screens for answers in visits]


def deliver(register: Register, messages: list[tuple[Submission, int]]) -> None:
    """In this order. An edit is refused before what it edits is there, and sent again later, as phones do."""
    waiting = messages
    while waiting:
        refused = []
        for one, number in waiting:
            code = register.phone.send(one.xml(number)).status_code if number <= one.arrived else 404
            assert code == 201 or number > one.arrived
            if code == 201:
                one.arrived = max(one.arrived, number + 1)
            else:
                refused.append((one, number))
        if len(refused) == len(waiting):
            return
        waiting = refused


def draw_messages(data: st.DataObject, submissions: list[Submission]) -> list[tuple[Submission, int]]:
    """Each submission and its edits, in any order; some never arrive, some more than once."""
    for one in data.draw(st.lists(st.sampled_from(submissions), max_size=2)):
        one.contents.append(data.draw(ANSWERS))
    all_sent = [(one, number) for one in submissions for number in range(len(one.contents))]
    lost = data.draw(st.sets(st.sampled_from(range(len(all_sent))), max_size=2))
    arriving = [message for number, message in enumerate(all_sent) if number not in lost]
    return [*data.draw(st.permutations(arriving)), *(data.draw(st.lists(st.sampled_from(arriving), max_size=2)) if arriving else [])]


def check(register: Register, person: str, sent: list[Submission]) -> None:
    expected = outcome_of(sent)
    assert len(register.house.rows(EntityHeld, EntityHeld.uuid == person)) == expected.waiting
    entity = register.entity(person)
    assert (entity is not None) == bool(expected.versions)
    if entity is None:
        return
    made: dict[str | None, list[int]] = defaultdict(list)
    trunks = {one.branch: one.trunk for one in sent}
    versions = register.versions(person)
    for row in versions:
        if row["supersedes"] is None:
            made[row["branch_id"]].append((row["branch_base_version"] or 0) + 1 - trunks[row["branch_id"]] if row["branch_id"] else 0)
    assert dict(made) == expected.versions
    assert [row["version"] for row in versions] == list(range(1, entity["version"] + 1))
    assert entity["conflict"] in expected.conflicts
    for name, value in expected.values.items():
        if name not in expected.disputed or entity["conflict"] != "hard":
            assert entity["data"][name] == value, name
    assert entity["data"] == versions[-1]["data"]


def run(register: Register, phones: list[Any], afterwards: list[Any], data: st.DataObject) -> None:
    """Phones work from the creation on; half of what they send arrives; others fetch the list and work; all the rest arrives."""
    person = str(uuid.uuid4())
    sent = start_of(person, phones)
    messages = draw_messages(data, sent)
    delayed = data.draw(st.integers(0, len(messages)))
    deliver(register, messages[delayed:])
    check(register, person, sent)
    entity = register.entity(person)
    rest = messages[:delayed]
    if entity is not None and afterwards:
        seen = {one: one.arrived for one in applied_of(sent)}
        new = work_of(person, afterwards, trunk=entity["version"], shown=entity["data"], seen=seen)
        rest = data.draw(st.permutations([*rest, *draw_messages(data, new)]))
        sent += new
    deliver(register, rest)
    check(register, person, sent)


@QUICK
@given(phones=PHONES, afterwards=st.lists(st.tuples(st.booleans(), VISITS), max_size=2), data=st.data())
def test_whatever_arrives_in_whatever_order_the_outcome_is_the_specifications(
    register: Register, phones: list[Any], afterwards: list[Any], data: st.DataObject
) -> None:
    run(register, phones, afterwards, data)


def _nobody_else_changed_it(session: Any, entity: Any, base: Any, place: Any) -> list[Any]:
    return [] if place.branch_id is not None else FIND_PARALLEL(session, entity, base, place)


def _nothing_is_missing(session: Any, entity: Any, _place: Any) -> Any:
    return find_version(session, entity, version=entity.version)


FIND_PARALLEL = merge.find_parallel
FAULTS: dict[str, tuple[str, Callable[..., Any]]] = {
    "whether someone else changed it since the branch began is not asked": ("server.entities.merge.find_parallel", _nobody_else_changed_it),
    "what has a gap before it is applied": ("server.entities.apply.find_base", _nothing_is_missing),
    "what must wait is dropped": ("server.entities.apply.hold", lambda *_args: None),
    "what waited is not released": ("server.entities.apply.release_held", lambda *_args: None),
    "an edit overwrites what others changed since": ("server.entities.corrections._set_otherwise", lambda *_args: set()),
    "an edit corrects nothing": ("server.entities.corrections._difference", lambda *_args: {}),
}


@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.parametrize("fault", FAULTS)
def test_the_model_finds(register: Register, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    target, broken = FAULTS[fault]
    monkeypatch.setattr(target, broken)
    quick = settings(QUICK, max_examples=150, phases=[Phase.generate])
    hunt = quick(given(phones=PHONES, afterwards=st.lists(st.tuples(st.booleans(), VISITS), max_size=2), data=st.data())(lambda **drawn: run(register, **drawn)))
    with pytest.raises(AssertionError):
        hunt()
