"""What an update does to an entity that others changed without having seen it: soft and hard conflicts.

Two versions are parallel if neither's author had seen the other: a phone that is online has seen all up to its base version, one in an
offline branch all up to the trunk, and the branch's own. Whichever of the two comes second is in conflict: hard if both set a property,
and not alike; else soft. So between branches the conflict is one whatever the order of arrival. ODK Central compares with the entity's
present values instead, so that its answer depends on which came first. Of what came online, in the midst of a branch's arrival, a later
update of the branch is in soft conflict alone, as Central has it: the first one has told of it.
A correction by an edit (corrections.py) stands in for the version that it supersedes: it makes no conflict but over what it corrects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from server.entities.maintained import MAINTAINED
from server.entities.records import HARD, SOFT
from server.entities.seen import shown_to
from server.entities.sent import OfflinePlace
from server.model import Entity, EntityVersion

_V: Any = EntityVersion.__table__.c


@dataclass(frozen=True, slots=True)
class Merge:
    """`conflict`: the entity's from now on (what it had stays until staff resolve it). `is_conflict`: this update is in one.

    `corrected`: names that the update does not set, since it says of them only what its phone was shown before an edit corrected it.
    """

    conflict: str | None
    conflicting: list[str] | None
    is_conflict: bool
    is_late_create: bool = False
    corrected: frozenset[str] = frozenset()


def merge_update(session: Session, entity: Entity, base: EntityVersion, data: Mapping[str, str], label: str | None, place: OfflinePlace) -> Merge:
    """Hard if someone who had not seen this update, nor was seen by it, gave another value to a property that it sets; soft if only to others."""
    parallel = find_parallel(session, entity, base, place)
    received = _received(data, label)
    corrected = _corrected(session, entity, base, received, place, parallel)
    received = {name: value for name, value in received.items() if name not in corrected}
    # With what came online a branch's first update is in hard conflict, and a later one with what came after the one before it.
    weighed = [one for one in parallel if one.branch_id is not None or one.supersedes is not None or one.version > base.version]
    hit = [name for name, value in received.items() if any(name in one.received and one.received[name] != value for one in weighed)]
    is_conflict = bool(hit) or any(one.supersedes is None for one in parallel)
    if not is_conflict:
        return Merge(entity.conflict, None, is_conflict=False, corrected=corrected)
    # A branch that goes on where it was left says nothing of properties unless it is in conflict over some.
    conflicting = hit or (None if base.version == entity.version else [])
    return Merge(HARD if entity.conflict == HARD or hit else SOFT, conflicting, is_conflict=True, corrected=corrected)


def _corrected(
    session: Session, entity: Entity, base: EntityVersion, received: Mapping[str, str], place: OfflinePlace, parallel: Sequence[Any]
) -> frozenset[str]:
    """A filled-in form says all that it was shown: that repeats no value which an edit has corrected meanwhile, and is no conflict with it."""
    if not any(one.supersedes is not None for one in parallel):
        return frozenset()
    statement = select(EntityVersion).where(EntityVersion.project_id == entity.project_id, EntityVersion.entity_id == entity.id, EntityVersion.version <= base.version)
    versions = session.scalars(statement.order_by(EntityVersion.version)).all()
    unseen = {one.version for one in parallel}
    seen = {one.submission_id for one in versions if one.submission_id is not None and one.version not in unseen}
    shown = shown_to(versions, base=base.version, branch_id=place.branch_id, trunk=place.trunk_version)
    corrections = [one for one in parallel if one.supersedes is not None and one.submission_id in seen]
    others = [one for one in parallel if one not in corrections]
    return frozenset(
        name for name, value in received.items()
        if shown.get(name) == value and any(name in one.received for one in corrections)
        and not any(name in one.received and one.received[name] != value for one in others)
    )  # fmt: skip


def find_parallel(session: Session, entity: Entity, base: EntityVersion, place: OfflinePlace) -> Sequence[Any]:
    """Versions that the update's author had not seen: their `version`, `branch_id`, `received`, `supersedes` and `submission_id`."""
    seen = base.version if place.branch_id is None else place.trunk_version or 1
    # None of them is the first, so all have kept what they received.
    statement = select(_V.version, _V.branch_id, _V.received, _V.supersedes, _V.submission_id).where(
        EntityVersion.project_id == entity.project_id, EntityVersion.entity_id == entity.id, EntityVersion.version > seen,
        or_(EntityVersion.event.is_(None), EntityVersion.event != MAINTAINED),
    )  # fmt: skip
    if place.branch_id is not None:
        statement = statement.where(or_(EntityVersion.branch_id.is_(None), EntityVersion.branch_id != place.branch_id))
    return session.execute(statement.order_by(EntityVersion.version)).all()


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
