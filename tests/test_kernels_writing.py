"""Outputs on their way into a home: soon, not too often, all of them at the end, and never at the cost of the run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_assistant.errors import AssistantError, NotebookBusy, SaveFailed
from jupyter_assistant.notebooks.cells import Cell, Snapshot
from jupyter_assistant.notebooks.edits import Change, Edit, SetOutputs
from tests.kernels import Notebook, jp_asyncio_loop, notebook, over, place, text_of

__all__ = ["jp_asyncio_loop", "notebook", "place"]

Json = dict[str, Any]


class Memory:
    """A home in memory that counts what is written, and refuses with the next of ``refusals`` while there is one."""

    def __init__(self, path: str, *sources: str, refusals: Sequence[AssistantError] = ()) -> None:
        self.path = path
        self.cells = tuple(Cell(f"cell-{at}", at, "code", source) for at, source in enumerate(sources))
        self.written: list[SetOutputs] = []
        self.refusals = list(refusals)

    async def read(self) -> Snapshot:
        return Snapshot(self.path, self.cells, kernel="python3")

    async def outputs(self, cell_ids: Sequence[str]) -> Mapping[str, tuple[Json, ...]]:
        return {edit.cell_id: edit.outputs for edit in self.written if edit.cell_id in cell_ids}

    async def nbformat(self, cell_ids: Sequence[str] | None = None) -> Json:
        return {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}

    async def apply(self, edits: Sequence[Edit], expected: Mapping[str, str] = {}) -> Change:
        if self.refusals:
            raise self.refusals.pop(0)
        self.written += [edit for edit in edits if isinstance(edit, SetOutputs)]
        return Change(self.path, str(len(self.written)), (), (), "")


async def test_a_quick_cell_is_written_once(notebook: Notebook) -> None:
    await notebook.run("pass")
    document = Memory(notebook.path, "1+1")
    await over(await notebook.kernels.run(document, ["cell-0"]))
    assert [text_of(edit.outputs) for edit in document.written] == ["2"]


async def test_a_flood_is_written_now_and_then(notebook: Notebook) -> None:
    await notebook.run("pass")
    document = Memory(
        notebook.path,
        "import time\nbegan = time.time()\nwhile time.time() < began + 1.5: print('x'); time.sleep(0.001)",
    )
    execution = await over(await notebook.kernels.run(document, ["cell-0"]))
    assert 2 <= len(document.written) <= 4
    assert document.written[-1].outputs == execution.cells[0].outputs


class Slow(Memory):
    """A home in which a write takes much longer than a quick cell."""

    async def apply(self, edits: Sequence[Edit], expected: Mapping[str, str] = {}) -> Change:
        self.writes.append(len(edits))
        await asyncio.sleep(0.5)
        return await super().apply(edits, expected)

    def __init__(self, path: str, *sources: str) -> None:
        super().__init__(path, *sources)
        self.writes: list[int] = []


async def test_a_home_that_takes_long_gets_the_outputs_of_many_quick_cells_at_once(notebook: Notebook) -> None:
    await notebook.run("pass")
    document = Slow(notebook.path, *map(str, range(30)))
    execution = await over(await notebook.kernels.run(document, [cell.id for cell in document.cells]))
    assert execution.state == "done"
    assert {edit.cell_id: text_of(edit.outputs) for edit in document.written} == {
        cell.id: cell.source for cell in document.cells
    }
    assert len(document.writes) < 15


async def test_an_update_of_another_cells_display_is_written_there(notebook: Notebook) -> None:
    await notebook.run("pass")
    document = Memory(notebook.path, "handle = display('one', display_id=True)", "handle.update('two')")
    await over(await notebook.kernels.run(document, ["cell-0", "cell-1"]))
    last = {edit.cell_id: text_of(edit.outputs) for edit in document.written}
    assert last == {"cell-0": "'two'", "cell-1": ""}


async def test_a_home_that_is_busy_for_a_moment_gets_the_outputs_after_it(notebook: Notebook) -> None:
    await notebook.run("pass")
    document = Memory(notebook.path, "1+1", refusals=[NotebookBusy("It is being saved.")])
    execution = await over(await notebook.kernels.run(document, ["cell-0"]))
    assert [text_of(edit.outputs) for edit in document.written] == ["2"]
    assert execution.cells[0].note == ""


async def test_a_home_that_refuses_costs_only_its_copy_and_that_is_said(notebook: Notebook) -> None:
    await notebook.run("pass")
    refusals = [SaveFailed("The disk is full.") for _ in range(9)]
    document = Memory(notebook.path, "1+1", "2+2", refusals=refusals)
    execution = await over(await notebook.kernels.run(document, ["cell-0", "cell-1"]))
    assert execution.state == "done"
    assert [text_of(cell.outputs) for cell in execution.cells] == ["2", "4"]
    assert all("could not be written into the notebook: The disk is full." in cell.note for cell in execution.cells)


async def test_cells_do_not_wait_one_by_one_for_a_home_that_refuses(notebook: Notebook) -> None:
    await notebook.run("pass")
    refusals = [SaveFailed("It may not be written.") for _ in range(99)]
    document = Memory(notebook.path, *map(str, range(8)), refusals=refusals)
    execution = await over(await notebook.kernels.run(document, [cell.id for cell in document.cells]))
    assert all("It may not be written." in cell.note for cell in execution.cells)
    assert 99 - len(document.refusals) <= 2 * len(document.cells) + 3


async def test_a_cell_that_never_began_keeps_its_outputs(notebook: Notebook) -> None:
    await notebook.run("pass")
    document = Memory(notebook.path, "1/0", "2")
    await over(await notebook.kernels.run(document, ["cell-0", "cell-1"]))
    assert {edit.cell_id for edit in document.written} == {"cell-0"}
