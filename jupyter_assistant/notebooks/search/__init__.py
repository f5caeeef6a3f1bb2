"""Search over the cells of all notebooks: ``find`` brings the index up to date, then asks it.

The law: a search answers within its patience with what is indexed by then, and says if that is not all; the newest
notebooks come first. What was just saved is found at once: by Jupyter, by us, or by replacing the file. What another
program writes into a file so that its folder tells nothing is found within ``FRESH`` seconds. Nothing is indexed
before the first search. The index is only a hint: each place is checked against its home before it is shown, so
nothing hidden, outside or gone is.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from logging import Logger
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ...errors import AssistantError, InvalidInput, NotebookBusy, NotebookError, NotebookNotFound
from ..cells import Snapshot
from ..listing import Changes, Sighting, Stamp
from .index import VERSION, Index, Page
from .index import Place as Place
from .words import Query, parse

T = TypeVar("T")

PATIENCE = 0.3
"""Seconds a search waits for the index to be brought up to date."""
FRESH = 5.0
"""Seconds for which a search trusts a look at every notebook, and looks only where a folder has changed."""
BATCH = 16
SMALL = 256 * 1024
READERS = 1
"""Notebooks read at a time: parsing holds the interpreter lock, and who asks about another should not wait."""
MAX_LIMIT = 100
SPARE = 10
"""Places asked for beyond the limit, for those that turn out to be gone."""


class Source(Protocol):
    """Where notebooks are seen to come, change and go."""

    async def changes(self, known: Mapping[str, Stamp], *, quick: bool = False) -> Changes: ...

    async def place(self, path: str) -> str: ...


class Home(Protocol):
    """Where notebooks are opened, and read without keeping anything of them."""

    async def open(self, path: str) -> object: ...

    async def glance(self, path: str) -> Snapshot: ...


@dataclass(frozen=True, slots=True)
class Found:
    """Places, best first; ``complete`` if all ``total`` notebooks are searched as they are, else ``indexed``."""

    places: tuple[Place, ...]
    complete: bool
    indexed: int
    total: int


def index_file(folder: Path, root: Path, contents_manager: object) -> Path:
    """The index of one server's notebooks: one for each root, manager, and whether hidden notebooks are among them."""
    kind = type(contents_manager)
    hidden = bool(getattr(contents_manager, "allow_hidden", False))
    name = f"{os.path.realpath(root)}\0{kind.__module__}.{kind.__qualname__}\0{hidden}"
    return folder / f"search-{VERSION}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}.sqlite"


