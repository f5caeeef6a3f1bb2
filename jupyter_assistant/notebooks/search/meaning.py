"""Vectors for the search: the cells of the index by and by, and each query, from an endpoint that embeds texts.

The law: nothing is sent before an endpoint is configured and somebody has searched; a cell that has not changed is not
sent again. An endpoint that fails is left alone for a while: the search goes on with words, says so, and never fails
for it.
"""

from __future__ import annotations

import asyncio
import time
from array import array
from collections import OrderedDict
from collections.abc import Callable, Sequence
from logging import Logger
from typing import Protocol

from ...errors import AssistantError
from ...messages import Json
from .answers import LAST
from .pace import PACE
from .rows import Unembedded

BATCH = 32
MAX_CELLS = 100_000
"""Cells of a workspace that get vectors, the newest first."""
PAUSE, LONGEST_PAUSE = 30.0, 600.0
"""Seconds for which an endpoint that failed is left alone: the first time, and at most."""
REMEMBERED = 64


class Embedder(Protocol):
    """What makes vectors of texts."""

    @property
    def name(self) -> str:
        """Of endpoint and model together: vectors of another name say nothing beside its own."""

    @property
    def shown(self) -> str:
        """For people: the model and its host."""

    async def embed(self, texts: Sequence[str], *, tries: int = 3) -> list[array[float]]:
        """A vector of length 1 for each text, an empty one where none is to be had; raises ``AssistantError``."""


class Store(Protocol):
    """Where the vectors of cells are kept (``Index``, in its thread)."""

    async def unembedded(self, embedder: str, below: int, limit: int) -> Unembedded: ...

    async def embed(self, embedder: str, found: dict[bytes, array[float]]) -> None: ...

    async def prune(self) -> None: ...


class Meaning:
    """Vectors as they are wanted. ``embedder`` says who makes them now; None: nobody, and words alone are searched."""

    def __init__(
        self, embedder: Callable[[], Embedder | None], store: Store, log: Logger, seconds: float = PACE.vector
    ) -> None:
        self._embedder = embedder
        self._store = store
        self._log = log
        self._seconds = seconds
        self._queries: OrderedDict[tuple[str, str], array[float]] = OrderedDict()
        self._down_until = 0.0
        self._pause = PAUSE
        self._failed = ""
        self._last: Embedder | None = None
        self._filling: asyncio.Task[None] | None = None

    @property
    def embedder(self) -> Embedder | None:
        """Who makes vectors now; what is known of one before is forgotten."""
        embedder = self._embedder()
        if embedder is not self._last:  # another one, or the same with another key
            self._last, self._failed, self._down_until, self._pause = embedder, "", 0.0, PAUSE
        return embedder

    @property
    def note(self) -> str:
        """Why only words are searched although vectors are wanted, as a sentence; empty where they are not missed."""
        return f"Searched by words only: {self._failed}" if self._failed and self.embedder else ""

    def state(self, cells: int | None) -> Json | None:
        """For people, ``cells`` being those that have a vector; None where nobody makes any."""
        embedder = self.embedder
        if embedder is None:
            return None
        return {"model": embedder.shown, "cells": cells, "building": self._is_filling(), "note": self.note}

    async def of(self, query: str) -> tuple[str, array[float]] | None:
        """The embedder's name and the vector of ``query``; None where there is none to be had in time."""
        embedder = self.embedder
        if embedder is None or self._is_down() or not query.strip():
            return None
        key = embedder.name, query
        if key not in self._queries:
            try:
                (vector,) = await asyncio.wait_for(embedder.embed([query], tries=1), self._seconds)
            except asyncio.TimeoutError:
                self._fail(f"{embedder.shown} did not answer within {self._seconds:g} s.")
                return None
            except AssistantError as error:
                self._fail(error.text)
                return None
            self._well()
            self._queries[key] = vector
        self._queries.move_to_end(key)
        while len(self._queries) > REMEMBERED:
            self._queries.popitem(last=False)
        return (embedder.name, self._queries[key]) if self._queries[key] else None

    def fill(self) -> None:
        """Begin to embed the cells that have no vector yet, unless that is being done."""
        if not self._is_filling() and self.embedder is not None and not self._is_down():
            self._filling = asyncio.create_task(self._fill())

    async def close(self) -> None:
        """Send nothing more."""
        if self._filling is not None:
            self._filling.cancel()
            await asyncio.wait({self._filling})

    async def _fill(self) -> None:
        below, count = LAST, 0
        try:
            while (embedder := self.embedder) is not None and count < MAX_CELLS:
                batch = await self._store.unembedded(embedder.name, below, BATCH)
                if not batch.digests:
                    break
                found = await embedder.embed(batch.texts)
                self._well()
                await self._store.embed(embedder.name, dict(zip(batch.digests, found, strict=True)))
                below, count = batch.below, count + len(batch.digests)
            if count:
                await self._store.prune()
        except AssistantError as error:
            self._fail(error.text)

    def _is_filling(self) -> bool:
        return self._filling is not None and not self._filling.done()

    def _is_down(self) -> bool:
        return time.monotonic() < self._down_until

    def _fail(self, text: str) -> None:
        self._log.warning("search by meaning: %s", text)
        self._failed = text
        self._down_until = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _well(self) -> None:
        self._failed, self._down_until, self._pause = "", 0.0, PAUSE
