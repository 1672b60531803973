"""Between the HTTP server and the WSGI app: a body is read in full before a thread is given to it.

A phone on 2G sends a photo at 2 KB/s for minutes. Its bytes wait here, in an asyncio task and a spool that goes to disk
past 64 KB, so that three hundred such phones cost a task each and no thread; the app then reads at memory's speed.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import io
import logging
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flask import Flask

from server.app import create_app
from server.http.credentials import ONLY_AUTHENTICATE
from server.openrosa.arrivals import ArrivalDesk, Post
from server.openrosa.unchanged_lists import UnchangedLists
from server.settings import Settings

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_MEMORY_BYTES = 64 * 1024
_ANSWER_BYTES = 256 * 1024
_IDLE_SECONDS = 90
_MOST_BODIES = 2000


class BodyTooLarge(Exception):
    """More bytes came than any request may have."""


class ClientGone(Exception):
    """The client closed the connection, or sent nothing for too long."""


class Gateway:
    """An ASGI application around a WSGI one. Phones' uploads have threads of their own, which no export can take."""

    def __init__(self, app: Flask, *, max_body_bytes: int, threads: int = 8) -> None:
        self._app, self._max_body_bytes = app, max_body_bytes
        self._desk = ArrivalDesk(app.extensions["minqing"])
        self._lists = UnchangedLists(app.extensions["minqing"])
        self._phones = ThreadPoolExecutor(threads, thread_name_prefix="phones")
        self._others = ThreadPoolExecutor(threads, thread_name_prefix="others")
        self._bodies = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_phone = scope["path"].endswith("/submission")
        pool = self._phones if is_phone else self._others
        environ = _environ(scope)
        loop = asyncio.get_running_loop()
        if self._bodies >= _MOST_BODIES:
            await _send_plain(send, 503, b"busy")
            return
        self._bodies += 1
        body: Any = None
        try:
            direct = is_phone and scope["method"] == "POST" and self._desk.takes(scope["path"])
            is_known = direct and self._desk.knows(scope["path"])
            body = await self._read_body(environ, receive, send, pool, is_known=is_known)
            if body is None:
                return
            environ["wsgi.input"] = body
            answer = await loop.run_in_executor(pool, self._take if direct else self._run, scope, environ)
            await _send_answer(send, answer, loop, pool)
        except BodyTooLarge:
            # The app words the refusal, in the reader's language and format.
            environ.update({"wsgi.input": io.BytesIO(), "CONTENT_LENGTH": str(self._max_body_bytes + 1)})
            answer = await loop.run_in_executor(pool, _run, self._app, environ)
            answer.headers.append((b"connection", b"close"))
            await _send_answer(send, answer, loop, pool)
        except ClientGone:
            # Mostly nobody hears this; a client that only closed its sending side does.
            with contextlib.suppress(Exception):
                await _send_plain(send, 400, "没有收完，请重新发送。/ The body ended early; send it again.".encode())
        finally:
            self._bodies -= 1
            if body is not None:
                body.close()

    def _take(self, scope: Scope, environ: dict[str, Any]) -> _Answer:
        """A new submission by the shortest way; all else by the app."""
        body = environ["wsgi.input"]
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        taken = self._desk.take(Post(scope["path"], environ["QUERY_STRING"], headers, body))
        if taken is not None:
            return _Answer(201, *taken)
        body.seek(0)
        return self._run(scope, environ)

    def _run(self, scope: Scope, environ: dict[str, Any]) -> _Answer:
        if scope["method"] == "GET" and not environ["QUERY_STRING"]:
            unchanged = self._lists.headers(scope["path"], scope["headers"])
            if unchanged is not None:
                return _Answer(304, unchanged)
        return _run(self._app, environ)

    async def _read_body(self, environ: dict[str, Any], receive: Receive, send: Send, pool: ThreadPoolExecutor, *, is_known: bool) -> Any:
        """The whole body at its start; None if a refusal was sent already, before the body was read. `is_known`: who sends need not be asked."""
        length = environ.get("CONTENT_LENGTH", "")
        if length.isdigit() and int(length) > self._max_body_bytes:
            raise BodyTooLarge
        try:
            async with asyncio.timeout(_IDLE_SECONDS):
                message = _present(await receive())
        except TimeoutError:
            raise ClientGone from None
        first = message.get("body", b"")
        # The server tells of a body's end in a message of its own; the length tells it sooner.
        if not message.get("more_body", False) or (length.isdigit() and int(length) == len(first)):
            _check_length(length, len(first))
            environ["CONTENT_LENGTH"] = str(len(first))
            return io.BytesIO(first)
        if not is_known and not await self._may_send(environ, send, pool):
            return None
        spool = tempfile.SpooledTemporaryFile(max_size=_MEMORY_BYTES)  # noqa: SIM115 - closed by the caller
        try:
            total = len(first)
            spool.write(first)
            clock = asyncio.get_running_loop().time
            async with asyncio.timeout(_IDLE_SECONDS) as patience:
                while message.get("more_body", False):
                    message = _present(await receive())
                    patience.reschedule(clock() + _IDLE_SECONDS)
                    chunk = message.get("body", b"")
                    total += len(chunk)
                    if total > self._max_body_bytes:
                        raise BodyTooLarge
                    spool.write(chunk)
            _check_length(length, total)
        except TimeoutError:
            spool.close()
            raise ClientGone from None
        except BaseException:
            spool.close()
            raise
        spool.seek(0)
        environ["CONTENT_LENGTH"] = str(total)
        return spool

    async def _may_send(self, environ: dict[str, Any], send: Send, pool: ThreadPoolExecutor) -> bool:
        """Strangers go before their bytes are read: the app is asked with the headers alone."""
        asked = {**environ, "wsgi.input": io.BytesIO(), ONLY_AUTHENTICATE: True}
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(pool, _run, self._app, asked)
        if answer.status < 300:
            return True
        answer.headers.append((b"connection", b"close"))
        await _send_answer(send, answer, loop, pool)
        return False


