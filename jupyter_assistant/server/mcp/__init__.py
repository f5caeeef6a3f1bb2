"""The MCP endpoint: the one list of tools, served on Jupyter's own port to clients of either era of the protocol.

The law: nothing of it exists before its first request; the library is imported then, off the loop, and told to look
at no file and no network of its own. Closing ends the streams first, then the library, in the task that started it.
"""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from logging import Logger
from typing import TYPE_CHECKING

from ..asgi import Application, Exchange, Message, Mount
from .caller import CALLER, Caller
from .gate import Gate
from .sessions import Sessions

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["Caller", "Endpoint"]

PATH = "/mcp"
SESSION = "Mcp-Session-Id"
WATCHER = "_shutdown_watcher"
QUIET = {
    "FASTMCP_ENV_FILE": os.devnull,
    "FASTMCP_LOG_ENABLED": "false",
    "FASTMCP_CHECK_FOR_UPDATES": "off",
    "FASTMCP_SHOW_SERVER_BANNER": "false",
}
"""What keeps the library from reading ``.env``, looking for updates, and writing to the terminal."""


class Endpoint:
    """The desk behind the protocol, opened by its first request. ``close`` it when the server stops."""

    def __init__(self, desk: Desk, *, log: Logger) -> None:
        self._desk = desk
        self._log = log
        self._mount: Mount | None = None
        self._opening = asyncio.Lock()
        self._closed = False
        self._gate = Gate()
        self.sessions = Sessions()

    @property
    def state(self) -> str:
        """``idle`` before the first request, then ``open``; ``closed`` at the end."""
        return "closed" if self._closed else "idle" if self._mount is None else "open"

    async def serve(self, scope: Message, exchange: Exchange, caller: Caller) -> None:
        """Answer one request, let in already; raises what goes wrong before the answer begins."""
        mount = await self._opened()
        CALLER.set(caller)
        async with self._gate.passed():
            await mount.serve(scope, exchange)

    async def make_room(self, scope: Message) -> bool:
        """End the session that is unused for longest where there are as many as may be; False if all are in use."""
        while self.sessions.full:
            oldest = self.sessions.oldest()
            if oldest is not None:
                self.sessions.remove(oldest)
                await self._end(oldest, scope)
            elif not await self.sessions.moved():
                return False
        return True

    async def _end(self, session: str, scope: Message) -> None:
        """End a session as its client would: with a DELETE."""
        headers = [(SESSION.lower().encode(), session.encode()), (b"accept", b"application/json, text/event-stream")]
        if self._mount is not None:
            await self._mount.tell({**scope, "method": "DELETE", "headers": headers})

    async def _opened(self) -> Mount:
        async with self._opening:
            if self._mount is None and not self._closed:
                application = await asyncio.get_running_loop().run_in_executor(None, self._build)
                mount = Mount(application, log=self._log)
                await mount.open()
                self._mount = mount
        if self._mount is None:
            raise RuntimeError("the endpoint is closed")
        return self._mount

    def _build(self) -> Application:
        with _environment(QUIET), _uncollected():
            return self._application()

    def _application(self) -> Application:
        from .protocol import mounted, served

        return mounted(served(self._desk))

    async def close(self) -> None:
        """End every stream, then the sessions and the library's tasks."""
        async with self._opening:
            self._closed = True
            mount, self._mount = self._mount, None
        if mount is not None:
            await mount.close()
            await _end_watcher()


async def _end_watcher() -> None:
    """The library's streams leave a task on the loop that watches for the end of a uvicorn there is not."""
    watching = [task for task in asyncio.all_tasks() if getattr(task.get_coro(), "__name__", "") == WATCHER]
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """The variables set for as long as an import takes."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector: a full collection among the objects of an import stops the loop for 0.1 s.

    What was made is passed to the oldest generation as it is, or the next collection of the youngest would do the same.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():
            gc.freeze()
            gc.unfreeze()
        if collects:
            gc.enable()
