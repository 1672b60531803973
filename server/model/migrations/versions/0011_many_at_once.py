"""Many entities are inserted with less work.

The foreign key of each entity's list cost a fifth of its row: who inserts has found the list in the same transaction, and a list is erased
with its entities a month after anybody could find it (entities/purge.py). On SQLite it and an UPSERT in a trigger also made an INSERT keep copies of pages for its own undoing,
which cost as much again. The unique index begins with what tells its entries apart. Versions without a submission are in no index of
submissions, and a first version that says just what it is does not say it twice.
"""

import sqlalchemy as sa
from alembic import op

from server.model.schema import Json

revision = "0011"
down_revision = "0010"

_PLACE = "list_id = NEW.list_id AND division = NEW.division AND slot = 0"
_KEY = ", \n\tCONSTRAINT fk_entities_list_id FOREIGN KEY(list_id) REFERENCES entity_lists (id)"


def upgrade() -> None:
    op.drop_index("ix_entity_versions_submission_version_id", "entity_versions")
    present = sa.text("submission_version_id IS NOT NULL")
    op.create_index(
        "ix_entity_versions_submission_version_id", "entity_versions", ["submission_version_id"], sqlite_where=present, postgresql_where=present
    )  # fmt: skip
    op.drop_index("uq_entities_list_id_uuid", "entities")
    op.create_index("uq_entities_uuid_list_id", "entities", ["uuid", "list_id"], unique=True)
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint("fk_entities_list_id", "entities")
        op.alter_column("entity_versions", "received", existing_type=Json, nullable=True)
        return
    op.execute("DROP TRIGGER entity_sums_insert")
    _make_anew("entities", _KEY, "")
    _make_anew("entity_versions", "received JSON NOT NULL", "received JSON")
    # List 0: see 0010.
    op.execute(
        "CREATE TRIGGER entity_sums_insert AFTER INSERT ON entities"
        " WHEN NEW.deleted_at IS NULL AND NOT EXISTS (SELECT 1 FROM entity_sums WHERE list_id = 0) BEGIN"
        " INSERT INTO entity_sums (list_id, division, slot, entities, total)"
        f" SELECT NEW.list_id, NEW.division, 0, 0, 0 WHERE NOT EXISTS (SELECT 1 FROM entity_sums WHERE {_PLACE});"
        f" UPDATE entity_sums SET entities = entities + 1, total = total + NEW.stamp WHERE {_PLACE};"
        " END"
    )


def _make_anew(name: str, former: str, wanted: str) -> None:
    """The table with one of its clauses changed, its rows, its indexes and its other triggers: SQLite alters no constraint."""
    connection = op.get_bind()
    made = f"SELECT sql FROM sqlite_master WHERE tbl_name = '{name}' AND sql IS NOT NULL AND type"
    table = connection.exec_driver_sql(f"{made} = 'table'").scalar_one()
    others = connection.exec_driver_sql(f"{made} IN ('index', 'trigger')").scalars().all()
    assert former in table, table
    connection.exec_driver_sql(table.replace(f"TABLE {name}", f"TABLE {name}_anew", 1).replace(former, wanted))
    connection.exec_driver_sql(f"INSERT INTO {name}_anew SELECT * FROM {name}")
    connection.exec_driver_sql(f"DROP TABLE {name}")
    connection.exec_driver_sql(f"ALTER TABLE {name}_anew RENAME TO {name}")
    for statement in others:
        connection.exec_driver_sql(statement)
