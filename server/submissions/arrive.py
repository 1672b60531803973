"""The shortest way for what nearly always arrives: a new submission of a published form, from a phone. receive.py has all else.

One statement on PostgreSQL looks the phone up, asks whether it may send this form, and inserts every row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Engine

from server.direct import DirectWriter
from server.forms.definitions import known_definition
from server.storage import KEPT_AGAIN
from server.submissions.answers import file_names, read_answers
from server.submissions.arriving import SENDERS, Sending, division_of
from server.submissions.envelope import Envelope
from server.submissions.known_forms import known_form, known_shape
from server.submissions.stored_xml import stored_xml
from server.transactions import Statement, new_id, sqlite_time

_SENDER = (
    "SELECT actors.id AS actor_id, COALESCE(actors.division, '') AS division FROM phones JOIN actors ON actors.id = phones.actor_id"
    " JOIN form_versions ON form_versions.id = :form_version_id JOIN forms ON forms.id = form_versions.form_pk AND forms.id = :form_pk"
    " WHERE phones.token_key = :token_key AND phones.revoked_at IS NULL AND actors.deleted_at IS NULL AND phones.project_id = :project_id"
    " AND forms.project_id = :project_id AND forms.form_id = :form_id AND forms.deleted_at IS NULL AND forms.state <> 'closed' AND EXISTS (SELECT 1 FROM assignments"
    " WHERE assignments.actor_id = actors.id AND assignments.project_id = :project_id AND assignments.role IN (" + SENDERS + ")"
    " AND (assignments.form_id IS NULL OR assignments.form_id = :form_pk))"
    " AND NOT EXISTS (SELECT 1 FROM purged_submissions WHERE form_pk = :form_pk AND instance_id = :instance_id)"
)
_VERSION = (
    "INSERT INTO submission_versions (project_id, id, form_pk, is_draft, submission_id, form_version_id, instance_id, xml, answers, is_encrypted,"
    " is_complete, submitter_id, device_id, user_agent, received_at) SELECT {project_id}, {id}, {form_pk}, {false}, {submission_id},"
    " {form_version_id}, {instance_id}, {xml}, {answers}, {is_encrypted}, {is_complete}, s.actor_id, {device_id}, {user_agent}, {received_at}"
    " FROM {sender} AS s{where} ON CONFLICT DO NOTHING RETURNING submitter_id"
)
_SUBMISSION = (
    "INSERT INTO submissions (project_id, id, form_pk, is_draft, instance_id, instance_name, current_version_id, form_version_id, submitter_id,"
    " device_id, division, review_state, received_at) SELECT {project_id}, {submission_id}, {form_pk}, {false}, {instance_id}, {instance_name},"
    " {id}, {form_version_id}, {actor_id}, {device_id}, {division}, 'received', {received_at}{source}"
)
_AUDIT = (
    "INSERT INTO audit_entries (project_id, id, actor_id, action, form_pk, submission_id, details, at)"
    " SELECT {project_id}, {audit_id}, {actor_id}, 'submission.create', {form_pk}, {submission_id}, {details}, {received_at}{source}"
)
_CHANGE = (
    "INSERT INTO changes (project_id, id, kind, form_pk, submission_id, at)"
    " SELECT {project_id}, {change_id}, 'submission.created', {form_pk}, {submission_id}, {received_at}{source}"
)
_FILE_COLUMNS = "INSERT INTO submission_attachments (project_id, version_id, name, blob_sha256, is_expected, content_type, received_at)"
_BLOB_COLUMNS = "INSERT INTO blobs (sha256, md5, size_bytes, created_at)"
# Types are named: inside SELECT, unlike in VALUES, PostgreSQL does not take them from the column.
_TYPES = {
    "project_id": "bigint", "id": "bigint", "form_pk": "integer", "submission_id": "bigint", "form_version_id": "bigint", "instance_id": "varchar",
    "xml": "bytea", "answers": "jsonb", "is_encrypted": "boolean", "is_complete": "boolean", "device_id": "varchar", "user_agent": "varchar",
    "received_at": "timestamptz", "instance_name": "varchar", "audit_id": "bigint", "change_id": "bigint", "details": "jsonb", "division": "varchar",
}  # fmt: skip


def _postgresql() -> Statement:
    named = {name: f":{name}::{kind}" for name, kind in _TYPES.items()}
    rest = {**named, "false": "false", "actor_id": "s.actor_id", "division": "COALESCE(:division::varchar, s.division)", "source": " FROM v, s"}
    version = _VERSION.format(**named, false="false", sender="s", where="").replace("FROM s AS s", "FROM s")
    return Statement(
        f"WITH s AS ({_SENDER}), v AS ({version}), b AS ({_BLOB_COLUMNS} SELECT f.sha256, f.md5, f.size_bytes, :received_at::timestamptz FROM v,"
        f" unnest(:blobs::varchar[], :md5s::varchar[], :sizes::integer[]) AS f(sha256, md5, size_bytes) {KEPT_AGAIN}),"
        f" i AS ({_SUBMISSION.format(**rest)}), u AS ({_AUDIT.format(**rest)}), c AS ({_CHANGE.format(**rest)}),"
        f" a AS ({_FILE_COLUMNS} SELECT :project_id::bigint, :id::bigint, f.name, f.sha256, f.expected, f.kind,"
        " CASE WHEN f.sha256 IS NULL THEN NULL ELSE :received_at::timestamptz END FROM v,"
        " unnest(:names::varchar[], :shas::varchar[], :expected::boolean[], :kinds::varchar[]) AS f(name, sha256, expected, kind))"
        " SELECT submitter_id FROM v"
    )


_ONE = _postgresql()
_PLAIN = {name: f":{name}" for name in _TYPES}
_REST = {**_PLAIN, "false": "0", "actor_id": ":actor_id", "source": ""}
_SQLITE_SENDER = Statement(_SENDER)
_SQLITE_VERSION = Statement(_VERSION.format(**_PLAIN, false="0", sender="(SELECT :actor_id AS actor_id)", where=" WHERE true"))
_SQLITE_REST = tuple(Statement(text.format(**_REST)) for text in (_SUBMISSION, _AUDIT, _CHANGE))
_SQLITE_BLOB = f"{_BLOB_COLUMNS} VALUES (?, ?, ?, ?) {KEPT_AGAIN}"
_SQLITE_FILE = f"{_FILE_COLUMNS} VALUES (?, ?, ?, ?, ?, ?, ?)"

@dataclass(frozen=True, slots=True)
class Arrived:
    """A new submission, durable. `submitter_id` is the phone."""

    submitter_id: int


def arrive(
    writer: DirectWriter, engine: Engine, project_id: int, token_key: bytes, envelope: Envelope, xml: bytes, sending: Sending
) -> Arrived | None:
    """The submission is stored, or None and nothing is: then receive_submission finds out what it is, and says why not.

    None for edits, resends, forms that change entities, versions not seen before, and a phone that may not send this form.
    `sending.files` must be in the store. Raises: busy.
    """
    if envelope.deprecated_id or envelope.entities or not envelope.has_instance_id or any(file.blob.content is not None or file.part_name for file in sending.files):
        return None
    found = known_form(engine, project_id, envelope.form_id, envelope.version)
    row = _row(engine, found, project_id, token_key, envelope, xml, sending) if found else None
    if row is None:
        return None
    insert = _insert_at_once if writer.is_postgresql else _insert_in_turn
    try:
        submitter_id = writer.run(lambda cursor: insert(cursor, row))
    except engine.dialect.loaded_dbapi.IntegrityError:
        return None  # a file of it is being swept: receive_submission tells the phone to come again
    return None if submitter_id is None else Arrived(submitter_id)


def _row(
    engine: Engine, found: tuple[int, int], project_id: int, token_key: bytes, envelope: Envelope, xml: bytes, sending: Sending
) -> dict[str, Any] | None:
    definition, shape = known_definition(engine, found[1]), known_shape(engine, found[1])
    if definition is None or shape is None:
        return None
    version_id = new_id()
    answers = {} if envelope.is_encrypted else read_answers(envelope.root, shape, envelope.instance_id)
    answers_text = orjson.dumps(answers).decode()
    expected = dict.fromkeys(name[:255] for name in (envelope.media if envelope.is_encrypted else file_names(answers, shape)))
    sent = {}
    for file in sending.files:
        sent.setdefault(file.name, file)
    return {
        "project_id": project_id, "id": version_id, "form_pk": found[0], "form_id": envelope.form_id, "submission_id": new_id(), "form_version_id": found[1],
        "instance_id": envelope.instance_id, "xml": stored_xml(engine.dialect, xml, answers_text), "answers": answers_text, "is_encrypted": envelope.is_encrypted,
        "is_complete": not sending.more_to_come, "device_id": sending.device_id, "user_agent": sending.user_agent,
        "received_at": datetime.now(UTC), "instance_name": envelope.instance_name, "audit_id": new_id(), "change_id": new_id(),
        "details": orjson.dumps({"instanceId": envelope.instance_id, "submissionDefId": version_id}).decode(), "division": division_of(answers), "token_key": token_key,
        "files": [
            (name, file.blob if (file := sent.get(name)) else None, (file.content_type or "")[:100] or None if file else None, name in expected)
            for name in dict.fromkeys([*expected, *sent])
        ],
    }  # fmt: skip


def _insert_at_once(cursor: Any, row: dict[str, Any]) -> int | None:
    files = row.pop("files")
    blobs = {blob.sha256: blob for _name, blob, _kind, _expected in files if blob}.values()
    row |= {
        "names": [file[0] for file in files], "shas": [file[1].sha256 if file[1] else None for file in files],
        "kinds": [file[2] for file in files], "expected": [file[3] for file in files],
        "blobs": [blob.sha256 for blob in blobs], "md5s": [blob.md5 for blob in blobs], "sizes": [blob.size_bytes for blob in blobs],
    }  # fmt: skip
    found = _ONE.by_driver(cursor, row, postgresql=True).fetchone()
    return found[0] if found else None


def _insert_in_turn(cursor: Any, row: dict[str, Any]) -> int | None:
    sender = _SQLITE_SENDER.by_driver(cursor, row, postgresql=False).fetchone()
    if sender is None:
        return None
    at = sqlite_time(row["received_at"])
    bound = {**row, "received_at": at, "actor_id": sender[0], "division": sender[1] if row["division"] is None else row["division"]}
    bound.pop("files")
    # On SQLite a row of RETURNING must be fetched before the statement counts as run.
    if _SQLITE_VERSION.by_driver(cursor, bound, postgresql=False).fetchone() is None:
        return None
    for statement in _SQLITE_REST:
        statement.by_driver(cursor, bound, postgresql=False)
    if row["files"]:
        blobs = {blob.sha256: blob for _name, blob, _kind, _expected in row["files"] if blob}.values()
        cursor.executemany(_SQLITE_BLOB, [(blob.sha256, blob.md5, blob.size_bytes, at) for blob in blobs])
        cursor.executemany(
            _SQLITE_FILE,
            [(row["project_id"], row["id"], name, blob.sha256 if blob else None, expected, kind, at if blob else None)
             for name, blob, kind, expected in row["files"]],
        )  # fmt: skip
    actor_id: int = sender[0]
    return actor_id
