"""The index is brought up to date: what has changed since it was read is read again, the newest first.

The law: who searches waits no longer than his patience, the rest goes on. What was just saved is found at once; what
another program writes into a file so that its folder tells nothing, within ``Pace.fresh`` seconds. Nothing is read
before the first search.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from logging import Logger
from pathlib import Path
from typing import Any, Protocol

from ...errors import AssistantError, NotebookBusy, NotebookError, NotebookNotFound
from ..cells import Snapshot
from ..listing import Changes, Sighting, Stamp
from .index import Index
from .kept import Kept
from .pace import PACE, Pace
from .process import Reading, taken
from .rows import Page, page

MANY = 100
"""Notebooks to be read from which on a process reads them: for fewer, starting it would take longer."""
BATCH, PROCESS_BATCH = 16, 64
SMALL = 256 * 1024
MOST_AT_ONCE = 2_000
"""Notebooks looked at without giving way to the loop: about a millisecond."""
READERS = 1
"""Notebooks read at a time: parsing holds the interpreter lock, and who asks about another should not wait."""


class Source(Protocol):
    """Where notebooks are seen to come, change and go."""

    async def changes(self, known: Mapping[str, Stamp], *, quick: bool = False) -> Changes: ...

    async def place(self, path: str) -> str: ...


class Home(Protocol):
    """Where notebooks are opened, and read without keeping anything of them."""

    async def open(self, path: str) -> object: ...

    async def glance(self, path: str) -> Snapshot: ...


class Upkeep:
    """Keeps the index as the notebooks are. ``when_complete`` is called whenever it holds all of them.

    ``root`` is the folder of notebooks that are plain files, which a process may read; None: they are none.
    """

    def __init__(
        self,
        source: Source,
        home: Home,
        kept: Kept,
        *,
        root: Path | None,
        pace: Pace = PACE,
        when_complete: Callable[[], None],
        log: Logger,
    ) -> None:
        self.writes = 0
        """How often the index was written."""
        self._source = source
        self._home = home
        self._kept = kept
        self._pace = pace
        self._when_complete = when_complete
        self._log = log
        self._turn = asyncio.Lock()
        self._readers = asyncio.Semaphore(READERS)
        self._apart = Reading(root, log) if root is not None else None
        self._next: asyncio.Task[bool] | None = None
        self._filling: asyncio.Task[bool] | None = None
        self._tasks: set[asyncio.Task[bool]] = set()
        self._pending: dict[str, Sighting] = {}
        self._working: dict[str, Sighting] = {}
        self._known: dict[str, Stamp] = {}
        self._looked = -pace.fresh
        self._later: asyncio.TimerHandle | None = None
        self._complete_at: float | None = None

    @property
    def age(self) -> float | None:
        """Seconds since the index was last up to date; None before it was."""
        return None if self._complete_at is None else round(time.monotonic() - self._complete_at, 1)

    @property
    def note(self) -> str:
        """What is amiss with the reading, as a sentence; empty where nothing is."""
        return self._apart.note if self._apart else ""

    @property
    def is_filling(self) -> bool:
        """Whether notebooks are being read just now."""
        return self._filling is not None and not self._filling.done()

    @property
    def progress(self) -> tuple[int, int]:
        """How many notebooks are indexed as they were last seen, and how many there are."""
        waiting = self._pending.keys() | self._working.keys()
        total = len(self._known) + sum(path not in self._known for path in waiting)
        return total - len(waiting), total

    async def close(self) -> None:
        """Read no more; no task is left."""
        if self._later is not None:
            self._later.cancel()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def refreshed(self, patience: float) -> bool:
        """Whether the index holds all as it is now, after at most ``patience`` seconds; the rest goes on."""
        task = self._refreshing()
        await asyncio.wait({task}, timeout=patience)
        return task.done() and not task.cancelled() and task.result()

    def _refreshing(self) -> asyncio.Task[bool]:
        if self._next is None:
            self._next = self._started(self._refresh())
        return self._next

    def refresh_later(self) -> None:
        """Once nobody has asked for a while: reading notebooks would hold up the answer to who asks."""
        if self._later is not None:
            self._later.cancel()
        self._later = asyncio.get_running_loop().call_later(self._pace.idle, self._refreshing)

    async def _refresh(self) -> bool:
        async with self._turn:
            self._next = None  # who asks from here on may have saved what this walk has passed by
            try:
                await self._survey()
            except AssistantError as error:
                self._log.warning("search index: %s", error.text)
                return False
            if self._filling is None or self._filling.done():
                self._filling = self._started(self._fill())
            filling = self._filling
        await asyncio.wait({filling})
        complete = not filling.cancelled() and filling.result()
        if complete and not self._kept.closed:
            self._complete_at = time.monotonic()
            self._when_complete()
        return complete

    async def _survey(self) -> None:
        """Learn what has changed; the newest of it is to be read first."""
        index = self._kept.index
        loads = index.loads
        if not loads:
            self._known = await self._kept.call(Index.known)
            loads = index.loads
        # Beside the search, which has the index's thread: another server has seldom written meanwhile.
        changes, known = await asyncio.gather(self._look(), self._kept.call(Index.known))
        if index.loads != loads:
            self._known = known
            changes = await self._look()
        if changes.gone:
            await self._kept.call(lambda index: index.forget(changes.gone))
            self.writes += 1
        for path in changes.gone:
            self._known.pop(path, None)
            self._pending.pop(path, None)
        if changes.seen:
            fresh = await self._kept.call(lambda _: sorted(changes.seen, key=_modified))
            for at in range(0, len(fresh), MOST_AT_ONCE):
                part = fresh[at : at + MOST_AT_ONCE]
                self._pending.update((seen.path, seen) for seen in part if not self._is_done(seen))
                await asyncio.sleep(0)

    async def _look(self) -> Changes:
        """At every notebook, or where the last such look is fresh only where a folder has changed."""
        began = time.monotonic()
        if began - self._looked < self._pace.fresh:
            waiting = {
                seen.path: seen.stamp for seen in (*self._pending.values(), *self._working.values()) if seen.stamp
            }
            known = {**self._known, **waiting} if waiting else self._known
            return await self._source.changes(known, quick=True)
        changes = await self._source.changes(self._known)
        self._looked, self._pending = began, {}
        return changes

    def _is_done(self, seen: Sighting) -> bool:
        """Whether this very content is indexed, or about to be."""
        working = self._working.get(seen.path)
        return bool(seen.stamp) and seen.stamp in (self._known.get(seen.path), working and working.stamp)

    async def _fill(self) -> bool:
        """Read and index what is pending; whether all of it could be."""
        complete = True
        try:
            while self._pending:
                apart = self._reading()
                batch = self._batch(PROCESS_BATCH if apart else BATCH)
                self._working = {seen.path: seen for seen in batch}
                known = await self._read_apart(apart, batch) if apart else {}
                pages = [known.get(seen.path) or await self._read(seen) for seen in batch]
                if None in pages:
                    complete, self._looked = False, -self._pace.fresh
                await self._store([page for page in pages if page])
        except AssistantError as error:
            self._log.warning("search index: %s", error.text)
            return False
        finally:
            self._working = {}
            if self._apart is not None:
                await self._apart.close()
        return complete

    def _reading(self) -> Reading | None:
        """The process, where it runs or is worth its start."""
        worth = self._apart and (self._apart.is_running or len(self._pending) >= MANY)
        return self._apart if worth else None

    async def _store(self, pages: Sequence[Page]) -> None:
        await self._kept.call(lambda index: index.put(pages))
        self.writes += 1
        self._known.update((page.sighting.path, page.sighting.stamp) for page in pages)

    def _batch(self, most: int) -> list[Sighting]:
        """The newest of what is pending: at most ``most`` small notebooks, or one large one."""
        batch = [self._pending.popitem()[1]]
        while self._pending and len(batch) < most and batch[0].size <= SMALL:
            path, seen = self._pending.popitem()
            if seen.size > SMALL:
                self._pending[path] = seen
                break
            batch.append(seen)
        return batch

    async def _read_apart(self, apart: Reading, batch: Sequence[Sighting]) -> dict[str, Page]:
        """What the process can read of these, by path."""
        told = await apart.read([seen.path for seen in batch])
        return await self._kept.call(
            lambda _: {
                seen.path: Page(seen, taken(lines))
                for seen, lines in zip(batch, told, strict=True)
                if lines is not None
            }
        )

    async def _read(self, seen: Sighting) -> Page | None:
        """The notebook's cells, none where it is broken; None if it could not be read just now."""
        try:
            async with self._readers:
                cells = (await self._home.glance(seen.path)).cells
                return await self._kept.call(lambda _: page(seen, cells))
        except (NotebookBusy, NotebookNotFound):
            return None
        except NotebookError:
            return Page(seen, ())

    def _started(self, work: Coroutine[Any, Any, bool]) -> asyncio.Task[bool]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _modified(seen: Sighting) -> float:
    return seen.modified
