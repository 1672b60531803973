"""A text out of a JSON column, on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, String, func, type_coerce


def json_text(dialect: str, column: Any, path: Sequence[str]) -> ColumnElement[Any]:
    """The value at `path`, NULL if there is none."""
    if dialect == "postgresql":
        return func.jsonb_extract_path_text(column, *path, type_=String)
    # A name with a quote in it cannot be asked for in SQLite's paths; no XForm and no property has one.
    inside = "".join(f'."{name}"' for name in path if '"' not in name)
    return func.json_extract(type_coerce(column, String), f"${inside}", type_=String)
