"""Form versions' rules, read once."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.forms.kept_versions import KeptVersions
from server.forms.rules.check import FormRules
from server.forms.rules.reading import read_rules
from server.model import FormVersion
from server.problems import Problem

_known: KeptVersions[FormRules | None] = KeptVersions(100)


def form_rules(session: Session, form_version_id: int) -> FormRules | None:
    """The form version's rules; None of one that asks for nothing and forbids nothing, is gone, or was kept before forms were read as now."""
    return _known.find_or_read(session, form_version_id, _read)


def _read(session: Session, form_version_id: int) -> FormRules | None:
    xform = session.scalar(select(FormVersion.xform).where(FormVersion.id == form_version_id))
    try:
        rules = read_rules(bytes(xform)) if xform is not None else None
    except Problem:
        return None
    return rules if rules is not None and rules.can_be_broken() else None
