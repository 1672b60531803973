"""What an offline or late update does to an entity that others changed meanwhile: soft and hard conflicts as ODK Central has them."""

from __future__ import annotations

from collections.abc import Mapping
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
    """Hard if someone else has since given another value to a property that this update sets; soft if they only changed others."""
    if base.version != entity.version:
        since: dict[str, Any] = {name: value for name, value in entity.data.items() if base.data.get(name, _ABSENT) != value}
        if entity.label != base.label:
            since["label"] = entity.label
        return _conflict(entity, since, _received(data, label))
    if place.branch_id is not None and _is_interrupted(session, entity, place):
        return Merge(entity.conflict or SOFT, None, is_conflict=True)
    return Merge(entity.conflict, None, is_conflict=False)


def merge_late_create(entity: Entity, data: Mapping[str, str], label: str) -> Merge:
    """A creation that comes after its updates: in conflict with whatever it does not say the same of."""
    there: dict[str, Any] = {name: value for name, value in entity.data.items() if data.get(name, _ABSENT) != value}
    if entity.label != label:
        there["label"] = entity.label
    merge = _conflict(entity, there, _received(data, label))
    return Merge(merge.conflict, merge.conflicting, is_conflict=True, is_late_create=True)


_ABSENT = object()


def _received(data: Mapping[str, str], label: str | None) -> dict[str, str]:
    return dict(data) if label is None else {**data, "label": label}


def _conflict(entity: Entity, others: Mapping[str, Any], received: Mapping[str, str]) -> Merge:
    conflicting = [name for name, value in received.items() if name in others and others[name] != value]
    return Merge(HARD if entity.conflict == HARD or conflicting else SOFT, conflicting, is_conflict=True)


def _is_interrupted(session: Session, entity: Entity, place: OfflinePlace) -> bool:
    """Whether someone outside the branch has changed the entity since the branch began."""
    other = select(EntityVersion.version).where(
        EntityVersion.project_id == entity.project_id, EntityVersion.entity_id == entity.id, EntityVersion.version > (place.trunk_version or 1),
        or_(EntityVersion.branch_id.is_(None), EntityVersion.branch_id != place.branch_id),
    )  # fmt: skip
    return session.scalar(other.limit(1)) is not None
