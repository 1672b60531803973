"""Entity lists as they were last made for phones: a village's phones share one, so that it is read from the database once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable

MOST_BYTES = 64_000_000
# A longer list is streamed from the database to each phone.
MOST_ROWS = 50_000


class KeptCsvs:
    """Bytes by digest, the longest unused dropped first once there are more than `most_bytes`; one per process."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._size = 0
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()
        self._making: dict[str, threading.Lock] = {}

    def find(self, digest: str) -> bytes | None:
        """What is kept under the digest."""
        with self._lock:
            found = self._kept.get(digest)
            if found is not None:
                self._kept.move_to_end(digest)
            return found

    def find_or_make(self, digest: str, pieces: Iterable[bytes]) -> bytes:
        """What is kept, or else `pieces`, kept from now on. Whoever asks meanwhile waits and makes nothing."""
        with self._lock:
            making = self._making.setdefault(digest, threading.Lock())
        try:
            with making:
                found = self.find(digest)
                if found is None:
                    found = b"".join(pieces)
                    self._keep(digest, found)
                return found
        finally:
            with self._lock:
                self._making.pop(digest, None)

    def forget(self) -> None:
        """Nothing is kept."""
        with self._lock:
            self._kept.clear()
            self._size = 0

    def _keep(self, digest: str, content: bytes) -> None:
        with self._lock:
            if len(content) > self._most // 4 or digest in self._kept:
                return
            self._kept[digest] = content
            self._size += len(content)
            while self._size > self._most:
                self._size -= len(self._kept.popitem(last=False)[1])
