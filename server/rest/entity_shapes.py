"""Entity lists, entities and their versions as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from server.entities.conflicts import JudgedVersion
from server.entities.list_forms import FormUse
from server.entities.reading import EntityDetail, ListCounts, ListDetail, actors_of, current_versions
from server.exports.entity_history import EntityHistory, NamedEntity, VersionSource
from server.exports.entity_rows import EntityRecord
from server.exports.tables import odata_name
from server.http.json_answers import instant
from server.model import ActorRow, AuditEntry, Entity, EntityHeld, EntityList, EntityVersion
from server.rest.actor_shapes import actor_shape
from server.rest.audit_shapes import audit_shape
from server.rest.submission_shapes import submission_shape


def list_shape(row: EntityList, counts: ListCounts | None = None) -> dict[str, Any]:
    """A list; `counts` where extended metadata were asked for; its number only once it is deleted, when its name is free."""
    shape: dict[str, Any] = {
        "name": row.name, "createdAt": instant(row.created_at), "projectId": row.project_id, "approvalRequired": row.approval_required,
        "ownerOnly": row.owner_only, "deletedAt": instant(row.deleted_at),
    }  # fmt: skip
    if row.deleted_at is not None:
        shape["id"] = row.id
    if counts is not None:
        shape |= {"entities": counts.entities, "lastEntity": instant(counts.last_entity), "conflicts": counts.conflicts}
    return shape


def list_detail_shape(detail: ListDetail, counts: ListCounts | None = None) -> dict[str, Any]:
    """A list with its properties and the forms that use it."""
    row, uses = detail.entity_list, detail.uses
    shape = {
        **list_shape(row, counts), "lastUpdate": instant(detail.last_update),
        "linkedForms": [_use(use) for use in uses.links if not use.is_draft], "sourceForms": [_use(use) for use in uses.sources if not use.is_draft],
        "draftLinkedForms": [_use(use) for use in uses.links if use.is_draft], "draftSourceForms": [_use(use) for use in uses.sources if use.is_draft],
        "properties": [
            {"name": one.name, "publishedAt": instant(one.created_at), "odataName": odata_name(one.name),
             "forms": [{"xmlFormId": use.form_id, "name": use.title} for use in uses.sources if not use.is_draft and one.name in use.properties]}
            for one in detail.properties
        ],
    }  # fmt: skip
    if row.owner_only:
        shape["accessFilter"] = {"type": "ownerOnly"}
    elif row.access_rules:
        shape["accessFilter"] = {"type": "property", "rules": row.access_rules}
    return shape


def _use(use: FormUse) -> dict[str, Any]:
    shape = {"name": use.title, "xmlFormId": use.form_id}
    return {**shape, "repeatPath": use.repeat_path} if use.repeat_path else shape


def version_shape(version: EntityVersion, *, is_current: bool, data: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """One version with its values, or with `data` instead."""
    return {
        "current": is_current, "label": version.label, "creatorId": version.actor_id, "userAgent": version.user_agent,
        "data": version.data if data is None else data, "version": version.version, "baseVersion": version.base_version,
        "dataReceived": version.received, "conflictingProperties": version.conflicting, "createdAt": instant(version.created_at),
        "branchId": version.branch_id, "trunkVersion": version.trunk_version, "branchBaseVersion": version.branch_base_version,
        **({"supersedes": version.supersedes} if version.supersedes is not None else {}),
    }  # fmt: skip


def _entity(row: Entity | EntityRecord) -> dict[str, Any]:
    return {
        "uuid": row.uuid, "creatorId": row.creator_id, "conflict": row.conflict, "createdAt": instant(row.created_at),
        "updatedAt": instant(row.updated_at), "deletedAt": instant(row.deleted_at),
    }  # fmt: skip


def entity_shape(detail: EntityDetail, *, extended: bool = False) -> dict[str, Any]:
    """An entity with its current version; extended with who made either."""
    data = {name: detail.version.data[name] for name in detail.properties if name in detail.version.data}
    version = version_shape(detail.version, is_current=True, data=data)
    shape = {**_entity(detail.entity), "currentVersion": version}
    if extended:
        version["creator"], shape["creator"] = _someone(detail.version_creator), _someone(detail.creator)
    return shape


def _someone(row: ActorRow | None) -> dict[str, Any] | None:
    return actor_shape(row) if row is not None else None


def listed_entity_shapes(session: Session, rows: Sequence[EntityRecord], project_id: int, *, extended: bool) -> list[dict[str, Any]]:
    """Entities as lists show them: without their values."""
    versions = current_versions(session, [(project_id, row.id, row.version) for row in rows])
    actors = actors_of(session, {row.creator_id for row in rows} | {one.actor_id for one in versions.values()}) if extended else {}
    shapes = []
    for row in rows:
        version = versions[row.id]
        current = {
            "current": True, "label": row.label, "creatorId": version.actor_id, "userAgent": version.user_agent, "version": row.version,
            "baseVersion": version.base_version, "conflictingProperties": version.conflicting, "createdAt": instant(version.created_at),
            "branchId": version.branch_id, "trunkVersion": version.trunk_version, "branchBaseVersion": version.branch_base_version,
        }  # fmt: skip
        shape = {**_entity(row), "currentVersion": current}
        if extended:
            current["creator"], shape["creator"] = _someone(actors.get(version.actor_id or 0)), _someone(actors.get(row.creator_id or 0))
        shapes.append(shape)
    return shapes


def held_shape(row: EntityHeld) -> dict[str, Any]:
    """A change that waits: of which entity, from which submission, and what it says."""
    return {
        "uuid": row.uuid, "branchId": row.branch_id, "baseVersion": row.base_version, "label": row.change.get("label"), "data": row.change.get("data"),
        "submissionId": row.submission_id, "submissionDefId": row.submission_version_id, "actorId": row.actor_id, "heldAt": instant(row.held_at),
    }  # fmt: skip


def judged_shape(one: JudgedVersion, history: EntityHistory, properties: Sequence[str], *, extended: bool) -> dict[str, Any]:
    """A version with its source, and how it stands in a conflict."""
    version = one.version
    is_current = version.version == history.entity.version
    data = {name: version.data[name] for name in properties if name in version.data} if is_current else None
    shape = {
        **version_shape(version, is_current=is_current, data=data), "conflict": one.conflict, "resolved": one.resolved,
        "baseDiff": list(one.base_diff), "serverDiff": list(one.server_diff), "lastGoodVersion": one.is_last_good,
        "relevantToConflict": one.is_relevant, "source": source_shape(history.sources.get(version.version), history),
    }  # fmt: skip
    if extended:
        shape["creator"] = _someone(history.actors.get(version.actor_id or 0))
    return shape


def source_shape(source: VersionSource | None, history: EntityHistory) -> dict[str, Any]:
    """Whence a version came: {} for a program, a file's name and size, or a submission with what happened to it."""
    if source is None:
        return {}
    if source.event is None or source.created is None:
        return dict(source.details)
    event = {**audit_shape(source.event), "actor": _someone(history.actors.get(source.event.actor_id or 0))}
    first = {
        "instanceId": (source.created.details or {}).get("instanceId"), "createdAt": instant(source.created.at),
        "submitter": _someone(history.actors.get(source.created.actor_id or 0)),
    }  # fmt: skip
    now = {**submission_shape(source.submission, extended=True), "xmlFormId": source.form_id} if source.submission is not None else {}
    return {"event": event, "submission": {**now, **first}}


