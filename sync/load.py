"""load_batch(target, batch): rows and cursor in one target transaction, so that a crash at any instant loses and doubles nothing."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from server import problems
from sync.rows import Row, RowMaker, Rows, other_row_id
from sync.sources import Batch, SubmissionState
from sync.tables import CURSOR, CentralTables, FormTable, PostgisGeometry

log = logging.getLogger(__name__)
_ROWS, _FORMS = 1, 2
# Below this many rows, statements are cheaper than opening a COPY.
_COPY_FROM = 20
_PYTHON_REFUSALS = (UnicodeError, OverflowError, TypeError, ValueError)


def read_position(connection: Connection) -> int:
    """How far the target's rows are; 0 for an empty one."""
    return connection.scalar(select(CURSOR.c.position).where(CURSOR.c.id == _ROWS)) or 0


def read_forms_position(connection: Connection) -> int:
    """How far the target's tables are grown; 0 for an empty one."""
    return connection.scalar(select(CURSOR.c.position).where(CURSOR.c.id == _FORMS)) or 0


def load_batch(connection: Connection, tables: CentralTables, batch: Batch) -> None:
    """The target has the batch's rows, and its cursor stands at the batch's end. The caller commits both or neither.

    Raises: busy (the target went away).
    """
    for form in batch.forms:
        tables.grow(connection, form)
    target = _Target(connection)
    for gone in batch.purged:
        own = tables.of_form(gone.project_id, gone.form_id)
        for made in own.values():
            target.delete(made, [gone.instance_id])
    by_form: dict[tuple[int, str], dict[str, SubmissionState]] = defaultdict(dict)
    for state in batch.submissions:
        tables.grow(connection, state.form)
        by_form[state.form.project_id, state.form.form_id][state.instance_id] = state
    for (project_id, form_id), states in by_form.items():
        _replace(target, tables.of_form(project_id, form_id), states)
    for gone_or_back in batch.trashed:
        main = tables.of_form(gone_or_back.project_id, gone_or_back.form_id).get(())
        if main is not None:
            for chunk in gone_or_back.rows():
                target.mark(main, chunk)
    _save_positions(target, batch)


def _replace(target: _Target, own: dict[tuple[str, ...], FormTable], states: dict[str, SubmissionState]) -> None:
    maker = RowMaker.of(target.connection)
    for state in states.values():
        maker.add(own, state)
    rows: Rows = maker.finish()
    main = own[()]
    there = target.existing(main, list(states))
    for path, made in own.items():
        if path and there:
            target.delete(made, list(there))
    every = rows[main.table.name]
    target.write(main, [row for row in every if row[0] not in there])
    target.write(main, [row for row in every if row[0] in there], replace=True)
    for path, made in own.items():
        if path:
            target.write(made, rows[made.table.name])


def _save_positions(target: _Target, batch: Batch) -> None:
    upsert = "INSERT INTO minqing_cursor (id, position) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET position = excluded.position"
    for row, position in ((_ROWS, batch.position), (_FORMS, batch.forms_position)):
        target.run(upsert, (row, position))


