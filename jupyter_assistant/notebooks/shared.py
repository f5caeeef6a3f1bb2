"""What many readers of one notebook share: the work while it runs, and its result afterwards.

The law: the same content is digested once however many ask; nobody's leaving disturbs those who stay, and the last
to leave stops the work.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from ..errors import NotebookBusy

T = TypeVar("T")


class Kept(Generic[T]):
    """The results last used, up to ``limit`` bytes of them; of one path only the newest."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[str, tuple[object, T, int]] = OrderedDict()
        self._bytes = 0

    def get(self, path: str, state: object) -> T | None:
        """What was kept for ``path`` when its file was in ``state``."""
        entry = self._entries.get(path)
        if entry is None or entry[0] != state:
            return None
        self._entries.move_to_end(path)
        return entry[1]

    def put(self, path: str, state: object, found: T, cost: int) -> None:
        """Keep ``found``, of about ``cost`` bytes; what was used longest ago makes room."""
        self._forget(path)
        if cost > self._limit:
            return
        self._entries[path] = state, found, cost
        self._bytes += cost
        while self._bytes > self._limit:
            self._forget(next(iter(self._entries)))

    def clear(self) -> None:
        self._entries.clear()
        self._bytes = 0

    def _forget(self, path: str) -> None:
        if entry := self._entries.pop(path, None):
            self._bytes -= entry[2]


class Shared(Generic[T]):
    """Work that several wait for: done once per key, and stopped when the last of them has gone."""

    def __init__(self) -> None:
        self._tasks: dict[object, asyncio.Task[T]] = {}
        self._waiting: dict[asyncio.Task[T], int] = {}

    async def run(self, key: object, start: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of the work under ``key``, which is joined if it runs and started if not."""
        task = self._tasks.get(key) or self._started(key, start())
        self._waiting[task] += 1
        try:
            await asyncio.wait({task})
        finally:
            self._waiting[task] -= 1
            if not self._waiting[task]:
                await self._left(key, task)
        if task.cancelled():
            raise NotebookBusy("The server is stopping.")
        return task.result()

    async def close(self) -> None:
        """Stop all work; who waits for it is told so."""
        tasks = list(self._waiting)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _started(self, key: object, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = self._tasks[key] = asyncio.create_task(work)
        self._waiting[task] = 0
        return task

    async def _left(self, key: object, task: asyncio.Task[T]) -> None:
        """Nobody waits for ``task`` any more; a later reader starts anew, it does not join what is being stopped."""
        del self._waiting[task]
        if self._tasks.get(key) is task:
            del self._tasks[key]
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
        if not task.cancelled():
            task.exception()
