"""Submissions as staff read them: lists, one in full, answers under their questions' labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor, Place, division_end, visible
from server.access.sealed import is_sealed_name, masked_json, sealer_of
from server.forms.fields import Field, FormDefinition
from server.model import ActorRow, Attachment, Comment, Entity, EntityList, Form, FormVersion, RuleViolations, Submission, SubmissionVersion
from server.submissions.stored_xml import sent_xml

LIST_LIMIT = 50


@dataclass(frozen=True, slots=True)
class SubmissionRow:
    """A submission as lists show it. `title` is its form's, `submitter` the phone's or person's name; `breaks_rules`: some of its form's."""

    submission: Submission
    title: str
    submitter: str | None
    breaks_rules: bool = False


@dataclass(frozen=True, slots=True)
class WrittenComment:
    """What was said of a submission, and by whom."""

    comment: Comment
    author: str | None


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version as it arrived, and from whom."""

    version: SubmissionVersion
    submitter: str | None


@dataclass(frozen=True, slots=True)
class SubmissionDetail:
    """A submission with all that hangs on it. `shown` is the version whose `answers` and `attachments` these are."""

    submission: Submission
    title: str
    submitter: str | None
    shown: SubmissionVersion
    answers: dict[str, Any]
    attachments: Sequence[Attachment]
    versions: Sequence[VersionRow]
    comments: Sequence[WrittenComment]


def _listed() -> Select[Any]:
    current = FormVersion.__table__.alias("current")
    return (
        select(Submission, current.c.title, ActorRow.display_name, RuleViolations.version_id)
        .join(Form, Form.id == Submission.form_pk)
        .outerjoin(current, current.c.id == Form.current_version_id)
        .outerjoin(ActorRow, ActorRow.id == Submission.submitter_id)
        .outerjoin(
            RuleViolations, and_(RuleViolations.project_id == Submission.project_id, RuleViolations.version_id == Submission.current_version_id)
        )
        .where(Submission.is_draft.is_(False), Submission.deleted_at.is_(None), Form.deleted_at.is_(None))
    )


def list_submissions(
    session: Session, actor: Actor, project_id: int, *, form_pk: int | None = None, division_prefix: str | None = None,
    submitter_id: int | None = None, review_state: str | None = None, received_from: datetime | None = None,
    received_to: datetime | None = None, breaks_rules: bool = False, before: tuple[datetime, int] | None = None, limit: int = LIST_LIMIT,
) -> list[SubmissionRow]:  # fmt: skip
    """The newest submissions that the actor may list, at most `limit`; never drafts, nor anything in the trash.

    `received_to` is excluded. `breaks_rules`: those alone whose current version does. `before`: received_at and id of the last row of the page before.
    """
    columns = Submission
    conditions = [columns.project_id == project_id]
    for column, wanted in ((columns.form_pk, form_pk), (columns.submitter_id, submitter_id), (columns.review_state, review_state)):
        if wanted is not None:
            conditions.append(column == wanted)
    if division_prefix:
        conditions += [columns.division >= division_prefix, columns.division < division_end(division_prefix)]
    if received_from is not None:
        conditions.append(columns.received_at >= received_from)
    if received_to is not None:
        conditions.append(columns.received_at < received_to)
    if breaks_rules:
        # Few do: the list begins with them, not with all that were ever sent.
        broken = select(RuleViolations.submission_id).where(RuleViolations.project_id == project_id)
        conditions += [columns.id.in_(broken), RuleViolations.version_id.is_not(None)]
    if before is not None:
        at, last_id = before
        # The first condition alone narrows the index; the second settles rows of one instant.
        conditions += [columns.received_at <= at, or_(columns.received_at < at, and_(columns.received_at == at, columns.id < last_id))]
    statement = _listed().where(*conditions).order_by(columns.received_at.desc(), columns.id.desc()).limit(limit)
    return [SubmissionRow(row[0], row[1] or "", row[2], row[3] is not None) for row in session.execute(visible(statement, actor, "submission.list"))]


def list_submitters(session: Session, actor: Actor, project_id: int, *, limit: int = 500) -> list[tuple[int, str]]:
    """Id and name of the project's phones within the actor's division, by name: whom a list can be narrowed to."""
    if not actor.can("submission.list", Place(project_id)):
        return []
    statement = select(ActorRow.id, ActorRow.display_name).where(ActorRow.project_id == project_id, ActorRow.kind == "phone")
    if actor.division:
        statement = statement.where(ActorRow.division >= actor.division, ActorRow.division < division_end(actor.division))
    return [(row[0], row[1]) for row in session.execute(statement.order_by(ActorRow.display_name, ActorRow.id).limit(limit))]


