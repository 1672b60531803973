"""Runs the log's consumers by lease: numbering, sync, audit chain, spilled blobs. One node runs each; another takes over.

A process of its own beside the web workers (`python -m server.jobs`), so that its work never holds up a phone.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, delete, exists, select, update
from sqlalchemy.orm import Session

from server.access.actor import system_actor
from server.access.audit import chain_audit
from server.access.sealed import open_server_database
from server.changes import last_position
from server.entities.held import force_held
from server.entities.imports import work as imports
from server.entities.purge import purge_entities, purge_lists
from server.forms.catalogue_file import county_catalogue
from server.model import AccountSession, AuditEntry, BlobBytes, Change, Cursor, Lease
from server.oversight.upkeep import Upkeep
from server.settings import Settings
from server.storage import Storage, StoreAway, open_storage
from server.storage.sweep import sweep_in_pieces
from server.submissions import rule_check
from server.submissions.form_purge import purge_trash_piece, trash_limit
from server.transactions import open_engine, transaction

log = logging.getLogger(__name__)
_LEASE_SECONDS = 15
_IDLE_SECONDS = 0.4
_SYNC_BATCH = 500
# As large as the sync's: a smaller one is full while the sync's is not, and the rounds would follow each other without a pause.
_RULES_BATCH = 500
_CHAIN_BATCH = 2000
_ENTITY_BATCH = 200
# Not at once: starting again and again must not read the whole store each time.
_FIRST_SWEEP_SECONDS = 3600


def take_lease(session: Session, job: str, holder: str) -> bool:
    """`holder` runs `job` for the next 15 seconds; False while another does. Needs a write transaction."""
    now = datetime.now(UTC)
    until = now + timedelta(seconds=_LEASE_SECONDS)
    mine = update(Lease).where(Lease.job == job, (Lease.holder == holder) | (Lease.expires_at < now))
    if session.execute(mine.values(holder=holder, expires_at=until)).rowcount == 1:  # type: ignore[attr-defined]
        return True
    if session.get(Lease, job) is not None:
        return False
    session.add(Lease(job=job, holder=holder, expires_at=until))
    session.flush()
    return True


@dataclass(slots=True)
class Job:
    """`work` does one bounded piece and says whether a full one is left; `waiting` says cheaply whether it is worth calling."""

    name: str
    work: Callable[[], bool]
    waiting: Callable[[], bool]
    failures: int = 0
    not_before: float = 0.0
    leased_until: float = field(default=0.0)


class Jobs:
    """All jobs of one node."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.engine: Engine = open_server_database(settings, pool_size=2)
        self.storage: Storage = open_storage(settings.blob_storage, settings.s3_endpoint, self.engine)
        self.holder = f"{socket.gethostname()}:{os.getpid()}"
        upkeep = Upkeep(self.engine, lambda: county_catalogue(settings))
        self.jobs = [
            Job("sync", self._sync, self._sync_waiting),
            Job("audit-chain", self._chain, lambda: self._any(select(exists().where(AuditEntry.position.is_(None))))),
            Job("spilled-blobs", self._move, lambda: self._any(select(exists().select_from(BlobBytes)))),
            Job("rules", lambda: rule_check.check_arrivals(self.engine, limit=_RULES_BATCH) >= _RULES_BATCH, self._rules_waiting),
            Job("due-dates", upkeep.work, upkeep.is_waiting),
            Job("trash", self._empty_trash, lambda: True),
            Job("entities", self._settle_entities, lambda: True),
            Job("blobs", self._sweep_blobs, lambda: True, not_before=time.monotonic() + _FIRST_SWEEP_SECONDS),
            Job("imports", lambda: imports.work_on_any(self.engine, self.storage, self.holder), self._imports_waiting),
            Job("sessions", self._sessions, lambda: True),
        ]
        self._central: Engine | None = None
        self._sweeping: Iterator[int] | None = None
        self._synced_position = -1

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set: each job by lease; a failing one backs off alone, up to a minute."""
        while not stop.is_set():
            is_behind = [self._run_one(job) for job in self.jobs]
            # A pause also under load: a round costs some commits whatever it carries, so few large rounds are cheaper.
            if not any(is_behind):
                stop.wait(_IDLE_SECONDS)
        self._give_back()

    def _run_one(self, job: Job) -> bool:
        if time.monotonic() < job.not_before:
            return False
        try:
            if not job.waiting() or not self._leased(job):
                return False
            worked = job.work()
            job.failures = 0
        except Exception as error:
            job.failures += 1
            job.not_before = time.monotonic() + min(60, 0.5 * 2**job.failures)
            log.warning("job %s failed %d times, last: %s", job.name, job.failures, type(error).__name__)
            self._note_failure(job, error)
            return False
        return worked

    def _leased(self, job: Job) -> bool:
        if time.monotonic() < job.leased_until:
            return True
        with transaction(self.engine, write=True) as session:
            taken = take_lease(session, job.name, self.holder)
        # Ours for 15 s, renewed after 5: a piece of work takes less than the rest.
        job.leased_until = time.monotonic() + _LEASE_SECONDS / 3 if taken else 0.0
        return taken

    def _note_failure(self, job: Job, error: Exception) -> None:
        try:
            with transaction(self.engine, write=True) as session:
                row = session.get(Cursor, job.name) or Cursor(consumer=job.name, position=0, failures=0)
                session.add(row)
                row.failures, row.last_error, row.updated_at = job.failures, type(error).__name__, datetime.now(UTC)
        except Exception as second:
            log.warning("could not note the failure of %s: %s", job.name, type(second).__name__)

    def _any(self, statement: object) -> bool:
        with transaction(self.engine) as session:
            return bool(session.scalar(statement))  # type: ignore[call-overload]

    def _sync_waiting(self) -> bool:
        with transaction(self.engine) as session:
            if session.scalar(select(exists().where(Change.position.is_(None)))):
                return True
            return last_position(session) > max(self._synced_position, 0)

    def _sync(self) -> bool:
        from sync.load import read_position
        from sync.replicate import replicate_changes

        if self._central is None:
            self._central = open_engine(self.settings.central_database, pool_size=2)
        applied = replicate_changes(self.engine, self._central, batch=_SYNC_BATCH, limit_batches=1)
        if applied < _SYNC_BATCH:
            with transaction(self._central) as session:
                self._synced_position = read_position(session.connection())
        return applied >= _SYNC_BATCH

    def _chain(self) -> bool:
        with transaction(self.engine, write=True) as session:
            return chain_audit(session, limit=_CHAIN_BATCH) >= _CHAIN_BATCH

    def _move(self) -> bool:
        try:
            return self.storage.move_spilled() > 0
        except StoreAway as error:
            raise RuntimeError("blob store away") from error

    def _empty_trash(self) -> bool:
        with transaction(self.engine, write=True) as session:
            more = purge_trash_piece(session, trash_limit())
        if not more:
            next(job for job in self.jobs if job.name == "trash").not_before = time.monotonic() + 3600
        return more

    def _settle_entities(self) -> bool:
        """What waited five days for an earlier offline update is applied; what was deleted a month ago is erased, and files that nobody imported."""
        with transaction(self.engine, write=True) as session:
            actor = system_actor("jobs")
            forced, purged = force_held(session, actor, limit=_ENTITY_BATCH), purge_entities(session, actor, limit=_ENTITY_BATCH)
            forgotten = imports.forget_files(session, limit=_ENTITY_BATCH)
            more = _ENTITY_BATCH in (forced, purged, forgotten) or purge_lists(session, actor, limit=1) > 0
        if not more:
            next(job for job in self.jobs if job.name == "entities").not_before = time.monotonic() + 600
        return more

    def _sweep_blobs(self) -> bool:
        """One piece; a day's pause after the last."""
        self._sweeping = self._sweeping or sweep_in_pieces(self.engine, self.storage)
        try:
            if next(self._sweeping, None) is not None:
                return True
        except StoreAway as error:
            self._sweeping = None
            raise RuntimeError("blob store away") from error
        self._sweeping = None
        next(job for job in self.jobs if job.name == "blobs").not_before = time.monotonic() + 86_400
        return False

    def _rules_waiting(self) -> bool:
        with transaction(self.engine) as session:
            return rule_check.is_behind(session)

    def _imports_waiting(self) -> bool:
        with transaction(self.engine) as session:
            return imports.is_waiting(session)

    def _sessions(self) -> bool:
        with transaction(self.engine, write=True) as session:
            session.execute(delete(AccountSession).where(AccountSession.expires_at < datetime.now(UTC)))
        self.jobs[-1].not_before = time.monotonic() + 600
        return False

    def _give_back(self) -> None:
        with transaction(self.engine, write=True) as session:
            session.execute(delete(Lease).where(Lease.holder == self.holder))


def main() -> None:
    """Until SIGTERM, SIGINT, or the end of the process that started it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    parent = os.getppid()

    def watch_parent() -> None:
        while not stop.wait(1):
            if os.getppid() != parent:
                stop.set()

    threading.Thread(target=watch_parent, daemon=True).start()
    Jobs(Settings.from_environment()).run(stop)


if __name__ == "__main__":
    main()
