"""What an act was done to: a stable UUID for each user, phone, project and form, as ODK Central's programs know things by."""

from __future__ import annotations

import hashlib
import uuid

from server.model import AuditEntry

SITE = "*"
_ACTORS = ("user", "field_key", "public_link")


def actee_id(kind: str, key: int | str) -> str:
    """The UUID of the thing: the same each time, stored nowhere. `kind`: actor, project, form, dataset."""
    return str(uuid.UUID(bytes=hashlib.md5(f"minqing:{kind}:{key}".encode(), usedforsecurity=False).digest(), version=4))


def place_actee(project_id: int | None, form_pk: int | None = None) -> str:
    """The actee of an assignment's place; `*` for the site."""
    if form_pk is not None:
        return actee_id("form", form_pk)
    return SITE if project_id is None else actee_id("project", project_id)


def actee_of(entry: AuditEntry) -> tuple[str, int] | None:
    """Kind and key of what the entry is about; None for the site."""
    subject = entry.action.partition(".")[0]
    if subject in _ACTORS and not entry.action.startswith("user.preference"):
        return ("actor", int(entry.thing)) if entry.thing and entry.thing.isdigit() else None
    if entry.form_pk is not None:
        return ("form", entry.form_pk)
    if subject in ("dataset", "entity") and entry.thing and entry.thing.isdigit():
        return ("dataset", int(entry.thing))
    return ("project", entry.project_id) if entry.project_id else None
