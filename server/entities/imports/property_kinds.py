"""What a list's forms say of its properties: the type of the question saved to each, its labels, its choices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.model import EntityList, Form, FormVersion

_MOST_FORMS = 200
TEXT = "string"


@dataclass(slots=True)
class PropertyKind:
    """`kind`: as a form's field has it (server/forms/fields.py), `string` where forms differ or say nothing.

    `labels`: in any language; `codes`: a choice's value by its label, of labels that name one value.
    """

    kind: str = TEXT
    labels: list[str] = field(default_factory=list)
    codes: dict[str, str] = field(default_factory=dict)


def property_kinds(session: Session, entity_list: EntityList, names: Sequence[str]) -> dict[str, PropertyKind]:
    """By property name, from the published forms that fill the list in."""
    statement = (
        select(FormVersion.definition).join(Form, Form.current_version_id == FormVersion.id)
        .where(Form.project_id == entity_list.project_id, Form.deleted_at.is_(None), FormVersion.key_id.is_(None)).order_by(Form.id).limit(_MOST_FORMS)
    )  # fmt: skip
    found: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {}
    for definition in session.scalars(statement):
        own = [one for one in definition["entities"] or () if one["list_name"] == entity_list.name]
        by_path = {tuple(one["path"]): one for one in definition["fields"]} if own else {}
        for declared in own:
            for name, path in declared["properties"].items():
                if tuple(path) in by_path:
                    found.setdefault(name, []).append((by_path[tuple(path)], definition["choices"] or {}))
    return {name: _kind_of(found.get(name, [])) for name in names}


def _kind_of(fields: list[tuple[dict[str, Any], dict[str, Any]]]) -> PropertyKind:
    kinds = {one["kind"] for one, _choices in fields}
    kind = PropertyKind(kinds.pop() if len(kinds) == 1 else TEXT)
    values_of: dict[str, set[str]] = {}
    for one, choices in fields:
        kind.labels += [label for label in one["labels"].values() if label and label not in kind.labels]
        for value, labels in choices.get(one.get("choice_list") or "", {}).items():
            for label in labels.values():
                values_of.setdefault(label.strip(), set()).add(value)
    kind.codes = {label: next(iter(values)) for label, values in values_of.items() if label and len(values) == 1}
    return kind
