"""Values of XPath expressions and how one kind becomes another (XPath 1.0 section 4, with dates as JavaRosa has them)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from server.settings import CHINA

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - days are of local time


class Unknowable(Exception):
    """The value depends on what only the phone has, or on a function that we do not know."""


class Exhausted(Exception):
    """The submission's rules take more work than one submission may."""


@dataclass(slots=True)
class Budget:
    """Nodes that may yet be looked at: rules over repeats grow with the square of what was sent."""

    left: int = 300_000

    def spend(self, nodes: int) -> None:
        """Raises: Exhausted."""
        self.left -= nodes
        if self.left < 0:
            raise Exhausted


@dataclass(slots=True, eq=False)
class Node:
    """A node of a submission. `kind`: as Field.kind; `text`: the answer, '' where the question was left out."""

    name: str
    path: tuple[str, ...]
    parent: Node | None
    kind: str = "string"
    text: str = ""
    is_sent: bool = False
    children: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Moment:
    """A date or time of day and date: days since 1970 in local time, and how it is written."""

    days: float
    text: str


Scalar = bool | float | str | Moment
Value = Scalar | list[Node]


def moment_of(text: str) -> Moment | None:
    """A date or dateTime as phones write them; None for what is neither."""
    text = text.strip()
    try:
        if len(text) <= 10:
            day = date.fromisoformat(text)
            return Moment(float((day - _EPOCH.date()).days), text)
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    local = at.astimezone(CHINA).replace(tzinfo=None) if at.tzinfo else at
    return Moment((local - _EPOCH).total_seconds() / 86_400, text)


def local_time_of(moment: Moment) -> datetime:
    """The moment on a clock in China."""
    return _EPOCH + timedelta(days=moment.days)


def typed(node: Node) -> Scalar:
    """A node's value by its kind."""
    if node.children:
        return ""
    if node.kind in {"int", "decimal"}:
        number = number_of_text(node.text)
        return node.text if math.isnan(number) else number
    if node.kind in {"date", "dateTime"}:
        return moment_of(node.text) or node.text
    if node.kind == "boolean" and node.text:
        return node.text.strip() in {"1", "true"}
    return node.text


def scalar(value: Value) -> Scalar:
    """A node-set's only value. Raises: Unknowable for more than one, which JavaRosa refuses."""
    if not isinstance(value, list):
        return value
    if len(value) > 1:
        raise Unknowable("more than one node")
    return typed(value[0]) if value else ""


def number_of_text(text: str) -> float:
    """NaN for what is no plain number; no exponents, no infinities."""
    text = text.strip()
    if not text or any(character not in "0123456789.-" for character in text):
        return math.nan
    try:
        return float(text)
    except ValueError:
        return math.nan


def number(value: Value) -> float:
    """As a number: days for dates, NaN for what is none."""
    value = scalar(value)
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, float):
        return value
    return value.days if isinstance(value, Moment) else number_of_text(value)


def string(value: Value) -> str:
    """As text: whole numbers without a point."""
    value = scalar(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if math.isnan(value) or math.isinf(value):
            return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
        return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
    return value.text if isinstance(value, Moment) else value


def truth(value: Value) -> bool:
    """As a boolean: numbers but 0 and NaN, text that is not empty, any date."""
    value = scalar(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, float):
        return value != 0 and not math.isnan(value)
    return True if isinstance(value, Moment) else bool(value)


def moment(value: Value) -> Moment | None:
    """As a date; None for nothing. Raises: Unknowable for what is no date."""
    value = scalar(value)
    if isinstance(value, Moment):
        return value
    if value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float):
        return Moment(value, (_EPOCH + timedelta(days=value)).date().isoformat())
    found = moment_of(value) if isinstance(value, str) else None
    if found is None:
        raise Unknowable("no date")
    return found


def equal(left: Value, right: Value) -> bool:
    """`=` as JavaRosa has it: of booleans if either is one, else of numbers if either is one, else of text."""
    one, other = scalar(left), scalar(right)
    if isinstance(one, bool) or isinstance(other, bool):
        return truth(one) == truth(other)
    if isinstance(one, float) or isinstance(other, float):
        return math.isclose(number(one), number(other), rel_tol=0, abs_tol=1e-12)
    return string(one) == string(other)
