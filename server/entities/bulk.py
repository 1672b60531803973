"""Many entities at once, without SQLAlchemy's part of a row, which would cost more than the row: by COPY on PostgreSQL, by many rows a statement on SQLite."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from server.entities.records import Origin, new_stamps
from server.entities.sent_many import ManySent
from server.model import EntityList
from server.transactions import stored_time

_ENTITY = "project_id, id, list_id, uuid, label, data, version, division, creator_id, created_at, stamp"
_VERSION = "project_id, entity_id, version, label, data, division, source_id, user_agent, actor_id, created_at, forced, is_late_create"
# On PostgreSQL to the driver at once; on SQLite a statement, whose parameters are bounded, and whose program the connection keeps.
_CHUNK = 500
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
# A chunk at once: a statement a row would hand the interpreter to and fro with whatever else the process does.
# OR FAIL: what would undo the statement alone is not kept (migration 0011), since the savepoint undoes it all.
# If another's entity were in the range, it would have its first version already, and all of them be refused.
_INSERT_VERSIONS = (
    f"INSERT OR FAIL INTO entity_versions ({_VERSION})"
    " SELECT project_id, id, 1, label, data, division, :source_id, :user_agent, :actor_id, created_at, 0, 0 FROM entities"
    " WHERE project_id = :project_id AND id BETWEEN :first AND :last AND list_id = :list_id AND created_at = :now"
)
_SUMS = "INSERT INTO entity_sums (list_id, division, slot, entities, total)"
_ADD_SUMS = (
    f"{_SUMS} VALUES (:list_id, :division, 0, :entities, :total) ON CONFLICT (list_id, division, slot)"
    " DO UPDATE SET entities = entity_sums.entities + excluded.entities, total = entity_sums.total + excluded.total"
)


@dataclass(frozen=True, slots=True)
class _New:
    """The entities by columns, and what they have in common."""

    project_id: int
    list_id: int
    origin: Origin
    now: Any
    keys: list[int]
    stamps: list[int]
    sent: ManySent
    divisions: Sequence[str]

    def chunks(self) -> Iterator[slice]:
        return (slice(start, start + _CHUNK) for start in range(0, len(self.keys), _CHUNK))


@lru_cache(maxsize=2)
def _insert_entities(count: int) -> str:
    """The statement for so many: what they have in common is told once."""
    rows = ", ".join(["(?1, ?{}, ?2, ?{}, ?{}, ?{}, 1, ?{}, ?3, ?4, ?{})".format(*range(at, at + 6)) for at in range(5, 5 + 6 * count, 6)])
    return f"INSERT OR FAIL INTO entities ({_ENTITY}) VALUES {rows}"


def insert_many(session: Session, entity_list: EntityList, keys: list[int], sent: ManySent, divisions: Sequence[str], origin: Origin) -> bool:
    """All of them with their first versions, or none: whether it was all (an id may be in the list already). `keys`: those of transactions.new_ids."""
    now = stored_time(session, datetime.now(UTC))
    new = _New(entity_list.project_id, entity_list.id, origin, now, keys, new_stamps(len(keys)), sent, divisions)
    try:
        with session.begin_nested():
            # Asked for here, it is in the savepoint.
            connection = session.connection()
            if connection.dialect.name == "postgresql":
                _copy_all(connection, new)
            else:
                _insert_all(connection, new)
    except IntegrityError:
        return False
    return True


def tell_planner(session: Session) -> None:
    """PostgreSQL is told at once how many entities there are: until it looks by itself it would read a list as if it were empty.

    It holds up neither readers nor writers; without the right to, PostgreSQL warns and goes on. SQLite needs none of it.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("ANALYZE entities, entity_versions"))


