"""Files and XML of submissions, of which nothing runs in a browser."""

from __future__ import annotations

from itertools import chain

from flask import Response, request

from server.access.audit import record_audit
from server.forms.definitions import form_definition
from server.http.downloads import file_headers
from server.http.parts import parts
from server.submissions.queries import find_submission, get_attachment, get_xml
from server.transactions import transaction
from server.web import blueprint
from server.web.visitor import visitor

_MAGIC = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"), (b"GIF87a", "image/gif"), (b"GIF89a", "image/gif"))


def _image_type(head: bytes) -> str | None:
    """The image type that the bytes themselves show; what the sender called the file proves nothing."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)


@blueprint.get("/projects/<int:project_id>/submissions/<int:submission_id>/versions/<int:version_id>/file")
def submission_file(project_id: int, submission_id: int, version_id: int) -> Response:
    """The file `?name=` of a version: shown if it is an image, else saved."""
    name = request.args.get("name", "")
    with transaction(parts().engine) as session:
        sha256 = get_attachment(session, visitor().actor, project_id, submission_id, version_id, name=name)
    chunks = parts().storage.open(sha256)
    first = next(chunks, b"")
    kind = _image_type(first)
    response = Response(chain([first], chunks))
    file_headers(response, name, content_type=kind or "application/octet-stream", inline=kind is not None and "save" not in request.args)
    return response


@blueprint.get("/projects/<int:project_id>/submissions/<int:submission_id>/versions/<int:version_id>/xml")
def submission_xml(project_id: int, submission_id: int, version_id: int) -> Response:
    """The XML as it was sent. Where the form has ID numbers, it takes the right to unmask them, and is logged."""
    actor = visitor().actor
    with transaction(parts().engine, write=True) as session:
        version, xml = get_xml(session, actor, project_id, submission_id, version_id)
        if any(field.sensitive for field in form_definition(session, version.form_version_id).fields):
            found = find_submission(session, actor, project_id, submission_id, verb="person.unmask")
            record_audit(session, actor, "submission.unmask", project_id=project_id, form_pk=found.form_pk, submission_id=found.id, what="xml")
    response = Response(xml)
    file_headers(response, f"{version.instance_id.removeprefix('uuid:')}.xml", content_type="application/xml")
    return response
