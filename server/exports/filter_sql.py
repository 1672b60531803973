"""A filter's tree, an ordering and a search -> SQL over submissions and their current versions' answers."""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Integer, String, and_, cast, extract, false, func, literal, not_, or_, true, type_coerce

from server import problems
from server.access.sealed import is_sealed_name
from server.exports import json_paths
from server.exports.filter_syntax import Both, Call, Comparison, Literal, Node, Not, OneOf, Property
from server.model import ActorRow, Submission

Path = tuple[str, ...]

_S = Submission.__table__.c
_ROOT = "$root/Submissions/"
_OPERATORS = {"gt": operator.gt, "ge": operator.ge, "lt": operator.lt, "le": operator.le}
_PARTS = {"year": (1, 4), "month": (6, 2), "day": (9, 2), "hour": (12, 2), "minute": (15, 2), "second": (18, 2)}
_MS = timedelta(milliseconds=1)
_MAX_INT = 2**63 - 1
MOST_SEARCH = 200


@dataclass(frozen=True, slots=True)
class Typed:
    """An SQL expression and how it compares: text, sealed (an encrypted number), number, stored (an instant column), instant (milliseconds), truth."""

    expression: ColumnElement[Any]
    kind: str


def _system() -> dict[str, Typed]:
    return {
        "__id": Typed(_S.instance_id, "text"),
        "__system/submissionDate": Typed(_S.received_at, "stored"),
        "__system/updatedAt": Typed(_S.updated_at, "stored"),
        "__system/deletedAt": Typed(_S.deleted_at, "stored"),
        "__system/submitterId": Typed(_S.submitter_id, "number"),
        "__system/submitterName": Typed(ActorRow.__table__.c.display_name, "text"),
        "__system/reviewState": Typed(func.nullif(_S.review_state, "received", type_=String), "text"),
        "__system/deviceId": Typed(_S.device_id, "text"),
    }


_SYSTEM = _system()
DELETED_AT = "__system/deletedAt"


def plain_name(path: str) -> str:
    """The property below the submission: `$root/Submissions/x` is `x`."""
    return path.removeprefix(_ROOT)


def search_term(text: str) -> str:
    """What `$search` looks for, without the quotes of a phrase. Raises: unparseable_odata_expression (too long, empty)."""
    wanted = text.strip().strip('"').strip()
    if not wanted or len(wanted) > MOST_SEARCH or "\x00" in wanted or any(0xD800 <= ord(c) < 0xE000 for c in wanted):
        raise problems.unparseable_odata_expression(f"$search takes 1 to {MOST_SEARCH} characters")
    return wanted


