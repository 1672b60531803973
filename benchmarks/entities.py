"""A county's register on its phones: 100,000 people, 30 villages in 5 townships, 500 phones.

    python -m benchmarks.entities [--entities 100000] [--phones 500] [--database URL]

ODK Central v2026.3 on 2 cores: 14,000 rows a second created; of a list of 20,000 rows the first download 330 ms, each later one 284 ms,
3 s with 8 phones at once, 519 ms after a change; 4.8 ms for a 304; a submission's entity up to 5 s after its acknowledgement.
"""

from __future__ import annotations

import argparse
import http.client
import statistics
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import orjson
from pyxform.xls2xform import convert

from benchmarks.running_server import RunningServer, running_server
from server.access.accounts import assign_role, create_user
from server.access.actor import system_actor
from server.access.phones import create_phone
from server.access.sealed import open_server_database
from server.access.secret_key import read_secret_key
from server.access.secrets import Secrets
from server.access.sessions import sign_in
from server.settings import Settings
from server.transactions import transaction

TOWNSHIPS, VILLAGES = 5, 6
PASSWORD = "the benchmark's own"
FORM = """
| survey | | | | |
| | type | name | label | save_to |
| | select_one_from_file people.csv | person | Person | |
| | text | division | Village | division |
| | text | state | State | state |
| | text | phone | Phone | phone |
| | text | address | Address | address |
| settings | | | |
| | form_title | form_id | version |
| | 探访 | visit | 1 |
| entities | | | |
| | list_name | label | entity_id |
| | people | | ${person} |
"""
MANIFEST = "{http://openrosa.org/xforms/xformsManifest}"
PATH = "/v1/projects/1/datasets/people/entities"


def village(number: int) -> str:
    """The code of the village of this number, township by township."""
    township, within = divmod(number % (TOWNSHIPS * VILLAGES), VILLAGES)
    return f"6322232{township + 1:02}{within + 200}"


class Client:
    """One connection that is kept, as a phone's or a program's."""

    def __init__(self, server: RunningServer, prefix: str = "", token: str = "") -> None:
        self.prefix = prefix
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
        self._headers = {"X-OpenRosa-Version": "1.0", **({"Authorization": f"Bearer {token}"} if token else {})}

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[float, int, bytes]:
        """Seconds until the last byte, status, body."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        start = time.perf_counter()
        self._connection.request(method, path, body, {**self._headers, **named})
        answer = self._connection.getresponse()
        content = answer.read()
        return time.perf_counter() - start, answer.status, content

    def manifest(self) -> tuple[float, str, str]:
        """Seconds, the list's hash, and the path of its download."""
        seconds, status, content = self.ask("GET", f"{self.prefix}/forms/visit/manifest")
        assert status == 200, content
        [entry] = ET.fromstring(content)
        return seconds, entry.findtext(f"{MANIFEST}hash", ""), urlsplit(entry.findtext(f"{MANIFEST}downloadUrl", "")).path

    def download(self) -> tuple[float, int]:
        """Seconds and rows of the whole list."""
        path = self.manifest()[2]
        seconds, status, content = self.ask("GET", path)
        assert status == 200, content
        return seconds, content.count(b"\n") - 1


def prepare_people(settings: Settings, phones: int) -> tuple[str, list[str]]:
    """An administrator's token; the paths of a phone for each township, then of `phones` in the villages."""
    engine, actor, secrets = open_server_database(settings), system_actor("benchmark"), Secrets(read_secret_key(settings))
    places = [village(number * VILLAGES)[:9] for number in range(TOWNSHIPS)] + [village(number) for number in range(phones)]
    with transaction(engine, write=True) as session:
        user = create_user(session, actor, email="clerk@example.org", password=PASSWORD, name="clerk", password_rounds=1)
        assign_role(session, actor, user, "admin")
        made = [create_phone(session, actor, 1, name=f"phone {number}", division=place, secrets=secrets) for number, place in enumerate(places)]
    token = sign_in(engine, email="clerk@example.org", password=PASSWORD, address="127.0.0.1", user_agent="benchmark", password_rounds=1).token
    engine.dispose()
    return token, [f"/v1/key/{phone.token}/projects/1" for phone in made]


def a_person(number: int) -> dict[str, object]:
    """As a register has it."""
    data = {"division": village(number), "state": "待走访", "phone": f"138{number:08}", "address": f"五谷村{number % 400}号"}
    return {"uuid": str(uuid.uuid4()), "label": f"卓玛{number}", "data": data}


def report(what: str, seconds: float, central: float | None = None) -> None:
    """One line: milliseconds, and how many times faster than Central."""
    print(f"{what:74} {seconds * 1000:9.1f} ms" + (f"   {central / seconds:5.1f} x Central" if central else ""), flush=True)


def create(clerk: Client, count: int) -> list[str]:
    """All people, 20,000 at a time; the rate is the server's, bodies are made before."""
    uuids, spent = [], 0.0
    for start in range(0, count, 20_000):
        people = [a_person(number) for number in range(start, min(count, start + 20_000))]
        uuids += [str(person["uuid"]) for person in people]
        body = orjson.dumps({"entities": people, "source": {"name": "register.csv"}})
        seconds, status, content = clerk.ask("POST", PATH, body, Content_Type="application/json")
        assert status == 200, content
        spent += seconds
    print(f"bulk creation of {count}: {count / spent:,.0f} rows a second ({count / spent / 14_000:.1f} x Central)", flush=True)
    return uuids


