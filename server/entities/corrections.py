"""An edit of a submission corrects what the submission had said of its entities (getodk/central#517).

The edit is compared with what the submission said before, not with what the entity holds: what differs makes one more version, which
names the one that it supersedes. A value that another change has set otherwise since stands, and the new version is in hard conflict
for staff to settle; a form that was filled in since and repeats what it was shown sets nothing otherwise. If an edit says nothing any more of a property, or of the whole entity, what the submission had said is taken back
to what its phone was shown; an entity that the submission had made goes into the trash, where it can be restored for 30 days, unless
somebody has changed it since: then it stays, in conflict. An entity that only the edit names is made or changed as if the submission
had come with it. A change that waits is replaced by the edit's and has waited as long. Of an entity in the trash, an edit changes
nothing and staff are told. Entities of a list that waits for approval are corrected once the edit is approved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from server import problems
from server.changes import record_change
from server.entities.absences import begin_absence
from server.entities.lists import find_list
from server.entities.maintained import MAINTAINED
from server.entities.occasions import APPROVAL, EntityChange, Occasion, origin_of, record_applied
from server.entities.records import HARD, Content, add_version, record_entity_audit
from server.entities.seen import has_seen, shown_to
from server.entities.sent import normal_uuid
from server.model import Entity, EntityHeld, EntityList, EntityVersion

_MOST_ENTITIES = 10_000
_MOST_VERSIONS = 10_000


@dataclass(frozen=True, slots=True)
class Made:
    """An entity that a submission has made or changed."""

    entity_list: EntityList
    entity: Entity


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a submission did before an edit of it; `held`: since when changes of it wait."""

    made: tuple[Made, ...]
    held: tuple[datetime, ...]


def find_earlier(session: Session, project_id: int, submission_id: int) -> Earlier:
    """Entities of lists that are still there, by id."""
    own = (EntityVersion.project_id == project_id, EntityVersion.submission_id == submission_id)
    statement = (
        select(EntityList, Entity).join(Entity, Entity.list_id == EntityList.id)
        .where(Entity.project_id == project_id, EntityList.deleted_at.is_(None), Entity.id.in_(select(EntityVersion.entity_id).where(*own)))
    )  # fmt: skip
    made = session.execute(statement.order_by(Entity.id).limit(_MOST_ENTITIES)).all()
    held = session.scalars(select(EntityHeld.held_at).where(EntityHeld.project_id == project_id, EntityHeld.submission_id == submission_id).limit(_MOST_ENTITIES))
    return Earlier(tuple(Made(*row) for row in made), tuple(held))


def correct_earlier(session: Session, occasion: Occasion, changes: Sequence[EntityChange], earlier: Earlier) -> list[EntityChange]:
    """What the submission did before is as `changes` say; returned are those that are about other entities. Raises: what normal_uuid raises, entity_deleted."""
    if occasion.event != APPROVAL:
        session.execute(delete(EntityHeld).where(EntityHeld.project_id == occasion.project_id, EntityHeld.submission_id == occasion.submission_id))
    known = {(made.entity_list.name, made.entity.uuid) for made in earlier.made}
    own: dict[tuple[str, str], list[EntityChange]] = {}
    others: list[EntityChange] = []
    for change in changes:
        if not (change.creates or change.updates) or find_list(session, occasion.project_id, change.list_name) is None:
            others.append(change)
            continue
        key = (change.list_name, normal_uuid(change.uuid))
        if key in known:
            own.setdefault(key, []).append(change)
        else:
            others.append(change)
    for made in earlier.made:
        # Read again: others may have changed it before the lock.
        session.refresh(made.entity)
        _correct(session, occasion, made, own.get((made.entity_list.name, made.entity.uuid), []))
    return others


def keep_waiting_since(session: Session, occasion: Occasion, earlier: Earlier) -> None:
    """What an edit says and has to wait has waited since its submission did."""
    own = (EntityHeld.project_id == occasion.project_id, EntityHeld.submission_id == occasion.submission_id)
    session.execute(update(EntityHeld).where(*own).values(held_at=min(earlier.held)))


