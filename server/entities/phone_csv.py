"""Entity lists as phones download them: RFC 4180, columns name, label, __version, then each property."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator

from sqlalchemy import false, func, not_, or_, select
from sqlalchemy.orm import Session

from server.access.actor import Actor
from server.entities.lists import list_properties
from server.entities.scope import access_condition, bound_actor, downloadable, require_download, within_division
from server.model import Entity, EntityList, PurgedEntity

_ROWS_PER_CHUNK = 500
MOST_ASKED = 1000


def stream_csv(session: Session, actor: Actor, entity_list: EntityList) -> Iterator[bytes]:
    """The list's entities that this actor may see, the newest first, in chunks. Raises: insufficient_rights (before the first chunk)."""
    require_download(session, actor, entity_list)
    return _rows(session, actor, entity_list)


def _rows(session: Session, actor: Actor, entity_list: EntityList) -> Iterator[bytes]:
    properties = list_properties(session, entity_list)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["name", "label", "__version", *properties])
    statement = (
        select(Entity.uuid, Entity.label, Entity.version, Entity.data)
        .where(Entity.list_id == entity_list.id, Entity.deleted_at.is_(None)).order_by(Entity.id.desc())
    )  # fmt: skip
    rows = session.connection().execute(downloadable(session, statement, actor, entity_list), execution_options={"yield_per": _ROWS_PER_CHUNK})
    for count, (uuid, label, version, data) in enumerate(rows, start=1):
        writer.writerow([uuid, label, version, *("" if data.get(name) is None else data[name] for name in properties)])
        if count % _ROWS_PER_CHUNK == 0:
            yield _take(buffer)
    yield _take(buffer)


def _take(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()


def csv_md5(session: Session, actor: Actor, entity_list: EntityList) -> str:
    """Hex MD5 of exactly the bytes that this actor would download: another village's change costs this phone nothing."""
    digest = hashlib.md5(usedforsecurity=False)
    for chunk in stream_csv(session, actor, entity_list):
        digest.update(chunk)
    return digest.hexdigest()


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
