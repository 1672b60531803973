"""A central database for each test, beside the running app or alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from server.transactions import open_engine
from tests.actors.house import House
from tests.databases import empty_database


@pytest.fixture
def central(house: House) -> Iterator[Engine]:
    """The app's own central database."""
    engine = open_engine(house.settings.central_database)
    yield engine
    engine.dispose()


@pytest.fixture
def target(database_kind: str, tmp_path: Path) -> Iterator[Engine]:
    """An empty central database without an app."""
    engine = open_engine(empty_database(database_kind, tmp_path))
    yield engine
    engine.dispose()
