"""The XPath functions of XForms (ODK XForms specification, section 7), as far as they depend on the answers alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import regex

from server.forms.rules.expression import Compiled, Context
from server.forms.rules.values import Moment, Node, Unknowable, Value, local_time_of, moment, moment_of, number, scalar, string, truth, typed

_MOST_REGEX_SECONDS = 0.5
Function = Callable[[Context, Sequence[Compiled]], Value]


def _plain(function: Callable[..., Value], least: int, most: int | None = None) -> Function:
    """A function of its arguments' values alone."""

    def call(context: Context, arguments: Sequence[Compiled]) -> Value:
        _require(arguments, least, least if most is None else most)
        return function(*(argument(context) for argument in arguments))

    return call


def _require(arguments: Sequence[Compiled], least: int, most: int) -> None:
    if not least <= len(arguments) <= most:
        raise Unknowable("wrong number of arguments")


def _each(values: Sequence[Value]) -> list[Any]:
    """The values of one node-set, or of single arguments."""
    if len(values) == 1 and isinstance(values[0], list):
        return [typed(node) for node in values[0]]
    return [scalar(value) for value in values]


def _if(context: Context, arguments: Sequence[Compiled]) -> Value:
    _require(arguments, 3, 3)
    return arguments[1 if truth(arguments[0](context)) else 2](context)


def _coalesce(context: Context, arguments: Sequence[Compiled]) -> Value:
    _require(arguments, 2, 2)
    first = scalar(arguments[0](context))
    is_nothing = first == "" or (isinstance(first, float) and math.isnan(first))
    return scalar(arguments[1](context)) if is_nothing else first


def _position(context: Context, arguments: Sequence[Compiled]) -> Value:
    _require(arguments, 0, 1)
    if not arguments:
        return float(context.position)
    found = arguments[0](context)
    if not isinstance(found, list) or len(found) != 1 or found[0].parent is None:
        raise Unknowable("position")
    context.budget.spend(len(found[0].parent.children))
    siblings = [node for node in found[0].parent.children if node.name == found[0].name]
    return float(siblings.index(found[0]) + 1)


def _count(value: Value) -> Value:
    if not isinstance(value, list):
        raise Unknowable("count")
    return float(len(value))


def _count_non_empty(value: Value) -> Value:
    if not isinstance(value, list):
        raise Unknowable("count-non-empty")
    return float(sum(1 for node in value if node.text))


def _sum(value: Value) -> Value:
    if not isinstance(value, list):
        raise Unknowable("sum")
    return math.fsum(number(typed(node)) for node in value)


def _extreme(choose: Callable[..., float], *values: Value) -> Value:
    numbers = [number(value) for value in _each(values)]
    return math.nan if not numbers or any(math.isnan(one) for one in numbers) else choose(numbers)


def _join(separator: Value, *values: Value) -> Value:
    return string(separator).join(string(value) for value in _each(values))


def _concat(*values: Value) -> Value:
    return "".join(string(one) for value in values for one in _each([value]))


def _substr(text: Value, start: Value, end: Value | None = None) -> Value:
    whole = string(text)
    first, last = int(number(start)), len(whole) if end is None else int(number(end))
    first = max(len(whole) + first, 0) if first < 0 else first
    last = len(whole) + last if last < 0 else last
    return whole[first : max(last, 0)] if last > first else ""


def _regex(text: Value, pattern: Value) -> Value:
    try:
        return regex.fullmatch(string(pattern), string(text), timeout=_MOST_REGEX_SECONDS) is not None
    except (regex.error, TimeoutError):
        raise Unknowable("regex") from None


def _selected(answer: Value, choice: Value) -> Value:
    return string(choice).strip() in string(answer).split()


def _selected_at(answer: Value, place: Value) -> Value:
    chosen, index = string(answer).split(), int(number(place))
    return chosen[index] if 0 <= index < len(chosen) else ""


def _rounded(value: Value, places: Value = 0.0) -> Value:
    given, digits = number(value), number(places)
    if math.isnan(given) or math.isinf(given) or math.isnan(digits):
        return given
    # Halves go away from zero, as on the phone.
    return float(Decimal(repr(given)).quantize(Decimal(1).scaleb(-int(digits)), rounding=ROUND_HALF_UP))


def _whole(value: Value) -> Value:
    given = number(value)
    return given if math.isnan(given) or math.isinf(given) else float(math.trunc(given))


def _mathematical(function: Callable[[float], float]) -> Function:
    def apply(value: Value) -> Value:
        try:
            return function(number(value))
        except (ValueError, OverflowError):
            return math.nan

    return _plain(apply, 1)


def _power(base: Value, exponent: Value) -> Value:
    try:
        found = number(base) ** number(exponent)
    except (ZeroDivisionError, OverflowError):
        return math.nan
    return math.nan if isinstance(found, complex) else found


def _date(value: Value) -> Value:
    found = moment(value)
    if found is None:
        return ""
    return Moment(float(math.floor(found.days)), local_time_of(found).date().isoformat())


def _date_time(value: Value) -> Value:
    return moment(value) or ""


