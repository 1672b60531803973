"""A filter's tree -> a test of a repeat's row: rows lie inside their submission's answers, where SQL would look at each twice."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from server import problems
from server.exports.filter_syntax import Both, Call, Comparison, Literal, Node, Not, OneOf, Property, properties_of
from server.exports.odata_values import as_number

Path = tuple[str, ...]
Value = Callable[[dict[str, Any]], Any]
Test = Callable[[dict[str, Any]], bool]

_ROOT = "$root/"
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {"gt": operator.gt, "ge": operator.ge, "lt": operator.lt, "le": operator.le}
_PARTS = {"year": (0, 4), "month": (5, 7), "day": (8, 10), "hour": (11, 13), "minute": (14, 16), "second": (17, 19)}


def split_filter(node: Node) -> tuple[Node | None, Node | None]:
    """What of a filter is about the submissions (`$root/Submissions/...`), and what about the repeat's own rows.

    Raises: unsupported_odata_expression (an `or` or `not` that mixes them).
    """
    roots = [one.path.startswith(_ROOT) for one in properties_of(node)]
    if all(roots):
        return node, None
    if not any(roots):
        return None, node
    if not isinstance(node, Both) or node.is_any:
        raise problems.unsupported_odata_expression(node.at, "OrExpression", "$root and the row's own properties")
    of_root, of_row = zip(*(split_filter(part) for part in node.parts), strict=True)
    return _all(of_root, node.at), _all(of_row, node.at)


def _all(parts: Collection[Node | None], at: int) -> Node | None:
    found = tuple(part for part in parts if part is not None)
    return (found[0] if len(found) == 1 else Both(found, is_any=False, at=at)) if found else None


class RowTester:
    """Writes tests of one repeat's rows. `fields`: OData path below the row -> (answer path, kind). `hidden`: paths not to be asked."""

    def __init__(self, fields: Mapping[str, tuple[Path, str]], hidden: Collection[str]) -> None:
        self._fields, self._hidden = {**fields, "__id": (("__id",), "string")}, hidden

    def test(self, node: Node) -> Test:
        """The node as a test. Raises: unsupported_odata_field, unsupported_odata_expression, unparseable_odata_expression."""
        if isinstance(node, Both):
            tests = [self.test(part) for part in node.parts]
            return (lambda row: any(one(row) for one in tests)) if node.is_any else (lambda row: all(one(row) for one in tests))
        if isinstance(node, Not):
            inner = self.test(node.part)
            return lambda row: not inner(row)
        if isinstance(node, OneOf):
            equals = [self._comparison(Comparison("eq", node.subject, value, node.at)) for value in node.values]
            return lambda row: any(one(row) for one in equals)
        if isinstance(node, Comparison):
            return self._comparison(node)
        if isinstance(node, Literal) and isinstance(node.value, bool):
            fixed = node.value
            return lambda _row: fixed
        if isinstance(node, Call) and node.name in {"contains", "startswith", "endswith"}:
            found = self._value(node)[0]
            return lambda row: bool(found(row))
        raise problems.unparseable_odata_expression(f"expected a condition at {node.at}")

    def _comparison(self, node: Comparison) -> Test:
        (left, left_kind), (right, right_kind) = self._value(node.left), self._value(node.right)
        kind = left_kind if right_kind == "literal" else right_kind
        if "literal" not in {left_kind, right_kind} and left_kind != right_kind:
            raise problems.unsupported_odata_expression(node.at, "ComparisonExpression", f"{left_kind} {node.operator} {right_kind}")
        convert = _CONVERT[kind]
        for side, side_kind in ((node.left, left_kind), (node.right, right_kind)):
            if side_kind == "literal" and isinstance(side, Literal) and side.value is not None and convert(side.value) is None:
                raise problems.unparseable_odata_expression(f"{side.raw[:60]} is no {kind} at {side.at}")
        if node.operator in {"eq", "ne"}:
            wanted = node.operator == "eq"
            return lambda row: (convert(left(row)) == convert(right(row))) == wanted
        compare = _OPERATORS[node.operator]

        def test(row: dict[str, Any]) -> bool:
            first, second = convert(left(row)), convert(right(row))
            try:
                return first is not None and second is not None and bool(compare(first, second))
            except TypeError:
                return False

        return test

    def _value(self, node: Node) -> tuple[Value, str]:
        if isinstance(node, Literal):
            fixed = node.value
            return (lambda _row: fixed), "literal"
        if isinstance(node, Property):
            found = self._fields.get(node.path)
            if found is None or node.path in self._hidden:
                raise problems.unsupported_odata_field(node.path[:200], node.at)
            kind = "number" if found[1] in {"int", "decimal"} else "instant" if found[1] == "dateTime" else "text"
            return _reader(found[0]), kind
        if isinstance(node, Call):
            return self._call(node)
        test = self.test(node)
        return test, "truth"

    def _call(self, node: Call) -> tuple[Value, str]:
        if node.name == "now":
            now = datetime.now(UTC).isoformat()
            return (lambda _row: now), "literal"
        texts = [self._value(parameter)[0] for parameter in node.parameters]
        first = texts[0]
        if node.name in _PARTS:
            start, end = _PARTS[node.name]
            return (lambda row: as_number(str(first(row) or "")[start:end])), "number"
        if node.name == "length":
            return (lambda row: None if first(row) is None else len(str(first(row)))), "number"
        if node.name in {"tolower", "toupper", "trim"}:
            change = {"tolower": str.lower, "toupper": str.upper, "trim": str.strip}[node.name]
            return (lambda row: None if first(row) is None else change(str(first(row)))), "text"
        second = texts[1]
        match = {"contains": lambda a, b: b in a, "startswith": str.startswith, "endswith": str.endswith}[node.name]
        return (lambda row: first(row) is not None and second(row) is not None and match(str(first(row)), str(second(row)))), "truth"


def _reader(path: Path) -> Value:
    if len(path) == 1:
        name = path[0]
        return lambda row: row.get(name)

    def read(row: Any) -> Any:
        for name in path:
            row = row.get(name) if row.__class__ is dict else None
        return row

    return read


def _as_instant(value: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(value)
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def _as_text(value: Any) -> str | None:
    return None if value is None or isinstance(value, dict | list) else str(value)


def _as_whole_number(value: Any) -> int | float | None:
    if isinstance(value, str):
        number = as_number(value)
        return number if number is not None and value.strip()[-1:].isdigit() else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


_CONVERT: dict[str, Callable[[Any], Any]] = {
    "text": _as_text, "number": _as_whole_number, "instant": _as_instant, "truth": lambda value: value, "literal": lambda value: value,
}  # fmt: skip


def searching(term: str, hidden_names: Collection[str]) -> Test:
    """Whether some answer of the row, at any depth, contains the term, in either case."""
    wanted = term.lower()

    def test(row: Any) -> bool:
        for name, value in row.items():
            if value is None or name == "__id" or name in hidden_names:
                continue
            if value.__class__ is dict:
                if test(value):
                    return True
            elif value.__class__ is list:
                if any(test(inner) for inner in value):
                    return True
            elif wanted in str(value).lower():
                return True
        return False

    return test
