"""A form's submissions as files."""

from __future__ import annotations

from flask import Response

from server.exports.csv_files import csv_zip, prepare_csv, record_export, root_csv
from server.http.conditional import has_etag
from server.http.credentials import authenticate
from server.http.downloads import file_headers
from server.http.parts import parts
from server.http.streamed import answer_stream
from server.rest import blueprint
from server.rest.export_options import csv_options, is_false, passphrases, with_weak_etag
from server.transactions import transaction

_FORM = "/projects/<int:project_id>/forms/<form_id>"


@blueprint.route(f"{_FORM}/submissions.csv", methods=["GET", "POST"])
def get_submissions_csv(project_id: int, form_id: str) -> Response:
    return _csv(project_id, form_id, is_draft=False)


@blueprint.route(f"{_FORM}/draft/submissions.csv", methods=["GET", "POST"])
def get_draft_submissions_csv(project_id: int, form_id: str) -> Response:
    return _csv(project_id, form_id, is_draft=True)


@blueprint.route(f"{_FORM}/submissions.csv.zip", methods=["GET", "POST"])
def get_submissions_zip(project_id: int, form_id: str) -> Response:
    return _zip(project_id, form_id, is_draft=False)


@blueprint.route(f"{_FORM}/draft/submissions.csv.zip", methods=["GET", "POST"])
def get_draft_submissions_zip(project_id: int, form_id: str) -> Response:
    return _zip(project_id, form_id, is_draft=True)


def _csv(project_id: int, form_id: str, *, is_draft: bool) -> Response:
    actor, options, given = authenticate(), csv_options(), passphrases()
    with transaction(parts().engine) as session:
        export = prepare_csv(session, actor, project_id, form_id, options=options, passphrases=given, is_draft=is_draft)
    if has_etag(export.etag):
        return with_weak_etag(Response(status=304), export.etag)
    response = answer_stream(root_csv(export, parts().engine, parts().storage), "text/csv; charset=utf-8")
    with transaction(parts().engine, write=True) as session:
        record_export(session, export.source)
    file_headers(response, f"{export.file_name}.csv", content_type="text/csv; charset=utf-8")
    return with_weak_etag(response, export.etag)


def _zip(project_id: int, form_id: str, *, is_draft: bool) -> Response:
    actor, options, given, with_files = authenticate(), csv_options(), passphrases(), not is_false("attachments")
    with transaction(parts().engine) as session:
        export = prepare_csv(session, actor, project_id, form_id, options=options, passphrases=given, is_draft=is_draft)
    if has_etag(export.etag):
        return with_weak_etag(Response(status=304), export.etag)
    response = answer_stream(csv_zip(export, parts().engine, parts().storage, with_files=with_files), "application/zip")
    with transaction(parts().engine, write=True) as session:
        record_export(session, export.source)
    file_headers(response, f"{export.file_name}{'.zip' if with_files else '.csv.zip'}", content_type="application/zip")
    return with_weak_etag(response, export.etag)
