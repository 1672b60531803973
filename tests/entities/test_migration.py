"""Lists and entities of before keep what they had."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import IntegrityError

import server.model
from server.model.revision import prepare_schema
from server.transactions import open_engine
from tests.databases import empty_database

_AT = "'2026-01-01 00:00:00.000000'"
_A_LIST = (
    f"INSERT INTO projects (id, name, created_at) VALUES (1, 'p', {_AT})",
    f"INSERT INTO entity_lists (id, project_id, name, approval_required, owner_only, created_at) VALUES (7, 1, 'people', false, true, {_AT})",
)


def _at(revision: str, database_kind: str, tmp_path: Path) -> Engine:
    engine = open_engine(empty_database(database_kind, tmp_path))
    config = Config()
    config.set_main_option("script_location", str(Path(server.model.__file__).parent / "migrations"))
    with engine.execution_options(minqing_write=True).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    return engine


def test_lists_entities_and_versions_of_before_are_still_there(database_kind: str, tmp_path: Path) -> None:
    engine = _at("0002", database_kind, tmp_path)
    with engine.execution_options(minqing_write=True).begin() as connection:
        for statement in (
            *_A_LIST,
            f"INSERT INTO entity_properties (id, list_id, name, created_at) VALUES (1, 7, 'age', {_AT})",
            ("INSERT INTO entities (project_id, id, list_id, uuid, label, data, version, division, created_at)"
            f" VALUES (1, 5, 7, 'u', 'Zhang', '{{}}', 1, '', {_AT})"),
            ("INSERT INTO entity_versions (project_id, entity_id, version, label, data, changed, created_at)"
            f" VALUES (1, 5, 1, 'Zhang', '{{}}', '{{\"age\": \"5\"}}', {_AT})"),
        ):
            connection.exec_driver_sql(statement)
    prepare_schema(engine)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT id, name, owner_only, deleted_at FROM entity_lists")).one() in [(7, "people", 1, None), (7, "people", True, None)]
        assert connection.execute(text("SELECT e.uuid, e.stamp, v.received FROM entities e JOIN entity_versions v ON v.entity_id = e.id")).one()[0:2] == ("u", 5)
        assert connection.execute(text("SELECT name FROM entity_properties WHERE list_id = 7")).scalar_one() == "age"
    engine.dispose()


def test_entities_made_before_many_went_in_at_once_keep_their_sums_their_history_and_their_list(database_kind: str, tmp_path: Path) -> None:
    engine = _at("0010", database_kind, tmp_path)
    people = "INSERT INTO entities (project_id, id, list_id, uuid, label, data, version, division, created_at, stamp)"
    with engine.execution_options(minqing_write=True).begin() as connection:
        for statement in (
            *_A_LIST,
            f"{people} VALUES (1, 5, 7, 'u', 'Zhang', '{{}}', 1, '632223201', {_AT}, 11), (1, 6, 7, 'v', 'Li', '{{}}', 1, '632223201', {_AT}, 31)",
            ("INSERT INTO entity_versions (project_id, entity_id, version, label, data, received, created_at)"
            f" VALUES (1, 5, 1, 'Zhang', '{{}}', '{{\"age\": \"5\"}}', {_AT})"),
        ):
            connection.exec_driver_sql(statement)
    prepare_schema(engine)
    with engine.execution_options(minqing_write=True).begin() as connection:
        assert _sum_of(connection) == (2, 42)
        assert connection.execute(text("SELECT received FROM entity_versions")).scalar_one() in ('{"age": "5"}', {"age": "5"})
        connection.exec_driver_sql(f"{people} VALUES (1, 8, 7, 'w', 'Wang', '{{}}', 1, '632223201', {_AT}, 100), (1, 9, 7, 'x', 'Ma', '{{}}', 1, '632223202', {_AT}, 1000)")
        assert _sum_of(connection) == (4, 1142)
        connection.exec_driver_sql("UPDATE entities SET stamp = 1 WHERE id = 5")
        connection.exec_driver_sql("DELETE FROM entities WHERE id = 6")
        assert _sum_of(connection) == (3, 1101)
    with pytest.raises(IntegrityError), engine.execution_options(minqing_write=True).begin() as connection:
        connection.exec_driver_sql(f"{people} VALUES (1, 10, 7, 'w', 'Zhao', '{{}}', 1, '', {_AT}, 1)")
    engine.dispose()


def _sum_of(connection: Connection) -> tuple[int, int]:
    entities, total = connection.execute(text("SELECT sum(entities), sum(total) FROM entity_sums")).one()
    return int(entities), int(total)
