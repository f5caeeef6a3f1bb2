"""An ASGI 3 application inside a tornado handler: its lifespan, and each request as the application sees it.

The law: the application is given a request only when the handler has let it in and has its whole body; whoever goes
or does not read is gone for the application too; and the lifespan is left in the task that entered it (anyio's
scopes demand that), after the last request has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from logging import Logger
from typing import Any
from urllib.parse import unquote

from tornado import httputil, web
from tornado.iostream import IOStream, StreamClosedError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

VERSIONS = {"version": "3.0", "spec_version": "2.4"}
OURS = frozenset({"connection", "transfer-encoding", "content-length", "date", "server"})
"""Headers that tornado sets itself: it does the framing."""


class Lifespan:
    """An application's lifespan, in a task of its own; used once."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._messages = [{"type": "lifespan.startup"}]
        self._stopping = asyncio.Event()
        self._started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Until the application is ready; raises what kept it from that."""
        self._task = asyncio.create_task(self._run(), name="asgi lifespan")
        try:
            await self._started
        except BaseException:
            self._task.cancel()
            await asyncio.wait([self._task])
            raise

    async def stop(self) -> None:
        """Let the application close what it has open; what goes wrong there is raised here."""
        self._stopping.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": VERSIONS, "state": {}}
        try:
            await self._application(scope, self._receive, self._send)
        except Exception as error:
            if self._started.done():
                raise
            self._started.set_exception(error)
        if not self._started.done():
            self._started.set_exception(RuntimeError("the application ended before it had started"))

    async def _receive(self) -> Message:
        if self._messages:
            return self._messages.pop()
        await self._stopping.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        if self._started.done():
            return
        if message["type"] == "lifespan.startup.complete":
            self._started.set_result(None)
        if message["type"] == "lifespan.startup.failed":
            self._started.set_exception(RuntimeError(message.get("message") or "the application did not start"))


class Exchange:
    """One request as the application sees it, answered through a tornado handler.

    ``flush_timeout`` is how many seconds a client may take to read what was sent before it counts as gone.
    ``on_start`` is called with the status when the handler's headers are set and nothing is sent yet.
    """

    def __init__(
        self,
        handler: web.RequestHandler,
        body: bytes,
        *,
        flush_timeout: float,
        on_start: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._handler = handler
        self._body: bytes | None = body
        self._flush_timeout = flush_timeout
        self._on_start = on_start
        self._gone = asyncio.Event()
        self._leaving = False
        self.status: int | None = None
        self.ended = False

    def disconnect(self) -> None:
        """The client went: the application is told, and what it still sends goes nowhere."""
        self._gone.set()

    def leave(self) -> None:
        """The server goes: the application is told the same, and its answer ends where it is."""
        self._leaving = True
        self.disconnect()

    async def receive(self) -> Message:
        """The body, whole; after it, when the client has gone or has its answer, ``http.disconnect``."""
        body, self._body = self._body, None
        if body is not None:
            return {"type": "http.request", "body": body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Pass on a piece of the answer; returns when the socket has taken it."""
        if self._gone.is_set():
            await asyncio.sleep(0)  # or one who sends on and on would never learn it
            return
        if message["type"] == "http.response.start":
            self._start(message["status"], message.get("headers", ()))
            if self._is_stream:
                await self._piece(
                    b"", True
                )  # its client waits for the headers, and the first event may be long in coming
        if message["type"] == "http.response.body":
            await self._piece(bytes(message.get("body", b"")), bool(message.get("more_body", False)))

    def _start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self.status = status
        self._handler.set_status(status)
        sent = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
        sent = [(name, value) for name, value in sent if name.lower() not in OURS]
        for name in {name.lower() for name, _ in sent}:
            self._handler.clear_header(name)
        for name, value in sent:
            self._handler.add_header(name, value)
        self._on_start(status)

    @property
    def _is_stream(self) -> bool:
        return str(self._handler._headers.get("Content-Type", "")).startswith("text/event-stream")

    async def _piece(self, data: bytes, more: bool) -> None:
        if data:
            self._handler.write(data)
        if not more:
            self.ended = True
            return
        try:
            await self._flush()
        except (asyncio.TimeoutError, StreamClosedError):
            self.drop()

    async def _flush(self) -> None:
        connection = self._connection
        if connection is not None and not self._handler._headers_written:
            connection.set_nodelay(True)  # or each event waits for the acknowledgement of the one before
        flushed = self._handler.flush()
        if connection is None or connection.writing():  # else the socket has taken it all
            await asyncio.wait_for(flushed, self._flush_timeout)

    def close(self) -> None:
        """The application is done with it: an answer that has begun and not ended is cut."""
        if self.status is not None and not self.ended and not self._leaving:
            self.drop()
        self.disconnect()

    def drop(self) -> None:
        """End a connection whose answer cannot be ended: the client sees that it was cut."""
        self.disconnect()
        if self._connection is not None:
            self._connection.close()

    @property
    def _connection(self) -> IOStream | None:
        """The socket's stream; a connection that is gone has none."""
        return getattr(self._handler.request.connection, "stream", None)


