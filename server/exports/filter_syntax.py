"""OData filter expressions -> a small tree. Bounded in length, depth and terms before anything is built.

Grammar: OData 4.01, part 2, section 5.1.1, without lambdas, arithmetic and type functions. As in ODK Central `not a eq b`
means `not (a eq b)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from server import problems

MOST_CHARACTERS = 16_000
MOST_DEPTH = 40
MOST_TERMS = 400

COMPARISONS = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
# Name -> number of parameters, (least, most).
FUNCTIONS = {
    "year": (1, 1), "month": (1, 1), "day": (1, 1), "hour": (1, 1), "minute": (1, 1), "second": (1, 1), "now": (0, 0),
    "contains": (2, 2), "startswith": (2, 2), "endswith": (2, 2), "tolower": (1, 1), "toupper": (1, 1), "length": (1, 1), "trim": (1, 1),
}  # fmt: skip
_ARITHMETIC = frozenset({"add", "sub", "mul", "div", "divby", "mod", "has"})

_TOKEN = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<text>'(?:[^']|'')*')"
    r"|(?P<instant>\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,12})?)?(?:Z|[+-]\d\d:?\d\d)?)?)"
    r"|(?P<guid>[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})"
    r"|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w])"
    r"|(?P<path>\$?[^\W\d][\w.-]*(?:/[^\W\d$][\w.-]*)*)"
    r"|(?P<mark>[(),])"
)


@dataclass(frozen=True, slots=True)
class Literal:
    """A value: str, int, float, bool, None; `raw` as written (times stay text). `is_time`: written as a date or instant."""

    value: Any
    raw: str
    at: int
    is_time: bool = False


@dataclass(frozen=True, slots=True)
class Property:
    """A path of names: `__system/submissionDate`, `group/question`."""

    path: str
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its parameters."""

    name: str
    parameters: tuple[Node, ...]
    raw: str
    at: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """`operator` is one of COMPARISONS."""

    operator: str
    left: Node
    right: Node
    at: int


