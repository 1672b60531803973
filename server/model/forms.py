"""Projects, forms and their versions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, String, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from server.model.schema import RowId, Table


class Project(Table):
    __tablename__ = "projects"
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None]
    archived: Mapped[bool | None]
    key_id: Mapped[int | None] = mapped_column(ForeignKey("encryption_keys.id"), index=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]


class Form(Table):
    """`form_id` is the XForm's own ID, unique in its project among forms that are not in the trash.

    `state` is open, closing or closed. `current_version_id` is the newest published version, `draft_version_id` the draft.
    """

    __tablename__ = "forms"
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    form_id: Mapped[str] = mapped_column(String(255))
    state: Mapped[str] = mapped_column(String(10), default="open")
    web_forms_enabled: Mapped[bool] = mapped_column(default=False, server_default=false())
    current_version_id: Mapped[int | None] = mapped_column(RowId)
    draft_version_id: Mapped[int | None] = mapped_column(RowId)
    created_by: Mapped[int | None] = mapped_column(ForeignKey("actors.id"), index=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None] = mapped_column(index=True)
    __table_args__ = (
        Index("uq_forms_project_id_form_id", "project_id", "form_id", unique=True,
              sqlite_where=text("deleted_at IS NULL"), postgresql_where=text("deleted_at IS NULL")),
    )  # fmt: skip


class FormVersion(Table):
    """A draft (`published_at` is null) or a published version, whose `xform` never changes by a byte.

    `definition` is FormDefinition.to_json(); `md5`, `sha1`, `sha256` are hex digests of exactly the bytes of `xform`.
    """

    __tablename__ = "form_versions"
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    form_pk: Mapped[int] = mapped_column(ForeignKey("forms.id"), index=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), index=True)
    version: Mapped[str] = mapped_column(String(255))
    title: Mapped[str] = mapped_column(String(1000))
    xform: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    md5: Mapped[str] = mapped_column(String(32))
    sha1: Mapped[str | None] = mapped_column(String(40))
    sha256: Mapped[str | None] = mapped_column(String(64))
    xlsx_sha256: Mapped[str | None] = mapped_column(String(64), index=True)
    key_id: Mapped[int | None] = mapped_column(ForeignKey("encryption_keys.id"), index=True)
    definition: Mapped[dict[str, Any]] = mapped_column(deferred=True)
    draft_token: Mapped[str | None] = mapped_column(String(64), index=True)
    created_by: Mapped[int | None] = mapped_column(ForeignKey("actors.id"), index=True)
    created_at: Mapped[datetime]
    published_at: Mapped[datetime | None]
    publish_notes: Mapped[str | None]
    published_by: Mapped[int | None] = mapped_column(ForeignKey("actors.id"), index=True)
    __table_args__ = (
        Index("uq_form_versions_published", "form_pk", "version", unique=True,
              sqlite_where=text("published_at IS NOT NULL"), postgresql_where=text("published_at IS NOT NULL")),
    )  # fmt: skip


class FormAttachment(Table):
    """A medium that a form version declares; there once it has a blob, or is an entity list (`list_id`)."""

    __tablename__ = "form_attachments"
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    form_version_id: Mapped[int] = mapped_column(ForeignKey("form_versions.id"))
    name: Mapped[str] = mapped_column(String(255))
    kind: Mapped[str] = mapped_column(String(20))
    blob_sha256: Mapped[str | None] = mapped_column(String(64), ForeignKey("blobs.sha256"), index=True)
    list_id: Mapped[int | None] = mapped_column(ForeignKey("entity_lists.id"), index=True)
    content_type: Mapped[str | None] = mapped_column(String(100))
    updated_at: Mapped[datetime | None]
    __table_args__ = (UniqueConstraint("form_version_id", "name"),)
