"""Blobs that nothing names are swept: when that began, and when the bytes were gone."""

import sqlalchemy as sa
from alembic import op

from server.model.schema import Instant

revision = "0004"
down_revision = "0003"

_SWEPT = sa.text("swept_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("blobs", sa.Column("swept_at", Instant))
    op.add_column("blobs", sa.Column("removed_at", Instant))
    op.create_index("ix_blobs_swept", "blobs", ["swept_at"], sqlite_where=_SWEPT, postgresql_where=_SWEPT)
    op.create_index("ix_form_versions_xlsx_sha256", "form_versions", ["xlsx_sha256"])
