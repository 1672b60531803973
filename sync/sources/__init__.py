"""Where changes come from. A source yields FormState, SubmissionState and Purged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from server.forms.fields import FormDefinition


@dataclass(frozen=True, slots=True)
class FormState:
    """A published form version whose fields the central tables must have. `version_key` tells it from every other version.

    The version's own name does not: a form that was deleted and made again may use it a second time.
    """

    project_id: int
    form_id: str
    version_key: int
    definition: FormDefinition


@dataclass(frozen=True, slots=True)
class SubmissionState:
    """A submission as it stands now. `answers` as submissions/answers.py makes them; times in UTC."""

    form: FormState
    instance_id: str
    current_instance_id: str
    submitter: str | None
    device_id: str | None
    division: str
    review_state: str
    review_level: str | None
    received_at: datetime
    updated_at: datetime | None
    deleted_at: datetime | None
    is_encrypted: bool
    answers: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Purged:
    """A submission whose rows must be gone."""

    project_id: int
    form_id: str
    instance_id: str


@dataclass(frozen=True, slots=True)
class Trashed:
    """A form went to the trash with its submissions, or came back. `rows`: chunks of (instance_id, when deleted or None)."""

    project_id: int
    form_id: str
    rows: Callable[[], Iterator[list[tuple[str, datetime | None]]]]


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes up to `position`, in order; how many log entries they stand for. Its forms are those up to `forms_position`."""

    position: int
    forms_position: int
    count: int
    forms: list[FormState] = field(default_factory=list)
    purged: list[Purged] = field(default_factory=list)
    submissions: list[SubmissionState] = field(default_factory=list)
    trashed: list[Trashed] = field(default_factory=list)
