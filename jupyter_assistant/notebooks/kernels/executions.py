"""Cells on their way through a kernel: what a run is, and how it is driven from its first cell to its end.

The law: a run ends, one way or another, and says which; what the kernel said until then is kept. Only what the run
itself started is ever interrupted: a request the kernel has not begun waits behind somebody's cell, and it is
interrupted the moment it begins, not before. One run at a time goes to a kernel; the others wait their turn.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from logging import Logger
from typing import Any, Literal

from ...errors import AssistantError, KernelDead
from .client import Client, Request, first_of, within
from .collect import Json, Said
from .running import CellRun, RunningCell
from .wire import Message
from .writing import Writer

State = Literal["waiting", "running", "done", "error", "timeout", "dead", "cancelled"]
ENDS: frozenset[str] = frozenset({"done", "error", "timeout", "dead", "cancelled"})

ENTER = 0.5
"""Seconds after which a kernel that has begun a request but does not tell so must be inside it."""
GRACE = 5.0
"""Seconds an interrupted cell has to stop."""
SETTLE = 2.0
"""Seconds between the reply and the last word on IOPub."""
EXITS = "It asked the kernel to end: its variables go with it, and the next run has a new kernel."
FRESH_TRIES = 3
"""Times a request is sent again that the kernel threw away unbegun, as it does behind a failing cell of the user."""


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


class Driver:
    """Takes one execution through its kernel. ``interrupt`` interrupts the kernel, whose cell has ``grace`` s to stop."""

    def __init__(
        self,
        execution: Execution,
        client: Client,
        line: Line,
        writer: Writer | None,
        *,
        interrupt: Callable[[], Awaitable[None]],
        timeout_s: float | None,
        log: Logger,
        grace: float = GRACE,
    ) -> None:
        self._execution = execution
        self._client = client
        self._line = line
        self._writer = writer
        self._interrupt = interrupt
        self._timeout = timeout_s
        self._grace = grace
        self._log = log
        self._left: Request | None = None

    async def drive(self) -> None:
        """From the queue to the end; what goes wrong ends as the execution's state."""
        await to_its_end(self._execution, self._entered(), log=self._log)

    async def _entered(self) -> State:
        return await self._first_of(self._line.enter(self._execution)) or await self._in_turn()

    async def _in_turn(self) -> State:
        try:
            return await self._cells()
        finally:
            if self._left is None:
                self._line.leave()

    async def _cells(self) -> State:
        ended: State = "done"
        try:
            for cell in self._execution.running_cells:
                ended = await self._cell(cell)
                if ended != "done":
                    break
        finally:
            if self._writer:
                await self._writer.flush()
        return ended

    async def _cell(self, cell: RunningCell) -> State:
        """Run one cell; how it ended."""
        for _ in range(FRESH_TRIES):
            if self._execution.asked_to_stop:
                return self._execution.asked_to_stop
            await self._wait_for_others()
            if stopped := await self._first_of(self._client.free()):
                return stopped
            if why := await self._client.lost():
                raise KernelDead(why)
            ended = await self._sent(cell)
            if ended is not None:
                return ended
        self._execution.note = "The kernel threw the request away; a cell before it had failed."
        return "error"

    async def _wait_for_others(self) -> None:
        if self._client.works_for_others:
            if self._writer:
                await self._writer.flush()
            self._execution.state = "waiting"
            self._execution.note = "The kernel is at a cell of the user; this run waits until that is done."

    async def _first_of(self, work: Awaitable[None]) -> State | None:
        return await first_or_stopped(self._execution, work)

    # ------------------------------------------------------------ one request

    async def _sent(self, cell: RunningCell) -> State | None:
        """Send the cell and see it through; None where the kernel threw it away unbegun."""
        request = self._client.send("execute_request", _content(cell.source), metadata=_metadata(cell))
        request.hear = lambda message: self._hear(cell, message)
        self._execution.state, self._execution.note, cell.state = "running", "", "running"
        writing = self._writer.begin(cell, request.begun) if self._writer else None
        ended: State | None = "cancelled"
        try:
            ended = await self._seen_through(cell, request)
        except KernelDead:
            ended = "dead"
            raise
        finally:
            cell.state = ended or "waiting"
            if self._left is None:
                self._client.forget(request)
            if writing is not None and self._writer is not None:
                await self._writer.end(cell, writing, begun=request.begun.is_set())
        return ended

    def _hear(self, cell: RunningCell, message: Message) -> None:
        if message.kind == "update_display_data":
            changed = [other for other in self._execution.running_cells if other.collector.update(message.content)]
        else:
            cell.collector.feed(message.said)
            changed = [cell]
        if self._writer:
            self._writer.changed(changed)

    async def _seen_through(self, cell: RunningCell, request: Request) -> State | None:
        ended = asyncio.ensure_future(_over(request))
        stop = asyncio.ensure_future(self._execution.stop_asked())
        began = asyncio.ensure_future(self._deadline(request))
        try:
            await first_of(ended, stop, began, self._client.ended)
            if ended.done() or request.reply.done():
                await ended
                return await self._outcome(cell, request)
            if self._client.ended.done():
                raise KernelDead(self._client.ended.result())
            return await self._stopped(cell, request, ended, stop.result() if stop.done() else "timeout")
        finally:
            for task in (ended, stop, began):
                task.cancel()

    async def _deadline(self, request: Request) -> None:
        """Comes when the cell has run for as long as it may; waiting behind the user's cell does not count."""
        await request.begun.wait()
        if self._timeout is None:
            await asyncio.get_running_loop().create_future()
        await asyncio.sleep(self._timeout or 0)

    async def _outcome(self, cell: RunningCell, request: Request) -> State | None:
        replied = request.reply.done() and request.reply.result().get("status")
        if replied in (False, "error") and await self._client.lost():
            raise KernelDead(await self._client.ended)
        if not request.reply.done():
            cell.note = (
                "The kernel broke it off without an answer, as it does when it is interrupted at the very start."
            )
            return "error"
        if replied == "aborted":
            return None
        if replied != "ok":
            return "error"
        _take_payloads(cell, request.reply.result().get("payload"))
        return "done"

    async def _stopped(self, cell: RunningCell, request: Request, ended: asyncio.Future[None], state: State) -> State:
        """Interrupt what has begun and give it a moment; what has not begun is watched until it has."""
        if not self._client.works_for_others:
            await within(self._grace, request.begun.wait())
        if not request.begun.is_set():
            cell.note = "It had not begun: the kernel was at a cell of the user, which goes on."
            self._leave(request)
            return state
        await self._interrupt_inside(request)
        await first_of(ended, self._client.ended, timeout=self._grace)
        if self._client.ended.done() and not ended.done():
            raise KernelDead(self._client.ended.result())
        if not ended.done():
            cell.note = self._execution.note = (
                f"The cell is still running after the interrupt ({self._grace:.0f} s ago); it may ignore interrupts. "
                "Restart the kernel to end it."
            )
            self._leave(request)
        elif state == "timeout":
            cell.note = f"Interrupted after {self._timeout:g} s."
        return state

    async def _interrupt_inside(self, request: Request) -> None:
        """Interrupt the request once its code runs; IPython's kernel ignores interrupts until then.

        A cell that awaits something is not told of it until the kernel's loop wakes: any message wakes it.
        """
        await within(ENTER, request.entered.wait())
        if not request.idle.is_set() and not request.reply.done():
            await self._interrupt()
            self._client.send("kernel_info_request", {})

    def _leave(self, request: Request) -> None:
        """End without the request: its turn at the kernel ends when the kernel is through with it."""
        self._left = request
        request.hear = None
        self._client.look_after(self._end_of(request))

    async def _end_of(self, request: Request) -> None:
        begun, over = asyncio.ensure_future(request.begun.wait()), asyncio.ensure_future(_over(request))
        try:
            if not request.begun.is_set():
                await first_of(begun, over, self._client.ended)
                if request.begun.is_set():
                    await self._interrupt_inside(request)
            await first_of(over, self._client.ended)
        finally:
            begun.cancel()
            over.cancel()
            self._client.forget(request)
            self._line.leave()


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


async def _over(request: Request) -> None:
    """The request's end: its reply and its last output, whose order is not certain; either may be lost."""
    idle = asyncio.ensure_future(request.idle.wait())
    try:
        await first_of(request.reply, idle)
        last: asyncio.Future[Any] = idle if request.reply.done() else request.reply
        await first_of(last, timeout=SETTLE)
    finally:
        idle.cancel()


def _take_payloads(cell: RunningCell, payloads: object) -> None:
    """What a reply carries beside its status: IPython's page of help, shown as JupyterLab shows it, and its exit."""
    known = [each for each in payloads if isinstance(each, dict)] if isinstance(payloads, list) else []
    page = next((each for each in known if each.get("source") == "page"), None)
    if page is not None:
        cell.collector.feed(Said("display_data", {"data": page.get("data"), "metadata": {}}))
    if any(each.get("source") == "ask_exit" and not each.get("keepkernel") for each in known):
        cell.note = EXITS


def _content(code: str) -> Json:
    # stop_on_error would throw away what the user has queued in the meantime.
    flags: Json = {"silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": False}
    return {"code": code, "user_expressions": {}, **flags}


def _metadata(cell: RunningCell) -> Json:
    return {"cellId": cell.cell_id} if cell.cell_id else {}
