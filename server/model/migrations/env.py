"""Alembic's environment: the caller's connection, one transaction, one migrator at a time."""

from alembic import context
from sqlalchemy import text

from server.model import Table

connection = context.config.attributes["connection"]
if connection.dialect.name == "postgresql":
    connection.execute(text("SELECT pg_advisory_xact_lock(5274624)"))
context.configure(connection=connection, target_metadata=Table.metadata, render_as_batch=connection.dialect.name == "sqlite")
context.run_migrations()
