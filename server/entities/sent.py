"""What programs and submissions send of an entity, checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import uuid4

from server import problems

_UUID4 = re.compile(r"(?:uuid:)?([0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})", re.IGNORECASE)
_NUMBER = re.compile(r"\d+", re.ASCII)
_KEYS = ["label", "uuid", "data"]
_KNOWN = set(_KEYS)
_MOST_VERSION = 2**31 - 1


def normal_uuid(text: Any, name: str = "uuid") -> str:
    """The id in small letters, without `uuid:`. Raises: missing_parameter, invalid_data_type."""
    if not isinstance(text, str) or not text.strip():
        raise problems.missing_parameter(name)
    found = _UUID4.fullmatch(text)
    if found is None:
        raise problems.invalid_data_type(name, None, "valid version 4 UUID")
    return found[1].lower()


class SentEntity(NamedTuple):
    """An entity as a program sent it: `label` None leaves it."""

    uuid: str
    label: str | None
    data: dict[str, str]

    @property
    def received(self) -> dict[str, Any]:
        """The values, and the label under its name."""
        return self.data if self.label is None else {**self.data, "label": self.label}


def read_sent(body: Any, properties: Collection[str], *, is_update: bool = False) -> SentEntity:
    """An entity's JSON. Raises: unexpected_attributes, missing_parameter, invalid_data_type, unexpected_value, invalid_entity."""
    if body.__class__ is not dict or not body.keys() <= _KNOWN:
        keys = _keys_of(body)
        if any(key not in _KEYS for key in keys):
            raise problems.unexpected_attributes(_KEYS, keys[:50])
    sent: dict[str, Any] = body if isinstance(body, dict) else {}
    uuid = ""
    if not is_update:
        if sent.get("uuid") and not isinstance(sent["uuid"], str):
            raise problems.invalid_data_type("uuid", None, "string")
        uuid = normal_uuid(sent["uuid"]) if sent.get("uuid") else str(uuid4())
    label = sent.get("label")
    if label is not None:
        _check_label(label)
    elif not is_update:
        raise problems.missing_parameter("label")
    if label is None and sent.get("data") is None:
        raise problems.invalid_entity("No entity data or label provided.")
    return SentEntity(uuid, label, _read_data(sent.get("data"), properties))


def seal_sent(sent: SentEntity, properties: Iterable[str], seal: Callable[[str], str]) -> SentEntity:
    """The entity with its ID and bank account numbers as they are stored (access/sealed.py)."""
    numbers = {name: seal(sent.data[name]) for name in properties if name in sent.data}
    return sent._replace(data={**sent.data, **numbers}) if numbers else sent


def _keys_of(body: Any) -> list[str]:
    if isinstance(body, dict):
        return list(body)
    # As JavaScript counts a text's or a list's keys.
    return [str(number) for number in range(len(body))] if isinstance(body, str | list) else []


def _check_label(label: Any) -> None:
    if not isinstance(label, str):
        raise problems.invalid_data_type("label", None, "string")
    if not label.strip():
        raise problems.unexpected_value("label", "(empty string)", "Label cannot be blank.")


def _read_data(data: Any, properties: Collection[str]) -> dict[str, str]:
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise problems.invalid_data_type("data", None, "object")
    for name, value in data.items():
        if not isinstance(value, str):
            raise problems.invalid_data_type(name[:255], None, "string")
        if name not in properties:
            raise problems.invalid_entity(f"You specified the dataset property [{name[:255]}] which does not exist.")
    return data


def read_source(source: Any, count: int, user_agent: str | None) -> dict[str, Any]:
    """What a program says of the file that its many entities come from. Raises: missing_parameter, invalid_data_type."""
    if source is None or (not source and not isinstance(source, dict | list)):
        raise problems.missing_parameter("source")
    name = source.get("name") if isinstance(source, dict) else None
    if not name:
        raise problems.missing_parameter("source.name")
    if not isinstance(name, str):
        raise problems.invalid_data_type("name", _type_of(name), "string")
    size = source.get("size")
    if size is not None and (isinstance(size, bool) or not isinstance(size, int | float)):
        raise problems.invalid_data_type("size", _type_of(size), "number")
    return {"name": name, **({"size": size} if size else {}), "count": count, "userAgent": user_agent or None}


def _type_of(value: Any) -> str:
    return {bool: "boolean", int: "number", float: "number", str: "string"}.get(type(value), "object")


@dataclass(frozen=True, slots=True)
class OfflinePlace:
    """Where a submission's update stands: `base_version` and `trunk_version` by the phone's count, in its branch."""

    base_version: int | None
    trunk_version: int | None
    branch_id: str | None


def read_place(base_version: Any, trunk_version: Any, branch_id: Any, *, needs_base: bool) -> OfflinePlace:
    """From an entity element's attributes. Raises: missing_parameter, invalid_data_type."""
    base = _whole(base_version, "baseVersion")
    if base is None and needs_base:
        raise problems.missing_parameter("baseVersion")
    branch = normal_uuid(branch_id, "branchId") if branch_id else None
    trunk = None
    if trunk_version not in (None, ""):
        if branch is None:
            raise problems.missing_parameter("branchId")
        trunk = _whole(trunk_version, "trunkVersion")
    return OfflinePlace(base, trunk, branch)


def _whole(value: Any, name: str) -> int | None:
    text = "" if value is None else str(value)
    if not text.strip():
        return None
    if not _NUMBER.fullmatch(text):
        raise problems.invalid_data_type(name, None, "integer")
    return min(int(text[:11]), _MOST_VERSION)
