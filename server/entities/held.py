"""Offline updates that wait: for an earlier one of their branch, or for the entity's creation. Any order of arrival ends in one outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from server.access.actor import Actor, Place, visible
from server.access.audit import record_audit
from server.entities.occasions import CREATED, RELEASED, EntityChange, Occasion
from server.entities.records import find_entity
from server.entities.sent import OfflinePlace, read_place
from server.model import ActorRow, Entity, EntityHeld, EntityList, SubmissionVersion
from server.transactions import Statement, new_id

HELD_DAYS = 5
_WAITING = Statement("SELECT 1 FROM entities_held WHERE list_id = :list_id AND uuid = :uuid LIMIT 1")


def hold(session: Session, occasion: Occasion, entity_list: EntityList, change: EntityChange, place: OfflinePlace) -> None:
    """The change waits; staff see it."""
    session.add(
        EntityHeld(
            project_id=occasion.project_id, id=new_id(), list_id=entity_list.id, uuid=change.uuid, branch_id=place.branch_id,
            base_version=place.base_version, change=asdict(change), submission_version_id=occasion.submission_version_id,
            submission_id=occasion.submission_id, actor_id=occasion.acting.id or None, division=occasion.division, held_at=datetime.now(UTC),
        )
    )  # fmt: skip
    session.flush()
    _record(session, occasion.acting, "hold", occasion.project_id, occasion.submission_id, occasion.submission_version_id)


def _record(session: Session, acting: Actor, what: str, project_id: int, submission_id: int | None, version_id: int) -> None:
    record_audit(
        session, acting, f"submission.backlog.{what}", project_id=project_id, submission_id=submission_id, submissionDefId=version_id,
        form_pk=session.scalar(select(SubmissionVersion.form_pk).where(SubmissionVersion.project_id == project_id, SubmissionVersion.id == version_id)),
    )  # fmt: skip


def is_held(session: Session, project_id: int, submission_id: int) -> bool:
    """Whether a change of this submission waits."""
    statement = select(EntityHeld.id).where(EntityHeld.project_id == project_id, EntityHeld.submission_id == submission_id)
    return session.scalar(statement.limit(1)) is not None


def release_held(session: Session, acting: Actor, entity_list: EntityList, entity: Entity) -> None:
    """What waited for the entity's versions is applied, one by one, each of which may free the next."""
    while (row := _next_held(session, entity_list, entity)) is not None:
        session.execute(delete(EntityHeld).where(EntityHeld.project_id == row.project_id, EntityHeld.id == row.id))
        _record(session, replace(acting, id=row.actor_id or acting.id), "reprocess", row.project_id, row.submission_id, row.submission_version_id)
        _apply(session, row, acting, forced=False)


def _next_held(session: Session, entity_list: EntityList, entity: Entity) -> EntityHeld | None:
    from server.entities.apply import find_base

    # Nearly always nothing waits.
    if _WAITING.on(session, {"list_id": entity_list.id, "uuid": entity.uuid}).fetchone() is None:
        return None
    held = session.scalars(
        select(EntityHeld).where(EntityHeld.list_id == entity_list.id, EntityHeld.uuid == entity.uuid)
        .order_by(EntityHeld.base_version, EntityHeld.branch_id, EntityHeld.id).limit(500)
    )  # fmt: skip
    for row in held:
        place = read_place(row.change["base_version"], row.change["trunk_version"], row.branch_id, needs_base=False)
        if find_base(session, entity, place) is not None:
            return row
    return None


def _apply(session: Session, row: EntityHeld, acting: Actor, *, forced: bool) -> None:
    from server.entities.apply import apply_all

    version = session.execute(
        select(SubmissionVersion.submission_id, SubmissionVersion.submitter_id, SubmissionVersion.user_agent)
        .where(SubmissionVersion.project_id == row.project_id, SubmissionVersion.id == row.submission_version_id)
    ).one_or_none()  # fmt: skip
    if version is None:
        return  # the submission was erased meanwhile
    change = EntityChange(**{**row.change, "permitted": tuple(row.change.get("permitted", ("create", "update")))})
    occasion = Occasion(
        project_id=row.project_id, submission_id=version.submission_id, submission_version_id=row.submission_version_id,
        submitter_id=version.submitter_id, user_agent=version.user_agent, event=CREATED if forced else RELEASED, approved=False, forced=forced,
        division=row.division, acting=_sender(session, row, acting),
    )  # fmt: skip
    errors = apply_all(session, occasion, [change])
    if errors:
        where = (SubmissionVersion.project_id == row.project_id, SubmissionVersion.id == row.submission_version_id)
        known = session.scalar(select(SubmissionVersion.entity_errors).where(*where)) or []
        session.execute(update(SubmissionVersion).where(*where).values(entity_errors=[*known, *errors]))


def _sender(session: Session, row: EntityHeld, acting: Actor) -> Actor:
    """Who sent what waited, bound as then to a division: waiting gives nobody more rights."""
    found = session.get(ActorRow, row.actor_id) if row.actor_id else None
    return Actor(found.id, found.kind, found.display_name, (), found.division) if found is not None else replace(acting, kind="system")


def force_held(session: Session, actor: Actor, *, older_than: datetime | None = None, limit: int = 500) -> int:
    """What has waited since before `older_than` (5 days ago) is applied as if nothing were missing, and marked: how many. For the jobs."""
    before = older_than or datetime.now(UTC) - timedelta(days=HELD_DAYS)
    rows = session.scalars(
        select(EntityHeld).where(EntityHeld.held_at < before).order_by(EntityHeld.branch_id, EntityHeld.base_version, EntityHeld.id).limit(limit)
    ).all()
    touched: dict[tuple[int, str], None] = {}
    for row in rows:
        gone = session.execute(delete(EntityHeld).where(EntityHeld.project_id == row.project_id, EntityHeld.id == row.id))
        if gone.rowcount != 1:  # type: ignore[attr-defined] - another node was quicker
            continue
        _record(session, replace(actor, id=row.actor_id or actor.id), "force", row.project_id, row.submission_id, row.submission_version_id)
        _apply(session, row, actor, forced=True)
        touched[row.list_id, row.uuid] = None
    for list_id, uuid in touched:
        entity_list = session.get(EntityList, list_id)
        entity = find_entity(session, entity_list, uuid) if entity_list is not None else None
        if entity_list is not None and entity is not None and entity.deleted_at is None:
            release_held(session, actor, entity_list, entity)
    return len(rows)


def list_held(session: Session, actor: Actor, project_id: int, *, list_id: int | None = None, limit: int = 200) -> Sequence[EntityHeld]:
    """What waits in the project, longest first, within the actor's division. Raises: insufficient_rights."""
    actor.require("entity.list", Place(project_id))
    conditions: list[Any] = [EntityHeld.project_id == project_id]
    if list_id is not None:
        conditions.append(EntityHeld.list_id == list_id)
    statement = select(EntityHeld).where(*conditions).order_by(EntityHeld.held_at, EntityHeld.id).limit(limit)
    return session.scalars(visible(statement, actor, "entity.list", EntityHeld)).all()
