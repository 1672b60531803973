"""The audit log as it is read: newest first, narrowed by kind of action and time, with who and what each entry is about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, exists, select
from sqlalchemy.orm import Session

from server.access.actees import actee_of
from server.access.actor import Actor, Place, division_end
from server.model import ActorRow, AuditEntry, EntityList, Form, FormVersion, Project, Submission

LIST_LIMIT = 1000
_ENTITY = (
    "entity.create", "entity.bulk.create", "entity.error", "entity.update.version", "entity.update.resolve", "entity.delete", "entity.restore", "entity.purge", "entity.import", "entity.import.undo",
)  # fmt: skip
_SUBMISSION = (
    "submission.create", "submission.update", "submission.update.version", "submission.attachment.update", "submission.backlog.hold",
    "submission.backlog.reprocess", "submission.backlog.force", "submission.delete", "submission.restore",
)  # fmt: skip


def _of_holder(kind: str) -> tuple[str, ...]:
    return tuple(f"{kind}.{what}" for what in ("create", "assignment.create", "assignment.delete", "session.end", "delete", "property.set"))


# What a program means by a category (ODK Central's API description, GET /audits).
CATEGORIES: dict[str, tuple[str, ...]] = {
    "user": ("user.create", "user.update", "user.delete", "user.assignment.create", "user.assignment.delete", "user.session.create"),
    "field_key": _of_holder("field_key"),
    "public_link": _of_holder("public_link"),
    "project": ("project.create", "project.update", "project.delete", "actor_property.create"),
    "form": (
        "form.create", "form.update", "form.delete", "form.restore", "form.purge", "form.attachment.update", "form.submission.export",
        "form.update.draft.set", "form.update.draft.delete", "form.update.draft.replace", "form.update.publish",
    ),
    "submission": (*_SUBMISSION, "submission.purge"),
    "dataset": ("dataset.create", "dataset.update", "entity.bulk.delete", "entity.bulk.restore", "dataset.delete", "dataset.update.property.delete"),
    "entity": (*_ENTITY, "entity.bulk.delete", "entity.bulk.restore"),
    "config": ("config.set",),
}  # fmt: skip
_VERBOSE = (*_ENTITY, *_SUBMISSION, "user.preference.update", "user.preference.delete")


def list_audits(
    session: Session, actor: Actor, *, action: str | None = None, start: datetime | None = None, end: datetime | None = None,
    limit: int = LIST_LIMIT, offset: int = 0,
) -> Sequence[AuditEntry]:  # fmt: skip
    """Entries, newest first, at most LIST_LIMIT at a time; `end` is excluded. `action`: an action, a category, or `nonverbose`.

    Who is bound to a division sees the entries of its submissions alone. Raises: insufficient_rights.
    """
    actor.require("audit.read", Place())
    statement = _narrowed(select(AuditEntry), actor)
    if action == "nonverbose":
        statement = statement.where(AuditEntry.action.not_in(_VERBOSE))
    elif action:
        statement = statement.where(AuditEntry.action.in_(CATEGORIES.get(action, (action,))))
    if start is not None:
        statement = statement.where(AuditEntry.at >= start)
    if end is not None:
        statement = statement.where(AuditEntry.at < end)
    return session.scalars(statement.order_by(AuditEntry.at.desc(), AuditEntry.id.desc()).limit(min(limit, LIST_LIMIT)).offset(offset)).all()


def _narrowed(statement: Select[tuple[AuditEntry]], actor: Actor) -> Select[tuple[AuditEntry]]:
    if not actor.division:
        return statement
    own = exists().where(
        Submission.project_id == AuditEntry.project_id, Submission.id == AuditEntry.submission_id,
        Submission.division >= actor.division, Submission.division < division_end(actor.division),
    )  # fmt: skip
    return statement.where(own)


@dataclass(frozen=True, slots=True)
class AuditSubjects:
    """The rows that entries name: actors by id; what they are about by (kind, key)."""

    actors: dict[int, ActorRow]
    actees: dict[tuple[str, int], ActorRow | Project | tuple[Form, FormVersion | None] | EntityList]


def read_subjects(session: Session, entries: Iterable[AuditEntry]) -> AuditSubjects:
    """What a page of entries names, by one query a kind."""
    entries = list(entries)
    about = {subject for entry in entries if (subject := actee_of(entry)) is not None}
    keys = {kind: {key for found, key in about if found == kind} for kind in ("actor", "project", "form", "dataset")}
    wanted = keys["actor"] | {entry.actor_id for entry in entries if entry.actor_id}
    actors = {row.id: row for row in session.scalars(select(ActorRow).where(ActorRow.id.in_(wanted)))}
    actees: dict[tuple[str, int], ActorRow | Project | tuple[Form, FormVersion | None] | EntityList] = {
        ("actor", key): actors[key] for key in keys["actor"] if key in actors
    }
    actees.update({("project", row.id): row for row in session.scalars(select(Project).where(Project.id.in_(keys["project"])))})
    forms = select(Form, FormVersion).outerjoin(FormVersion, FormVersion.id == Form.current_version_id).where(Form.id.in_(keys["form"]))
    actees.update({("form", form.id): (form, version) for form, version in session.execute(forms)})
    actees.update({("dataset", row.id): row for row in session.scalars(select(EntityList).where(EntityList.id.in_(keys["dataset"])))})
    return AuditSubjects(actors, actees)