def _insert_all(connection: Connection, new: _New) -> None:
    common = {
        "project_id": new.project_id, "list_id": new.list_id, "now": new.now, "actor_id": new.origin.actor_id, "source_id": new.origin.source_id,
        "user_agent": new.origin.user_agent,
    }  # fmt: skip
    # While list 0 has sums, no trigger adds to any (migration 0010).
    connection.exec_driver_sql(f"{_SUMS} VALUES (0, '', 0, 0, 0)")
    shared = (new.project_id, new.list_id, new.origin.actor_id, new.now)
    for chunk in new.chunks():
        keys, data = new.keys[chunk], [orjson.dumps(values).decode() for values in new.sent.data[chunk]]
        rows: list[Any] = [None] * (6 * len(keys))
        for at, column in enumerate((keys, new.sent.uuids[chunk], new.sent.labels[chunk], data, new.divisions[chunk], new.stamps[chunk])):
            rows[at::6] = column
        # The connection keeps the program of each statement: of a whole chunk and of one row, not of each number of rows that is left.
        count = _CHUNK if len(keys) == _CHUNK else 1
        for start in range(0, len(rows), 6 * count):
            connection.exec_driver_sql(_insert_entities(count), (*shared, *rows[start : start + 6 * count]))
        connection.exec_driver_sql(_INSERT_VERSIONS, {**common, "first": keys[0], "last": keys[-1]})
    entities, totals = Counter(new.divisions), Counter[str]()
    for division, stamp in zip(new.divisions, new.stamps, strict=True):
        totals[division] += stamp
    connection.exec_driver_sql(
        _ADD_SUMS, [{"list_id": new.list_id, "division": one, "entities": entities[one], "total": totals[one]} for one in entities]
    )  # fmt: skip
    connection.exec_driver_sql("DELETE FROM entity_sums WHERE list_id = 0")


def _copy_all(connection: Connection, new: _New) -> None:
    written: list[_Written] = []

    def entities() -> Iterator[str]:
        for chunk in new.chunks():
            one = _Written(chunk, _escaped(new.sent.labels[chunk]), _escaped([orjson.dumps(values).decode() for values in new.sent.data[chunk]]))
            written.append(one)
            yield _entity_lines(new, one)

    _copy(connection, f"entities ({_ENTITY})", entities())
    _copy(connection, f"entity_versions ({_VERSION})", (_version_lines(new, one) for one in written))


@dataclass(frozen=True, slots=True)
class _Written:
    """A chunk's labels, and its values as JSON, as COPY reads them."""

    chunk: slice
    labels: Sequence[str]
    data: Sequence[str]


def _entity_lines(new: _New, written: _Written) -> str:
    chunk, actor = written.chunk, _known(new.origin.actor_id)
    start, of_list, end = f"{new.project_id}\t", f"\t{new.list_id}\t", f"\t{actor}\t{new.now}\t"
    columns = (new.keys[chunk], new.sent.uuids[chunk], written.labels, written.data, new.divisions[chunk], new.stamps[chunk])
    return "".join([
        f"{start}{key}{of_list}{uuid}\t{label}\t{values}\t1\t{division}{end}{stamp}\n" for key, uuid, label, values, division, stamp in zip(*columns, strict=True)
    ])  # fmt: skip


def _version_lines(new: _New, written: _Written) -> str:
    chunk, origin = written.chunk, new.origin
    start, end = f"{new.project_id}\t", f"\t{_known(origin.source_id)}\t{_known(origin.user_agent)}\t{_known(origin.actor_id)}\t{new.now}\tf\tf\n"
    columns = (new.keys[chunk], written.labels, written.data, new.divisions[chunk])
    return "".join([f"{start}{key}\t1\t{label}\t{values}\t{division}{end}" for key, label, values, division in zip(*columns, strict=True)])


def _copy(connection: Connection, target: str, chunks: Iterable[str]) -> None:
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN") as copy:
            # The database stores one chunk while the next is made.
            for chunk in chunks:
                copy.write(chunk.encode())
    except connection.dialect.loaded_dbapi.IntegrityError as error:
        # As SQLAlchemy would have told it.
        raise IntegrityError(target, None, error) from error


def _known(value: int | str | None) -> str:
    return "\\N" if value is None else _escaped([str(value)])[0]


def _escaped(texts: list[str]) -> list[str]:
    """As COPY reads them: mostly there is nothing to be escaped in any."""
    joined = "".join(texts)
    return [one.translate(_ESCAPES) for one in texts] if any(chr(code) in joined for code in _ESCAPES) else texts
