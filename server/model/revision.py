"""The schema's revision: prepared by Alembic, refused if newer than this program knows."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from server import problems

HEAD = "0011"


def read_revision(connection: Connection) -> str | None:
    """The revision that the database stands at; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def check_revision(connection: Connection) -> None:
    """The database stands at this program's revision. Raises: schema_is_newer."""
    found = read_revision(connection)
    if found != HEAD:
        raise problems.schema_is_newer(found or "-")


def prepare_schema(engine: Engine) -> None:
    """The database stands at HEAD, made or migrated if need be. Raises: schema_is_newer (nothing is changed then)."""
    with engine.connect() as connection:
        found = read_revision(connection)
    if found == HEAD:
        return
    if found is not None and found > HEAD:
        raise problems.schema_is_newer(found)
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    with engine.execution_options(minqing_write=True).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
