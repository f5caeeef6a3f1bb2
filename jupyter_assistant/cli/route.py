"""The way to the running server: found once, and found again when the server was started anew.

The law: whoever began with one server is never passed on to another one: only the same root, or the same address, will
do. The first search does not wait; afterwards a server that restarts is waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..errors import AssistantError, ServerNotFound, ServerUnreachable
from ..kernel.client import Server
from ..kernel.client.link import Link

AGAIN = 0.25
"""Seconds between two looks for a server that is gone."""


class Route:
    """The link to the server that ``find`` gives, for as long as it holds. ``close`` it."""

    def __init__(self, find: Callable[[], Server], *, wait: float, say: Callable[[str], None]) -> None:
        self._find = find
        self._wait = wait
        self._say = say
        self._link: Link | None = None
        self._home: Server | None = None
        self._old: list[Link] = []
        self._reached = False
        self._gone_since: float | None = None

    async def link(self) -> Link:
        """The link there is, or a new one. Raises what keeps from one when the time to wait is over."""
        while self._link is None:
            try:
                self._link = self._looked()
            except ServerNotFound as error:
                await self._pause(error)
        return self._link

    def _looked(self) -> Link:
        server = self._find()
        home = self._home
        if home is not None and server.url != home.url and (server.root != home.root or not home.root):
            raise ServerNotFound("The Jupyter server has stopped.", "Start it again in the same folder.")
        if home is None or server != home:
            self._say(f"connected to {server.url}")
        self._home = server
        return Link(server)

    async def gone(self, link: Link, error: AssistantError) -> None:
        """It cannot be reached: look for it again, after a moment. Raises ``error`` when waiting has no use."""
        if self._link is link:
            self._link = None
            self._old.append(link)
        await self._pause(error)

    async def _pause(self, error: AssistantError) -> None:
        now = asyncio.get_running_loop().time()
        self._gone_since = self._gone_since or now
        if not self._reached or now - self._gone_since >= self._wait:
            self._gone_since = now - self._wait if self._reached else None
            raise self._explained(error)
        await asyncio.sleep(AGAIN)

    def _explained(self, error: AssistantError) -> AssistantError:
        if isinstance(error, ServerUnreachable) and self._home is not None and error.hint == error.default_hint:
            hint = "Start Jupyter again in the same folder, then repeat the request."
            return ServerUnreachable(f"The Jupyter server at {self._home.url} does not answer.", hint)
        return error

    def answered(self, link: Link) -> None:
        """It works: from now on it is worth waiting for."""
        self._reached = True
        self._gone_since = None

    def has_moved(self, link: Link) -> bool:
        """Whether the server, looked for anew, is another than a link's: it was started again, with another token."""
        try:
            server = self._find()
        except AssistantError:
            return False
        if server == link.server:
            return False
        if self._link is link:
            self._link = None
            self._old.append(link)
        return True

    async def close(self) -> None:
        """Close every link there was."""
        links = [*self._old, *([self._link] if self._link else [])]
        self._old, self._link = [], None
        for link in links:
            await link.close()
