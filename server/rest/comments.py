"""Comments on submissions."""

from __future__ import annotations

from flask import Response

from server.access.audit import remember_notes
from server.http.credentials import authenticate
from server.http.described import described
from server.http.json_answers import action_notes, answer_json, wants_extended, whole_number
from server.http.json_body import json_object, text_of
from server.http.parts import parts
from server.rest import blueprint
from server.rest.submission_addresses import FORM
from server.rest.submission_shapes import comment_shape
from server.submissions.comments import add_comment, list_comments
from server.submissions.records import Which, find_by_instance
from server.transactions import transaction

_ALL = FORM + "/submissions/<instance_id>/comments"


@blueprint.get(_ALL)
@described(query={"limit": "integer", "offset": "integer"})
def get_comments(project_id: int, form_id: str, instance_id: str) -> Response:
    """A submission's comments, newest first."""
    actor, limit, offset = authenticate(), whole_number("limit"), whole_number("offset") or 0
    with transaction(parts().engine) as session:
        _form, found = find_by_instance(session, actor, Which(project_id, form_id, instance_id), verb="submission.read")
        rows = list_comments(session, found, limit=limit, offset=offset)
    return answer_json([comment_shape(comment, author if wants_extended() else None) for comment, author in rows])


@blueprint.post(_ALL)
@described(body={"body": "string!"})
def post_comment(project_id: int, form_id: str, instance_id: str) -> Response:
    """Comment on a submission."""
    actor, body = authenticate(), json_object()
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        _form, found = find_by_instance(session, actor, Which(project_id, form_id, instance_id), verb="submission.read")
        text = text_of(body, "body", most=100_000, required=True) or ""
        comment = add_comment(session, actor, found, body=text)
    return answer_json(comment_shape(comment))
