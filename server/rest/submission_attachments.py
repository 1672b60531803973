"""Files of submissions and of their versions."""

from __future__ import annotations

from pathlib import PurePosixPath

from flask import Response, request, stream_with_context

from server.access.actor import Actor
from server.access.audit import remember_notes
from server.http.bodies import kept_body
from server.http.conditional import has_etag, with_etag
from server.http.credentials import authenticate
from server.http.described import described
from server.http.downloads import file_headers
from server.http.json_answers import action_notes, answer_json, answer_success
from server.http.parts import parts
from server.rest.submission_addresses import for_both
from server.rest.submission_shapes import attachment_shape
from server.submissions.attachments import check_may_put, clear_file, find_file, list_expected, put_file
from server.submissions.records import Which
from server.transactions import transaction

_ANY = "application/octet-stream"
_BY_ENDING = {".csv": "text/csv; charset=utf-8", ".geojson": "application/geo+json"}


def _default_type(name: str) -> str | None:
    return _BY_ENDING.get(PurePosixPath(name).suffix.lower())


def _listed(which: Which, version_id: str | None = None) -> Response:
    actor = authenticate()
    with transaction(parts().engine) as session:
        found = list_expected(session, actor, which, version_id)
    return answer_json([attachment_shape(row) for row in found])


def _file(actor: Actor, which: Which, name: str, version_id: str | None = None) -> Response:
    """The bytes with their ETag; in a browser shown only where they are an image of a type that runs nothing."""
    with transaction(parts().engine) as session:
        found = find_file(session, actor, which, name, version_id)
    body = () if has_etag(found.md5) else stream_with_context(parts().storage.open(found.sha256))
    response = Response(body)
    file_headers(response, name, content_type=found.content_type or _default_type(name) or _ANY, inline=True)
    return with_etag(found.md5, response)


def _cleared(which: Which, name: str, version_id: str | None = None) -> Response:
    actor = authenticate()
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        clear_file(session, actor, which, name, version_id)
    return answer_success()


@for_both("/<instance_id>/attachments")
def get_attachments(project_id: int, form_id: str, instance_id: str, is_draft: bool) -> Response:
    """The files that a submission mentions, and which of them are there."""
    return _listed(Which(project_id, form_id, instance_id, is_draft))


@for_both("/<instance_id>/attachments/<name>")
@described(answers=_ANY)
def get_attachment(project_id: int, form_id: str, instance_id: str, name: str, is_draft: bool) -> Response:
    """One file of a submission."""
    return _file(authenticate(), Which(project_id, form_id, instance_id, is_draft), name)


@for_both("/<instance_id>/attachments/<name>", "POST")
@described(media=(_ANY,))
def post_attachment(project_id: int, form_id: str, instance_id: str, name: str, is_draft: bool) -> Response:
    """Give a submission a file that it mentions."""
    actor, which = authenticate(), Which(project_id, form_id, instance_id, is_draft)
    with transaction(parts().engine) as session:
        check_may_put(session, actor, which, name)
    blob = kept_body()
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        put_file(session, actor, which, name, blob, request.content_type or _default_type(name))
    return answer_success()


@for_both("/<instance_id>/attachments/<name>", "DELETE")
def delete_attachment(project_id: int, form_id: str, instance_id: str, name: str, is_draft: bool) -> Response:
    """Take a file away from a submission; it is expected again."""
    return _cleared(Which(project_id, form_id, instance_id, is_draft), name)


@for_both("/<root_id>/versions/<instance_id>/attachments")
def get_version_attachments(project_id: int, form_id: str, root_id: str, instance_id: str, is_draft: bool) -> Response:
    """The files that a version mentions, and which of them are there."""
    return _listed(Which(project_id, form_id, root_id, is_draft), instance_id)


@for_both("/<root_id>/versions/<instance_id>/attachments/<name>")
@described(answers=_ANY)
def get_version_attachment(project_id: int, form_id: str, root_id: str, instance_id: str, name: str, is_draft: bool) -> Response:
    """One file of a version."""
    return _file(authenticate(), Which(project_id, form_id, root_id, is_draft), name, instance_id)


@for_both("/<root_id>/versions/<instance_id>/attachments/<name>", "DELETE")
def delete_version_attachment(project_id: int, form_id: str, root_id: str, instance_id: str, name: str, is_draft: bool) -> Response:
    """Take a file away from one version."""
    return _cleared(Which(project_id, form_id, root_id, is_draft), name, instance_id)
