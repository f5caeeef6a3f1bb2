"""A run's outputs on their way into the notebook.

The law: what is seen while a cell runs is soon in its home, and at the end of the run all of it is; a home that
takes long is asked less often; a home that refuses costs the notebook's copy and never the run, and that is said.
What a front-end has told of a run and did not save is written only over the source that was run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterable, Mapping
from logging import Logger
from typing import TYPE_CHECKING, Any

from ...errors import CellNotFound, NotebookBusy, NotebookError, SaveFailed, StaleCell
from ..edits import SetOutputs
from ..nbformats import hashed
from .client import within
from .running import RunningCell, Told

if TYPE_CHECKING:
    from .. import Document
    from ..cells import Cell

FIRST = 0.05
"""Seconds after which the old outputs go and the first new ones show; a quick cell is written once, at its end."""
EVERY = 1.0
SHARE = 4
"""A write comes after this many times what the last one took, at the earliest."""
AGAIN = (0.3, 1.0)
"""Seconds before the last write is tried again, where the home is busy."""
EDITED = "The cell was edited while it ran; its outputs are those of the source that was run."
DELETED = "The cell was deleted while it ran; its outputs are here only."
NOT_KEPT = "Its outputs could not be written into the notebook: {why} They are here only."


class Writer:
    """Writes the outputs of one execution's cells. ``hashes`` are those of the sources that run, by cell id."""

    def __init__(self, document: Document, hashes: Mapping[str, str], *, log: Logger) -> None:
        self._document = document
        self._hashes = dict(hashes)
        self._log = log
        self._dirty: dict[str, RunningCell] = {}
        self._gone: set[str] = set()
        self._took = 0.0
        self._last = 0.0

    def begin(self, cell: RunningCell, begun: asyncio.Event) -> asyncio.Task[None]:
        """A cell is sent; once the kernel has begun it, what comes is written from time to time."""
        return asyncio.create_task(self._keep_writing(cell, begun))

    def changed(self, cells: Iterable[RunningCell]) -> None:
        for cell in cells:
            if cell.cell_id is not None and cell.cell_id not in self._gone:
                self._dirty[cell.cell_id] = cell

    async def end(self, cell: RunningCell, writing: asyncio.Task[None], *, begun: bool) -> None:
        """A cell is over; one that was never begun keeps what it had.

        A home that takes long gets many at once; one that refuses is asked again with the next cell, not waited for.
        """
        writing.cancel()
        await asyncio.wait({writing})
        if begun:
            self.changed([cell])
        if self._dirty and time.monotonic() >= self._last + SHARE * self._took:
            await self._write()

    async def flush(self) -> None:
        """All that there is, in the home."""
        for pause in (*AGAIN, 0.0):
            if not self._dirty or not await self._write() or not pause:
                return
            await asyncio.sleep(pause)

    async def _keep_writing(self, cell: RunningCell, begun: asyncio.Event) -> None:
        if self._dirty and not await within(EVERY, begun.wait()):
            await _to_its_end(self._write())
        await begun.wait()
        await asyncio.sleep(FIRST)
        self.changed([cell])
        while True:
            if self._dirty:
                await _to_its_end(self._write())
            await asyncio.sleep(max(EVERY, SHARE * self._took))

    async def _write(self) -> bool:
        """Write what is dirty; True where the home may take it later."""
        cells = dict(self._dirty)
        self._dirty.clear()
        began = time.monotonic()
        try:
            await self._apply(cells)
        except (NotebookBusy, SaveFailed) as error:
            self._failed(cells, error)
            self.changed(cells.values())
            return True
        except NotebookError as error:
            self._failed(cells, error)
            return False
        finally:
            self._last = time.monotonic()
            self._took = self._last - began
        for cell in cells.values():
            cell.note = "" if cell.note.startswith("Its outputs could not") else cell.note
        return False

    async def _apply(self, cells: dict[str, RunningCell]) -> None:
        while cells:
            expected = {name: self._hashes[name] for name in cells if name in self._hashes}
            try:
                await self._document.apply(tuple(map(_outputs, cells.values())), expected)
                return
            except StaleCell as error:
                self._hashes.pop(error.cell_id, None)
                if error.cell_id not in cells:
                    raise
                cells[error.cell_id].note = EDITED
            except CellNotFound:
                await self._drop_deleted(cells)

    async def _drop_deleted(self, cells: dict[str, RunningCell]) -> None:
        there = {cell.id for cell in (await self._document.read()).cells}
        deleted = [name for name in cells if name not in there]
        for name in deleted or list(cells):
            cells.pop(name).note = DELETED
            self._gone.add(name)

    def _failed(self, cells: dict[str, RunningCell], error: NotebookError) -> None:
        self._log.debug("Outputs could not be written: %s", error.code)
        for cell in cells.values():
            cell.note = NOT_KEPT.format(why=error.text)


async def keep(document: Document, cells: Iterable[RunningCell]) -> None:
    """Write what a front-end told of cells into the notebook that it has left; what is not written is said."""
    told = {str(cell.cell_id): (cell, cell.told) for cell in cells if cell.told is not None and cell.told.outputs}
    try:
        there = {cell.id: cell for cell in (await document.read()).cells}
        for name, (cell, what) in tuple(told.items()):
            if why := _kept_out(cell, what, there.get(name)):
                told.pop(name)[0].note = NOT_KEPT.format(why=why)
        edits = [SetOutputs(name, what.outputs, what.execution_count) for name, (_, what) in told.items()]
        if edits:
            await document.apply(edits, {name: hashed(cell.source) for name, (cell, _) in told.items()})
    except NotebookError as error:
        for cell, _ in told.values():
            cell.note = NOT_KEPT.format(why=error.text)


def _kept_out(cell: RunningCell, told: Told, there: Cell | None) -> str:
    """Why the outputs are not written where the cell is ``there`` now; "" where they are."""
    if there is None:
        return "the cell is not in it."
    if there.hash != hashed(cell.source):
        return "the cell in it has another source."
    return "it has more of them already." if told.left_out and there.outputs else ""


def _outputs(cell: RunningCell) -> SetOutputs:
    said = cell.collector
    return SetOutputs(str(cell.cell_id), said.outputs, said.execution_count, running=cell.state == "running")


async def _to_its_end(work: Coroutine[Any, Any, object]) -> None:
    """A write that has begun is not stopped half way."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
