"""Entity lists as phones download them: RFC 4180, columns name, label, __version, then each property."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.access.actor import Actor, Place, visible
from server.entities.lists import is_scoped, list_properties
from server.model import Entity, EntityList

_ROWS_PER_CHUNK = 500


def stream_csv(session: Session, actor: Actor, entity_list: EntityList) -> Iterator[bytes]:
    """The list's entities that this actor may see, by key, in chunks. Raises: insufficient_rights (before the first chunk)."""
    actor.require("dataset.download", Place(entity_list.project_id))
    return _rows(session, actor, entity_list)


def _rows(session: Session, actor: Actor, entity_list: EntityList) -> Iterator[bytes]:
    properties = list_properties(session, entity_list)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["name", "label", "__version", *properties])
    statement = (
        select(Entity.uuid, Entity.label, Entity.version, Entity.data)
        .where(Entity.list_id == entity_list.id, Entity.deleted_at.is_(None)).order_by(Entity.id)
    )  # fmt: skip
    if entity_list.owner_only and actor.kind == "phone":
        statement = statement.where(Entity.creator_id == actor.id)
    if not is_scoped(session, entity_list):
        actor = replace(actor, division=None)
    rows = session.connection().execute(visible(statement, actor, "dataset.download", Entity), execution_options={"yield_per": _ROWS_PER_CHUNK})
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
    """For each id that this actor may see or that is deleted: (id, is deleted); at most 1,000 asked at once."""
    actor.require("dataset.download", Place(entity_list.project_id))
    statement = select(Entity.uuid, Entity.deleted_at.is_not(None)).where(Entity.list_id == entity_list.id)
    if uuids:
        statement = statement.where(Entity.uuid.in_(uuids[:1000]))
    if not is_scoped(session, entity_list):
        actor = replace(actor, division=None)
    return [(uuid, bool(gone)) for uuid, gone in session.execute(visible(statement.limit(1000), actor, "dataset.download", Entity))]
