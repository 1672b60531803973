"""An empty central database beside the house, on the same kind of database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from server.transactions import open_engine
from tests.databases import empty_database


@pytest.fixture
def target(database_kind: str, tmp_path: Path) -> Iterator[Engine]:
    """An empty central database without an app."""
    engine = open_engine(empty_database(database_kind, tmp_path))
    yield engine
    engine.dispose()