class Mount:
    """An application, its lifespan, and the requests it works on. ``open`` it before ``serve``; ``close`` ends all."""

    def __init__(self, application: Application, *, log: Logger) -> None:
        self._application = application
        self._log = log
        self._lifespan: Lifespan | None = None
        self._serving: dict[Exchange, asyncio.Task[Any]] = {}  # the tasks of the handlers
        self._closed = False

    async def open(self) -> None:
        """Start the application; raises what keeps it from starting."""
        lifespan = Lifespan(self._application)
        await lifespan.start()
        self._lifespan = lifespan

    async def close(self, seconds: float = 5.0) -> None:
        """Tell every request that it is over, wait for it (then cancel it), and end the lifespan."""
        self._closed = True
        for exchange in self._serving:
            exchange.leave()
        await self._ended(seconds)
        for task in self._serving.values():
            task.cancel()
        await self._ended(seconds)
        lifespan, self._lifespan = self._lifespan, None
        if lifespan is not None:
            await lifespan.stop()

    async def _ended(self, seconds: float) -> None:
        if self._serving:
            await asyncio.wait(self._serving.values(), timeout=seconds)

    async def serve(self, scope: Message, exchange: Exchange) -> None:
        """Answer one request. Raises what the application raises before it answers; later it cuts the answer."""
        if self._closed or self._lifespan is None:
            raise RuntimeError("the application is not running")
        task = asyncio.current_task()
        assert task is not None
        self._serving[exchange] = task
        try:
            await self._application(scope, exchange.receive, exchange.send)
        except asyncio.CancelledError:
            if not self._closed:
                raise
        except Exception:
            if exchange.status is None:
                raise
            self._log.exception("An ASGI application failed in the middle of its answer")
        finally:
            del self._serving[exchange]
            exchange.close()

    async def tell(self, scope: Message) -> None:
        """Send the application a request of our own, without a body; its answer is not looked at."""

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(_: Message) -> None:
            return

        await self._application(scope, receive, send)


def scope_of(request: httputil.HTTPServerRequest, *, path: str, state: dict[str, Any]) -> dict[str, Any]:
    """The ASGI scope of a tornado request, at the address where the application has its route."""
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.get_all()]
    host, _, port = request.host.rpartition(":")
    return {
        "type": "http",
        "asgi": VERSIONS,
        "http_version": request.version.rpartition("/")[2],
        "method": request.method,
        "scheme": request.protocol,
        "path": unquote(path),
        "raw_path": path.encode("latin-1"),
        "query_string": request.query.encode("latin-1"),
        "root_path": "",
        "headers": headers,
        "client": (request.remote_ip, 0),
        "server": (host or request.host, int(port)) if port.isdecimal() else (request.host, None),
        "state": state,
    }
