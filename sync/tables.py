"""A form's fields -> typed tables of the central database. Tables and columns are added, never dropped or renamed.

Two registry tables in the target remember which form and question every table and column stands for, so that a name once
given holds, and a rebuild (which replays the log in order) gives the same names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    func,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.schema import CreateColumn
from sqlalchemy.types import TypeEngine, UserDefinedType

from server.forms.fields import FormDefinition
from server.model.schema import Instant
from sync.names import readable_name, unused_name

_META = MetaData()
TABLES = Table(
    "minqing_tables", _META, Column("name", String(63), primary_key=True), Column("project_id", BigInteger, nullable=False),
    Column("form_id", Text, nullable=False), Column("path", Text, nullable=False),
)  # fmt: skip
COLUMNS = Table(
    "minqing_columns", _META, Column("table_name", String(63), primary_key=True), Column("column_name", String(63), primary_key=True),
    Column("path", Text, nullable=False), Column("kind", String(20), nullable=False),
)  # fmt: skip
CURSOR = Table("minqing_cursor", _META, Column("id", Integer, primary_key=True), Column("position", BigInteger, nullable=False))

GEOMETRY = {"geopoint", "geotrace", "geoshape"}
_HELD = {"structure", "repeat"}
_TEXTS = {"select1", "select", "string", "barcode", "binary"}


def family(kind: str) -> str:
    """Kinds of one family share a column: a value of one fits the other."""
    return "text" if kind in _TEXTS else kind


class PostgisGeometry(UserDefinedType[bytes]):
    """PostGIS's own type, where the target has it; it reads WKB as it is."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "geometry"

    def bind_expression(self, bindvalue: Any) -> Any:
        return func.ST_GeomFromWKB(bindvalue, 4326)


def _column_type(kind: str, *, has_postgis: bool) -> TypeEngine[Any]:
    if kind in GEOMETRY:
        return PostgisGeometry() if has_postgis else LargeBinary()
    types: dict[str, TypeEngine[Any]] = {
        "int": BigInteger(), "decimal": Float(53), "date": Date(), "dateTime": Instant(), "boolean": Boolean(),
    }  # fmt: skip
    return types.get(kind, Text())


@dataclass(slots=True)
class FieldColumn:
    """Where the answer at `path` (below the table's own path) goes. `extras`: longitude... -> column, for points."""

    path: tuple[str, ...]
    kind: str
    name: str
    extras: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """How one form version's answers fill a table: which columns they go to, and what stands in a row without any."""

    columns: tuple[FieldColumn, ...]
    empty: dict[str, None]


@dataclass(slots=True)
class FormTable:
    """One table of the central database: the form's own (`path` ()) or a repeat's."""

    path: tuple[str, ...]
    table: Table
    columns: list[FieldColumn] = field(default_factory=list)
    _plans: dict[str, tuple[int, Plan]] = field(default_factory=dict)

    def plan(self, definition: FormDefinition) -> Plan:
        """A question that changed its type has a column for each type: an answer goes to that of its own version."""
        known = self._plans.get(definition.version)
        if known is None or known[0] != len(self.columns):
            kinds = {entry.path: family(entry.kind) for entry in definition.fields}
            names = [name for column in self.columns for name in (column.name, *column.extras.values())]
            fitting = tuple(c for c in self.columns if kinds.get(self.path + c.path, family(c.kind)) == family(c.kind))
            known = self._plans[definition.version] = (len(self.columns), Plan(fitting, dict.fromkeys([*names, "unparsed"])))
        return known[1]


SUBMISSION_COLUMNS = (
    ("instance_id", lambda: Column("instance_id", String(255), primary_key=True)),
    ("current_instance_id", lambda: Column("current_instance_id", String(255))),
    ("submitter", lambda: Column("submitter", Text)),
    ("device_id", lambda: Column("device_id", Text)),
    ("submission_division", lambda: Column("submission_division", String(12), index=True)),
    ("review_state", lambda: Column("review_state", String(12))),
    ("review_level", lambda: Column("review_level", String(12))),
    ("received_at", lambda: Column("received_at", Instant(), index=True)),
    ("updated_at", lambda: Column("updated_at", Instant())),
    ("deleted_at", lambda: Column("deleted_at", Instant())),
    ("is_encrypted", lambda: Column("is_encrypted", Boolean)),
    ("form_version", lambda: Column("form_version", Text)),
)
REPEAT_COLUMNS = (
    ("row_id", lambda: Column("row_id", String(40), primary_key=True)),
    ("instance_id", lambda: Column("instance_id", String(255), index=True)),
    ("parent_row_id", lambda: Column("parent_row_id", String(40), index=True)),
    ("row_number", lambda: Column("row_number", Integer)),
)


