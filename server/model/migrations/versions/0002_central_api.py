"""Public links, password resets, preferences, site configuration, encryption keys: what ODK Central's interface speaks of."""

import hashlib

import sqlalchemy as sa
from alembic import op

from server.model.schema import Instant, Json, RowId

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _keys_and_site()
    _accounts()
    op.add_column("audit_entries", sa.Column("notes", sa.String))
    op.create_index("ix_audit_entries_action", "audit_entries", ["action", "at", "id"])
    op.create_table(
        "purged_submissions",
        sa.Column("form_pk", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("instance_id", sa.String(255), primary_key=True),
        sa.Column("purged_at", Instant, nullable=False),
    )
    trashed = sa.text("deleted_at IS NOT NULL")
    op.create_index("ix_submissions_trash", "submissions", ["form_pk", "deleted_at"], sqlite_where=trashed, postgresql_where=trashed)


def _keys_and_site() -> None:
    op.create_table(
        "encryption_keys",
        sa.Column("id", RowId, primary_key=True),
        sa.Column("public", sa.String, nullable=False, unique=True),
        sa.Column("private", Json),
        sa.Column("managed", sa.Boolean, nullable=False),
        sa.Column("hint", sa.String),
        sa.Column("created_at", Instant, nullable=False),
    )
    kind = "INTEGER" if op.get_bind().dialect.name == "sqlite" else "BIGINT"
    for table in ("projects", "form_versions"):
        op.execute(f"ALTER TABLE {table} ADD COLUMN key_id {kind} CONSTRAINT fk_{table}_key_id REFERENCES encryption_keys (id)")
        op.create_index(f"ix_{table}_key_id", table, ["key_id"])
    _digests()
    op.add_column("form_attachments", sa.Column("content_type", sa.String(100)))
    op.add_column("forms", sa.Column("web_forms_enabled", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "site_config",
        sa.Column("key", sa.String(60), primary_key=True),
        sa.Column("value", Json),
        sa.Column("blob_sha256", sa.String(64), sa.ForeignKey("blobs.sha256"), index=True),
        sa.Column("content_type", sa.String(100)),
        sa.Column("set_at", Instant, nullable=False),
    )


def _digests() -> None:
    for name, length in (("sha1", 40), ("sha256", 64)):
        op.add_column("form_versions", sa.Column(name, sa.String(length)))
    op.add_column("form_versions", sa.Column("publish_notes", sa.String))
    connection = op.get_bind()
    versions = sa.table("form_versions", sa.column("id"), sa.column("xform"), sa.column("sha1"), sa.column("sha256"))
    for (key,) in connection.execute(sa.select(versions.c.id)).all():
        xform = bytes(connection.execute(sa.select(versions.c.xform).where(versions.c.id == key)).scalar_one())
        digests = {"sha1": hashlib.sha1(xform, usedforsecurity=False).hexdigest(), "sha256": hashlib.sha256(xform).hexdigest()}
        connection.execute(sa.update(versions).where(versions.c.id == key).values(digests))


def _accounts() -> None:
    op.create_table(
        "public_links",
        sa.Column("actor_id", RowId, sa.ForeignKey("actors.id"), primary_key=True),
        sa.Column("project_id", RowId, sa.ForeignKey("projects.id"), nullable=False, index=True),
        sa.Column("form_pk", RowId, sa.ForeignKey("forms.id"), nullable=False, index=True),
        sa.Column("token_key", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("token_sealed", sa.LargeBinary, nullable=False),
        sa.Column("once", sa.Boolean, nullable=False),
        sa.Column("created_by", RowId, sa.ForeignKey("actors.id"), index=True),
        sa.Column("revoked_at", Instant),
    )
    op.create_table(
        "password_resets",
        sa.Column("token_key", sa.LargeBinary(32), primary_key=True),
        sa.Column("actor_id", RowId, sa.ForeignKey("actors.id"), nullable=False, index=True),
        sa.Column("expires_at", Instant, nullable=False, index=True),
    )
    op.create_table(
        "user_preferences",
        sa.Column("actor_id", RowId, sa.ForeignKey("actors.id"), primary_key=True),
        sa.Column("project_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("value", Json, nullable=False),
    )
    op.create_table(
        "actor_properties",
        sa.Column("id", RowId, primary_key=True),
        sa.Column("project_id", RowId, sa.ForeignKey("projects.id"), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.UniqueConstraint("project_id", "name"),
    )
