"""What a submission's version breaks of its form's rules."""

import sqlalchemy as sa
from alembic import op

from server.model.schema import Instant, Json

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "rule_violations",
        sa.Column("project_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("version_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("submission_id", sa.BigInteger, nullable=False),
        sa.Column("violations", Json, nullable=False),
        sa.Column("checked_at", Instant, nullable=False),
    )
    op.create_index("ix_rule_violations_submission", "rule_violations", ["project_id", "submission_id"])
