"""Search over the cells of all notebooks: ``find`` brings the index up to date, then asks it.

The law: a search answers within its patience with what is indexed by then, and says if that is not all; the newest
notebooks come first. What was just saved is found at once: by Jupyter, by us, or by replacing the file. What another
program writes into a file so that its folder tells nothing is found within ``FRESH`` seconds. Nothing is indexed
before the first search. The index is only a hint: each place is checked against its home before it is shown, so
nothing hidden, outside or gone is. Where an endpoint for embeddings is configured, what is near by its vectors is found
too (``meaning``).
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from array import array
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from logging import Logger
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ...errors import AssistantError, InvalidInput, NotebookBusy, NotebookError, NotebookNotFound
from ...messages import Json
from ..cells import Snapshot
from ..listing import Changes, Sighting, Stamp
from .index import VERSION, Index
from .meaning import Embedder, Meaning
from .rows import Counts, Page, Unembedded, page
from .rows import Place as Place
from .vectors import joined
from .words import Query, parse

T = TypeVar("T")

PATIENCE = 0.3
"""Seconds a search waits for the index to be brought up to date."""
IDLE = 2.0
"""Seconds after the last search that waits for nothing until the index is brought up to date for the next."""
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
    """Places, best first; ``complete`` if all ``total`` notebooks are searched as they are, else ``indexed``.

    ``note`` says, as a sentence, what the search had to do without.
    """

    places: tuple[Place, ...]
    complete: bool
    indexed: int
    total: int
    note: str = ""


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
        embedder: Callable[[], Embedder | None] = lambda: None,
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
        self._later: asyncio.TimerHandle | None = None
        self._complete_at: float | None = None
        self._means = False
        self._meaning = Meaning(embedder, _Vectors(self), log)
        self._closed = False

    async def find(
        self, query: str, path: str = "", limit: int = 10, *, patience: float = PATIENCE, meaning: bool = True
    ) -> Found:
        """At most ``limit`` cells of the notebooks in the folder (or of the notebook) ``path`` that answer ``query``.

        Without ``patience`` the index is asked as it is, and brought up to date later, when nobody waits.
        Without ``meaning`` nothing is sent to an endpoint for embeddings, now or later on its behalf.
        Raises ``PathRefused``, ``NotebookNotFound``, ``InvalidInput``, ``StoreUnavailable``.
        """
        if not 1 <= limit <= MAX_LIMIT:
            raise InvalidInput("limit", f"must be from 1 to {MAX_LIMIT}.")
        if self._closed:
            raise NotebookBusy("The server is stopping.")
        scope = await self._source.place(path)
        asked = parse(query)
        self._means = self._means or meaning
        if patience <= 0:
            self._refresh_later()
            places = await self._asked(asked, scope, limit)
            return self._answer(await self._checked(places, limit), complete=False)
        vector = asyncio.ensure_future(self._meaning.of(query if meaning else ""))
        try:
            places, complete = await self._fresh(asked, scope, limit, patience)
            if (near := await vector) is not None:
                places = await self._joined(places, near, asked, scope, limit)
        finally:
            vector.cancel()
        return self._answer(await self._checked(places, limit), complete=complete)

    async def _fresh(self, asked: Query, scope: str, limit: int, patience: float) -> tuple[list[Place], bool]:
        """The places by words once the index is up to date, or patience at its end; and which of the two."""
        index = self._opened()
        opened, written = max(1, index.openings), self._writes + index.loads
        # Asked while the tree is looked through: that takes longer, and mostly finds nothing new.
        places, complete = await asyncio.gather(self._asked(asked, scope, limit), self._refreshed(patience))
        if index.openings > opened:  # it was lost on the way, and is made anew
            complete = await self._refreshed(patience)
        if self._writes + index.loads > written:
            places = await self._asked(asked, scope, limit)
        return places, complete

    async def _joined(
        self, places: Sequence[Place], near: tuple[str, array[float]], asked: Query, scope: str, limit: int
    ) -> list[Place]:
        """The places by words and those near ``near``, by reciprocal rank."""
        embedder, vector = near
        close = await self._in_thread(lambda: self._opened().near(embedder, vector, asked, scope, limit + SPARE))
        if not close:
            return list(places)
        found = {(place.path, place.cell_id): place for place in (*close, *places)}
        ranks = joined([[(place.path, place.cell_id) for place in ranking] for ranking in (places, close)])
        return [replace(found[key], score=round(score, 6)) for key, score in ranks.items()]

    def _answer(self, places: tuple[Place, ...], *, complete: bool) -> Found:
        waiting = self._pending.keys() | self._working.keys()
        total = len(self._known) + sum(path not in self._known for path in waiting)
        return Found(places, complete, total - len(waiting), total, self._meaning.note)

    @property
    def embedded_by(self) -> str:
        """Who is sent what is searched for, for people; empty where nobody is."""
        embedder = self._meaning.embedder
        return embedder.shown if embedder else ""

    async def state(self) -> Json:
        """How the index is: ``{notebooks, cells, age, building, embeddings}``; opens and asks nothing.

        ``age``: seconds since it was last up to date, null before. ``embeddings`` is null where none are configured,
        else ``{model, cells, building, note}``: what they are made by, of how many cells there are some, what is amiss.
        """
        counts = await self._in_thread(self._opened().counts) if self._index is not None else Counts(0, 0, 0)
        embedder = self._meaning.embedder
        return {
            "notebooks": counts.notebooks,
            "cells": counts.cells,
            "age": None if self._complete_at is None else round(time.monotonic() - self._complete_at, 1),
            "building": self._filling is not None and not self._filling.done(),
            "embeddings": embedder
            and {
                "model": embedder.shown,
                "cells": counts.embedded,
                "building": self._meaning.is_filling,
                "note": self._meaning.note,
            },
        }

    async def close(self) -> None:
        """Stop indexing; no thread, task or open file is left."""
        self._closed = True
        if self._later is not None:
            self._later.cancel()
        await self._meaning.close()
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
        task = self._refreshing()
        await asyncio.wait({task}, timeout=patience)
        return task.done() and not task.cancelled() and task.result()

    def _refreshing(self) -> asyncio.Task[bool]:
        if self._next is None:
            self._next = self._started(self._refresh())
        return self._next

    def _refresh_later(self) -> None:
        """Once nobody has asked for a while: reading notebooks would hold up the answer to who asks."""
        if self._later is not None:
            self._later.cancel()
        self._later = asyncio.get_running_loop().call_later(IDLE, self._refreshing)

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
        if complete and not self._closed:
            self._complete_at = time.monotonic()
            if self._means:
                self._means = False
                self._meaning.fill()
        return complete

    async def _survey(self) -> None:
        """Learn what has changed; the newest of it is to be read first."""
        index = self._opened()
        loads = index.loads
        if not loads:
            self._known = await self._in_thread(index.known)
            loads = index.loads
        # Beside the search, which has the index's thread: another server has seldom written meanwhile.
        changes, known = await asyncio.gather(self._look(), self._in_thread(index.known))
        if index.loads != loads:
            self._known = known
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
                cells = (await self._home.glance(seen.path)).cells
                return await self._in_thread(lambda: page(seen, cells))
        except (NotebookBusy, NotebookNotFound):
            return None
        except NotebookError:
            return Page(seen, ())

    # ------------------------------------------------------------ answers

    async def _asked(self, query: Query, scope: str, limit: int) -> list[Place]:
        return await self._in_thread(lambda: self._opened().find(query, scope, limit + SPARE))

    async def _checked(self, places: Sequence[Place], limit: int) -> tuple[Place, ...]:
        """The first ``limit`` of the places whose notebooks can be opened."""
        opened: dict[str, bool] = {}
        for part in (places[:limit], places[limit:]):
            if sum(opened.get(place.path, False) for place in places) >= limit:
                break
            paths = list(dict.fromkeys(place.path for place in part if place.path not in opened))
            opened.update(zip(paths, await asyncio.gather(*map(self._is_open, paths)), strict=True))
        return tuple(place for place in places if opened.get(place.path))[:limit]

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


class _Vectors:
    """The index as ``Meaning`` uses it."""

    def __init__(self, search: Search) -> None:
        self._search = search

    async def unembedded(self, embedder: str, below: int, limit: int) -> Unembedded:
        return await self._search._in_thread(lambda: self._search._opened().unembedded(embedder, below, limit))

    async def embed(self, embedder: str, found: dict[bytes, array[float]]) -> None:
        await self._search._in_thread(lambda: self._search._opened().embed(embedder, found))

    async def prune(self) -> None:
        await self._search._in_thread(self._search._opened().prune)


def _modified(seen: Sighting) -> float:
    return seen.modified
