"""300 phones on 2G send photos at 2 KB/s, dropping and coming back: does a healthy phone notice, and what does it cost?

    python -m benchmarks.slow_phones [--phones 300] [--seconds 30] [--database URL]

Prints the healthy phone's p99 alone and beside the slow ones (the bar: at most twice), and the server's memory.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import tempfile
import time
from pathlib import Path

from benchmarks.questionnaire import questionnaire_xform, questionnaire_xml, submission_request
from benchmarks.running_server import RunningServer, running_server
from server.settings import Settings


async def _slow_phone(port: int, path: str, until: float, sent: list[int]) -> None:
    """Send 40 to 120 KB at 2 KB/s; a third of the time the line drops half-way, and the phone starts again."""
    luck = random.Random()
    while time.monotonic() < until:
        request = submission_request(path, questionnaire_xml(), os.urandom(luck.randrange(40_000, 120_000)))
        stop_after = luck.randrange(len(request)) if luck.random() < 0.33 else len(request)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for start in range(0, stop_after, 500):
                writer.write(request[start : min(start + 500, stop_after)])
                await writer.drain()
                await asyncio.sleep(0.25)
                if time.monotonic() > until:
                    break
            else:
                if stop_after == len(request):
                    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
                    sent.append(int(head.split()[1]))
            writer.close()
        await asyncio.sleep(luck.random())


async def _healthy_phone(port: int, path: str, until: float, times: list[float]) -> None:
    """A submission with a 100 KB photo every 100 ms, each on a connection of its own, as Collect does after a pause."""
    while time.monotonic() < until:
        request = submission_request(path, questionnaire_xml(), os.urandom(100_000))
        start = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 201"), head
        writer.close()
        times.append(time.monotonic() - start)
        await asyncio.sleep(0.1)


def _p99(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.99)] * 1000


async def _measure(server: RunningServer, phones: int, seconds: float) -> tuple[float, int, float]:
    """The healthy phone's p99 in ms, the slow ones' finished submissions, the highest resident MB of all processes."""
    until = time.monotonic() + seconds
    times: list[float] = []
    sent: list[int] = []
    slow = [asyncio.create_task(_slow_phone(server.port, server.phone_path, until, sent)) for _ in range(phones)]
    await asyncio.sleep(min(5, seconds / 4) if phones else 0)
    healthy = asyncio.create_task(_healthy_phone(server.port, server.phone_path, until, times))
    peak = 0.0
    while not healthy.done():
        peak = max(peak, sum(server.memory_mb().values()))
        await asyncio.sleep(0.5)
    await healthy
    await asyncio.gather(*slow)
    assert all(status == 201 for status in sent), sent
    return _p99(times), len(sent), peak


def main() -> None:
    """Print the two p99 and their ratio."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--phones", type=int, default=300)
    options.add_argument("--seconds", type=float, default=30)
    options.add_argument("--database", default="")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder), database_url=given.database)
        with running_server(settings, [questionnaire_xform()]) as server:
            asyncio.run(_measure(server, 0, 3))
            alone, _, quiet = asyncio.run(_measure(server, 0, given.seconds))
            beside, finished, peak = asyncio.run(_measure(server, given.phones, given.seconds))
    print(f"healthy phone's p99: {alone:.1f} ms alone, {beside:.1f} ms beside {given.phones} slow phones: x {beside / alone:.2f} (at most 2)")
    print(f"slow phones finished {finished} submissions; server's resident memory {quiet:.0f} MB alone, at most {peak:.0f} MB beside them")


if __name__ == "__main__":
    main()