def _unparsed() -> Column[Any]:
    return Column("unparsed", JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql"))


class CentralTables:
    """The target's tables, as one transaction finds and grows them. Forget it when the transaction fails."""

    def __init__(self, connection: Connection) -> None:
        _META.create_all(connection, checkfirst=True)
        self._postgis = connection.dialect.name == "postgresql" and bool(
            connection.scalar(text("SELECT count(*) FROM pg_extension WHERE extname = 'postgis'"))
        )
        self._metadata = MetaData()
        self._by_form: dict[tuple[int, str], dict[tuple[str, ...], FormTable]] = {}
        self._names: set[str] = {table.name for table in _META.sorted_tables}
        self._grown: set[tuple[int, str, str]] = set()
        self._load(connection)

    def _load(self, connection: Connection) -> None:
        by_name: dict[str, FormTable] = {}
        for name, project_id, form_id, path in connection.execute(select(TABLES)):
            made = self._declare(project_id, form_id, tuple(path.split("/")) if path else (), name)
            by_name[name] = made
        for table_name, column_name, path, kind in connection.execute(select(COLUMNS).order_by(COLUMNS.c.table_name, COLUMNS.c.column_name)):
            self._add_to(by_name[table_name], tuple(path.split("/")), kind, column_name)

    def _declare(self, project_id: int, form_id: str, path: tuple[str, ...], name: str) -> FormTable:
        system = REPEAT_COLUMNS if path else SUBMISSION_COLUMNS
        table = Table(name, self._metadata, *(make() for _name, make in system), _unparsed())
        made = FormTable(path, table)
        self._by_form.setdefault((project_id, form_id), {})[path] = made
        self._names.add(name)
        return made

    def _add_to(self, made: FormTable, path: tuple[str, ...], kind: str, name: str) -> list[Column[Any]]:
        added = [Column(name, _column_type(kind, has_postgis=self._postgis))]
        column = FieldColumn(path, kind, name)
        if kind == "geopoint":
            column.extras = {part: readable_name(name, part) for part in ("longitude", "latitude", "altitude", "accuracy")}
            added += [Column(extra, Float(53)) for extra in column.extras.values()]
        for each in added:
            made.table.append_column(each)
        made.columns.append(column)
        return added

    def is_current(self, connection: Connection) -> bool:
        """Whether no other replicator has grown (or dropped) tables since."""
        if not inspect(connection).has_table(COLUMNS.name):
            return False
        known = sum(len(made.columns) for tables in self._by_form.values() for made in tables.values())
        return connection.scalar(select(func.count()).select_from(COLUMNS)) == known

    def of_form(self, project_id: int, form_id: str) -> dict[tuple[str, ...], FormTable]:
        """The form's tables by repeat path; () is the form's own."""
        return self._by_form.get((project_id, form_id), {})

    def grow(self, connection: Connection, project_id: int, form_id: str, definition: FormDefinition) -> None:
        """Every field of `definition` has a column of its kind; tables and columns that were there stay as they are."""
        key = (project_id, form_id, definition.version)
        if key in self._grown:
            return
        tables = self._by_form.setdefault((project_id, form_id), {})
        repeats = {entry.path for entry in definition.fields if entry.kind == "repeat"}
        for path in [(), *sorted(repeats, key=len)]:
            if path not in tables:
                self._create(connection, project_id, form_id, path)
        for entry in definition.fields:
            if entry.kind in _HELD:
                continue
            home = max((p for p in repeats if entry.path[: len(p)] == p), key=len, default=())
            self._ensure(connection, tables[home], entry.path[len(home) :], entry.kind)
        self._grown.add(key)

    def _create(self, connection: Connection, project_id: int, form_id: str, path: tuple[str, ...]) -> None:
        name = unused_name(readable_name(form_id, *path), self._names)
        made = self._declare(project_id, form_id, path, name)
        made.table.create(connection)
        connection.execute(insert(TABLES), {"name": name, "project_id": project_id, "form_id": form_id, "path": "/".join(path)})

    def _ensure(self, connection: Connection, made: FormTable, path: tuple[str, ...], kind: str) -> None:
        same = [column for column in made.columns if column.path == path]
        if any(family(column.kind) == family(kind) for column in same):
            return
        taken = {column.name for column in made.table.columns}
        wanted = readable_name(*path)
        name = unused_name(wanted if not same else readable_name(*path, family(kind)), taken)
        preparer = connection.dialect.identifier_preparer
        for column in self._add_to(made, path, kind, name):
            declared = CreateColumn(column).compile(dialect=connection.dialect)
            connection.execute(text(f"ALTER TABLE {preparer.quote(made.table.name)} ADD COLUMN {declared}".replace(":", r"\:")))
        connection.execute(insert(COLUMNS), {"table_name": made.table.name, "column_name": name, "path": "/".join(path), "kind": kind})


def drop_tables(connection: Connection) -> None:
    """Every table that the registry names is gone, and the registry and cursor with them: for a rebuild."""
    _META.create_all(connection, checkfirst=True)
    preparer = connection.dialect.identifier_preparer
    for name in connection.scalars(select(TABLES.c.name)).all():
        connection.execute(text(f"DROP TABLE {preparer.quote(name)}".replace(":", r"\:")))
    _META.drop_all(connection)