def at_once(clients: list[Client], work: Callable[[Client], object]) -> float:
    """Seconds until the last is done."""
    threads = [threading.Thread(target=work, args=(client,)) for client in clients]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start


def change(clerk: Client, person: str, number: int) -> None:
    """One update by staff."""
    body = orjson.dumps({"data": {"state": f"已走访{number}"}})
    _seconds, status, content = clerk.ask("PATCH", f"{PATH}/{person}?force=true", body, Content_Type="application/json")
    assert status == 200, content


def settle(settings: Settings) -> None:
    """As autovacuum leaves the tables a minute later."""
    engine = open_server_database(settings)
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM (ANALYZE) entities, entity_versions")
    engine.dispose()


def measure_downloads(clerk: Client, townships: list[Client], villages: list[Client], uuids: list[str]) -> None:
    """First, later, unchanged, after a change, and 8 at once."""
    firsts = [phone.download() for phone in townships]
    report(f"a township's first download ({firsts[0][1]} rows), median", statistics.median(seconds for seconds, _rows in firsts), 0.330)
    report("later downloads of it by others, median", statistics.median(townships[0].download()[0] for _ in range(15)), 0.284)
    tag = townships[0].manifest()
    unchanged = [townships[0].ask("GET", tag[2], If_None_Match=f'"{tag[1].removeprefix("md5:")}"') for _ in range(60)]
    assert {status for _seconds, status, _content in unchanged} == {304}
    report("a 304 for it, median", statistics.median(seconds for seconds, _status, _content in unchanged), 0.0048)
    report("the manifest with its hash, median", statistics.median(townships[0].manifest()[0] for _ in range(30)))
    times = []
    for number in range(7):
        change(clerk, uuids[0], number)
        times.append(townships[0].download()[0])
    report("a download after one change, median", statistics.median(times), 0.519)
    firsts = [phone.download() for phone in villages[: TOWNSHIPS * VILLAGES]]
    report(f"a village's first download ({firsts[0][1]} rows), median of {len(firsts)}", statistics.median(seconds for seconds, _rows in firsts))


def measure_many(clerk: Client, villages: list[Client], uuids: list[str]) -> None:
    """What one village's change costs all phones."""
    def sync(phone: Client) -> str:
        return phone.manifest()[1]

    before = [sync(phone) for phone in villages]
    start = time.perf_counter()
    assert [sync(phone) for phone in villages] == before
    quiet = time.perf_counter() - start
    change(clerk, uuids[0], 100)
    start = time.perf_counter()
    after = [sync(phone) for phone in villages]
    busy = time.perf_counter() - start
    changed = sum(one != other for one, other in zip(before, after, strict=True))
    own = sum(number % (TOWNSHIPS * VILLAGES) == 0 for number in range(len(villages)))
    print(f"manifests of {len(villages)} phones: {quiet:.2f} s; after one update {busy:.2f} s, {changed} changed (of the village: {own})")
    assert changed == own


def measure_submissions(phone: Client, clerk: Client, uuids: list[str], count: int = 60) -> None:
    """The entity is there when the phone has its 201."""
    times = []
    for number in range(count):
        person = uuids[number * TOWNSHIPS * VILLAGES]
        xml = (
            '<data xmlns:orx="http://openrosa.org/xforms" id="visit" version="1"><state>走访</state>'
            f"<orx:meta><orx:instanceID>uuid:{uuid.uuid4()}</orx:instanceID>"
            f'<entity dataset="people" id="{person}" update="1" baseVersion="1" trunkVersion="1" branchId="{uuid.uuid4()}"/></orx:meta></data>'
        )
        body = f'--x\r\nContent-Disposition: form-data; name="xml_submission_file"; filename="a.xml"\r\nContent-Type: text/xml\r\n\r\n{xml}\r\n--x--\r\n'
        seconds, status, content = phone.ask("POST", f"{phone.prefix}/submission?deviceID=b", body.encode(), Content_Type="multipart/form-data; boundary=x")
        assert status == 201, content
        times.append(seconds)
        _seconds, status, content = clerk.ask("GET", f"{PATH}/{person}")
        assert orjson.loads(content)["currentVersion"]["data"]["state"] == "走访", "the entity is not there at the 201"
    report(f"a submission with its entity ({count} of {count} there at the 201), median", statistics.median(times))


def main() -> None:
    """Print each figure beside Central's."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--entities", type=int, default=100_000)
    options.add_argument("--phones", type=int, default=500)
    options.add_argument("--database", default="")
    given = options.parse_args()
    xform = convert(FORM, file_type=".md").xform.encode()
    with tempfile.TemporaryDirectory() as folder, running_server(Settings(data=Path(folder), database_url=given.database), [xform]) as server:
        token, paths = prepare_people(server.settings, given.phones)
        clerk = Client(server, token=token)
        townships, villages = [Client(server, path) for path in paths[:TOWNSHIPS]], [Client(server, path) for path in paths[TOWNSHIPS:]]
        uuids = create(clerk, given.entities)
        settle(server.settings)
        measure_downloads(clerk, townships, villages, uuids)
        eight = [Client(server, paths[0]) for _ in range(8)]
        change(clerk, uuids[0], 98)
        report("8 phones at once after a change, the last one", at_once(eight, Client.download), 3.0)
        report("8 phones at once, the last one", at_once(eight, Client.download), 3.0)
        measure_many(clerk, villages, uuids)
        measure_submissions(villages[0], clerk, uuids)
        print("resident MB by process:", {pid: round(mb) for pid, mb in server.memory_mb().items()})


if __name__ == "__main__":
    main()