def entity_audit_shape(entry: AuditEntry, history: EntityHistory) -> dict[str, Any]:
    """An entry of the audit log with the source of the version that it is about."""
    shape = audit_shape(entry)
    number = history.version_of(entry)
    if number is not None:
        source = source_shape(history.sources.get(number), history)
    else:
        source = dict(history.bulk.get((entry.details or {}).get("sourceId", 0), {}))
    shape["details"] = {"source": source, **(shape["details"] or {})}
    actor = history.actors.get(entry.actor_id or 0)
    return {**shape, "actor": actor_shape(actor)} if actor is not None else shape


def add_entities(shapes: Sequence[dict[str, Any]], entries: Sequence[AuditEntry], named: Mapping[int, NamedEntity]) -> None:
    """Entries of a submission's log about an entity tell how it is now, and whether it is still there."""
    for shape, entry in zip(shapes, entries, strict=True):
        details = entry.details or {}
        if not isinstance(details.get("entity"), dict):
            continue
        found = named.get(details.get("entityId", 0))
        now = {**_entity(found.entity), "currentVersion": version_shape(found.version, is_current=True)} if found is not None else {}
        is_available = found is not None and found.is_available
        shape["details"] = {**(shape["details"] or {}), "entity": {"entityAvailable": is_available, **now, **details["entity"]}}
