"""``jupyter assistant mcp``: the bridge between this process's pipes and the server.

The law: the end of standard input, a signal, or a reader that has gone ends all of it, at once and quietly.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress
from pathlib import Path

from ..errors import ServerNotFound
from ..kernel.client import find
from . import stdio
from .bridge import Bridge
from .route import Route


def serve(url: str, token: str, *, wait: float) -> int:
    """Bridge standard input and output until the input ends; gives the exit status."""
    output = stdio.claim_output()
    asyncio.run(_serve(url, token, wait, output))
    return 0


async def _serve(url: str, token: str, wait: float, output: int) -> None:
    folder = Path.cwd()
    task = asyncio.current_task()
    assert task is not None
    _end_at_signals(task)

    def write(text: str) -> None:
        try:
            stdio.put(output, text)
        except OSError:
            task.cancel()

    route = Route(lambda: find(folder, url=url, token=token), wait=wait, say=_say)
    with suppress(asyncio.CancelledError):
        try:
            await route.link()
        except ServerNotFound as error:  # the client is told when it asks; one may be started by then
            _say(f"{error.text} {error.hint}")
        await Bridge(route, write=write, say=_say).run(stdio.lines(0))


def _end_at_signals(task: asyncio.Task[object]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, task.cancel)


def _say(text: str) -> None:
    with suppress(OSError, ValueError):  # nobody reads it
        print(f"jupyter assistant mcp: {text}", file=sys.stderr, flush=True)
