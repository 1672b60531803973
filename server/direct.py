"""Work on the driver's own connection, one for each thread: for the path that every submission takes.

On PostgreSQL a piece of work is one statement that commits itself. On SQLite, which has one writer, pieces that wait at the same
time share a transaction and its fsync; none is told that it is done before that transaction is durable.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine

from server import problems

Work = Callable[[Any], Any]


class _Waiting:
    __slots__ = ("error", "is_done", "result", "work")

    def __init__(self, work: Work) -> None:
        self.work, self.is_done, self.result, self.error = work, False, None, None

    def run(self, cursor: Any) -> None:
        self.result = self.work(cursor)

    def outcome(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.result


class DirectWriter:
    """Runs pieces of work that write, each of them wholly or not at all."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.is_postgresql = engine.dialect.name == "postgresql"
        self._local = threading.local()
        self._leader, self._queue, self._waiting = threading.Lock(), threading.Lock(), list[_Waiting]()

    def run(self, work: Work) -> Any:
        """What `work(cursor)` returns, once it is durable. On PostgreSQL it must be one statement. Raises: busy, what `work` raises."""
        waiting = _Waiting(work)
        try:
            if self.is_postgresql:
                waiting.run(self._connection().cursor())
            else:
                self._run_grouped(waiting)
        except self._engine.dialect.loaded_dbapi.OperationalError as error:
            self._local.held = None
            raise problems.busy() from error
        return waiting.outcome()

    def read(self, work: Work) -> Any:
        """What `work(cursor)` returns, which only reads: each of its statements sees what is committed then. Raises: busy, what `work` raises."""
        try:
            return work(self._connection().cursor())
        except self._engine.dialect.loaded_dbapi.OperationalError as error:
            self._local.held = None
            raise problems.busy() from error

    def _connection(self) -> Any:
        held = getattr(self._local, "held", None)
        if held is None or held.driver_connection is None:
            held = self._local.held = self._engine.raw_connection()
            if self.is_postgresql:
                held.driver_connection.rollback()
                held.driver_connection.autocommit = True
        return held.driver_connection

    def _run_grouped(self, waiting: _Waiting) -> None:
        with self._queue:
            self._waiting.append(waiting)
        with self._leader:
            # Whoever led before us may have done our work with its own.
            if waiting.is_done:
                return
            with self._engine.dialect.minqing_writer:  # type: ignore[attr-defined]
                with self._queue:
                    group, self._waiting = self._waiting, []
                try:
                    self._commit(group)
                except Exception:
                    for one in group:
                        self._commit_alone(one)
            for one in group:
                one.is_done = True

    def _commit(self, group: list[_Waiting]) -> None:
        cursor = self._connection().cursor()
        cursor.execute("BEGIN IMMEDIATE")
        try:
            for one in group:
                one.run(cursor)
            cursor.execute("COMMIT")
        except BaseException:
            cursor.execute("ROLLBACK")
            raise

    def _commit_alone(self, one: _Waiting) -> None:
        try:
            self._commit([one])
        except Exception as error:
            one.error = error
