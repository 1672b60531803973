"""submissions.gpkg: a layer for each question about a place, with the answers of its row beside it. Written by GDAL (pyogrio)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any

from sqlalchemy import Engine

from server import problems
from server.exports.csv_files import CsvExport
from server.exports.csv_tables import Columns, RepeatTable, add_rows, lay_out
from server.exports.encrypted_rows import EncryptedRows
from server.exports.geojson import coordinates_of
from server.exports.odata_values import as_number
from server.exports.rows import read_rows
from server.storage import Storage
from server.transactions import transaction

_TYPES = {"geopoint": "Point", "geotrace": "LineString", "geoshape": "Polygon"}
_CHUNK = 256 * 1024
_ROWS = 2000


@dataclass(slots=True)
class _Layer:
    """Rows that wait for GDAL."""

    name: str
    kind: str
    names: list[str]
    kinds: list[str]
    geometry: list[Any] = field(default_factory=list)
    values: list[list[Any]] = field(default_factory=list)
    started: bool = False

    def write(self, file: File) -> None:
        """The waiting rows are in the file."""
        import numpy as np
        import shapely
        from pyogrio.raw import write

        if not self.values and self.started:
            return
        shapes = [None if found is None else shapely.geometry.shape({"type": _TYPES[self.kind], "coordinates": found}) for found in self.geometry]
        geometry = np.empty(len(shapes), dtype=object)
        geometry[:] = [None if shape is None else shapely.to_wkb(shape, output_dimension=3) for shape in shapes]
        columns = [_column(np, [row[n] for row in self.values], kind) for n, kind in enumerate(self.kinds)]
        write(
            str(file), geometry, columns, np.array(self.names, dtype=object), layer=self.name, driver="GPKG",
            geometry_type=f"{_TYPES[self.kind]} Z", crs="EPSG:4326", append=self.started,
        )  # fmt: skip
        self.started = True
        self.geometry.clear()
        self.values.clear()


def _column(np: Any, values: list[Any], kind: str) -> Any:
    if kind in {"int", "decimal"}:
        return np.array([float("nan") if (number := as_number(value)) is None else number for value in values], dtype="float64")
    made = np.empty(len(values), dtype=object)
    made[:] = [None if value is None else str(value) for value in values]
    return made


def geopackage_pieces(export: CsvExport, engine: Engine, storage: Storage) -> Iterator[bytes]:
    """The file in pieces: it is made on disk first, because a GeoPackage is a database. Raises: invalid_query (no question is about a place)."""
    with tempfile.TemporaryDirectory(prefix="minqing-gpkg-") as folder:
        file = File(folder) / "submissions.gpkg"
        _make(export, engine, storage, file)
        with file.open("rb") as content:
            while chunk := content.read(_CHUNK):
                yield chunk


def _make(export: CsvExport, engine: Engine, storage: Storage, file: File) -> None:
    layout = lay_out(export.source)
    tail = ["KEY", "SubmissionDate", "SubmitterName", "ReviewState"]
    roots = _layers(layout.root, "", tail, export)
    inner = {table.path: _layers(table.columns, "/".join(table.path), ["PARENT_KEY", "KEY"], export) for table in layout.repeats}
    layers = [layer for layer, *_place in roots] + [layer for found in inner.values() for layer, *_place in found]
    if not layers:
        raise problems.invalid_query(["form"], "no question of this form is about a place")
    with transaction(engine) as session:
        encrypted = EncryptedRows(session, export.source, storage, export.decryptor)
        for chunk in read_rows(session, export.source, export.selection, as_text=True):
            for row in chunk:
                answers = row.answers if row.xml is None else encrypted.read(row)[0]
                if answers is None:
                    continue
                typed = layout.reader.read(answers)
                values = [*layout.root.cells(typed), row.instance_id, row.received_at, row.submitter, row.review_state]
                _take(roots, values)
                add_rows(typed, row.instance_id, layout.inner)
            for table in layout.repeats:
                _take_repeat(table, inner[table.path])
            for layer in layers:
                if len(layer.values) >= _ROWS:
                    layer.write(file)
    for layer in layers:
        layer.write(file)


Found = tuple[_Layer, list[int], int]


def _layers(columns: Columns, table: str, tail: list[str], export: CsvExport) -> list[Found]:
    """Each question about a place with its layer, the columns that stand beside it, and its own column."""
    found: list[Found] = []
    beside = [n for n, asked in enumerate(columns.fields) if asked.kind not in _TYPES]
    for n, asked in enumerate(columns.fields):
        is_first = n == 0 or columns.fields[n - 1] is not asked
        if asked.kind in _TYPES and is_first and asked.path not in export.source.hidden:
            name = "/".join(asked.path) if table or len(asked.path) > 1 else asked.name
            names = [columns.header[m] for m in beside] + tail
            kinds = [columns.fields[m].kind if columns.fields[m].path not in export.source.hidden else "string" for m in beside] + ["string"] * len(tail)
            layer = _Layer(name.replace("/", "_"), asked.kind, names, kinds)
            found.append((layer, [*beside, *range(len(columns.header), len(columns.header) + len(tail))], n))
    return found


def _take(layers: list[Found], values: list[Any]) -> None:
    for layer, beside, place in layers:
        # A geopoint's four columns are its answer again.
        text = " ".join(str(part) for part in values[place : place + 4] if part is not None) if layer.kind == "geopoint" else values[place]
        coordinates = coordinates_of(layer.kind, text)
        if coordinates is not None:
            layer.geometry.append(coordinates)
            layer.values.append([values[n] for n in beside])


def _take_repeat(table: RepeatTable, layers: list[Found]) -> None:
    for row in table.rows if layers else ():
        _take(layers, row)
    table.rows.clear()
