"""Form versions' definitions, kept in memory: a version's row is never changed, so what was read once stays true."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Dialect, Engine, select
from sqlalchemy.orm import Session

from server import problems
from server.forms.fields import FormDefinition
from server.model import FormVersion

_MOST = 500
# By the engine's dialect, which its readers and writers share: two apps with two databases live in one process.
_known: WeakKeyDictionary[Dialect, dict[int, FormDefinition]] = WeakKeyDictionary()


def form_definition(session: Session, form_version_id: int) -> FormDefinition:
    """Fields, choices, media and entity declarations of a form version. Raises: not_found."""
    bind: Any = session.get_bind()
    known = _known.setdefault(bind.engine.dialect, {})
    definition = known.get(form_version_id)
    if definition is None:
        stored = session.scalar(select(FormVersion.definition).where(FormVersion.id == form_version_id))
        if stored is None:
            raise problems.not_found()
        definition = FormDefinition.from_json(stored)
        if len(known) >= _MOST:
            known.clear()
        known[form_version_id] = definition
    return definition


def known_definition(engine: Engine, form_version_id: int) -> FormDefinition | None:
    """The definition if it is in memory already."""
    return _known.get(engine.dialect, {}).get(form_version_id)


def forget_definitions(engine: Engine) -> None:
    """The database was replaced: all is read anew."""
    _known.pop(engine.dialect, None)
