"""What each version of a submission changed: answers by path, rows of repeats by content."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
from lxml import etree
from sqlalchemy.orm import Session

from server.access.actor import Actor
from server.forms.definitions import form_definition
from server.submissions.envelope import local_name, parse_xml
from server.submissions.records import Which, list_xmls
from server.submissions.row_changes import Hunk, changed_hunks

Path = tuple[str | tuple[str, int], ...]
Change = dict[str, Any]
_MASK = "***"
_MOST_PAIRS = 400


def diff_versions(session: Session, actor: Actor, which: Which) -> dict[str, list[Change]]:
    """By instanceID of each version but the first: what it changed, as {"path", "old"?, "new"?}; a row of a repeat is [name, index].

    Answers to sensitive questions are masked for who may not unmask them. Raises: not_found, insufficient_rights.
    """
    found = list_xmls(session, actor, which)
    kinds: dict[tuple[str, ...], str] = {}
    hidden: set[tuple[str, ...]] = set()
    may_unmask = actor.can("person.unmask", found.form)
    for form_version_id in found.form_version_ids:
        for field in form_definition(session, form_version_id).fields:
            kinds.setdefault(field.path, field.kind)
            if field.sensitive and not may_unmask:
                hidden.add(field.path)
    changes: dict[str, list[Change]] = {}
    after_id, after = None, {}
    # Newest first, and never more than two versions in memory.
    for instance_id, xml in found.xmls:
        before = _tree(parse_xml(xml), (), kinds, hidden)
        if after_id is not None:
            changes[after_id] = list(_between(before, after, ()))
        after_id, after = instance_id, before
    return changes


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


def _between(old: dict[str, Any], new: dict[str, Any], path: Path) -> Iterator[Change]:
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


def _between_rows(old: list[Any], new: list[Any], name: str, path: Path) -> Iterator[Change]:
    for hunk in changed_hunks([_key(row) for row in old], [_key(row) for row in new]):
        yield from _in_hunk(old, new, hunk, name, path)


def _in_hunk(old: list[Any], new: list[Any], hunk: Hunk, name: str, path: Path) -> Iterator[Change]:
    """Rows that stand for one another are compared; of the longer side, those that fit worst are added or gone."""
    before, after = range(hunk.old_from, hunk.old_to), range(hunk.new_from, hunk.new_to)
    is_longer_old = len(before) > len(after)
    longer, shorter = (before, after) if is_longer_old else (after, before)

    def compared(one: int, other: int) -> list[Change]:
        a, b = (one, other) if is_longer_old else (other, one)
        return list(_between(old[a], new[b], (*path, (name, a))))

    alone = set(longer[len(shorter) :])
    if shorter and alone and len(longer) * len(shorter) <= _MOST_PAIRS:
        fits = sorted((min(_weight(compared(one, other)) for other in shorter), one) for one in longer)
        alone = {one for _weight_, one in fits[len(shorter) :]}
    others = iter(shorter)
    for one in longer:
        if one in alone:
            yield {"old": old[one], "path": (*path, (name, one))} if is_longer_old else {"new": new[one], "path": (*path, (name, one))}
        else:
            yield from compared(one, next(others))


def _weight(changes: list[Change]) -> int:
    """How much changed: the answers on both sides."""
    return sum(_count(change.get("old")) + _count(change.get("new")) for change in changes)


def _count(value: Any) -> int:
    if isinstance(value, dict | list):
        return sum(1 + _count(part) for part in (value.values() if isinstance(value, dict) else value))
    return 0 if value is None else 1


def _key(row: Any) -> bytes:
    return orjson.dumps(_plain(row))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else str(_text(value))
