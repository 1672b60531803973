"""What an update does to an entity that others changed without having seen it: soft and hard conflicts.

Two versions are parallel if neither's author had seen the other: a phone that is online has seen all up to its base version, one in an
offline branch all up to the trunk, and the branch's own. Whichever of the two comes second is in conflict: hard if both set a property,
and not alike; else soft. So the conflict is one whatever the order of arrival. ODK Central compares with the entity's present values
instead and looks at a branch's first update alone, so that its answer depends on which came first.
A correction by an edit (corrections.py) stands in for the version that it supersedes: it makes no conflict but over what it corrects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from server.entities.records import HARD, SOFT
from server.entities.sent import OfflinePlace
from server.model import Entity, EntityVersion


@dataclass(frozen=True, slots=True)
class Merge:
    """`conflict`: the entity's from now on (what it had stays until staff resolve it). `is_conflict`: this update is in one."""

    conflict: str | None
    conflicting: list[str] | None
    is_conflict: bool
    is_late_create: bool = False


def merge_update(session: Session, entity: Entity, base: EntityVersion, data: Mapping[str, str], label: str | None, place: OfflinePlace) -> Merge:
    """Hard if someone who had not seen this update, nor was seen by it, gave another value to a property that it sets; soft if only to others."""
    parallel = find_parallel(session, entity, base, place)
    received = _received(data, label)
    hit = [name for name, value in received.items() if any(name in one.received and one.received[name] != value for one in parallel)]
    is_conflict = bool(hit) or any(one.supersedes is None for one in parallel)
    if not is_conflict:
        return Merge(entity.conflict, None, is_conflict=False)
    # A branch that goes on where it was left says nothing of properties unless it is in conflict over some.
    conflicting = hit or (None if base.version == entity.version else [])
    return Merge(HARD if entity.conflict == HARD or hit else SOFT, conflicting, is_conflict=True)


def find_parallel(session: Session, entity: Entity, base: EntityVersion, place: OfflinePlace) -> Sequence[Any]:
    """Versions that the update's author had not seen: their `received` and `supersedes`."""
    seen = base.version if place.branch_id is None else place.trunk_version or 1
    statement = select(EntityVersion.received, EntityVersion.supersedes).where(
        EntityVersion.project_id == entity.project_id, EntityVersion.entity_id == entity.id, EntityVersion.version > seen
    )
    if place.branch_id is not None:
        statement = statement.where(or_(EntityVersion.branch_id.is_(None), EntityVersion.branch_id != place.branch_id))
    return session.execute(statement.order_by(EntityVersion.version)).all()


def has_seen(version: EntityVersion, other: EntityVersion) -> bool:
    """Whether who made `version` knew of `other`, which came before it."""
    if version.branch_id is None:
        return other.version <= (version.base_version or 0)
    return other.branch_id == version.branch_id or other.version <= (version.trunk_version or 1)


def merge_late_create(entity: Entity, data: Mapping[str, str], label: str) -> Merge:
    """A creation that comes after its updates: in conflict with whatever it does not say the same of."""
    there: dict[str, Any] = {name: value for name, value in entity.data.items() if data.get(name, _ABSENT) != value}
    if entity.label != label:
        there["label"] = entity.label
    conflicting = [name for name, value in _received(data, label).items() if name in there and there[name] != value]
    return Merge(HARD if entity.conflict == HARD or conflicting else SOFT, conflicting, is_conflict=True, is_late_create=True)


_ABSENT = object()


def _received(data: Mapping[str, str], label: str | None) -> dict[str, str]:
    return dict(data) if label is None else {**data, "label": label}
