"""Submissions per second and p99 at 1, 8 and 32 connections; CPU per submission until all is in the central database.

    python -m benchmarks.ingest [--database URL --central URL] [--seconds 10] [--photo] [--stored N]

Beside it, in the same run: how many such rows the database itself commits. On PostgreSQL give --postgres-pid for its CPU.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from pathlib import Path

from benchmarks.questionnaire import questionnaire_xform, questionnaire_xml, submission_request
from benchmarks.running_server import RunningServer, process_cpu_seconds, running_server
from benchmarks.stored import fill
from server.access.sealed import open_server_database
from server.settings import Settings
from server.transactions import open_engine, transaction
from sync.replicate import lag

# ODK Central v2026.3 with PostgreSQL on 2 cores, the same form: submissions a second, p99 in ms.
CENTRAL = {1: (116, 18), 8: (273, 57), 32: (231, 215)}
CENTRAL_CPU_MS = 12.0


async def _one_connection(port: int, path: str, until: float, photo: bytes | None, times: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.monotonic() < until:
        request = submission_request(path, questionnaire_xml(), photo + os.urandom(16) if photo else None)
        start = time.monotonic()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        if not head.startswith(b"HTTP/1.1 201"):
            raise RuntimeError(head[:200])
        times.append(time.monotonic() - start)
    writer.close()


async def _load(port: int, path: str, connections: int, seconds: float, photo: bytes | None) -> list[float]:
    times: list[float] = []
    until = time.monotonic() + seconds
    await asyncio.gather(*(_one_connection(port, path, until, photo, times) for _ in range(connections)))
    return times


def _drained(settings: Settings, *, seconds: float = 120) -> float:
    server, central = open_server_database(settings), open_engine(settings.central_database)
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        if lag(server, central).rows == 0:
            break
        time.sleep(0.2)
    server.dispose()
    central.dispose()
    return time.monotonic() - start


def _commit_rate(settings: Settings, seconds: float = 3) -> float:
    """Single-row commits a second of a submission-sized row, one writer."""
    engine = open_server_database(settings)
    row = questionnaire_xml()
    with transaction(engine, write=True) as session:
        session.connection().exec_driver_sql("CREATE TABLE commit_rate (n INTEGER, xml TEXT)")
    count, until = 0, time.monotonic() + seconds
    xml = row.decode()
    mark = "%s" if engine.dialect.name == "postgresql" else "?"
    while time.monotonic() < until:
        with transaction(engine, write=True) as session:
            session.connection().exec_driver_sql(f"INSERT INTO commit_rate VALUES ({mark}, {mark})", (count, xml))
        count += 1
    with transaction(engine, write=True) as session:
        session.connection().exec_driver_sql("DROP TABLE commit_rate")
    engine.dispose()
    return count / seconds


def _postgres_cpu(postmaster: int | None) -> float:
    """User and system seconds of a cluster: its postmaster, all below it, and the children it has waited for."""
    if postmaster is None:
        return 0.0
    server = RunningServer(0, "", postmaster, Settings())
    fields = Path(f"/proc/{postmaster}/stat").read_text().rpartition(")")[2].split()
    return sum(process_cpu_seconds(pid) for pid in server.processes()) + (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print one line per number of connections."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--database", default="")
    options.add_argument("--central", default="")
    options.add_argument("--seconds", type=float, default=10)
    options.add_argument("--photo", action="store_true", help="300 KB with each submission")
    options.add_argument("--workers", type=int)
    options.add_argument("--stored", type=int, default=0, help="so many submissions are stored before")
    options.add_argument("--postgres-pid", type=int)
    options.add_argument("--connections", default="1,8,32")
    given = options.parse_args()
    photo = os.urandom(300_000) if given.photo else None
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder), database_url=given.database, central_url=given.central)
        with running_server(settings, [questionnaire_xform()], workers=given.workers) as server:
            if given.stored:
                fill(settings, given.stored)
                print(f"{given.stored} submissions stored before")
            asyncio.run(_load(server.port, server.phone_path, 4, 1, None))
            _drained(settings)
            for connections in map(int, given.connections.split(",")):
                cpu = server.cpu_seconds() + _postgres_cpu(given.postgres_pid)
                before = {pid: process_cpu_seconds(pid) for pid in server.processes()}
                start = time.monotonic()
                times = sorted(asyncio.run(_load(server.port, server.phone_path, connections, given.seconds, photo)))
                rate = len(times) / (time.monotonic() - start)
                drain = _drained(settings)
                spent = (server.cpu_seconds() + _postgres_cpu(given.postgres_pid) - cpu) * 1000 / len(times)
                central, central_p99 = CENTRAL.get(connections, (0, 0))
                print(
                    f"{connections:3} connections: {rate:7.0f}/s ({rate / central if central else 0:.1f} x Central)  p50 {times[len(times) // 2] * 1000:.1f} ms"
                    f"  p99 {times[int(len(times) * 0.99)] * 1000:.1f} ms (Central {central_p99})  CPU {spent:.2f} ms a submission"
                    f" ({CENTRAL_CPU_MS / spent:.1f} x less)  drained in {drain:.1f} s",
                    flush=True,
                )
                print("    ms by process:", {pid: round((process_cpu_seconds(pid) - then) * 1000 / len(times), 2) for pid, then in before.items()})
            print("resident MB by process:", {pid: round(mb) for pid, mb in server.memory_mb().items()})
        print(f"the database alone, one writer: {_commit_rate(settings):.0f} commits/s")


if __name__ == "__main__":
    main()
