"""A server extension for measuring only: how long the server's event loop was away at worst.

``GET /bench/lag`` gives the longest delay since the last call, in milliseconds, and starts anew.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from jupyter_server.base.handlers import APIHandler
from tornado import web

TICK = 0.001


class LagHandler(APIHandler):
    """The worst delay since the last call."""

    worst = 0.0
    task: asyncio.Task[None] | None = None

    @web.authenticated
    def get(self) -> None:
        """Answer and start anew."""
        self.finish(json.dumps({"lag_ms": 1000 * LagHandler.worst}))
        LagHandler.worst = 0.0


async def watch() -> None:
    """Sleep a tick again and again; what it takes longer, something else took."""
    while True:
        before = time.perf_counter()
        await asyncio.sleep(TICK)
        LagHandler.worst = max(LagHandler.worst, time.perf_counter() - before - TICK)


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "benchmarks.lag"}]


def _load_jupyter_server_extension(app: Any) -> None:
    app.web_app.add_handlers(".*", [("/bench/lag", LagHandler)])


async def _start_jupyter_server_extension(app: Any) -> None:
    LagHandler.task = asyncio.create_task(watch())  # kept alive for the process's life
