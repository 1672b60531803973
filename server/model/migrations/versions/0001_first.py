"""The first schema, statement by statement as it was then: 0001_first.<database>.sql."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    connection = op.get_bind()
    script = Path(__file__).with_name(f"0001_first.{connection.dialect.name}.sql").read_text(encoding="utf-8")
    for statement in script.split("\n", 1)[1].split(";\n"):
        if statement.strip():
            connection.exec_driver_sql(statement)
