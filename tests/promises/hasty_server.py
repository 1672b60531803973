"""`minqing serve` with a fault planted: it acknowledges first and commits a moment later. The crash test must find it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import server.cli
from server.openrosa import submission as submission_views
from server.serving import Gateway, gateway
from server.transactions import transaction


def hasty_gateway() -> Gateway:
    """The gateway over views whose write transactions commit 300 ms after the answer."""

    @contextmanager
    def answer_first(engine: Any, *, write: bool = False) -> Iterator[Any]:
        if not write:
            with transaction(engine) as session:
                yield session
            return
        opened, answered = threading.Event(), threading.Event()
        kept: list[Any] = []

        def commit_late() -> None:
            with transaction(engine, write=True) as session:
                kept.append(session)
                opened.set()
                answered.wait()
                time.sleep(0.3)

        threading.Thread(target=commit_late, daemon=True).start()
        opened.wait()
        try:
            yield kept[0]
        finally:
            answered.set()

    submission_views.transaction = answer_first
    return gateway()


if __name__ == "__main__":
    server.cli.GATEWAY = "tests.promises.hasty_server:hasty_gateway"
    server.cli.minqing(["serve", *__import__("sys").argv[1:]])
