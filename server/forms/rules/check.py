"""Which question of a submission breaks which of its form's rules (XForms binds: relevant, required, constraint)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from lxml import etree

from server.forms.rules.expression import Context, compile_expression
from server.forms.rules.instance import Template, lay_over
from server.forms.rules.values import Budget, Exhausted, Moment, Node, Unknowable, moment_of, truth
from server.settings import CHINA

log = logging.getLogger(__name__)
_MOST_VIOLATIONS = 200
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bind:
    """A question's rules as expressions, '' where it has none; `messages` by language."""

    relevant: str = ""
    required: str = ""
    constraint: str = ""
    messages: dict[str, str] | None = None
    is_asked: bool = False


@dataclass(frozen=True, slots=True)
class FormRules:
    """A form version's template and rules by path (the root's name first)."""

    template: Template
    binds: dict[Path, Bind]

    def can_be_broken(self) -> bool:
        """Any question is required or constrained."""
        return any(bind.constraint or (bind.required and bind.is_asked) for bind in self.binds.values())


@dataclass(frozen=True, slots=True)
class Violation:
    """`path` below the root, with the repetitions' numbers: members[2]/age. `rule`: required or constraint. `messages`: the form's own."""

    path: str
    rule: str
    messages: dict[str, str]


def check_rules(rules: FormRules, sent: etree._Element, *, received_at: datetime) -> list[Violation]:
    """The submission's broken rules in the form's order, at most 200; those that cannot be judged here, or would take too long, are taken as kept."""
    try:
        root = lay_over(rules.template, sent)
    except Unknowable:
        return []
    checker = _Checker(rules, root, _filled_in_at(root, received_at))
    found: list[Violation] = []
    try:
        for violation in islice(checker.walk(root, is_relevant=True), _MOST_VIOLATIONS):
            found.append(violation)  # noqa: PERF402 - what was found before the end of the budget is kept
    except Exhausted:
        log.info("a submission's rules take too long to check")
    return found


def _filled_in_at(root: Node, received_at: datetime) -> Moment:
    """When the phone says that it was filled in: its rules were judged by its clock."""
    for name in ("end", "start", "today"):
        for child in root.children:
            if child.name == name and (found := moment_of(child.text)) is not None:
                return found
    local = received_at.astimezone(CHINA)
    return moment_of(local.isoformat()) or Moment(0.0, "")


class _Checker:
    def __init__(self, rules: FormRules, root: Node, now: Moment) -> None:
        self._binds, self._root, self._now, self._budget = rules.binds, root, now, Budget()

    def walk(self, node: Node, *, is_relevant: bool | None) -> Iterator[Violation]:
        """`is_relevant`: None where it cannot be known here."""
        bind = self._binds.get(node.path)
        if bind is not None and is_relevant is not False and bind.relevant:
            own = self._truth(bind.relevant, node)
            is_relevant = own if own is False or is_relevant is True else None
        if is_relevant is False:
            return
        if bind is not None and not node.children:
            yield from self._judge(node, bind, is_relevant=is_relevant)
        for child in node.children:
            yield from self.walk(child, is_relevant=is_relevant)

    def _judge(self, node: Node, bind: Bind, *, is_relevant: bool | None) -> Iterator[Violation]:
        if not node.text:
            if bind.is_asked and is_relevant and bind.required and self._truth(bind.required, node):
                yield Violation(_written(node), "required", {})
        elif bind.constraint and self._truth(bind.constraint, node) is False:
            yield Violation(_written(node), "constraint", bind.messages or {})

    def _truth(self, expression: str, node: Node) -> bool | None:
        try:
            return truth(compile_expression(expression)(Context(node, node, self._root, self._now, budget=self._budget)))
        except (Unknowable, ValueError, OverflowError, RecursionError):
            return None


def _written(node: Node) -> str:
    parts: list[str] = []
    while node.parent is not None:
        alike = [one for one in node.parent.children if one.name == node.name]
        parts.append(f"{node.name}[{alike.index(node) + 1}]" if len(alike) > 1 else node.name)
        node = node.parent
    return "/".join(reversed(parts))
