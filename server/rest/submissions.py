"""Submissions one by one: made, listed, read, edited, reviewed, deleted and restored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import orjson
from flask import Response, request

from server.access.actor import NOBODY, Actor
from server.access.audit import remember_notes
from server.access.audit_log import LIST_LIMIT, read_subjects
from server.exports.entity_history import named_entities
from server.http.bodies import xml_body
from server.http.clients import client_of, device_of
from server.http.conditional import has_etag
from server.http.credentials import authenticate
from server.http.described import described
from server.http.json_answers import action_notes, answer_json, answer_success, is_true, wants_extended, whole_number
from server.http.json_body import json_object, text_of
from server.http.parts import parts
from server.http.streamed import answer_stream
from server.problems import enketo_not_ready, not_found
from server.rest import blueprint
from server.rest.actor_shapes import actor_shape
from server.rest.audit_shapes import audit_shape, extended_audit_shape
from server.rest.entity_shapes import add_entities
from server.rest.export_options import with_weak_etag
from server.rest.submission_addresses import FORM, for_both
from server.rest.submission_shapes import key_shape, submission_shape
from server.submissions import records
from server.submissions.arriving import Sending
from server.submissions.envelope import read_envelope
from server.submissions.programs import create_submission, edit_submission
from server.submissions.records import Record, Which
from server.submissions.review import set_review_state
from server.submissions.trash import delete_submission, restore_submission
from server.transactions import transaction

_XML = ("application/xml", "text/xml")
_JSON = "application/json; charset=utf-8"
# Up to here a page is made whole, so that its ETag is of what it says.
_PAGE = 1000


def _sending(form_id: str, *, is_draft: bool, token: str | None = None) -> Sending:
    return Sending(device_id=device_of(), user_agent=client_of(), form_id=form_id, to_draft=is_draft, draft_token=token)


def _created(actor: Actor, project_id: int, sending: Sending) -> Response:
    xml = xml_body()
    envelope = read_envelope(xml)
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        made = create_submission(session, actor, project_id, envelope, xml, sending)
        record = records.record_of(session, made.project_id, made.submission_id)
    return answer_json(submission_shape(record))


@for_both("", "POST")
@described(query={"deviceID": "string"}, media=_XML)
def post_submission(project_id: int, form_id: str, is_draft: bool) -> Response:
    """Make a submission from its XML."""
    return _created(authenticate(), project_id, _sending(form_id, is_draft=is_draft))


@blueprint.post("/test/<token>" + FORM + "/draft/submissions")
@described(query={"deviceID": "string"}, media=_XML)
def post_test_submission(token: str, project_id: int, form_id: str) -> Response:
    """Make a submission of a draft by its test token alone."""
    return _created(NOBODY, project_id, _sending(form_id, is_draft=True, token=token))


@for_both("/<instance_id>", "PUT")
@described(query={"deviceID": "string"}, media=_XML)
def put_submission(project_id: int, form_id: str, instance_id: str, is_draft: bool) -> Response:
    """Replace a submission's current version, which the XML names in deprecatedID."""
    actor, xml = authenticate(), xml_body()
    envelope = read_envelope(xml)
    which = Which(project_id, form_id, instance_id, is_draft)
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        made = edit_submission(session, actor, which, envelope, xml, _sending(form_id, is_draft=is_draft))
        record = records.record_of(session, made.project_id, made.submission_id)
    return answer_json(submission_shape(record))


@for_both("")
@described(query={"limit": "integer", "offset": "integer", "deleted": "boolean"})
def get_submissions(project_id: int, form_id: str, is_draft: bool) -> Response:
    """A form's submissions, newest first; those in the trash with `deleted`."""
    actor, which, limit, offset = authenticate(), Which(project_id, form_id, is_draft=is_draft), whole_number("limit"), whole_number("offset") or 0
    found = _json_list(
        records.list_records(parts().engine, actor, which, is_deleted=is_true("deleted"), limit=limit, offset=offset), extended=wants_extended()
    )
    if limit is not None and limit <= _PAGE:
        body = b"".join(found)
        return with_weak_etag(Response(body, content_type=_JSON), hashlib.md5(body, usedforsecurity=False).hexdigest()).make_conditional(request)
    with transaction(parts().engine) as session:
        etag = f"{records.list_etag(session, actor, which, is_deleted=is_true('deleted'))}-{limit}-{offset}-{int(wants_extended())}"
    return with_weak_etag(Response(status=304) if has_etag(etag) else answer_stream(found, _JSON), etag)


def _json_list(found: Iterator[Record], *, extended: bool) -> Iterator[bytes]:
    opening, piece = b"[", bytearray()
    for record in found:
        piece += opening + orjson.dumps(submission_shape(record, extended=extended))
        opening = b","
        if len(piece) > 50_000:
            yield bytes(piece)
            piece = bytearray()
    yield bytes(piece) + (b"[]" if opening == b"[" else b"]")


