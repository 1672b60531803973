"""An import as a whole is undone, chunk by chunk: what it made is deleted, what it changed is as before, unless someone changed it since."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from server.changes import record_change
from server.entities.absences import begin_absence
from server.entities.among import among
from server.entities.imports.run import CONTENT, NewVersion, lock_rows, write_versions
from server.entities.maintained import count_maintained
from server.entities.records import Origin, link_audits
from server.model import Entity, EntityImport, EntityList, EntitySource, EntityVersion

MOST_LEFT = 1000


def undo_chunk(session: Session, found: EntityImport, *, limit: int) -> bool:
    """The next entities of the locked import; whether there were as many as `limit`."""
    versions: Any = EntityVersion.__table__.c
    statement = (
        select(versions.entity_id, versions.version)
        .where(versions.project_id == found.project_id, versions.source_id == found.source_id, versions.entity_id > found.undo_position)
        .order_by(versions.entity_id).limit(limit)
    )  # fmt: skip
    rows = session.connection().execute(statement).all()
    if not rows:
        return False
    entity_list = session.get_one(EntityList, found.list_id)
    entities = lock_rows(session, entity_list, [row.entity_id for row in rows], Entity.version)
    own = count_maintained(session, found.project_id, {row.entity_id: row.version for row in rows})
    untouched = [row for row in rows if row.entity_id in entities and entities[row.entity_id].version == row.version + own[row.entity_id]]
    kept = {row.entity_id for row in rows} - {row.entity_id for row in untouched}
    _leave_alone(session, found, sorted(kept), entities)
    _delete(session, entity_list, found, [row.entity_id for row in untouched if row.version == 1])
    _put_back(session, entity_list, found, [row.entity_id for row in untouched if row.version > 1])
    found.undo_position = rows[-1].entity_id
    return len(rows) == limit


def _leave_alone(session: Session, found: EntityImport, ids: Sequence[int], living: dict[int, Any]) -> None:
    """What was changed or deleted since is listed by its id."""
    if not ids:
        return
    table: Any = Entity.__table__.c
    labels = select(table.id, table.uuid, table.label, table.division).where(table.project_id == found.project_id, among(session, table.id, ids))
    told = [
        {"uuid": row.uuid, "label": row.label, "division": row.division, "deleted": row.id not in living}
        for row in session.connection().execute(labels.order_by(table.id))
    ]
    found.left_alone = [*found.left_alone, *told][:MOST_LEFT]
    found.left_count += len(ids)


def _delete(session: Session, entity_list: EntityList, found: EntityImport, ids: Sequence[int]) -> None:
    if not ids:
        return
    now, table = datetime.now(UTC), Entity.__table__
    columns: Any = table.c
    session.connection().execute(update(table).where(columns.project_id == found.project_id, among(session, columns.id, ids)).values(deleted_at=now))  # type: ignore[arg-type]
    begin_absence(session, found.project_id, ids, now)
    source = session.get_one(EntitySource, (found.project_id, found.undo_source_id))
    if source.audit_id is not None:
        link_audits(session, found.project_id, ids, source.audit_id)
    found.undone_count += len(ids)
    change = {"list": entity_list.name, "source": found.undo_source_id, "count": len(ids)}
    record_change(session, "entity.many_deleted", project_id=found.project_id, details=change)


def _put_back(session: Session, entity_list: EntityList, found: EntityImport, ids: Sequence[int]) -> None:
    """One more version of each entity, with what stood in the version before the import."""
    if not ids:
        return
    versions, imported = EntityVersion.__table__.c, EntityVersion.__table__.alias().c
    statement = select(versions.entity_id, versions.label, versions.data, versions.division).where(
        versions.project_id == found.project_id, among(session, versions.entity_id, ids), imported.source_id == found.source_id,
        imported.project_id == versions.project_id, imported.entity_id == versions.entity_id, imported.version == versions.version + 1,
    )  # fmt: skip
    before = {row.entity_id: row for row in session.connection().execute(statement)}
    rows = []
    for entity in lock_rows(session, entity_list, ids, *CONTENT).values():
        old = before[entity.id]
        received = {name: value for name, value in old.data.items() if entity.data.get(name) != value}
        received |= {name: "" for name in entity.data if name not in old.data}
        rows.append(NewVersion(entity, old.label, old.data, {**received, "label": old.label}, old.division))
    write_versions(session, found.project_id, rows, Origin(actor_id=found.undone_by, source_id=found.undo_source_id), datetime.now(UTC))
    found.undone_count += len(rows)
    change = {"list": entity_list.name, "source": found.undo_source_id, "count": len(rows)}
    record_change(session, "entity.many_updated", project_id=found.project_id, details=change)
