"""Kernels: a notebook's cells are run in its own kernel, the server's, and what the kernel knows is read.

The law (DESIGN §6): the kernel is the one the user sees, found or started through the server's managers. One kept
connection per kernel; at the end all connections are closed and every kernel goes on as it was.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from logging import Logger
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from tornado.web import HTTPError

from ...errors import CellNotFound, ExecutionNotFound, KernelDead
from .client import Client
from .collect import LeftOut
from .driving import Driver
from .elsewhere import Follower, RunsItself
from .executions import ENDS, GRACE, Execution, Line, State
from .running import CellRun
from .sessions import KernelState, Sessions
from .variables import Inspection, Variable, Variables
from .writing import Writer

if TYPE_CHECKING:
    from .. import Document
    from ..cells import Cell, Snapshot

__all__ = ["ENDS", "CellRun", "Execution", "Inspection", "KernelState", "Kernels", "LeftOut", "State", "Variable"]

KEPT_SECONDS = 30 * 60.0
KEPT = 200
SEEN = frozenset({"starting", "idle", "busy"})
"""States in which our own connection, which is made once a kernel answers, knows better than the server."""


class Connection:
    """A connection to one kernel, whose turn it is there, and what it told of its variables."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.line = Line()
        self.variables = Variables(client)


class Kernels:
    """The server's kernels; close it when the server stops.

    ``kept_seconds``: how long an ended run can be asked for; ``grace``: seconds an interrupted cell has to stop.
    """

    def __init__(
        self,
        *,
        kernel_manager: Any,
        session_manager: Any,
        kernel_spec_manager: Any,
        log: Logger,
        kept_seconds: float = KEPT_SECONDS,
        grace: float = GRACE,
    ) -> None:
        self._managers = Sessions(kernel_manager, session_manager, kernel_spec_manager, log)
        self._log = log
        self._kept_seconds = kept_seconds
        self._grace = grace
        self._connections: dict[str, Connection] = {}
        self._connecting: dict[str, asyncio.Lock] = {}
        self._untold: dict[str, str] = {}
        """By kernel, how its last process ended, where no run was there to tell it."""
        self._executions: dict[str, Execution] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._lines_elsewhere: WeakValueDictionary[str, Line] = WeakValueDictionary()
        self._followers: WeakKeyDictionary[Execution, Follower] = WeakKeyDictionary()

    # ------------------------------------------------------------ running

    async def run(
        self,
        document: Document,
        cell_ids: Sequence[str],
        *,
        timeout_s: float | None = None,
        snapshot: Snapshot | None = None,
    ) -> Execution:
        """Start running these cells, in the order given; their outputs go into ``document`` while they come.

        Cells that are not code are left out. ``timeout_s`` interrupts a cell that runs longer. ``snapshot`` is what
        the caller has just read of the document, to run as it stands there. Raises
        ``CellNotFound``, ``KernelUnable`` (the kernelspec is not installed), ``KernelDead`` (it does not start) and as
        ``document.read``.
        """
        snapshot = snapshot or await document.read()
        cells = _chosen(snapshot.cells, cell_ids)
        execution = Execution(document.path, [(cell.id, cell.source) for cell in cells])
        if not cells:
            execution.finish("done")
            return self._kept(execution)
        if isinstance(document, RunsItself) and await document.ready():
            return self._followed(execution, document, timeout_s)
        kernel = await self._managers.adopted_or_started(document.path, snapshot.kernel)
        writer = Writer(document, {cell.id: cell.hash for cell in cells}, log=self._log)
        return await self._started(execution, kernel, writer, timeout_s)

    async def execute(
        self, path: str, code: str, *, timeout_s: float | None = None, kernel_name: str | None = None
    ) -> Execution:
        """Start running ``code`` in the kernel of the notebook at ``path``; nothing is stored in the notebook.

        ``kernel_name`` is the notebook's kernelspec, for a kernel that must be started first. Raises as ``run``.
        """
        kernel = await self._managers.adopted_or_started(path, kernel_name)
        return await self._started(Execution(path, [(None, code)]), kernel, None, timeout_s)

    def execution(self, execution_id: str) -> Execution:
        """A run, also for a while after its end; raises ``ExecutionNotFound``."""
        self._forget_old()
        found = self._executions.get(execution_id)
        if found is None:
            raise ExecutionNotFound(f"There is no execution {execution_id[:64]!r}.")
        return found

    async def _started(
        self, execution: Execution, kernel: str, writer: Writer | None, timeout_s: float | None
    ) -> Execution:
        connection = await self._connection(kernel)
        line, client = connection.line, connection.client
        execution.since = self._untold.pop(kernel, "")
        if line.holder is not None:
            execution.note = "Another run of the assistant is in the kernel; this one waits for its turn."
        driver = Driver(
            execution,
            client,
            line,
            writer,
            interrupt=lambda: self._interrupt(kernel),
            timeout_s=timeout_s,
            grace=self._grace,
            log=self._log,
        )
        self._look_after(driver.drive())
        return self._kept(execution)

    def _followed(self, execution: Execution, document: RunsItself, timeout_s: float | None) -> Execution:
        """A run that the notebook's front-end makes."""
        line = self._lines_elsewhere.get(execution.path) or Line()
        self._lines_elsewhere[execution.path] = line
        if line.holder is not None:
            execution.note = "Another run of the assistant is in the kernel; this one waits for its turn."
        follower = Follower(
            execution,
            document,
            line,
            death=lambda: self._death(document.path),
            interrupt=lambda: self._interrupt_of(document.path),
            timeout_s=timeout_s,
            log=self._log,
        )
        self._followers[execution] = follower
        self._look_after(follower.follow())
        return self._kept(execution)

    async def _death(self, path: str) -> str:
        """Comes when the kernel of the notebook ends; raises ``KernelNotFound``."""
        return await asyncio.shield((await self._of(path)).client.ended)

    async def _interrupt_of(self, path: str) -> None:
        """Interrupt the kernel of the notebook, also where a cell awaits something."""
        kernel = await self._managers.adopted(path)
        await self._interrupt(kernel)
        await self._wake(kernel)

    async def _wake(self, kernel: str) -> None:
        """A cell that awaits something hears of an interrupt when a message comes."""
        (await self._connection(kernel)).client.send("kernel_info_request", {})

    def _kept(self, execution: Execution) -> Execution:
        self._executions[execution.id] = execution
        self._forget_old()
        return execution

    def _forget_old(self) -> None:
        over = [each for each in self._executions.values() if each.is_over]
        surplus = len(self._executions) - KEPT
        for number, each in enumerate(over):
            if number < surplus or (each.ended or 0.0) < time.time() - self._kept_seconds:
                del self._executions[each.id]

    # ------------------------------------------------------------ the kernel itself

    async def list(self) -> tuple[KernelState, ...]:
        """The server's running kernels and their notebooks."""
        return tuple(map(self._as_seen, await self._managers.running()))

    def _as_seen(self, kernel: KernelState) -> KernelState:
        """The state as our own connection sees it: the server takes that of any request for the kernel's."""
        connection = self._connections.get(kernel.id)
        if connection is None or connection.client.ended.done() or kernel.execution_state not in SEEN:
            return kernel
        return replace(kernel, execution_state="busy" if connection.client.is_busy else "idle")

    async def interrupt(self, path: str) -> None:
        """Interrupt whatever the notebook's kernel does; raises ``KernelNotFound``, ``KernelDead``."""
        kernel = await self._managers.adopted(path)
        await self._interrupt(kernel)
        self._tell(kernel, "The kernel was interrupted.")
        await self._wake(kernel)

    async def restart(self, path: str) -> None:
        """Restart the notebook's kernel; what runs there ends as ``dead``. Raises as ``interrupt``."""
        kernel = await self._managers.adopted(path)
        line = self._lines_elsewhere.get(path)
        follower = self._followers.get(line.holder) if line is not None and line.holder is not None else None
        if follower is not None:
            await follower.make_way()
        try:
            await self._managers.kernels.restart_kernel(kernel)
        except (HTTPError, RuntimeError, OSError) as error:
            self._log.warning("Kernel %s could not be restarted: %s", kernel, error)
            raise KernelDead("The kernel did not come back from the restart.") from error
        finally:
            await self._drop(kernel, "The kernel was restarted.")
            self._untold.pop(kernel, None)

    async def _interrupt(self, kernel: str) -> None:
        try:
            await self._managers.kernels.interrupt_kernel(kernel)
        except (HTTPError, RuntimeError, OSError) as error:
            raise KernelDead("The kernel could not be interrupted; it may have ended.") from error

    def _tell(self, kernel: str, note: str) -> None:
        connection = self._connections.get(kernel)
        if connection is not None and connection.line.holder is not None:
            connection.line.holder.note = note

    # ------------------------------------------------------------ what it knows

    async def variables(self, path: str, pattern: str = "*") -> tuple[Variable, ...]:
        """The variables of the notebook's kernel whose names fit ``pattern`` (``*``, ``?``); never behind a cell.

        Raises ``KernelNotFound``, ``KernelBusy`` (with the last list and its age), ``KernelUnable``, ``KernelDead``.
        """
        return await (await self._of(path)).variables.list(pattern)

    async def inspect(self, path: str, name: str) -> Inspection:
        """A closer look at one variable; raises ``VariableNotFound`` and as ``variables``."""
        return await (await self._of(path)).variables.inspect(name)

    async def documentation(self, path: str, name: str) -> str:
        """What the kernel says about a name, in any language: text, with terminal colours. Raises as ``inspect``."""
        return await (await self._of(path)).variables.documentation(name)

    # ------------------------------------------------------------ connections

    async def close(self) -> None:
        """Leave every kernel as it is; no task and no socket of ours is left."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for kernel in tuple(self._connections):
            await self._drop(kernel, "The server is stopping.")

    async def _of(self, path: str) -> Connection:
        return await self._connection(await self._managers.adopted(path))

    async def _connection(self, kernel: str) -> Connection:
        """The kept connection, made anew where the kernel has another process."""
        lock = self._connecting.setdefault(kernel, asyncio.Lock())
        async with lock:
            known = self._connections.get(kernel)
            if known is not None:
                why = await known.client.lost()
                if why is None:
                    return known
                known.client.end(why)
            await self._drop(kernel, "The kernel ended.")
            return await self._connected(kernel)

    async def _connected(self, kernel: str) -> Connection:
        if not self._managers.has(kernel):
            raise KernelDead("The kernel was shut down.")
        manager = await self._managers.alive(kernel)
        client = Client(manager, known=lambda: self._managers.has(kernel), log=self._log)
        await client.open()
        self._connections[kernel] = connection = Connection(client)
        client.ended.add_done_callback(lambda ended: self._ended(kernel, connection, ended.result()))
        return connection

    def _ended(self, kernel: str, connection: Connection, why: str) -> None:
        """Its process has ended: the run that is there tells so, else the next one does."""
        if connection.line.holder is None and self._managers.has(kernel):
            self._untold[kernel] = why
        self._look_after(self._drop_ended(kernel, connection))

    async def _drop_ended(self, kernel: str, connection: Connection) -> None:
        """Let go of it, where nobody else has."""
        if self._connections.get(kernel) is connection:
            await self._drop(kernel, "The kernel ended.")

    async def _drop(self, kernel: str, why: str) -> None:
        connection = self._connections.pop(kernel, None)
        if connection is not None:
            await connection.client.close(why)

    def _look_after(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _chosen(cells: Sequence[Cell], cell_ids: Sequence[str]) -> list[Cell]:
    known = {cell.id: cell for cell in cells}
    missing = [name for name in cell_ids if name not in known]
    if missing:
        raise CellNotFound(f"There is no cell {missing[0][:80]!r}.")
    return [known[name] for name in dict.fromkeys(cell_ids) if known[name].cell_type == "code"]
