"""`minqing serve` with a fault planted: it acknowledges first and commits a moment later. The crash test must find it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import server.cli
from server.openrosa import arrivals
from server.openrosa import submission as submission_views
from server.serving import Gateway, gateway
from server.submissions.arrive import Arrived, arrive
from server.submissions.known_forms import known_form
from server.transactions import transaction


def hasty_gateway() -> Gateway:
    """The gateway over views, and a short way, whose writes commit 300 ms after the answer."""

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

    def arrive_late(*arrival: Any) -> Arrived | None:
        _writer, engine, project_id, _token, envelope, *_rest = arrival
        if known_form(engine, project_id, envelope.form_id, envelope.version) is None:
            return None
        threading.Timer(0.3, lambda: arrive(*arrival)).start()
        return Arrived(submitter_id=0)

    submission_views.transaction = answer_first
    arrivals.arrive = arrive_late
    return gateway()


if __name__ == "__main__":
    server.cli.serving.GATEWAY = "tests.promises.hasty_server:hasty_gateway"
    server.cli.minqing(["serve", *__import__("sys").argv[1:]])