def _correct(session: Session, occasion: Occasion, made: Made, changes: Sequence[EntityChange]) -> None:
    entity_list, entity = made.entity_list, made.entity
    rows = select(EntityVersion).where(EntityVersion.project_id == entity.project_id, EntityVersion.entity_id == entity.id)
    versions = session.scalars(rows.order_by(EntityVersion.version).limit(_MOST_VERSIONS)).all()
    own = [one for one in versions if one.submission_id == occasion.submission_id]
    if not own:
        return
    first = own[0]
    waits_for_approval = entity_list.approval_required and first.version == 1
    if (waits_for_approval and not occasion.approved) or (occasion.event == APPROVAL and not waits_for_approval):
        return
    others = [one for one in versions if one.submission_id != occasion.submission_id and one.event != MAINTAINED]
    if not changes and first.version == 1:
        _take_back_creation(session, occasion, made, own[-1], [one for one in others if one.version > first.version])
        return
    before = shown_to(versions, base=first.base_version or first.version - 1, branch_id=first.branch_id, trunk=first.trunk_version)
    difference = _difference(_said(own), _says(changes), before if first.version > 1 else {}, entity)
    if not difference:
        return
    if entity.deleted_at is not None:
        raise problems.entity_deleted(entity.uuid)
    later = _set_otherwise(difference, [_change_of(one, first, versions) for one in others if one.version > first.version])
    unseen = _set_otherwise(difference, [one.received for one in others if one.version < first.version and not has_seen(first, one)])
    _supersede(session, occasion, made, own[-1], difference, later=later, conflicting=later | unseen)


def _said(own: Sequence[EntityVersion]) -> dict[str, Any]:
    """All that the submission has said of the entity; what an edit corrected, as corrected."""
    said: dict[str, Any] = {}
    for one in own:
        said |= one.received
    return said


def _says(changes: Sequence[EntityChange]) -> dict[str, Any]:
    says: dict[str, Any] = {}
    for change in changes:
        says |= change.data
        if (change.label or "").strip():
            says["label"] = change.label
    return says


def _difference(said: Mapping[str, Any], says: Mapping[str, Any], prior: Mapping[str, Any], entity: Entity) -> dict[str, Any]:
    """What is to be set: what the edit says otherwise, and, where it says nothing any more, what was there before."""
    difference = {name: value for name, value in says.items() if said.get(name, entity.data.get(name)) != value}
    for name, value in said.items():
        if name not in says:
            before = prior.get(name, value if name == "label" else "")
            if before != value:
                difference[name] = before
    return difference


def _change_of(version: EntityVersion, first: EntityVersion, versions: Sequence[EntityVersion]) -> Mapping[str, Any]:
    """What `version` says; of who had seen what is corrected, not what he was shown and left alone (as merge.py has it of who comes later)."""
    if not has_seen(version, first):
        return version.received
    shown = shown_to(versions, base=version.base_version or 0, branch_id=version.branch_id, trunk=version.trunk_version)
    return {name: value for name, value in version.received.items() if shown.get(name) != value}


def _set_otherwise(difference: Mapping[str, Any], received: Sequence[Mapping[str, Any]]) -> set[str]:
    return {name for name, value in difference.items() for one in received if name in one and one[name] != value}


def _supersede(
    session: Session, occasion: Occasion, made: Made, superseded: EntityVersion, difference: Mapping[str, Any], *, later: set[str], conflicting: set[str]
) -> None:
    """One more version, in which what is in `later` stays as it is; in hard conflict over what is `conflicting`."""
    entity = made.entity
    corrected = {name: value for name, value in difference.items() if name not in later}
    content = Content(
        label=corrected.pop("label", entity.label), data={**entity.data, **corrected}, received=dict(difference),
        base_version=superseded.version, supersedes=superseded.version, conflict=HARD if conflicting else None,
        conflicting=[name for name in difference if name in conflicting] or None,
    )  # fmt: skip
    add_version(session, made.entity_list, entity, content, origin_of(occasion), conflict=HARD if conflicting else entity.conflict)
    record_applied(session, occasion, "entity.update.version", made.entity_list, entity)


def _take_back_creation(session: Session, occasion: Occasion, made: Made, last: EntityVersion, since: Sequence[EntityVersion]) -> None:
    entity_list, entity = made.entity_list, made.entity
    if entity.deleted_at is not None:
        return
    if since:
        names = list(dict.fromkeys(name for one in since for name in one.received)) or ["label"]
        if last.supersedes is not None and last.conflicting == names and not last.received:
            return  # said before
        content = Content(
            label=entity.label, data=entity.data, received={}, base_version=last.version, supersedes=last.version, conflict=HARD, conflicting=names
        )
        add_version(session, entity_list, entity, content, origin_of(occasion), conflict=HARD)
        record_applied(session, occasion, "entity.update.version", entity_list, entity)
        return
    entity.deleted_at = datetime.now(UTC)
    session.flush()
    begin_absence(session, entity.project_id, [entity.id], entity.deleted_at)
    record_entity_audit(
        session, occasion.acting, "entity.delete", entity_list, entity, submission_id=occasion.submission_id, entity={"uuid": entity.uuid},
        submissionId=occasion.submission_id, submissionDefId=occasion.submission_version_id,
    )  # fmt: skip
    record_change(session, "entity.deleted", project_id=entity.project_id, details={"list": entity_list.name, "uuid": entity.uuid})
