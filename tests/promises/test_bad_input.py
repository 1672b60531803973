"""Malformed, hostile and oversize input over raw sockets to a running server: a 4xx with a sentence, nothing changed, bounded."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from benchmarks.running_server import process_family
from server.access.sealed import open_server_database
from server.model import Submission
from server.transactions import transaction
from tests.actors.live_server import BOUNDARY, LiveServer, multipart
from tests.factories.questionnaire import a_visit
from tests.promises.test_acknowledged_is_durable import prepare

OPEN = '<data xmlns:orx="http://openrosa.org/xforms" id="visit" version="1">'
META = "<orx:meta><orx:instanceID>uuid:x</orx:instanceID></orx:meta></data>"
BILLION = "<!DOCTYPE a [<!ENTITY l0 'lol'>" + "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 10)) + "]>"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder: Path = tmp_path_factory.mktemp("bad")
    made = LiveServer(folder, MINQING_MAX_BODY_BYTES="20000000")
    prepare(made, folder)
    yield made
    made.stop()


def ask(server: LiveServer, request: bytes, *, seconds: float = 30, close: bool = False) -> tuple[int, bytes]:
    """Status and whole answer; (0, b"") where the server just hung up. `close`: end our side after sending."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=seconds) as line:
        try:
            line.sendall(request)
            if close:
                line.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused while we were still sending: the answer is there to be read
        answer = b""
        try:
            while chunk := line.recv(65536):
                answer += chunk
                head, found, body = answer.partition(b"\r\n\r\n")
                if found and b"content-length:" in head.lower():
                    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                    if len(body) >= length:
                        break
        except ConnectionResetError:
            pass
    return (int(answer.split()[1]), answer) if answer else (0, b"")


def post(server: LiveServer, body: bytes, content_type: str, *, length: int | None = None, path: str = "/submission") -> bytes:
    return (
        f"POST {server.phone_path}{path} HTTP/1.1\r\nHost: x\r\nX-OpenRosa-Version: 1.0\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body) if length is None else length}\r\n\r\n"
    ).encode() + body


def count(server: LiveServer) -> int:
    engine = open_server_database(server.settings)
    with transaction(engine) as session:
        found = session.scalar(select(func.count()).select_from(Submission)) or 0
    engine.dispose()
    return found


def memory_mb(server: LiveServer) -> float:
    pages = os.sysconf("SC_PAGE_SIZE") / 1e6
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * pages for pid in process_family(server.pid))


def raw_part(disposition: str, content: bytes = b"x") -> bytes:
    return f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n".encode("utf-8", "surrogateescape") + content + b"\r\n"


KIND = f"multipart/form-data; boundary={BOUNDARY}"
END = f"--{BOUNDARY}--\r\n".encode()
XML_PART = raw_part('form-data; name="xml_submission_file"; filename="s.xml"', a_visit("uuid:bad"))

XML = {
    "empty": b"",
    "not xml": b"hello",
    "cut off": a_visit()[:120],
    "two roots": b"<a/><b/>",
    "external entity": f'<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]>{OPEN}<age>&e;</age>{META}'.encode(),
    "entity expansion": f"{BILLION}{OPEN}<age>&l9;</age>{META}".encode(),
    "doctype alone": f"<!DOCTYPE data>{OPEN}{META}".encode(),
    "doctype in utf-16": ('<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE data>' + OPEN + META).encode("utf-16"),
    "100,000 deep": (OPEN + "<a>" * 100_000 + "</a>" * 100_000 + META).encode(),
    "100,000 deep, unclosed": (OPEN + "<a>" * 100_000).encode(),
    "nul": (OPEN + "<age>\0</age>" + META).encode(),
    "nul reference": (OPEN + "<age>&#0;</age>" + META).encode(),
    "surrogate reference": (OPEN + "<age>&#xD800;</age>" + META).encode(),
    "surrogate bytes": (OPEN + "<age>").encode() + b"\xed\xa0\x80" + ("</age>" + META).encode(),
    "invalid utf-8": (OPEN + "<age>").encode() + b"\xff\xfe\xc3(" + ("</age>" + META).encode(),
    "unknown encoding": ('<?xml version="1.0" encoding="x-nonsense"?>' + OPEN + META).encode(),
    "declared utf-16, sent as utf-8": ('<?xml version="1.0" encoding="UTF-16"?>' + OPEN + META).encode(),
    "no form id": b"<data><meta><instanceID>uuid:x</instanceID></meta></data>",
    "no instance id": (OPEN + "</data>").encode(),
    "blank instance id": (OPEN + "<meta><instanceID> </instanceID></meta></data>").encode(),
    "instance id of 10,000": (OPEN + f"<meta><instanceID>{'x' * 10_000}</instanceID></meta></data>").encode(),
    "attribute of 12 MB": f'<data id="visit" version="1" x="{"y" * 12_000_000}"/>'.encode(),
    "xml of 6 MB": (OPEN + f"<age>{'1' * 6_000_000}</age>" + META).encode(),
    "unknown form": a_visit(form_id="nothing"),
    "unknown version": a_visit(version="99"),
    "edit of nothing": a_visit(replaces="uuid:none"),
}


