"""What is in a central database, and submissions to put there without a phone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, select

from server.forms.fields import Field, FormDefinition
from sync.sources import FormState, SubmissionState


def tables_of(engine: Engine | Connection) -> dict[str, list[dict[str, Any]]]:
    """Every table's rows, ordered by their key; the registry included."""
    if isinstance(engine, Engine):
        with engine.connect() as connection:
            return tables_of(connection)
    metadata = MetaData()
    metadata.reflect(engine)
    return {
        name: [dict(row) for row in engine.execute(select(table).order_by(*table.primary_key.columns)).mappings()]
        for name, table in sorted(metadata.tables.items())
    }


def filled(instance_id: str, body: str, *, form_id: str = "全部类型", version: str = "1") -> bytes:
    return (
        f'<data xmlns:orx="http://openrosa.org/xforms" id="{form_id}" version="{version}">{body}'
        f"<orx:meta><orx:instanceID>{instance_id}</orx:instanceID></orx:meta></data>"
    ).encode()


def a_form(*fields: tuple[str, str], form_id: str = "f", version_key: int = 1, project_id: int = 1) -> FormState:
    """A form version; `fields` as (path with slashes, kind)."""
    made = tuple(Field(tuple(path.split("/")), kind, {}) for path, kind in fields)
    return FormState(project_id, form_id, version_key, FormDefinition(form_id, str(version_key), "", "data", fields=made))


def a_submission(form: FormState, instance_id: str, answers: dict[str, Any], **changed: Any) -> SubmissionState:
    told: dict[str, Any] = {
        "current_instance_id": instance_id, "submitter": None, "device_id": None, "division": "", "review_state": "received", "review_level": None,
        "received_at": datetime(2026, 11, 24, tzinfo=UTC), "updated_at": None, "deleted_at": None, "is_encrypted": False, **changed,
    }  # fmt: skip
    return SubmissionState(form=form, instance_id=instance_id, answers=answers, **told)
