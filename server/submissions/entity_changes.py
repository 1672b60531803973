"""`meta/entity` elements of a submission -> what is to become of which entity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lxml import etree
from sqlalchemy import and_, exists, select, update
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor
from server.access.sealed import is_sealed_name, sealer_of
from server.entities.apply import apply_changes, is_true
from server.entities.lists import find_list, update_list
from server.entities.occasions import APPROVAL, CREATED, EDITED, EntityChange
from server.forms.definitions import form_definition
from server.forms.fields import EntityDeclaration, FormDefinition
from server.model import AuditEntry, Entity, EntityHeld, EntityList, EntityVersion, Form, FormVersion, Submission, SubmissionVersion
from server.submissions.envelope import EntityElement, Envelope, local_name, read_envelope
from server.submissions.stored_xml import sent_xml


def read_entity_changes(envelope: Envelope, definition: FormDefinition, seal: Callable[[str], str]) -> list[EntityChange]:
    """One change per element, in document order; properties by the form's `saveto` bindings, blank answers as ""."""
    return [_read_one(element, definition, envelope.root, seal) for element in envelope.entities]


def _names_above(element: etree._Element, root: etree._Element) -> tuple[str, ...]:
    names: list[str] = []
    node: etree._Element | None = element
    while node is not None and node is not root:
        names.append(local_name(node))
        node = node.getparent()
    return tuple(reversed(names))


def _declaration(path: tuple[str, ...], list_name: str, definition: FormDefinition) -> EntityDeclaration | None:
    for declared in definition.entities:
        if declared.list_name == list_name and declared.path == path:
            return declared
    return next((declared for declared in definition.entities if declared.list_name == list_name), None)


def _read_one(element: EntityElement, definition: FormDefinition, root: etree._Element, seal: Callable[[str], str]) -> EntityChange:
    attributes = element.attributes
    list_name = attributes.get("dataset", "")
    path = _names_above(element.container, root)
    declared = _declaration(path, list_name, definition)
    data: dict[str, str] = {}
    for name, field_path in (declared.properties if declared else {}).items():
        inside = field_path[: len(path)] == path
        found = _find(element.container if inside else root, field_path[len(path) :] if inside else field_path)
        if found is not None:
            text = found.text or ""
            data[name] = seal(text) if is_sealed_name(name) else text
    actions = (("create", declared.creates), ("update", declared.updates)) if declared else ()
    return EntityChange(
        list_name=list_name,
        uuid=attributes.get("id", ""),
        creates=is_true(attributes.get("create")),
        updates=is_true(attributes.get("update")),
        label=element.label,
        data=data,
        base_version=attributes.get("baseVersion"),
        trunk_version=attributes.get("trunkVersion"),
        branch_id=attributes.get("branchId") or None,
        permitted=tuple(action for action, may in actions if may),
    )


def _find(element: etree._Element, path: tuple[str, ...]) -> etree._Element | None:
    for name in path:
        element = next((child for child in element if local_name(child) == name), None)  # type: ignore[assignment]
        if element is None:
            return None
    return element



def apply_after_edit(session: Session, actor: Actor, project_id: int, submission_version_id: int) -> None:
    """An edited submission corrects its entities, and makes and changes those that it names for the first time. Call it once the version is stored."""
    _apply_again(session, actor, project_id, submission_version_id, event=EDITED)


def apply_after_review(session: Session, actor: Actor, submission: Submission) -> None:
    """A submission that is approved now makes, or corrects, the entities that wait for approval. Call it once its review state is set."""
    if submission.review_state != "approved" or submission.is_draft:
        return
    if _any_waits_for_approval(session, submission.project_id, form_definition(session, submission.form_version_id)):
        _apply_again(session, actor, submission.project_id, submission.current_version_id, event=APPROVAL)


