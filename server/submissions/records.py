"""Submissions and their versions as programs ask for them: by form and instanceID, drafts apart from the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, Select, and_, func, select
from sqlalchemy.orm import Session, aliased

from server import problems
from server.access.actor import Actor, Place, visible
from server.access.audit import record_audit
from server.forms.definitions import form_definition
from server.forms.drafts import find_form
from server.model import ActorRow, AuditEntry, EncryptionKey, Form, FormVersion, Submission, SubmissionVersion
from server.submissions.stored_xml import sent_xml
from server.transactions import transaction

_MOST_VERSIONS = 500
_MOST_ACTORS = 5000
_CHUNK = 500


class AnotherVersion(Exception):
    """The instanceID is not a submission's own but one of its versions': `root_id` is the submission's."""

    def __init__(self, root_id: str, instance_id: str) -> None:
        super().__init__(instance_id)
        self.root_id, self.instance_id = root_id, instance_id


@dataclass(frozen=True, slots=True)
class Which:
    """Which submission is asked for: by project, form ID, and (of one) instanceID; those of the draft, or all others."""

    project_id: int
    form_id: str
    instance_id: str = ""
    is_draft: bool = False


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """One version with its sender; `form_version` is the version string of the form it was filled in with."""

    version: SubmissionVersion
    instance_name: str | None
    is_current: bool
    submitter: ActorRow | None
    form_version: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """A submission; `submitter` and `user_agent` are the first version's, `current` the newest."""

    submission: Submission
    user_agent: str | None
    submitter: ActorRow | None
    current: VersionRecord


def open_form(session: Session, actor: Actor, which: Which, *, verb: str) -> Form:
    """The form, published or with a draft as asked. Raises: not_found, insufficient_rights."""
    form = find_form(session, which.project_id, which.form_id)
    if form is None or (form.draft_version_id if which.is_draft else form.current_version_id) is None:
        # Who may do nothing here learns nothing of what is here.
        actor.require(verb, form or Place(which.project_id))
        raise problems.not_found()
    actor.require(verb, form)
    return form


def of_form(statement: Select[Any], form: Form, *, is_draft: bool) -> Select[Any]:
    """Narrowed to the form's submissions; of the draft's to those of the present draft."""
    statement = statement.where(Submission.project_id == form.project_id, Submission.form_pk == form.id, Submission.is_draft.is_(is_draft))
    return statement.where(Submission.form_version_id == form.draft_version_id) if is_draft else statement


def find_by_instance(
    session: Session, actor: Actor, which: Which, *, verb: str, is_deleted: bool = False, lock: bool = False
) -> tuple[Form, Submission]:
    """Form and submission. Raises: not_found, insufficient_rights."""
    form = open_form(session, actor, which, verb=verb)
    statement = of_form(select(Submission), form, is_draft=which.is_draft).where(Submission.instance_id == which.instance_id)
    statement = statement.where(Submission.deleted_at.is_not(None) if is_deleted else Submission.deleted_at.is_(None))
    found = session.scalar(statement.with_for_update() if lock else statement)
    if found is None:
        raise problems.not_found()
    actor.require(verb, found)
    return form, found


def find_or_move(session: Session, actor: Actor, which: Which) -> tuple[Form, Submission]:
    """`find_by_instance` to read. Raises: AnotherVersion (the instanceID is one of its versions'), not_found, insufficient_rights."""
    try:
        return find_by_instance(session, actor, which, verb="submission.read")
    except problems.Problem as problem:
        if problem.status != 404:
            raise
        form = open_form(session, actor, which, verb="submission.read")
        statement = (
            of_form(select(Submission), form, is_draft=which.is_draft)
            .join(SubmissionVersion, and_(SubmissionVersion.project_id == Submission.project_id, SubmissionVersion.submission_id == Submission.id))
            .where(SubmissionVersion.form_pk == form.id, SubmissionVersion.is_draft.is_(which.is_draft),
                   SubmissionVersion.instance_id == which.instance_id, Submission.deleted_at.is_(None))
        )  # fmt: skip
        root = session.scalar(statement)
        if root is None:
            raise
        actor.require("submission.read", root)
        raise AnotherVersion(root.instance_id, which.instance_id) from None


_ROOT, _SENDER, _EDITOR = aliased(SubmissionVersion), aliased(ActorRow), aliased(ActorRow)
_NAME = SubmissionVersion.answers["meta"]["instanceName"].as_string()


