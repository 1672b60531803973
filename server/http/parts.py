"""The parts of the running app: everything an adapter needs, and nothing at module level."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app
from sqlalchemy import Engine

from server.access.secrets import Secrets
from server.settings import Settings
from server.storage import Storage


@dataclass(frozen=True, slots=True)
class Parts:
    settings: Settings
    engine: Engine
    secrets: Secrets
    storage: Storage


def parts() -> Parts:
    """The current app's parts."""
    return current_app.extensions["minqing"]  # type: ignore[no-any-return]
