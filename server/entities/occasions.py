"""What a submission says of an entity, and on what occasion the server looks at it."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from server.access.actor import Actor
from server.entities.records import Origin, record_entity_audit, version_details
from server.model import Entity, EntityList

CREATED, APPROVAL, EDITED, RELEASED = "submission.create", "submission.update", "submission.update.version", "submission.backlog.reprocess"


@dataclass(frozen=True, slots=True)
class EntityChange:
    """What a submission says of one entity, as it says it. `data` has only the properties that it sets; `permitted`: what its form may do."""

    list_name: str
    uuid: str
    creates: bool
    updates: bool
    label: str | None
    data: dict[str, str] = field(default_factory=dict)
    base_version: str | int | None = None
    trunk_version: str | int | None = None
    branch_id: str | None = None
    permitted: tuple[str, ...] = ("create", "update")


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """Why a submission's changes are looked at: what happened to it, its review state, and who sent it.

    `forced`: nothing is waited for any more. `acting`: who is named in the audit log.
    """

    project_id: int
    submission_id: int
    submission_version_id: int
    submitter_id: int | None
    user_agent: str | None
    event: str
    approved: bool
    forced: bool
    division: str
    acting: Actor


def origin_of(occasion: Occasion) -> Origin:
    """Whence a version comes that this occasion makes."""
    return Origin(
        actor_id=occasion.submitter_id, user_agent=occasion.user_agent, submission_id=occasion.submission_id,
        submission_version_id=occasion.submission_version_id, event=occasion.event, forced=occasion.forced,
    )  # fmt: skip


def record_applied(session: Session, occasion: Occasion, action: str, entity_list: EntityList, entity: Entity) -> None:
    """The audit log's entry of what the submission did to the entity."""
    record_entity_audit(
        session, occasion.acting, action, entity_list, entity, submission_id=occasion.submission_id, **version_details(entity_list, entity),
        submissionId=occasion.submission_id, submissionDefId=occasion.submission_version_id,
    )  # fmt: skip
