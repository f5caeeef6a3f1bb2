"""Runs that a notebook's front-end makes: begun there, followed, bounded in time and stopped from here.

The law: the execution is the same to whoever looks at it as one made here, and ends like one: with the front-end's
word, with the kernel's death, or with the loss of the front-end, and then says what is known. Only a cell of the run
itself is ever interrupted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from logging import Logger
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from ...errors import KernelDead, KernelError, KernelNotFound, NotebookError, TabClosed
from .client import first_of, within
from .collect import LeftOut
from .executions import GRACE, Execution, Line, State, first_or_stopped, to_its_end
from .running import CellState, RunningCell, Told
from .writing import NOT_KEPT, keep

if TYPE_CHECKING:
    from ..document import Document

Json = dict[str, Any]

AGAIN = 1.0
"""Seconds between two interrupts of one cell."""
NOTICED = 2.0
"""Seconds in which the end of a kernel is noticed."""
UNFOLLOWED = "It may still run in the kernel; outputs that come from now on are not followed."
STATES: frozenset[str] = frozenset({"waiting", "running", "done", "error", "not run"})


class Away(Protocol):
    """A run on its way in a front-end."""

    async def end(self) -> tuple[Sequence[Json], str]:
        """Wait for its end; all cells as they are then, and a sentence on what else is to be known, or "".

        Raises ``NotebookError``, ``KernelError``.
        """

    def stop(self) -> None:
        """Take what has not begun out of the queue, and interrupt the kernel where it is at a cell of this run."""


@runtime_checkable
class RunsItself(Protocol):
    """A document whose front-end runs its cells."""

    @property
    def path(self) -> str:
        """As ``Document.path``."""

    async def ready(self) -> bool:
        """Whether a front-end has it open still; raises ``NotebookError`` where that could not run a cell now."""

    async def start(self, cell_ids: Sequence[str], hear: Callable[[Sequence[Json]], None]) -> Away:
        """Begin to run these cells; ``hear`` is given those that change.

        Each is ``{"cell_id", "state", "execution_count", "outputs": [nbformat 4], "left_out": characters}``.
        """

    async def left(self) -> Document:
        """The notebook where it is now that its front-end has closed it; raises ``NotebookError``."""


class Follower:
    """Follows one execution to its end.

    ``death`` comes with the reason when the notebook's kernel ends; ``interrupt`` interrupts that kernel.
    """

    def __init__(
        self,
        execution: Execution,
        document: RunsItself,
        line: Line,
        *,
        death: Callable[[], Awaitable[str]],
        interrupt: Callable[[], Awaitable[None]],
        timeout_s: float | None,
        log: Logger,
    ) -> None:
        self._execution = execution
        self._document = document
        self._line = line
        self._death = death
        self._interrupt = interrupt
        self._timeout = timeout_s
        self._log = log
        self._cells = {cell.cell_id: cell for cell in execution.running_cells}
        self._began = asyncio.Event()
        self._late = asyncio.Event()
        self._clock: asyncio.TimerHandle | None = None
        self._at_work: list[RunningCell] = []
        self._run: Away | None = None
        self._over = asyncio.Event()
        self._makes_way = False

    async def follow(self) -> None:
        """From the queue to the end; what goes wrong ends as the execution's state."""
        await to_its_end(self._execution, self._in_turn(), log=self._log)

    async def make_way(self) -> None:
        """The kernel is about to be restarted: end the run in the front-end, which would wait for its cell for ever."""
        if self._run is None or self._over.is_set():
            return
        self._makes_way = True
        self._run.stop()
        with suppress(KernelError):
            await self._interrupt()
        await within(NOTICED, self._over.wait())

    async def _in_turn(self) -> State:
        if stopped := await first_or_stopped(self._execution, self._line.enter(self._execution)):
            return stopped
        try:
            if self._execution.asked_to_stop:
                return self._execution.asked_to_stop
            self._execution.note = ""
            names = [str(cell.cell_id) for cell in self._execution.running_cells]
            self._run = await self._document.start(names, self._hear)
            return await self._seen_through(self._run)
        finally:
            self._over.set()
            self._line.leave()
            self._stop_clock()

    # ------------------------------------------------------------ what the front-end tells

    def _hear(self, told: Sequence[Json]) -> None:
        for each in told:
            cell = self._cells.get(each.get("cell_id"))
            if cell is not None and each.get("state") in STATES:
                self._take(cell, each)
        if any(cell.state == "running" for cell in self._cells.values()):
            self._execution.state = "running"

    def _take(self, cell: RunningCell, told: Json) -> None:
        count, outputs, left_out = told.get("execution_count"), told.get("outputs"), told.get("left_out")
        cell.told = Told(
            count if type(count) is int else None,
            tuple(each for each in outputs if isinstance(each, dict)) if isinstance(outputs, list) else (),
            LeftOut(characters=left_out if type(left_out) is int else 0),
        )
        state = cast(CellState, told["state"])
        if state != cell.state:
            cell.state = state
            self._stop_clock()
            if state == "running":
                self._start_clock()

    def _start_clock(self) -> None:
        self._began.set()
        if self._timeout is not None:
            self._clock = asyncio.get_running_loop().call_later(self._timeout, self._late.set)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()

    # ------------------------------------------------------------ to its end

    async def _seen_through(self, run: Away) -> State:
        end = asyncio.ensure_future(self._heard_out(run))
        stop = asyncio.ensure_future(self._execution.stop_asked())
        late, dead = asyncio.ensure_future(self._late.wait()), asyncio.ensure_future(self._kernel_ended())
        try:
            await first_of(end, stop, late, dead)
            if end.done() and not await self._broken_off(end, dead):
                return end.result()
            if dead.done():
                run.stop()
                raise KernelDead(dead.result())
            return await self._stopped(run, end, dead, stop.result() if stop.done() else "timeout")
        finally:
            for task in (end, stop, late, dead):
                task.cancel()
            await asyncio.wait({end, stop, late, dead})

    async def _heard_out(self, run: Away) -> State:
        try:
            cells, self._execution.note = await run.end()
        except TabClosed:
            await self._keep_what_was_told()
            raise
        self._at_work = [cell for cell in self._cells.values() if cell.state == "running"]
        self._hear(cells)
        states = {cell.state for cell in self._cells.values()}
        if states == {"done"}:
            return "done"
        if "error" not in states:
            self._execution.note = "JupyterLab did not run all of the cells."
        return "error"

    async def _keep_what_was_told(self) -> None:
        """The front-end is gone with what it had not saved."""
        try:
            await keep(await self._document.left(), self._cells.values())
        except NotebookError as error:
            self._execution.running_cells[0].note = NOT_KEPT.format(why=error.text)
        for cell in self._cells.values():
            if cell.state == "running":
                cell.note = f"{cell.note} {UNFOLLOWED}".lstrip()

    async def _broken_off(self, end: asyncio.Future[State], dead: asyncio.Future[str]) -> bool:
        """Whether it ended because the kernel did: the front-end may hear of that first, and tells no reason."""
        if end.exception() is not None or end.result() != "error":
            return False
        if self._makes_way:
            self._end_at_work()
            raise KernelDead("The kernel was restarted.")
        if not self._began.is_set():
            return False
        if any(output.get("output_type") == "error" for cell in self._execution.cells for output in cell.outputs):
            return False
        await first_of(dead, timeout=NOTICED)
        if dead.done() and dead.exception() is None:
            self._end_at_work()
            return True
        return False

    def _end_at_work(self) -> None:
        for cell in self._cells.values():
            if cell.state == "error" or cell in self._at_work:
                cell.state = "dead"

    async def _stopped(self, run: Away, end: asyncio.Future[State], dead: asyncio.Future[str], state: State) -> State:
        """Interrupt the cell that runs, take back the rest, and give it a moment."""
        at_work = [cell for cell in self._cells.values() if cell.state == "running"]
        if state == "timeout" and at_work:
            await self._interrupt_until(run, end, dead)
        else:
            run.stop()
            await first_of(end, dead, timeout=GRACE)
        if dead.done() and not end.done():
            raise KernelDead(dead.result())
        if end.done():
            end.result()
        else:
            run.stop()
            self._execution.note = f"It had not stopped {GRACE:.0f} s after the interrupt; it may ignore interrupts."
        for cell in at_work:
            cell.state = state
            cell.note = f"Interrupted after {self._timeout:g} s." if state == "timeout" and end.done() else cell.note
        return state

    async def _interrupt_until(self, run: Away, *over: asyncio.Future[Any]) -> None:
        """Interrupt the cell that runs: a kernel ignores that while it is not yet inside the cell's code."""
        loop = asyncio.get_running_loop()
        last = loop.time() + GRACE
        while loop.time() < last and not any(each.done() for each in over):
            if any(cell.state == "running" for cell in self._cells.values()):
                try:
                    await self._interrupt()
                except KernelError:  # not one of this server's
                    run.stop()
            await first_of(*over, timeout=AGAIN)

    async def _kernel_ended(self) -> str:
        """Comes with the reason when the kernel ends, once a cell has begun in it."""
        await self._began.wait()
        try:
            return await self._death()
        except KernelNotFound:
            never: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            return await never
