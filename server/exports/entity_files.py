"""A list's entities as CSV, GeoJSON and JSON, streamed."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from server.access.actor import Actor
from server.entities.write import get_entity
from server.exports.entity_rows import EntityRecord, EntitySelection, read_entities
from server.exports.geojson import coordinates_of
from server.model import EntityList
from server.transactions import transaction

_BEFORE = ("__id", "label")
_AFTER = ("__createdAt", "__creatorId", "__creatorName", "__updates", "__updatedAt", "__version")


def _time(at: datetime | None) -> str:
    return "" if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def entity_csv(selection: EntitySelection, engine: Engine) -> Iterator[bytes]:
    """entities.csv as ODK Central writes it."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = selection.properties
    writer.writerow([*_BEFORE, *names, *_AFTER])
    with transaction(engine) as session:
        for chunk in read_entities(session, selection):
            writer.writerows(
                [row.uuid, row.label, *(row.data.get(name) for name in names), _time(row.created_at), row.creator_id, row.creator, row.version - 1,
                 _time(row.updated_at), row.version]
                for row in chunk
            )  # fmt: skip
            yield _take(buffer)
    yield _take(buffer)


def _take(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode("utf-8", "replace")


def entity_json(selection: EntitySelection, engine: Engine, shapes: Callable[[Session, Sequence[EntityRecord]], list[Any]]) -> Iterator[bytes]:
    """A JSON array of what `shapes` makes of each chunk."""
    start = b"["
    with transaction(engine) as session:
        for chunk in read_entities(session, selection):
            made = orjson.dumps(shapes(session, chunk))[1:-1]
            if made:
                yield start + made
                start = b","
    yield (b"[" if start == b"[" else b"") + b"]"


def entity_geojson(selection: EntitySelection, engine: Engine) -> Iterator[bytes]:
    """The entities whose property `geometry` is a place; `limit` counts them with those whose property is none."""
    start, left = b'{"type":"FeatureCollection","features":[', selection.limit
    with transaction(engine) as session:
        for chunk in read_entities(session, selection) if "geometry" in selection.properties else ():
            features = [feature for row in chunk if (feature := _feature(row.uuid, row.data)) is not None]
            if left is not None:
                features = features[:left]
                left -= len(features)
            if features:
                yield start + orjson.dumps(features)[1:-1]
                start = b","
            if left == 0:
                break
    yield (start if start != b"," else b"") + b"]}"


def one_geojson(session: Session, actor: Actor, entity_list: EntityList, uuid: str, *, has_geometry: bool) -> dict[str, Any]:
    """One entity's place. Raises: not_found, insufficient_rights, those of the id."""
    entity = get_entity(session, actor, entity_list, uuid, verb="entity.read")
    feature = _feature(entity.uuid, entity.data) if has_geometry else None
    return {"type": "FeatureCollection", "features": [feature] if feature is not None else []}


def _feature(uuid: str, data: dict[str, Any]) -> dict[str, Any] | None:
    geometry = geometry_of(data.get("geometry"))
    return None if geometry is None else {"type": "Feature", "id": uuid, "geometry": geometry, "properties": None}


def geometry_of(text: Any) -> dict[str, Any] | None:
    """A value as GeoJSON, whatever kind of place it is: one point, a line, or an area where the line ends where it began."""
    if not isinstance(text, str) or not any(c.isdigit() for c in text):
        return None
    single = text.strip().rstrip(";")
    if ";" not in single:
        point = coordinates_of("geopoint", single)
        return None if point is None else {"type": "Point", "coordinates": point}
    area = coordinates_of("geoshape", text)
    if area is not None:
        return {"type": "Polygon", "coordinates": area}
    line = coordinates_of("geotrace", text)
    return None if line is None else {"type": "LineString", "coordinates": line}
