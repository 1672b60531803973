"""Several phones, offline, on one entity: their submissions shuffled, dropped, repeated; what holds whatever happens."""

from __future__ import annotations

import uuid
from collections import defaultdict
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.model import Entity, EntityHeld, EntityVersion
from tests.actors.house import House
from tests.entities.followed_up import Register, visit


@dataclass(frozen=True)
class Sent:
    """One submission: the phone's branch (None: the creation), and its place in it from 1."""

    branch: str | None
    place: int
    xml: bytes


def work_of(person: str, phones: list[list[tuple[str, str]]]) -> list[Sent]:
    """The creation, and each phone's updates, all begun at version 1."""
    sent = [Sent(None, 0, visit(person, creates=True, who="张三", state="new", age="0"))]
    for updates in phones:
        branch = str(uuid.uuid4())
        for place, (name, value) in enumerate(updates, start=1):
            sent.append(Sent(branch, place, visit(person, base=place, trunk=1, branch=branch, **{name: value})))
    return sent


UPDATES = st.lists(st.tuples(st.sampled_from(["state", "age"]), st.sampled_from(["1", "2", "3"])), min_size=1, max_size=4)


@pytest.fixture
def register(house: House) -> Register:
    return Register(house)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(phones=st.lists(UPDATES, min_size=1, max_size=3), data=st.data())
def test_branches_are_applied_once_and_in_order_and_what_has_a_gap_before_it_waits(
    register: Register, phones: list[list[tuple[str, str]]], data: st.DataObject
) -> None:
    person = str(uuid.uuid4())
    sent = work_of(person, phones)
    lost = data.draw(st.sets(st.sampled_from(range(len(sent))), max_size=2))
    arriving = data.draw(st.permutations([one for number, one in enumerate(sent) if number not in lost]))
    repeated = data.draw(st.lists(st.sampled_from(arriving), max_size=3)) if arriving else []
    for one in [*arriving, *repeated]:
        register.send(one.xml)

    arrived: dict[str, set[int]] = defaultdict(set)
    for one in arriving:
        if one.branch is not None:
            arrived[one.branch].add(one.place)
    is_made = any(one.branch is None for one in arriving)
    complete = {
        branch: [place for place in sorted(places) if is_made and set(range(1, place)) <= places] for branch, places in arrived.items()
    }  # fmt: skip
    waiting = sum(len(places) - len(complete[branch]) for branch, places in arrived.items())
    assert len(register.house.rows(EntityHeld, EntityHeld.uuid == person)) == waiting
    found = register.house.rows(Entity, Entity.uuid == person)
    if not is_made:
        assert found == []
        return
    [entity] = found
    versions = sorted(register.house.rows(EntityVersion, EntityVersion.entity_id == entity["id"]), key=lambda row: row["version"])
    for branch, places in complete.items():
        assert [row["branch_base_version"] for row in versions if row["branch_id"] == branch] == places
    assert [row["version"] for row in versions] == list(range(1, 2 + sum(map(len, complete.values()))))
    merged: dict[str, str] = {}
    for row in versions:
        merged |= {name: value for name, value in row["received"].items() if name != "label"}
        assert row["data"] == merged
    assert entity["data"] == merged
    if sum(bool(places) for places in complete.values()) <= 1:
        assert entity["conflict"] is None, "one phone alone is never in conflict"
    else:
        assert entity["conflict"] in {"soft", "hard"}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(updates=UPDATES, data=st.data())
def test_one_phones_work_ends_the_same_in_any_order(register: Register, updates: list[tuple[str, str]], data: st.DataObject) -> None:
    outcomes = []
    for is_shuffled in (False, True):
        person = str(uuid.uuid4())
        sent = work_of(person, [updates])
        for one in data.draw(st.permutations(sent)) if is_shuffled else sent:
            register.send(one.xml)
        [entity] = register.house.rows(Entity, Entity.uuid == person)
        versions = sorted(register.house.rows(EntityVersion, EntityVersion.entity_id == entity["id"]), key=lambda row: row["version"])
        outcomes.append((entity["label"], entity["data"], entity["version"], entity["conflict"], [(row["base_version"], row["conflict"], row["data"]) for row in versions]))
    assert outcomes[0] == outcomes[1]