def _records() -> Select[Any]:
    return (
        select(Submission, SubmissionVersion, _ROOT.user_agent, _SENDER, _EDITOR)
        .join(SubmissionVersion, and_(SubmissionVersion.project_id == Submission.project_id, SubmissionVersion.id == Submission.current_version_id))
        .outerjoin(_ROOT, and_(_ROOT.form_pk == Submission.form_pk, _ROOT.is_draft == Submission.is_draft, _ROOT.instance_id == Submission.instance_id))
        .outerjoin(_SENDER, _SENDER.id == Submission.submitter_id)
        .outerjoin(_EDITOR, _EDITOR.id == SubmissionVersion.submitter_id)
    )


def _record(row: Any) -> Record:
    submission, version, user_agent, sender, editor = row
    return Record(submission, user_agent, sender, VersionRecord(version, submission.instance_name, True, editor))


def record_of(session: Session, project_id: int, submission_id: int) -> Record:
    """The submission with what hangs on it, for whoever has settled the rights."""
    session.flush()
    statement = _records().where(Submission.project_id == project_id, Submission.id == submission_id)
    return _record(session.execute(statement.execution_options(populate_existing=True)).one())


def get_record(session: Session, actor: Actor, which: Which) -> Record:
    """One submission. Raises: what find_or_move raises."""
    _form, found = find_or_move(session, actor, which)
    return record_of(session, found.project_id, found.id)


def list_records(
    engine: Engine, actor: Actor, which: Which, *, is_deleted: bool = False, limit: int | None = None, offset: int = 0
) -> Iterator[Record]:
    """The form's submissions, newest first, read while they are sent. Raises: not_found, insufficient_rights."""
    with transaction(engine) as session:
        form = open_form(session, actor, which, verb="submission.list")
        statement = of_form(_records(), form, is_draft=which.is_draft)
        statement = statement.where(Submission.deleted_at.is_not(None) if is_deleted else Submission.deleted_at.is_(None))
        statement = visible(statement, actor, "submission.list", Submission)
        statement = statement.order_by(Submission.received_at.desc(), Submission.id.desc()).offset(offset)
        if limit is not None:
            statement = statement.limit(limit)
        for row in session.execute(statement.execution_options(yield_per=_CHUNK)):
            yield _record(row)


def list_etag(session: Session, actor: Actor, which: Which, *, is_deleted: bool = False) -> str:
    """Changes whenever `list_records` without limit would. Raises: not_found, insufficient_rights."""
    form = open_form(session, actor, which, verb="submission.list")
    columns = (func.count(), func.max(Submission.received_at), func.max(Submission.updated_at), func.max(Submission.current_version_id))
    statement = of_form(select(*columns), form, is_draft=which.is_draft)
    statement = statement.where(Submission.deleted_at.is_not(None) if is_deleted else Submission.deleted_at.is_(None))
    seen = session.execute(visible(statement, actor, "submission.list", Submission)).one()
    return hashlib.md5(repr((*seen, is_deleted)).encode(), usedforsecurity=False).hexdigest()


def _versions(submission: Submission) -> Select[Any]:
    return (
        select(SubmissionVersion, _NAME, ActorRow, FormVersion.version)
        .outerjoin(ActorRow, ActorRow.id == SubmissionVersion.submitter_id)
        .outerjoin(FormVersion, FormVersion.id == SubmissionVersion.form_version_id)
        .where(SubmissionVersion.project_id == submission.project_id, SubmissionVersion.submission_id == submission.id)
        .order_by(SubmissionVersion.received_at.desc(), SubmissionVersion.id.desc()).limit(_MOST_VERSIONS)
    )  # fmt: skip


def _version(submission: Submission, row: Any) -> VersionRecord:
    version, name, sender, form_version = row
    is_current = version.id == submission.current_version_id
    return VersionRecord(version, submission.instance_name if is_current else name, is_current, sender, form_version)


def list_version_records(session: Session, actor: Actor, which: Which) -> list[VersionRecord]:
    """The submission's versions, newest first, at most 500. Raises: not_found, insufficient_rights."""
    _form, submission = find_by_instance(session, actor, which, verb="submission.read")
    return [_version(submission, row) for row in session.execute(_versions(submission))]


def find_version(session: Session, actor: Actor, which: Which, version_id: str | None, *, verb: str = "submission.read") -> VersionRecord:
    """The version of that instanceID, the current one if None. Raises: not_found, insufficient_rights; to read also AnotherVersion."""
    if version_id is None and verb == "submission.read":
        submission = find_or_move(session, actor, which)[1]
    else:
        submission = find_by_instance(session, actor, which, verb=verb)[1]
    named = SubmissionVersion.id == submission.current_version_id if version_id is None else SubmissionVersion.instance_id == version_id
    row = session.execute(_versions(submission).where(named)).one_or_none()
    if row is None:
        raise problems.not_found()
    return _version(submission, row)


