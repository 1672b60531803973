"""Entity lists: declared by forms, given their properties."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from server.access.actor import Actor
from server.access.audit import record_audit
from server.model import EntityList, EntityProperty, Form, FormAttachment, FormVersion


def find_list(session: Session, project_id: int, name: str) -> EntityList | None:
    """The project's list of this name."""
    return session.scalar(select(EntityList).where(EntityList.project_id == project_id, EntityList.name == name))


def declare_lists(session: Session, actor: Actor, project_id: int, lists: dict[str, tuple[str, ...]]) -> None:
    """Each named list exists with at least these properties, and is linked to the media `NAME.csv` of the project's forms."""
    for name, properties in lists.items():
        entity_list = find_list(session, project_id, name)
        now = datetime.now(UTC)
        if entity_list is None:
            entity_list = EntityList(project_id=project_id, name=name, approval_required=False, owner_only=False, created_at=now)
            session.add(entity_list)
            session.flush()
            record_audit(session, actor, "dataset.create", project_id=project_id, thing=name)
            _link_media(session, entity_list)
        known = set(session.scalars(select(EntityProperty.name).where(EntityProperty.list_id == entity_list.id)))
        session.add_all(EntityProperty(list_id=entity_list.id, name=p, created_at=now) for p in properties if p not in known)
    session.flush()


def _link_media(session: Session, entity_list: EntityList) -> None:
    in_use = (
        select(FormVersion.id).join(Form, Form.id == FormVersion.form_pk)
        .where(Form.project_id == entity_list.project_id, FormVersion.id.in_([Form.current_version_id, Form.draft_version_id]))
    )  # fmt: skip
    session.execute(
        update(FormAttachment)
        .where(FormAttachment.name == f"{entity_list.name}.csv", FormAttachment.blob_sha256.is_(None), FormAttachment.form_version_id.in_(in_use))
        .values(list_id=entity_list.id)
    )  # fmt: skip


def is_scoped(session: Session, entity_list: EntityList) -> bool:
    """Whether the list's entities belong to divisions: it has a property `division`. Others (disasters) are the whole county's."""
    return "division" in list_properties(session, entity_list)


def list_properties(session: Session, entity_list: EntityList) -> list[str]:
    """Property names in the order they were declared."""
    return list(session.scalars(select(EntityProperty.name).where(EntityProperty.list_id == entity_list.id).order_by(EntityProperty.id)))
