"""Tools that run code in a notebook's kernel and tell what came of it.

The law: an answer says for each cell whether it ran; what raised, took too long or lost its kernel is an error that
keeps the outputs so far; what still runs is none, and has an ``execution_id`` to go on with.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import groupby
from typing import Annotated
from weakref import WeakKeyDictionary

from ..notebooks import Document, Notebooks
from ..notebooks.cells import Cell
from ..notebooks.kernels import CellRun, Execution, Kernels, LeftOut
from ..notebooks.outputs import left_out
from . import ToolOutput
from .arguments import Range
from .fields import MAX_WAIT, NotebookPath, Timeout, Wait
from .images import Images
from .progress import Progress, is_heard, tell
from .reading import cell_of
from .rendering import Section, heading, named, rendered
from .text import counted

MOST_SECTIONS = 40
"""Cells that are shown one by one: the first quarter of them and the last three quarters."""
SINGLY = 12
"""Cells up to which those without outputs are shown one by one too."""

WAIT = 50.0

FAILED = frozenset({"error", "timeout", "dead", "cancelled"})
STATES = {
    "waiting": "waiting for the kernel",
    "running": "still running",
    "done": "done",
    "error": "failed",
    "timeout": "took too long and was interrupted",
    "dead": "the kernel ended",
    "cancelled": "cancelled",
}
HINTS = {
    "timeout": "Give it more time with timeout_s, or make it do less.",
    "dead": "The next run has a new kernel: run first the cells that make what the others need.",
    "cancelled": "What ran until then is kept; run it again if it is still wanted.",
}


class Running:
    def __init__(self, notebooks: Notebooks, kernels: Kernels, images: Images) -> None:
        self._notebooks = notebooks
        self._kernels = kernels
        self._images = images
        self._ran: WeakKeyDictionary[Execution, Mapping[str, Cell]] = WeakKeyDictionary()
        """The cells of each run as they were run."""

    async def run_cells(
        self,
        path: NotebookPath,
        cell_ids: Annotated[list[str] | None, "Ids of the cells, in the order to run; all when left out"] = None,
        wait_s: Wait = WAIT,
        timeout_s: Timeout = None,
    ) -> ToolOutput | str:
        """Run cells in the notebook's kernel, which is started if there is none; outputs are stored in the notebook.

        Answers with each cell's outputs; the first cell that raises ends the run. Work that takes longer than wait_s
        goes on: take its execution_id to get_execution.
        """
        document = await self._notebooks.open(path)
        snapshot = await document.read()
        chosen = snapshot.cells if cell_ids is None else [cell_of(snapshot, cell_id) for cell_id in cell_ids]
        code = [cell for cell in chosen if cell.cell_type == "code"]
        if not code:
            return "There is nothing to run: no code cell was chosen."
        await tell(Progress(0, len(code), f"{counted(len(code), 'cell')} to run"))
        execution = await self._kernels.run(
            document, [cell.id for cell in code], timeout_s=timeout_s, snapshot=snapshot
        )
        self._ran[execution] = {cell.id: cell for cell in code}
        await _waited(execution, wait_s)
        return await self._told(execution)

    async def execute_code(
        self,
        path: NotebookPath,
        code: Annotated[str, "Code in the kernel's language"],
        wait_s: Wait = WAIT,
        timeout_s: Timeout = None,
    ) -> ToolOutput:
        """Run code in the notebook's kernel without storing anything in the notebook: to look at data, to try things.

        It sees and can change the notebook's variables. What should stay belongs in a cell: insert_cells, run_cells.
        """
        document = await self._notebooks.open(path)
        kernel = await self._kernel_of(document)
        execution = await self._kernels.execute(document.path, code, timeout_s=timeout_s, kernel_name=kernel)
        await _waited(execution, wait_s)
        return await self._told(execution)

    async def get_execution(
        self,
        execution_id: Annotated[str, "From run_cells or execute_code"],
        wait_s: Annotated[float, "Seconds to wait for the end first", Range(0, MAX_WAIT)] = 0.0,
    ) -> ToolOutput:
        """Look at a run that was still going: its state and all outputs so far."""
        execution = self._kernels.execution(execution_id)
        if wait_s:
            async with _telling(execution):
                await execution.wait(wait_s)
        return await self._told(execution)

    # ------------------------------------------------------------ what came of it

    async def _kernel_of(self, document: Document) -> str | None:
        """The kernelspec to start for a notebook that has no kernel; a large one is not read for nothing."""
        if any(state.path == document.path for state in await self._kernels.list()):
            return None
        return (await document.read()).kernel

    async def _told(self, execution: Execution) -> ToolOutput:
        sections = list(_sections(execution.cells, self._ran.get(execution, {})))
        content = await rendered(sections, self._images, opening=_opening(execution), closing=_closing(execution))
        return ToolOutput(content, is_error=execution.state in FAILED)


async def _waited(execution: Execution, seconds: float) -> None:
    """Wait for the end; whoever is cancelled while waiting cancels what was started."""
    try:
        async with _telling(execution):
            await execution.wait(seconds)
    except asyncio.CancelledError:
        await asyncio.shield(execution.cancel())
        raise


@asynccontextmanager
async def _telling(execution: Execution) -> AsyncIterator[None]:
    """While it is waited for, who listens is told of each cell it comes to."""
    telling = asyncio.create_task(_each_cell(execution)) if is_heard() else None
    try:
        yield
    finally:
        if telling is not None:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)


async def _each_cell(execution: Execution) -> None:
    told = -1
    while not execution.is_over:
        through, total, cell_id = execution.place
        if cell_id is not None and through != told:
            told = through
            await tell(Progress(through, total, f"cell {through + 1} of {total}, id {json.dumps(cell_id[:200])}"))
        else:
            await execution.moved()


def _opening(execution: Execution) -> str:
    runs = execution.cells
    what = counted(len(runs), "cell") if runs and runs[0].cell_id is not None else "Code"
    took = f" after {execution.ended - execution.started:.1f} s" if execution.ended is not None else ""
    note = f" {execution.note}" if execution.note else ""
    since = f" Before this run: {execution.since} The variables of earlier runs are gone." if execution.since else ""
    return f"{what} in {named(execution.path)}: {STATES[execution.state]}{took}.{note}{since}"


def _closing(execution: Execution) -> str:
    if execution.state in ("waiting", "running"):
        # What a waiting run waits for is somebody else's work, which is not to be interrupted for it.
        stop = ", or interrupt_kernel to stop it" if execution.state == "running" else ""
        name = json.dumps(execution.id)
        return f"Goes on as execution_id {name}: call get_execution with it and a wait_s for more{stop}."
    if execution.state == "error":
        return _error_hint(execution.cells)
    return HINTS.get(execution.state, "")


def _error_hint(runs: Sequence[CellRun]) -> str:
    if all(run.cell_id is None for run in runs):
        return "Correct the code and execute it again."
    rest = sum(run.state == "not run" for run in runs)
    behind = f"{counted(rest, 'cell')} behind it {'was' if rest == 1 else 'were'} not run. " if rest else ""
    raised = any(run.state == "error" for run in runs)
    return f"{behind}{'Correct it with edit_cell, then run it again.' if raised else ''}".rstrip()


def _sections(runs: Sequence[CellRun], cells: Mapping[str, Cell]) -> Iterator[Section]:
    """A section per cell; of many, those without outputs are counted, and of very many only both ends are shown."""
    grouped = groupby(runs, key=lambda run: run.state if len(runs) > SINGLY and _is_quiet(run) else run)
    found = [_section(key, cells) if isinstance(key, CellRun) else _counted(key, list(same)) for key, same in grouped]
    if len(found) <= MOST_SECTIONS:
        yield from found
        return
    first = MOST_SECTIONS // 4
    yield from found[:first]
    yield Section(f"{left_out(len(found) - MOST_SECTIONS, 'cells')} read_cell shows each with its outputs.")
    yield from found[first - MOST_SECTIONS :]


def _is_quiet(run: CellRun) -> bool:
    return run.state in ("done", "not run", "waiting") and not run.outputs and not run.note


def _counted(state: str, runs: Sequence[CellRun]) -> Section:
    return Section(f"[{counted(len(runs), 'cell')}: {state}, no output]")


def _section(run: CellRun, cells: Mapping[str, Cell]) -> Section:
    state = "" if run.state in ("done", "not run") else f" · {run.state}"
    notes = [run.note] if run.note else []
    if run.left_out:
        notes.append(_not_kept(run.left_out))
    if run.state == "done" and not run.outputs:
        notes.append("No output.")
    return Section(_named(run, cells) + state, run.outputs, tuple(notes))


def _named(run: CellRun, cells: Mapping[str, Cell]) -> str:
    count = f" · run as [{run.execution_count}]" if run.execution_count is not None else ""
    if run.cell_id is None:
        return f"[code]{count}"
    cell = cells.get(run.cell_id)
    if cell is None:
        return f"[cell] id {json.dumps(run.cell_id)}{count}"
    begun = run.state not in ("not run", "waiting")
    return heading(replace(cell, execution_count=run.execution_count), runs=begun)


def _not_kept(missing: LeftOut) -> str:
    counts = [(missing.characters, "characters"), (missing.outputs, "outputs"), (missing.bytes, "bytes of data")]
    said = ", ".join(f"{count:,} {what}".replace(",", " ") for count, what in counts if count)
    return f"Not kept, there was too much: {said}."
