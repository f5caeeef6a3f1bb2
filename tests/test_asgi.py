"""An ASGI application in a tornado handler: what it receives, what its client gets, how both end."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from tornado import web
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from jupyter_assistant.server.asgi import Application, Exchange, Lifespan, Message, Mount, Receive, Send, scope_of

LOG = logging.getLogger("test")
FLUSH_TIMEOUT = 0.2


class Handler(web.RequestHandler):
    """Hands everything to the application."""

    exchange: Exchange | None = None

    def initialize(self, mount: Mount) -> None:
        self.mount = mount

    async def any(self) -> None:
        self.exchange = Exchange(self, self.request.body, flush_timeout=FLUSH_TIMEOUT)
        await self.mount.serve(scope_of(self.request, path="/a b", state={"who": "me"}), self.exchange)
        if not self._finished:
            self.finish()

    get = post = any

    def on_connection_close(self) -> None:
        if self.exchange is not None:
            self.exchange.disconnect()


@dataclass
class App:
    """An application whose requests are answered by ``answer``; remembers what happened, and in which task."""

    answer: Callable[[Message, Receive, Send], Any]
    seen: list[str] = field(default_factory=list)
    tasks: list[Any] = field(default_factory=list)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                await self.answer(scope, receive, send)
            finally:
                self.seen.append("answered")
            return
        for _ in range(2):
            kind = (await receive())["type"]
            self.seen.append(kind)
            self.tasks.append(asyncio.current_task())
            await send({"type": f"{kind}.complete"})


@dataclass
class Served:
    """A running server, its application's mount, and a client."""

    mount: Mount
    client: httpx.AsyncClient
    port: int


@asynccontextmanager
async def served(application: Application) -> AsyncIterator[Served]:
    """The application behind tornado."""
    mount = Mount(application, log=LOG)
    await mount.open()
    [bound] = bind_sockets(0, "127.0.0.1")
    server = HTTPServer(web.Application([("/.*", Handler, {"mount": mount})]))
    server.add_socket(bound)
    port = bound.getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=10) as client:
        yield Served(mount, client, port)
        await mount.close(0.2)
    server.stop()
    await server.close_all_connections()


