"""What a user set in a program's pages, for the site or for a project."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor
from server.access.audit import record_audit
from server.model import Project, UserPreference

_SITE = 0
_MOST = 1000


def _check(session: Session, actor: Actor, project_id: int | None, name: str) -> int:
    if not actor.id or actor.kind != "user":
        raise problems.insufficient_rights()
    if len(name) > 255:
        raise problems.value_too_long("propertyName", 255)
    if project_id is None:
        return _SITE
    project = session.get(Project, project_id)
    if project is None or project.deleted_at is not None:
        raise problems.not_found()
    return project_id


def set_preference(session: Session, actor: Actor, project_id: int | None, name: str, value: Any) -> None:
    """The user's own preference has this value. Raises: insufficient_rights (no user), not_found (no such project)."""
    place = _check(session, actor, project_id, name)
    row = session.get(UserPreference, (actor.id, place, name))
    if row is None:
        session.add(UserPreference(actor_id=actor.id, project_id=place, name=name, value={"value": value}))
    else:
        row.value = {"value": value}
    session.flush()
    record_audit(session, actor, "user.preference.update", project_id=project_id, propertyName=name, propertyValue=value)


def remove_preference(session: Session, actor: Actor, project_id: int | None, name: str) -> None:
    """The user's own preference is gone. Raises: insufficient_rights, not_found (also if it was not set)."""
    row = session.get(UserPreference, (actor.id, _check(session, actor, project_id, name), name))
    if row is None:
        raise problems.not_found()
    session.delete(row)
    record_audit(session, actor, "user.preference.delete", project_id=project_id, propertyName=name)


def read_preferences(session: Session, actor: Actor) -> dict[str, Any]:
    """{"site": {name: value}, "projects": {project id: {name: value}}}."""
    found: dict[str, Any] = {"site": {}, "projects": {}}
    rows = session.scalars(select(UserPreference).where(UserPreference.actor_id == actor.id).order_by(UserPreference.name).limit(_MOST))
    for row in rows:
        place = found["site"] if row.project_id == _SITE else found["projects"].setdefault(str(row.project_id), {})
        place[row.name] = row.value["value"]
    return found
