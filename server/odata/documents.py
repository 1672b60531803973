"""Data documents: tables, single submissions, and what one submission holds of a repeat."""

from __future__ import annotations

from hashlib import md5
from typing import Any

import orjson
from flask import Response

from server.exports.odata_documents import Footer, TableQuery, prepare_table, submission_document, table_document
from server.http.conditional import has_etag
from server.http.credentials import authenticate
from server.http.described import described
from server.http.parts import parts
from server.http.streamed import answer_stream
from server.odata import blueprint
from server.odata.addresses import keyed_place, next_addresses, service_root, table_names
from server.odata.requests import check_request, table_query
from server.transactions import transaction

_OPTIONS = {
    "$top": "integer", "$skip": "integer", "$skiptoken": "string", "$count": "boolean", "$filter": "string", "$orderby": "string",
    "$search": "string", "$select": "string", "$expand": "string", "$wkt": "boolean",
}  # fmt: skip
_ONE = {name: _OPTIONS[name] for name in ("$top", "$skip", "$skiptoken", "$count", "$select", "$expand", "$wkt")}
JSON = "application/json; charset=utf-8"


@blueprint.get("/projects/<int:project_id>/forms/<form_id>.svc/Submissions(<path:place>")
@described(query=_ONE)
def get_submission(project_id: int, form_id: str, place: str) -> Response:
    """One submission, or the rows that it has of a repeat."""
    return _one_submission(project_id, form_id, place, is_draft=False)


@blueprint.get("/projects/<int:project_id>/forms/<form_id>/draft.svc/Submissions(<path:place>")
@described(query=_ONE)
def get_draft_submission(project_id: int, form_id: str, place: str) -> Response:
    """One of the draft's submissions, or the rows that it has of a repeat."""
    return _one_submission(project_id, form_id, place, is_draft=True)


@blueprint.get("/projects/<int:project_id>/forms/<form_id>.svc/<table>")
@described(query=_OPTIONS)
def get_table(project_id: int, form_id: str, table: str) -> Response:
    """A table: `Submissions`, or a repeat's as the service document names it."""
    return _table(project_id, form_id, table, is_draft=False)


@blueprint.get("/projects/<int:project_id>/forms/<form_id>/draft.svc/<table>")
@described(query=_OPTIONS)
def get_draft_table(project_id: int, form_id: str, table: str) -> Response:
    """A table of the draft's submissions."""
    return _table(project_id, form_id, table, is_draft=True)


def _one_submission(project_id: int, form_id: str, place: str, *, is_draft: bool) -> Response:
    actor = authenticate()
    check_request("json")
    named = keyed_place("Submissions(" + place)
    query = table_query(is_repeat=len(named) > 1)
    footer = _footer(".".join(name for name, _key in named), query, is_repeat=len(named) > 1)
    with transaction(parts().engine) as session:
        body = submission_document(
            session, actor, project_id, form_id, place=named, query=query, storage=parts().storage, footer=footer, is_draft=is_draft
        )
    return Response(body, content_type=JSON)


def _table(project_id: int, form_id: str, table: str, *, is_draft: bool) -> Response:
    actor = authenticate()
    check_request("json")
    names = table_names(table)
    query = table_query(is_repeat=bool(names))
    with transaction(parts().engine) as session:
        export = prepare_table(session, actor, project_id, form_id, names, query=query, is_draft=is_draft)
    if export.etag is not None and has_etag(export.etag):
        return _tagged(Response(status=304), export.etag)
    pieces = table_document(export, parts().engine, parts().storage, _footer(table, query, is_repeat=bool(names)))
    if query.top == 0 and not names:
        body = b"".join(pieces)
        return _tagged(Response(body, content_type=JSON), md5(body, usedforsecurity=False).hexdigest())
    response = answer_stream(pieces, JSON)
    return response if export.etag is None else _tagged(response, export.etag)


def _tagged(response: Response, etag: str) -> Response:
    response.set_etag(etag, weak=True)
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def _footer(table: str, query: TableQuery, *, is_repeat: bool) -> Footer:
    context = f"{service_root()}/$metadata#{table}"
    following, address = query.skip + (query.top or 0), next_addresses()

    def footer(has_more: bool, last: str | None, count: int | None) -> bytes:
        said: dict[str, Any] = {"@odata.context": context}
        if has_more:
            token = {"repeatId" if is_repeat else "instanceId": last}
            said["@odata.nextLink"] = address(token if not query.order_text else None, following)
        if count is not None:
            said["@odata.count"] = count
        return orjson.dumps(said)[1:-1]

    return footer
