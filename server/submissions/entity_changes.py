"""`meta/entity` elements of a submission -> what is to become of which entity."""

from __future__ import annotations

from lxml import etree

from server.entities.apply import EntityChange
from server.forms.fields import EntityDeclaration, FormDefinition
from server.submissions.envelope import EntityElement, Envelope, local_name


def read_entity_changes(envelope: Envelope, definition: FormDefinition) -> list[EntityChange]:
    """One change per element, in document order; properties by the form's `saveto` bindings, blank answers as ""."""
    return [_read_one(element, definition, envelope.root) for element in envelope.entities]


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


def _read_one(element: EntityElement, definition: FormDefinition, root: etree._Element) -> EntityChange:
    attributes = element.attributes
    list_name = attributes.get("dataset", "")
    path = _names_above(element.container, root)
    declared = _declaration(path, list_name, definition)
    data: dict[str, str] = {}
    for name, field_path in (declared.properties if declared else {}).items():
        inside = field_path[: len(path)] == path
        found = _find(element.container if inside else root, field_path[len(path) :] if inside else field_path)
        if found is not None:
            data[name] = (found.text or "").strip()
    return EntityChange(
        list_name=list_name,
        uuid=attributes.get("id", "").strip().lower().removeprefix("uuid:"),
        creates=attributes.get("create") in {"1", "true"},
        updates=attributes.get("update") in {"1", "true"},
        label=element.label,
        data=data,
        base_version=_number(attributes.get("baseVersion")),
        trunk_version=_number(attributes.get("trunkVersion")),
        branch_id=attributes.get("branchId") or None,
    )


def _find(element: etree._Element, path: tuple[str, ...]) -> etree._Element | None:
    for name in path:
        element = next((child for child in element if local_name(child) == name), None)  # type: ignore[assignment]
        if element is None:
            return None
    return element


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 10 else None
