"""Answers read straight into objects with one slot a question: a table's row is then one call of a C function.

Only what a form's questions name is read; what does not fit (an older version's group where a question is now) is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import msgspec
import orjson

from server.exports.tables import Group, Path

Leaf = str | int | float | None
Read = Callable[[Any], tuple[Any, ...]]


@dataclass(slots=True)
class RowType:
    """The class of one table's rows, and where in it each question and repeat below the row is, by path."""

    made: Any
    places: dict[Path, str] = field(default_factory=dict)
    questions: list[tuple[str, str]] = field(default_factory=list)
    groups: list[tuple[str, str, RowType]] = field(default_factory=list)
    repeats: list[tuple[str, str, RowType]] = field(default_factory=list)

    def read_all(self, paths: list[Path]) -> Read:
        """What gives the answers at these paths, in their order, from a row."""
        names = [self.places[path] for path in paths]
        if not self.groups and not self.repeats and names == [slot for slot, _name in self.questions]:
            return msgspec.structs.astuple
        if len(names) == 1:
            only = attrgetter(names[0])
            return lambda row: (only(row),)
        return attrgetter(*names) if names else lambda _row: ()

    def row_of(self, answers: Mapping[str, Any]) -> Any:
        """A row from answers of any shape."""
        slots: dict[str, Any] = {}
        for slot, name in self.questions:
            value = answers.get(name)
            slots[slot] = value if isinstance(value, str | int | float) else None
        for slot, name, inner in self.groups:
            value = answers.get(name)
            slots[slot] = inner.row_of(value if isinstance(value, dict) else {})
        for slot, name, inner in self.repeats:
            value = answers.get(name)
            slots[slot] = [inner.row_of(row) for row in value if isinstance(row, dict)] if isinstance(value, list) else []
        return self.made(**slots)


def row_type(group: Group, types: dict[Path, RowType]) -> RowType:
    """The class for a group's rows. `types` gets those of the repeats below, by the repeat's path."""
    found = RowType(None)
    slots: list[Any] = []
    names: dict[str, str] = {}
    depth = len(group.path)
    for number, asked in enumerate(group.questions):
        slot = f"q{number}"
        found.questions.append((slot, asked.name))
        found.places[asked.path[depth:]] = slot
        slots.append((slot, Leaf, None))
        names[slot] = asked.name
    for number, inner_group in enumerate(group.groups):
        slot, inner = f"g{number}", row_type(inner_group, types)
        found.groups.append((slot, inner_group.name, inner))
        found.places.update({(inner_group.name, *path): f"{slot}.{place}" for path, place in inner.places.items()})
        slots.append((slot, inner.made, msgspec.field(default_factory=inner.made)))
        names[slot] = inner_group.name
    for number, repeat in enumerate(group.repeats):
        slot, inner = f"r{number}", row_type(repeat.row, types)
        types[repeat.path] = inner
        found.repeats.append((slot, repeat.name, inner))
        found.places[(repeat.name,)] = slot
        slots.append((slot, list[inner.made], msgspec.field(default_factory=list)))  # type: ignore[name-defined]
        names[slot] = repeat.name
    found.made = msgspec.defstruct("Row", slots, rename=names, gc=False)
    return found


class AnswerReader:
    """Reads a submission's answers, as JSON text or as objects already."""

    def __init__(self, root: RowType) -> None:
        self._root = root
        self._decode = msgspec.json.Decoder(root.made).decode

    def read(self, answers: str | dict[str, Any]) -> Any:
        """The submission's row."""
        if answers.__class__ is dict:
            return self._root.row_of(answers)  # type: ignore[arg-type]
        try:
            return self._decode(answers)  # type: ignore[arg-type]
        except msgspec.ValidationError:
            return self._root.row_of(orjson.loads(answers))  # type: ignore[arg-type]
