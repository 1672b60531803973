"""An import's file is not kept once its rows are in the list: it has people's numbers as they are written."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    with op.batch_alter_table("entity_imports") as table:
        table.alter_column("blob_sha256", existing_type=sa.String(64), nullable=True)
    op.execute("UPDATE entity_imports SET blob_sha256 = NULL, samples = '[]' WHERE state IN ('done', 'undoing', 'undone')")