class SqlWriter:
    """Writes conditions for one form's submissions.

    `fields`: OData path -> (answer path, kind) of questions outside repeats. `hidden`: OData paths that this reader may not see.
    `seal`: how ID and bank account numbers are stored. `is_repeat`: the rows are a repeat's, and the submission's properties are named below `$root/Submissions/`.
    """

    def __init__(
        self, dialect: str, fields: Mapping[str, tuple[Path, str]], *, hidden: Collection[str] = (), is_repeat: bool = False,
        seal: Callable[[str], str] | None = None,
    ) -> None:  # fmt: skip
        self._seal = seal
        self._dialect, self._fields, self._hidden, self._is_repeat = dialect, fields, hidden, is_repeat

    def condition(self, node: Node) -> ColumnElement[bool]:
        """The node as a condition. Raises: unsupported_odata_field, unsupported_odata_expression, unparseable_odata_expression."""
        if isinstance(node, Both):
            parts = [self.condition(part) for part in node.parts]
            return or_(*parts) if node.is_any else and_(*parts)
        if isinstance(node, Not):
            return not_(self.condition(node.part))
        if isinstance(node, Comparison):
            return self._comparison(node)
        if isinstance(node, OneOf):
            return or_(*(self._comparison(Comparison("eq", node.subject, value, node.at)) for value in node.values))
        if isinstance(node, Literal) and isinstance(node.value, bool):
            return true() if node.value else false()
        if isinstance(node, Call):
            found = self._call(node)
            if found.kind == "truth":
                return found.expression
        raise problems.unparseable_odata_expression(f"expected a condition at {node.at}")

    def ordering(self, text: str) -> tuple[ColumnElement[Any], ...]:
        """`$orderby`, at most 8 properties, with the submission's key last. Raises: unsupported_odata_field."""
        clauses = [clause.split() for clause in text.split(",", 8)]
        order: list[ColumnElement[Any]] = []
        first_is_descending = False
        for number, words in enumerate(clauses):
            if not words or number > 7 or len(words) > 2:
                raise problems.unsupported_odata_field(" ".join(words)[:200])
            direction = words[1].lower() if len(words) == 2 else "asc"
            if direction not in {"asc", "desc"}:
                raise problems.unsupported_odata_field(words[1][:200])
            asked = self._property(words[0], None)
            if asked.kind == "sealed":
                raise problems.unsupported_odata_field(words[0][:200])
            found = asked.expression
            order.append(found.desc().nulls_last() if direction == "desc" else found.asc().nulls_first())
            first_is_descending = first_is_descending or (number == 0 and direction == "desc")
        return (*order, _S.id.desc() if first_is_descending else _S.id.asc())

    def search(self, term: str) -> ColumnElement[bool]:
        """`$search`: some answer contains the term. Raises: unparseable_odata_expression (too long, empty)."""
        unread = {name.rpartition("/")[2] for name in self._hidden} | {path[-1] for path, _kind in self._fields.values() if is_sealed_name(path[-1])}
        return json_paths.some_answer_contains(self._dialect, search_term(term), unread)

    def _property(self, path: str, at: int | None) -> Typed:
        name = plain_name(path)
        if self._is_repeat and name == path:
            raise problems.unsupported_odata_field(path[:200], at)
        if name in _SYSTEM:
            return _SYSTEM[name]
        found = self._fields.get(name)
        if found is None or name in self._hidden:
            raise problems.unsupported_odata_field(path[:200], at)
        answer_path, kind = found
        if self._seal is not None and is_sealed_name(answer_path[-1]):
            return Typed(json_paths.text_answer(self._dialect, answer_path), "sealed")
        if kind in {"int", "decimal"}:
            return Typed(json_paths.number_answer(self._dialect, answer_path), "number")
        if kind == "dateTime":
            return Typed(json_paths.instant_answer(self._dialect, answer_path), "instant")
        return Typed(json_paths.text_answer(self._dialect, answer_path), "text")

    def _operand(self, node: Node) -> Typed | Literal:
        if isinstance(node, Literal):
            return node
        if isinstance(node, Property):
            return self._property(node.path, node.at)
        if isinstance(node, Call):
            return self._call(node)
        return Typed(self.condition(node), "truth")

    # -- comparisons

    def _comparison(self, node: Comparison) -> ColumnElement[bool]:
        left, right = self._operand(node.left), self._operand(node.right)
        if isinstance(left, Literal) and isinstance(right, Literal):
            return _of_literals(node.operator, left, right)
        if isinstance(left, Literal):
            mirrored = {"gt": "lt", "lt": "gt", "ge": "le", "le": "ge"}.get(node.operator, node.operator)
            return self._with_literal(mirrored, right, left)  # type: ignore[arg-type]
        if isinstance(right, Literal):
            return self._with_literal(node.operator, left, right)
        if left.kind != right.kind or left.kind == "sealed":
            raise problems.unsupported_odata_expression(node.at, "ComparisonExpression", f"{left.kind} {node.operator} {right.kind}")
        if node.operator in _OPERATORS:
            return _OPERATORS[node.operator](left.expression, right.expression)  # type: ignore[no-any-return]
        return _equal(left.expression, right.expression, is_equal=node.operator == "eq")

    def _with_literal(self, name: str, left: Typed, value: Literal) -> ColumnElement[bool]:
        if value.value is None:
            if name in _OPERATORS:
                return false()
            return left.expression.is_(None) if name == "eq" else left.expression.is_not(None)
        if left.kind == "stored":
            return _at_stored(name, left.expression, _as_time(value))
        if left.kind == "sealed":
            return self._sealed(name, left, value)
        if left.kind == "truth":
            if not isinstance(value.value, bool) or name not in {"eq", "ne"}:
                raise problems.unparseable_odata_expression(f"expected true or false at {value.at}")
            return left.expression if value.value == (name == "eq") else not_(left.expression)
        converted = _converted(left.kind, value)
        wanted = literal(converted, type_=BigInteger()) if isinstance(converted, int) else literal(converted)
        if name in _OPERATORS:
            return _OPERATORS[name](left.expression, wanted)  # type: ignore[no-any-return]
        if left.expression is _S.instance_id:
            return left.expression == wanted if name == "eq" else left.expression != wanted
        return _equal(left.expression, wanted, is_equal=name == "eq")

    def _sealed(self, name: str, left: Typed, value: Literal) -> ColumnElement[bool]:
        """Whole numbers alone are compared: they are encrypted, and those of before that was so stand as they were sent."""
        if name not in {"eq", "ne"}:
            raise problems.unsupported_odata_expression(value.at, "ComparisonExpression", name)
        number = str(_converted("text", value))
        is_it = left.expression.in_([self._seal(number) if self._seal else number, number])
        return is_it if name == "eq" else not_(func.coalesce(is_it, false()))

    # -- functions

    def _call(self, node: Call) -> Typed:
        if node.name == "now":
            return Typed(literal(datetime.now(UTC), type_=_S.received_at.type), "stored")
        if node.name in _PARTS:
            return self._part(node)
        texts = [self._text(parameter, node) for parameter in node.parameters]
        if node.name in {"contains", "startswith", "endswith"}:
            return Typed(self._matches(node.name, *texts), "truth")
        if node.name == "length":
            return Typed(func.length(texts[0], type_=Integer), "number")
        name = {"tolower": "lower", "toupper": "upper", "trim": "trim"}[node.name]
        return Typed(getattr(func, name)(texts[0], type_=String), "text")

    def _text(self, node: Node, call: Call) -> ColumnElement[Any]:
        found = self._operand(node)
        if isinstance(found, Literal):
            if found.value is None:
                raise problems.unparseable_odata_expression(f"null is no text at {found.at}")
            return literal(str(_converted("text", found)), type_=String)
        if found.kind != "text":
            raise problems.unsupported_odata_expression(call.at, "MethodCallExpression", call.raw[:200])
        return found.expression

    def _matches(self, name: str, text: ColumnElement[Any], part: ColumnElement[Any]) -> ColumnElement[bool]:
        if name == "contains":
            return json_paths.contains_text(self._dialect, text, part)
        length = func.length(part, type_=Integer)
        start = literal(1) if name == "startswith" else func.length(text, type_=Integer) - length + 1
        return func.coalesce(and_(func.length(text) >= length, func.substr(text, start, length) == part), false())

    def _part(self, node: Call) -> Typed:
        parameter = node.parameters[0]
        first, length = _PARTS[node.name]
        if isinstance(parameter, Property):
            name = plain_name(parameter.path)
            found = self._property(parameter.path, parameter.at)
            if found.kind == "stored":
                return Typed(self._stored_part(node.name, found.expression), "number")
            if name in self._fields and self._fields[name][1] in {"date", "dateTime", "time"}:
                first -= 11 if self._fields[name][1] == "time" else 0
                if first > 0:
                    return Typed(json_paths.date_part(self._dialect, json_paths.text_answer(self._dialect, self._fields[name][0]), first, length), "number")
        elif isinstance(parameter, Call) and parameter.name == "now":
            return Typed(literal(int(getattr(datetime.now(UTC), node.name))), "number")
        raise problems.unsupported_odata_expression(node.at, "MethodCallExpression", node.raw[:200])

    def _stored_part(self, name: str, instant: ColumnElement[Any]) -> ColumnElement[Any]:
        if self._dialect == "postgresql":
            return func.floor(extract(name, func.timezone("UTC", instant)))
        first, length = _PARTS[name]
        return cast(func.substr(type_coerce(instant, String), first, length), Integer)


