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
    Index,
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

from server.access.sealed import is_sealed_name
from server.forms.fields import Field
from server.model.schema import Instant
from sync.names import readable_name, unused_name
from sync.sources import FormState

_META = MetaData()
TABLES = Table(
    "minqing_tables", _META, Column("name", String(63), primary_key=True), Column("project_id", BigInteger, nullable=False),
    Column("form_id", Text, nullable=False), Column("path", Text, nullable=False),
)  # fmt: skip
COLUMNS = Table(
    "minqing_columns", _META, Column("table_name", String(63), primary_key=True), Column("column_name", String(63), primary_key=True),
    Column("path", Text, nullable=False), Column("kind", String(20), nullable=False),
)  # fmt: skip
# Row 1: how far the rows are; row 2: how far the form versions are, which run ahead (sources/minqing.py says why).
CURSOR = Table("minqing_cursor", _META, Column("id", Integer, primary_key=True), Column("position", BigInteger, nullable=False))

GEOMETRY = {"geopoint", "geotrace", "geoshape"}
POINT_PARTS = ("longitude", "latitude", "altitude", "accuracy")
_HELD = {"structure", "repeat"}
# "sealed": a number of access/sealed.py, here as its mask, with the hash that equal numbers share beside it.
_TEXTS = {"select1", "select", "string", "barcode", "binary", "sealed"}


def family(kind: str) -> str:
    """Kinds of one family share a column: a value of one fits the other."""
    return "text" if kind in _TEXTS else kind


class PostgisGeometry(UserDefinedType[bytes]):
    """PostGIS's own type, where the target has it; it takes WKB with its SRID as it is."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "geometry"


def kind_of(entry: Field) -> str:
    """The kind of column that the question's answers go to."""
    return "sealed" if is_sealed_name(entry.name) and entry.kind not in _HELD else entry.kind


def _column_type(kind: str, *, has_postgis: bool) -> TypeEngine[Any]:
    if kind in GEOMETRY:
        return PostgisGeometry() if has_postgis else LargeBinary()
    types: dict[str, TypeEngine[Any]] = {
        "int": BigInteger(), "decimal": Float(53), "date": Date(), "dateTime": Instant(), "boolean": Boolean(),
    }  # fmt: skip
    return types.get(kind, Text())


@dataclass(slots=True)
class FieldColumn:
    """Where the answer at `path` (below the table's own path) goes. `extras`: longitude... -> column, for points; hash, for sealed numbers."""

    path: tuple[str, ...]
    kind: str
    name: str
    extras: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class FormTable:
    """One table of the central database: the form's own (`path` ()) or a repeat's. `plans` is rows.py's, by form version."""

    path: tuple[str, ...]
    table: Table
    columns: list[FieldColumn] = field(default_factory=list)
    plans: dict[int, Any] = field(default_factory=dict)


SUBMISSION_COLUMNS = (
    ("instance_id", lambda: Column("instance_id", String(255), primary_key=True)),
    ("current_instance_id", lambda: Column("current_instance_id", String(255))),
    ("submitter", lambda: Column("submitter", Text)),
    ("device_id", lambda: Column("device_id", Text)),
    ("submission_division", lambda: Column("submission_division", String(12))),
    ("review_state", lambda: Column("review_state", String(12))),
    ("review_level", lambda: Column("review_level", String(12))),
    ("received_at", lambda: Column("received_at", Instant())),
    ("updated_at", lambda: Column("updated_at", Instant())),
    ("deleted_at", lambda: Column("deleted_at", Instant())),
    ("is_encrypted", lambda: Column("is_encrypted", Boolean)),
    ("form_version", lambda: Column("form_version", Text)),
)
REPEAT_COLUMNS = (
    ("row_id", lambda: Column("row_id", String(40), primary_key=True)),
    ("instance_id", lambda: Column("instance_id", String(255))),
    ("parent_row_id", lambda: Column("parent_row_id", String(40))),
    ("row_number", lambda: Column("row_number", Integer)),
)
_INDEXED = {"submission_division", "received_at"}


