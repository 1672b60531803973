"""An entity's versions side by side: what each changed, which are in conflict, and what staff need to see to settle it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from server.entities.maintained import MAINTAINED
from server.entities.records import HARD, SOFT
from server.model import EntityVersion


@dataclass(slots=True)
class JudgedVersion:
    """A version beside its base and its predecessor. `base_diff`, `server_diff`: names of what it received that differ from them.

    `is_last_good`: the last one before any open conflict; `is_relevant`: it, all after it, and what they were made from.
    """

    version: EntityVersion
    conflict: str | None = None
    resolved: bool = False
    base_diff: tuple[str, ...] = ()
    server_diff: tuple[str, ...] = ()
    is_last_good: bool = False
    is_relevant: bool = False


class _Branch:
    """An offline branch: how far its versions follow its trunk with nothing of others between. Places are counted without corrections."""

    def __init__(self, first: EntityVersion, places: Mapping[int, int]) -> None:
        place = places[first.version]
        if first.trunk_version is not None:
            self.contiguous = place if place == places.get(first.trunk_version, -1) + 1 else 0
        else:
            # It began with the entity's creation, or was forced to stand for it.
            self.contiguous = 2 if place == 2 else 1

    def add(self, place: int, base: int) -> None:
        """One more version of the branch."""
        if base == self.contiguous and place == base + 1:
            self.contiguous = place


def judge_versions(versions: Sequence[EntityVersion], *, resolved_version: int = 0) -> list[JudgedVersion]:
    """All of an entity's versions, the first one first. `resolved_version`: conflicts up to it were settled by staff."""
    by_number = {one.version: one for one in versions}
    branches: dict[str, _Branch] = {}
    places: dict[int, int] = {}
    judged: list[JudgedVersion] = []
    last_good, bases = 0, set()
    for version in versions:
        places[version.version] = len(places) + 1 - sum(_parts_nobody(one.version) for one in judged) - _parts_nobody(version)
        if version.branch_id is not None:
            if version.branch_id in branches:
                branches[version.branch_id].add(places[version.version], places.get(version.base_version or 0, 0))
            else:
                branches[version.branch_id] = _Branch(version, places)
        one = JudgedVersion(version)
        judged.append(one)
        if version.version == 1:
            continue
        one.base_diff = _differing(version, by_number.get(version.base_version or 0))
        one.server_diff = _differing(version, by_number.get(version.version - 1))
        if _is_conflict(version, branches, places):
            one.conflict = HARD if version.conflicting else SOFT
            one.resolved = resolved_version >= version.version
            if not one.resolved and last_good == 0:
                last_good = version.version - 1
        if last_good:
            bases.add(version.base_version)
    for one in judged:
        number = one.version.version
        one.is_last_good = number == last_good or (last_good == 0 and one is judged[-1])
        one.is_relevant = last_good > 0 and (number >= last_good or number in bases)
    return judged


def _parts_nobody(version: EntityVersion) -> bool:
    """From his base: a correction stands in for what it supersedes, and what the server keeps up is nobody's change."""
    return version.supersedes is not None or version.event == MAINTAINED


def _is_conflict(version: EntityVersion, branches: Mapping[str, _Branch], places: Mapping[int, int]) -> bool:
    if _parts_nobody(version):
        return bool(version.conflicting)
    base = places.get(version.base_version or 0, 0)
    is_cut_off = version.branch_id is not None and branches[version.branch_id].contiguous < base
    return places[version.version] != base + 1 or is_cut_off or version.is_late_create or bool(version.conflicting)


def _differing(version: EntityVersion, other: EntityVersion | None) -> tuple[str, ...]:
    there = {**other.data, "label": other.label} if other is not None else {}
    return tuple(name for name, value in version.received.items() if name not in there or there[name] != value)


def _order(pair: tuple[str, Any]) -> tuple[int, str]:
    # As PostgreSQL keeps them: one order on both databases.
    return len(pair[0].encode("utf-8", "replace")), pair[0]


def version_diffs(versions: Sequence[EntityVersion]) -> list[list[dict[str, Any]]]:
    """What each version but the first changed: old, new, propertyName; old is left out where there was none."""
    diffs = []
    for before, after in itertools.pairwise(versions):
        old, new = {"label": before.label, **before.data}, {"label": after.label, **dict(sorted(after.data.items(), key=_order))}
        diffs.append([
            {**({"old": old[name]} if name in old else {}), "new": value, "propertyName": name}
            for name, value in new.items() if name not in old or old[name] != value
        ])  # fmt: skip
    return diffs
