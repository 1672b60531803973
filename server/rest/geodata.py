"""GeoJSON of submissions."""

from __future__ import annotations

from flask import Response, request

from server.exports.geojson import geojson_pieces, prepare_geojson, version_geojson
from server.http.conditional import has_etag
from server.http.credentials import authenticate
from server.http.described import described
from server.http.json_answers import answer_json, is_true
from server.http.parts import parts
from server.http.streamed import answer_stream
from server.rest import blueprint
from server.rest.export_options import lenient_number, with_weak_etag
from server.transactions import transaction

JSON = "application/json; charset=utf-8"


def _field_paths() -> list[str]:
    return list(dict.fromkeys(request.args.getlist("fieldpath")))


@blueprint.get("/projects/<int:project_id>/forms/<form_id>/submissions.geojson")
@described(query={"$filter": "string", "fieldpath": "string", "limit": "integer", "answers": "boolean"}, answers="application/json")
def get_submissions_geojson(project_id: int, form_id: str) -> Response:
    """The submissions' places as GeoJSON; with `answers` their answers are the properties."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        export = prepare_geojson(
            session, actor, project_id, form_id, field_paths=_field_paths(), filter_text=request.args.get("$filter"), limit=lenient_number("limit"),
            with_answers=is_true("answers"),
        )  # fmt: skip
    if has_etag(export.etag):
        return with_weak_etag(Response(status=304), export.etag)
    return with_weak_etag(answer_stream(geojson_pieces(export, parts().engine), JSON), export.etag)


@blueprint.get("/projects/<int:project_id>/forms/<form_id>/submissions/<instance_id>.geojson")
@described(query={"fieldpath": "string"}, answers="application/json")
def get_submission_geojson(project_id: int, form_id: str, instance_id: str) -> Response:
    """One submission's places as GeoJSON."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        found = version_geojson(session, actor, project_id, form_id, root_id=instance_id, version_id=None, field_paths=_field_paths())
    return answer_json(found)


@blueprint.get("/projects/<int:project_id>/forms/<form_id>/submissions/<root_id>/versions/<instance_id>.geojson")
@described(query={"fieldpath": "string"}, answers="application/json")
def get_version_geojson(project_id: int, form_id: str, root_id: str, instance_id: str) -> Response:
    """The places of one version of a submission."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        found = version_geojson(session, actor, project_id, form_id, root_id=root_id, version_id=instance_id, field_paths=_field_paths())
    return answer_json(found)
