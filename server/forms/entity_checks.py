"""What a form may say of entities (ODK Entities specification 2022.1 to 2025.1), in the words that ODK Central gives programs."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import problems
from server.entities.lists import find_list, list_properties, name_problem
from server.forms.definitions import form_definition
from server.forms.fields import FormDefinition, Path
from server.model import EntityList, Form, FormAttachment, FormVersion

_VERSION = re.compile(r"(\d{1,6})\.(\d{1,6})\.(\d{1,6})", re.ASCII)
_FIRST, _OFFLINE, _REPEATS, _PAST = (2022, 1), (2024, 1), (2025, 1), (2025, 2)


def check_entities(definition: FormDefinition) -> None:
    """What the form itself says. Raises: invalid_entity_form."""
    if not definition.entities:
        return
    version = _version_of(definition)
    repeats = {field.path for field in definition.fields if field.kind == "repeat"}
    for entity in definition.entities:
        if name_problem(entity.list_name, "dataset") is not None:
            raise problems.invalid_entity_form("Invalid dataset name.")
        if not (entity.creates or entity.updates):
            raise problems.invalid_entity_form("The form must specify at least one entity action, for example, create or update.")
        if any(name_problem(name, "property") is not None for name in entity.properties):
            raise problems.invalid_entity_form("Invalid entity property name.")
        if len({name.lower() for name in entity.properties}) < len(entity.properties):
            raise problems.invalid_entity_form("Multiple Form Fields cannot be saved to a single property.")
        if any(_is_beyond_a_repeat(entity.path, path, repeats) for path in entity.properties.values()):
            raise problems.invalid_entity_form("Cannot save properties from a repeat on an entity outside of a repeat.")
    if version < _REPEATS and (len(definition.entities) > 1 or definition.entities[0].path in repeats):
        raise problems.invalid_entity_form(
            f"Entities specification version [{definition.entities_version}] is not compatible with entities from repeats or multiple entity lists."
            "  Please use version 2025.1.0 or later."
        )


def _version_of(definition: FormDefinition) -> tuple[int, int]:
    if not definition.entities_version:
        raise problems.invalid_entity_form("Entities specification version is missing.")
    found = _VERSION.fullmatch(definition.entities_version)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    if not _FIRST <= version < _PAST:
        raise problems.invalid_entity_form(f"Entities specification version [{definition.entities_version[:100]}] is not supported.")
    return version


def _is_beyond_a_repeat(place: Path, path: Path, repeats: set[Path]) -> bool:
    """A repeat around the field is within what holds the entity, so that one entity would have many values."""
    return any(path[:length] in repeats for length in range(len(place) + 1, len(path)))


def old_version_warning(definition: FormDefinition) -> list[dict[str, Any]]:
    """Of a form whose entities cannot be followed up offline."""
    if not definition.entities or _version_of(definition) >= _OFFLINE:
        return []
    version = definition.entities_version
    return [{
        "type": "oldEntityVersion", "details": {"version": version},
        "reason": f"Entities specification version [{version}] is not compatible with Offline Entities. Please use version 2024.1.0 or later.",
    }]  # fmt: skip


def declared_lists(definition: FormDefinition) -> dict[str, tuple[str, ...]]:
    """The properties that the form fills in, by list."""
    lists: dict[str, dict[str, None]] = {}
    for entity in definition.entities:
        lists.setdefault(entity.list_name, {}).update(dict.fromkeys(entity.properties))
    return {name: tuple(properties) for name, properties in lists.items()}


def require_lists_of(session: Session, form: Form) -> None:
    """What the form's published version fills in and reads is still there. Raises: lists_missing_for_restore."""
    current = session.get(FormVersion, form.current_version_id) if form.current_version_id else None
    if current is None:
        return
    deleted = (
        select(EntityList.id).join(FormAttachment, FormAttachment.list_id == EntityList.id)
        .where(FormAttachment.form_version_id == current.id, EntityList.deleted_at.is_not(None)).limit(1)
    )  # fmt: skip
    if session.scalar(deleted) is not None:
        raise problems.lists_missing_for_restore()
    # An encrypted form declares no list: nobody here can read its entities.
    for name, properties in declared_lists(form_definition(session, current.id)).items() if current.key_id is None else ():
        entity_list = find_list(session, form.project_id, name)
        if entity_list is None or not set(properties) <= set(list_properties(session, entity_list)):
            raise problems.lists_missing_for_restore()
