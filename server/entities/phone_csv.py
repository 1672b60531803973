"""Entity lists as phones download them: RFC 4180, columns name, label, __version, then each property."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, Text, cast, false, func, literal, literal_column, not_, or_, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from server.access.actor import Actor
from server.access.sealed import masked_bytes
from server.entities.lists import list_properties
from server.entities.scope import access_condition, bound_actor, downloadable, property_text, require_download, within_division
from server.entities.sums import list_digest, read_sums
from server.model import Entity, EntityList, PurgedEntity

_ROWS_PER_CHUNK = 2000
MOST_ASKED = 1000
_MOST_JOINED = 100
_E: Any = Entity.__table__.c
# Between a line's fields and after each line: what no form's answer can hold (XML 1.0), so that the database may write whole lines.
_FIELD, _LINE = "\x1f", "\x1e"
_QUOTED = ',"\n\r'
_TO_BE_QUOTED = re.compile(f"[{_QUOTED}]")


@dataclass(frozen=True, slots=True)
class PhoneList:
    """A list as one actor sees it at this instant. `digest`: 32 hex digits, those of the manifest and the ETag; `rows`: how many."""

    digest: str
    rows: int
    properties: tuple[str, ...]


def phone_list(session: Session, actor: Actor, entity_list: EntityList) -> PhoneList:
    """What the phone would download, told from stamps alone: `digest` is another when, and only when, the bytes are.

    A stamp is new with each version of its row, whose number is in the bytes; rows of other villages are not in the sum. Whoever sees
    the same rows has the same digest. Raises: insufficient_rights.
    """
    require_download(session, actor, entity_list)
    properties = tuple(list_properties(session, entity_list))
    if access_condition(session, actor, entity_list) is None:
        rows, total = read_sums(session, entity_list.id, bound_actor(session, actor, entity_list).division)
    else:
        stamps = select(func.count(), func.coalesce(func.sum(_E.stamp), 0)).where(_E.list_id == entity_list.id, _E.deleted_at.is_(None))
        rows, total = map(int, session.connection().execute(downloadable(session, stamps, actor, entity_list)).one())
    return PhoneList(list_digest(entity_list.id, properties, rows, total), rows, properties)


def stream_csv(session: Session, actor: Actor, entity_list: EntityList, properties: tuple[str, ...]) -> Iterator[bytes]:
    """The entities that the actor may see, the newest first, in chunks; for whom `phone_list` found these properties in this transaction.

    Numbers that are stored sealed are their masks. The database joins a row's fields to a line: to take each field out as an object and join it again cost most of a download.
    """
    yield _line(["name", "label", "__version", *properties]).encode()
    dialect, done = session.get_bind().dialect.name, 0
    fields = [_E.uuid, _E.label, cast(_E.version, Text), *(func.coalesce(property_text(dialect, name), "") for name in properties)]
    for count, text in _blocks(session, actor, entity_list, _joined(fields).concat(_LINE)):
        if text.count(_LINE) != count or text.count(_FIELD) != count * (len(fields) - 1):
            break
        yield masked_bytes(_as_csv(text).encode())
        done += count
    else:
        return
    # A value has a separator in it, which a program can send: the rest by its fields.
    rows = session.connection().execute(_here(session, actor, entity_list, *fields).order_by(_E.id.desc()).offset(done))
    for some in rows.partitions(_ROWS_PER_CHUNK):
        yield masked_bytes("".join(map(_line, some)).encode())


def _joined(fields: list[Any]) -> Any:
    """With separators between them. A cast cuts the chain where it would be long: SQLite takes an expression 1,000 deep."""
    if len(fields) > _MOST_JOINED:
        fields = [cast(_joined(fields[start : start + _MOST_JOINED]), Text) for start in range(0, len(fields), _MOST_JOINED)]
    line = fields[0]
    for field in fields[1:]:
        line = line.concat(_FIELD).concat(field)
    return line


def _here(session: Session, actor: Actor, entity_list: EntityList, *columns: Any) -> Select[Any]:
    return downloadable(session, select(*columns).where(_E.list_id == entity_list.id, _E.deleted_at.is_(None)), actor, entity_list)


def _blocks(session: Session, actor: Actor, entity_list: EntityList, line: Any) -> Iterator[Any]:
    """How many lines, and the lines; on PostgreSQL, where each row of an answer is a message, joined by the database."""
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        # 4,096 lines a block: whole numbers, which `/` would not leave.
        number = func.row_number().over(order_by=_E.id.desc()).op(">>")(literal_column("12"))
        lines = _here(session, actor, entity_list, line.label("line"), _E.id, number.label("block")).subquery()
        text = func.string_agg(lines.c.line, aggregate_order_by(literal(""), lines.c.id.desc()))
        blocks = select(func.count(), text).group_by(lines.c.block).order_by(lines.c.block)
        yield from connection.execute(blocks, execution_options={"yield_per": 5})
        return
    # Rows as the driver has them: SQLAlchemy's part of each cost a third of a download.
    rows = connection.execute(_in_order_of_storage(session, actor, entity_list, line).order_by(_E.id.desc())).cursor
    while some := rows.fetchmany(_ROWS_PER_CHUNK):
        yield len(some), "".join([row[0] for row in some])


def _in_order_of_storage(session: Session, actor: Actor, entity_list: EntityList, line: Any) -> Select[Any]:
    """`_here` on SQLite: a township's rows are found in the index alone and then read as they lie, not each village's through the whole table."""
    if bound_actor(session, actor, entity_list).division is None:
        return _here(session, actor, entity_list, line)
    own = within_division(session, select(literal_column("rowid")).select_from(Entity.__table__).where(_E.list_id == entity_list.id), actor, entity_list)
    statement = select(line).where(_E.deleted_at.is_(None), literal_column("entities.rowid").in_(own.correlate(None)))
    condition = access_condition(session, actor, entity_list)
    return statement if condition is None else statement.where(condition)


def _as_csv(text: str) -> str:
    # One by one: a search for any of them would take ten times as long.
    if not any(one in text for one in _QUOTED):
        return text.replace(_FIELD, ",").replace(_LINE, "\n")
    return "".join([_line(line.split(_FIELD)) for line in text[:-1].split(_LINE)])


def _line(fields: Iterable[str]) -> str:
    # The csv module leaves a bare carriage return as it is, which readers take for a line's end.
    return ",".join(['"' + field.replace('"', '""') + '"' if _TO_BE_QUOTED.search(field) else field for field in fields]) + "\n"


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
