"""Form versions' definitions, read once."""

from __future__ import annotations

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from server import problems
from server.forms.fields import FormDefinition
from server.forms.kept_versions import KeptVersions
from server.model import FormVersion

_known: KeptVersions[FormDefinition] = KeptVersions(500)


def form_definition(session: Session, form_version_id: int) -> FormDefinition:
    """Fields, choices, media and entity declarations of a form version. Raises: not_found."""
    return _known.find_or_read(session, form_version_id, _read)


def _read(session: Session, form_version_id: int) -> FormDefinition:
    stored = session.scalar(select(FormVersion.definition).where(FormVersion.id == form_version_id))
    if stored is None:
        raise problems.not_found()
    return FormDefinition.from_json(stored)


def known_definition(engine: Engine, form_version_id: int) -> FormDefinition | None:
    """The definition if it is in memory already."""
    return _known.find(engine, form_version_id)


def forget_definitions(engine: Engine) -> None:
    """The database was replaced: all is read anew."""
    _known.forget(engine)
