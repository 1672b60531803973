"""The server's audit log."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Response, request

from server import problems
from server.access.audit_log import LIST_LIMIT, list_audits, read_subjects
from server.http.credentials import authenticate
from server.http.described import described
from server.http.json_answers import answer_json, wants_extended, whole_number
from server.http.parts import parts
from server.rest import blueprint
from server.rest.audit_shapes import audit_shape, extended_audit_shape
from server.transactions import transaction


def _time(name: str) -> datetime | None:
    """A query parameter as a time; one without a zone is UTC. Raises: invalid_data_type."""
    text = request.args.get(name)
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text.replace(" ", "+"))
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise problems.invalid_data_type(name, text[:50], "ISO 8601 date or time") from None


@blueprint.get("/audits")
@described(query={"action": "string", "start": "string", "end": "string", "limit": "integer", "offset": "integer"})
def get_audits() -> Response:
    """The audit log, newest first."""
    actor = authenticate()
    limit, offset = whole_number("limit"), whole_number("offset")
    with transaction(parts().engine) as session:
        entries = list_audits(
            session, actor, action=request.args.get("action"), start=_time("start"), end=_time("end"),
            limit=LIST_LIMIT if limit is None else limit, offset=offset or 0,
        )  # fmt: skip
        if not wants_extended():
            return answer_json([audit_shape(entry) for entry in entries])
        subjects = read_subjects(session, entries)
        return answer_json([extended_audit_shape(entry, subjects) for entry in entries])
