"""What each version of a submission changed: answers by path, rows of repeats by content."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any

import orjson
from lxml import etree
from sqlalchemy.orm import Session

from server.access.actor import Actor
from server.forms.definitions import form_definition
from server.submissions.envelope import local_name, parse_xml
from server.submissions.records import Which, list_xmls

Path = tuple[str | tuple[str, int], ...]
_MASK = "***"


def diff_versions(session: Session, actor: Actor, which: Which) -> dict[str, list[dict[str, Any]]]:
    """By instanceID of each version but the first: what it changed, as {"path", "old"?, "new"?}; a row of a repeat is [name, index].

    Answers to sensitive questions are masked for who may not unmask them. Raises: not_found, insufficient_rights.
    """
    form, versions = list_xmls(session, actor, which)
    kinds: dict[tuple[str, ...], str] = {}
    hidden: set[tuple[str, ...]] = set()
    may_unmask = actor.can("person.unmask", form)
    for form_version_id in {version.form_version_id for version in versions}:
        for field in form_definition(session, form_version_id).fields:
            kinds.setdefault(field.path, field.kind)
            if field.sensitive and not may_unmask:
                hidden.add(field.path)
    trees = [_tree(parse_xml(version.xml), (), kinds, hidden) for version in versions]
    return {
        version.instance_id: list(_between(before, after, ()))
        for version, after, before in zip(versions, trees, trees[1:], strict=False)
    }  # fmt: skip


class _Masked(str):
    """A hidden answer: shown as a mask, compared as what it is."""

    __slots__ = ("real",)
    real: str


def _masked(text: str) -> _Masked:
    found = _Masked(_MASK)
    found.real = text
    return found


def _tree(element: etree._Element, path: tuple[str, ...], kinds: dict[tuple[str, ...], str], hidden: set[tuple[str, ...]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for child in element:
        name = local_name(child)
        below = (*path, name)
        kind = kinds.get(below)
        if kind == "repeat":
            found.setdefault(name, []).append(_tree(child, below, kinds, hidden))
        elif kind == "structure" or len(child):
            found[name] = _tree(child, below, kinds, hidden)
        else:
            found[name] = _masked(child.text or "") if below in hidden else child.text or ""
    return found


def _text(value: Any) -> Any:
    return value.real if isinstance(value, _Masked) else value


def _between(old: dict[str, Any], new: dict[str, Any], path: Path) -> Iterator[dict[str, Any]]:
    for name in dict.fromkeys([*old, *new]):
        below = (*path, name)
        if name not in old:
            yield {"new": new[name], "path": below}
        elif name not in new:
            yield {"old": old[name], "path": below}
        elif isinstance(old[name], dict) and isinstance(new[name], dict):
            yield from _between(old[name], new[name], below)
        elif isinstance(old[name], list) and isinstance(new[name], list):
            yield from _between_rows(old[name], new[name], name, path)
        elif _text(old[name]) != _text(new[name]):
            yield {"old": old[name], "new": new[name], "path": below}


def _between_rows(old: list[Any], new: list[Any], name: str, path: Path) -> Iterator[dict[str, Any]]:
    matcher = SequenceMatcher(None, [_key(row) for row in old], [_key(row) for row in new], autojunk=False)
    for kind, from_old, to_old, from_new, to_new in matcher.get_opcodes():
        if kind == "equal":
            continue
        pairs = min(to_old - from_old, to_new - from_new)
        for step in range(pairs):
            yield from _between(old[from_old + step], new[from_new + step], (*path, (name, from_old + step)))
        for index in range(from_old + pairs, to_old):
            yield {"old": old[index], "path": (*path, (name, index))}
        for index in range(from_new + pairs, to_new):
            yield {"new": new[index], "path": (*path, (name, index))}


def _key(row: Any) -> bytes:
    return orjson.dumps(_plain(row))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else str(_text(value))
