"""The first schema, as the models stood then."""

from alembic import op

from server.model import Table

revision = "0001"
down_revision = None


def upgrade() -> None:
    Table.metadata.create_all(op.get_bind())