def _present(message: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message


def _check_length(announced: str, read: int) -> None:
    if announced.isdigit() and int(announced) != read:
        raise ClientGone


class _Answer:
    """What the app said: `body` whole, or its beginning and the `rest` to come."""

    __slots__ = ("body", "headers", "rest", "status")

    def __init__(self, status: int = 500, headers: list[tuple[bytes, bytes]] | None = None, body: bytes = b"") -> None:
        self.status, self.headers, self.body = status, headers or [], body
        self.rest: Iterator[bytes] | None = None


def _run(app: Flask, environ: dict[str, Any]) -> _Answer:
    answer = _Answer()

    def start_response(status: str, headers: list[tuple[str, str]], _exc_info: object = None) -> Callable[[bytes], None]:
        answer.status = int(status[:3])
        answer.headers = [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in headers]
        return lambda _data: None

    iterable = app(environ, start_response)
    chunks, total, iterator = [], 0, iter(iterable)
    for chunk in iterator:
        chunks.append(chunk)
        total += len(chunk)
        if total >= _ANSWER_BYTES:
            answer.rest = _closing(iterator, iterable)
            break
    else:
        close = getattr(iterable, "close", None)
        if close is not None:
            close()
    answer.body = b"".join(chunks)
    return answer


def _closing(iterator: Iterator[bytes], iterable: Any) -> Iterator[bytes]:
    try:
        yield from iterator
    finally:
        close = getattr(iterable, "close", None)
        if close is not None:
            close()


async def _send_answer(send: Send, answer: _Answer, loop: asyncio.AbstractEventLoop, pool: ThreadPoolExecutor) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    if answer.rest is None:
        await send({"type": "http.response.body", "body": answer.body, "more_body": False})
        return
    try:
        chunk: bytes | None = answer.body
        while chunk is not None:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            chunk = await loop.run_in_executor(pool, next, answer.rest, None)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        await loop.run_in_executor(pool, answer.rest.close)  # type: ignore[attr-defined]


async def _send_plain(send: Send, status: int, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain; charset=utf-8"), (b"retry-after", b"30")]})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        else:
            await send({"type": "lifespan.shutdown.complete"})
            return


def _environ(scope: Scope) -> dict[str, Any]:
    """The WSGI environment of an ASGI scope (PEP 3333); `wsgi.input` is set once the body is read."""
    server = scope.get("server") or ("localhost", 80)
    client = scope.get("client") or ("", 0)
    query = scope.get("query_string", b"").decode("latin-1")
    raw = scope.get("raw_path") or scope["path"].encode()
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"], "SCRIPT_NAME": "", "PATH_INFO": scope["path"].encode("utf-8", "surrogateescape").decode("latin-1"),
        "QUERY_STRING": query, "RAW_URI": raw.decode("latin-1") + (f"?{query}" if query else ""),
        "SERVER_NAME": server[0], "SERVER_PORT": str(server[1]), "SERVER_PROTOCOL": "HTTP/" + scope.get("http_version", "1.1"),
        "REMOTE_ADDR": client[0], "wsgi.version": (1, 0), "wsgi.url_scheme": scope.get("scheme", "http"), "wsgi.errors": sys.stderr,
        "wsgi.multithread": True, "wsgi.multiprocess": True, "wsgi.run_once": False, "wsgi.input_terminated": True,
    }  # fmt: skip
    for name, value in scope["headers"]:
        key = name.decode("latin-1").upper().replace("-", "_")
        text = value.decode("latin-1")
        if key in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            environ[key] = text
        elif key != "TRANSFER_ENCODING":
            key = "HTTP_" + key
            environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ


def gateway() -> Gateway:
    """What each worker process serves, from the environment's settings."""
    settings = Settings.from_environment()
    # Threads hand the interpreter over in 5 ms by default: a phone's request would wait that long behind each export.
    sys.setswitchinterval(0.001)
    app = create_app(settings)
    # An export makes millions of small objects that all die by themselves: looking for cycles among them cost it a quarter of its time.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    return Gateway(app, max_body_bytes=settings.max_body_bytes)
