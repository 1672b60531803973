"""XPath 1.0 expressions as XForms use them, read once into functions of their context."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from server.forms.rules.values import Budget, Moment, Node, Unknowable, Value, equal, number, truth

MOST_CHARACTERS = 8000
_MOST_DEPTH = 60
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?|\.\d+)|(?P<text>'[^']*'|\"[^\"]*\")|(?P<name>[^\W\d][\w.-]*(?::[^\W\d][\w.-]*)?)"
    r"|(?P<mark>\.\.|::|//|!=|<=|>=|[-+*/|()\[\],@.=<>]))"
)
_WORDS = {"and", "or", "div", "mod"}
_STRENGTH = {"or": 1, "and": 2, "=": 3, "!=": 3, "<": 4, "<=": 4, ">": 4, ">=": 4, "+": 5, "-": 5, "*": 6, "div": 6, "mod": 6, "|": 8}


@dataclass(frozen=True, slots=True)
class Context:
    """Where an expression stands. `node`: the node it is about; `current`: the one that its bind is about; `now`: when the phone filled it in."""

    node: Node
    current: Node
    root: Node
    now: Moment
    position: int = 1
    size: int = 1
    budget: Budget = field(default_factory=Budget)


Compiled = Callable[[Context], Value]


@lru_cache(maxsize=5000)
def compile_expression(text: str) -> Compiled:
    """The expression as a function of its context. Raises: Unknowable (no XPath that we know, or too long or deep)."""
    if len(text) > MOST_CHARACTERS:
        raise Unknowable("too long")
    return _Reader(text).whole()


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at, self._depth = 0, 0

    def whole(self) -> Compiled:
        read = self._binary(0)
        if self._peek() is not None:
            raise Unknowable(f"unexpected {self._peek()}")
        return read

    # -- tokens

    def _peek(self, ahead: int = 0) -> str | None:
        place = self._at + ahead
        return self._tokens[place][1] if place < len(self._tokens) else None

    def _kind(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        symbol = self._peek()
        if symbol is None:
            raise Unknowable("ends early")
        self._at += 1
        return symbol

    def _take(self, symbol: str) -> bool:
        if self._peek() == symbol:
            self._at += 1
            return True
        return False

    def _expect(self, symbol: str) -> None:
        if not self._take(symbol):
            raise Unknowable(f"{symbol} expected")

    # -- operators

    def _binary(self, least: int) -> Compiled:
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise Unknowable("too deep")
        left = self._unary()
        while self._kind() == "operator" and _STRENGTH[operator := self._peek() or ""] > least:
            self._at += 1
            left = _operation(operator, left, self._binary(_STRENGTH[operator]))
        self._depth -= 1
        return left

    def _unary(self) -> Compiled:
        if self._take("-"):
            inner = self._binary(7)
            return lambda context: -number(inner(context))
        return self._path()

    # -- paths

    def _path(self) -> Compiled:
        symbol = self._peek()
        if symbol == "/":
            self._at += 1
            return _absolute(self._steps()) if self._starts_step() else lambda context: [context.root]
        if symbol == "//":
            raise Unknowable("//")
        start = self._primary()
        if start is None:
            return _relative(None, self._steps())
        predicates = self._predicates()
        if predicates:
            start = _filtered(start, predicates)
        return _relative(start, self._steps()) if self._take("/") else start

    def _starts_step(self) -> bool:
        return self._kind() in {"name", "any"} or self._peek() in {".", "..", "@"}

    def _steps(self) -> list[_Step]:
        steps = [self._step()]
        while self._take("/"):
            steps.append(self._step())
        return steps

    def _step(self) -> _Step:
        kind, symbol = self._kind(), self._next()
        if symbol in {".", ".."}:
            return _Step(symbol, [])
        if symbol == "@" or self._peek() == "::":
            raise Unknowable("attributes and axes")
        if kind not in {"name", "any"}:
            raise Unknowable(f"unexpected {symbol}")
        if self._peek() == "(":
            raise Unknowable("node tests")
        return _Step(symbol.rpartition(":")[2], self._predicates())

    def _predicates(self) -> list[Compiled]:
        found = []
        while self._take("["):
            found.append(self._binary(0))
            self._expect("]")
        return found

    def _primary(self) -> Compiled | None:
        kind, symbol = self._kind(), self._peek() or ""
        if kind == "text":
            self._at += 1
            text = symbol[1:-1]
            return lambda _context: text
        if kind == "number":
            self._at += 1
            value = float(symbol)
            return lambda _context: value
        if symbol == "(":
            self._at += 1
            inner = self._binary(0)
            self._expect(")")
            return inner
        if kind == "name" and self._peek(1) == "(":
            return self._call()
        return None

    def _call(self) -> Compiled:
        from server.forms.rules.functions import FUNCTIONS

        name = self._next()
        self._expect("(")
        arguments: list[Compiled] = []
        while not self._take(")"):
            if arguments:
                self._expect(",")
            arguments.append(self._binary(0))
        function = FUNCTIONS.get(name)
        if function is None:
            return _unknown(name)
        return lambda context: function(context, arguments)


def _tokens(text: str) -> list[tuple[str, str]]:
    """(kind, text): number, text, name, any (a star for any name), operator or mark. Raises: Unknowable."""
    found: list[tuple[str, str]] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise Unknowable(f"unexpected {text[at : at + 10]}")
        symbol, at = match[0].strip(), match.end()
        # XPath 1.0 section 3.7: after an operand, a name or a star is an operator.
        ends_operand = bool(found) and (found[-1][0] in {"number", "text", "name", "any"} or found[-1][1] in {")", "]", ".", ".."})
        if match["name"]:
            kind = "operator" if symbol in _WORDS and ends_operand else "name"
        elif symbol == "*":
            kind = "operator" if ends_operand else "any"
        elif match["number"] or match["text"]:
            kind = "number" if match["number"] else "text"
        else:
            kind = "operator" if symbol in _STRENGTH else "mark"
        found.append((kind, symbol))
    return found


@dataclass(frozen=True, slots=True)
class _Step:
    name: str
    predicates: list[Compiled]


def _unknown(name: str) -> Compiled:
    def refuse(_context: Context) -> Value:
        raise Unknowable(name)

    return refuse


def _nodes(value: Value) -> list[Node]:
    if not isinstance(value, list):
        raise Unknowable("no node-set")
    return value


def _filtered(start: Compiled, predicates: list[Compiled]) -> Compiled:
    return lambda context: _keep(_nodes(start(context)), predicates, context)


def _keep(nodes: list[Node], predicates: list[Compiled], context: Context) -> list[Node]:
    for predicate in predicates:
        context.budget.spend(len(nodes))
        kept = []
        for place, node in enumerate(nodes, start=1):
            value = predicate(replace(context, node=node, position=place, size=len(nodes)))
            if value == place if isinstance(value, float) else truth(value):
                kept.append(node)
        nodes = kept
    return nodes


def _walk(nodes: list[Node], steps: list[_Step], context: Context) -> list[Node]:
    for step in steps:
        if step.name == ".":
            continue
        if step.name == "..":
            nodes = list(dict.fromkeys(node.parent for node in nodes if node.parent is not None))
            continue
        found: list[Node] = []
        name, predicates = step.name, step.predicates
        for node in nodes:
            context.budget.spend(len(node.children))
            named = node.children if name == "*" else [child for child in node.children if child.name == name]
            found += _keep(named, predicates, context) if predicates else named
        nodes = found
    return nodes


def _relative(start: Compiled | None, steps: list[_Step]) -> Compiled:
    if start is None:
        return lambda context: _walk([context.node], steps, context)
    return lambda context: _walk(_nodes(start(context)), steps, context)


def _absolute(steps: list[_Step]) -> Compiled:
    names = [step.name for step in steps]

    def walk(context: Context) -> Value:
        if names[0] != context.root.name:
            return []
        # As JavaRosa has it: within a repeat, an absolute path is about this very repetition.
        nodes, place, own = [context.root], 1, _line_of(context.node)
        while place < len(steps) - 1 and place < len(own) and own[place].name == names[place] and not steps[place].predicates:
            nodes, place = [own[place]], place + 1
        return _walk(nodes, steps[place:], context)

    return walk


def _line_of(node: Node | None) -> list[Node]:
    line: list[Node] = []
    while node is not None:
        line.append(node)
        node = node.parent
    return line[::-1]


def _operation(operator: str, left: Compiled, right: Compiled) -> Compiled:
    if operator == "or":
        return lambda context: truth(left(context)) or truth(right(context))
    if operator == "and":
        return lambda context: truth(left(context)) and truth(right(context))
    if operator == "=":
        return lambda context: equal(left(context), right(context))
    if operator == "!=":
        return lambda context: not equal(left(context), right(context))
    if operator == "|":
        return lambda context: list(dict.fromkeys([*_nodes(left(context)), *_nodes(right(context))]))
    calculate = _ARITHMETIC[operator]
    return lambda context: calculate(number(left(context)), number(right(context)))


def _divided(one: float, other: float) -> float:
    if other == 0:
        return math.nan if one == 0 or math.isnan(one) else math.copysign(math.inf, one)
    return one / other


_ARITHMETIC: dict[str, Callable[[float, float], Any]] = {
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
    "+": lambda one, other: one + other,
    "-": lambda one, other: one - other,
    "*": lambda one, other: one * other,
    "div": _divided,
    "mod": lambda one, other: math.fmod(one, other) if other and not math.isinf(one) else math.nan,
}
