"""Projects: made, listed with what is in them, changed, archived, deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor, Place, division_end
from server.access.audit import record_audit
from server.model import ActorRow, Entity, EntityList, Form, Phone, Project, Submission

LIST_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class ProjectCounts:
    """What is in a project, as far as the actor's division allows."""

    forms: int
    app_users: int
    datasets: int
    last_submission: datetime | None
    last_entity: datetime | None


def create_project(session: Session, actor: Actor, *, name: str, description: str | None = None, archived: bool | None = None) -> Project:
    """Raises: insufficient_rights."""
    actor.require("project.create", Place())
    project = Project(name=name, description=description, archived=archived, created_at=datetime.now(UTC))
    session.add(project)
    session.flush()
    record_audit(session, actor, "project.create", project_id=project.id, data={"name": name})
    return project


def find_project(session: Session, project_id: int) -> Project:
    """The project, for a view whose next call checks the right. Raises: not_found, value_out_of_range."""
    if project_id >= 2**31:
        raise problems.value_out_of_range(project_id, "integer")
    project = session.get(Project, project_id)
    if project is None or project.deleted_at is not None:
        raise problems.not_found()
    return project


def get_project(session: Session, actor: Actor, project_id: int, *, verb: str = "project.read") -> Project:
    """Raises: not_found, insufficient_rights."""
    project = find_project(session, project_id)
    actor.require(verb, project)
    return project


def list_projects(session: Session, actor: Actor) -> Sequence[Project]:
    """The projects in which the actor sees forms: those in use first, then by name."""
    archived = func.coalesce(Project.archived, False)
    rows = session.scalars(select(Project).where(Project.deleted_at.is_(None)).order_by(archived, Project.name).limit(LIST_LIMIT)).all()
    return [row for row in rows if _sees(actor, row.id)]


def _sees(actor: Actor, project_id: int) -> bool:
    place = Place(project_id)
    return actor.can("project.read", place) and actor.can("open_form.list", place)


def update_project(session: Session, actor: Actor, project: Project, changes: dict[str, Any]) -> None:
    """`changes`: name, description, archived, as given. Raises: insufficient_rights."""
    actor.require("project.update", project)
    for name, value in changes.items():
        setattr(project, name, value)
    project.updated_at = datetime.now(UTC)
    session.flush()
    record_audit(session, actor, "project.update", project_id=project.id, data=changes)


def delete_project(session: Session, actor: Actor, project: Project) -> None:
    """Nobody sees the project any more; its rows stay. Raises: insufficient_rights."""
    actor.require("project.delete", project)
    project.deleted_at = datetime.now(UTC)
    record_audit(session, actor, "project.delete", project_id=project.id)


def count_project(session: Session, actor: Actor, project_id: int) -> ProjectCounts:
    """Each number by one indexed query."""
    received = select(Submission.received_at).where(
        Submission.project_id == project_id, Submission.is_draft.is_(False), Submission.deleted_at.is_(None)
    )
    if actor.division:
        received = received.where(Submission.division >= actor.division, Submission.division < division_end(actor.division))
    phones = select(func.count()).select_from(Phone).join(ActorRow, ActorRow.id == Phone.actor_id)
    lists = select(func.count()).select_from(EntityList).where(EntityList.project_id == project_id, EntityList.deleted_at.is_(None))
    entities = select(func.max(Entity.created_at)).where(Entity.project_id == project_id, Entity.deleted_at.is_(None))
    return ProjectCounts(
        session.scalar(select(func.count()).select_from(Form).where(Form.project_id == project_id, Form.deleted_at.is_(None))) or 0,
        session.scalar(phones.where(Phone.project_id == project_id, ActorRow.deleted_at.is_(None))) or 0,
        session.scalar(lists) or 0,
        session.scalar(received.order_by(Submission.received_at.desc(), Submission.id.desc()).limit(1)),
        session.scalar(entities),
    )
