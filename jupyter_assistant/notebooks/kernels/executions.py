"""What a run of cells is, from its place in the line to its end.

The law: a run ends, one way or another, and says which; what the kernel said until then is kept. One run at a time
goes to a kernel; the others wait their turn.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Coroutine, Sequence
from logging import Logger
from typing import Any, Literal

from ...errors import AssistantError, KernelDead
from .client import first_of
from .running import CellRun, RunningCell

State = Literal["waiting", "running", "done", "error", "timeout", "dead", "cancelled"]
ENDS: frozenset[str] = frozenset({"done", "error", "timeout", "dead", "cancelled"})

GRACE = 5.0
"""Seconds an interrupted cell has to stop."""


class Line:
    """Whose turn it is at a kernel, in the order they came."""

    def __init__(self) -> None:
        self._holder: Execution | None = None
        self._next: deque[tuple[Execution, asyncio.Future[None]]] = deque()

    @property
    def holder(self) -> Execution | None:
        return self._holder

    async def enter(self, execution: Execution) -> None:
        if self._holder is None:
            self._holder = execution
            return
        entry = execution, asyncio.get_running_loop().create_future()
        self._next.append(entry)
        try:
            await entry[1]
        except BaseException:
            if entry in self._next:
                self._next.remove(entry)
            elif self._holder is execution:
                self.leave()
            raise

    def leave(self) -> None:
        self._holder = None
        while self._next and self._holder is None:
            execution, turn = self._next.popleft()
            if not turn.done():
                self._holder = execution
                turn.set_result(None)


class Execution:
    """A run of cells in a notebook's kernel; kept for a while after its end."""

    def __init__(self, path: str, cells: Sequence[tuple[str | None, str]]) -> None:
        self.id = uuid.uuid4().hex
        self.path = path
        self.state: State = "waiting"
        self.note = ""
        self.since = ""
        """What became of the kernel's process since the run before, as a sentence; empty where it is the same."""
        self.started = time.time()
        self.ended: float | None = None
        self._moving = asyncio.Event()
        self._cells = [RunningCell(cell_id, source, self._move) for cell_id, source in cells]
        self._stop: State | None = None
        self._stopping = asyncio.Event()
        self._over = asyncio.Event()

    @property
    def cells(self) -> tuple[CellRun, ...]:
        """Its cells as they are now, in order."""
        return tuple(cell.view() for cell in self._cells)

    @property
    def place(self) -> tuple[int, int, str | None]:
        """How many of its cells are through, of how many, and the id of the one that runs; None if none does."""
        through = sum(cell.state not in ("waiting", "running") for cell in self._cells)
        current = next((cell.cell_id for cell in self._cells if cell.state == "running"), None)
        return through, len(self._cells), current

    async def moved(self) -> None:
        """Wait until one of its cells begins or ends."""
        await self._moving.wait()

    @property
    def is_over(self) -> bool:
        return self._over.is_set()

    async def wait(self, seconds: float | None = None) -> bool:
        """Wait until it has ended, at most so many seconds (None: for good); True if it has."""
        if seconds is not None and seconds <= 0:
            return self.is_over
        try:
            await asyncio.wait_for(self._over.wait(), seconds)
        except asyncio.TimeoutError:
            return False
        return True

    async def cancel(self) -> None:
        """End it, interrupting what it has started in the kernel and nothing else; returns when it has ended."""
        self.stop("cancelled")
        await self._over.wait()

    def stop(self, state: State) -> None:
        """Ask it to end as ``state``; the first to ask is heard."""
        if self._stop is None and not self.is_over:
            self._stop = state
            self._stopping.set()

    # ------------------------------------------------------------ for the driver

    @property
    def asked_to_stop(self) -> State | None:
        return self._stop

    @property
    def running_cells(self) -> Sequence[RunningCell]:
        return self._cells

    async def stop_asked(self) -> State:
        await self._stopping.wait()
        assert self._stop is not None
        return self._stop

    def _move(self) -> None:
        moving, self._moving = self._moving, asyncio.Event()
        moving.set()

    def died(self, why: str) -> None:
        """Its kernel has ended."""
        self.note = f"{why} Variables are gone; run again what the next cells need."
        for cell in self._cells:
            if cell.state in ("running", "dead"):
                cell.state, cell.note = "dead", why

    def finish(self, state: State) -> None:
        for cell in self._cells:
            if cell.state == "waiting":
                cell.state = "not run"
        self.state = state
        self.ended = time.time()
        self._over.set()


async def to_its_end(execution: Execution, work: Coroutine[Any, Any, State], *, log: Logger) -> None:
    """``work`` on an execution; however it ends, the execution ends, and says how."""
    state: State = "dead"
    try:
        state = await work
    except KernelDead as error:
        execution.died(error.text)
    except AssistantError as error:
        execution.note, state = f"{error.text} {error.hint}", "error"
    except asyncio.CancelledError:
        execution.note, state = "The server is stopping.", "cancelled"
        raise
    except Exception:
        log.exception("A run of cells failed")
        execution.note, state = "The run failed inside the assistant; the server's log has the details.", "error"
    finally:
        execution.finish(state)


async def first_or_stopped(execution: Execution, work: Awaitable[None]) -> State | None:
    """Wait for ``work`` unless the execution is asked to stop before it is done: then the state to end in."""
    task, stop = asyncio.ensure_future(work), asyncio.ensure_future(execution.stop_asked())
    try:
        await first_of(task, stop)
        if task.done():
            task.result()
            return None
        return stop.result()
    finally:
        stop.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
