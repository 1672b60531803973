"""A form's places as GeoJSON: one feature a submission, or a GeometryCollection where a question was answered more than once.

Only well-formed answers become geometry: ODK Central's rules, by which 01.5 or a latitude of 91 is no coordinate.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor, visible
from server.exports.odata_rows import plan_table
from server.exports.rows import Selection, read_rows, select_by, selection_etag
from server.exports.sources import Source, of_version, open_source
from server.exports.tables import Path
from server.model import Submission, SubmissionVersion
from server.transactions import transaction

_NUMBER = r"(?:0|[1-9]\d{0,%d})(?:\.\d{1,60})?"
_POINT = re.compile(rf"\s*(-?{_NUMBER % 1})\s+(-?{_NUMBER % 2})(?:\s+(-?{_NUMBER % 12}))?(?:\s+{_NUMBER % 12})?\s*")
_KINDS = {"geopoint", "geotrace", "geoshape"}


def _point(text: str) -> list[float] | None:
    found = _POINT.fullmatch(text[:500])
    if found is None:
        return None
    latitude, longitude = float(found[1]), float(found[2])
    if abs(latitude) > 90 or abs(longitude) > 180:
        return None
    return [longitude, latitude] if found[3] is None else [longitude, latitude, float(found[3])]


def _line(text: str) -> list[list[float]] | None:
    points = [_point(part) for part in text.rstrip().rstrip(";").split(";")]
    return points if len(points) >= 2 and None not in points else None  # type: ignore[return-value]


def coordinates_of(kind: str, text: Any) -> Any:
    """GeoJSON coordinates of an answer, None if it is no place."""
    if not isinstance(text, str):
        return None
    if kind == "geopoint":
        return _point(text)
    line = _line(text)
    if kind == "geotrace" or line is None:
        return line
    return [line] if len(line) >= 4 and line[0] == line[-1] else None


_NAMES = {"geopoint": "Point", "geotrace": "LineString", "geoshape": "Polygon"}


@dataclass(frozen=True, slots=True)
class Place:
    """A question whose answers are places. `in_repeat`: it can have several."""

    path: Path
    kind: str
    in_repeat: bool

    def geometry(self, answers: dict[str, Any]) -> dict[str, Any] | None:
        """All the submission's answers to the question; None if there is no well-formed one."""
        found = [c for value in _values(answers, self.path) if (c := coordinates_of(self.kind, value)) is not None]
        if not found:
            return None
        if self.in_repeat:
            return {"type": f"Multi{_NAMES[self.kind]}", "coordinates": found}
        return {"type": _NAMES[self.kind], "coordinates": found[0]}

    @property
    def name(self) -> str:
        """`/group/question`."""
        return "/" + "/".join(self.path)


def _values(node: Any, path: Path) -> Iterator[Any]:
    if isinstance(node, list):
        for row in node:
            yield from _values(row, path)
    elif not path:
        yield node
    elif isinstance(node, dict):
        yield from _values(node.get(path[0]), path[1:])


