"""S3 and the central database each away for a while under load: no phone is turned away, nothing waits, all is there afterwards.

And two servers on one PostgreSQL and one S3 are as one.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from server.access.sealed import open_server_database
from server.model import Attachment, BlobBytes, Entity, FormVersion, Lease, SubmissionVersion
from server.problems import Problem
from server.storage import open_storage, record_blob
from server.storage.sweep import sweep_blobs
from server.transactions import open_engine, transaction
from sync.replicate import lag
from tests.actors.house import House
from tests.actors.live_server import LiveServer
from tests.databases import Cluster, empty_database
from tests.factories.questionnaire import a_visit, visit_form
from tests.openrosa.test_form_list import REGISTER, registration
from tests.promises.test_acknowledged_is_durable import missing, prepare

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


class S3Server:
    """moto's server as a process of its own. Its memory is its store, so it is paused rather than killed."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._process = subprocess.Popen(
            [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(self.port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.endpoint = f"http://127.0.0.1:{self.port}"
        import boto3

        until = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < until
                time.sleep(0.1)
        os.environ.update(KEYS)
        boto3.client("s3", endpoint_url=self.endpoint).create_bucket(Bucket="minqing")

    def pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self.resume()
        self._process.kill()
        self._process.wait()


@pytest.fixture
def s3() -> Iterator[S3Server]:
    made = S3Server()
    yield made
    made.stop()


def test_what_nothing_names_is_swept_from_s3_and_what_something_names_is_not(house: House, s3: S3Server) -> None:
    storage = open_storage("s3://minqing/blobs", s3.endpoint, house.engine)
    named, forgotten = storage.keep_bytes(b"named"), storage.keep_bytes(b"its transaction failed")
    house.publish(visit_form())
    with transaction(house.engine, write=True) as session:
        record_blob(session, named)
        session.execute(update(FormVersion).values(xlsx_sha256=named.sha256))
    in_two_days = datetime.now(UTC) + timedelta(days=2)
    assert sweep_blobs(house.engine, storage) == 0
    assert sweep_blobs(house.engine, storage, now=in_two_days) == 1
    assert list(storage.store.list_older(in_two_days)) == [named.sha256]
    assert b"".join(storage.open(named.sha256)) == b"named"
    with pytest.raises(Problem):
        storage.open(forgotten.sha256)


def send_visits(server: LiveServer, number: int) -> dict[str, tuple[bytes, bytes]]:
    """That many visits, each with a photo, each acknowledged."""
    sent = {}
    for _ in range(number):
        instance_id, photo = f"uuid:{uuid.uuid4()}", os.urandom(2000)
        xml = a_visit(instance_id, door="door.jpg")
        assert server.send(xml, {"door.jpg": photo})[0] == 201
        sent[instance_id] = (xml, photo)
    return sent


def spilled(server: LiveServer) -> int:
    engine = open_server_database(server.settings)
    with transaction(engine) as session:
        found = session.scalar(select(func.count()).select_from(BlobBytes)) or 0
    engine.dispose()
    return found


@pytest.mark.slow
def test_with_s3_away_bytes_go_to_the_database_and_move_later(database_kind: str, tmp_path: Path, s3: S3Server) -> None:
    url = "" if database_kind == "sqlite" else empty_database("postgresql", tmp_path)
    server = LiveServer(tmp_path, database_url=url, MINQING_STORAGE="s3://minqing/blobs", MINQING_S3_ENDPOINT=s3.endpoint, **KEYS)
    try:
        prepare(server, tmp_path)
        sent = send_visits(server, 5)
        assert spilled(server) == 0
        s3.pause()
        start = time.monotonic()
        sent |= send_visits(server, 10)
        assert time.monotonic() - start < 55, "a phone waits less than its 60 s"
        assert spilled(server) > 0
        s3.resume()
        until = time.monotonic() + 90
        while spilled(server) and time.monotonic() < until:
            time.sleep(0.5)
        assert spilled(server) == 0
        engine = open_server_database(server.settings)
        storage = open_storage("s3://minqing/blobs", s3.endpoint, engine)
        with transaction(engine) as session:
            names = dict(session.execute(select(SubmissionVersion.instance_id, Attachment.blob_sha256).join(
                Attachment, Attachment.version_id == SubmissionVersion.id)).all())  # fmt: skip
        assert {i: b"".join(storage.open(names[i])) for i in sent} == {i: photo for i, (_xml, photo) in sent.items()}
        engine.dispose()
    finally:
        server.stop()


@pytest.mark.slow
def test_with_the_central_database_away_nothing_waits_and_it_catches_up(tmp_path: Path) -> None:
    central = Cluster()
    server = LiveServer(tmp_path, central_url=central.create())
    try:
        prepare(server, tmp_path)
        sent = send_visits(server, 3)
        central.stop()
        start = time.monotonic()
        sent |= send_visits(server, 20)
        assert time.monotonic() - start < 20
        central.start()
        engine, target = open_server_database(server.settings), open_engine(server.settings.central_database)
        until = time.monotonic() + 90
        while lag(engine, target).rows and time.monotonic() < until:
            time.sleep(0.5)
        assert lag(engine, target).rows == 0
        engine.dispose()
        target.dispose()
        assert missing(server, sent) == []
    finally:
        server.stop()
        central.remove()


@pytest.mark.slow
def test_two_servers_on_one_database_are_as_one(tmp_path: Path, s3: S3Server) -> None:
    urls = [empty_database("postgresql", tmp_path) for _ in range(2)]
    settings = {"MINQING_STORAGE": "s3://minqing/two", "MINQING_S3_ENDPOINT": s3.endpoint, "MINQING_SECRET_KEY": "one secret for both", **KEYS}
    servers = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        servers.append(LiveServer(tmp_path / name, database_url=urls[0], central_url=urls[1], **settings))
    first, second = servers
    try:
        prepare(first, tmp_path)
        second.start("--no-forms")
        second.phone_path = first.phone_path
        engine = open_engine(urls[0])
        from server.access.actor import system_actor
        from server.forms.drafts import save_draft
        from server.forms.fields import read_form_definition
        from server.forms.publish import publish_draft
        from tests.factories.questionnaire import form_xml

        with transaction(engine, write=True) as session:
            xform = form_xml(REGISTER)
            publish_draft(session, system_actor(), save_draft(session, system_actor(), 1, xform=xform, definition=read_form_definition(xform)))
        person = str(uuid.uuid4())
        xml = registration(person, "甲")
        assert [server.send(xml)[0] for server in (first, second, first)] == [201] * 3
        sent = send_visits(first, 5) | send_visits(second, 5)
        with transaction(engine) as session:
            assert session.scalar(select(func.count()).select_from(Entity)) == 1
            holders = set(session.scalars(select(Lease.holder)))
        first.kill()
        sent |= send_visits(second, 5)
        target = open_engine(urls[1])
        until = time.monotonic() + 60
        while lag(engine, target).rows and time.monotonic() < until:
            time.sleep(0.5)
        assert lag(engine, target).rows == 0, f"the jobs of {holders} were not taken over"
        with target.connect() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM visit").scalar() == len(sent)
        engine.dispose()
        target.dispose()
    finally:
        first.stop()
        second.stop()
