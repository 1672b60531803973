"""Imports of files into entity lists; what an entity was at any time: its division in each version, and when it was deleted and restored."""

import sqlalchemy as sa
from alembic import op

from server.model.schema import Instant, Json, RowId

revision = "0005"
down_revision = "0004"

_AT_WORK = sa.text("state IN ('checking', 'importing', 'undoing')")
_OF_SOURCE = sa.text("source_id IS NOT NULL")
_CHUNK = 1000


def upgrade() -> None:
    op.create_table(
        "entity_imports",
        sa.Column("project_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("list_id", RowId, sa.ForeignKey("entity_lists.id"), nullable=False),
        sa.Column("actor_id", sa.BigInteger),
        sa.Column("division", sa.String(12), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("file_name", sa.String(255), nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("blob_sha256", sa.String(64), sa.ForeignKey("blobs.sha256"), nullable=False, index=True),
        sa.Column("rows_sha256", sa.String(64), sa.ForeignKey("blobs.sha256"), index=True),
        sa.Column("plan_sha256", sa.String(64), sa.ForeignKey("blobs.sha256"), index=True),
        sa.Column("sheet", sa.String(255)),
        *(sa.Column(name, Json, nullable=False) for name in ("sheets", "columns", "samples", "settings")),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("rows_total", "rows_checked", "rows_good", "rows_bad", "errors_total")),
        sa.Column("errors", Json, nullable=False),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("position", "created_count", "updated_count", "unchanged_count", "skipped_count")),
        sa.Column("source_id", sa.BigInteger),
        sa.Column("undo_source_id", sa.BigInteger),
        sa.Column("undo_position", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("undone_count", "left_count")),
        sa.Column("left_alone", Json, nullable=False),
        sa.Column("holder", sa.String(100)),
        sa.Column("held_until", Instant),
        sa.Column("created_at", Instant, nullable=False),
        *(sa.Column(name, Instant) for name in ("checked_at", "started_at", "finished_at", "undone_at")),
        sa.Column("undone_by", sa.BigInteger),
    )
    op.create_index("ix_entity_imports_list", "entity_imports", ["list_id", "id"])
    op.create_index("ix_entity_imports_at_work", "entity_imports", ["state"], sqlite_where=_AT_WORK, postgresql_where=_AT_WORK)
    op.drop_index("ix_entity_versions_source", "entity_versions")
    op.create_index("ix_entity_versions_source", "entity_versions", ["project_id", "source_id", "entity_id"],
                    sqlite_where=_OF_SOURCE, postgresql_where=_OF_SOURCE)  # fmt: skip
    op.create_table(
        "entity_absences",
        sa.Column("project_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("entity_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("deleted_at", Instant, primary_key=True),
        sa.Column("restored_at", Instant),
    )
    _absences()
    _divisions()


def _divisions() -> None:
    """A version's division is that which its values name; where they name none, what is known is the entity's present one."""
    op.add_column("entity_versions", sa.Column("division", sa.String(12), nullable=False, server_default=""))
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    named = "entity_versions.data ->> 'division'" if is_postgresql else "json_extract(entity_versions.data, '$.division')"
    is_code = f"{named} ~ '^([0-9]{{2}}|[0-9]{{4}}|[0-9]{{6}}|[0-9]{{9}}|[0-9]{{12}})$'" if is_postgresql else f"({named} NOT GLOB '*[^0-9]*' AND length({named}) IN (2, 4, 6, 9, 12))"
    op.execute(
        f"UPDATE entity_versions SET division = CASE WHEN e.division <> '' AND {is_code} THEN {named} ELSE e.division END"
        " FROM entities e WHERE e.project_id = entity_versions.project_id AND e.id = entity_versions.entity_id"
    )


def _absences() -> None:
    """From the audit log, oldest first; and what is in the trash now, whatever the log says."""
    op.execute(
        "INSERT INTO entity_absences (project_id, entity_id, deleted_at)"
        " SELECT project_id, id, deleted_at FROM entities WHERE deleted_at IS NOT NULL"
    )
    connection = op.get_bind()
    entries = sa.table("audit_entries", sa.column("project_id", sa.BigInteger), sa.column("id", sa.BigInteger), sa.column("action", sa.String),
                       sa.column("at", Instant))  # fmt: skip
    audits = sa.table("entity_audits", sa.column("project_id", sa.BigInteger), sa.column("entity_id", sa.BigInteger), sa.column("audit_id", sa.BigInteger))
    absences = sa.table("entity_absences", sa.column("project_id", sa.BigInteger), sa.column("entity_id", sa.BigInteger),
                        sa.column("deleted_at", Instant), sa.column("restored_at", Instant))  # fmt: skip
    actions = ("entity.delete", "entity.bulk.delete", "entity.restore", "entity.bulk.restore")
    statement = (
        sa.select(audits.c.project_id, audits.c.entity_id, entries.c.action, entries.c.at)
        .join(entries, sa.and_(entries.c.project_id == audits.c.project_id, entries.c.id == audits.c.audit_id))
        .where(entries.c.action.in_(actions)).order_by(audits.c.project_id, audits.c.entity_id, entries.c.at)
    )  # fmt: skip
    open_since: dict[tuple[int, int], object] = {}
    rows = []
    for project_id, entity_id, action, at in connection.execute(statement):
        if action.endswith("delete"):
            open_since[project_id, entity_id] = at
        elif (since := open_since.pop((project_id, entity_id), None)) is not None:
            rows.append({"project_id": project_id, "entity_id": entity_id, "deleted_at": since, "restored_at": at})
    for start in range(0, len(rows), _CHUNK):
        connection.execute(absences.insert(), rows[start : start + _CHUNK])