@dataclass(frozen=True, slots=True)
class VersionXml:
    """A version and its XML byte for byte; `is_unmasked` where it shows answers to sensitive questions."""

    version: SubmissionVersion
    xml: bytes
    is_unmasked: bool


def get_xml_of(session: Session, actor: Actor, which: Which, version_id: str | None) -> VersionXml:
    """A version's XML. Where the form has sensitive questions it takes the right to unmask them; then `record_unmasked` it.

    Raises: what find_version raises.
    """
    version = find_version(session, actor, which, version_id).version
    is_sensitive = any(field.sensitive for field in form_definition(session, version.form_version_id).fields)
    if is_sensitive:
        actor.require("person.unmask", Place(version.project_id, version.form_pk))
    return VersionXml(version, sent_xml(session, version.xml), is_sensitive)


def record_unmasked(session: Session, actor: Actor, version: SubmissionVersion) -> None:
    """The audit log says who read the version's XML."""
    place = {"project_id": version.project_id, "form_pk": version.form_pk, "submission_id": version.submission_id}
    record_audit(session, actor, "submission.unmask", **place, what="xml")


@dataclass(frozen=True, slots=True)
class Xmls:
    """A submission's versions: `xmls` are instanceID and XML, newest first, read one by one; `form_version_ids` those they were filled in with."""

    form: Form
    form_version_ids: Sequence[int]
    xmls: Iterator[tuple[str, bytes]]


def list_xmls(session: Session, actor: Actor, which: Which) -> Xmls:
    """The submission's versions with their XML, at most 500. Raises: not_found, insufficient_rights."""
    form, submission = find_by_instance(session, actor, which, verb="submission.read")
    columns: Any = SubmissionVersion.__table__.c
    of_it = (columns.project_id == submission.project_id, columns.submission_id == submission.id)
    used = session.scalars(select(columns.form_version_id).where(*of_it).distinct()).all()
    ids = session.execute(
        select(columns.id, columns.instance_id).where(*of_it).order_by(columns.received_at.desc(), columns.id.desc()).limit(_MOST_VERSIONS)
    ).all()
    one = select(columns.xml).where(columns.project_id == submission.project_id)
    return Xmls(form, used, ((row.instance_id, sent_xml(session, session.scalar(one.where(columns.id == row.id)) or b"")) for row in ids))


def list_keys(session: Session, actor: Actor, which: Which) -> Sequence[EncryptionKey]:
    """The keys without which the form's encrypted submissions cannot be read, newest first. Raises: not_found, insufficient_rights."""
    form = open_form(session, actor, which, verb="submission.read")
    encrypted = (
        of_form(select(Submission.id), form, is_draft=which.is_draft)
        .join(SubmissionVersion, and_(SubmissionVersion.project_id == Submission.project_id, SubmissionVersion.id == Submission.current_version_id))
        .where(Submission.form_version_id == FormVersion.id, Submission.deleted_at.is_(None), SubmissionVersion.is_encrypted.is_(True))
    )  # fmt: skip
    encrypted = visible(encrypted, actor, "submission.read", Submission)
    used = select(FormVersion.key_id).where(FormVersion.form_pk == form.id, FormVersion.key_id.is_not(None), encrypted.correlate(FormVersion).exists())
    return session.scalars(select(EncryptionKey).where(EncryptionKey.id.in_(used)).order_by(EncryptionKey.id.desc()).limit(1000)).all()


def list_form_submitters(session: Session, actor: Actor, which: Which) -> Sequence[ActorRow]:
    """Who sent the form's submissions, by name, at most 5000. Raises: not_found, insufficient_rights."""
    form = open_form(session, actor, which, verb="submission.read")
    sent = of_form(select(Submission.submitter_id), form, is_draft=which.is_draft).where(Submission.deleted_at.is_(None)).distinct()
    statement = select(ActorRow).where(ActorRow.id.in_(visible(sent, actor, "submission.read", Submission)))
    return session.scalars(statement.order_by(ActorRow.display_name, ActorRow.id).limit(_MOST_ACTORS)).all()


def list_submission_audits(session: Session, actor: Actor, which: Which, *, limit: int, offset: int = 0) -> Sequence[AuditEntry]:
    """What was done to the submission, newest first. Raises: not_found, insufficient_rights."""
    _form, found = find_by_instance(session, actor, which, verb="submission.read")
    statement = select(AuditEntry).where(AuditEntry.project_id == found.project_id, AuditEntry.submission_id == found.id)
    return session.scalars(statement.order_by(AuditEntry.at.desc(), AuditEntry.id.desc()).limit(limit).offset(offset)).all()
