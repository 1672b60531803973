"""load_batch(target, batch): rows and cursor in one target transaction, so that a crash at any instant loses and doubles nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from sync.sources import Batch, FormState, Purged, SubmissionState
from sync.tables import CURSOR, GEOMETRY, CentralTables, FieldColumn, FormTable, Plan
from sync.values import Unfit, read_geometry, read_value

_ROWS_PER_STATEMENT = 200


def read_position(connection: Connection) -> int:
    """How far the target is; 0 for an empty one."""
    return connection.scalar(select(CURSOR.c.position)) or 0


def load_batch(connection: Connection, tables: CentralTables, batch: Batch) -> None:
    """The target has the batch's rows, and its cursor stands at the batch's end. The caller commits both or neither."""
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    used: dict[str, FormTable] = {}
    replaced: dict[tuple[int, str], list[str]] = defaultdict(list)
    for change in batch.changes:
        if isinstance(change, FormState):
            tables.grow(connection, change.project_id, change.form_id, change.definition)
        elif isinstance(change, Purged):
            _remove(connection, tables.of_form(change.project_id, change.form_id), [change.instance_id], with_form=True)
        else:
            form = change.form
            tables.grow(connection, form.project_id, form.form_id, form.definition)
            own = tables.of_form(form.project_id, form.form_id)
            replaced[form.project_id, form.form_id].append(change.instance_id)
            for made, row in submission_rows(own, change):
                used[made.table.name] = made
                rows[made.table.name].append(row)
    for (project_id, form_id), instance_ids in replaced.items():
        _remove(connection, tables.of_form(project_id, form_id), instance_ids, with_form=False)
    for name, made in used.items():
        _upsert(connection, made.table, rows[name])
    _save_position(connection, batch.position)


def submission_rows(tables: dict[tuple[str, ...], FormTable], state: SubmissionState) -> Iterator[tuple[FormTable, dict[str, Any]]]:
    """The submission's row and its repeats' rows, each with its table; every row of a table has the same keys."""
    row: dict[str, Any] = {
        "instance_id": state.instance_id, "current_instance_id": state.current_instance_id, "submitter": state.submitter,
        "device_id": state.device_id, "submission_division": state.division, "review_state": state.review_state,
        "review_level": state.review_level, "received_at": state.received_at, "updated_at": state.updated_at,
        "deleted_at": state.deleted_at, "is_encrypted": state.is_encrypted, "form_version": state.form.definition.version,
    }  # fmt: skip
    definition = state.form.definition
    _fill(row, tables[()].plan(definition), state.answers)
    yield tables[()], row
    for path, made in tables.items():
        if path:
            plan = made.plan(definition)
            for parent_id, number, answers in _repeat_rows(state.answers, path, tables):
                repeat: dict[str, Any] = {
                    "row_id": answers["__id"], "instance_id": state.instance_id, "parent_row_id": parent_id, "row_number": number,
                }  # fmt: skip
                _fill(repeat, plan, answers)
                yield made, repeat


def _repeat_rows(
    answers: dict[str, Any], path: tuple[str, ...], tables: dict[tuple[str, ...], FormTable]
) -> Iterator[tuple[str | None, int, dict[str, Any]]]:
    level: list[tuple[str | None, int, dict[str, Any]]] = [(None, 0, answers)]
    for depth, name in enumerate(path, start=1):
        below: list[tuple[str | None, int, dict[str, Any]]] = []
        for parent_id, number, node in level:
            value = node.get(name)
            if isinstance(value, list) and path[:depth] in tables:
                below += [(node.get("__id", parent_id), n, row) for n, row in enumerate(value, start=1)]
            elif isinstance(value, dict):
                below.append((node.get("__id", parent_id), number, value))
        level = below
    yield from (entry for entry in level if "__id" in entry[2])


def _fill(row: dict[str, Any], plan: Plan, answers: dict[str, Any]) -> None:
    row.update(plan.empty)
    for column in plan.columns:
        node: Any = answers
        for name in column.path:
            node = node.get(name) if isinstance(node, dict) else None
        if node is not None:
            _put(row, column, node)


def _put(row: dict[str, Any], column: FieldColumn, answer: Any) -> None:
    try:
        if column.kind in GEOMETRY:
            row[column.name], parts = read_geometry(column.kind, answer)
            row.update({column.extras[part]: value for part, value in parts.items()})
        else:
            row[column.name] = read_value(column.kind, answer)
    except Unfit:
        row["unparsed"] = {**(row["unparsed"] or {}), "/".join(column.path): answer}


def _remove(connection: Connection, tables: dict[tuple[str, ...], FormTable], instance_ids: list[str], *, with_form: bool) -> None:
    for path, made in tables.items():
        if path or with_form:
            for start in range(0, len(instance_ids), 500):
                connection.execute(delete(made.table).where(made.table.c.instance_id.in_(instance_ids[start : start + 500])))


def _upsert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    key = next(iter(table.primary_key.columns))
    statement = make(table)
    statement = statement.on_conflict_do_update(
        index_elements=[key], set_={column.name: statement.excluded[column.name] for column in table.columns if column is not key}
    )
    for start in range(0, len(rows), _ROWS_PER_STATEMENT):
        connection.execute(statement, rows[start : start + _ROWS_PER_STATEMENT])


def _save_position(connection: Connection, position: int) -> None:
    changed = connection.execute(update(CURSOR).where(CURSOR.c.id == bindparam("one")).values(position=position), {"one": 1})
    if changed.rowcount == 0:
        connection.execute(insert(CURSOR), {"id": 1, "position": position})
