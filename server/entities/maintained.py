"""What the server itself keeps up in an entity (when the next visit is due, what is left of a batch): versions that are nobody's change.

Who made a change without having seen them is in no conflict with them, an edit corrects past them, and an import with nothing else after
it can be undone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from server.entities.among import among
from server.entities.records import new_stamp
from server.model import Change, Entity, EntityList, EntityVersion
from server.transactions import new_id

# EntityVersion.event of such a version.
MAINTAINED = "entity.maintained"
_V: Any = EntityVersion.__table__.c


@dataclass(frozen=True, slots=True)
class Kept:
    """What an entity (a row with its columns) reads from now on. `label` None: as it was."""

    entity: Any
    values: Mapping[str, str]
    label: str | None = None

    @property
    def received(self) -> dict[str, str]:
        return dict(self.values) if self.label is None else {**self.values, "label": self.label}


def maintain_entities(session: Session, entity_list: EntityList, kept: Sequence[Kept]) -> None:
    """Each has one more version, all with three statements; conflicts stay as they are. Needs the entities' locks."""
    if not kept:
        return
    now, project_id, connection = datetime.now(UTC), entity_list.project_id, session.connection()
    table: Any = Entity.__table__
    changed = update(table).where(table.c.project_id == project_id, table.c.id == bindparam("key")).values(
        label=bindparam("new_label"), data=bindparam("new_data"), version=bindparam("new_version"), stamp=bindparam("new_stamp"), updated_at=now,
    )  # fmt: skip
    rows = [(one.entity, one, one.label or one.entity.label, {**one.entity.data, **one.values}) for one in kept]
    connection.execute(changed, [
        {"key": entity.id, "new_label": label, "new_data": data, "new_version": entity.version + 1, "new_stamp": new_stamp()} for entity, _one, label, data in rows
    ])  # fmt: skip
    connection.execute(insert(EntityVersion.__table__), [  # type: ignore[arg-type]
        {"project_id": project_id, "entity_id": entity.id, "version": entity.version + 1, "label": label, "data": data, "division": entity.division,
         "received": one.received, "base_version": entity.version, "event": MAINTAINED, "created_at": now, "forced": False, "is_late_create": False}
        for entity, one, label, data in rows
    ])  # fmt: skip
    connection.execute(insert(Change.__table__), [  # type: ignore[arg-type]
        {"project_id": project_id, "id": new_id(), "kind": "entity.updated", "details": {"list": entity_list.name, "uuid": one.entity.uuid}, "at": now}
        for one in kept
    ])  # fmt: skip


def count_maintained(session: Session, project_id: int, since: Mapping[int, int]) -> dict[int, int]:
    """By entity, how many of its versions after the one given are the server's own."""
    if not since:
        return {}
    statement = select(_V.entity_id, _V.version).where(_V.project_id == project_id, among(session, _V.entity_id, list(since)), _V.event == MAINTAINED)
    found = dict.fromkeys(since, 0)
    for entity_id, version in session.connection().execute(statement):
        found[entity_id] += version > since[entity_id]
    return found


def is_same_but_for_upkeep(session: Session, entity: Entity, version: str | None) -> bool:
    """Whether nobody has changed the entity since this version."""
    if version is None or not version.isascii() or not version.isdigit() or not 0 < len(version) < 10 or int(version) > entity.version:
        return False
    return int(version) + count_maintained(session, entity.project_id, {entity.id: int(version)})[entity.id] == entity.version