async def start(send: Send, *headers: tuple[bytes, bytes], status: int = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def piece(send: Send, data: bytes, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": more})


def plain(data: bytes) -> Callable[[Message, Receive, Send], Any]:
    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        await start(send)
        await piece(send, data, more=False)

    return answer


async def test_the_application_gets_the_request_as_it_came() -> None:
    got: list[Message] = []

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        got.extend([scope, await receive()])
        await plain(b"")(scope, receive, send)

    async with served(App(answer)) as here:
        await here.client.post("/x?a=%20b&c", content=b"body", headers=[("X-A", "1"), ("X-A", "2")])
    scope, message = got
    assert (scope["type"], scope["method"], scope["path"], scope["query_string"]) == (
        "http",
        "POST",
        "/a b",
        b"a=%20b&c",
    )
    assert [value for name, value in scope["headers"] if name == b"x-a"] == [b"1", b"2"]
    assert scope["server"] == ("127.0.0.1", here.port)
    assert scope["state"] == {"who": "me"}
    assert message == {"type": "http.request", "body": b"body", "more_body": False}


async def test_each_piece_reaches_the_client_before_the_next_is_made() -> None:
    read = asyncio.Event()

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        await start(send, (b"content-type", b"text/event-stream"), (b"connection", b"close"), (b"content-length", b"9"))
        for number in range(3):
            await piece(send, b"%d" % number)
            await read.wait()
            read.clear()
        await piece(send, b"end", more=False)

    async with served(App(answer)) as here, here.client.stream("GET", "/") as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        assert response.headers.get("Connection") != "close"
        assert "Content-Length" not in response.headers
        got = []
        async for data in response.aiter_raw():
            got.append(data)
            read.set()
        assert got == [b"0", b"1", b"2", b"end"]


async def test_the_headers_of_a_stream_do_not_wait_for_its_first_event() -> None:
    answered = asyncio.Event()

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        await start(send, (b"content-type", b"text/event-stream; charset=utf-8"))
        await answered.wait()
        await piece(send, b"event", more=False)

    async with served(App(answer)) as here, here.client.stream("GET", "/") as response:
        answered.set()
        assert await response.aread() == b"event"


async def test_status_and_repeated_headers_are_kept() -> None:
    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        await start(send, (b"x-a", b"1"), (b"X-A", b"2"), (b"content-type", b"text/plain"), status=418)
        await piece(send, b"tea", more=False)

    async with served(App(answer)) as here:
        response = await here.client.get("/")
    assert (response.status_code, response.text, response.headers.get_list("x-a")) == (418, "tea", ["1", "2"])
    assert response.headers["Content-Type"] == "text/plain"


async def test_a_client_that_goes_is_told_to_the_application_and_what_it_sends_goes_nowhere() -> None:
    begun: asyncio.Queue[str] = asyncio.Queue()

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        await receive()
        await start(send)
        await piece(send, b"so far")
        begun.put_nowait("begun")
        begun.put_nowait((await receive())["type"])
        await piece(send, b"unheard")
        await piece(send, b"", more=False)
        begun.put_nowait("ended")

    async with served(App(answer)) as here:
        async with here.client.stream("GET", "/"):
            assert await begun.get() == "begun"
        assert await asyncio.wait_for(begun.get(), 10) == "http.disconnect"
        assert await asyncio.wait_for(begun.get(), 10) == "ended"


async def test_a_client_that_does_not_read_is_dropped() -> None:
    done: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        await receive()
        await start(send)
        waiting = asyncio.ensure_future(receive())
        while not waiting.done():
            await piece(send, b"x" * 1_000_000)
        done.set_result((await waiting)["type"])

    async with served(App(answer)) as here:
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", here.port))
            deaf.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await asyncio.wait_for(done, 20) == "http.disconnect"


async def test_after_the_answer_there_is_nothing_more_to_receive() -> None:
    waiting: list[asyncio.Future[Message]] = []

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        await receive()
        waiting.append(asyncio.ensure_future(receive()))
        await plain(b"all")(scope, receive, send)

    async with served(App(answer)) as here:
        assert (await here.client.get("/")).text == "all"
        assert (await asyncio.wait_for(waiting[0], 10))["type"] == "http.disconnect"


async def test_a_failure_before_the_answer_is_a_500_and_in_its_middle_cuts_it() -> None:
    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        if scope["method"] == "POST":
            await start(send)
            await piece(send, b"half")
        raise ValueError("on purpose")

    async with served(App(answer)) as here:
        assert (await here.client.get("/")).status_code == 500
        with pytest.raises(httpx.RemoteProtocolError):
            await here.client.post("/")


async def test_an_application_that_leaves_its_answer_open_cuts_it() -> None:
    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        await start(send)
        await piece(send, b"half")

    async with served(App(answer)) as here:
        with pytest.raises(httpx.RemoteProtocolError):
            await here.client.get("/")


async def test_closing_ends_the_streams_first_and_the_lifespan_in_its_own_task() -> None:
    begun = asyncio.Event()

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        await receive()
        await start(send)
        await piece(send, b"so far")
        begun.set()
        await receive()

    app = App(answer)
    async with served(app) as here:
        async with here.client.stream("GET", "/") as response:
            await begun.wait()
            await here.mount.close()
            assert await response.aread() == b"so far"
        assert app.seen == ["lifespan.startup", "answered", "lifespan.shutdown"]
        assert len(set(app.tasks)) == 1
        assert app.tasks[0] is not asyncio.current_task()
        assert (await here.client.get("/")).status_code == 500


async def test_closing_cancels_what_does_not_end() -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        begun.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            cancelled.set()

    async with served(App(answer)) as here:
        asked = asyncio.ensure_future(here.client.get("/"))
        await begun.wait()
        await here.mount.close(0.05)
        assert cancelled.is_set()
        await asyncio.gather(asked, return_exceptions=True)


async def test_an_application_that_does_not_start_says_why() -> None:
    async def failing(scope: Message, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no room"})

    async def raising(scope: Message, receive: Receive, send: Send) -> None:
        raise ValueError("no lifespan here")

    async def leaving(scope: Message, receive: Receive, send: Send) -> None:
        return

    for application, why in ((failing, "no room"), (raising, "no lifespan"), (leaving, "ended before")):
        with pytest.raises((RuntimeError, ValueError), match=why):
            await Lifespan(application).start()


async def test_anyio_scopes_of_a_lifespan_are_left_where_they_were_entered() -> None:
    import anyio

    async def application(scope: Message, receive: Receive, send: Send) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep_forever)
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            group.cancel_scope.cancel()
        await send({"type": "lifespan.shutdown.complete"})

    mount = Mount(application, log=LOG)
    await asyncio.create_task(mount.open())
    await asyncio.create_task(mount.close())


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Failures on purpose are logged; that is asserted by status, not read."""
    with caplog.at_level(logging.CRITICAL):
        yield


async def test_a_bare_fastmcp_server_works_behind_it() -> None:
    from fastmcp import Client, FastMCP

    bare: FastMCP[Any] = FastMCP("bare")

    @bare.tool
    async def add(a: int, b: int) -> int:
        return a + b

    app: Any = bare.http_app(path="/a b")
    async with served(app) as here:
        for mode in ("2026-07-28", "legacy"):
            async with Client(f"http://127.0.0.1:{here.port}/", mode=mode) as client:
                assert (await client.call_tool("add", {"a": 1, "b": 2})).data == 3