def _equal(left: ColumnElement[Any], right: ColumnElement[Any], *, is_equal: bool) -> ColumnElement[bool]:
    # An unanswered question differs from every value: so `not x eq 1` finds it.
    return left.is_not_distinct_from(right) if is_equal else left.is_distinct_from(right)


def _of_literals(name: str, left: Literal, right: Literal) -> ColumnElement[bool]:
    if name in {"eq", "ne"}:
        return true() if (left.value == right.value) == (name == "eq") else false()
    if type(left.value) is not type(right.value) or left.value is None:
        return false()
    return true() if _OPERATORS[name](left.value, right.value) else false()


def _as_time(value: Literal) -> datetime:
    try:
        at = datetime.fromisoformat(str(value.value))
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise problems.unparseable_odata_expression(f"{value.raw[:60]} is no date or time at {value.at}") from None


def _at_stored(name: str, column: ColumnElement[Any], at: datetime) -> ColumnElement[bool]:
    """Readers see milliseconds, so they compare by them; the column itself stays bare, for its index."""
    floor = at.replace(microsecond=at.microsecond // 1000 * 1000)
    is_whole = floor == at
    try:
        after = floor + _MS
    except OverflowError:
        return false()
    known = column.is_not(None)
    if name in {"eq", "ne"}:
        same = and_(known, column >= floor, column < after) if is_whole else false()
        return same if name == "eq" else not_(same)
    if name == "gt":
        return column >= after
    if name == "ge":
        return column >= (floor if is_whole else after)
    if name == "lt":
        return column < (floor if is_whole else after)
    return column < after


def _converted(kind: str, value: Literal) -> Any:
    if kind == "text":
        return value.value if isinstance(value.value, str) else value.raw
    if kind == "instant":
        return round(_as_time(value).timestamp() * 1000)
    number = value.value
    if isinstance(number, str):
        with contextlib.suppress(ValueError):
            number = float(number) if len(number) < 40 else number
    if isinstance(number, bool) or not isinstance(number, int | float) or number != number:  # noqa: PLR0124 - NaN
        raise problems.unparseable_odata_expression(f"{value.raw[:60]} is no number at {value.at}")
    return number if isinstance(number, float) or -_MAX_INT <= number <= _MAX_INT else float(number)
