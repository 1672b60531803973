"""Form versions as arrivals need them, kept in memory by database: a published version never changes."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from sqlalchemy import Dialect, Engine

from server.access.sealed import sealer_of
from server.forms.fields import FormDefinition
from server.submissions.answers import Shape, shape_of

_MOST = 1000
# By the engine's dialect, which its readers and writers share: two apps with two databases live in one process.
_shapes: WeakKeyDictionary[Dialect, dict[int, Shape]] = WeakKeyDictionary()
_forms: WeakKeyDictionary[Dialect, dict[tuple[int, str, str], tuple[int, int]]] = WeakKeyDictionary()


def shape_for(engine: Engine, form_version_id: int, definition: FormDefinition) -> Shape:
    """The tree along which the version's answers are read."""
    known = _shapes.setdefault(engine.dialect, {})
    if form_version_id not in known:
        if len(known) >= _MOST:
            known.clear()
        known[form_version_id] = shape_of(definition, sealer_of(engine.dialect).seal)
    return known[form_version_id]


def known_shape(engine: Engine, form_version_id: int) -> Shape | None:
    """The tree if it is in memory already."""
    return _shapes.get(engine.dialect, {}).get(form_version_id)


def remember_form(engine: Engine, project_id: int, form_id: str, version: str, *, form_pk: int, form_version_id: int) -> None:
    """A published version was found; whoever uses it from memory asks in the statement whether it is still there."""
    known = _forms.setdefault(engine.dialect, {})
    if len(known) >= _MOST:
        known.clear()
    known[project_id, form_id, version] = (form_pk, form_version_id)


def known_form(engine: Engine, project_id: int, form_id: str, version: str) -> tuple[int, int] | None:
    """Keys of the form and of its version, if they are in memory."""
    return _forms.get(engine.dialect, {}).get((project_id, form_id, version))


def forget_forms(engine: Engine) -> None:
    """The database was replaced: all is read anew."""
    _shapes.pop(engine.dialect, None)
    _forms.pop(engine.dialect, None)
