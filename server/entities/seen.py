"""What who made a change had seen of an entity: it says what the change changes, and whether it was his to make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor
from server.entities.records import find_version
from server.entities.scope import division_of
from server.entities.sent import OfflinePlace
from server.model import AuditEntry, Entity, EntityVersion

_MOST_MOVES = 100


def has_seen(version: EntityVersion, other: EntityVersion) -> bool:
    """Whether who made `version` knew of `other`, which came before it."""
    if version.branch_id is None:
        return other.version <= (version.base_version or 0)
    return other.branch_id == version.branch_id or other.version <= (version.trunk_version or 1)


def shown_to(versions: Sequence[EntityVersion], *, base: int, branch_id: str | None, trunk: int | None) -> Mapping[str, Any]:
    """The values, label included, on the screen of who built on version `base`. `versions`: the entity's, the first one first."""
    known = next((one for one in versions if one.version == (base if branch_id is None else trunk or 1)), None)
    shown: dict[str, Any] = {**known.data, "label": known.label} if known is not None else {}
    for one in versions:
        # In a branch a phone sees its own work, and nothing of what others did meanwhile.
        if branch_id is not None and one.branch_id == branch_id and one.version <= base:
            shown |= one.received
    return shown


def require_seen(session: Session, actor: Actor, entity: Entity, base: EntityVersion, place: OfflinePlace, list_name: str) -> None:
    """A phone changes what was in its division when it saw it, also once either has been handed over. `actor`: as bound on this list.

    Raises: entity_not_found.
    """
    if actor.kind != "phone" or not actor.division:
        return
    trunk = find_version(session, entity, version=place.trunk_version or 1) if place.branch_id is not None else None
    seen = [(one.division or division_of(one.data) or entity.division, one.created_at) for one in (base, trunk) if one is not None]
    if any(division.startswith(actor.division) for division in (entity.division, *(division for division, _at in seen))):
        return
    for until, before in _former_divisions(session, actor):
        if any(division.startswith(before) and at <= until for division, at in seen):
            return
    raise problems.entity_not_found(entity.uuid, list_name)


def _former_divisions(session: Session, actor: Actor) -> Iterator[tuple[datetime, str]]:
    """Until when the phone was where (phones.move_phone); "" is everywhere."""
    entry: Any = AuditEntry.__table__.c
    moves = select(entry.at, entry.details).where(entry.action == "field_key.update", entry.thing == str(actor.id)).order_by(entry.at.desc())
    for at, details in session.execute(moves.limit(_MOST_MOVES)):
        if "before" in (details or {}):
            yield at, details["before"] or ""
