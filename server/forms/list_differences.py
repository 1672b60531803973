"""What publishing a form does to entity lists, and which of their properties a published form fills in."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from server.access.actor import Actor, Place
from server.entities.lists import find_list, list_properties
from server.forms.definitions import form_definition
from server.forms.fields import FormDefinition
from server.model import Form, FormVersion


@dataclass(frozen=True, slots=True)
class ListDifference:
    """A list that a form version names. `properties`: (name, is new, is filled in by this form); those that only the list has come first."""

    name: str
    is_new: bool
    properties: tuple[tuple[str, bool, bool], ...]


def list_differences(session: Session, actor: Actor, form: Form, version: FormVersion) -> list[ListDifference]:
    """One entry a list; none for an encrypted form, whose entities nobody here can read. The caller has checked the right to the form.

    Raises: insufficient_rights (to the project's lists).
    """
    actor.require("dataset.list", Place(form.project_id))
    if version.key_id is not None:
        return []
    definition = form_definition(session, version.id)
    differences = []
    for name in dict.fromkeys(entity.list_name for entity in definition.entities):
        there = find_list(session, form.project_id, name)
        known = list_properties(session, there) if there is not None else []
        used = _used_properties(definition, name)
        rows = [(prop, False, False) for prop in known if prop not in used] + [(prop, prop not in known, True) for prop in used]
        differences.append(ListDifference(name, there is None, tuple(rows)))
    return differences


def _used_properties(definition: FormDefinition, list_name: str) -> list[str]:
    """In the order of the questions that fill them in."""
    places = {field.path: place for place, field in enumerate(definition.fields)}
    found = {
        name: places.get(path, len(places)) for entity in definition.entities if entity.list_name == list_name for name, path in entity.properties.items()
    }
    return sorted(found, key=lambda name: found[name])