def _days(value: Value) -> Value:
    found = moment(value)
    return math.nan if found is None else found.days


_FORMATS = {"%Y": "%Y", "%y": "%y", "%m": "%m", "%d": "%d", "%H": "%H", "%M": "%M", "%S": "%S", "%b": "%b", "%a": "%a"}


def _format_date(value: Value, pattern: Value) -> Value:
    found = moment(value)
    if found is None:
        return ""
    at, said = local_time_of(found), string(pattern)
    written, place = [], 0
    while place < len(said):
        part = said[place : place + 2]
        if not part.startswith("%"):
            written.append(said[place])
            place += 1
            continue
        plain = {"%n": str(at.month), "%e": str(at.day), "%h": str(at.hour), "%3": f"{at.microsecond // 1000:03}"}.get(part)
        if plain is None and part not in _FORMATS:
            raise Unknowable("format-date")
        written.append(plain if plain is not None else at.strftime(_FORMATS[part]))
        place += 2
    return "".join(written)


def _today(context: Context, arguments: Sequence[Compiled]) -> Value:
    _require(arguments, 0, 0)
    day = local_time_of(context.now).date().isoformat()
    return moment_of(day) or day


def _now(context: Context, arguments: Sequence[Compiled]) -> Value:
    _require(arguments, 0, 0)
    return context.now


def _current(context: Context, arguments: Sequence[Compiled]) -> Value:
    _require(arguments, 0, 0)
    return [context.current]


def _boolean_from_string(value: Value) -> Value:
    return string(value).strip().lower() in {"true", "1"}


def _translate(text: Value, old: Value, new: Value) -> Value:
    source, target = string(old), string(new)
    table: dict[int, str | None] = {}
    for place, character in enumerate(source):
        table.setdefault(ord(character), target[place] if place < len(target) else None)
    return string(text).translate(table)


def _indexed_repeat(context: Context, arguments: Sequence[Compiled]) -> Value:
    if len(arguments) != 3:
        raise Unknowable("indexed-repeat of more than one repeat")
    repeat, index = arguments[1](context), int(number(arguments[2](context)))
    if not isinstance(repeat, list) or not 0 < index <= len(repeat):
        return ""
    chosen: Node = repeat[index - 1]
    # The question is named within the repeat: whichever repetition the path stands in, the index says which is meant.
    inside: Value = arguments[0](replace(context, node=chosen, current=chosen))
    return inside


FUNCTIONS: dict[str, Function] = {
    "true": _plain(lambda: True, 0), "false": _plain(lambda: False, 0), "not": _plain(lambda value: not truth(value), 1),
    "boolean": _plain(truth, 1), "boolean-from-string": _plain(_boolean_from_string, 1), "number": _plain(number, 1), "string": _plain(string, 1),
    "int": _plain(_whole, 1), "if": _if, "coalesce": _coalesce, "position": _position, "count": _plain(_count, 1),
    "count-non-empty": _plain(_count_non_empty, 1), "sum": _plain(_sum, 1), "min": _plain(lambda *values: _extreme(min, *values), 1, 50),
    "max": _plain(lambda *values: _extreme(max, *values), 1, 50), "join": _plain(_join, 2, 50), "concat": _plain(_concat, 1, 100),
    "substr": _plain(_substr, 2, 3), "regex": _plain(_regex, 2), "selected": _plain(_selected, 2), "selected-at": _plain(_selected_at, 2),
    "count-selected": _plain(lambda value: float(len(string(value).split())), 1), "round": _plain(_rounded, 1, 2),
    "string-length": _plain(lambda value: float(len(string(value).encode("utf-16-le")) // 2), 1),
    "starts-with": _plain(lambda text, start: string(text).startswith(string(start)), 2),
    "ends-with": _plain(lambda text, end: string(text).endswith(string(end)), 2),
    "contains": _plain(lambda text, part: string(part) in string(text), 2),
    "substring-before": _plain(lambda text, part: string(text).partition(string(part))[0] if string(part) in string(text) else "", 2),
    "substring-after": _plain(lambda text, part: string(text).partition(string(part))[2], 2), "translate": _plain(_translate, 3),
    "normalize-space": _plain(lambda value: " ".join(string(value).split()), 1), "date": _plain(_date, 1), "date-time": _plain(_date_time, 1),
    "decimal-date-time": _plain(_days, 1), "decimal-date": _plain(_days, 1), "format-date": _plain(_format_date, 2),
    "format-date-time": _plain(_format_date, 2), "today": _today, "now": _now, "current": _current, "indexed-repeat": _indexed_repeat,
    "once": _plain(lambda value: value, 1), "abs": _mathematical(abs), "floor": _mathematical(math.floor), "ceiling": _mathematical(math.ceil),
    "sqrt": _mathematical(math.sqrt), "exp": _mathematical(math.exp), "log": _mathematical(math.log), "log10": _mathematical(math.log10),
    "sin": _mathematical(math.sin), "cos": _mathematical(math.cos), "tan": _mathematical(math.tan), "pow": _plain(_power, 2), "pi": _plain(lambda: math.pi, 0),
}  # fmt: skip