@pytest.mark.parametrize("case", XML)
def test_bad_xml_is_a_4xx_with_a_sentence_and_nothing_changes(server: LiveServer, case: str) -> None:
    before, start = count(server), time.monotonic()
    status, answer = ask(server, post(server, *multipart(XML[case], {})))
    assert 400 <= status < 500, answer[:500]
    assert b"<message" in answer and b"Traceback" not in answer and b"/etc/" not in answer
    assert time.monotonic() - start < 10
    assert count(server) == before


ENCODINGS = {"gb18030": "gb18030", "utf-16": "UTF-16", "iso-8859-1": "ISO-8859-1"}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_another_declared_encoding_is_decoded_or_refused_never_mangled(server: LiveServer, encoding: str) -> None:
    name = "café" if encoding == "iso-8859-1" else "藏族王"
    instance_id = f"uuid:{encoding}"
    text = a_visit(instance_id, members=(name,)).decode()
    xml = f'<?xml version="1.0" encoding="{ENCODINGS[encoding]}"?>{text}'.encode(encoding)
    status, _answer = ask(server, post(server, *multipart(xml, {})))
    assert status in {201, 400}
    if status == 201:
        from server.model import SubmissionVersion

        engine = open_server_database(server.settings)
        with transaction(engine) as session:
            version = session.scalars(select(SubmissionVersion).where(SubmissionVersion.instance_id == instance_id)).one()
            assert version.answers["members"][0]["name"] == name
            assert bytes(version.xml) == xml
        engine.dispose()


MULTIPART = {
    "no body": (b"", KIND),
    "no boundary": (XML_PART + END, "multipart/form-data"),
    "another boundary": (XML_PART + END, "multipart/form-data; boundary=other"),
    "a boundary of 10,000": (XML_PART + END, f"multipart/form-data; boundary={'b' * 10_000}"),
    "no end": (XML_PART, KIND),
    "json": (b"{}", "application/json"),
    "no type": (b"x", ""),
    "no xml part": (raw_part('form-data; name="a"; filename="a.jpg"') + END, KIND),
    "5,000 parts": (XML_PART + b"".join(raw_part(f'form-data; name="f{n}"; filename="f{n}.jpg"') for n in range(5_000)) + END, KIND),
    "a header of 1 MB": (f"--{BOUNDARY}\r\nX-Y: {'z' * 1_000_000}\r\n\r\nx\r\n".encode() + XML_PART + END, KIND),
    "a part of 30 MB": (XML_PART + raw_part('form-data; name="a"; filename="a.jpg"', b"\0" * 30_000_000) + END, KIND),
    "a file name of 10,000": (XML_PART + raw_part(f'form-data; name="a"; filename="{"n" * 10_000}"') + END, KIND),
    "control characters in a name": (XML_PART + raw_part('form-data; name="a"; filename="a\x01\x1b.jpg"') + END, KIND),
    "nul in a name": (XML_PART + raw_part('form-data; name="a"; filename="a\x00.jpg"') + END, KIND),
    "bad utf-8 in a name": (XML_PART + raw_part('form-data; name="a"; filename="a\udcff.jpg"') + END, KIND),
    "only garbage": (os.urandom(50_000), KIND),
}


