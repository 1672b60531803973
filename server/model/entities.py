"""Entity lists, entities and their versions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server.model.schema import RowId, Table


class EntityList(Table):
    """A register that phones download as CSV."""

    __tablename__ = "entity_lists"
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    name: Mapped[str] = mapped_column(String(255))
    approval_required: Mapped[bool]
    owner_only: Mapped[bool]
    created_at: Mapped[datetime]
    __table_args__ = (UniqueConstraint("project_id", "name"),)


class EntityProperty(Table):
    __tablename__ = "entity_properties"
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    list_id: Mapped[int] = mapped_column(ForeignKey("entity_lists.id"))
    name: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime]
    __table_args__ = (UniqueConstraint("list_id", "name"),)


class Entity(Table):
    """An entity as it now is. `uuid` is unique in its project's list; `conflict` is soft, hard or null."""

    __tablename__ = "entities"
    project_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    list_id: Mapped[int] = mapped_column(ForeignKey("entity_lists.id"))
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
    __table_args__ = (
        Index("uq_entities_list_id_uuid", "list_id", "uuid", unique=True),
        Index("ix_entities_list_division", "list_id", "division", "id"),
    )


class EntityVersion(Table):
    __tablename__ = "entity_versions"
    project_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    entity_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    label: Mapped[str]
    data: Mapped[dict[str, Any]]
    changed: Mapped[dict[str, Any]]
    base_version: Mapped[int | None]
    branch_id: Mapped[str | None] = mapped_column(String(36))
    trunk_version: Mapped[int | None]
    branch_base_version: Mapped[int | None]
    conflict: Mapped[str | None] = mapped_column(String(10))
    submission_version_id: Mapped[int | None] = mapped_column(BigInteger, index=True)
    actor_id: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime]


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
    held_at: Mapped[datetime]
    __table_args__ = (Index("ix_entities_held_list_id_uuid", "list_id", "uuid"),)
