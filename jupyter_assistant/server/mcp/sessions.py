"""The sessions of clients that speak a revision before 2026-07-28: whose each one is, and which one has to go.

The law: an id is no authority: a session answers its owner only. There are never more than ``limit``: the one unused
for longest makes room; who comes while others are being opened waits for them; where all are in use a new one is
refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

LIMIT = 64


class Sessions:
    """By id, the least recently used first."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._owners: dict[str, str] = {}
        self._in_use: dict[str, list[str | None]] = {}
        self._opening = 0
        self._moving = asyncio.Event()

    def __len__(self) -> int:
        return len(self._owners)

    def knows(self, session: str, owner: str) -> bool:
        """Whether it is a session of this owner."""
        return self._owners.get(session) == owner

    def add(self, session: str, owner: str) -> None:
        """A session that was opened."""
        self._owners[session] = owner

    def remove(self, session: str) -> None:
        """A session that has ended."""
        self._owners.pop(session, None)

    def is_answering(self, session: str, number: str | None) -> bool:
        """Whether a request of that number is still being answered: the library would never answer the first."""
        return number is not None and number in self._in_use.get(session, ())

    @contextmanager
    def using(self, session: str, number: str | None) -> Iterator[None]:
        """While a request of the session is served; afterwards it is the most recently used."""
        requests = self._in_use.setdefault(session, [])
        requests.append(number)
        try:
            yield
        finally:
            requests.remove(number)
            if not requests:
                self._in_use.pop(session, None)
            if session in self._owners:
                self._owners[session] = self._owners.pop(session)

    @contextmanager
    def opening(self) -> Iterator[None]:
        """While a session is being opened: it counts already."""
        self._opening += 1
        try:
            yield
        finally:
            self._opening -= 1
            moving, self._moving = self._moving, asyncio.Event()
            moving.set()

    async def moved(self) -> bool:
        """Wait until one that is being opened is there or failed; False where none is being opened."""
        if not self._opening:
            return False
        await self._moving.wait()
        return True

    @property
    def full(self) -> bool:
        """Whether another one would be one too many."""
        return len(self._owners) + self._opening >= self._limit

    def oldest(self) -> str | None:
        """The one unused for longest; None while all are in use."""
        return next((session for session in self._owners if session not in self._in_use), None)
