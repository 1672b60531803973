"""HEAD and POST submission (OpenRosa Form Submission API): read everything, one domain call, commit, then 201."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Response, request

from server import problems
from server.access.actor import NOBODY, Actor
from server.access.audit import remember_notes
from server.access.projects import find_project
from server.http.clients import client_of, device_of
from server.http.credentials import authenticate, sender
from server.http.described import described
from server.http.json_answers import action_notes
from server.http.multipart import Limits, Part, read_parts
from server.http.parts import parts
from server.openrosa import blueprint
from server.openrosa.answers import language, message_xml, with_openrosa_headers
from server.storage import Storage
from server.submissions.arriving import Arrival, Received, Sending, SentFile
from server.submissions.envelope import read_envelope
from server.submissions.receive import receive_submission
from server.transactions import transaction

THANKS = {
    Arrival.NEW: ("已收到，谢谢。", "Received, thank you: full submission upload was successful!"),
    Arrival.RESEND: ("此前已收到，没有重复。", "Already received; nothing was duplicated: full submission upload was successful!"),
    Arrival.EDIT: ("修改已收到，谢谢。", "Your edit was received, thank you: full submission upload was successful!"),
}


def ready_for_submissions() -> Response:
    """204: Collect takes any other 2xx for a captive portal (its OpenRosaServerInstanceUploader)."""
    response = with_openrosa_headers(Response(status=204))
    response.headers["X-OpenRosa-Accept-Content-Length"] = str(parts().settings.post_bytes)
    return response


def receive(actor: Actor, project_id: int, **draft: Any) -> Response:
    """Everything of the POST is durable, then 201. `draft`: fields of Sending. Raises what read_parts, read_envelope and receive_submission raise."""
    settings = parts().settings
    with read_parts(request, Limits(body_bytes=settings.max_body_bytes)) as sent:
        envelope = read_envelope(sent.xml)
        files = keep_files(parts().storage, sent.attachments)
        sending = Sending(files, device_of(), client_of(), sent.is_incomplete, **draft)
        with transaction(parts().engine, write=True) as session:
            remember_notes(session, action_notes())
            received = receive_submission(session, actor, project_id, envelope, sent.xml, sending)
    return _accepted(received)


def keep_files(storage: Storage, attachments: Sequence[Part]) -> list[SentFile]:
    """Each file is durable in the store, or rides in its blob while the store is away."""
    return [
        SentFile(part.name, part.content_type, storage.keep(part.stream, sha256=part.sha256, md5=part.md5, size_bytes=part.size_bytes), part.part_name)
        for part in attachments
    ]


def _accepted(received: Received) -> Response:
    zh, en = THANKS[received.arrival]
    return message_xml(zh if language() == "zh" else en, 201, "submit_success")


def _require_protocol() -> None:
    """Raises: invalid_header (no OpenRosa request)."""
    version = request.headers.get("X-OpenRosa-Version")
    if version != "1.0":
        raise problems.invalid_header("X-OpenRosa-Version", version[:50] if version is not None else None)


def _from_user(actor: Actor, project_id: int, **draft: Any) -> Response:
    """`receive`, where who may not send is asked to sign in as someone else: so do programs on OpenRosa expect it."""
    try:
        return receive(actor, project_id, **draft)
    except problems.Problem as problem:
        if problem.code == "403.1" and actor.kind != "phone":
            raise problems.authentication_failed() from None
        raise


def _ready(project_id: int) -> Response:
    with transaction(parts().engine) as session:
        find_project(session, project_id)
    return ready_for_submissions()


@blueprint.route("/v1/projects/<int:project_id>/submission", methods=["HEAD", "GET", "POST"])
@described(query={"deviceID": "string"}, media=("multipart/form-data",), answers="text/xml")
def submission(project_id: int) -> Response:
    """Send a submission with its files (OpenRosa); HEAD tells how large a POST may be."""
    _require_protocol()
    if request.method != "POST":
        authenticate()
        return _ready(project_id)
    return _from_user(sender(), project_id)


@blueprint.route("/v1/projects/<int:project_id>/forms/<form_id>/draft/submission", methods=["HEAD", "GET", "POST"])
@described(query={"deviceID": "string"}, media=("multipart/form-data",), answers="text/xml")
def own_draft_submission(project_id: int, form_id: str) -> Response:
    """Send a submission of a form's draft (OpenRosa)."""
    _require_protocol()
    if request.method != "POST":
        authenticate()
        return _ready(project_id)
    return _from_user(sender(), project_id, form_id=form_id, to_draft=True)


@blueprint.route("/v1/test/<token>/projects/<int:project_id>/forms/<form_id>/draft/submission", methods=["HEAD", "GET", "POST"])
@described(query={"deviceID": "string"}, media=("multipart/form-data",), answers="text/xml")
def draft_submission(token: str, project_id: int, form_id: str) -> Response:
    """Send a submission of a form's draft by its test token alone (OpenRosa)."""
    _require_protocol()
    if request.method != "POST":
        return _ready(project_id)
    return receive(NOBODY, project_id, form_id=form_id, draft_token=token)
