"""Entity lists as programs know them: deleted and restored, with versions' sources, access rules and what waits."""

import sqlalchemy as sa
from alembic import op

from server.model.schema import Instant, Json, RowId

revision = "0003"
down_revision = "0002"

_LIVING = sa.text("deleted_at IS NULL")
_TRASHED = sa.text("deleted_at IS NOT NULL")


def upgrade() -> None:
    _lists()
    op.add_column("entities", sa.Column("stamp", sa.BigInteger, nullable=False, server_default=sa.text("0")))
    op.create_index("ix_entities_list_id_id", "entities", ["list_id", "id"])
    op.create_index("ix_entities_stamps", "entities", ["list_id", "division", "stamp"], sqlite_where=_LIVING, postgresql_where=_LIVING)
    op.create_index("ix_entities_trash", "entities", ["deleted_at"], sqlite_where=_TRASHED, postgresql_where=_TRASHED)
    # Each row differs, so that no two parts of a list have one sum.
    op.execute("UPDATE entities SET stamp = id % 1099511627776")
    _versions()
    _held()
    op.create_table(
        "entity_sources",
        sa.Column("project_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("list_id", RowId, sa.ForeignKey("entity_lists.id"), nullable=False, index=True),
        sa.Column("details", Json, nullable=False),
        sa.Column("audit_id", sa.BigInteger),
        sa.Column("actor_id", sa.BigInteger),
        sa.Column("created_at", Instant, nullable=False),
    )
    op.create_table(
        "entity_audits",
        sa.Column("project_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("entity_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("audit_id", sa.BigInteger, primary_key=True, autoincrement=False),
    )
    op.create_table(
        "purged_entities",
        sa.Column("list_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("uuid", sa.String(36), primary_key=True),
        sa.Column("purged_at", Instant, nullable=False),
    )


def _lists() -> None:
    """A deleted list's name is free again: the constraint becomes a partial index. SQLite drops constraints only with the table."""
    added = [sa.Column("access_rules", Json), sa.Column("updated_at", Instant), sa.Column("deleted_at", Instant)]
    if op.get_bind().dialect.name == "sqlite":
        # Rows that refer to lists do so again at the end of the transaction.
        op.execute("PRAGMA defer_foreign_keys = ON")
        op.execute("CREATE TEMPORARY TABLE kept_lists AS SELECT * FROM entity_lists")
        op.drop_table("entity_lists")
        op.create_table(
            "entity_lists",
            sa.Column("id", RowId, primary_key=True),
            sa.Column("project_id", RowId, sa.ForeignKey("projects.id"), nullable=False),
            sa.Column("name", sa.String(255), nullable=False),
            sa.Column("approval_required", sa.Boolean, nullable=False),
            sa.Column("owner_only", sa.Boolean, nullable=False),
            sa.Column("created_at", Instant, nullable=False),
            *added,
        )
        names = "id, project_id, name, approval_required, owner_only, created_at"
        op.execute(f"INSERT INTO entity_lists ({names}) SELECT {names} FROM kept_lists")
        op.execute("DROP TABLE kept_lists")
    else:
        op.drop_constraint("uq_entity_lists_project_id_name", "entity_lists")
        for column in added:
            op.add_column("entity_lists", column)
    op.create_index("uq_entity_lists_project_id_name", "entity_lists", ["project_id", "name"], unique=True,
                    sqlite_where=_LIVING, postgresql_where=_LIVING)  # fmt: skip
    op.create_index("ix_entity_lists_trash", "entity_lists", ["project_id", "deleted_at"])


def _versions() -> None:
    op.execute("ALTER TABLE entity_versions RENAME COLUMN changed TO received")
    for column in (
        sa.Column("conflicting", Json), sa.Column("forced", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("is_late_create", sa.Boolean, nullable=False, server_default=sa.false()), sa.Column("source_id", sa.BigInteger),
        sa.Column("submission_id", sa.BigInteger), sa.Column("event", sa.String(40)), sa.Column("user_agent", sa.String(255)),
    ):  # fmt: skip
        op.add_column("entity_versions", column)
    _find_submissions("entity_versions")
    op.execute("UPDATE entity_versions SET event = 'submission.create' WHERE submission_id IS NOT NULL")
    for name in ("submission", "source"):
        where = sa.text(f"{name}_id IS NOT NULL")
        op.create_index(f"ix_entity_versions_{name}", "entity_versions", ["project_id", f"{name}_id"], sqlite_where=where, postgresql_where=where)


def _held() -> None:
    for column in (
        sa.Column("submission_id", sa.BigInteger), sa.Column("actor_id", sa.BigInteger),
        sa.Column("division", sa.String(12), nullable=False, server_default=""),
    ):  # fmt: skip
        op.add_column("entities_held", column)
    _find_submissions("entities_held")
    op.create_index("ix_entities_held_submission", "entities_held", ["project_id", "submission_id"])
    op.create_index("ix_entities_held_since", "entities_held", ["held_at"])


def _find_submissions(table: str) -> None:
    op.execute(
        f"UPDATE {table} SET submission_id = (SELECT v.submission_id FROM submission_versions v"
        f" WHERE v.project_id = {table}.project_id AND v.id = {table}.submission_version_id) WHERE submission_version_id IS NOT NULL"
    )
