"""formList of 100 forms at 8 connections, and the server's start on an existing data directory.

    python -m benchmarks.form_list [--forms 100] [--connections 8] [--database URL]

ODK Central v2026.3 on 2 cores: 60 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from benchmarks.questionnaire import questionnaire_xform
from benchmarks.running_server import running_server
from server.settings import Settings

CENTRAL_MS = 60.0


async def _ask(port: int, path: str, until: float, times: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.monotonic() < until:
        start = time.monotonic()
        writer.write(f"GET {path}/formList HTTP/1.1\r\nHost: 127.0.0.1\r\nX-OpenRosa-Version: 1.0\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]))
        assert head.startswith(b"HTTP/1.1 200"), head
        times.append(time.monotonic() - start)
    writer.close()


async def _all(port: int, path: str, connections: int, seconds: float) -> list[float]:
    times: list[float] = []
    await asyncio.gather(*(_ask(port, path, time.monotonic() + seconds, times) for _ in range(connections)))
    return sorted(times)


def main() -> None:
    """Print median and p99, and the ratio to Central."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--forms", type=int, default=100)
    options.add_argument("--connections", type=int, default=8)
    options.add_argument("--database", default="")
    given = options.parse_args()
    xform = questionnaire_xform()
    xforms = [xform.replace(b'id="questionnaire"', f'id="questionnaire{n}"'.encode()) for n in range(given.forms)]
    with tempfile.TemporaryDirectory() as folder, running_server(Settings(data=Path(folder), database_url=given.database), xforms) as server:
        asyncio.run(_all(server.port, server.phone_path, given.connections, 1))
        times = asyncio.run(_all(server.port, server.phone_path, given.connections, 6))
        median = times[len(times) // 2] * 1000
        print(f"formList of {given.forms} forms at {given.connections} connections: median {median:.1f} ms, p99 {times[int(len(times) * 0.99)] * 1000:.1f} ms"
              f" ({CENTRAL_MS / median:.1f} x faster than Central), {len(times) / 6:.0f}/s")  # fmt: skip
        print("resident MB by process:", {pid: round(mb) for pid, mb in server.memory_mb().items()})


if __name__ == "__main__":
    main()
