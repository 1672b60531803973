"""Which form's submissions are read, by whom, and with which questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor
from server.forms.definitions import form_definition
from server.forms.fields import Field, FormDefinition
from server.forms.queries import get_form
from server.model import Form, FormVersion

_MOST_VERSIONS = 200


@dataclass(frozen=True, slots=True)
class Source:
    """A form's submissions: those of its published versions, or those of its draft.

    `fields` depth first. `hidden`: paths of sensitive questions whose answers this reader sees masked.
    """

    actor: Actor
    form: Form
    definition: FormDefinition
    fields: tuple[Field, ...]
    is_draft: bool
    hidden: frozenset[tuple[str, ...]]


def open_source(session: Session, actor: Actor, project_id: int, form_id: str, *, is_draft: bool = False, verb: str = "submission.read") -> Source:
    """The form's submissions as this actor may read them. Raises: not_found (no form, not published, no draft), insufficient_rights."""
    form = get_form(session, actor, project_id, form_id, verb=verb)
    version_id = form.draft_version_id if is_draft else form.current_version_id
    if version_id is None:
        raise problems.not_found()
    definition = form_definition(session, version_id)
    return _source(actor, form, definition, definition.fields, is_draft=is_draft)


def _source(actor: Actor, form: Form, definition: FormDefinition, fields: tuple[Field, ...], *, is_draft: bool) -> Source:
    hidden = frozenset() if actor.can("person.unmask", form) else frozenset(field.path for field in fields if field.sensitive)
    return Source(actor, form, definition, fields, is_draft, hidden)


def of_version(session: Session, source: Source, form_version_id: int) -> Source:
    """The same source with the questions of one version of its form."""
    definition = form_definition(session, form_version_id)
    return _source(source.actor, source.form, definition, definition.fields, is_draft=source.is_draft)


def with_former_fields(session: Session, source: Source) -> Source:
    """The same source with the questions that earlier published versions had besides."""
    statement = (
        select(FormVersion.id).where(FormVersion.form_pk == source.form.id, FormVersion.published_at.is_not(None))
        .order_by(FormVersion.published_at, FormVersion.id).limit(_MOST_VERSIONS)
    )  # fmt: skip
    merged: tuple[Field, ...] = ()
    for version_id in session.scalars(statement):
        merged = merge_fields(merged, form_definition(session, version_id).fields)
    return _source(source.actor, source.form, source.definition, merged or source.fields, is_draft=source.is_draft)


def merge_fields(old: Sequence[Field], new: Sequence[Field]) -> tuple[Field, ...]:
    """The new version's fields in their order, and what only the old one had, at the end of the group it was in."""
    known = {field.path for field in new}
    result = list(new)
    index = 0
    while index < len(old):
        field = old[index]
        if field.path in known:
            index += 1
            continue
        end = index + 1
        while end < len(old) and old[end].path[: len(field.path)] == field.path:
            end += 1
        group = field.path[:-1]
        last = max((place for place, other in enumerate(result) if other.path[: len(group)] == group), default=len(result) - 1)
        result[last + 1 : last + 1] = old[index:end]
        index = end
    return tuple(result)


def without_hidden(source: Source) -> Source:
    """The same source with all answers as they were given, for a reader whose right to it was checked elsewhere."""
    return replace(source, hidden=frozenset())
