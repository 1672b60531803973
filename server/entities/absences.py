"""When entities were in the trash: what a list was at an earlier time needs to know."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, literal, select, update
from sqlalchemy.orm import Session

from server.entities.among import among
from server.model import Entity, EntityAbsence
from server.model.schema import Instant


def begin_absence(session: Session, project_id: int, entity_ids: Sequence[int], at: datetime) -> None:
    """The entities are in the trash from `at` on; they were not before."""
    table: Any = Entity.__table__.c
    begun = select(table.project_id, table.id, literal(at, Instant)).where(table.project_id == project_id, among(session, table.id, entity_ids))
    session.connection().execute(insert(EntityAbsence).from_select(["project_id", "entity_id", "deleted_at"], begun))


def end_absence(session: Session, project_id: int, entity_ids: Sequence[int], at: datetime) -> None:
    """The entities are back from `at` on."""
    columns: Any = EntityAbsence.__table__.c
    is_open = (columns.project_id == project_id, among(session, columns.entity_id, entity_ids), columns.restored_at.is_(None))
    session.connection().execute(update(EntityAbsence).where(*is_open).values(restored_at=at))
