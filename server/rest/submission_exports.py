"""A form's submissions as files."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Response, request

from server.exports.csv_files import CsvExport, csv_zip, prepare_csv, record_export, root_csv
from server.exports.geopackage import geopackage_pieces
from server.exports.xlsx import xlsx_pieces
from server.http.conditional import has_etag
from server.http.credentials import authenticate
from server.http.described import described
from server.http.downloads import file_headers
from server.http.languages import preferred_language
from server.http.parts import parts
from server.http.streamed import answer_stream
from server.rest import blueprint
from server.rest.export_options import csv_options, is_false, passphrases, with_weak_etag
from server.transactions import transaction

_CSV_OPTIONS = {
    "$filter": "string", "groupPaths": "boolean", "deletedFields": "boolean", "splitSelectMultiples": "boolean", "bom": "boolean",
}  # fmt: skip
_XLSX_OPTIONS = {"$filter": "string", "deletedFields": "boolean", "language": "string"}
_GPKG_OPTIONS = {"$filter": "string", "deletedFields": "boolean"}
_BODIES = ("application/x-www-form-urlencoded", "application/json")
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_GPKG = "application/geopackage+sqlite3"
_FORM = "/projects/<int:project_id>/forms/<form_id>"


@blueprint.route(f"{_FORM}/submissions.csv", methods=["GET", "POST"])
@described(query=_CSV_OPTIONS, media=_BODIES, answers="text/csv")
def get_submissions_csv(project_id: int, form_id: str) -> Response:
    """The submissions' own table as CSV, in ODK Central's columns. Passphrases by key id open encrypted ones; `bom` is for spreadsheets."""
    return _csv(project_id, form_id, is_draft=False)


@blueprint.route(f"{_FORM}/draft/submissions.csv", methods=["GET", "POST"])
@described(query=_CSV_OPTIONS, media=_BODIES, answers="text/csv")
def get_draft_submissions_csv(project_id: int, form_id: str) -> Response:
    """The draft's submissions as CSV."""
    return _csv(project_id, form_id, is_draft=True)


@blueprint.route(f"{_FORM}/submissions.csv.zip", methods=["GET", "POST"])
@described(query={**_CSV_OPTIONS, "attachments": "boolean"}, media=_BODIES, answers="application/zip")
def get_submissions_zip(project_id: int, form_id: str) -> Response:
    """All tables as CSV, with the submissions' files and what phones logged unless `attachments` is false."""
    return _zip(project_id, form_id, is_draft=False)


@blueprint.route(f"{_FORM}/draft/submissions.csv.zip", methods=["GET", "POST"])
@described(query={**_CSV_OPTIONS, "attachments": "boolean"}, media=_BODIES, answers="application/zip")
def get_draft_submissions_zip(project_id: int, form_id: str) -> Response:
    """All tables of the draft's submissions."""
    return _zip(project_id, form_id, is_draft=True)


@blueprint.route(f"{_FORM}/submissions.xlsx", methods=["GET", "POST"])
@described(query=_XLSX_OPTIONS, media=_BODIES, answers=_XLSX)
def get_submissions_xlsx(project_id: int, form_id: str) -> Response:
    """A workbook with labels in one language: zh, en, or a language as the form names it. Passphrases by key id open encrypted submissions."""
    return _xlsx(project_id, form_id, is_draft=False)


@blueprint.route(f"{_FORM}/draft/submissions.xlsx", methods=["GET", "POST"])
@described(query=_XLSX_OPTIONS, media=_BODIES, answers=_XLSX)
def get_draft_submissions_xlsx(project_id: int, form_id: str) -> Response:
    """A workbook of the draft's submissions."""
    return _xlsx(project_id, form_id, is_draft=True)


@blueprint.route(f"{_FORM}/submissions.gpkg", methods=["GET", "POST"])
@described(query=_GPKG_OPTIONS, media=_BODIES, answers=_GPKG)
def get_submissions_gpkg(project_id: int, form_id: str) -> Response:
    """A GeoPackage with a layer for each question about a place. Passphrases by key id open encrypted submissions."""
    return _gpkg(project_id, form_id, is_draft=False)


@blueprint.route(f"{_FORM}/draft/submissions.gpkg", methods=["GET", "POST"])
@described(query=_GPKG_OPTIONS, media=_BODIES, answers=_GPKG)
def get_draft_submissions_gpkg(project_id: int, form_id: str) -> Response:
    """A GeoPackage of the draft's submissions."""
    return _gpkg(project_id, form_id, is_draft=True)


def _xlsx(project_id: int, form_id: str, *, is_draft: bool) -> Response:
    export = _prepared(project_id, form_id, is_draft=is_draft)
    language = request.args.get("language", "")[:100] or preferred_language()
    return _file(export, xlsx_pieces(export, parts().engine, parts().storage, language=language), "xlsx", _XLSX)


def _gpkg(project_id: int, form_id: str, *, is_draft: bool) -> Response:
    export = _prepared(project_id, form_id, is_draft=is_draft)
    return _file(export, geopackage_pieces(export, parts().engine, parts().storage), "gpkg", _GPKG)


def _prepared(project_id: int, form_id: str, *, is_draft: bool) -> CsvExport:
    actor, options, given = authenticate(), csv_options(), passphrases()
    with transaction(parts().engine) as session:
        return prepare_csv(session, actor, project_id, form_id, options=options, passphrases=given, is_draft=is_draft)


def _file(export: CsvExport, pieces: Iterator[bytes], ending: str, content_type: str) -> Response:
    """The export as a file, once its first piece is made; then the audit log knows of it."""
    response = answer_stream(pieces, content_type)
    with transaction(parts().engine, write=True) as session:
        record_export(session, export.source)
    file_headers(response, f"{export.file_name}.{ending}", content_type=content_type)
    return response


def _csv(project_id: int, form_id: str, *, is_draft: bool) -> Response:
    export = _prepared(project_id, form_id, is_draft=is_draft)
    if has_etag(export.etag):
        return with_weak_etag(Response(status=304), export.etag)
    return with_weak_etag(_file(export, root_csv(export, parts().engine, parts().storage), "csv", "text/csv; charset=utf-8"), export.etag)


def _zip(project_id: int, form_id: str, *, is_draft: bool) -> Response:
    export, with_files = _prepared(project_id, form_id, is_draft=is_draft), not is_false("attachments")
    if has_etag(export.etag):
        return with_weak_etag(Response(status=304), export.etag)
    pieces = csv_zip(export, parts().engine, parts().storage, with_files=with_files)
    return with_weak_etag(_file(export, pieces, "zip" if with_files else "csv.zip", "application/zip"), export.etag)
