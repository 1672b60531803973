"""Many entities at once, without SQLAlchemy's part of a row, which would cost more than the row: by COPY on PostgreSQL, by many rows a statement on SQLite."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from server.entities.records import Origin, new_stamps
from server.entities.sent_many import ManySent
from server.model import EntityList
from server.transactions import Statement, stored_time

_ENTITY = "project_id, id, list_id, uuid, label, data, version, division, creator_id, created_at, stamp"
_VERSION = "project_id, entity_id, version, label, data, division, source_id, user_agent, actor_id, created_at, forced, is_late_create"
# On PostgreSQL to the driver at once; on SQLite a statement, whose parameters are bounded, and whose program the connection keeps.
_CHUNK = 500
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
# If another's entity were in the range, it would have its first version already, and all of them be refused.
_insert_versions = Statement(
    f"INSERT INTO entity_versions ({_VERSION})"
    " SELECT project_id, id, 1, label, data, division, :source_id, :user_agent, :actor_id, created_at, false, false FROM entities"
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

    def versions(self, keys: Sequence[int]) -> dict[str, Any]:
        """What the statement of their first versions is told for those of these keys, which are in order."""
        return {
            "project_id": self.project_id, "list_id": self.list_id, "now": self.now, "first": keys[0], "last": keys[-1],
            "source_id": self.origin.source_id, "user_agent": self.origin.user_agent, "actor_id": self.origin.actor_id,
        }  # fmt: skip


@lru_cache(maxsize=2)
def _insert_entities(count: int) -> str:
    """The statement for so many on SQLite: what they have in common is told once.

    A statement a row would hand the interpreter to and fro with whatever else the process does. OR FAIL: nothing is kept for undoing
    the statement alone (migration 0011), since the savepoint undoes it all.
    """
    rows = ", ".join(["(?1, ?{}, ?2, ?{}, ?{}, ?{}, 1, ?{}, ?3, ?4, ?{})".format(*range(at, at + 6)) for at in range(5, 5 + 6 * count, 6)])
    return f"INSERT OR FAIL INTO entities ({_ENTITY}) VALUES {rows}"


def insert_many(session: Session, entity_list: EntityList, keys: list[int], sent: ManySent, divisions: Sequence[str], origin: Origin) -> bool:
    """All of them with their first versions, or none: whether it was all (an id may be in the list already). `keys`: those of transactions.new_ids."""
    now = stored_time(session, datetime.now(UTC))
    new = _New(entity_list.project_id, entity_list.id, origin, now, keys, new_stamps(len(keys)), sent, divisions)
    dialect = session.get_bind().dialect
    try:
        with session.begin_nested():
            (_copy_all if dialect.name == "postgresql" else _insert_all)(session, new)
    except (IntegrityError, dialect.loaded_dbapi.IntegrityError):
        return False
    return True


def tell_planner(session: Session) -> None:
    """PostgreSQL is told at once how many entities there are: until it looks by itself it would read a list as if it were empty.

    It holds up neither readers nor writers; without the right to, PostgreSQL warns and goes on. SQLite needs none of it.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("ANALYZE entities, entity_versions"))


def _insert_all(session: Session, new: _New) -> None:
    connection = session.connection()
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
        _insert_versions.on(session, new.versions(keys))
    entities, totals = Counter(new.divisions), Counter[str]()
    for division, stamp in zip(new.divisions, new.stamps, strict=True):
        totals[division] += stamp
    connection.exec_driver_sql(
        _ADD_SUMS, [{"list_id": new.list_id, "division": one, "entities": entities[one], "total": totals[one]} for one in entities]
    )  # fmt: skip
    connection.exec_driver_sql("DELETE FROM entity_sums WHERE list_id = 0")


def _copy_all(session: Session, new: _New) -> None:
    driver: Any = session.connection().connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY entities ({_ENTITY}) FROM STDIN") as copy:
        # The database stores one chunk while the next is made.
        for chunk in new.chunks():
            copy.write(_entity_lines(new, chunk).encode())
    _insert_versions.on(session, new.versions(new.keys))


def _entity_lines(new: _New, chunk: slice) -> str:
    actor = "\\N" if new.origin.actor_id is None else new.origin.actor_id
    start, of_list, end = f"{new.project_id}\t", f"\t{new.list_id}\t", f"\t{actor}\t{new.now}\t"
    labels, data = _escaped(new.sent.labels[chunk]), _escaped([orjson.dumps(values).decode() for values in new.sent.data[chunk]])
    columns = (new.keys[chunk], new.sent.uuids[chunk], labels, data, new.divisions[chunk], new.stamps[chunk])
    return "".join([
        f"{start}{key}{of_list}{uuid}\t{label}\t{values}\t1\t{division}{end}{stamp}\n" for key, uuid, label, values, division, stamp in zip(*columns, strict=True)
    ])  # fmt: skip


def _escaped(texts: list[str]) -> list[str]:
    """As COPY reads them: mostly there is nothing to be escaped in any."""
    joined = "".join(texts)
    return [one.translate(_ESCAPES) for one in texts] if any(chr(code) in joined for code in _ESCAPES) else texts
