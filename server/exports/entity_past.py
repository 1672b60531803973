"""What an entity list was at an earlier time: each entity's newest version of then, without those that were in the trash.

Who is bound to a division sees a row where both the version's division and the entity's present one lie within it: nobody gains sight
of another village's past, and what has been handed over is no longer the former village's.
Erased entities are gone from the past too. Which conflicts were open then is not known any more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, case, exists, func, null, or_, select, true
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor, division_end
from server.entities.scope import bound_actor
from server.model import Entity, EntityAbsence, EntityList, EntityVersion
from server.settings import CHINA

_E: Any = Entity.__table__.c
_FORM = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]|\Z)")


def read_as_of(text: str | None) -> datetime | None:
    """`2026-03-31` (the end of that day in China), or an ISO instant (China's, where it names no zone); None: absent, or yet to come.

    Raises: as_of_unreadable.
    """
    if not text:
        return None
    try:
        at = _read(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise problems.as_of_unreadable(text[:100]) from None
    return at if at < datetime.now(UTC) else None


def _read(text: str) -> datetime:
    if not _FORM.match(text):
        raise ValueError(text)
    if len(text) == 10:
        return datetime.combine(date.fromisoformat(text), time.max, CHINA)
    # An unescaped + of an address is read as a space.
    given = datetime.fromisoformat(text.replace(" ", "+"))
    return given if given.tzinfo is not None else given.replace(tzinfo=CHINA)


@dataclass(frozen=True, slots=True)
class Past:
    """A time, and the columns of the versions that were the newest then."""

    at: datetime
    version: FromClause

    def source(self) -> FromClause:
        """Entities with their versions of then."""
        entity: Any = Entity.__table__
        return entity.join(self.version, _is_newest(self.version, self.at))

    def columns(self, creator: FromClause) -> tuple[Any, ...]:
        """Those of an EntityRecord."""
        then, name = self.version.c, creator.c["display_name"]
        updated_at = case((then.version > 1, then.created_at), else_=null())
        return (_E.id, _E.uuid, then.label, then.data, then.version, null(), _E.creator_id, name, _E.created_at, updated_at, null())

    def condition(self) -> ColumnElement[bool]:
        """The entity was not in the trash then."""
        absence: Any = EntityAbsence.__table__.c
        is_its_own = and_(absence.project_id == _E.project_id, absence.entity_id == _E.id)
        was_away = and_(absence.deleted_at <= self.at, or_(absence.restored_at.is_(None), absence.restored_at > self.at))
        return ~exists(select(1).select_from(EntityAbsence.__table__).where(is_its_own, was_away))

    def scope(self, session: Session, actor: Actor, entity_list: EntityList) -> ColumnElement[bool]:
        """The version of then belongs to the actor's division; beside the rule for the present one."""
        bound = bound_actor(session, actor, entity_list).division
        return self.lies_in(bound) if bound else true()

    def lies_in(self, division: str) -> ColumnElement[bool]:
        """The version of then belongs to this division, or to one in it."""
        column = self.version.c.division
        return and_(column >= division, column < division_end(division))


def past_of(dialect: str, at: datetime) -> Past:
    """Reads each entity's versions by their key, the newest first, on either database, however many there are."""
    table: Any = EntityVersion.__table__
    if dialect != "postgresql":
        return Past(at, table.alias("past"))
    its_own = and_(table.c.project_id == _E.project_id, table.c.entity_id == _E.id, table.c.created_at <= at)
    columns = (table.c.version, table.c.label, table.c.data, table.c.division, table.c.created_at)
    return Past(at, select(*columns).where(its_own).order_by(table.c.version.desc()).limit(1).lateral("past"))


def _is_newest(version: FromClause, at: datetime) -> ColumnElement[bool]:
    if "entity_id" not in version.c:
        return true()
    other: Any = EntityVersion.__table__.alias("earlier")
    newest = select(func.max(other.c.version)).where(other.c.project_id == _E.project_id, other.c.entity_id == _E.id, other.c.created_at <= at)
    its_own = (version.c.project_id == _E.project_id, version.c.entity_id == _E.id)
    return and_(*its_own, version.c.version == newest.correlate(Entity.__table__).scalar_subquery())
