"""The parts of the running app: everything an adapter needs, and nothing at module level."""

from __future__ import annotations

from dataclasses import dataclass, field

from flask import current_app
from sqlalchemy import Engine

from server.access.actor import Actor
from server.access.secrets import Secrets
from server.http.kept_csvs import KeptCsvs
from server.settings import Settings
from server.storage import Storage


@dataclass(frozen=True, slots=True)
class Parts:
    settings: Settings
    engine: Engine
    secrets: Secrets
    storage: Storage
    # Read by the pages of oversight alone; nothing connects before that.
    central: Engine
    # Phones by id, with the monotonic second when last_seen_at was written; and tokens of phones that sent a moment ago, as
    # (until, actor): credentials.py.
    phones_seen: dict[int, float] = field(default_factory=dict, repr=False)
    known_phones: dict[str, tuple[float, Actor]] = field(default_factory=dict, repr=False)
    csvs: KeptCsvs = field(default_factory=KeptCsvs, repr=False)


def parts() -> Parts:
    """The current app's parts."""
    return current_app.extensions["minqing"]  # type: ignore[no-any-return]
