"""A gate before work that may come in crowds: so many begin at once that the rest of the server is answered between.

The law: nobody is turned away, and nobody waits for another's long work: who has been inside for ``seconds`` counts
as waiting himself, and the next is let in.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

WIDTH = 16
SECONDS = 0.25


class Gate:
    """Lets ``width`` in at a time, in the order they came."""

    def __init__(self, width: int = WIDTH, seconds: float = SECONDS) -> None:
        self._free = asyncio.Semaphore(width)
        self._seconds = seconds

    @asynccontextmanager
    async def passed(self) -> AsyncIterator[None]:
        """Wait for the turn, then go in."""
        await self._free.acquire()
        left = False

        def leave() -> None:
            nonlocal left
            if not left:
                left = True
                self._free.release()

        timer = asyncio.get_running_loop().call_later(self._seconds, leave)
        try:
            yield
        finally:
            timer.cancel()
            leave()
