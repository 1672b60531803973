"""Entity lists as phones download them: RFC 4180, columns name, label, __version, then each property."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import String, false, func, not_, or_, select, type_coerce
from sqlalchemy.orm import Session

from server.access.actor import Actor
from server.entities.lists import list_properties
from server.entities.scope import access_condition, bound_actor, downloadable, require_download, within_division
from server.model import Entity, EntityList, PurgedEntity

_ROWS_PER_CHUNK = 500
MOST_ASKED = 1000
_E: Any = Entity.__table__.c


@dataclass(frozen=True, slots=True)
class PhoneList:
    """A list as one actor sees it at this instant. `digest`: 32 hex digits, those of the manifest and the ETag; `rows`: how many."""

    digest: str
    rows: int
    properties: tuple[str, ...]


def phone_list(session: Session, actor: Actor, entity_list: EntityList) -> PhoneList:
    """What the phone would download, told from the rows' stamps alone: `digest` is another when, and only when, the bytes are.

    A stamp is new with each version of its row, whose number is in the bytes; rows of other villages are not in the sum. Whoever sees
    the same rows has the same digest. Raises: insufficient_rights.
    """
    require_download(session, actor, entity_list)
    properties = tuple(list_properties(session, entity_list))
    stamps = select(func.count(), func.sum(_E.stamp)).where(_E.list_id == entity_list.id, _E.deleted_at.is_(None))
    rows, total = session.connection().execute(downloadable(session, stamps, actor, entity_list)).one()
    shown = orjson.dumps([entity_list.id, properties, rows, int(total or 0)])
    return PhoneList(hashlib.md5(shown, usedforsecurity=False).hexdigest(), rows, properties)


def stream_csv(session: Session, actor: Actor, entity_list: EntityList, properties: tuple[str, ...]) -> Iterator[bytes]:
    """The entities that the actor may see, the newest first, in chunks; for whom `phone_list` found these properties in this transaction."""
    is_postgresql = session.get_bind().dialect.name == "postgresql"
    # The driver decodes JSONB; what SQLite keeps as text would go through SQLAlchemy's type, row by row.
    data = _E.data if is_postgresql else type_coerce(_E.data, String)
    statement = (
        select(_E.uuid, _E.label, _E.version, data).where(_E.list_id == entity_list.id, _E.deleted_at.is_(None)).order_by(_E.id.desc())
    )  # fmt: skip
    rows = session.connection().execute(downloadable(session, statement, actor, entity_list), execution_options={"yield_per": _ROWS_PER_CHUNK})
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["name", "label", "__version", *properties])
    read = (lambda known: known) if is_postgresql else orjson.loads
    for some in rows.partitions():
        # What an entity does not have is None, which is written as nothing.
        writer.writerows([uuid, label, version, *map(read(known).get, properties)] for uuid, label, version, known in some)
        yield _take(buffer)
    yield _take(buffer)


def _take(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()


def read_integrity(session: Session, actor: Actor, entity_list: EntityList, uuids: list[str]) -> list[tuple[str, bool]]:
    """(id, is gone) of each entity of the list in the actor's division, or of those asked for: at most 1,000.

    Gone is what was deleted or erased, and what this actor may not see: of those asked for also another division's.
    """
    require_download(session, actor, entity_list)
    condition = access_condition(session, actor, entity_list)
    is_hidden = false() if condition is None else not_(func.coalesce(condition, false()))
    wanted = uuids[:MOST_ASKED]
    columns = select(Entity.uuid, or_(Entity.deleted_at.is_not(None), is_hidden), Entity.division).where(Entity.list_id == entity_list.id)
    columns = columns.where(Entity.uuid.in_(wanted)) if wanted else within_division(session, columns, actor, entity_list).order_by(Entity.id)
    division = bound_actor(session, actor, entity_list).division or ""
    found = [(uuid, bool(gone) or not place.startswith(division)) for uuid, gone, place in session.execute(columns.limit(MOST_ASKED))]
    if len(found) < MOST_ASKED and (wanted or not division):
        erased = select(PurgedEntity.uuid).where(PurgedEntity.list_id == entity_list.id)
        erased = erased.where(PurgedEntity.uuid.in_(wanted)) if wanted else erased
        found += [(uuid, True) for uuid in session.scalars(erased.limit(MOST_ASKED - len(found)))]
    return found