def _apply_again(session: Session, actor: Actor, project_id: int, version_id: int, *, event: str) -> None:
    session.flush()
    columns: Any = SubmissionVersion.__table__.c
    where = and_(columns.project_id == project_id, columns.id == version_id)
    plain = select(columns.form_version_id, columns.is_draft, columns.is_encrypted, columns.submission_id).where(where)
    row = session.execute(plain).one()
    definition = form_definition(session, row.form_version_id)
    if row.is_draft or row.is_encrypted or not definition.entities:
        return
    # Whoever stored the edit may have read the submission before: its state then is not its state now.
    submission = session.get_one(Submission, (project_id, row.submission_id), populate_existing=True)
    envelope = read_envelope(sent_xml(session, session.execute(select(columns.xml).where(where)).scalar_one()))
    errors = apply_changes(
        session, actor, project_id, read_entity_changes(envelope, definition, sealer_of(session.get_bind().dialect).seal), division=submission.division,
        submission_version_id=version_id, event=event, approved=submission.review_state == "approved",
    )  # fmt: skip
    if errors:
        session.execute(update(SubmissionVersion).where(where).values(entity_errors=errors))


def _any_waits_for_approval(session: Session, project_id: int, definition: FormDefinition) -> bool:
    lists = (find_list(session, project_id, name) for name in sorted({declared.list_name for declared in definition.entities}))
    return any(entity_list is not None and entity_list.approval_required for entity_list in lists)


_PENDING_STATES = ("received", "edited", "hasIssues")
_MOST_PENDING = 10_000


def change_list(
    session: Session, actor: Actor, entity_list: EntityList, changes: dict[str, Any], *, convert: bool | None, told: dict[str, Any] | None = None
) -> None:
    """`changes` and `told` as update_list takes them. Where approval is waited for no more, `convert` says whether what waits becomes entities now.

    Raises: insufficient_rights, pending_submissions (something waits, and `convert` is not said).
    """
    is_opening = changes.get("approval_required") is False
    waiting = _pending(session, entity_list) if is_opening and convert is not False else []
    if waiting and convert is None:
        raise problems.pending_submissions(len(waiting))
    update_list(session, actor, entity_list, changes, auto_convert=bool(convert) if is_opening else None, told=told)
    for version_id in waiting if is_opening and convert else ():
        _apply_again(session, actor, entity_list.project_id, version_id, event=CREATED)


def _pending(session: Session, entity_list: EntityList) -> list[int]:
    """Current versions of submissions that could still make entities of the list: not approved, not rejected, none made, no error."""
    declaring = [
        key for key, entities in session.execute(
            select(FormVersion.id, FormVersion.definition["entities"]).join(Form, Form.id == FormVersion.form_pk)
            .where(FormVersion.project_id == entity_list.project_id, Form.deleted_at.is_(None), FormVersion.key_id.is_(None)).limit(5000)
        ) if any(entity["list_name"] == entity_list.name for entity in entities or ())
    ]  # fmt: skip
    made = exists().where(
        EntityVersion.project_id == Submission.project_id, EntityVersion.submission_id == Submission.id,
        Entity.project_id == EntityVersion.project_id, Entity.id == EntityVersion.entity_id, Entity.list_id == entity_list.id,
    )  # fmt: skip
    failed = exists().where(
        AuditEntry.project_id == Submission.project_id, AuditEntry.submission_id == Submission.id, AuditEntry.action == "entity.error",
        AuditEntry.details["submissionDefId"].as_integer() == Submission.current_version_id,
    )  # fmt: skip
    held = exists().where(EntityHeld.project_id == Submission.project_id, EntityHeld.submission_id == Submission.id)
    statement = select(Submission.current_version_id).where(
        Submission.project_id == entity_list.project_id, Submission.form_version_id.in_(declaring), Submission.is_draft.is_(False),
        Submission.deleted_at.is_(None), Submission.review_state.in_(_PENDING_STATES), ~made, ~failed, ~held,
    )  # fmt: skip
    return list(session.scalars(statement.order_by(Submission.received_at, Submission.id).limit(_MOST_PENDING)))
