"""Form versions' rules, kept in memory: a version never changes."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Dialect, select
from sqlalchemy.orm import Session

from server.forms.rules.check import FormRules
from server.forms.rules.reading import read_rules
from server.model import FormVersion
from server.problems import Problem

_MOST = 100
# By the engine's dialect: two apps with two databases live in one process.
_known: WeakKeyDictionary[Dialect, dict[int, FormRules | None]] = WeakKeyDictionary()


def form_rules(session: Session, form_version_id: int) -> FormRules | None:
    """The form version's rules; None of one that is gone or that was kept before forms were read as now."""
    bind: Any = session.get_bind()
    known = _known.setdefault(bind.engine.dialect, {})
    if form_version_id not in known:
        xform = session.scalar(select(FormVersion.xform).where(FormVersion.id == form_version_id))
        if len(known) >= _MOST:
            known.clear()
        try:
            known[form_version_id] = read_rules(bytes(xform)) if xform is not None else None
        except Problem:
            known[form_version_id] = None
    return known[form_version_id]
