"""The plan into the list, chunk by chunk: what a chunk did and how far the import is are one transaction's, so that it can be killed at any time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.orm import Session, undefer

from server import problems
from server.changes import record_change
from server.entities.among import among
from server.entities.bulk import insert_many
from server.entities.imports.check import MOST_ERRORS, PlanLine, key_text
from server.entities.imports.mapping import ImportSettings
from server.entities.records import Origin, lock_entities, new_stamp
from server.entities.scope import is_scoped
from server.entities.sent_many import ManySent
from server.model import Entity, EntityImport, EntityList, EntityVersion
from server.transactions import SECOND_OF_IDS, new_ids

CHUNK = 500
_E: Any = Entity.__table__.c
CONTENT = (_E.label, _E.data, _E.version, _E.division)
_TAKEN = ("其后有了同一个值的条目，未导入。", "Since the check an entity with this value has come; the row was left out.")
_CHANGED = ("其后该条目被删除、移出或改了匹配的值，未导入。", "Since the check the entity was deleted, moved away, or lost this value; the row was left out.")


@dataclass(slots=True)
class Newcomers:
    """Keys of entities that came into the list after the check, kept up to date from chunk to chunk. `since`: the highest id looked at."""

    since: int
    keys: set[str] = field(default_factory=set)
    _known: list[int] = field(default_factory=list)

    def know(self, ids: Sequence[int]) -> None:
        """The import's own, whose keys are in no other row of its file."""
        self._known = sorted([*self._known, *ids])
        self.since = max([self.since, *self._known[-1:]])

    def look(self, session: Session, found: EntityImport, key: str) -> None:
        """What came since the last look."""
        # What was committed late may have an id of up to a second ago.
        past = self.since - SECOND_OF_IDS
        self._known = self._known[bisect_right(self._known, past) :]
        here, connection = (_E.list_id == found.list_id, _E.id > past), session.connection()
        # Nearly always they are the import's own alone: counted in the index, not read.
        if connection.execute(select(func.count()).select_from(Entity.__table__).where(*here)).scalar() == len(self._known):
            return
        known = set(self._known)
        new = [one for one in connection.execute(select(_E.id).where(*here).order_by(_E.list_id, _E.id)).scalars() if one not in known]
        text = key_text(session.get_bind().dialect.name, key)
        for start in range(0, len(new), CHUNK):
            living = (_E.project_id == found.project_id, among(session, _E.id, new[start : start + CHUNK]), _E.deleted_at.is_(None))
            self.keys.update(connection.execute(select(text).where(*living)).scalars())
        self.know(new)


def lock_import(session: Session, project_id: int, import_id: int) -> EntityImport:
    """The row, which nobody else works on before the commit. Raises: not_found."""
    statement = select(EntityImport).where(EntityImport.project_id == project_id, EntityImport.id == import_id).with_for_update()
    found = session.scalar(statement.options(undefer(EntityImport.errors), undefer(EntityImport.left_alone)).execution_options(populate_existing=True))
    if found is None:
        raise problems.not_found()
    return found


def run_chunk(session: Session, found: EntityImport, lines: Sequence[PlanLine], newcomers: Newcomers) -> None:
    """These lines of the plan, the next ones of the locked import, are done."""
    entity_list = session.get_one(EntityList, found.list_id)
    settings = ImportSettings.from_json(found.settings)
    origin = Origin(actor_id=found.actor_id, source_id=found.source_id)
    created = [line for line in lines if not line[1]]
    if settings.key is not None and created:
        newcomers.look(session, found, settings.key)
        taken = [line for line in created if line[5] in newcomers.keys]
        _leave_out(found, taken, settings, _TAKEN)
        created = [line for line in created if line[5] not in newcomers.keys]
    newcomers.know(_create(session, entity_list, found, created, origin))
    _update(session, entity_list, found, settings, [line for line in lines if line[1]], origin)
    found.position += len(lines)


def _leave_out(found: EntityImport, lines: Sequence[PlanLine], settings: ImportSettings, why: tuple[str, str]) -> None:
    if not lines:
        return
    column = next((found.columns[number] for number, name in settings.columns.items() if name == settings.key), "")
    told = [{"row": line[0], "column": column, "zh": why[0], "en": why[1]} for line in lines]
    found.errors = [*found.errors, *told][: MOST_ERRORS + CHUNK]
    found.errors_total += len(lines)
    found.skipped_count += len(lines)


