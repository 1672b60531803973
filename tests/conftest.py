"""What every test may ask for: a running app on each database, a phone, an administrator's eyes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.actors.house import House
from tests.compiled_once import keep_compiled_addresses
from tests.databases import KINDS, empty_database, fresh_database

keep_compiled_addresses()


@pytest.fixture(params=KINDS)
def database_kind(request: pytest.FixtureRequest) -> str:
    """Each test that stores or asks runs on both."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def house(database_kind: str, tmp_path: Path) -> Iterator[House]:
    """A whole app with project 1 in it, over real HTTP semantics (WSGI), on this database."""
    made = House(fresh_database(database_kind, tmp_path), empty_database(database_kind, tmp_path), tmp_path)
    yield made
    made.close()