def _unparsed() -> Column[Any]:
    return Column("unparsed", JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql"))


class CentralTables:
    """The target's tables, as one transaction finds and grows them. Forget it when the transaction fails."""

    def __init__(self, connection: Connection) -> None:
        _META.create_all(connection, checkfirst=True)
        self.has_postgis = connection.dialect.name == "postgresql" and bool(
            connection.scalar(text("SELECT count(*) FROM pg_extension WHERE extname = 'postgis'"))
        )
        self._metadata = MetaData()
        self._by_form: dict[tuple[int, str], dict[tuple[str, ...], FormTable]] = {}
        self._grown: set[tuple[int, str, int]] = set()
        self._load(connection)

    def _load(self, connection: Connection) -> None:
        by_name: dict[str, FormTable] = {}
        postgis = _postgis_columns(connection) if self.has_postgis else set()
        for name, project_id, form_id, path in connection.execute(select(TABLES)):
            made = self._declare(project_id, form_id, tuple(path.split("/")) if path else (), name)
            by_name[name] = made
        for table_name, column_name, path, kind in connection.execute(select(COLUMNS).order_by(COLUMNS.c.table_name, COLUMNS.c.column_name)):
            # A table made before PostGIS was there keeps its WKB column.
            is_postgis = (table_name, column_name) in postgis
            _add_to(by_name[table_name], tuple(path.split("/")), kind, column_name, has_postgis=is_postgis)

    def _declare(self, project_id: int, form_id: str, path: tuple[str, ...], name: str) -> FormTable:
        system = REPEAT_COLUMNS if path else SUBMISSION_COLUMNS
        table = Table(name, self._metadata, *(make() for _name, make in system), _unparsed())
        made = FormTable(path, table)
        self._by_form.setdefault((project_id, form_id), {})[path] = made
        return made

    def is_current(self, connection: Connection) -> bool:
        """Whether no other replicator has grown (or dropped) tables since."""
        if not inspect(connection).has_table(COLUMNS.name):
            return False
        tables = [made for by_path in self._by_form.values() for made in by_path.values()]
        counts = select(
            select(func.count()).select_from(TABLES).scalar_subquery(), select(func.count()).select_from(COLUMNS).scalar_subquery()
        )
        return tuple(connection.execute(counts).one()) == (len(tables), sum(len(made.columns) for made in tables))

    def of_form(self, project_id: int, form_id: str) -> dict[tuple[str, ...], FormTable]:
        """The form's tables by repeat path; () is the form's own."""
        return self._by_form.get((project_id, form_id), {})

    def grow(self, connection: Connection, form: FormState) -> dict[tuple[str, ...], FormTable]:
        """The form's tables, with a column of its kind for every field; tables and columns that were there stay as they are."""
        tables = self._by_form.setdefault((form.project_id, form.form_id), {})
        key = (form.project_id, form.form_id, form.version_key)
        if key in self._grown:
            return tables
        repeats = {entry.path for entry in form.definition.fields if entry.kind == "repeat"}
        for path in [(), *sorted(repeats, key=lambda path: (len(path), path))]:
            if path not in tables:
                self._create(connection, form, path)
        for entry in form.definition.fields:
            if entry.kind in _HELD:
                continue
            home = max((p for p in repeats if entry.path[: len(p)] == p), key=len, default=())
            self._ensure(connection, tables[home], entry.path[len(home) :], kind_of(entry))
        self._grown.add(key)
        return tables

    def _create(self, connection: Connection, form: FormState, path: tuple[str, ...]) -> None:
        taken = _relations(connection)
        name = unused_name(readable_name(form.form_id, *path), taken)
        taken.add(name)
        table = self._declare(form.project_id, form.form_id, path, name).table
        # Named here: SQLAlchemy counts an index name's letters where PostgreSQL counts bytes, and Chinese has three to a letter.
        is_nested = any(made and path[: len(made)] == made != path for made in self.of_form(form.project_id, form.form_id))
        indexed = _INDEXED if not path else {"instance_id", "parent_row_id"} if is_nested else {"instance_id"}
        for column in table.columns:
            if column.name in indexed:
                index_name = unused_name(readable_name("ix", name, column.name), taken)
                taken.add(index_name)
                Index(index_name, column)
        table.create(connection)
        entry = {"name": name, "project_id": form.project_id, "form_id": form.form_id, "path": "/".join(path)}
        connection.execute(insert(TABLES), entry)

    def _ensure(self, connection: Connection, made: FormTable, path: tuple[str, ...], kind: str) -> None:
        same = [column for column in made.columns if column.path == path]
        if any(family(column.kind) == family(kind) for column in same):
            return
        taken = {column.name for column in made.table.columns}
        wanted = readable_name(*path) if not same else readable_name(*path, family(kind))
        name = unused_name(wanted, taken)
        while taken.intersection(_extras(kind, name).values()):
            taken.add(name)  # another question has the name of this one's longitude: both take the next number
            name = unused_name(wanted, taken)
        preparer = connection.dialect.identifier_preparer
        for column in _add_to(made, path, kind, name, has_postgis=self.has_postgis):
            declared = CreateColumn(column).compile(dialect=connection.dialect)
            connection.execute(text(f"ALTER TABLE {preparer.quote(made.table.name)} ADD COLUMN {declared}".replace(":", r"\:")))
        if kind == "sealed":
            self._index_hash(connection, made, readable_name(name, "hash"))
        connection.execute(insert(COLUMNS), {"table_name": made.table.name, "column_name": name, "path": "/".join(path), "kind": kind})


    def _index_hash(self, connection: Connection, made: FormTable, column: str) -> None:
        """Who else has this number is asked of the whole table."""
        index_name = unused_name(readable_name("ix", made.table.name, column), _relations(connection))
        preparer = connection.dialect.identifier_preparer
        on = f"{preparer.quote(made.table.name)} ({preparer.quote(column)})"
        connection.execute(text(f"CREATE INDEX {preparer.quote(index_name)} ON {on}".replace(":", r"\:")))


def _extras(kind: str, name: str) -> dict[str, str]:
    parts = POINT_PARTS if kind == "geopoint" else ("hash",) if kind == "sealed" else ()
    return {part: readable_name(name, part) for part in parts}


def _add_to(made: FormTable, path: tuple[str, ...], kind: str, name: str, *, has_postgis: bool) -> list[Column[Any]]:
    extras = _extras(kind, name)
    added = [Column(name, _column_type(kind, has_postgis=has_postgis)), *(Column(extra, Float(53) if kind == "geopoint" else String(32)) for extra in extras.values())]
    for column in added:
        made.table.append_column(column)
    made.columns.append(FieldColumn(path, kind, name, extras))
    return added


def _relations(connection: Connection) -> set[str]:
    """Names of all that a new table could run into, other people's views and indexes too; SQLite's in lower case."""
    if connection.dialect.name == "postgresql":
        return set(connection.scalars(text("SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace")))
    return {name.casefold() for name in connection.scalars(text("SELECT name FROM sqlite_master"))}


def _postgis_columns(connection: Connection) -> set[tuple[str, str]]:
    query = "SELECT table_name, column_name FROM information_schema.columns WHERE udt_name = 'geometry' AND table_schema = current_schema()"
    return {(table, column) for table, column in connection.execute(text(query))}


def drop_tables(connection: Connection) -> None:
    """Every table that the registry names is gone, and the registry and cursor with them: for a rebuild."""
    _META.create_all(connection, checkfirst=True)
    preparer = connection.dialect.identifier_preparer
    for name in connection.scalars(select(TABLES.c.name)).all():
        connection.execute(text(f"DROP TABLE IF EXISTS {preparer.quote(name)}".replace(":", r"\:")))
    _META.drop_all(connection)