@dataclass(frozen=True, slots=True)
class OneOf:
    """`subject in (a, b, ...)`."""

    subject: Node
    values: tuple[Literal, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Both:
    """All of `parts` (`is_any` False) or one of them. A chain is one node, however long."""

    parts: tuple[Node, ...]
    is_any: bool
    at: int


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    part: Node
    at: int


Node = Literal | Property | Call | Comparison | OneOf | Both | Not


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def parse_filter(expression: str) -> Node:
    """The expression's tree. Raises: unparseable_odata_expression, unsupported_odata_expression (arithmetic, lambdas, unknown functions)."""
    if len(expression) > MOST_CHARACTERS:
        raise problems.unparseable_odata_expression(f"longer than {MOST_CHARACTERS} characters")
    if "\x00" in expression or any(0xD800 <= ord(c) < 0xE000 for c in expression):
        raise problems.unparseable_odata_expression("characters that no text can hold")
    return _Parser(expression).whole()


def properties_of(node: Node) -> Iterator[Property]:
    """Every property that the tree names."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Property):
            yield one
        elif isinstance(one, Call):
            waiting.extend(one.parameters)
        elif isinstance(one, Comparison):
            waiting += [one.left, one.right]
        elif isinstance(one, OneOf):
            waiting.append(one.subject)
        elif isinstance(one, Both):
            waiting.extend(one.parts)
        elif isinstance(one, Not):
            waiting.append(one.part)


def _tokens(expression: str) -> Iterator[_Token]:
    at = 0
    while at < len(expression):
        found = _TOKEN.match(expression, at)
        if found is None:
            raise problems.unparseable_odata_expression(f"unexpected '{expression[at : at + 10]}' at {at}")
        if found.lastgroup != "space":
            yield _Token(found.lastgroup or "", found.group(), at)
        at = found.end()
    yield _Token("end", "", at)


class _Parser:
    def __init__(self, expression: str) -> None:
        self._expression = expression
        self._all = list(_tokens(expression))
        self._index = self._depth = self._terms = 0

    def whole(self) -> Node:
        node = self._any()
        if self._next.kind != "end":
            self._unexpected()
        return node

    @property
    def _next(self) -> _Token:
        return self._all[self._index]

    def _take(self) -> _Token:
        token = self._all[self._index]
        self._index += 1
        return token

    def _unexpected(self) -> NoReturn:
        token = self._next
        raise problems.unparseable_odata_expression(f"unexpected {repr(token.text[:40]) if token.text else 'end'} at {token.at}")

    def _word(self, *words: str) -> bool:
        return self._next.kind == "path" and self._next.text in words

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise problems.unparseable_odata_expression(f"nested deeper than {MOST_DEPTH}")

    def _any(self) -> Node:
        return self._chain("or", self._all_of, is_any=True)

    def _all_of(self) -> Node:
        return self._chain("and", self._negation, is_any=False)

    def _chain(self, word: str, part: Any, *, is_any: bool) -> Node:
        at, parts = self._next.at, [part()]
        while self._word(word):
            self._take()
            parts.append(part())
        return parts[0] if len(parts) == 1 else Both(tuple(parts), is_any, at)

    def _negation(self) -> Node:
        if not self._word("not"):
            return self._comparison()
        at = self._take().at
        self._deeper()
        node = Not(self._negation(), at)
        self._depth -= 1
        return node

    def _comparison(self) -> Node:
        left = self._operand()
        if self._word(*COMPARISONS):
            operator = self._take()
            return Comparison(operator.text, left, self._operand(), left.at)
        if self._word("in"):
            self._take()
            return OneOf(left, self._values(), left.at)
        if self._word(*_ARITHMETIC):
            kind = "HasExpression" if self._next.text == "has" else f"{self._next.text.capitalize()}Expression"
            raise problems.unsupported_odata_expression(left.at, kind, self._expression[left.at :][:200])
        return left

    def _values(self) -> tuple[Literal, ...]:
        self._expect("(")
        values: list[Literal] = []
        while True:
            value = self._operand()
            if not isinstance(value, Literal):
                raise problems.unparseable_odata_expression(f"expected a value at {value.at}")
            values.append(value)
            if self._next.text != ",":
                break
            self._take()
        self._expect(")")
        return tuple(values)

    def _expect(self, mark: str) -> None:
        if self._next.kind != "mark" or self._next.text != mark:
            self._unexpected()
        self._take()

    def _operand(self) -> Node:
        self._terms += 1
        if self._terms > MOST_TERMS:
            raise problems.unparseable_odata_expression(f"more than {MOST_TERMS} terms")
        token = self._next
        if token.kind == "mark" and token.text == "(":
            self._take()
            self._deeper()
            node = self._any()
            self._depth -= 1
            self._expect(")")
            return node
        if token.kind == "path":
            return self._named()
        if token.kind not in {"text", "instant", "guid", "number"}:
            self._unexpected()
        return self._literal()

    def _named(self) -> Node:
        token = self._take()
        if token.text in {"null", "true", "false"}:
            return Literal({"null": None, "true": True, "false": False}[token.text], token.text, token.at)
        if self._next.kind == "mark" and self._next.text == "(":
            return self._call(token)
        return Property(token.text, token.at)

    def _call(self, name: _Token) -> Node:
        if name.text not in FUNCTIONS:
            kind = "LambdaExpression" if name.text.rpartition("/")[2] in {"any", "all"} else "MethodCallExpression"
            raise problems.unsupported_odata_expression(name.at, kind, self._expression[name.at :][:200])
        self._expect("(")
        parameters: list[Node] = []
        self._deeper()
        while self._next.text != ")" or self._next.kind != "mark":
            parameters.append(self._any())
            if self._next.text == ",":
                self._take()
            elif self._next.text != ")":
                self._unexpected()
        self._depth -= 1
        end = self._take()
        least, most = FUNCTIONS[name.text]
        if not least <= len(parameters) <= most:
            raise problems.unparseable_odata_expression(f"wrong number of parameters of {name.text} at {name.at}")
        return Call(name.text, tuple(parameters), self._expression[name.at : end.at + 1], name.at)

    def _literal(self) -> Literal:
        token = self._take()
        if token.kind == "text":
            return Literal(token.text[1:-1].replace("''", "'"), token.text, token.at)
        if token.kind == "number":
            return Literal(_number(token), token.text, token.at)
        return Literal(token.text, token.text, token.at, is_time=token.kind == "instant")


def _number(token: _Token) -> int | float:
    if len(token.text) > 40:
        raise problems.unparseable_odata_expression(f"a number too long at {token.at}")
    number = float(token.text) if any(c in token.text for c in ".eE") else int(token.text)
    if isinstance(number, float) and number in (float("inf"), float("-inf")):
        raise problems.unparseable_odata_expression(f"a number out of range at {token.at}")
    return number
