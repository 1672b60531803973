"""An entity's version names the one that it corrects."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("entity_versions", sa.Column("supersedes", sa.Integer))
