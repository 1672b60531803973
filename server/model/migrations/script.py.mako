"""${message}

Rules: works on SQLite and PostgreSQL; adds before it drops; no statement that locks a large table for long
(CREATE INDEX on one goes CONCURRENTLY, by hand); set HEAD in server/model/revision.py; a test migrates with data in it.
"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
