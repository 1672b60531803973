"""Which forms fill an entity list in, which read it, and what stands against deleting it or one of its properties."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor, Place
from server.entities.lists import list_properties, record_list_audit, remove_property
from server.entities.scope import property_text, within
from server.model import Entity, EntityList, Form, FormAttachment, FormVersion

_MOST_FORMS = 2000


@dataclass(frozen=True, slots=True)
class FormUse:
    """A form that uses a list, in its current version or its draft. `properties`: those that it fills in; `repeat_path`: `/x/` if from a repeat."""

    form_id: str
    title: str
    is_draft: bool
    properties: tuple[str, ...] = ()
    repeat_path: str | None = None


@dataclass(frozen=True, slots=True)
class ListUses:
    """The forms that fill a list in, and those that read it."""

    sources: list[FormUse]
    links: list[FormUse]


def find_uses(session: Session, entity_list: EntityList) -> ListUses:
    """Of all forms that are not in the trash."""
    return ListUses(_sources(session, entity_list), _links(session, entity_list))


def _in_use(entity_list: EntityList, *columns: Any) -> Any:
    return (
        select(Form.form_id, FormVersion.title, (FormVersion.id == Form.draft_version_id).label("is_draft"), *columns)
        .join(FormVersion, FormVersion.id.in_([Form.current_version_id, Form.draft_version_id]))
        .where(Form.project_id == entity_list.project_id, Form.deleted_at.is_(None))
        .order_by(Form.id, FormVersion.id).limit(_MOST_FORMS)
    )  # fmt: skip


def _sources(session: Session, entity_list: EntityList) -> list[FormUse]:
    found: list[FormUse] = []
    statement = _in_use(entity_list, FormVersion.id, FormVersion.definition["entities"]).where(FormVersion.key_id.is_(None))
    for form_id, title, is_draft, version_id, entities in session.execute(statement):
        own = [entity for entity in entities or () if entity["list_name"] == entity_list.name]
        if own:
            properties = tuple(dict.fromkeys(name for entity in own for name in entity["properties"]))
            found.append(FormUse(form_id, title or form_id, bool(is_draft), properties, _repeat_path(session, version_id, own[0]["path"])))
    return found


def _repeat_path(session: Session, version_id: int, path: list[str]) -> str | None:
    if not path:
        return None
    fields = session.scalar(select(FormVersion.definition["fields"]).where(FormVersion.id == version_id)) or []
    is_repeat = any(field["path"] == path and field["kind"] == "repeat" for field in fields)
    return f"/{'/'.join(path)}/" if is_repeat else None


def _links(session: Session, entity_list: EntityList) -> list[FormUse]:
    statement = _in_use(entity_list).join(FormAttachment, FormAttachment.form_version_id == FormVersion.id).where(FormAttachment.list_id == entity_list.id)
    return list(dict.fromkeys(FormUse(form_id, title or form_id, bool(is_draft)) for form_id, title, is_draft in session.execute(statement)))


def delete_list(session: Session, actor: Actor, entity_list: EntityList) -> None:
    """The list is in the trash with its entities; its name is free. Raises: insufficient_rights, forms_depend_on_list."""
    actor.require("dataset.delete", Place(entity_list.project_id))
    uses = find_uses(session, entity_list)
    if uses.sources or uses.links:
        raise problems.forms_depend_on_list({
            "sourceForms": [_told(use) for use in uses.sources if not use.is_draft], "linkedForms": [_told(use) for use in uses.links if not use.is_draft],
            "draftSourceForms": [_told(use) for use in uses.sources if use.is_draft],
            "draftLinkedForms": [_told(use) for use in uses.links if use.is_draft],
        })  # fmt: skip
    entity_list.deleted_at = datetime.now(UTC)
    session.flush()
    record_list_audit(session, actor, "dataset.delete", entity_list)


def _told(use: FormUse) -> dict[str, Any]:
    told = {"name": use.title, "xmlFormId": use.form_id}
    return {**told, "repeatPath": use.repeat_path} if use.repeat_path else told


def delete_property(session: Session, actor: Actor, entity_list: EntityList, name: str) -> None:
    """The list has the property no more. Raises: insufficient_rights, not_found, property_in_use (a form fills it in, an entity has a value)."""
    actor.require("dataset.update", Place(entity_list.project_id))
    if name not in list_properties(session, entity_list):
        raise problems.not_found()
    prerequisites: dict[str, Any] = {}
    forms = [
        {"formName": use.title, "xmlFormId": use.form_id} for use in _sources(session, entity_list) if not use.is_draft and name in use.properties
    ]
    if forms:
        message = "You can't delete this property because there are Form(s) writing to it"
        prerequisites["dependentForms"] = {"message": message, "details": {"forms": forms}}
    dialect = session.get_bind().dialect.name
    has_value = func.trim(func.coalesce(property_text(dialect, name), "")) != ""
    living = (Entity.list_id == entity_list.id, Entity.deleted_at.is_(None), has_value)
    count = session.scalar(select(func.count()).select_from(Entity).where(*living)) or 0
    if count:
        shown = within(session, select(Entity.uuid, Entity.label).where(*living).order_by(Entity.id).limit(3), actor, entity_list, "entity.read")
        entities = [{"uuid": uuid, "label": label, "totalCount": None} for uuid, label in session.execute(shown)]
        message = f"You can't delete this property because there are Entity(ies) with the non-empty value for the '{name}'"
        prerequisites["nonEmptyEntities"] = {"message": message, "details": {"totalCount": count, "entities": entities}}
    if prerequisites:
        raise problems.property_in_use(name, prerequisites)
    remove_property(session, actor, entity_list, name)