class _Target:
    """Statements run by the driver alone: SQLAlchemy's part of a row costs more than the database's."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._cursor = connection.connection.cursor()
        self._dbapi = connection.dialect.loaded_dbapi
        self._is_postgresql = connection.dialect.name == "postgresql"
        self._quote = connection.dialect.identifier_preparer.quote_identifier
        self._refusals = (self._dbapi.IntegrityError, self._dbapi.DataError, self._dbapi.ProgrammingError,
                          self._dbapi.NotSupportedError, *_PYTHON_REFUSALS)  # fmt: skip

    def run(self, sql: str, parameters: Any, *, many: bool = False) -> Any:
        """The cursor after `sql` with `?` for values. Raises: busy."""
        if self._is_postgresql:
            sql = sql.replace("?", "%s")
        try:
            return self._cursor.executemany(sql, parameters) if many else self._cursor.execute(sql, parameters)
        except self._dbapi.OperationalError as error:
            raise problems.busy() from error

    def existing(self, made: FormTable, instance_ids: list[str]) -> set[str]:
        """Those that have a row in this table."""
        found = self.run(f"SELECT instance_id FROM {self._quote(made.table.name)} WHERE {self._among()}", (self._list(instance_ids),))
        return {instance_id for (instance_id,) in found.fetchall()}

    def delete(self, made: FormTable, instance_ids: list[str]) -> None:
        """No row of these submissions is in this table."""
        self.run(f"DELETE FROM {self._quote(made.table.name)} WHERE {self._among()}", (self._list(instance_ids),))

    def mark(self, made: FormTable, deletions: list[tuple[str, datetime | None]]) -> None:
        """These submissions' rows say when they were deleted, or that they were not."""
        at = RowMaker.of(self.connection).instant
        rows = [(at(deleted_at) if deleted_at else None, instance_id) for instance_id, deleted_at in deletions]
        self.run(f"UPDATE {self._quote(made.table.name)} SET deleted_at = ? WHERE instance_id = ?", rows, many=True)

    def _among(self) -> str:
        return "instance_id = ANY(?)" if self._is_postgresql else "instance_id IN (SELECT value FROM json_each(?))"

    def _list(self, instance_ids: list[str]) -> Any:
        return instance_ids if self._is_postgresql else RowMaker.of(self.connection).json(instance_ids)

    def write(self, made: FormTable, rows: list[Row], *, replace: bool = False) -> None:
        """The rows are in the table, in place of those with the same key if `replace`. Raises: busy.

        One row that the database refuses must not hold up all others for ever: then each goes alone.
        """
        if not rows:
            return
        self.run("SAVEPOINT rows", ())
        try:
            if self._is_postgresql and not replace and len(rows) >= _COPY_FROM:
                self._copy(made, rows)
            else:
                self.run(self._insert(made, replace=replace), rows, many=True)
        except self._refusals:
            self.run("ROLLBACK TO SAVEPOINT rows", ())
            for row in rows:
                self._write_alone(made, row, replace=replace)
        self.run("RELEASE SAVEPOINT rows", ())

    def _write_alone(self, made: FormTable, row: Row, *, replace: bool) -> None:
        plain = _as_text(made, row, RowMaker.of(self.connection).json)
        attempts = [row, plain]
        if made.path:
            # The key is another submission's row: nothing the server makes, so this row gets one of its own.
            own_key = other_row_id("/".join(map(str, row[:4])))
            attempts = [row, [own_key, *row[1:]], [own_key, *plain[1:]]]
        for attempt in attempts:
            self.run("SAVEPOINT one", ())
            try:
                self.run(self._insert(made, replace=replace), attempt)
            except self._refusals as error:
                self.run("ROLLBACK TO SAVEPOINT one", ())
                log.warning("central table %s refused a row: %s", made.table.name, type(error).__name__)
            else:
                self.run("RELEASE SAVEPOINT one", ())
                return

    def _insert(self, made: FormTable, *, replace: bool) -> str:
        names = [self._quote(column.name) for column in made.table.columns]
        sql = f"INSERT INTO {self._quote(made.table.name)} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
        if replace:
            sql += f" ON CONFLICT ({names[0]}) DO UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in names[1:])
        return sql

    def _copy(self, made: FormTable, rows: list[Row]) -> None:
        names = ", ".join(self._quote(column.name) for column in made.table.columns)
        try:
            with self._cursor.copy(f"COPY {self._quote(made.table.name)} ({names}) FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types([_wire_type(column.type) for column in made.table.columns])
                for row in rows:
                    copy.write_row(row)
        except self._dbapi.OperationalError as error:
            raise problems.busy() from error


_WIRE_TYPES = {
    "BigInteger": "int8", "Integer": "int4", "Float": "float8", "Date": "date", "Instant": "timestamptz", "Boolean": "bool",
    "LargeBinary": "bytea", "JSON": "jsonb", "String": "text", "Text": "text",
}  # fmt: skip


def _wire_type(column_type: Any) -> str:
    # PostGIS reads its geometry from the same bytes.
    return "bytea" if isinstance(column_type, PostgisGeometry) else _WIRE_TYPES[type(column_type).__name__]


def _as_text(made: FormTable, row: Row, json: Callable[[Any], Any]) -> Row:
    """The row's system columns, and all else as text in `unparsed`: for a row that the database would not take."""
    names = [str(column.name) for column in made.table.columns]
    start = names.index("unparsed")
    refused = {name: _plain(value) for name, value in zip(names[start + 1 :], row[start + 1 :], strict=True) if value is not None}
    return [*row[:start], json(refused), *[None] * len(names[start + 1 :])]


def _plain(value: Any) -> str:
    text = value.hex() if isinstance(value, bytes) else str(value)
    return text.replace("\0", "").encode(errors="replace").decode()
