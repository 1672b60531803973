"""Answers inside SQL: the JSON of a version's answers, on both databases."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    Integer,
    Numeric,
    String,
    and_,
    bindparam,
    case,
    cast,
    column,
    exists,
    func,
    literal,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import JSONB

from server.model import SubmissionVersion

Path = tuple[str, ...]

_ANSWERS = SubmissionVersion.__table__.c.answers
# Every value that this accepts, PostgreSQL can cast once the day is set to 01: a cast of a 31st of February would end the query.
_INSTANT = (
    r"^(?!0000)\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-](0\d|1[0-4])(:?[0-5]\d)?)?$"
)
_DAY_MS = 86_400_000
# Few enough digits that any of it is a float.
_NUMBER = r"^[+-]?(?:\d{1,100}(?:\.\d{0,100})?|\.\d{1,100})(?:[eE][+-]?\d{1,2})?"


def _sqlite_path(path: Path) -> str:
    return "$" + "".join(f'."{name}"' for name in path)


def text_answer(dialect: str, path: Path) -> ColumnElement[Any]:
    """The answer as text, NULL if empty."""
    if dialect == "postgresql":
        return func.jsonb_extract_path_text(_ANSWERS, *path, type_=String)
    return func.json_extract(type_coerce(_ANSWERS, String), _sqlite_path(path), type_=String)


def number_answer(dialect: str, path: Path) -> ColumnElement[Any]:
    """The answer as a number, of a text (3.50 as the phone sent it) the one that it begins with, as OData shows it; NULL if it is none."""
    number = Numeric(asdecimal=False)
    if dialect == "postgresql":
        found = func.jsonb_extract_path(_ANSWERS, *path, type_=JSONB)
        kind, written = func.jsonb_typeof(found), func.substring(text_answer(dialect, path), _NUMBER, type_=String)
        return case((kind == "number", cast(found, number)), (kind == "string", cast(written, number)), else_=None)
    found = func.json_extract(type_coerce(_ANSWERS, String), _sqlite_path(path))
    is_written = or_(*(found.op("GLOB")(start) for start in ("[0-9]*", "[-+.][0-9]*", "[-+].[0-9]*")))
    return case(
        (func.typeof(found).in_(["integer", "real"]), type_coerce(found, number)),
        (and_(func.typeof(found) == "text", is_written), type_coerce(cast(found, Float), number)), else_=None,
    )  # fmt: skip


def instant_answer(dialect: str, path: Path) -> ColumnElement[Any]:
    """The answer as milliseconds since 1970, NULL if it is no instant."""
    return epoch_ms(dialect, text_answer(dialect, path))


def epoch_ms(dialect: str, text: ColumnElement[Any]) -> ColumnElement[Any]:
    """ISO text as milliseconds since 1970, NULL if it is no instant."""
    if dialect == "postgresql":
        first = cast(func.substr(text, 1, 8).concat("01").concat(func.substr(text, 11)), _timestamp())
        ms = cast(func.extract("epoch", first) * 1000, BigInteger) + (cast(func.substr(text, 9, 2), BigInteger) - 1) * literal(_DAY_MS, type_=BigInteger())
        return case((text.regexp_match(_INSTANT), ms), else_=None)
    return cast(func.round((func.julianday(text, type_=Numeric(asdecimal=False)) - 2440587.5) * literal(_DAY_MS)), BigInteger)


def _timestamp() -> Any:
    from sqlalchemy import DateTime

    return DateTime(timezone=True)


def date_part(dialect: str, text: ColumnElement[Any], first: int, length: int) -> ColumnElement[Any]:
    """Digits of an ISO date or instant as a number, NULL if there are none: of the time as it was written."""
    part = func.substr(text, first, length)
    if dialect == "postgresql":
        return case((part.regexp_match(r"^\d+$"), cast(part, Integer)), else_=None)
    return case((part.op("GLOB")("[0-9]" * length), cast(part, Integer)), else_=None)


def contains_text(dialect: str, text: ColumnElement[Any], part: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether `part` occurs in `text`; a NULL text has none."""
    place = func.strpos(text, part) if dialect == "postgresql" else func.instr(text, part)
    return func.coalesce(place, 0) > 0


def some_answer_contains(dialect: str, term: str, hidden: Collection[str]) -> ColumnElement[bool]:
    """Whether the text or number of some answer, at any depth, contains `term` (ASCII letters in either case).

    `hidden`: names of questions that are not searched.
    """
    skipped = ["__id", *sorted(hidden)]
    wanted = func.lower(bindparam(None, term, type_=String))
    if dialect == "postgresql":
        found = func.jsonb_path_query(_ANSWERS, literal('lax $.** ? (@.type() == "object").keyvalue()').op("::")(column("jsonpath"))).column_valued("found")
        key, value = func.jsonb_extract_path_text(found, "key"), func.jsonb_extract_path(found, "value", type_=JSONB)
        text = func.jsonb_extract_path_text(found, "value")
        return exists(
            select(1).where(
                key.not_in(skipped), func.jsonb_typeof(value).in_(["string", "number"]), contains_text(dialect, func.lower(text), wanted)
            )
        )
    tree = func.json_tree(type_coerce(_ANSWERS, String)).table_valued("key", "atom")
    return exists(
        select(1).select_from(tree).where(and_(tree.c.atom.is_not(None), func.coalesce(tree.c.key, "").not_in(skipped),
                                               contains_text(dialect, func.lower(tree.c.atom), wanted)))
    )  # fmt: skip