def find_submission(
    session: Session, actor: Actor, project_id: int, submission_id: int, *, verb: str = "submission.read", lock: bool = False
) -> Submission:
    """The submission; with `lock`, nobody else changes it before the commit. Raises: not_found (also drafts, trash), insufficient_rights."""
    found = session.get(Submission, (project_id, submission_id), with_for_update=True if lock else None)
    if found is None or found.is_draft or found.deleted_at is not None:
        actor.require(verb, Place(project_id))
        raise problems.not_found()
    actor.require(verb, found)
    return found


def get_submission(
    session: Session, actor: Actor, project_id: int, submission_id: int, *, version_id: int | None = None, unmasked: bool = False
) -> SubmissionDetail:
    """The submission with the answers of its current version, or of the version named. `unmasked`: sealed numbers in full, which the caller logs.

    Raises: not_found, insufficient_rights.
    """
    found = find_submission(session, actor, project_id, submission_id)
    if unmasked:
        actor.require("person.unmask", found)
    named = session.execute(
        select(FormVersion.title, ActorRow.display_name).select_from(Submission)
        .join(Form, Form.id == Submission.form_pk).join(FormVersion, FormVersion.id == Submission.form_version_id)
        .outerjoin(ActorRow, ActorRow.id == Submission.submitter_id)
        .where(Submission.project_id == project_id, Submission.id == submission_id, Form.deleted_at.is_(None))
    ).one_or_none()  # fmt: skip
    if named is None:
        raise problems.not_found()
    versions = _versions(session, found)
    wanted = version_id or found.current_version_id
    shown = next((row.version for row in versions if row.version.id == wanted), None)
    if shown is None:
        raise problems.not_found()
    answers = session.scalar(
        select(SubmissionVersion.answers).where(SubmissionVersion.project_id == project_id, SubmissionVersion.id == shown.id)
    )
    show = sealer_of(session.get_bind().dialect).unsealed_json if unmasked else masked_json
    answers = orjson.loads(show(orjson.dumps(answers or {}).decode()))
    return SubmissionDetail(
        found, named[0], named[1], shown, answers, _attachments(session, project_id, shown.id), versions, _comments(session, found)
    )


def _versions(session: Session, submission: Submission) -> list[VersionRow]:
    statement = (
        select(SubmissionVersion, ActorRow.display_name)
        .outerjoin(ActorRow, ActorRow.id == SubmissionVersion.submitter_id)
        .where(SubmissionVersion.project_id == submission.project_id, SubmissionVersion.submission_id == submission.id)
        .order_by(SubmissionVersion.received_at.desc(), SubmissionVersion.id.desc()).limit(200)
    )  # fmt: skip
    return [VersionRow(*row) for row in session.execute(statement)]


def _attachments(session: Session, project_id: int, version_id: int) -> Sequence[Attachment]:
    return session.scalars(
        select(Attachment).where(Attachment.project_id == project_id, Attachment.version_id == version_id).order_by(Attachment.name).limit(1000)
    ).all()


def _comments(session: Session, submission: Submission) -> list[WrittenComment]:
    statement = (
        select(Comment, ActorRow.display_name)
        .outerjoin(ActorRow, ActorRow.id == Comment.actor_id)
        .where(Comment.project_id == submission.project_id, Comment.submission_id == submission.id)
        .order_by(Comment.created_at.desc(), Comment.id.desc()).limit(200)
    )  # fmt: skip
    return [WrittenComment(*row) for row in session.execute(statement)]


def _version_of(session: Session, actor: Actor, project_id: int, submission_id: int, version_id: int) -> SubmissionVersion:
    found = find_submission(session, actor, project_id, submission_id)
    version = session.get(SubmissionVersion, (project_id, version_id))
    if version is None or version.submission_id != found.id:
        raise problems.not_found()
    return version


def get_xml(session: Session, actor: Actor, project_id: int, submission_id: int, version_id: int) -> tuple[SubmissionVersion, bytes]:
    """A version and its XML, byte for byte as it was sent. Raises: not_found, insufficient_rights."""
    version = _version_of(session, actor, project_id, submission_id, version_id)
    return version, sent_xml(session, version.xml)


def get_attachment(session: Session, actor: Actor, project_id: int, submission_id: int, version_id: int, *, name: str) -> str:
    """SHA-256 of a version's file. Raises: not_found (also while its bytes have not arrived), insufficient_rights."""
    version = _version_of(session, actor, project_id, submission_id, version_id)
    row = session.get(Attachment, (project_id, version.id, name))
    if row is None or row.blob_sha256 is None:
        raise problems.not_found()
    return row.blob_sha256


