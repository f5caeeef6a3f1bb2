"""The ``tab`` WebSocket: carries what a window of JupyterLab and ``notebooks.tab`` say to each other.

The law: it is let in as every other route is, with an ``Origin`` of this server; it understands nothing of what it
carries, and bounds it: one message at a time, none larger than a frame.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized, ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado.web import HTTPError
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from ...errors import AssistantError
from .base import RESOURCE, Services, owner_of

if TYPE_CHECKING:
    from ...notebooks.tab import Tabs, Window

MAX_REASON = 120
"""Bytes of a reason; the protocol has room for 123."""


class TabHandler(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """``tab``: one window."""

    services: Services

    def initialize(self, services: Services) -> None:
        """Take what the composition root built."""
        self.services = services
        self._window: Window | None = None
        self._tabs: Tabs | None = None

    @ws_authenticated
    @authorized(action="write", resource=RESOURCE)
    async def get(self, *args: Any, **options: Any) -> None:  # type: ignore[override]  # as the decorators type it
        """Let the window in."""
        try:
            self._tabs = (await self.services.ready()).assistant.notebooks.tabs
        except AssistantError as error:
            raise HTTPError(503, error.text) from error
        await super().get(*args, **options)

    def open(self, *args: Any, **options: Any) -> None:
        """The connection stands."""
        super().open(*args, **options)
        if self._tabs is not None:
            self._window = self._tabs.joined(self, owner_of(self))

    async def on_message(self, message: str | bytes) -> None:
        """Take a message; the next one is read when this returns."""
        if self._window is not None:
            await self._window.hear(message)

    def on_close(self) -> None:
        """The connection has ended."""
        if self._window is not None:
            self._window.left(self.close_code)

    # ------------------------------------------------------------ the channel

    def send(self, text: str) -> None:
        """Send a message; one that cannot be sent any more is dropped."""
        with suppress(WebSocketClosedError):
            self.write_message(text).add_done_callback(_forgotten)

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """End the connection."""
        super().close(code, (reason or "").encode()[:MAX_REASON].decode("utf-8", "ignore"))

    # ------------------------------------------------------------ the host's habits

    def set_default_headers(self) -> None:
        """An upgrade has no content, of which Jupyter's headers speak."""

    def skip_check_origin(self) -> bool:
        """A token does not make a foreign page one of this server's."""
        return False

    @property
    def max_message_size(self) -> int:
        """Bytes."""
        from ...notebooks.tab import MAX_FRAME

        return MAX_FRAME


def _forgotten(sent: asyncio.Future[None]) -> None:
    """The connection may have ended meanwhile; ``on_close`` says so."""
    if not sent.cancelled():
        sent.exception()
