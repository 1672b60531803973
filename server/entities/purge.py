"""What has been in the trash for 30 days is erased for good; its ids are not used again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, exists, insert, select, update
from sqlalchemy.orm import Session

from server.access.actor import Actor
from server.entities.lists import record_list_audit
from server.model import (
    Entity,
    EntityAbsence,
    EntityAudit,
    EntityHeld,
    EntityImport,
    EntityList,
    EntityProperty,
    EntitySource,
    EntitySum,
    EntityVersion,
    FormAttachment,
    PurgedEntity,
)

TRASH_DAYS = 30
_CHUNK = 500


def purge_entities(session: Session, actor: Actor, *, deleted_before: datetime | None = None, list_id: int | None = None, limit: int = 5000) -> int:
    """Entities that were deleted before then (30 days ago), with their versions: how many, at most `limit`. For the jobs.
    """
    before = deleted_before or datetime.now(UTC) - timedelta(days=TRASH_DAYS)
    statement = select(Entity.project_id, Entity.id, Entity.list_id, Entity.uuid).where(Entity.deleted_at < before)
    if list_id is not None:
        statement = statement.where(Entity.list_id == list_id)
    rows = session.execute(statement.order_by(Entity.deleted_at).limit(limit)).all()
    for entity_list_id in dict.fromkeys(row.list_id for row in rows):
        own = [row for row in rows if row.list_id == entity_list_id]
        for start in range(0, len(own), _CHUNK):
            _erase(session, own[start : start + _CHUNK])
        record_list_audit(session, actor, "entity.purge", session.get_one(EntityList, entity_list_id), entitiesDeleted=len(own))
    return len(rows)


def _erase(session: Session, rows: Sequence[Any]) -> None:
    project_id, list_id = rows[0].project_id, rows[0].list_id
    ids, uuids, now = [row.id for row in rows], [row.uuid for row in rows], datetime.now(UTC)
    connection = session.connection()
    connection.execute(insert(PurgedEntity), [{"list_id": list_id, "uuid": uuid, "purged_at": now} for uuid in uuids])
    for table in (EntityVersion, EntityAudit, EntityAbsence):
        columns: Any = table.__table__.c
        connection.execute(delete(table).where(columns.project_id == project_id, columns.entity_id.in_(ids)))
    connection.execute(delete(EntityHeld).where(EntityHeld.list_id == list_id, EntityHeld.uuid.in_(uuids)))
    connection.execute(delete(Entity).where(Entity.project_id == project_id, Entity.id.in_(ids)))


def purge_lists(session: Session, actor: Actor, *, deleted_before: datetime | None = None, limit: int = 20) -> int:
    """Lists that were deleted before then (30 days ago), with their entities: how many. For the jobs."""
    before = deleted_before or datetime.now(UTC) - timedelta(days=TRASH_DAYS)
    lists = session.scalars(select(EntityList).where(EntityList.deleted_at < before).order_by(EntityList.deleted_at).limit(limit)).all()
    for row in lists:
        own: Any = select(Entity.id).where(Entity.project_id == row.project_id, Entity.list_id == row.id)
        for table in (EntityVersion, EntityAudit, EntityAbsence):
            columns: Any = table.__table__.c
            session.execute(delete(table).where(columns.project_id == row.project_id, columns.entity_id.in_(own)))
        session.execute(update(FormAttachment).where(FormAttachment.list_id == row.id).values(list_id=None))
        for of_list in (EntityHeld, EntityImport, EntitySource, Entity, EntitySum, EntityProperty, PurgedEntity):
            table_columns: Any = of_list.__table__.c
            session.execute(delete(of_list).where(table_columns.list_id == row.id))
        record_list_audit(session, actor, "dataset.purge", row, name=row.name)
        session.delete(row)
        session.flush()
    return len(lists)


def has_trash(session: Session, *, before: datetime) -> bool:
    """Whether anything waits to be erased."""
    return bool(session.scalar(select(exists().where(Entity.deleted_at < before)))) or bool(
        session.scalar(select(exists().where(EntityList.deleted_at < before)))
    )