@dataclass(frozen=True, slots=True)
class Answer:
    """A question with its answer, or a group or one row of a repeat with what is in it (`items`).

    `label` is None where the form shows nothing: calculated values, unnamed groups. `value` is the answer as stored, `text` as read.
    """

    name: str
    kind: str
    label: str | None
    items: tuple[Answer, ...] = ()
    value: Any = None
    text: str = ""
    sensitive: bool = False
    number: int | None = None
    path: tuple[str, ...] = field(default=())

    @property
    def is_empty(self) -> bool:
        """Nothing was answered here, at any depth."""
        return not self.text and all(item.is_empty for item in self.items)


def label_in(labels: Mapping[str, str], language: str) -> str | None:
    """The label for `zh` or `en`, as forms name their languages; else the default, else the first."""
    signs = ("中文", "zh") if language == "zh" else ("english", "(en)")
    for name, text in labels.items():
        lowered = name.lower()
        if lowered == language or any(sign in lowered for sign in signs):
            return text
    return labels.get("default") or next(iter(labels.values()), None)


def answers_by_label(
    definition: FormDefinition, answers: Mapping[str, Any], language: str, *, names: Mapping[str, str] | None = None
) -> tuple[Answer, ...]:
    """The answers in the form's order, each under its label; then those that the form version does not know, by name.

    `names`: texts of values whose choices lie outside the form (divisions, entities). `meta` is left out.
    """
    children: dict[tuple[str, ...], list[Field]] = {}
    for asked in definition.fields:
        children.setdefault(asked.path[:-1], []).append(asked)
    return _Labeller(definition, children, language, names or {}).read((), answers)


class _Labeller:
    def __init__(self, definition: FormDefinition, children: dict[tuple[str, ...], list[Field]], language: str, names: Mapping[str, str]) -> None:
        self._choices, self._children, self._language, self._names = definition.choices or {}, children, language, names

    def read(self, path: tuple[str, ...], answers: Mapping[str, Any]) -> tuple[Answer, ...]:
        known = self._children.get(path, [])
        found = [answer for asked in known if asked.path != ("meta",) for answer in self._one(asked, answers.get(asked.name))]
        unknown = set(answers) - {asked.name for asked in known} - {"__id"} - ({"meta"} if not path else set())
        found += [Answer(name, "string", name, value=answers[name], text=_plain(answers[name]), sensitive=is_sealed_name(name), path=(*path, name)) for name in sorted(unknown)]
        return tuple(found)

    def _one(self, asked: Field, value: Any) -> Iterator[Answer]:
        label = label_in(asked.labels, self._language)
        if asked.kind == "repeat" or isinstance(value, list):
            for number, row in enumerate(value if isinstance(value, list) else [], start=1):
                yield Answer(asked.name, "repeat", label, self.read(asked.path, row), number=number, path=asked.path)
        elif asked.kind == "structure" or isinstance(value, dict):
            yield Answer(asked.name, "structure", label, self.read(asked.path, value if isinstance(value, dict) else {}), path=asked.path)
        else:
            yield Answer(asked.name, asked.kind, label, value=value, text=self._text(asked, value), sensitive=asked.sensitive, path=asked.path)

    def _text(self, asked: Field, value: Any) -> str:
        if value is None or asked.kind not in {"select", "select1"}:
            return _plain(value)
        values = str(value).split() if asked.kind == "select" else [str(value)]
        return ("、" if self._language == "zh" else ", ").join(self._choice(asked.choice_list, one) for one in values)

    def _choice(self, choice_list: str | None, value: str) -> str:
        inside = self._choices.get(choice_list or "", {}).get(value)
        return (label_in(inside, self._language) if inside else self._names.get(value)) or value


def _plain(value: Any) -> str:
    if isinstance(value, dict | list):
        parts = value.items() if isinstance(value, dict) else enumerate(value, start=1)
        return "；".join(f"{name}: {_plain(part)}" for name, part in parts if name != "__id")
    return "" if value is None else str(value)


def entity_names(session: Session, actor: Actor, project_id: int, definition: FormDefinition, answers: Mapping[str, Any]) -> dict[str, str]:
    """Label by UUID of the entities that the answers choose, of those that the actor may read."""
    lists = {asked.choice_list for asked in definition.fields if asked.kind in {"select", "select1"} and asked.choice_list}
    lists -= set(definition.choices or {})
    chosen = [text for text in _texts(answers) if len(text) == 36 and text.count("-") == 4][:200]
    if not lists or not chosen:
        return {}
    statement = (
        select(Entity.uuid, Entity.label).join(EntityList, EntityList.id == Entity.list_id)
        .where(EntityList.project_id == project_id, EntityList.name.in_(lists), Entity.uuid.in_(chosen))
    )  # fmt: skip
    return {row[0]: row[1] for row in session.execute(visible(statement, actor, "entity.read", Entity))}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)
