"""Names under which a project's phones and public links carry values, and the values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor
from server.access.audit import record_audit
from server.model import ActorProperty, ActorRow, Project

# As for entity properties: an XML name without a colon, nothing reserved.
_NAME = re.compile(r"[^\W\d][\w.\-]*", re.UNICODE)
_RESERVED = {"name", "label", "displayname"}
_MOST = 1000


def add_property(session: Session, actor: Actor, project: Project, name: Any) -> None:
    """The project knows the name. Raises: insufficient_rights, unexpected_value, uniqueness_violation."""
    actor.require("actor_property.update", project)
    if not isinstance(name, str) or len(name) > 255 or not _NAME.fullmatch(name) or name.lower() in _RESERVED or name.startswith("__"):
        shown = "undefined" if name is None else str(name)[:255]
        raise problems.unexpected_value("name", shown, "This is not a valid property name.")
    if name in list_properties(session, actor, project):
        raise problems.uniqueness_violation(["projectId", "name"], [str(project.id), name])
    session.add(ActorProperty(project_id=project.id, name=name, created_at=datetime.now(UTC)))
    session.flush()
    record_audit(session, actor, "actor_property.create", project_id=project.id, name=name)


def list_properties(session: Session, actor: Actor, project: Project) -> Sequence[str]:
    """The names in order. Raises: insufficient_rights."""
    actor.require("actor_property.list", project)
    return session.scalars(
        select(ActorProperty.name).where(ActorProperty.project_id == project.id).order_by(ActorProperty.name).limit(_MOST)
    ).all()


def list_values(session: Session, actor: Actor, project: Project) -> dict[str, list[str]]:
    """Each name's values in use, in order. Raises: insufficient_rights."""
    values: dict[str, set[str]] = {name: set() for name in list_properties(session, actor, project)}
    rows = session.scalars(
        select(ActorRow.properties).where(ActorRow.project_id == project.id, ActorRow.properties.is_not(None), ActorRow.deleted_at.is_(None)).limit(10_000)
    )
    for properties in rows:
        for name, value in (properties or {}).items():
            values.setdefault(name, set()).add(value)
    return {name: sorted(found) for name, found in values.items()}


def read_values(properties: Any, known: Sequence[str]) -> dict[str, str | None]:
    """What a program wants to set: None takes a value away. Raises: unexpected_value."""
    if not isinstance(properties, dict):
        raise problems.unexpected_value("properties", str(properties)[:100], "Must be an object.")
    for name, value in properties.items():
        if name not in known:
            raise problems.unexpected_value("properties", name[:255], "Unknown property name.")
        if value is not None and (not isinstance(value, str) or len(value) > 1000):
            raise problems.unexpected_value(name, str(value)[:100], "Property values must be strings or null.")
    return {name: (value or "").strip() or None for name, value in properties.items()}


def set_values(session: Session, actor: Actor, holder: ActorRow, values: dict[str, str | None]) -> None:
    """The phone or public link carries these values beside those it had; the caller has checked the right to it."""
    if not values:
        return
    merged = {**(holder.properties or {}), **values}
    holder.properties = {name: value for name, value in merged.items() if value is not None}
    session.flush()
    action = "public_link.property.set" if holder.kind == "public_link" else "field_key.property.set"
    record_audit(session, actor, action, project_id=holder.project_id, thing=str(holder.id), properties=values)
