"""Many entities as a program or a file has them, checked by columns: what is plainly right needs no look at each row."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any
from uuid import uuid4

import msgspec

from server.entities.sent import read_sent

_HEX = b"0123456789abcdefABCDEF"
# Where the hyphens of an id are, and how long it is.
_HYPHENS, _LENGTH = (8, 13, 18, 23), 36


# What the columns of both databases, and JSON's readers, hold.
_Whole = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]


class TypedEntity(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A new entity's JSON, each part of the right type."""

    label: str
    data: dict[str, str] = {}
    uuid: str | None = None


class _ManyTyped(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    entities: list[TypedEntity]
    source: dict[str, str | _Whole | float | bool | None]


_read_typed = msgspec.json.Decoder(_ManyTyped).decode


def many_in_json(text: bytes) -> dict[str, Any] | None:
    """A body's `entities`, typed, and its `source`; None if it is any other, or wrong in any way, which a closer look will tell."""
    # PostgreSQL can store no NUL in any text.
    if b"\\u0000" in text:
        return None
    try:
        typed = _read_typed(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return {"entities": typed.entities, "source": typed.source}


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
    """New entities' JSON, or what many_in_json made of it. Raises: what read_sent does of the first that is wrong."""
    if bodies and bodies[0].__class__ is TypedEntity:
        return _plain_typed(bodies, set(properties)) or _one_by_one([msgspec.structs.asdict(one) for one in bodies], properties)
    return _one_by_one(bodies, properties)


def _one_by_one(bodies: Sequence[Any], properties: Collection[str]) -> ManySent:
    sent = [read_sent(one, properties) for one in bodies]
    return ManySent([one.uuid for one in sent], [one.label or "" for one in sent], [one.data for one in sent])


def _plain_typed(bodies: Sequence[TypedEntity], properties: set[str]) -> ManySent | None:
    """The entities, if nothing is wrong with any."""
    labels, data = [one.label for one in bodies], [one.data for one in bodies]
    uuids = _plain_uuids([one.uuid or str(uuid4()) for one in bodies])
    if uuids is None or not all(map(str.strip, labels)) or not all(map(properties.issuperset, data)):
        return None
    return ManySent(uuids, labels, data)


def _plain_uuids(uuids: list[str]) -> list[str] | None:
    """The ids in small letters, if all are of version 4 and have no `uuid:`."""
    if set(map(len, uuids)) != {_LENGTH}:
        return None
    joined = "".join(uuids)
    if not joined.isascii():
        return None
    text, count = joined.encode(), len(uuids)
    has_hyphens = all(text[at::_LENGTH] == b"-" * count for at in _HYPHENS) and len(text.translate(None, _HEX)) == count * len(_HYPHENS)
    if not has_hyphens or text[14::_LENGTH] != b"4" * count or text[19::_LENGTH].translate(None, b"89abAB"):
        return None
    return uuids if joined.islower() else [uuid.lower() for uuid in uuids]
