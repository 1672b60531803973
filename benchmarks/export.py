"""Seconds for each export of a form with 40 questions and two repeats, and the server's peak memory.

    python -m benchmarks.export [--database URL] [--stored 20000] [--times 3]

The best of some tries, on one connection; beside it what ODK Central v2026.3 with PostgreSQL took on 2 cores.
"""

from __future__ import annotations

import argparse
import http.client
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import orjson

from benchmarks.questionnaire import questionnaire_xform
from benchmarks.running_server import RunningServer, running_server
from benchmarks.stored import fill
from server.access.accounts import assign_role, create_user
from server.access.actor import system_actor
from server.access.sealed import open_server_database
from server.access.sessions import sign_in
from server.settings import Settings
from server.transactions import transaction

FORM = "/v1/projects/1/forms/questionnaire"
SVC = f"{FORM}.svc"
PASSWORD = "correct horse battery staple 9"
# What ODK Central took, in seconds.
MEASURED: dict[str, tuple[str, float | None]] = {
    "submissions.csv.zip": (f"{FORM}/submissions.csv.zip", 9.2),
    "submissions.csv": (f"{FORM}/submissions.csv", 2.4),
    "OData, all": (f"{SVC}/Submissions", 3.7),
    "OData, $expand=*": (f"{SVC}/Submissions?$expand=*", 4.7),
    "OData, first 250 with $expand=*": (f"{SVC}/Submissions?$top=250&$expand=*&$count=true", 0.24),
    "OData, a repeat's table": (f"{SVC}/Submissions.members", 4.4),
    "OData, filter on an answer": (f"{SVC}/Submissions?$top=250&$filter={quote('q0 gt 50')}", None),
    "GeoJSON": (f"{FORM}/submissions.geojson", None),
    "submissions.csv, selects split": (f"{FORM}/submissions.csv?splitSelectMultiples=true", None),
    "submissions.xlsx": (f"{FORM}/submissions.xlsx", None),
    "submissions.gpkg": (f"{FORM}/submissions.gpkg", None),
}
PAGE_SECONDS = 0.18


def _token(settings: Settings) -> str:
    engine = open_server_database(settings)
    actor = system_actor("benchmark")
    with transaction(engine, write=True) as session:
        user = create_user(session, actor, email="reader@example.org", password=PASSWORD, name="reader", password_rounds=1)
        assign_role(session, actor, user, "admin")
    found = sign_in(engine, email="reader@example.org", password=PASSWORD, address="", user_agent="", password_rounds=1)
    engine.dispose()
    return found.token


def _fetch(server: RunningServer, token: str, path: str, keep: Callable[[bytes], None] | None = None) -> tuple[float, int]:
    """Seconds and bytes of a GET. Raises RuntimeError unless it is a 200."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)
    start = time.monotonic()
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    size = 0
    while chunk := answer.read(1 << 20):
        size += len(chunk)
        if keep is not None:
            keep(chunk)
    seconds = time.monotonic() - start
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status}")
    return seconds, size


def _pages(server: RunningServer, token: str, count: int) -> list[float]:
    """Seconds for each page of 250 by its link."""
    path, times = f"{SVC}/Submissions?$top=250", []
    while path and len(times) < count:
        chunks: list[bytes] = []
        seconds, _size = _fetch(server, token, path, chunks.append)
        times.append(seconds)
        link = orjson.loads(b"".join(chunks)).get("@odata.nextLink", "")
        path = link.partition(f":{server.port}")[2]
    return times


def _peaks(server: RunningServer) -> dict[int, int]:
    """The most resident megabytes that each process ever had."""
    found = {}
    for pid in server.processes():
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                found[pid] = int(line.split()[1]) // 1024
    return found


def _reset_peaks(server: RunningServer) -> None:
    for pid in server.processes():
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def main() -> None:
    """Print one line an export."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--database", default="")
    options.add_argument("--stored", type=int, default=20_000)
    options.add_argument("--times", type=int, default=3)
    options.add_argument("--only", default="")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder), database_url=given.database)
        with running_server(settings, [questionnaire_xform()], workers=1) as server:
            fill(settings, given.stored)
            token = _token(settings)
            _fetch(server, token, f"{SVC}/Submissions?$top=1")
            print(f"{given.stored} submissions, {given.stored * 8} rows in repeats; at rest {max(_peaks(server).values())} MB in the largest process")
            for name, (path, central) in MEASURED.items():
                if given.only and given.only not in name:
                    continue
                _reset_peaks(server)
                tries = [_fetch(server, token, path) for _ in range(given.times)]
                seconds, size = min(tries)
                ratio = f"{central / seconds:.1f} x Central's {central} s" if central else ""
                print(f"{name:34} {seconds:7.3f} s  {size / 1e6:7.1f} MB  peak {max(_peaks(server).values())} MB  {ratio}", flush=True)
            if not given.only or "page" in given.only:
                times = sorted(_pages(server, token, 80))
                print(f"a page of 250 by $skiptoken        {times[len(times) // 2]:7.3f} s, worst {times[-1]:.3f}  {PAGE_SECONDS / times[len(times) // 2]:.1f} x Central's")


if __name__ == "__main__":
    main()
