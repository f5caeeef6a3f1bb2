"""A window of JupyterLab as a script: the ``tab`` socket spoken by a client that keeps its notebooks in memory.

It does what the front-end does, at the level of the protocol; its notebooks are ``tests.tabpage``. Faults are switches:
``hung`` (takes no message up), ``deaf`` to pings, other ``answers``.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any

from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from tests.conftest import Server
from tests.kernels import until
from tests.tabpage import Page, Refused, Run

Json = dict[str, Any]
PATIENT = 30.0
"""Seconds the server waits for an answer that must come, also on a machine that has much to do."""
_names = itertools.count(1)


def address(server: Server) -> str:
    return f"{server.client.base_url}tab".replace("http://", "ws://", 1)


async def connected(server: Server, *, token: str | None = None, **headers: str) -> WebSocketClientConnection:
    """A socket, not greeted yet."""
    known = server.app.identity_provider.token if token is None else token
    sent = {**({"Authorization": f"token {known}"} if known else {}), **headers}
    return await websocket_connect(HTTPRequest(address(server), headers=sent), max_message_size=1 << 27)


class Window:
    """A page. ``frozen``: messages wait, as in a page whose main thread is busy."""

    def __init__(self, server: Server, name: str | None = None) -> None:
        self.server = server
        self.name = name or f"window-{next(_names)}"
        self.pages: dict[str, Page] = {}
        self.asked: list[str] = []
        self.deaf = False
        self.pings = 0
        self.answers: Callable[[Json], Json | None] = lambda message: None
        """What it says to a request instead of what is right."""
        self._awake = asyncio.Event()
        self._awake.set()
        self._offset = float("inf")
        self._tasks: set[asyncio.Task[None]] = set()
        self._runs: dict[int, Run] = {}
        self.socket: Any = None

    async def __aenter__(self) -> Window:
        await self.join()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.leave()

    async def join(self) -> None:
        self._tabs = (await self.server.extension.open()).notebooks.tabs
        self._tabs.answer_seconds = PATIENT
        self.socket = await connected(self.server)
        self._work = asyncio.create_task(self._serve(self.socket))
        self.say(type="hello", window=self.name, protocol=1)
        self.show()

    async def leave(self, code: int = 1000) -> None:
        """Close the page."""
        self._awake.set()
        self.socket.close(code)
        await self._work
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def break_off(self) -> None:
        """The connection ends without a goodbye."""
        self.socket.protocol.stream.close()
        await self._work
        self.socket.close()

    @contextmanager
    def hung(self, patience: float = 0.2) -> Iterator[None]:
        """Its main thread is busy meanwhile; the server waits ``patience`` seconds for an answer, not longer."""
        self._awake.clear()
        self._tabs.answer_seconds = patience
        yield
        self._tabs.answer_seconds = PATIENT
        self._awake.set()

    async def open(self, path: str, **shown: Any) -> Page:
        """Open a notebook from its file; back once the server had it taken up what was saved while it was loaded."""
        page = Page(self, path, **shown)
        page.load()
        for other in self.pages.values():
            other.shown["current"] = False
        self.pages[page.name] = page
        await self.shown()
        if not page.dirty and not page.shown["collaborative"]:
            await until(lambda: "revert" in self.asked)
        self.asked.clear()
        return page

    def close(self, page: Page) -> None:
        del self.pages[page.name]
        self.show()

    async def shown(self) -> None:
        """Say what is open, and wait until the server has heard it."""
        self.show()
        said = {page.name: page.described() for page in self.pages.values()}

        def heard() -> bool:
            windows = [window for window in self._tabs.windows if window.name == self.name]
            return [{name: asdict(each.shown) for name, each in window.opened.items()} for window in windows] == [said]

        await until(heard)

    def show(self) -> None:
        """Say what is open."""
        self.say(type="documents", documents=[page.described() for page in self.pages.values()])

    def say(self, **frame: Any) -> None:
        with suppress(Exception):
            self.socket.write_message(json.dumps(frame))

    # ------------------------------------------------------------ its side of the protocol

    async def _serve(self, socket: WebSocketClientConnection) -> None:
        while (text := await socket.read_message()) is not None:
            await self._awake.wait()
            message = json.loads(text)
            self._offset = min(self._offset, time.monotonic() * 1e3 - message.get("now", float("-inf")))
            self.pings += message["type"] == "ping"
            if message["type"] == "ping" and not self.deaf:
                self.say(type="pong", id=message["id"])
            elif message["type"] == "cancel" and message["id"] in self._runs:
                await self._runs[message["id"]].cancel()
            elif message["type"] == "request":
                self._take(message)

    def _take(self, message: Json) -> None:
        self.asked.append(message["method"])
        if (answer := self.answers(message)) is not None:
            self.say(**answer)
            return
        late = time.monotonic() * 1e3 - message["now"] - self._offset
        if late > message.get("within_ms", float("inf")):
            self.answer(message["id"], Refused("cancelled"))
            return
        page = self.pages.get(message["params"]["document"])
        if page is None:
            self.answer(message["id"], Refused("unknown_document"))
        elif message["method"] == "run":
            run = self._runs[message["id"]] = Run(page, message["id"], message["params"]["cell_ids"])
            task = asyncio.create_task(run.drive())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self.answer(message["id"], page.do(message["method"], message["params"]))

    def answer(self, number: int, result: Json | Refused) -> None:
        if isinstance(result, Refused):
            self.say(type="reply", id=number, ok=False, error=result.error)
        else:
            self.say(type="reply", id=number, ok=True, result=result)


def put(server: Server, content: Mapping[str, Any], name: str = "a.ipynb") -> None:
    (server.root / name).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
