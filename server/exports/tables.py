"""A form's questions as tables: one of the submissions, one of each repeat, each with its groups."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from server.forms.fields import Field

Path = tuple[str, ...]

_FIRST = re.compile(r"^([^a-zA-Z_])")
_OTHERS = re.compile(r"[^a-zA-Z0-9_]+")


def odata_name(name: str) -> str:
    """The name with what OData identifiers may not have replaced, as ODK Central does it."""
    return _OTHERS.sub("_", _FIRST.sub(r"_\1", name))


def odata_path(path: Path) -> tuple[str, ...]:
    """Each name of the path as OData writes it."""
    return tuple(odata_name(name) for name in path)


@dataclass(slots=True)
class Group:
    """A group, a repeat's row or the submission itself: its questions, groups and repeats, each in the form's order."""

    path: Path
    questions: list[Field] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    repeats: list[Repeat] = field(default_factory=list)
    in_order: list[Field | Group] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The last name; "" for the submission."""
        return self.path[-1] if self.path else ""


@dataclass(slots=True)
class Repeat:
    """A repeat: `path` of it, `table` of its rows, `parent` the table that its rows belong to (None: the submission)."""

    path: Path
    row: Group
    parent: Repeat | None

    @property
    def name(self) -> str:
        """The last name of the path."""
        return self.path[-1]


def table_tree(fields: Sequence[Field]) -> Group:
    """The submission's group with all below it. Fields depth first, groups before what is in them."""
    root = Group(())
    groups: dict[Path, tuple[Group, Repeat | None]] = {(): (root, None)}
    for one in fields:
        parent, repeat = groups.get(one.path[:-1], (None, None))
        if parent is None:
            continue
        if one.kind == "structure":
            group = Group(one.path)
            parent.groups.append(group)
            parent.in_order.append(group)
            groups[one.path] = (group, repeat)
        elif one.kind == "repeat":
            found = Repeat(one.path, Group(one.path), repeat)
            parent.repeats.append(found)
            groups[one.path] = (found.row, found)
        else:
            parent.questions.append(one)
            parent.in_order.append(one)
    return root


def all_repeats(group: Group) -> Iterator[Repeat]:
    """Every repeat below, depth first: an outer one before those in its rows. In the order of the form's fields per group."""
    for repeat in group.repeats:
        yield repeat
        yield from all_repeats(repeat.row)
    for inner in group.groups:
        yield from all_repeats(inner)


def repeats_in_order(fields: Sequence[Field], root: Group) -> list[Repeat]:
    """Every repeat, in the order of the form's fields."""
    by_path = {repeat.path: repeat for repeat in all_repeats(root)}
    return [by_path[one.path] for one in fields if one.kind == "repeat" and one.path in by_path]


def question_paths(fields: Sequence[Field], hidden: Collection[Path], table: Path = ()) -> tuple[dict[str, tuple[Path, str]], set[str]]:
    """OData path -> (path, kind) of the questions of one table, below its row; and the OData paths of the hidden ones."""
    start = len(table)
    repeats = [one.path for one in fields if one.kind == "repeat" and len(one.path) > start]
    found: dict[str, tuple[Path, str]] = {}
    for one in fields:
        is_here = one.path[:start] == table and len(one.path) > start and one.kind not in {"structure", "repeat"}
        if is_here and not any(one.path[: len(path)] == path for path in repeats):
            found.setdefault("/".join(odata_path(one.path[start:])), (one.path[start:], one.kind))
    return found, {"/".join(odata_path(path[start:])) for path in hidden if path[:start] == table}


def group_of(answers: dict[str, Any], path: Path) -> dict[str, Any] | None:
    """The group at `path` below `answers`, None if it was not sent (or is no group)."""
    for name in path:
        found = answers.get(name)
        if found.__class__ is not dict:
            return None
        answers = found
    return answers
