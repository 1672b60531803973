"""On SQLite, whoever inserts many entities adds them to the sums at once (entities/bulk.py): a trigger's run for each row cost more than the row."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        return
    op.execute("DROP TRIGGER entity_sums_insert")
    # List 0, which there never is, has a row from before many are inserted until their sums are there: in one transaction of SQLite's one writer.
    op.execute(
        "CREATE TRIGGER entity_sums_insert AFTER INSERT ON entities"
        " WHEN NEW.deleted_at IS NULL AND NOT EXISTS (SELECT 1 FROM entity_sums WHERE list_id = 0) BEGIN"
        " INSERT INTO entity_sums (list_id, division, slot, entities, total) VALUES (NEW.list_id, NEW.division, 0, 1, NEW.stamp)"
        " ON CONFLICT (list_id, division, slot) DO UPDATE SET entities = entity_sums.entities + excluded.entities, total = entity_sums.total + excluded.total;"
        " END"
    )
