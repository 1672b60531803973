"""What is in projects, nested into their list: forms and entity lists, extended."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.access.actor import Actor, Place, division_end
from server.forms.reading import count_forms, list_readable
from server.http.json_answers import instant
from server.model import Entity, EntityList
from server.rest.form_shapes import extended_form_shape

Shapes = dict[int, dict[str, Any]]


def add_form_lists(session: Session, actor: Actor, shapes: Shapes) -> None:
    """Each project's `formList`, and the counts that follow from it."""
    for project_id, shape in shapes.items():
        rows = list_readable(session, actor, project_id)
        counts = count_forms(session, actor, [row.form for row in rows])
        shape["formList"] = [extended_form_shape(session, row, counts[row.form.id]) for row in rows]
        last = [form["lastSubmission"] for form in shape["formList"] if form["lastSubmission"]]
        shape |= {"forms": len(rows), "lastSubmission": max(last, default=None)}


def add_entity_lists(session: Session, actor: Actor, shapes: Shapes) -> None:
    """Each project's `datasetList`, for who may list them, and the counts that follow from it."""
    for project_id, shape in shapes.items():
        lists = _lists(session, actor, project_id) if actor.can("dataset.list", Place(project_id)) else []
        last = [one["lastEntity"] for one in lists if one["lastEntity"]]
        shape |= {"datasetList": lists, "datasets": len(lists), "lastEntity": max(last, default=None)}


def _lists(session: Session, actor: Actor, project_id: int) -> list[dict[str, Any]]:
    living = Entity.deleted_at.is_(None)
    entities = select(Entity.list_id, func.count(), func.max(Entity.created_at), func.count(Entity.conflict)).where(Entity.project_id == project_id, living)
    if actor.division:
        entities = entities.where(Entity.division >= actor.division, Entity.division < division_end(actor.division))
    found = {row[0]: row[1:] for row in session.execute(entities.group_by(Entity.list_id))}
    rows = session.scalars(select(EntityList).where(EntityList.project_id == project_id, EntityList.deleted_at.is_(None)).order_by(EntityList.name).limit(1000))
    shapes = []
    for row in rows:
        number, last, conflicts = found.get(row.id, (0, None, 0))
        shapes.append({
            "projectId": project_id, "name": row.name, "approvalRequired": row.approval_required, "ownerOnly": row.owner_only,
            "createdAt": instant(row.created_at), "entities": number, "lastEntity": instant(last), "conflicts": conflicts,
        })  # fmt: skip
    return shapes
