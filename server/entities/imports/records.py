"""Imports as rows: begun, set up, listed, started, undone. What takes long is done in pieces by work.py."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from server import problems
from server.access.actor import Actor, Place, division_end
from server.entities.imports.mapping import ImportSettings, check_settings, propose
from server.entities.imports.property_kinds import property_kinds
from server.entities.imports.reading import ReadFile
from server.entities.lists import list_properties, record_list_audit
from server.entities.scope import bound_actor
from server.model import EntityImport, EntityList, EntitySource
from server.storage import record_blob
from server.transactions import new_id

VERB = "entity.import"
AT_WORK = ("checking", "importing", "undoing")
LIST_LIMIT = 100


def require_import(session: Session, actor: Actor, entity_list: EntityList) -> Actor:
    """The actor as bound in this list, who may import into it. Raises: insufficient_rights."""
    bound = bound_actor(session, actor, entity_list)
    bound.require(VERB, Place(entity_list.project_id))
    return bound


def create_import(session: Session, actor: Actor, entity_list: EntityList, file: ReadFile, *, settings: ImportSettings | None = None) -> EntityImport:
    """A file that was read, with a proposal for its columns; nothing of it is in the list. Raises: insufficient_rights, import_settings_wrong."""
    bound = require_import(session, actor, entity_list)
    properties = list_properties(session, entity_list)
    if settings is None:
        settings = propose(file.columns, property_kinds(session, entity_list, properties))
    else:
        check_settings(settings, file.columns, properties)
    for blob in (file.blob, file.rows):
        record_blob(session, blob)
    made = EntityImport(
        project_id=entity_list.project_id, id=new_id(), list_id=entity_list.id, actor_id=actor.id or None, division=bound.division or "", state="uploaded",
        file_name=file.name, size_bytes=file.blob.size_bytes, blob_sha256=file.blob.sha256, rows_sha256=file.rows.sha256, sheet=file.sheet or None,
        sheets=file.sheets, columns=file.columns, samples=file.samples, settings=settings.to_json(), rows_total=file.count, rows_checked=0, rows_good=0,
        rows_bad=0, errors_total=0, errors=[], position=0, created_count=0, updated_count=0, unchanged_count=0, skipped_count=0, undo_position=0,
        undone_count=0, left_count=0, left_alone=[], created_at=datetime.now(UTC),
    )  # fmt: skip
    session.add(made)
    session.flush()
    return made


def find_import(session: Session, actor: Actor, import_id: int, *, entity_list: EntityList | None = None, lock: bool = False) -> EntityImport:
    """The import, also with its report. Raises: not_found, insufficient_rights (another division's, or none to import)."""
    statement = select(EntityImport).where(EntityImport.id == import_id).options(undefer(EntityImport.errors), undefer(EntityImport.left_alone))
    if entity_list is not None:
        statement = statement.where(EntityImport.list_id == entity_list.id)
    found = session.scalar(statement.with_for_update() if lock else statement)
    owner = session.get(EntityList, found.list_id) if found is not None else None
    if found is None or owner is None or owner.deleted_at is not None:
        raise problems.not_found()
    bound_actor(session, actor, owner).require(VERB, found)
    return found


def list_imports(session: Session, actor: Actor, entity_list: EntityList) -> Sequence[EntityImport]:
    """The list's imports that the actor may see, the newest first, at most 100. Raises: insufficient_rights."""
    bound = require_import(session, actor, entity_list)
    statement = select(EntityImport).where(EntityImport.list_id == entity_list.id)
    if bound.division:
        statement = statement.where(EntityImport.division >= bound.division, EntityImport.division < division_end(bound.division))
    return session.scalars(statement.order_by(EntityImport.id.desc()).limit(LIST_LIMIT)).all()


def set_up(session: Session, actor: Actor, found: EntityImport, settings: ImportSettings) -> None:
    """The import is to be checked with these settings. Raises: insufficient_rights, import_not_now, import_settings_wrong."""
    entity_list = session.get_one(EntityList, found.list_id)
    require_import(session, actor, entity_list)
    if found.state not in {"uploaded", "checking", "checked"}:
        raise problems.import_not_now(found.state)
    check_settings(settings, found.columns, list_properties(session, entity_list))
    found.settings, found.state, found.plan_sha256, found.checked_at = settings.to_json(), "checking", None, None
    found.rows_checked = found.rows_good = found.rows_bad = found.errors_total = 0
    found.errors, found.holder, found.held_until = [], None, None
    session.flush()


def start(session: Session, actor: Actor, found: EntityImport, *, skip_errors: bool = False, user_agent: str | None = None) -> None:
    """The rows go into the list from now on. Raises: insufficient_rights, import_not_now, import_has_errors."""
    entity_list = session.get_one(EntityList, found.list_id)
    require_import(session, actor, entity_list)
    if found.state != "checked":
        raise problems.import_not_now(found.state)
    skips = skip_errors or ImportSettings.from_json(found.settings).skip_errors
    if found.rows_bad and not skips:
        raise problems.import_has_errors(found.rows_bad, found.errors_total)
    found.settings = {**found.settings, "skip_errors": skips}
    found.source_id = _source(session, actor, entity_list, found, "entity.import", user_agent, key=found.id)
    found.state, found.started_at, found.skipped_count = "importing", datetime.now(UTC), found.rows_bad
    found.holder, found.held_until = None, None
    session.flush()


def start_undo(session: Session, actor: Actor, found: EntityImport, *, user_agent: str | None = None) -> None:
    """What the import did is being undone, once. Raises: insufficient_rights, import_not_now."""
    entity_list = session.get_one(EntityList, found.list_id)
    require_import(session, actor, entity_list)
    if found.state != "done":
        raise problems.import_not_now(found.state)
    found.undo_source_id = _source(session, actor, entity_list, found, "entity.import.undo", user_agent, key=new_id())
    found.state, found.undone_by = "undoing", actor.id or None
    found.holder, found.held_until = None, None
    session.flush()


def _source(session: Session, actor: Actor, entity_list: EntityList, found: EntityImport, action: str, user_agent: str | None, *, key: int) -> int:
    kind = action.removeprefix("entity.")
    details: dict[str, Any] = {
        "type": kind, "importId": str(found.id), "name": found.file_name, "size": found.size_bytes, "count": found.rows_good,
        "userAgent": (user_agent or "")[:255] or None,
    }  # fmt: skip
    source = EntitySource(
        project_id=found.project_id, id=key, list_id=found.list_id, details=details, actor_id=actor.id or None, created_at=datetime.now(UTC),
        audit_id=record_list_audit(session, actor, action, entity_list, sourceId=key, importId=found.id, count=found.rows_good),
    )  # fmt: skip
    session.add(source)
    return key
