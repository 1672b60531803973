"""A submission arrives: new, sent again, or an edit. One write transaction around `receive_submission`, then the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Table, exists, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor, Place
from server.access.audit import record_audit
from server.access.roles import ROLES
from server.changes import record_change
from server.entities.apply import apply_changes
from server.forms.definitions import form_definition
from server.forms.fields import FormDefinition
from server.model import Attachment, Form, Submission, SubmissionVersion
from server.storage import Blob, record_blob
from server.submissions.answers import Shape, carry_repeat_keys, file_names, read_answers
from server.submissions.entity_changes import read_entity_changes
from server.submissions.envelope import Envelope
from server.submissions.known_forms import remember_form, shape_for
from server.submissions.rows import insert_submission, insert_version
from server.transactions import Statement, new_id


class Arrival(StrEnum):
    """What an accepted POST turned out to be."""

    NEW = "new"
    RESEND = "resend"
    EDIT = "edit"


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file of the POST, durable already. `name` exactly as the phone wrote it: the XML mentions it so."""

    name: str
    content_type: str | None
    blob: Blob


@dataclass(frozen=True, slots=True)
class Sending:
    """What a POST says around the XML."""

    files: Sequence[SentFile] = ()
    device_id: str | None = None
    user_agent: str | None = None
    more_to_come: bool = False
    draft_token: str | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """The submission as it now stands, by key, and how the POST was taken."""

    arrival: Arrival
    project_id: int
    submission_id: int
    version_id: int
    instance_id: str


_SUBMISSIONS: Table = Submission.__table__  # type: ignore[assignment]
_VERSIONS: Table = SubmissionVersion.__table__  # type: ignore[assignment]
_ATTACHMENTS: Table = Attachment.__table__  # type: ignore[assignment]

# The roles that may send, as a list in SQL.
SENDERS = ", ".join(f"'{name}'" for name, verbs in sorted(ROLES.items()) if "submission.create" in verbs)
_FORM = (
    "SELECT forms.id, forms.state, form_versions.id, (SELECT revoked_at IS NULL FROM phones WHERE actor_id = :actor_id),"
    " EXISTS (SELECT 1 FROM assignments WHERE actor_id = :actor_id AND project_id = :project_id AND role IN (" + SENDERS + ")"
    " AND (form_id IS NULL OR form_id = forms.id))"
    " FROM forms JOIN form_versions ON form_versions.{link}"
    " WHERE forms.project_id = :project_id AND forms.form_id = :form_id AND forms.deleted_at IS NULL AND form_versions.{which}"
)
_PUBLISHED = Statement(_FORM.format(link="form_pk = forms.id", which="version = :version AND form_versions.published_at IS NOT NULL"))
_DRAFT = Statement(_FORM.format(link="id = forms.draft_version_id", which="draft_token = :token"))


@dataclass(frozen=True, slots=True)
class _FoundForm:
    id: int
    state: str
    version_id: int
    is_assigned: bool


def receive_submission(session: Session, actor: Actor, project_id: int, envelope: Envelope, xml: bytes, sending: Sending) -> Received:
    """The XML and its files are stored as a new submission, as one sent again, or as an edit; or nothing changes.

    The cases and what each leaves: NEW: submission, version, attachments, entities, audit, change. RESEND (known instanceID,
    same bytes): attachments that were missing. EDIT (deprecatedID): a version that replaces the current one.
    Raises: form_unknown, form_version_unknown, form_not_accepting, insufficient_rights, submission_conflict,
    edit_of_unknown_submission, outdated_edit.
    """
    form = _find_form_version(session, actor, project_id, envelope, sending.draft_token)
    if sending.draft_token is None:
        if not form.is_assigned:
            actor.require("submission.create", Place(project_id, form.id))
        if form.state == "closed":
            raise problems.form_not_accepting()
    definition, engine = form_definition(session, form.version_id), session.connection().engine
    version = _Version(project_id, form.id, form.version_id, sending.draft_token is not None, actor, envelope, xml, sending, definition,
                       shape_for(engine, form.version_id, definition))  # fmt: skip
    if not version.is_draft:
        remember_form(engine, project_id, envelope.form_id, envelope.version, form_pk=form.id, form_version_id=form.version_id)
    if envelope.deprecated_id and envelope.deprecated_id != envelope.instance_id:
        return _receive_edit(session, version, envelope.deprecated_id)
    return _receive_new(session, version)


