"""Search over the cells of all notebooks: ``find`` brings the index up to date, then asks it.

The law: a search answers within its patience with what is indexed by then, and says if that is not all; the newest
notebooks come first (``upkeep``). The index (``index``, in the one thread of ``kept``) is only a hint: each place is
checked against its home before it is shown, so nothing hidden, outside or gone is. Where an endpoint for embeddings is
configured, what is near by its vectors is found too (``meaning``), joined by rank.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from logging import Logger
from pathlib import Path

from ...errors import InvalidInput, NotebookBusy, NotebookError
from ...messages import Json
from .index import VERSION
from .kept import Kept
from .meaning import Embedder, Meaning
from .pace import PACE, Pace
from .rows import Place as Place
from .upkeep import Home, Source, Upkeep
from .vectors import joined
from .words import Query, parse

PATIENCE = 0.3
"""Seconds a search waits for the index to be brought up to date."""
MAX_LIMIT = 100
SPARE = 10
"""Places asked for beyond the limit, for those that turn out to be gone."""


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
    """Finds cells. ``file`` says where the index is kept (None: in memory), when the first search asks for it.

    ``root`` is the folder of notebooks that are plain files; None where they are kept otherwise.
    """

    def __init__(
        self,
        source: Source,
        home: Home,
        *,
        root: Path | None = None,
        pace: Pace = PACE,
        file: Callable[[], Path | None],
        log: Logger,
        embedder: Callable[[], Embedder | None] = lambda: None,
    ) -> None:
        self._source = source
        self._home = home
        self._kept = Kept(file, log)
        self._upkeep = Upkeep(source, home, self._kept, root=root, pace=pace, when_complete=self._embed, log=log)
        self._meaning = Meaning(embedder, self._kept, log, pace.vector)
        self._means = False

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
        if self._kept.closed:
            raise NotebookBusy("The server is stopping.")
        scope = await self._source.place(path)
        asked = parse(query)
        self._means = self._means or meaning
        if patience <= 0:
            self._upkeep.refresh_later()
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

    @property
    def embedded_by(self) -> str:
        """Who is sent what is searched for, for people; empty where nobody is."""
        embedder = self._meaning.embedder
        return embedder.shown if embedder else ""

    async def state(self) -> Json:
        """How the index is: ``{notebooks, cells, age, building, note, embeddings}``; opens and asks nothing.

        ``notebooks`` and ``cells`` are null while the index cannot be read, ``age`` (seconds since it was last up to
        date) before it was. ``note`` says what is amiss, as a sentence ("": nothing). ``embeddings`` is null where none
        are configured, else ``{model, cells, building, note}``: what makes them, how many cells have one, what is
        amiss.
        """
        counts = await self._kept.counts()
        return {
            "notebooks": counts and counts.notebooks,
            "cells": counts and counts.cells,
            "age": self._upkeep.age,
            "building": self._upkeep.is_filling,
            "note": self._upkeep.note,
            "embeddings": self._meaning.state(counts.embedded if counts else None),
        }

    async def close(self) -> None:
        """Stop indexing; no thread, task or open file is left."""
        self._kept.closed = True
        await self._meaning.close()
        await self._upkeep.close()
        await self._kept.close()

    async def _fresh(self, asked: Query, scope: str, limit: int, patience: float) -> tuple[list[Place], bool]:
        """The places by words once the index is up to date, or patience at its end; and which of the two."""
        index = self._kept.index
        opened, written = max(1, index.openings), self._upkeep.writes + index.loads
        # Asked while the tree is looked through: that takes longer, and mostly finds nothing new.
        places, complete = await asyncio.gather(self._asked(asked, scope, limit), self._upkeep.refreshed(patience))
        if index.openings > opened:  # it was lost on the way, and is made anew
            complete = await self._upkeep.refreshed(patience)
        if self._upkeep.writes + index.loads > written:
            places = await self._asked(asked, scope, limit)
        return places, complete

    async def _asked(self, query: Query, scope: str, limit: int) -> list[Place]:
        return await self._kept.call(lambda index: index.find(query, scope, limit + SPARE))

    async def _joined(
        self, places: Sequence[Place], near: tuple[str, array[float]], asked: Query, scope: str, limit: int
    ) -> list[Place]:
        """The places by words and those near ``near``, by reciprocal rank."""
        embedder, vector = near
        close = await self._kept.call(lambda index: index.near(embedder, vector, asked, scope, limit + SPARE))
        if not close:
            return list(places)
        found = {(place.path, place.cell_id): place for place in (*close, *places)}
        ranks = joined([[(place.path, place.cell_id) for place in ranking] for ranking in (places, close)])
        return [replace(found[key], score=round(score, 6)) for key, score in ranks.items()]

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

    def _answer(self, places: tuple[Place, ...], *, complete: bool) -> Found:
        indexed, total = self._upkeep.progress
        return Found(places, complete, indexed, total, self._meaning.note)

    def _embed(self) -> None:
        """Have the cells embedded, where a search that may send has been made since."""
        if self._means:
            self._means = False
            self._meaning.fill()
