"""What happened to an entity: entries of the audit log, and whence each version came, with the submission behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from server.access.actor import Actor
from server.entities.lists import get_list
from server.entities.reading import actors_of, list_versions
from server.entities.records import version_key
from server.model import ActorRow, AuditEntry, Entity, EntityAudit, EntityList, EntitySource, EntityVersion, Form, Submission
from server.submissions.records import Record, record_of

_MOST_ENTRIES = 2000
_CHUNK = 400


@dataclass(frozen=True, slots=True)
class VersionSource:
    """Whence a version came. `details`: of a bulk creation; `event`: the entry for what happened to a submission.

    `created`: that submission's first entry; `submission` and `form_id`: as it is now, None once it was deleted.
    """

    details: dict[str, Any] = field(default_factory=dict)
    event: AuditEntry | None = None
    created: AuditEntry | None = None
    submission: Record | None = None
    form_id: str | None = None


@dataclass(frozen=True, slots=True)
class EntityHistory:
    """`entries` newest first; `sources` by version number; `versions` the first one first; `actors` by id."""

    entity: Entity
    versions: Sequence[EntityVersion]
    entries: Sequence[AuditEntry]
    sources: dict[int, VersionSource]
    bulk: dict[int, dict[str, Any]]
    actors: dict[int, ActorRow]

    def version_of(self, entry: AuditEntry) -> int | None:
        """The number of the version that the entry is about."""
        key = (entry.details or {}).get("entityDefId")
        return key - version_key(self.entity.id, 0) if isinstance(key, int) else None

    @property
    def resolved_version(self) -> int:
        """The version at which staff last settled a conflict; 0: they never did."""
        return next((self.version_of(one) or 0 for one in self.entries if one.action == "entity.update.resolve"), 0)


def read_history(session: Session, actor: Actor, project_id: int, name: str, uuid: str, *, limit: int | None = None, offset: int = 0) -> EntityHistory:
    """The entity's versions and entries; `limit` and `offset` are the entries'. Raises: not_found, insufficient_rights, those of the id."""
    entity_list = get_list(session, actor, project_id, name, verb="entity.read")
    entity, versions = list_versions(session, actor, entity_list, uuid)
    bulk_ids = {one.source_id for one in versions if one.source_id}
    bulk = {row.id: row for row in session.scalars(select(EntitySource).where(EntitySource.project_id == project_id, EntitySource.id.in_(bulk_ids)))}
    linked = select(EntityAudit.audit_id).where(EntityAudit.project_id == project_id, EntityAudit.entity_id == entity.id)
    ids = {*session.scalars(linked.limit(_MOST_ENTRIES)), *(row.audit_id for row in bulk.values() if row.audit_id)}
    entries = _entries(session, project_id, sorted(ids, reverse=True)[offset : None if limit is None else offset + limit])
    sources = _sources(session, project_id, versions, bulk)
    wanted: set[int | None] = {one.actor_id for one in entries} | {one.actor_id for one in versions}
    for source in sources.values():
        wanted |= {one.actor_id for one in (source.event, source.created) if one is not None}
    return EntityHistory(entity, versions, entries, sources, {key: row.details for key, row in bulk.items()}, dict(actors_of(session, wanted)))


@dataclass(frozen=True, slots=True)
class NamedEntity:
    """An entity that an entry of a submission's log names, as it is now. `is_available`: neither it nor its list was deleted."""

    entity: Entity
    version: EntityVersion
    is_available: bool


def named_entities(session: Session, project_id: int, entries: Sequence[AuditEntry]) -> dict[int, NamedEntity]:
    """By entity id, for whoever has settled the rights to the submission."""
    ids = {key for one in entries if isinstance(key := (one.details or {}).get("entityId"), int)}
    statement = (
        select(Entity, EntityVersion, EntityList.deleted_at).join(EntityList, EntityList.id == Entity.list_id)
        .join(EntityVersion, and_(EntityVersion.project_id == Entity.project_id, EntityVersion.entity_id == Entity.id, EntityVersion.version == Entity.version))
        .where(Entity.project_id == project_id, Entity.id.in_(ids), Entity.deleted_at.is_(None)).limit(_MOST_ENTRIES)
    )  # fmt: skip
    return {row[0].id: NamedEntity(row[0], row[1], row[2] is None) for row in session.execute(statement)}


def _entries(session: Session, project_id: int, ids: list[int]) -> list[AuditEntry]:
    found: list[AuditEntry] = []
    for start in range(0, len(ids), _CHUNK):
        found += session.scalars(select(AuditEntry).where(AuditEntry.project_id == project_id, AuditEntry.id.in_(ids[start : start + _CHUNK])))
    return sorted(found, key=lambda one: (one.at, one.id), reverse=True)


def _sources(session: Session, project_id: int, versions: Sequence[EntityVersion], bulk: dict[int, EntitySource]) -> dict[int, VersionSource]:
    sources = {one.version: VersionSource(bulk[one.source_id].details) for one in versions if one.source_id in bulk}
    sent = [one for one in versions if one.submission_id is not None]
    keys = list({one.submission_id for one in sent if one.submission_id is not None})
    happened: dict[int, list[AuditEntry]] = {}
    forms: dict[int, str] = {}
    for start in range(0, len(keys), _CHUNK):
        some = keys[start : start + _CHUNK]
        statement = select(AuditEntry).where(
            AuditEntry.project_id == project_id, AuditEntry.submission_id.in_(some), AuditEntry.action.like("submission.%")
        )
        for entry in session.scalars(statement.order_by(AuditEntry.id)):
            happened.setdefault(entry.submission_id or 0, []).append(entry)
        living = (
            select(Submission.id, Form.form_id).join(Form, Form.id == Submission.form_pk)
            .where(and_(Submission.project_id == project_id, Submission.id.in_(some)), Submission.deleted_at.is_(None), Form.deleted_at.is_(None))
        )  # fmt: skip
        forms.update({row[0]: row[1] for row in session.execute(living)})
    for version in sent:
        key = version.submission_id or 0
        before = [one for one in happened.get(key, ()) if one.action == version.event and one.at <= version.created_at]
        created = next((one for one in happened.get(key, ()) if one.action == "submission.create"), None)
        now = record_of(session, project_id, key) if key in forms else None
        sources[version.version] = VersionSource({}, before[-1] if before else created, created, now, forms.get(key))
    return sources
