"""HEAD and POST submission (OpenRosa Form Submission API): read everything, one domain call, commit, then 201."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Response, request

from server.access.actor import NOBODY, Actor
from server.http.credentials import sender
from server.http.languages import preferred_language
from server.http.multipart import Limits, Part, SubmissionParts, read_parts
from server.http.parts import parts
from server.openrosa import blueprint
from server.openrosa.answers import message_xml, with_openrosa_headers
from server.storage import Storage
from server.submissions.envelope import read_envelope
from server.submissions.receive import Arrival, Received, Sending, SentFile, receive_submission
from server.transactions import transaction

THANKS = {
    Arrival.NEW: ("已收到，谢谢。", "Received, thank you."),
    Arrival.RESEND: ("此前已收到，没有重复。", "Already received; nothing was duplicated."),
    Arrival.EDIT: ("修改已收到，谢谢。", "Your edit was received, thank you."),
}


def ready_for_submissions() -> Response:
    """204: Collect takes any other 2xx for a captive portal (its OpenRosaServerInstanceUploader)."""
    response = with_openrosa_headers(Response(status=204))
    response.headers["X-OpenRosa-Accept-Content-Length"] = str(parts().settings.post_bytes)
    return response


def receive(actor: Actor, project_id: int, *, draft_token: str | None = None) -> Response:
    """Everything of the POST is durable, then 201. Raises what read_parts, read_envelope and receive_submission raise."""
    settings = parts().settings
    with read_parts(request, Limits(body_bytes=settings.max_body_bytes)) as sent:
        envelope = read_envelope(sent.xml)
        sending = _sending(sent, draft_token)
        with transaction(parts().engine, write=True) as session:
            received = receive_submission(session, actor, project_id, envelope, sent.xml, sending)
    return _accepted(received)


def _sending(sent: SubmissionParts, draft_token: str | None) -> Sending:
    files = keep_files(parts().storage, sent.attachments)
    return Sending(files, bounded(request.args.get("deviceID")), bounded(request.user_agent.string), sent.is_incomplete, draft_token)


def keep_files(storage: Storage, attachments: Sequence[Part]) -> list[SentFile]:
    """Each file is durable in the store, or rides in its blob while the store is away."""
    return [
        SentFile(part.name, part.content_type, storage.keep(part.stream, sha256=part.sha256, md5=part.md5, size_bytes=part.size_bytes))
        for part in attachments
    ]


def bounded(text: str | None) -> str | None:
    """What a client says of itself, as 255 printable characters at most."""
    return "".join(c for c in text if c.isprintable())[:255] or None if text else None


def _accepted(received: Received) -> Response:
    zh, en = THANKS[received.arrival]
    return message_xml(zh if preferred_language() == "zh" else en, 201, "submit_success")


@blueprint.route("/v1/projects/<int:project_id>/submission", methods=["HEAD", "GET", "POST"])
def submission(project_id: int) -> Response:
    actor = sender()
    return receive(actor, project_id) if request.method == "POST" else ready_for_submissions()


@blueprint.route("/v1/test/<token>/projects/<int:project_id>/forms/<form_id>/draft/submission", methods=["HEAD", "GET", "POST"])
def draft_submission(token: str, project_id: int, form_id: str) -> Response:  # noqa: ARG001 - the XML names the form
    return receive(NOBODY, project_id, draft_token=token) if request.method == "POST" else ready_for_submissions()
