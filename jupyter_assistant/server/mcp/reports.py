"""What a client is told while its call goes on: each step of the work, and now and then how long it has taken.

The law: the number told only grows, as the protocol demands, and no client or proxy waits in silence: where a call
tells nothing of itself, its seconds are told.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ...tools.progress import Progress, heard_by

Report = Callable[[float, "float | None", str], Awaitable[None]]
"""Tells the client how far the call is, of how much (None: not known), and in words what it is doing."""

SLIGHTLY = 0.001
HALF_WAY = 30.0
"""Seconds after which a piece of work counts as half done, for want of anything better."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds until a call's time is told first, and between one time and the next."""

    first: float = 1.0
    next: float = 5.0


class Reports:
    """Of one call of the tool ``name``."""

    def __init__(self, name: str, report: Report) -> None:
        self._name = name
        self._report = report
        self._began = self._stepped = time.monotonic()
        self._step: Progress | None = None
        self._told = -SLIGHTLY

    async def step(self, progress: Progress) -> None:
        """The work has come to another piece."""
        self._step, self._stepped = progress, time.monotonic()
        await self._tell(progress.done, progress.total, f"{self._name}: {progress.text}")

    async def time(self) -> None:
        """It is still going on."""
        now = time.monotonic()
        seconds, step = now - self._began, self._step
        if step is None:
            await self._tell(round(seconds, 1), None, f"{self._name}: {seconds:.0f} s so far")
            return
        waited = now - self._stepped
        share = waited / (waited + HALF_WAY) if step.done < step.total else 0.0
        await self._tell(step.done + share, step.total, f"{self._name}: {step.text}, {seconds:.0f} s so far")

    async def _tell(self, done: float, total: float | None, text: str) -> None:
        self._told = max(round(done, 3), round(self._told + SLIGHTLY, 3))
        await self._report(self._told, total if total is None or self._told <= total else None, text)


@asynccontextmanager
async def reporting(name: str, report: Report, pace: Pace) -> AsyncIterator[None]:
    """While a call of ``name`` goes on, its client is told of it."""
    reports = Reports(name, report)
    timer = asyncio.create_task(_keep_time(reports, pace))
    try:
        with heard_by(reports.step):
            yield
    finally:
        timer.cancel()
        await asyncio.gather(timer, return_exceptions=True)


async def _keep_time(reports: Reports, pace: Pace) -> None:
    await asyncio.sleep(pace.first)
    while True:
        await reports.time()
        await asyncio.sleep(pace.next)
