"""Rows by many keys, told to the database as one value: a parameter for each costs more than the row that it finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import ARRAY, BigInteger, ColumnElement, any_, func, literal, literal_column, select
from sqlalchemy.orm import Session


def among(session: Session, column: Any, keys: Sequence[int]) -> ColumnElement[bool]:
    """Whether the column is one of the keys."""
    if session.get_bind().dialect.name == "postgresql":
        return column == any_(literal(list(keys), ARRAY(BigInteger)))  # type: ignore[no-any-return]
    return column.in_(select(literal_column("value")).select_from(func.json_each(orjson.dumps(list(keys)).decode())))  # type: ignore[no-any-return]
