"""A short stream of nothing: shows whether a stream reaches its reader while it is made."""

from __future__ import annotations

import asyncio

from jupyter_server.auth.decorator import authorized
from tornado import web
from tornado.iostream import StreamClosedError

from ... import sse
from .base import RESOURCE, AssistantHandler

BEATS = 8
PAUSE = 0.15


class PulseHandler(AssistantHandler):
    """``GET health/stream``: eight events, one each 150 ms, with the headers of an answer's stream."""

    @web.authenticated
    @authorized(action="read", resource=RESOURCE)
    async def get(self) -> None:
        """Send them; calls nobody and keeps nothing."""
        self.begin_stream()
        try:
            for number in range(1, BEATS + 1):
                self.write(sse.encode("pulse", f'{{"of":{BEATS}}}', number))
                await self.flush()
                await asyncio.sleep(PAUSE if number < BEATS else 0)
        except StreamClosedError:
            return
