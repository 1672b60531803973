"""Kill the server, or the database, at any instant: what got a 201 is there once, whole, byte for byte, and in the central database."""

from __future__ import annotations

import os
import random
import signal
import socket
import threading
import time
import uuid
from pathlib import Path

import pytest
from sqlalchemy import select

from server.access.sealed import open_server_database
from server.model import Attachment, Submission, SubmissionVersion
from server.storage import open_storage
from server.transactions import open_engine, transaction
from sync.replicate import replicate_changes
from tests.actors.live_server import LiveServer, multipart
from tests.databases import Cluster
from tests.factories.questionnaire import a_visit, form_xml, visit_form

ROUNDS = int(os.environ.get("MINQING_CRASH_ROUNDS", "5"))


class Phones:
    """Six phones that send without pause, some of them with a line that breaks, and remember what was acknowledged."""

    def __init__(self, server: LiveServer, seed: int) -> None:
        self.server, self.luck = server, random.Random(seed)
        self.acknowledged: dict[str, tuple[bytes, bytes]] = {}
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        self._stop.clear()
        self._threads = [threading.Thread(target=self._send_on, args=(self.luck.randrange(10**9),)) for _ in range(6)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _send_on(self, seed: int) -> None:
        luck = random.Random(seed)
        while not self._stop.is_set():
            instance_id, photo = f"uuid:{uuid.uuid4()}", luck.randbytes(luck.choice([200, 3_000, 90_000]))
            xml = a_visit(instance_id, door="door.jpg")
            for _try in range(3):
                cut_at = luck.random() if luck.random() < 0.2 else None
                if self._post(xml, photo, cut_at):
                    self.acknowledged[instance_id] = (xml, photo)
                    break

    def _post(self, xml: bytes, photo: bytes, cut_at: float | None) -> bool:
        """Whether the answer was a 201. `cut_at`: break the connection after this share of the bytes."""
        body, kind = multipart(xml, {"door.jpg": photo})
        head = (
            f"POST {self.server.phone_path}/submission HTTP/1.1\r\nHost: x\r\nX-OpenRosa-Version: 1.0\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        request = head.encode() + body
        try:
            with socket.create_connection(("127.0.0.1", self.server.port), timeout=10) as line:
                line.sendall(request if cut_at is None else request[: int(len(request) * cut_at)])
                return cut_at is None and line.recv(12) == b"HTTP/1.1 201"
        except OSError:
            time.sleep(0.02)
            return False


def missing(server: LiveServer, acknowledged: dict[str, tuple[bytes, bytes]]) -> list[str]:
    """What was acknowledged and is not there once, whole, with its photo; and anything in the server that the central database lacks."""
    engine = open_server_database(server.settings)
    central = open_engine(server.settings.central_database)
    storage = open_storage(server.settings.blob_storage, "", engine)
    with transaction(engine) as session:
        stored = {v.instance_id: (bytes(v.xml), v.id) for v in session.execute(select(
            SubmissionVersion.instance_id, SubmissionVersion.xml, SubmissionVersion.id))}  # fmt: skip
        files = dict(session.execute(select(Attachment.version_id, Attachment.blob_sha256)).all())
        counted = session.scalars(select(Submission.instance_id)).all()
    wrong = [f"{i} twice" for i in set(counted) if counted.count(i) > 1]
    for instance_id, (xml, photo) in acknowledged.items():
        if instance_id not in stored or stored[instance_id][0] != xml:
            wrong.append(f"{instance_id} lost")
        elif not files.get(stored[instance_id][1]) or b"".join(storage.open(files[stored[instance_id][1]])) != photo:
            wrong.append(f"{instance_id} without its photo")
    replicate_changes(engine, central)
    with central.connect() as connection:
        in_central = [row[0] for row in connection.exec_driver_sql("SELECT instance_id FROM visit")]
    if sorted(in_central) != sorted(counted):
        wrong.append(f"central has {len(in_central)} rows, the server {len(counted)}")
    engine.dispose()
    central.dispose()
    return wrong


def prepare(server: LiveServer, folder: Path) -> None:
    """A first start without the county's forms, and the visit form published by command."""
    from server.access.actor import system_actor
    from server.forms.drafts import save_draft
    from server.forms.fields import read_form_definition
    from server.forms.publish import publish_draft

    server.start("--no-forms")
    engine, xform, actor = open_server_database(server.settings), form_xml(visit_form()), system_actor()
    with transaction(engine, write=True) as session:
        publish_draft(session, actor, save_draft(session, actor, 1, xform=xform, definition=read_form_definition(xform)))
    engine.dispose()


def crash_rounds(server: LiveServer, cluster: Cluster | None, rounds: int, seed: int) -> dict[str, tuple[bytes, bytes]]:
    """Load, kill, start again, `rounds` times; what was acknowledged in all of them."""
    luck, phones = random.Random(seed), Phones(server, seed)
    for number in range(rounds):
        phones.start()
        time.sleep(luck.uniform(0.3, 1.5))
        if cluster is not None and number % 2:
            os.kill(cluster.postmaster, signal.SIGKILL)  # its children end with it
            time.sleep(0.2)
        server.kill()
        phones.stop()
        if cluster is not None and number % 2:
            cluster.start_again()
        server.start()
    assert len(phones.acknowledged) > 10 * rounds, "the load was too thin to mean anything"
    return phones.acknowledged


def new_server(kind: str, folder: Path, *, command: tuple[str, ...]) -> tuple[LiveServer, Cluster | None]:
    if kind == "sqlite":
        return LiveServer(folder, command=command), None
    cluster = Cluster(durable=True)
    return LiveServer(folder, database_url=cluster.create(), central_url=cluster.create(), command=command), cluster


@pytest.mark.slow
def test_what_was_acknowledged_survives_every_crash(database_kind: str, tmp_path: Path) -> None:
    server, cluster = new_server(database_kind, tmp_path, command=("-m", "server.cli", "serve"))
    try:
        prepare(server, tmp_path)
        acknowledged = crash_rounds(server, cluster, ROUNDS, seed=random.randrange(10**9))
        assert missing(server, acknowledged) == []
    finally:
        server.stop()
        if cluster:
            cluster.remove()


@pytest.mark.slow
def test_the_crash_test_finds_a_server_that_acknowledges_before_it_commits(tmp_path: Path) -> None:
    server, _ = new_server("sqlite", tmp_path, command=("-m", "tests.promises.hasty_server"))
    try:
        prepare(server, tmp_path)
        phones = Phones(server, 1)
        for _round in range(3):
            phones.start()
            time.sleep(1.2)
            server.kill()
            phones.stop()
            server.start()
        assert any("lost" in entry for entry in missing(server, phones.acknowledged))
    finally:
        server.stop()
