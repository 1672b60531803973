"""The schema: made on both databases, equal to the models, refused when it is newer than the program."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from server.model import Table
from server.model.revision import HEAD, prepare_schema, read_revision
from server.problems import Problem
from server.transactions import open_engine, transaction
from tests.actors.live_server import LiveServer
from tests.databases import empty_database


def test_an_empty_database_comes_to_the_models(database_kind: str, tmp_path: Path) -> None:
    engine = open_engine(empty_database(database_kind, tmp_path))
    prepare_schema(engine)
    prepare_schema(engine)
    with engine.connect() as connection:
        assert read_revision(connection) == HEAD
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        differences = [d for d in compare_metadata(context, Table.metadata) if "alembic_version" not in repr(d)]
    engine.dispose()
    assert differences == []


def test_a_newer_schema_is_refused_and_left_as_it_is(database_kind: str, tmp_path: Path) -> None:
    url = empty_database(database_kind, tmp_path)
    engine = open_engine(url)
    prepare_schema(engine)
    with transaction(engine, write=True) as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Problem, match="newer minqing"):
        prepare_schema(engine)
    engine.dispose()
    with pytest.raises(RuntimeError, match="升级本程序"):
        LiveServer(tmp_path, database_url=url).start()
