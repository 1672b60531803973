"""pyodk, ODK's own client for programs, set up with nothing but the address of a `minqing serve`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyodk.client import Client

from tests.actors.live_server import LiveServer


@contextmanager
def odk_client(folder: Path) -> Iterator[Client]:
    """A client of a server of its own, signed in as its administrator, with project 1 as the default."""
    server = LiveServer(folder / "data")
    server.folder.mkdir()
    server.start("--no-forms")
    config = folder / "config.toml"
    config.write_text(
        f'[central]\nbase_url = "{server.address}"\nusername = "admin@minqing.local"\npassword = "a password of the tests"\ndefault_project_id = 1\n'
    )
    try:
        with Client(config_path=config, cache_path=folder / "cache.toml") as made:
            yield made
    finally:
        server.stop()
