"""Many entities as a program or a file has them, checked by columns: what is plainly right needs no look at each row."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from server.entities.sent import read_sent

_HEX = b"0123456789abcdefABCDEF"
# Where the hyphens of an id are, and how long it is.
_HYPHENS, _LENGTH = (8, 13, 18, 23), 36
_KEYS = {"uuid", "label", "data"}


@dataclass(frozen=True, slots=True)
class ManySent:
    """New entities by columns of the same length: ids in small letters, labels, values by property."""

    uuids: list[str]
    labels: list[str]
    data: list[dict[str, str]]

    def sealed(self, properties: Collection[str], seal: Callable[[str], str]) -> ManySent:
        """The entities with these properties' numbers as they are stored (access/sealed.py)."""
        data = [{name: seal(value) if name in properties else value for name, value in one.items()} for one in self.data]
        return replace(self, data=data)


def read_many_sent(bodies: Sequence[Any], properties: Collection[str]) -> ManySent:
    """New entities' JSON. Raises: what read_sent does of the first that is wrong."""
    return _plain(bodies, set(properties)) or _one_by_one(bodies, properties)


def _one_by_one(bodies: Sequence[Any], properties: Collection[str]) -> ManySent:
    sent = [read_sent(one, properties) for one in bodies]
    return ManySent([one.uuid for one in sent], [one.label or "" for one in sent], [one.data for one in sent])


def _plain(bodies: Sequence[Any], properties: set[str]) -> ManySent | None:
    """The entities, if each has a label and values, and nothing is wrong with any."""
    if set(map(type, bodies)) != {dict} or not all(one.keys() <= _KEYS for one in bodies):
        return None
    labels, data = [one.get("label") for one in bodies], [one.get("data") for one in bodies]
    uuids = _plain_uuids([one.get("uuid") or str(uuid4()) for one in bodies])
    if uuids is None or set(map(type, labels)) != {str} or not all(map(str.strip, labels)):
        return None
    if set(map(type, data)) != {dict} or not all(one.keys() <= properties for one in data):
        return None
    return ManySent(uuids, labels, data) if {type(value) for one in data for value in one.values()} <= {str} else None


def _plain_uuids(uuids: list[Any]) -> list[str] | None:
    """The ids in small letters, if all are of version 4 and have no `uuid:`."""
    if set(map(type, uuids)) != {str} or set(map(len, uuids)) != {_LENGTH}:
        return None
    joined = "".join(uuids)
    if not joined.isascii():
        return None
    text, count = joined.encode(), len(uuids)
    has_hyphens = all(text[at::_LENGTH] == b"-" * count for at in _HYPHENS) and len(text.translate(None, _HEX)) == count * len(_HYPHENS)
    if not has_hyphens or text[14::_LENGTH] != b"4" * count or text[19::_LENGTH].translate(None, b"89abAB"):
        return None
    return uuids if joined.islower() else [uuid.lower() for uuid in uuids]