def _create(session: Session, entity_list: EntityList, found: EntityImport, lines: Sequence[PlanLine], origin: Origin) -> list[int]:
    """The new entities' ids."""
    if not lines:
        return []
    own = found.division if is_scoped(session, entity_list) else ""
    sent = ManySent([str(uuid4()) for _line in lines], [line[2] for line in lines], [line[3] for line in lines])
    keys = new_ids(len(lines))
    if not insert_many(session, entity_list, keys, sent, [line[4] or own for line in lines], origin):
        raise problems.busy()
    found.created_count += len(lines)
    change = {"list": entity_list.name, "source": found.source_id, "count": len(lines)}
    record_change(session, "entity.many_created", project_id=found.project_id, details=change)
    return keys


def _update(
    session: Session, entity_list: EntityList, found: EntityImport, settings: ImportSettings, lines: Sequence[PlanLine], origin: Origin
) -> None:
    if not lines or settings.key is None:
        return
    key = key_text(session.get_bind().dialect.name, settings.key).label("key")
    entities = lock_rows(session, entity_list, [line[1] for line in lines], *CONTENT, key)
    gone, rows, now = [], [], datetime.now(UTC)
    for line in lines:
        entity = entities.get(line[1])
        if entity is None or entity.key != line[5] or not entity.division.startswith(found.division):
            gone.append(line)
        elif all(entity.data.get(name) == value for name, value in line[3].items()) and line[2] in {None, entity.label}:
            found.unchanged_count += 1
        else:
            received = line[3] if line[2] is None else {**line[3], "label": line[2]}
            rows.append(NewVersion(entity, line[2] or entity.label, {**entity.data, **line[3]}, received, line[4] or entity.division))
    _leave_out(found, gone, settings, _CHANGED)
    write_versions(session, found.project_id, rows, origin, now)
    found.updated_count += len(rows)
    if rows:
        change = {"list": entity_list.name, "source": found.source_id, "count": len(rows)}
        record_change(session, "entity.many_updated", project_id=found.project_id, details=change)


@dataclass(frozen=True, slots=True)
class NewVersion:
    """What an entity (a row of lock_rows with its CONTENT) becomes."""

    entity: Any
    label: str
    data: dict[str, Any]
    received: dict[str, Any]
    division: str


def lock_rows(session: Session, entity_list: EntityList, ids: Sequence[int], *columns: Any) -> dict[int, Any]:
    """By id: rows of id and these columns of the entities that are not in the trash; nobody else changes them before the commit."""
    here = (_E.project_id == entity_list.project_id, among(session, _E.id, ids), _E.list_id == entity_list.id)
    if session.get_bind().dialect.name == "postgresql":
        # As whoever changes one entity locks it (records.py), before it is read.
        lock_entities(session, [(entity_list.id, uuid) for uuid in session.connection().execute(select(_E.uuid).where(*here)).scalars()])
    statement = select(_E.id, *columns).where(*here, _E.deleted_at.is_(None)).order_by(_E.id).with_for_update()
    return {row.id: row for row in session.connection().execute(statement)}


def write_versions(session: Session, project_id: int, rows: Sequence[NewVersion], origin: Origin, now: datetime) -> None:
    """Each entity has one more version, made from its present one; its conflict stays as it is (records.add_version, for many)."""
    if not rows:
        return
    table: Any = Entity.__table__
    changed = update(table).where(table.c.project_id == project_id, table.c.id == bindparam("key")).values(
        label=bindparam("new_label"), data=bindparam("new_data"), version=bindparam("new_version"), division=bindparam("new_division"), updated_at=now, stamp=bindparam("new_stamp"),
    )  # fmt: skip
    connection = session.connection()
    connection.execute(changed, [
        {"key": row.entity.id, "new_label": row.label, "new_data": row.data, "new_version": row.entity.version + 1, "new_division": row.division, "new_stamp": new_stamp()}
        for row in rows
    ])  # fmt: skip
    connection.execute(insert(EntityVersion.__table__), [  # type: ignore[arg-type]
        {"project_id": project_id, "entity_id": row.entity.id, "version": row.entity.version + 1, "label": row.label, "data": row.data,
         "division": row.division, "received": row.received, "base_version": row.entity.version, "source_id": origin.source_id,
         "user_agent": origin.user_agent, "actor_id": origin.actor_id, "created_at": now, "forced": False, "is_late_create": False}
        for row in rows
    ])  # fmt: skip
