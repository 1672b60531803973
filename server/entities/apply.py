"""A submission's entity changes, applied in its transaction (ODK Entities specification 2022.1 to 2025.1).

What does not depend on the order of arrival: a branch's versions stand in the order in which the phone made them, however they came;
which updates are in conflict, soft or hard (merge.py: judged by what each phone had seen, not by what came first); every value that
no two phones set differently without having seen one another. What does: the numbers of versions, which are the server's order of
applying by definition; so of values that are in hard conflict the one applied last stands until staff settle it, as ODK Central has
it; whether a branch waited longer than the days after which it is forced; that an update without a branch, which is sent by a phone
that says it is online, finds the entity there; whether a conflict with what an edit took back was seen before the edit came; and that
an edit takes the place of a change that waits, so that who repeats the change later in its branch is taken at his word.

What cannot be applied is in the audit log (`entity.error`) and in the submission version's `entity_errors`; it never refuses the
submission. A submission's changes are applied all or none, as ODK Central does it; what must wait for an earlier offline update
waits in `entities_held`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor
from server.access.audit import record_audit
from server.entities.corrections import Earlier, correct_earlier, find_earlier, keep_waiting_since
from server.entities.held import hold, is_held, release_held
from server.entities.lists import find_list
from server.entities.merge import Merge, merge_late_create, merge_update
from server.entities.occasions import APPROVAL, CREATED, EDITED, RELEASED, EntityChange, Occasion, origin_of, record_applied
from server.entities.records import Content, add_version, find_entity, find_version, insert_entity, lock_entities
from server.entities.scope import bound_actor, division_of, is_scoped
from server.entities.seen import require_seen
from server.entities.sent import OfflinePlace, normal_uuid, read_place
from server.model import Entity, EntityList, EntityVersion
from server.problems import Problem
from server.transactions import Statement

_SENT_BY = Statement("SELECT submission_id, submitter_id, user_agent FROM submission_versions WHERE project_id = :project_id AND id = :id")
_PURGED = Statement("SELECT 1 FROM purged_entities WHERE list_id = :list_id AND uuid = :uuid")


def apply_changes(
    session: Session, actor: Actor, project_id: int, changes: list[EntityChange], *, division: str, submission_version_id: int,
    event: str = CREATED, approved: bool = False,
) -> list[dict[str, str]]:  # fmt: skip
    """The entities are created and updated; each returned dict {list, id, zh, en} says what could not be applied and why.

    `event`: the audit log's word for what happened to the submission; `approved`: it is approved now. What a submission has made or
    changed before, an edit corrects (corrections.py); nothing else does it again.
    """
    submission_id, submitter_id, user_agent = _SENT_BY.on(session, {"project_id": project_id, "id": submission_version_id}).fetchone()
    occasion = Occasion(
        project_id=project_id, submission_id=submission_id, submission_version_id=submission_version_id, submitter_id=submitter_id,
        user_agent=user_agent, event=event, approved=approved, forced=False, division=division, acting=actor,
    )  # fmt: skip
    if event == CREATED:
        return apply_all(session, occasion, changes)
    if event == APPROVAL and is_held(session, project_id, submission_id):
        return []
    return apply_all(session, occasion, changes, find_earlier(session, project_id, submission_id))


def apply_all(session: Session, occasion: Occasion, changes: list[EntityChange], earlier: Earlier | None = None) -> list[dict[str, str]]:
    """`changes` of one submission, all or none; then what waited for them. `earlier`: what it did before."""
    applied: list[tuple[EntityList, Entity]] = []
    try:
        with session.begin_nested():
            lists = _lock(session, occasion, changes, earlier)
            if earlier:
                # Whoever had the lock before may have applied what waited.
                earlier = find_earlier(session, occasion.project_id, occasion.submission_id)
            _apply_each(session, occasion, lists, correct_earlier(session, occasion, changes, earlier) if earlier else changes, applied)
            if earlier and earlier.held:
                keep_waiting_since(session, occasion, earlier)
    except Problem as problem:
        details = {"submissionId": occasion.submission_id, "submissionDefId": occasion.submission_version_id}
        record_audit(
            session, occasion.acting, "entity.error", project_id=occasion.project_id, submission_id=occasion.submission_id,
            **details, errorMessage=problem.en, problem=_told(problem),
        )  # fmt: skip
        one = changes[0] if len(changes) == 1 else None
        name, uuid = (one.list_name, one.uuid) if one else ("、".join(dict.fromkeys(change.list_name for change in changes)), "")
        return [{"list": name, "id": uuid, "zh": problem.zh, "en": problem.en}]
    # What was released or forced is one of many: held.py looks for the next.
    if not occasion.forced and occasion.event != RELEASED:
        for entity_list, entity in applied:
            release_held(session, occasion.acting, entity_list, entity)
    return []


def _told(problem: Problem) -> dict[str, Any]:
    return {"problemCode": float(problem.code), "problemDetails": problem.details if isinstance(problem.details, str) else dict(problem.details)}


_Lists = dict[str, EntityList | None]


def _lock(session: Session, occasion: Occasion, changes: list[EntityChange], earlier: Earlier | None) -> _Lists:
    """The lists that the changes name."""
    lists: _Lists = {name: find_list(session, occasion.project_id, name) for name in {change.list_name for change in changes}}
    wanted = [(made.entity_list.id, made.entity.uuid) for made in earlier.made] if earlier else []
    for change in changes:
        entity_list = lists[change.list_name]
        if entity_list is not None:
            try:
                wanted.append((entity_list.id, normal_uuid(change.uuid)))
            except Problem:
                continue
    lock_entities(session, wanted)
    return lists


def _apply_each(
    session: Session, occasion: Occasion, lists: _Lists, changes: list[EntityChange], applied: list[tuple[EntityList, Entity]]
) -> None:
    errors: list[dict[str, Any]] = []
    for index, change in enumerate(changes):
        try:
            done = _apply_one(session, occasion, lists[change.list_name], change)
        except Problem as problem:
            if len(changes) == 1:
                raise
            errors.append({"errorMessage": problem.en, "problem": _told(problem), "index": index})
        else:
            if done is not None:
                applied.append(done)
    if errors:
        raise problems.multi_entity_error(len(changes), errors)


def _apply_one(
    session: Session, occasion: Occasion, entity_list: EntityList | None, change: EntityChange
) -> tuple[EntityList, Entity] | None:
    if not change.list_name.strip():
        raise problems.missing_parameter("dataset")
    if entity_list is None:
        raise problems.dataset_not_found(change.list_name[:255])
    for action, wanted in (("create", change.creates), ("update", change.updates)):
        if wanted and action not in change.permitted:
            raise problems.entity_action_not_permitted(action, list(change.permitted))
    change = replace(change, uuid=normal_uuid(change.uuid))
    entity: Entity | None = None
    if change.updates:
        try:
            entity = _update(session, occasion, entity_list, change)
        except Problem as problem:
            if not (_may_create_instead(problem) and (change.creates or occasion.forced)):
                raise
            entity = _create(session, occasion, entity_list, change)
    elif change.creates:
        entity = _create(session, occasion, entity_list, change)
    return None if entity is None else (entity_list, entity)


def _may_create_instead(problem: Problem) -> bool:
    """There is no such entity, or no base version (a form for both leaves it blank for a new one)."""
    is_baseless = problem.code == "400.2" and not isinstance(problem.details, str) and problem.details.get("field") == "baseVersion"
    return problem.code == "404.8" or is_baseless


def _create(session: Session, occasion: Occasion, entity_list: EntityList, change: EntityChange) -> Entity | None:
    if entity_list.approval_required and not occasion.approved:
        return None
    if not entity_list.approval_required and occasion.event == APPROVAL:
        return None
    label = change.label if (change.label or "").strip() else "auto generated" if occasion.forced else None
    if label is None:
        raise problems.missing_parameter("label")
    place = read_place(change.base_version, change.trunk_version, change.branch_id, needs_base=False)
    existing = find_entity(session, entity_list, change.uuid)
    if existing is not None and existing.deleted_at is None:
        return _create_late(session, occasion, entity_list, existing, change, label, place)
    if existing is not None or _PURGED.on(session, {"list_id": entity_list.id, "uuid": change.uuid}).fetchone() is not None:
        raise problems.entity_ids_of_deleted([change.uuid])
    content = Content(
        label=label, data=change.data, received={**change.data, "label": label}, branch_id=place.branch_id, trunk_version=place.trunk_version,
        branch_base_version=place.base_version if occasion.forced else None,
    )  # fmt: skip
    division = (division_of(change.data) or occasion.division) if is_scoped(session, entity_list) else ""
    entity = insert_entity(session, entity_list, change.uuid, content, origin_of(occasion), division=division)
    record_applied(session, occasion, "entity.create", entity_list, entity)
    return entity


def _create_late(
    session: Session, occasion: Occasion, entity_list: EntityList, entity: Entity, change: EntityChange, label: str, place: OfflinePlace
) -> Entity | None:
    """The creation of an entity that is there already: of one that an update had to make, the creation is one more version."""
    first = find_version(session, entity, version=1)
    if change.updates or first is None or not first.forced:
        raise problems.uniqueness_violation(["uuid"], [change.uuid])
    if occasion.event not in {CREATED, EDITED, RELEASED}:
        return None
    return _add(session, occasion, entity_list, entity, change, label, place, merge_late_create(entity, change.data, label), entity.version)


def _update(session: Session, occasion: Occasion, entity_list: EntityList, change: EntityChange) -> Entity | None:
    if occasion.event not in {CREATED, EDITED, RELEASED}:
        return None
    place = read_place(change.base_version, change.trunk_version, change.branch_id, needs_base=True)
    label = change.label if (change.label or "").strip() else None
    entity = find_entity(session, entity_list, change.uuid)
    if entity is not None and entity.deleted_at is not None:
        if place.branch_id is None or occasion.forced:
            raise problems.entity_deleted(change.uuid)
        entity = None
    base = find_base(session, entity, place) if entity is not None else None
    if base is None and place.branch_id is not None and not occasion.forced:
        hold(session, occasion, entity_list, change, place)
        return None
    if entity is None:
        raise problems.entity_not_found(change.uuid, entity_list.name)
    if base is None and place.branch_id is None:
        raise problems.entity_version_not_found(place.base_version or 0, change.uuid, entity_list.name)
    if place.trunk_version and place.trunk_version > entity.version:
        raise problems.entity_version_not_found(f"trunkVersion={place.trunk_version}", change.uuid, entity_list.name)
    base = base or find_version(session, entity, version=entity.version)
    if base is None:
        raise problems.entity_not_found(change.uuid, entity_list.name)
    require_seen(session, bound_actor(session, occasion.acting, entity_list), entity, base, place, entity_list.name)
    merge = merge_update(session, entity, base, change.data, label, place)
    return _add(session, occasion, entity_list, entity, change, label, place, merge, base.version)


def find_base(session: Session, entity: Entity, place: OfflinePlace) -> EntityVersion | None:
    """The version that the phone built on: its branch's last one, or the one that it had downloaded; None: not here yet."""
    if place.branch_id is None or place.base_version in (1, place.trunk_version):
        return find_version(session, entity, version=place.base_version)
    return find_version(session, entity, branch_id=place.branch_id, branch_base_version=(place.base_version or 0) - 1)


def _add(
    session: Session, occasion: Occasion, entity_list: EntityList, entity: Entity, change: EntityChange, label: str | None, place: OfflinePlace,
    merge: Merge, base_version: int,
) -> Entity:  # fmt: skip
    received = change.data if label is None else {**change.data, "label": label}
    said = {name: value for name, value in received.items() if name not in merge.corrected}
    content = Content(
        label=said.pop("label", entity.label), data={**entity.data, **said}, received=received,
        base_version=base_version, branch_id=place.branch_id, trunk_version=place.trunk_version,
        branch_base_version=place.base_version if place.branch_id is not None else None,
        conflict=merge.conflict if merge.is_conflict else None, conflicting=merge.conflicting, is_late_create=merge.is_late_create,
    )  # fmt: skip
    add_version(session, entity_list, entity, content, origin_of(occasion), conflict=merge.conflict)
    record_applied(session, occasion, "entity.update.version", entity_list, entity)
    return entity


def is_true(text: str | None) -> bool:
    """Whether an attribute of an entity element says yes."""
    return text in {"1", "true"}