@pytest.mark.parametrize("case", MULTIPART)
def test_a_bad_multipart_is_a_4xx_and_nothing_changes(server: LiveServer, case: str) -> None:
    before, start = count(server), time.monotonic()
    status, answer = ask(server, post(server, *MULTIPART[case]))
    assert 400 <= status < 500, answer[:300]
    assert time.monotonic() - start < 15
    assert count(server) == before


@pytest.mark.parametrize("name", ["../../etc/passwd", "C:\\\\x.jpg", "a b.jpg", "照片.jpg", "'--.jpg", "<script>.jpg", "a.jpg.", "%2e%2e.jpg"])
def test_strange_file_names_harm_nothing_and_are_kept_as_they_are(server: LiveServer, name: str) -> None:
    xml = a_visit()
    body = raw_part('form-data; name="xml_submission_file"; filename="s.xml"', xml) + raw_part(f'form-data; name="f"; filename="{name}"') + END
    assert ask(server, post(server, body, KIND))[0] == 201


def test_a_body_that_ends_early_or_lies_about_its_length_changes_nothing(server: LiveServer) -> None:
    body, kind = multipart(a_visit(), {"a.jpg": b"x" * 100_000})
    before = count(server)
    for cut in (0, 10, 500, 50_000):
        status, _ = ask(server, post(server, body[:cut], kind, length=len(body)), close=True)
        assert status == 0 or 400 <= status < 500
    status, _ = ask(server, post(server, b"", kind, length=10**15))
    assert 400 <= status < 500
    assert ask(server, post(server, b"", kind).replace(b"Content-Length: 0", b"Content-Length: -5"))[0] in {0, 400}
    assert count(server) == before


def test_chunked_bodies_work_and_broken_chunks_change_nothing(server: LiveServer) -> None:
    body, kind = multipart(a_visit("uuid:chunked"), {"a.jpg": b"x" * 70_000})
    head = (
        f"POST {server.phone_path}/submission HTTP/1.1\r\nHost: x\r\nX-OpenRosa-Version: 1.0\r\nContent-Type: {kind}\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    ).encode()
    chunks = b"".join(f"{len(body[n : n + 9000]):x}\r\n".encode() + body[n : n + 9000] + b"\r\n" for n in range(0, len(body), 9000)) + b"0\r\n\r\n"
    assert ask(server, head + chunks)[0] == 201
    before = count(server)
    assert ask(server, head + b"zz\r\nbroken", close=True)[0] in {0, 400}
    assert ask(server, head + chunks[:20_000], close=True)[0] in {0, 400}
    assert count(server) == before


@pytest.mark.parametrize(
    "path", ["/v1/key/" + "x" * 64 + "/projects/1/submission", "/v1/test/" + "x" * 64 + "/projects/1/forms/visit/draft/submission", "/submission",
             "/v1/projects/1/forms", "/v1/sessions", "/projects/1/forms", "/sign-in", "/v1/config/logo"],
)  # fmt: skip
def test_strangers_are_refused_before_their_bytes_are_read(server: LiveServer, path: str) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nX-OpenRosa-Version: 1.0\r\nContent-Type: {KIND}\r\nContent-Length: 19000000\r\n\r\n"
    request = head.encode() + b"x" * 1000
    status, answer = ask(server, request, seconds=10)
    assert status in {401, 404, 405}
    assert b"WWW-Authenticate" not in answer or path == "/submission"
    assert b"xxxxxxxx" not in answer


@pytest.mark.parametrize(
    "path", ["/%00", "/v1/key/%ff%fe/projects/1/formList", "/v1/key/x/projects/99999999999999999999/formList", "/" + "a" * 20_000, "/%", "/..%2f..%2fetc",
             "/v1/key/%F0%9F%92%A9/projects/1/formList", "/v1/key/a%0d%0aX:y/projects/1/formList"],
)  # fmt: skip
def test_strange_paths_are_a_4xx(server: LiveServer, path: str) -> None:
    status, answer = ask(server, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert status in {301, 302, 303} or 400 <= status < 500, answer[:200]


def test_after_all_that_the_server_is_well_and_small(server: LiveServer) -> None:
    assert server.send(a_visit("uuid:after"))[0] == 201
    assert memory_mb(server) < 700, "main process, two workers and the jobs"
    assert "Traceback" not in server.log.read_text()