def places_of(source: Source) -> list[Place]:
    """All questions for places that this reader may see, in the form's order."""
    repeats = [one.path for one in source.fields if one.kind == "repeat"]
    return [
        Place(one.path, one.kind, any(one.path[: len(path)] == path for path in repeats))
        for one in source.fields if one.kind in _KINDS and one.path not in source.hidden
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class GeoExport:
    """Features that were allowed and can be written. Without `field_paths` each says which question it answers."""

    source: Source
    selection: Selection
    field_paths: tuple[str, ...]
    with_answers: bool
    limit: int | None
    etag: str


def prepare_geojson(
    session: Session, actor: Actor, project_id: int, form_id: str, *, field_paths: Sequence[str], filter_text: str | None, limit: int | None,
    with_answers: bool,
) -> GeoExport:  # fmt: skip
    """The places of a form's submissions: of the first such question outside repeats in each one's form version, or of the one named.

    `with_answers`: the submission's own answers are the features' properties. Raises: not_found, insufficient_rights, invalid_query.
    """
    if len(field_paths) > 1:
        raise problems.invalid_query(list(field_paths)[:10], "at most one fieldpath may be specified")
    source = open_source(session, actor, project_id, form_id, verb="submission.list")
    selection = select_by(session, source, filter_text=filter_text)
    etag = selection_etag(session, source, selection, tuple(field_paths), limit, with_answers)
    return GeoExport(source, selection, tuple(field_paths), with_answers, limit, etag)


def _chosen(source: Source, field_paths: Sequence[str]) -> tuple[Place, ...]:
    places = places_of(source)
    if field_paths:
        return tuple(place for place in places if place.name in field_paths)
    return tuple([place for place in places if not place.in_repeat][:1])


def geojson_pieces(export: GeoExport, engine: Engine) -> Iterator[bytes]:
    """The FeatureCollection in pieces, from one read transaction."""
    properties = plan_table(export.source, ()).make if export.with_answers else None
    by_version: dict[int, tuple[Place, ...]] = {}
    start, left = b'{"type":"FeatureCollection","features":[', export.limit
    with transaction(engine) as session:
        for chunk in read_rows(session, export.source, export.selection):
            features = []
            for row in chunk:
                places = by_version.get(row.answered_as)
                if places is None:
                    places = by_version[row.answered_as] = _chosen(of_version(session, export.source, row.answered_as), export.field_paths)
                feature = _feature(row.instance_id, row.answers, places, names_path=not export.field_paths)
                if feature is not None:
                    if properties is not None:
                        feature["properties"] = _flat({**properties(row.answers, ""), "reviewState": row.review_state, "submissionDate": row.received_at})
                    features.append(feature)
            if left is not None:
                features = features[:left]
                left -= len(features)
            if features:
                yield start + orjson.dumps(features)[1:-1]
                start = b","
            if left == 0:
                break
    yield (start if start != b"," else b"") + b"]}"


def _flat(answers: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Answers of groups as `group-question`: a map's attribute table has no levels."""
    flat: dict[str, Any] = {}
    for name, value in answers.items():
        if isinstance(value, dict) and "coordinates" not in value:
            flat.update(_flat(value, f"{before}{name}-"))
        elif not isinstance(value, dict) and not name.endswith("@odata.navigationLink"):
            flat[before + name] = value
    return flat


def _feature(key: str, answers: dict[str, Any], places: Sequence[Place], *, names_path: bool) -> dict[str, Any] | None:
    found = [(place, geometry) for place in places if (geometry := place.geometry(answers)) is not None]
    if not found:
        return None
    geometry = found[0][1] if len(found) == 1 else {"type": "GeometryCollection", "geometries": [one for _place, one in found]}
    return {"type": "Feature", "id": key, "geometry": geometry, "properties": {"fieldpath": found[0][0].name} if names_path else None}


def version_geojson(
    session: Session, actor: Actor, project_id: int, form_id: str, *, root_id: str, version_id: str | None, field_paths: Sequence[str]
) -> dict[str, Any]:
    """The places of one submission's current version, or of the version named, under that version's own instanceID.

    Raises: not_found, insufficient_rights.
    """
    source = open_source(session, actor, project_id, form_id)
    submissions: Any = Submission.__table__.c
    versions: Any = SubmissionVersion.__table__.c
    statement = (
        select(versions.instance_id, versions.answers, versions.form_version_id)
        .join_from(Submission.__table__, SubmissionVersion.__table__,
                   (versions.project_id == submissions.project_id) & (versions.submission_id == submissions.id))
        .where(submissions.form_pk == source.form.id, submissions.is_draft.is_(False), submissions.deleted_at.is_(None),
               submissions.instance_id == root_id)
    )  # fmt: skip
    which = versions.id == submissions.current_version_id if version_id is None else versions.instance_id == version_id
    found = session.execute(visible(statement.where(which), actor, "submission.read", Submission)).one_or_none()
    if found is None:
        raise problems.not_found()
    places = _chosen(of_version(session, source, found.form_version_id), field_paths)
    feature = _feature(found.instance_id, found.answers, places, names_path=not field_paths)
    return {"type": "FeatureCollection", "features": [feature] if feature is not None else []}
