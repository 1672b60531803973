"""The service document and `$metadata`."""

from __future__ import annotations

import orjson
from flask import Response, request

from server.exports.sources import open_source
from server.exports.tables import odata_path
from server.http.credentials import authenticate
from server.http.described import described
from server.http.parts import parts
from server.http.problem_answers import answer_problem
from server.odata import blueprint
from server.odata.addresses import problem_xml, service_root
from server.odata.metadata import edmx
from server.odata.requests import check_request
from server.problems import Problem
from server.transactions import transaction

_SERVICE = "application/json; charset=utf-8; odata.metadata=minimal"
_XML = "text/xml; charset=utf-8"


@blueprint.get("/projects/<int:project_id>/forms/<form_id>.svc")
def get_service(project_id: int, form_id: str) -> Response:
    """The tables of a form."""
    return _service(project_id, form_id, is_draft=False)


@blueprint.get("/projects/<int:project_id>/forms/<form_id>/draft.svc")
def get_draft_service(project_id: int, form_id: str) -> Response:
    """The tables of a form's draft."""
    return _service(project_id, form_id, is_draft=True)


@blueprint.get("/projects/<int:project_id>/forms/<form_id>.svc/$metadata")
@described(answers="application/xml")
def get_metadata(project_id: int, form_id: str) -> Response:
    """The types of a form's tables (CSDL XML)."""
    return _metadata(project_id, form_id, is_draft=False)


@blueprint.get("/projects/<int:project_id>/forms/<form_id>/draft.svc/$metadata")
@described(answers="application/xml")
def get_draft_metadata(project_id: int, form_id: str) -> Response:
    """The types of a draft's tables (CSDL XML)."""
    return _metadata(project_id, form_id, is_draft=True)


def _service(project_id: int, form_id: str, *, is_draft: bool) -> Response:
    actor = authenticate()
    check_request("json")
    with transaction(parts().engine) as session:
        source = open_source(session, actor, project_id, form_id, is_draft=is_draft)
    tables = ["Submissions", *("Submissions." + ".".join(odata_path(one.path)) for one in source.fields if one.kind == "repeat")]
    body = {"@odata.context": f"{service_root()}/$metadata", "value": [{"name": name, "kind": "EntitySet", "url": name} for name in tables]}
    return Response(orjson.dumps(body), content_type=_SERVICE)


def _metadata(project_id: int, form_id: str, *, is_draft: bool) -> Response:
    actor = authenticate()
    check_request("xml")
    with transaction(parts().engine) as session:
        source = open_source(session, actor, project_id, form_id, is_draft=is_draft)
    return Response(edmx(source.form.form_id, source.fields), content_type=_XML)


@blueprint.errorhandler(Problem)
def answer_in_kind(problem: Problem) -> Response:
    """XML where XML was to come, JSON elsewhere."""
    if not (request.endpoint or "").endswith("metadata"):
        return answer_problem(problem)
    details = orjson.dumps(dict(problem.details)).decode() if problem.details else ""
    return Response(problem_xml(problem, details), status=problem.status, content_type=_XML)


@blueprint.after_request
def say_version(response: Response) -> Response:
    """The protocol's version, on every answer."""
    response.headers["OData-Version"] = "4.0"
    return response
