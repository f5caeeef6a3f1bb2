"""One execution taken through its kernel, request by request.

The law: only what the run itself has begun in the kernel is interrupted; a request the kernel has not begun waits
behind somebody's cell, and is interrupted the moment it begins, not before. What the kernel threw away is sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from logging import Logger
from typing import Any

from ...errors import KernelDead
from .client import Client, Request, first_of, within
from .collect import Json, Said
from .executions import GRACE, Execution, Line, State, first_or_stopped, to_its_end
from .running import RunningCell
from .wire import Message
from .writing import Writer

ENTER = 0.5
"""Seconds after which a kernel that has begun a request but does not tell so must be inside it."""
SETTLE = 2.0
"""Seconds between the reply and the last word on IOPub."""
FRESH_TRIES = 3
"""Times a request is sent again that the kernel threw away unbegun, as it does behind a failing cell of the user."""
EXITS = "It asked the kernel to end: its variables go with it, and the next run has a new kernel."


class Driver:
    """Takes one execution through its kernel. ``interrupt`` interrupts that; a cell has ``grace`` seconds to stop."""

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
