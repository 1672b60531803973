"""The rows of a new submission: one statement on PostgreSQL, a handful on SQLite, all by the driver alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy.orm import Session

from server.submissions.stored_xml import stored_xml
from server.transactions import Statement, new_id, stored_time

_VERSION = (
    "INSERT INTO submission_versions (project_id, id, form_pk, is_draft, submission_id, form_version_id, instance_id, deprecates, xml, answers,"
    " is_encrypted, is_complete, submitter_id, device_id, user_agent, received_at) VALUES (:project_id, :id, :form_pk, :is_draft, :submission_id,"
    " :form_version_id, :instance_id, :deprecates, :xml, {answers}, :is_encrypted, :is_complete, :submitter_id, :device_id, :user_agent, :received_at)"
    " ON CONFLICT DO NOTHING RETURNING id"
)
_SUBMISSION_COLUMNS = (
    "INSERT INTO submissions (project_id, id, form_pk, is_draft, instance_id, instance_name, current_version_id, form_version_id, submitter_id,"
    " device_id, division, review_state, received_at)"
)
_SUBMISSION_VALUES = (
    ":project_id, :submission_id, :form_pk, :is_draft, :instance_id, :instance_name, :id, :form_version_id, :submitter_id,"
    " :device_id, :division, 'received', :received_at"
)
_AUDIT = "INSERT INTO audit_entries (project_id, id, actor_id, action, form_pk, submission_id, details, at)"
_AUDIT_VALUES = ":project_id, :audit_id, :submitter_id, 'submission.create', :form_pk, :submission_id, {details}, :received_at"
_CHANGE = "INSERT INTO changes (project_id, id, kind, form_pk, submission_id, at)"
_CHANGE_VALUES = ":project_id, :change_id, 'submission.created', :form_pk, :submission_id, :received_at"
_EXPECTED = "INSERT INTO submission_attachments (project_id, version_id, name, is_expected)"

# Types are named: inside SELECT, unlike in VALUES, PostgreSQL does not take them from the column.
_TYPES = {
    ":project_id": "bigint", ":submission_id": "bigint", ":form_pk": "integer", ":is_draft": "boolean", ":instance_id": "varchar",
    ":instance_name": "varchar", ":id": "bigint", ":form_version_id": "bigint", ":submitter_id": "bigint", ":device_id": "varchar",
    ":division": "varchar", ":received_at": "timestamptz", ":audit_id": "bigint", ":change_id": "bigint",
}  # fmt: skip


def _typed(values: str) -> str:
    return ", ".join(f"{value}::{_TYPES[value]}" if value in _TYPES else value for value in values.split(", "))


_ONE = Statement(
    f"WITH v AS ({_VERSION.format(answers=':answers::jsonb')}),"
    f" s AS ({_SUBMISSION_COLUMNS} SELECT {_typed(_SUBMISSION_VALUES)} FROM v),"
    f" a AS ({_EXPECTED} SELECT :project_id::bigint, v.id, n.name, true FROM v, unnest(:expected::varchar[]) AS n(name)),"
    f" u AS ({_AUDIT} SELECT {_typed(_AUDIT_VALUES.format(details=':details::jsonb'))} FROM v WHERE :is_logged::boolean),"
    f" c AS ({_CHANGE} SELECT {_typed(_CHANGE_VALUES)} FROM v WHERE :is_logged::boolean)"
    " SELECT id FROM v"
)
_VERSION_ALONE = {
    "sqlite": Statement(_VERSION.format(answers=":answers")),
    "postgresql": Statement(_VERSION.format(answers=":answers::jsonb")),
}
_SQLITE_REST = (
    Statement(f"{_SUBMISSION_COLUMNS} VALUES ({_SUBMISSION_VALUES})"),
    Statement(f"{_AUDIT} SELECT {_AUDIT_VALUES.format(details=':details')} WHERE :is_logged"),
    Statement(f"{_CHANGE} SELECT {_CHANGE_VALUES} WHERE :is_logged"),
)
_SQLITE_EXPECTED = Statement(f"{_EXPECTED} VALUES (:project_id, :id, :name, 1) ON CONFLICT DO NOTHING")


def _sealed(session: Session, version: Mapping[str, Any]) -> dict[str, Any]:
    answers = orjson.dumps(version["answers"]).decode()
    return {**version, "answers": answers, "xml": stored_xml(session.get_bind().dialect, version["xml"], answers)}


def insert_version(session: Session, version: Mapping[str, Any]) -> bool:
    """The version's row is there; False if its instanceID was known already: another arrival won.

    `version`: the columns of submission_versions, `answers` as a dict.
    """
    statement = _VERSION_ALONE[session.get_bind().dialect.name]
    row = {**_sealed(session, version), "received_at": stored_time(session, version["received_at"])}
    return statement.on(session, row).fetchone() is not None


def insert_submission(
    session: Session, version: Mapping[str, Any], *, instance_name: str | None, division: str, expected: list[str], is_logged: bool
) -> bool:
    """Version, submission, expected attachments, audit entry and change are there; False, and nothing done, if the instanceID was known.

    `expected`: names of files, each once. `is_logged`: False for drafts, which nobody follows.
    """
    rows = {
        **_sealed(session, version), "instance_name": instance_name, "division": division,
        "audit_id": new_id(), "change_id": new_id(), "is_logged": is_logged,
        "details": orjson.dumps({"instanceId": version["instance_id"], "submissionDefId": version["id"]}).decode(), "received_at": stored_time(session, version["received_at"]),
    }  # fmt: skip
    if session.get_bind().dialect.name == "postgresql":
        return _ONE.on(session, {**rows, "expected": expected}).fetchone() is not None
    if _VERSION_ALONE["sqlite"].on(session, rows).fetchone() is None:
        return False
    for statement in _SQLITE_REST:
        statement.on(session, rows)
    for name in expected:
        _SQLITE_EXPECTED.on(session, {"project_id": rows["project_id"], "id": rows["id"], "name": name})
    return True
