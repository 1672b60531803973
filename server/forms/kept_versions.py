"""What is read of a form version, kept in memory: a version's row is never changed, so what was read once stays true."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import Dialect, Engine
from sqlalchemy.orm import Session

T = TypeVar("T")


class KeptVersions(Generic[T]):
    """By form version's id, at most `most`; one for the process."""

    def __init__(self, most: int) -> None:
        self._most = most
        # By the engine's dialect, which its readers and writers share: two apps with two databases live in one process.
        self._kept: WeakKeyDictionary[Dialect, dict[int, T]] = WeakKeyDictionary()

    def find(self, engine: Engine, form_version_id: int) -> T | None:
        """What is in memory already."""
        return self._kept.get(engine.dialect, {}).get(form_version_id)

    def find_or_read(self, session: Session, form_version_id: int, read: Callable[[Session, int], T]) -> T:
        """What is kept, or what `read` gives, kept from now on. Raises: what `read` raises."""
        bind: Any = session.get_bind()
        kept = self._kept.setdefault(bind.engine.dialect, {})
        if form_version_id not in kept:
            found = read(session, form_version_id)
            if len(kept) >= self._most:
                kept.clear()
            kept[form_version_id] = found
        return kept[form_version_id]

    def forget(self, engine: Engine) -> None:
        """The database was replaced: all is read anew."""
        self._kept.pop(engine.dialect, None)
