"""When entities were in the trash: what a list was at an earlier time needs to know."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from server.model import EntityAbsence

_CHUNK = 400


def begin_absence(session: Session, project_id: int, entity_ids: Sequence[int], at: datetime) -> None:
    """The entities are in the trash from `at` on; they were not before."""
    rows = [{"project_id": project_id, "entity_id": entity_id, "deleted_at": at} for entity_id in entity_ids]
    if rows:
        session.connection().execute(insert(EntityAbsence), rows)


def end_absence(session: Session, project_id: int, entity_ids: Sequence[int], at: datetime) -> None:
    """The entities are back from `at` on."""
    columns: Any = EntityAbsence.__table__.c
    for start in range(0, len(entity_ids), _CHUNK):
        some = entity_ids[start : start + _CHUNK]
        is_open = (columns.project_id == project_id, columns.entity_id.in_(some), columns.restored_at.is_(None))
        session.connection().execute(update(EntityAbsence).where(*is_open).values(restored_at=at))