class Search:
    """Finds cells. ``file`` says where the index is kept (None: in memory), when the first search asks for it."""

    def __init__(
        self,
        source: Source,
        home: Home,
        *,
        file: Callable[[], Path | None],
        log: Logger,
    ) -> None:
        self._source = source
        self._home = home
        self._file = file
        self._log = log
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="assistant-search")
        self._index: Index | None = None
        self._turn = asyncio.Lock()
        self._readers = asyncio.Semaphore(READERS)
        self._next: asyncio.Task[bool] | None = None
        self._filling: asyncio.Task[bool] | None = None
        self._tasks: set[asyncio.Task[bool]] = set()
        self._pending: dict[str, Sighting] = {}
        self._working: dict[str, Sighting] = {}
        self._known: dict[str, Stamp] = {}
        self._writes = 0
        self._looked = -FRESH
        self._closed = False

    async def find(self, query: str, path: str = "", limit: int = 10, *, patience: float = PATIENCE) -> Found:
        """At most ``limit`` cells of the notebooks in the folder (or of the notebook) ``path`` that answer ``query``.

        Raises ``PathRefused``, ``NotebookNotFound``, ``InvalidInput``, ``StoreUnavailable``.
        """
        if not 1 <= limit <= MAX_LIMIT:
            raise InvalidInput("limit", f"must be from 1 to {MAX_LIMIT}.")
        if self._closed:
            raise NotebookBusy("The server is stopping.")
        scope = await self._source.place(path)
        index, asked = self._opened(), parse(query)
        opened, written = max(1, index.openings), self._writes + index.loads
        # Asked while the tree is looked through: that takes longer, and mostly finds nothing new.
        places, complete = await asyncio.gather(self._asked(asked, scope, limit), self._refreshed(patience))
        if index.openings > opened:  # it was lost on the way, and is made anew
            complete = await self._refreshed(patience)
        if self._writes + index.loads > written:
            places = await self._asked(asked, scope, limit)
        waiting = len(self._pending.keys() | self._working.keys())
        total = len(self._known.keys() | self._pending.keys() | self._working.keys())
        return Found(await self._checked(places, limit), complete, total - waiting, total)

    async def close(self) -> None:
        """Stop indexing; no thread, task or open file is left."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._index is not None:
            self._index.interrupt()
            await asyncio.get_running_loop().run_in_executor(self._thread, self._index.close)
        await asyncio.to_thread(self._thread.shutdown)

    # ------------------------------------------------------------ bringing the index up to date

    async def _refreshed(self, patience: float) -> bool:
        """Whether the index holds all as it is now, after at most ``patience`` seconds; the rest goes on."""
        if self._next is None:
            self._next = self._started(self._refresh())
        task = self._next
        await asyncio.wait({task}, timeout=patience)
        return task.done() and not task.cancelled() and task.result()

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
        return not filling.cancelled() and filling.result()

    async def _survey(self) -> None:
        """Learn what has changed; the newest of it is to be read first."""
        self._known = await self._in_thread(self._opened().known)
        changes = await self._look()
        if changes.gone:
            await self._in_thread(lambda: self._opened().forget(changes.gone))
            self._writes += 1
        for path in changes.gone:
            self._known.pop(path, None)
            self._pending.pop(path, None)
        if changes.seen:
            fresh = await self._in_thread(lambda: sorted(changes.seen, key=_modified))
            self._pending.update((seen.path, seen) for seen in fresh if not self._is_done(seen))

    async def _look(self) -> Changes:
        """At every notebook, or where the last such look is fresh only where a folder has changed."""
        began = time.monotonic()
        if began - self._looked < FRESH:
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
                batch = self._batch()
                self._working = {seen.path: seen for seen in batch}
                pages = await asyncio.gather(*map(self._read, batch))
                if None in pages:
                    complete, self._looked = False, -FRESH
                await self._store([page for page in pages if page])
        except AssistantError as error:
            self._log.warning("search index: %s", error.text)
            return False
        finally:
            self._working = {}
        return complete

    async def _store(self, pages: Sequence[Page]) -> None:
        await self._in_thread(lambda: self._opened().put(pages))
        self._writes += 1
        self._known.update((page.sighting.path, page.sighting.stamp) for page in pages)

    def _batch(self) -> list[Sighting]:
        """The newest of what is pending: some small notebooks, or one large one."""
        batch = [self._pending.popitem()[1]]
        while self._pending and len(batch) < BATCH and batch[0].size <= SMALL:
            path, seen = self._pending.popitem()
            if seen.size > SMALL:
                self._pending[path] = seen
                break
            batch.append(seen)
        return batch

    async def _read(self, seen: Sighting) -> Page | None:
        """The notebook's cells, none where it is broken; None if it could not be read just now."""
        try:
            async with self._readers:
                return Page(seen, (await self._home.glance(seen.path)).cells)
        except (NotebookBusy, NotebookNotFound):
            return None
        except NotebookError:
            return Page(seen, ())

    # ------------------------------------------------------------ answers

    async def _asked(self, query: Query, scope: str, limit: int) -> list[Place]:
        return await self._in_thread(lambda: self._opened().find(query, scope, limit + SPARE))

    async def _checked(self, places: Sequence[Place], limit: int) -> tuple[Place, ...]:
        """The places whose notebooks can be opened."""
        paths = list(dict.fromkeys(place.path for place in places))
        opened = dict(zip(paths, await asyncio.gather(*map(self._is_open, paths)), strict=True))
        return tuple(place for place in places if opened[place.path])[:limit]

    async def _is_open(self, path: str) -> bool:
        try:
            await self._home.open(path)
        except NotebookError:
            return False
        return True

    def _opened(self) -> Index:
        if self._index is None:
            self._index = Index(self._file(), log=self._log)
        return self._index

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._closed:
            raise NotebookBusy("The server is stopping.")
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _started(self, work: Coroutine[Any, Any, bool]) -> asyncio.Task[bool]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _modified(seen: Sighting) -> float:
    return seen.modified