def _find_form_version(session: Session, actor: Actor, project_id: int, envelope: Envelope, token: str | None) -> _FoundForm:
    asked = {"project_id": project_id, "form_id": envelope.form_id, "version": envelope.version, "token": token, "actor_id": actor.id}
    row = (_DRAFT if token is not None else _PUBLISHED).on(session, asked).fetchone()
    if row is None:
        known = exists().where(Form.project_id == project_id, Form.form_id == envelope.form_id, Form.deleted_at.is_(None))
        if token is None and session.scalar(select(known)):
            raise problems.form_version_unknown(envelope.form_id, envelope.version)
        raise problems.form_unknown(envelope.form_id)
    # Asked here, in the transaction, because who sends may have been remembered from a moment ago.
    if actor.kind == "phone":
        if not row[3]:
            raise problems.authentication_failed()
        if not row[4]:
            raise problems.insufficient_rights()
        return _FoundForm(row[0], row[1], row[2], bool(row[4]))
    return _FoundForm(row[0], row[1], row[2], is_assigned=False)


class _Version:
    """One arrival on its way into the tables."""

    def __init__(
        self, project_id: int, form_pk: int, form_version_id: int, is_draft: bool, actor: Actor, envelope: Envelope, xml: bytes,
        sending: Sending, definition: FormDefinition, shape: Shape,
    ) -> None:  # fmt: skip
        self.id = new_id()
        self.project_id, self.form_pk, self.form_version_id, self.is_draft = project_id, form_pk, form_version_id, is_draft
        self.actor, self.envelope, self.xml, self.sending, self.definition = actor, envelope, xml, sending, definition
        self.at = datetime.now(UTC)
        self.shape = shape
        # An encrypted form's envelope has no answers to read: they are in the .enc file.
        self.answers: dict[str, Any] = (
            {} if envelope.is_encrypted else read_answers(envelope.root, shape, envelope.instance_id)
        )

    def row(self, submission_id: int) -> dict[str, Any]:
        """The columns of submission_versions."""
        return {
            "project_id": self.project_id, "id": self.id, "form_pk": self.form_pk, "is_draft": self.is_draft,
            "submission_id": submission_id, "form_version_id": self.form_version_id, "instance_id": self.envelope.instance_id,
            "deprecates": self.envelope.deprecated_id, "xml": self.xml, "answers": self.answers,
            "is_encrypted": self.envelope.is_encrypted, "is_complete": not self.sending.more_to_come,
            "submitter_id": self.actor.id or None, "device_id": self.sending.device_id, "user_agent": self.sending.user_agent,
            "received_at": self.at,
        }  # fmt: skip

    def expected_files(self) -> list[str]:
        """Names of the files that the XML mentions, each once."""
        names = list(self.envelope.media) if self.envelope.is_encrypted else file_names(self.answers, self.shape)
        return list(dict.fromkeys(name[:255] for name in names))

    def division(self) -> str:
        """The form's own `division` question, else that of the entity it changes, else the phone's; "" if none says."""
        return division_of(self.answers) or self.actor.division or ""


def division_of(answers: dict[str, Any]) -> str | None:
    """What the form's top-level question `division` says, if it is a division's code."""
    answer = answers.get("division")
    text = str(answer) if isinstance(answer, str | int) else ""
    return text if text.isascii() and text.isdigit() and len(text) <= 12 else None


def _insert_once(connection: Connection, table: Table) -> Any:
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    return make(table).on_conflict_do_nothing()


def _receive_new(session: Session, version: _Version) -> Received:
    submission_id, division, expected = new_id(), version.division(), version.expected_files()
    is_new = insert_submission(
        session, version.row(submission_id), instance_name=version.envelope.instance_name, division=division, expected=expected,
        is_logged=not version.is_draft,
    )  # fmt: skip
    if not is_new:
        return _receive_resend(session, version)
    _store_files(session, version)
    _apply_entities(session, version, division)
    return Received(Arrival.NEW, version.project_id, submission_id, version.id, version.envelope.instance_id)


def _receive_resend(session: Session, version: _Version) -> Received:
    known = session.connection().execute(
        select(_VERSIONS.c.id, _VERSIONS.c.submission_id, _VERSIONS.c.xml, _VERSIONS.c.is_complete).where(
            _VERSIONS.c.form_pk == version.form_pk, _VERSIONS.c.is_draft == version.is_draft,
            _VERSIONS.c.instance_id == version.envelope.instance_id,
        )
    ).one()  # fmt: skip
    if bytes(known.xml) != version.xml:
        raise problems.submission_conflict(version.envelope.instance_id)
    version.id = known.id
    added = _store_files(session, version)
    is_complete = not version.sending.more_to_come and not known.is_complete
    if is_complete:
        session.execute(update(_VERSIONS).where(_VERSIONS.c.project_id == version.project_id, _VERSIONS.c.id == known.id).values(is_complete=True))
    if (added or is_complete) and not version.is_draft:
        record_change(session, "submission.attachments", project_id=version.project_id, form_pk=version.form_pk, submission_id=known.submission_id)
    return Received(Arrival.RESEND, version.project_id, known.submission_id, known.id, version.envelope.instance_id)


