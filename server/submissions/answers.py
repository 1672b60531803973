"""XML -> answers as JSON, typed by the form version's binds; and the keys of repeats, which hold across edits."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

from lxml import etree

from server.access.sealed import is_sealed_name
from server.forms.fields import FormDefinition

_MAX_INT = 2**63 - 1
# A float holds any number of so few, its sign and point among them.
_FLOAT_CHARACTERS = 17


Seal = Callable[[str], str]


class Shape:
    """A form version's fields as a tree that answers are read along. Made once per form version."""

    __slots__ = ("binaries", "children", "kind", "name", "seal")

    def __init__(self, name: str, kind: str) -> None:
        self.name, self.kind = name, kind
        self.children: dict[str, Shape] = {}
        self.binaries: tuple[tuple[str, ...], ...] = ()
        self.seal: Seal | None = None


def shape_of(definition: FormDefinition, seal: Seal | None) -> Shape:
    """The tree of `definition`'s fields; the root's `binaries` are the paths of file questions.

    `seal`: what is done to ID and bank account numbers (access/sealed.py); None leaves them as they are.
    """
    root = Shape("", "structure")
    root.seal = seal
    for field in definition.fields:
        node = root
        for name in field.path[:-1]:
            node = node.children.setdefault(name, Shape(name, "structure"))
        existing = node.children.get(field.path[-1])
        if existing is None:
            node.children[field.path[-1]] = Shape(field.path[-1], field.kind)
        else:
            existing.kind = field.kind
    root.binaries = tuple(field.path for field in definition.fields if field.kind == "binary")
    return root


def _int(text: str) -> Any:
    try:
        number = int(text)
    except ValueError:
        return text
    # Beyond 64 bits no database column holds it: the text is kept, and staff see it as it came.
    return number if -_MAX_INT <= number <= _MAX_INT else text


def _decimal(text: str) -> Any:
    try:
        number = float(text)
    except ValueError:
        return text
    # Only what a reader of the JSON would write in the same way again: 3.50 stays text, and goes into CSV as the phone sent it.
    if repr(number) == text and len(text) <= _FLOAT_CHARACTERS and text.isascii() and text.replace(".", "").lstrip("-").isdigit():
        return number
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _FLOAT_CHARACTERS and (text[0] != "0" or text == "0") else text


_READERS = {"int": _int, "decimal": _decimal}
_NO_CHILDREN: dict[str, Shape] = {}
_TEMPLATE = "{http://openrosa.org/javarosa}template"


def read_answers(root: etree._Element, shape: Shape, instance_id: str) -> dict[str, Any]:
    """Answers by element name: groups are objects, repeats are lists of objects with `__id`, empty nodes are null.

    A row's `__id` is the one ODK Central's OData gives it, by submission and place. Questions that the form version does not
    know are kept as text: a phone sent them, so they are not dropped.
    """
    return _read_group(root, shape, f"Submissions#{instance_id}", shape.seal)


def _read_group(element: etree._Element, shape: Shape | None, place: str, seal: Seal | None) -> dict[str, Any]:
    # Every submission's every answer passes here: names and kinds are looked up in place.
    answers: dict[str, Any] = {}
    children = shape.children if shape is not None else _NO_CHILDREN
    for child in element:
        name = child.tag
        if name[0] == "{":
            name = name.rpartition("}")[2]
        node = children.get(name)
        if node is not None and node.kind == "repeat":
            rows = answers.setdefault(name, [])
            # A template instance is part of the form, never of the answers (XForms specification, jr:template).
            if isinstance(rows, list) and child.get(_TEMPLATE) is None:
                row_place = f"{place}%%{name}#{len(rows)}"
                # Last, so that no element called __id takes the place of the key.
                rows.append({**_read_group(child, node, row_place, seal), "__id": _sha1(row_place)})
        elif len(child):
            answers[name] = _read_group(child, node, f"{place}%%{name}#", seal)
        else:
            text = child.text
            if text is None or not (text := text.strip()):
                answers.setdefault(name, None)
            else:
                reader = _READERS.get(node.kind) if node is not None else None
                if seal is not None and is_sealed_name(name):
                    answers[name] = seal(text)
                else:
                    answers[name] = text if reader is None else reader(text)
    return answers


def carry_repeat_keys(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Rows of `new` take the `__id` of the row of `old` they continue: the same content first, then the same place.

    So a person who was second in the household keeps their key when the first one is struck out. Changes `new`.
    """
    for name, value in new.items():
        before = old.get(name)
        if isinstance(value, dict):
            carry_repeat_keys(before if isinstance(before, dict) else {}, value)
        elif isinstance(value, list):
            _carry_rows([row for row in before if isinstance(row, dict)] if isinstance(before, list) else [], value)


def _carry_rows(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> None:
    by_content: dict[str, list[int]] = {}
    for index, row in enumerate(old):
        by_content.setdefault(_flat(row), []).append(index)
    taken: dict[int, int] = {}
    for index, row in enumerate(new):
        candidates = by_content.get(_flat(row))
        if candidates:
            taken[index] = candidates.pop(0)
    free = [index for index in range(len(old)) if index not in set(taken.values())]
    for index in range(len(new)):
        if index not in taken and index in free:
            taken[index] = index
            free.remove(index)
    used = {row["__id"] for row in old}
    for index, row in enumerate(new):
        if index in taken:
            source = old[taken[index]]
            row["__id"] = source["__id"]
            _key_rows_below(row, row["__id"])
            carry_repeat_keys(source, row)
        else:
            row["__id"] = _unused(row["__id"], used)
            used.add(row["__id"])
            _key_rows_below(row, row["__id"])


def _key_rows_below(answers: dict[str, Any], key: str) -> None:
    for name, value in answers.items():
        if isinstance(value, dict):
            _key_rows_below(value, key)
        elif isinstance(value, list):
            for index, row in enumerate(value):
                row["__id"] = _row_key(key, name, index)
                _key_rows_below(row, row["__id"])


def _row_key(parent_key: str, name: str, index: int) -> str:
    return _sha1(f"{parent_key}/{name}/{index}")


def _sha1(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _flat(row: dict[str, Any]) -> str:
    """The row's own answers, without keys: equal text means equal answers at every depth."""
    return repr(sorted((path, value) for path, value in _leaves(row) if path[-1] != "__id"))


def _leaves(value: Any, path: tuple[str, ...] = ("",)) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _leaves(part, (*path, name))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _leaves(part, (*path, str(index)))
    else:
        yield path, repr(value)


def _unused(key: str, used: set[str]) -> str:
    while key in used:
        key = _sha1(key)
    return key


def file_names(answers: dict[str, Any], shape: Shape) -> list[str]:
    """Names of the files that the answers mention, each once, in order."""
    names: dict[str, None] = {}
    for path in shape.binaries:
        for value in _values(answers, path):
            if isinstance(value, str):
                names.setdefault(value)
    return list(names)


def _values(node: Any, path: tuple[str, ...]) -> Iterator[Any]:
    if isinstance(node, list):
        for part in node:
            yield from _values(part, path)
    elif not path:
        yield node
    elif isinstance(node, dict):
        yield from _values(node.get(path[0]), path[1:])