@for_both("/<instance_id>")
def get_submission(project_id: int, form_id: str, instance_id: str, is_draft: bool) -> Response:
    """One submission."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        record = records.get_record(session, actor, Which(project_id, form_id, instance_id, is_draft))
    return answer_json(submission_shape(record, extended=wants_extended()))


def xml_answer(actor: Actor, which: Which, version_id: str | None = None) -> Response:
    """A version's XML as it was sent."""
    with transaction(parts().engine) as session:
        found = records.get_xml_of(session, actor, which, version_id)
    if found.is_unmasked:
        with transaction(parts().engine, write=True) as session:
            records.record_unmasked(session, actor, found.version)
    response = Response(found.xml, content_type="application/xml; charset=utf-8")
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response


@for_both("/<instance_id>.xml")
@described(answers="application/xml")
def get_submission_xml(project_id: int, form_id: str, instance_id: str, is_draft: bool) -> Response:
    """A submission's current XML, byte for byte as it was sent."""
    return xml_answer(authenticate(), Which(project_id, form_id, instance_id, is_draft))


@blueprint.get(FORM + "/submissions/<instance_id>/edit")
def get_submission_edit(project_id: int, form_id: str, instance_id: str) -> Response:  # noqa: ARG001 - the same answer for each
    """Where to edit a submission on the web: this server fills in no forms there, and says so as ODK Central does while a form is not ready."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        records.open_form(session, actor, Which(project_id, form_id), verb="submission.update")
    raise enketo_not_ready()


@blueprint.patch(FORM + "/submissions/<instance_id>")
@described(body={"reviewState": "string"})
def patch_submission(project_id: int, form_id: str, instance_id: str) -> Response:
    """Set a submission's review state; null takes a decision back."""
    actor, body = authenticate(), json_object()
    state = text_of(body, "reviewState", most=100)
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        _form, found = records.find_by_instance(session, actor, Which(project_id, form_id, instance_id), verb="submission.review", lock=True)
        if "reviewState" in body:
            set_review_state(session, actor, found, state or None)
        record = records.record_of(session, found.project_id, found.id)
    return answer_json(submission_shape(record))


@blueprint.delete(FORM + "/submissions/<instance_id>")
def remove_submission(project_id: int, form_id: str, instance_id: str) -> Response:
    """Put a submission in the trash for 30 days."""
    actor = authenticate()
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        _form, found = records.find_by_instance(session, actor, Which(project_id, form_id, instance_id), verb="submission.delete", lock=True)
        delete_submission(session, actor, found)
    return answer_success()


@blueprint.delete(FORM + "/draft/submissions/<instance_id>")
def remove_draft_submission(project_id: int, form_id: str, instance_id: str) -> Response:  # noqa: ARG001
    """Not found: what was tried on a draft goes with the draft."""
    authenticate()
    raise not_found()


@blueprint.post(FORM + "/submissions/<instance_id>/restore")
def post_submission_restore(project_id: int, form_id: str, instance_id: str) -> Response:
    """Take a submission out of the trash."""
    actor, which = authenticate(), Which(project_id, form_id, instance_id)
    with transaction(parts().engine, write=True) as session:
        remember_notes(session, action_notes())
        _form, found = records.find_by_instance(session, actor, which, verb="submission.restore", is_deleted=True, lock=True)
        restore_submission(session, actor, found)
    return answer_success()


@for_both("/keys")
def get_submission_keys(project_id: int, form_id: str, is_draft: bool) -> Response:
    """The keys that the form's encrypted submissions need."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        found = records.list_keys(session, actor, Which(project_id, form_id, is_draft=is_draft))
    return answer_json([key_shape(key) for key in found])


@for_both("/submitters")
def get_submission_submitters(project_id: int, form_id: str, is_draft: bool) -> Response:
    """Who sent the form's submissions."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        found = records.list_form_submitters(session, actor, Which(project_id, form_id, is_draft=is_draft))
    return answer_json([actor_shape(row) for row in found])


@for_both("/<instance_id>/audits")
@described(query={"limit": "integer", "offset": "integer"})
def get_submission_audits(project_id: int, form_id: str, instance_id: str, is_draft: bool) -> Response:
    """What was done to a submission, newest first."""
    actor, limit = authenticate(), whole_number("limit")
    with transaction(parts().engine) as session:
        entries = records.list_submission_audits(
            session, actor, Which(project_id, form_id, instance_id, is_draft), limit=LIST_LIMIT if limit is None else min(limit, LIST_LIMIT),
            offset=whole_number("offset") or 0,
        )  # fmt: skip
        if not wants_extended():
            return answer_json([audit_shape(entry) for entry in entries])
        subjects = read_subjects(session, entries)
        shapes = [extended_audit_shape(entry, subjects) for entry in entries]
        add_entities(shapes, entries, named_entities(session, project_id, entries))
        return answer_json(shapes)
