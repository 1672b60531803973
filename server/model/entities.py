"""Entity lists, entities and their versions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from server.model.schema import RowId, Table


class EntityList(Table):
    """A register that phones download as CSV; its name is unique in its project among lists that are not deleted.

    `access_rules`: [{datasetProperty, actorProperty}]: a phone sees the entities for which one of them holds; null: all.
    """

    __tablename__ = "entity_lists"
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    name: Mapped[str] = mapped_column(String(255))
    approval_required: Mapped[bool]
    owner_only: Mapped[bool]
    access_rules: Mapped[list[Any] | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    __table_args__ = (
        Index("uq_entity_lists_project_id_name", "project_id", "name", unique=True,
              sqlite_where=text("deleted_at IS NULL"), postgresql_where=text("deleted_at IS NULL")),
        Index("ix_entity_lists_trash", "project_id", "deleted_at"),
    )  # fmt: skip


class EntityProperty(Table):
    __tablename__ = "entity_properties"
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    list_id: Mapped[int] = mapped_column(ForeignKey("entity_lists.id"))
    name: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime]
    __table_args__ = (UniqueConstraint("list_id", "name"),)


class Entity(Table):
    """An entity as it now is. `uuid` is unique in its list; `conflict` is soft, hard or null.

    `stamp`: a random number, new with each change: their sum over any part of a list changes with what is in it.
    """

    __tablename__ = "entities"
    project_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    # Without a foreign key (migration 0011).
    list_id: Mapped[int] = mapped_column(RowId)
    uuid: Mapped[str] = mapped_column(String(36))
    label: Mapped[str]
    data: Mapped[dict[str, Any]]
    version: Mapped[int]
    division: Mapped[str] = mapped_column(String(12))
    conflict: Mapped[str | None] = mapped_column(String(10))
    creator_id: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    stamp: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    __table_args__ = (
        # The id first: nearly always it alone tells entries apart.
        Index("uq_entities_uuid_list_id", "uuid", "list_id", unique=True),
        Index("ix_entities_list_division", "list_id", "division", "id"),
        Index("ix_entities_list_id_id", "list_id", "id"),
        Index("ix_entities_trash", "deleted_at",
              sqlite_where=text("deleted_at IS NOT NULL"), postgresql_where=text("deleted_at IS NOT NULL")),
    )


class EntitySum(Table):
    """How many of a list's living entities a division has, and their stamps' sum: the total of its slots.

    Triggers on `entities` keep it (migration 0008), whoever writes there: on PostgreSQL a slot for each transaction, so that none waits.
    """

    __tablename__ = "entity_sums"
    list_id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=False)
    division: Mapped[str] = mapped_column(String(12), primary_key=True)
    slot: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    entities: Mapped[int] = mapped_column(BigInteger)
    total: Mapped[int] = mapped_column(BigInteger)
    __table_args__ = ({"sqlite_with_rowid": False},)


class EntityVersion(Table):
    """An entity as it was after one change. `received`: what the change said, label included; `base_version`: what it was made from.
    `division`: the entity's own at that time.

    `conflicting`: properties that others had changed since, null where none could have. `forced`: it no longer waited for what came
    before it offline; `is_late_create`: a creation that came after such an update. Whence it came: `source_id` (a bulk creation),
    or `submission_version_id` with `event`, the audit log's word for what made the server look at the submission; else a program.
    `supersedes`: the version that came from the same submission before an edit of it, which this one corrects.
    """

    __tablename__ = "entity_versions"
    project_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    entity_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    label: Mapped[str]
    data: Mapped[dict[str, Any]]
    division: Mapped[str] = mapped_column(String(12), server_default="")
    # Null: see `received`. A creation of many leaves it so.
    kept_received: Mapped[dict[str, Any] | None] = mapped_column("received")
    base_version: Mapped[int | None]
    branch_id: Mapped[str | None] = mapped_column(String(36))
    trunk_version: Mapped[int | None]
    branch_base_version: Mapped[int | None]
    conflict: Mapped[str | None] = mapped_column(String(10))
    conflicting: Mapped[list[Any] | None]
    forced: Mapped[bool] = mapped_column(default=False, server_default=false())
    is_late_create: Mapped[bool] = mapped_column(default=False, server_default=false())
    supersedes: Mapped[int | None]
    source_id: Mapped[int | None] = mapped_column(BigInteger)
    submission_id: Mapped[int | None] = mapped_column(BigInteger)
    submission_version_id: Mapped[int | None] = mapped_column(BigInteger)
    event: Mapped[str | None] = mapped_column(String(40))
    user_agent: Mapped[str | None] = mapped_column(String(255))
    actor_id: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime]
    __table_args__ = (
        Index("ix_entity_versions_submission_version_id", "submission_version_id",
              sqlite_where=text("submission_version_id IS NOT NULL"), postgresql_where=text("submission_version_id IS NOT NULL")),
        Index("ix_entity_versions_submission", "project_id", "submission_id",
              sqlite_where=text("submission_id IS NOT NULL"), postgresql_where=text("submission_id IS NOT NULL")),
        Index("ix_entity_versions_source", "project_id", "source_id", "entity_id",
              sqlite_where=text("source_id IS NOT NULL"), postgresql_where=text("source_id IS NOT NULL")),
    )  # fmt: skip

    @property
    def received(self) -> dict[str, Any]:
        """What the change said, label included: all that the version is, where nothing else is kept."""
        return {**self.data, "label": self.label} if self.kept_received is None else self.kept_received


class EntityHeld(Table):
    """An offline update that waits for an earlier one of its branch, or for the entity's creation."""

    __tablename__ = "entities_held"
    project_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    list_id: Mapped[int] = mapped_column(ForeignKey("entity_lists.id"))
    uuid: Mapped[str] = mapped_column(String(36))
    branch_id: Mapped[str | None] = mapped_column(String(36))
    base_version: Mapped[int | None]
    change: Mapped[dict[str, Any]]
    submission_version_id: Mapped[int] = mapped_column(BigInteger)
    submission_id: Mapped[int | None] = mapped_column(BigInteger)
    actor_id: Mapped[int | None] = mapped_column(BigInteger)
    division: Mapped[str] = mapped_column(String(12), server_default="")
    held_at: Mapped[datetime]
    __table_args__ = (
        Index("ix_entities_held_list_id_uuid", "list_id", "uuid"),
        Index("ix_entities_held_submission", "project_id", "submission_id"),
        Index("ix_entities_held_since", "held_at"),
    )


class EntitySource(Table):
    """A creation of many entities at once. `details`: name, size, count, userAgent."""

    __tablename__ = "entity_sources"
    project_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    list_id: Mapped[int] = mapped_column(ForeignKey("entity_lists.id"), index=True)
    details: Mapped[dict[str, Any]]
    audit_id: Mapped[int | None] = mapped_column(BigInteger)
    actor_id: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime]


class EntityAudit(Table):
    """Which entries of the audit log are about which entity."""

    __tablename__ = "entity_audits"
    project_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    entity_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    audit_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)


class PurgedEntity(Table):
    """An id that was in the list and was erased for good: it is not used again."""

    __tablename__ = "purged_entities"
    list_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    uuid: Mapped[str] = mapped_column(String(36), primary_key=True)
    purged_at: Mapped[datetime]
