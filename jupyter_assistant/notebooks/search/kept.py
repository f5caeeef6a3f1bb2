"""The index in its one thread, made when it is first asked for.

The law: nothing but this thread touches the index, and nothing of it is left after ``close``.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from logging import Logger
from pathlib import Path
from typing import TypeVar

from ...errors import AssistantError, NotebookBusy
from .index import Index
from .rows import Counts, Unembedded

T = TypeVar("T")


class Kept:
    """The index of one server. ``file`` says where it is kept (None: in memory), when it is first asked for."""

    def __init__(self, file: Callable[[], Path | None], log: Logger) -> None:
        self._file = file
        self._log = log
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="assistant-search")
        self._index: Index | None = None
        self.closed = False

    @property
    def index(self) -> Index:
        """To be called in the thread only, but for its counters."""
        if self._index is None:
            self._index = Index(self._file(), log=self._log)
        return self._index

    async def call(self, work: Callable[[Index], T]) -> T:
        """What ``work`` makes of the index; raises ``StoreUnavailable``, ``NotebookBusy`` when the server stops."""
        if self.closed:
            raise NotebookBusy("The server is stopping.")
        index = self.index
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, index)

    async def counts(self) -> Counts | None:
        """How much it holds, without making it; None where it cannot be read."""
        if self._index is None:
            return Counts(0, 0, 0)
        try:
            return await self.call(Index.counts)
        except AssistantError:
            return None

    async def unembedded(self, embedder: str, below: int, limit: int) -> Unembedded:
        """As ``Index``."""
        return await self.call(lambda index: index.unembedded(embedder, below, limit))

    async def embed(self, embedder: str, found: dict[bytes, array[float]]) -> None:
        """As ``Index``."""
        await self.call(lambda index: index.embed(embedder, found))

    async def prune(self) -> None:
        """As ``Index``."""
        await self.call(Index.prune)

    async def close(self) -> None:
        """End what it is at, close its file, end the thread."""
        self.closed = True
        if self._index is not None:
            self._index.interrupt()
            await asyncio.get_running_loop().run_in_executor(self._thread, self._index.close)
        await asyncio.to_thread(self._thread.shutdown)