def _receive_edit(session: Session, version: _Version, deprecated_id: str) -> Received:
    connection = session.connection()
    replaced = connection.execute(
        select(_VERSIONS.c.id, _VERSIONS.c.submission_id, _VERSIONS.c.answers).where(
            _VERSIONS.c.form_pk == version.form_pk, _VERSIONS.c.is_draft == version.is_draft, _VERSIONS.c.instance_id == deprecated_id,
        )
    ).one_or_none()  # fmt: skip
    if replaced is None:
        raise problems.edit_of_unknown_submission(deprecated_id)
    carry_repeat_keys(replaced.answers, version.answers)
    if not insert_version(session, version.row(replaced.submission_id)):
        return _receive_resend(session, version)
    division = version.division()
    # The condition is the lock: of two edits of one version, the second finds the version replaced.
    moved = connection.execute(
        update(_SUBMISSIONS)
        .where(_SUBMISSIONS.c.project_id == version.project_id, _SUBMISSIONS.c.id == replaced.submission_id,
               _SUBMISSIONS.c.current_version_id == replaced.id)
        .values(current_version_id=version.id, form_version_id=version.form_version_id, instance_name=version.envelope.instance_name,
                division=division, review_state="edited", review_level=None, updated_at=version.at)
    )  # fmt: skip
    if moved.rowcount != 1:
        raise problems.outdated_edit(deprecated_id)
    _expect_files(connection, version)
    _store_files(session, version)
    _carry_attachments(connection, version, replaced.id)
    if not version.is_draft:
        place = {"project_id": version.project_id, "form_pk": version.form_pk, "submission_id": replaced.submission_id}
        record_audit(session, version.actor, "submission.update.version", **place, instanceId=version.envelope.instance_id)
        record_change(session, "submission.edited", **place)
    return Received(Arrival.EDIT, version.project_id, replaced.submission_id, version.id, version.envelope.instance_id)


def _carry_attachments(connection: Connection, version: _Version, replaced_id: int) -> None:
    """Files that the edit still mentions and did not send again are those of the version it replaces (Central does so too)."""
    old = select(_ATTACHMENTS.c.name, _ATTACHMENTS.c.blob_sha256, _ATTACHMENTS.c.content_type, _ATTACHMENTS.c.received_at).where(
        _ATTACHMENTS.c.project_id == version.project_id, _ATTACHMENTS.c.version_id == replaced_id, _ATTACHMENTS.c.blob_sha256.is_not(None)
    )
    for row in connection.execute(old).all():
        connection.execute(
            update(_ATTACHMENTS)
            .where(_ATTACHMENTS.c.project_id == version.project_id, _ATTACHMENTS.c.version_id == version.id,
                   _ATTACHMENTS.c.name == row.name, _ATTACHMENTS.c.blob_sha256.is_(None))
            .values(blob_sha256=row.blob_sha256, content_type=row.content_type, received_at=row.received_at)
        )  # fmt: skip


def _expect_files(connection: Connection, version: _Version) -> None:
    rows = [{"project_id": version.project_id, "version_id": version.id, "name": name, "is_expected": True} for name in version.expected_files()]
    if rows:
        connection.execute(_insert_once(connection, _ATTACHMENTS), rows)


def _store_files(session: Session, version: _Version) -> int:
    """The sent files are there under their names; one that was there already stays. How many were added."""
    connection, added = session.connection(), 0
    for file in version.sending.files:
        record_blob(session, file.blob)
        content = {"blob_sha256": file.blob.sha256, "content_type": (file.content_type or "")[:100] or None, "received_at": version.at}
        place = {"project_id": version.project_id, "version_id": version.id, "name": file.name}
        filled = connection.execute(
            update(_ATTACHMENTS)
            .where(_ATTACHMENTS.c.project_id == version.project_id, _ATTACHMENTS.c.version_id == version.id,
                   _ATTACHMENTS.c.name == file.name, _ATTACHMENTS.c.blob_sha256.is_(None))
            .values(content)
        )  # fmt: skip
        if filled.rowcount == 0:
            # Not mentioned in the XML (kept all the same), or there already (the first one stays).
            filled = connection.execute(_insert_once(connection, _ATTACHMENTS), {**place, **content, "is_expected": False})
        added += max(filled.rowcount, 0)
    return added


def _apply_entities(session: Session, version: _Version, division: str) -> None:
    if version.is_draft or not version.envelope.entities:
        return
    changes = read_entity_changes(version.envelope, version.definition)
    errors = apply_changes(session, version.actor, version.project_id, changes, division=division, submission_version_id=version.id)
    if errors:
        session.execute(
            update(_VERSIONS).where(_VERSIONS.c.project_id == version.project_id, _VERSIONS.c.id == version.id).values(entity_errors=errors)
        )
