"""What arrives: who sends it to which form, and the version as it would be stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor, Place
from server.access.roles import ROLES
from server.forms.definitions import form_definition
from server.forms.fields import FormDefinition
from server.forms.trash import trash_stale_drafts
from server.model import Form
from server.storage import Blob
from server.submissions.answers import Shape, file_names, read_answers
from server.submissions.envelope import Envelope
from server.submissions.known_forms import remember_form, shape_for
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
    # The part's own name, where it is another than the file's: some programs name the file so (as ODK Central reads it).
    part_name: str | None = None


@dataclass(frozen=True, slots=True)
class Sending:
    """What a request says around the XML.

    `form_id`: the form that the address names, which the XML must name too. `to_draft`: the form's draft, whatever version the
    XML names; `draft_token` instead of rights.
    """

    files: Sequence[SentFile] = ()
    device_id: str | None = None
    user_agent: str | None = None
    more_to_come: bool = False
    draft_token: str | None = None
    form_id: str | None = None
    to_draft: bool = False

    @property
    def is_draft(self) -> bool:
        """Whether this goes to a draft."""
        return self.to_draft or self.draft_token is not None


@dataclass(frozen=True, slots=True)
class Received:
    """The submission as it now stands, by key, and how the POST was taken."""

    arrival: Arrival
    project_id: int
    submission_id: int
    version_id: int
    instance_id: str


# The roles that may send, as a list in SQL.
SENDERS = ", ".join(f"'{name}'" for name, verbs in sorted(ROLES.items()) if "submission.create" in verbs)
_FORM = (
    "SELECT forms.id, forms.state, form_versions.id, COALESCE((SELECT revoked_at IS NULL FROM phones WHERE actor_id = :actor_id),"
    " (SELECT revoked_at IS NULL FROM public_links WHERE actor_id = :actor_id)),"
    " EXISTS (SELECT 1 FROM assignments WHERE actor_id = :actor_id AND project_id = :project_id AND role IN (" + SENDERS + ")"
    " AND (form_id IS NULL OR form_id = forms.id))"
    " FROM forms JOIN form_versions ON form_versions.{link}"
    " WHERE forms.project_id = :project_id AND forms.form_id = :form_id AND forms.deleted_at IS NULL AND form_versions.{which}"
)
_PUBLISHED = Statement(_FORM.format(link="form_pk = forms.id", which="version = :version AND form_versions.published_at IS NOT NULL"))
_DRAFT = Statement(_FORM.format(link="id = forms.draft_version_id", which="draft_token = :token"))
_OWN_DRAFT = Statement(_FORM.format(link="id = forms.draft_version_id", which="published_at IS NULL"))


@dataclass(frozen=True, slots=True)
class _FoundForm:
    id: int
    state: str
    version_id: int
    is_assigned: bool


def accept(session: Session, actor: Actor, project_id: int, envelope: Envelope, xml: bytes, sending: Sending) -> ArrivingVersion:
    """The version as it would be stored, once it is settled that this actor may send it to this form.

    Raises: form_unknown, form_version_unknown, form_not_accepting, insufficient_rights, unexpected_value (the address names another form), missing_part (a phone's instanceID).
    """
    form = _find_form_version(session, actor, project_id, envelope, sending)
    if sending.draft_token is None and not form.is_assigned:
        actor.require("submission.create", Place(project_id, form.id))
    if sending.form_id is not None and sending.form_id != envelope.form_id:
        raise problems.unexpected_value("form id", envelope.form_id, "did not match the form ID in the URL")
    if sending.form_id is None and not envelope.has_instance_id:
        # A phone could not send it again without doubling it; a program reads in the answer which ID it got.
        raise problems.missing_part("instanceID")
    if not sending.is_draft and form.state == "closed":
        raise problems.form_not_accepting()
    definition, engine = form_definition(session, form.version_id), session.connection().engine
    if sending.is_draft:
        # Also of a draft that was replaced while this one was on its way.
        trash_stale_drafts(session, project_id, form.id, form.version_id)
    else:
        remember_form(engine, project_id, envelope.form_id, envelope.version, form_pk=form.id, form_version_id=form.version_id)
    return ArrivingVersion(project_id, form.id, form.version_id, sending.is_draft, actor, envelope, xml, sending, definition,
                           shape_for(engine, form.version_id, definition))  # fmt: skip


def _find_form_version(session: Session, actor: Actor, project_id: int, envelope: Envelope, sending: Sending) -> _FoundForm:
    token, form_id = sending.draft_token, sending.form_id or envelope.form_id
    asked = {"project_id": project_id, "form_id": form_id, "version": envelope.version, "token": token, "actor_id": actor.id}
    row = (_DRAFT if token is not None else _OWN_DRAFT if sending.to_draft else _PUBLISHED).on(session, asked).fetchone()
    if row is None:
        known = exists().where(Form.project_id == project_id, Form.form_id == form_id, Form.deleted_at.is_(None))
        if sending.is_draft:
            raise problems.not_found()
        if session.scalar(select(known)):
            raise problems.form_version_unknown(form_id, envelope.version)
        raise problems.form_unknown(form_id)
    # Asked here, in the transaction, because who sends may have been remembered from a moment ago.
    if actor.kind in {"phone", "public_link"}:
        if not row[3]:
            raise problems.authentication_failed()
        if not row[4]:
            raise problems.insufficient_rights()
        return _FoundForm(row[0], row[1], row[2], bool(row[4]))
    return _FoundForm(row[0], row[1], row[2], is_assigned=False)


class ArrivingVersion:
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

    def place(self, submission_id: int) -> dict[str, int]:
        """The submission's keys, for the logs."""
        return {"project_id": self.project_id, "form_pk": self.form_pk, "submission_id": submission_id}

    def division(self) -> str:
        """The form's own `division` question, else that of the entity it changes, else the phone's; "" if none says."""
        return division_of(self.answers) or self.actor.division or ""


def division_of(answers: dict[str, Any]) -> str | None:
    """What the form's top-level question `division` says, if it is a division's code."""
    answer = answers.get("division")
    text = str(answer) if isinstance(answer, str | int) else ""
    return text if text.isascii() and text.isdigit() and len(text) <= 12 else None
