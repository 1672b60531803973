"""Sums of entities' stamps by list and division, kept by triggers: what a phone's list is, told without reading its rows."""

import sqlalchemy as sa
from alembic import op

from server.model.schema import RowId

revision = "0008"
down_revision = "0007"

_ADDED = (
    "ON CONFLICT (list_id, division, slot) DO UPDATE SET entities = entity_sums.entities + excluded.entities, total = entity_sums.total + excluded.total"
)
_COLUMNS = "INSERT INTO entity_sums (list_id, division, slot, entities, total)"


def upgrade() -> None:
    op.create_table(
        "entity_sums",
        sa.Column("list_id", RowId, primary_key=True, autoincrement=False),
        sa.Column("division", sa.String(12), primary_key=True),
        sa.Column("slot", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("entities", sa.BigInteger, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.execute(f"{_COLUMNS} SELECT list_id, division, 0, count(*), sum(stamp) FROM entities WHERE deleted_at IS NULL GROUP BY list_id, division")
    op.drop_index("ix_entities_stamps", "entities")
    if op.get_bind().dialect.name == "postgresql":
        _on_postgresql()
    else:
        _on_sqlite()


def _on_sqlite() -> None:
    """Row by row: there is one writer, and one slot."""
    more = f"{_COLUMNS} SELECT NEW.list_id, NEW.division, 0, 1, NEW.stamp WHERE NEW.deleted_at IS NULL {_ADDED};"
    less = (
        "UPDATE entity_sums SET entities = entities - 1, total = total - OLD.stamp"
        " WHERE list_id = OLD.list_id AND division = OLD.division AND slot = 0 AND OLD.deleted_at IS NULL;"
    )
    op.execute(f"CREATE TRIGGER entity_sums_insert AFTER INSERT ON entities BEGIN {more} END")
    op.execute(f"CREATE TRIGGER entity_sums_update AFTER UPDATE OF list_id, division, stamp, deleted_at ON entities BEGIN {less} {more} END")
    op.execute(f"CREATE TRIGGER entity_sums_delete AFTER DELETE ON entities BEGIN {less} END")


def _on_postgresql() -> None:
    """Statement by statement, each transaction in a slot of its own: no writer waits for another.

    Some transactions, by chance, take others' slots into their own; slots that somebody else is taking are passed over.
    """
    more = "SELECT list_id, division, 1 AS entities, stamp AS total FROM made WHERE deleted_at IS NULL"
    less = "SELECT list_id, division, -1 AS entities, -stamp AS total FROM former WHERE deleted_at IS NULL"
    for operation, tables, change in (
        ("insert", "NEW TABLE AS made", more), ("update", "OLD TABLE AS former NEW TABLE AS made", f"{more} UNION ALL {less}"),
        ("delete", "OLD TABLE AS former", less),
    ):  # fmt: skip
        op.execute(
            f"""
            CREATE FUNCTION entity_sums_{operation}() RETURNS trigger LANGUAGE plpgsql AS $$
            DECLARE
                own bigint := pg_current_xact_id()::text::bigint;
            BEGIN
                {_COLUMNS} SELECT list_id, division, own, sum(entities), sum(total) FROM ({change}) AS change
                GROUP BY list_id, division HAVING sum(entities) <> 0 OR sum(total) <> 0 {_ADDED};
                IF random() < 0.05 THEN
                    WITH taken AS (
                        DELETE FROM entity_sums USING (
                            SELECT list_id, division, slot FROM entity_sums
                            WHERE (list_id, division) IN (SELECT DISTINCT list_id, division FROM ({change}) AS change) AND slot <> own
                            LIMIT 1000 FOR UPDATE SKIP LOCKED
                        ) AS free
                        WHERE entity_sums.list_id = free.list_id AND entity_sums.division = free.division AND entity_sums.slot = free.slot
                        RETURNING entity_sums.*
                    )
                    {_COLUMNS} SELECT list_id, division, own, sum(entities), sum(total) FROM taken GROUP BY list_id, division {_ADDED};
                END IF;
                RETURN NULL;
            END $$
            """
        )
        op.execute(
            f"CREATE TRIGGER entity_sums_{operation} AFTER {operation.upper()} ON entities REFERENCING {tables}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION entity_sums_{operation}()"
        )
