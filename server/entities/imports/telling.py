"""An import as JSON, for programs and the command; and its errors as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from server.entities.imports.mapping import ImportSettings
from server.model import EntityImport

_RISKY = ("=", "+", "-", "@", "\t", "\r")


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def listed_shape(found: EntityImport) -> dict[str, Any]:
    """What a list of imports says of each. The number is a text: it is beyond what JavaScript counts to."""
    return {
        "id": str(found.id), "state": found.state, "fileName": found.file_name, "sheet": found.sheet, "creatorId": found.actor_id,
        "rows": found.rows_total, "rowsChecked": found.rows_checked, "rowsGood": found.rows_good, "rowsBad": found.rows_bad,
        "errorCount": found.errors_total, "rowsDone": found.position, "created": found.created_count, "updated": found.updated_count,
        "unchanged": found.unchanged_count, "skipped": found.skipped_count, "undone": found.undone_count, "leftAlone": found.left_count,
        "createdAt": _time(found.created_at), "startedAt": _time(found.started_at), "finishedAt": _time(found.finished_at),
        "undoneAt": _time(found.undone_at),
    }  # fmt: skip


def import_shape(found: EntityImport) -> dict[str, Any]:
    """All of it: with what the file has, its settings and its report."""
    settings = ImportSettings.from_json(found.settings)
    label = found.columns[settings.label] if isinstance(settings.label, int) else settings.label
    return {
        **listed_shape(found), "sheets": found.sheets, "columns": found.columns, "samples": found.samples,
        "mapping": {found.columns[number]: name for number, name in settings.columns.items()}, "label": label, "key": settings.key,
        "skipErrors": settings.skip_errors, "errors": found.errors, "entitiesLeftAlone": found.left_alone,
    }  # fmt: skip


def errors_csv(found: EntityImport) -> Iterator[bytes]:
    """Row, column, and what is wrong in both languages; with a byte-order mark, for Excel and WPS."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["行 row", "列 column", "问题", "problem"])
    for error in found.errors:
        # A heading that begins like a formula must not be one where the report is opened.
        column = f"'{error['column']}" if error["column"].startswith(_RISKY) else error["column"]
        writer.writerow([error["row"], column, error["zh"], error["en"]])
    if found.errors_total > len(found.errors):
        writer.writerow(["…", "", f"共 {found.errors_total} 处", f"{found.errors_total} in all"])
    yield b"\xef\xbb\xbf" + buffer.getvalue().encode("utf-8", "replace")
