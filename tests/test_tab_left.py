"""A run in a tab whose user leaves it: what it has told is in the notebook, and what became of the rest is said."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from jupyter_assistant.errors import KernelBusy
from jupyter_assistant.notebooks import Document
from jupyter_assistant.notebooks.kernels import Execution, Kernels
from jupyter_assistant.tools import Registry
from jupyter_assistant.tools.notebook import notebook_tools
from tests.conftest import Server
from tests.document import code, notebook
from tests.kernels import over, stored, text_of, until
from tests.kernels import put as put_file
from tests.tabpage import Refused
from tests.tabs import Window, put

SLOW = "import time\nprint('begun', flush=True)\ntime.sleep(60)"


@pytest.fixture(autouse=True)
def ended(server: Server, jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """No kernel is left."""
    yield
    kernels: Any = server.app.kernel_manager
    jp_asyncio_loop.run_until_complete(kernels.shutdown_all(now=True))


async def begun(server: Server, window: Window, *sources: str) -> tuple[Document, Kernels, Execution]:
    """A run of these cells in a tab that is at the one that prints ``begun``."""
    built = await server.extension.open()
    put(server, notebook(*(code(f"cell-{at}", source) for at, source in enumerate(sources))))
    await window.open("a.ipynb")
    document = await built.notebooks.open("a.ipynb")
    execution = await built.kernels.run(document, [f"cell-{at}" for at in range(len(sources))])
    await until(lambda: any("begun" in text_of(cell.outputs) for cell in execution.cells))
    return document, built.kernels, execution


async def test_what_a_closed_tab_had_told_is_in_the_file(server: Server) -> None:
    async with Window(server) as window:
        _, _, execution = await begun(server, window, "'first'", SLOW, "3")
        window.close(next(iter(window.pages.values())))
        await over(execution)
        cells = stored(server.root / "a.ipynb")
        assert [text_of(cell.outputs) for cell in cells] == ["'first'", "begun\n", ""]
        assert cells[0].execution_count == 1
        assert [cell.state for cell in execution.cells] == ["done", "running", "not run"]
        assert execution.cells[1].note.startswith("It may still run in the kernel")


async def test_what_a_tab_had_told_that_says_later_that_it_was_closed_is_in_the_file(server: Server) -> None:
    async with Window(server) as window:
        _, _, execution = await begun(server, window, SLOW)
        [page] = window.pages.values()
        page.mark(True)  # as its outputs do in JupyterLab
        await window.shown()
        [number] = window._runs
        window.pages.clear()
        window.answer(number, Refused("unknown_document"))
        await over(execution)
        assert text_of(stored(server.root / "a.ipynb")[0].outputs) == "begun\n"
        assert "could not be written" not in execution.cells[0].note


async def test_the_answer_does_not_call_a_cell_unrun_that_runs(server: Server) -> None:
    async with Window(server) as window:
        built = await server.extension.open()
        tools = Registry(notebook_tools(built.notebooks, built.kernels), log=server.app.log)
        put(server, notebook(code("cell-0", SLOW)))
        page = await window.open("a.ipynb")
        answer = asyncio.ensure_future(tools.call("run_cells", {"path": "a.ipynb"}))
        await until(lambda: page.cells[0]["outputs"])
        window.close(page)
        told = (await answer).text
        assert "· code · running\n" in told
        assert "not run" not in told
        assert "begun" in told


async def test_outputs_of_a_source_that_was_never_saved_are_not_put_under_another(server: Server) -> None:
    async with Window(server) as window:
        _, _, execution = await begun(server, window, SLOW)
        put_file(server.root / "a.ipynb", ["'another'"])
        window.close(next(iter(window.pages.values())))
        await over(execution)
        assert stored(server.root / "a.ipynb")[0].outputs == []
        assert "the cell in it has another source. They are here only." in execution.cells[0].note
        assert text_of(execution.cells[0].outputs) == "begun\n"


async def test_a_notebook_that_is_gone_with_its_tab_costs_its_copy_only(server: Server) -> None:
    async with Window(server) as window:
        _, _, execution = await begun(server, window, SLOW)
        (server.root / "a.ipynb").unlink()
        window.close(next(iter(window.pages.values())))
        await over(execution)
        assert "was closed while the run was on its way" in execution.note
        assert "They are here only." in execution.cells[0].note


async def test_a_restart_that_the_tab_tells_of_as_a_failure_is_told_as_a_restart(server: Server) -> None:
    async with Window(server) as window:
        _, built_kernels, execution = await begun(server, window, SLOW, "2")
        with suppress(KernelBusy):  # which is connected to by then
            await built_kernels.variables("a.ipynb")
        page = next(iter(window.pages.values()))
        kernels: Any = server.app.kernel_manager
        [number] = window._runs
        restart = asyncio.ensure_future(kernels.restart_kernel(page.kernel_id, now=True))
        failed = {"execution_count": None, "left_out": 0, "outputs": page.cell("cell-0")["outputs"]}
        rest = {"cell_id": "cell-1", "state": "not run", **failed, "outputs": []}
        window.answer(number, {"cells": [{"cell_id": "cell-0", "state": "error", **failed}, rest], "saved": False})
        await over(execution)
        await restart
        assert (execution.state, [cell.state for cell in execution.cells]) == ("dead", ["dead", "not run"])
        assert "Variables are gone" in execution.note


async def test_a_restart_from_here_ends_the_run_in_the_tab_too(server: Server) -> None:
    awaits = "import asyncio\nprint('begun', flush=True)\nawait asyncio.sleep(60)"
    async with Window(server) as window:
        _, built_kernels, execution = await begun(server, window, awaits, "2")
        page = next(iter(window.pages.values()))
        await built_kernels.restart("a.ipynb")
        await over(execution)
        assert (execution.state, [cell.state for cell in execution.cells]) == ("dead", ["dead", "not run"])
        assert execution.note.startswith("The kernel was restarted. Variables are gone")
        assert "KeyboardInterrupt" in text_of(page.cells[0]["outputs"]) or "CancelledError" in text_of(
            page.cells[0]["outputs"]
        )
        [run] = window._runs.values()
        assert run.states == {"cell-0": "error", "cell-1": "not run"}
