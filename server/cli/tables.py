"""Rows on the console: as a table, JSON or CSV."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click
import orjson

from server.settings import CHINA

FORMATS = ("table", "json", "csv")
format_option = click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True, help="How to answer.")


def show(headings: Sequence[str], rows: Sequence[Sequence[Any]], form: str) -> None:
    """The rows; as JSON, a list of objects. Times are China's."""
    if form == "json":
        told = [dict(zip(headings, map(_plain, row), strict=True)) for row in rows]
        click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
        return
    texts = [list(headings), *([_text(value) for value in row] for row in rows)]
    if form == "csv":
        written = io.StringIO()
        csv.writer(written, lineterminator="\n").writerows(texts)
        click.echo(written.getvalue(), nl=False)
        return
    widths = [max(map(_width, column)) for column in zip(*texts, strict=True)]
    for row in texts:
        click.echo("  ".join(value + " " * (width - _width(value)) for value, width in zip(row, widths, strict=True)).rstrip())


def _plain(value: Any) -> Any:
    return value.astimezone(CHINA).isoformat(timespec="seconds") if isinstance(value, datetime) else value


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone(CHINA):%Y-%m-%d %H:%M}"
    if isinstance(value, bool):
        return "是 yes" if value else ""
    return "" if value is None else str(value)


def _width(text: str) -> int:
    # Chinese signs take two columns of a console.
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)
