"""Runs through a tab: as its user would make them, followed, bounded and stopped by the server, whatever happens."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from jupyter_assistant.errors import EditRefused, KernelUnable, TabClosed, TabUnresponsive
from jupyter_assistant.notebooks import Document
from jupyter_assistant.notebooks.kernels import Execution, Kernels
from jupyter_assistant.notebooks.tab import Tabs
from jupyter_assistant.tools import Registry
from jupyter_assistant.tools.notebook import notebook_tools
from tests.conftest import Server
from tests.document import Json, code, markdown, notebook
from tests.kernels import over, stored, text_of, until
from tests.tabpage import Page
from tests.tabs import Window, put

SLOW = "import time\nprint('begun', flush=True)\ntime.sleep(60)"


@dataclass
class Open:
    """A notebook that is open in a window."""

    server: Server
    window: Window
    page: Page
    document: Document
    kernels: Kernels
    tabs: Tabs

    async def run(self, *names: str, timeout_s: float | None = None) -> Execution:
        return await self.kernels.run(self.document, names or self.names, timeout_s=timeout_s)

    @property
    def names(self) -> list[str]:
        return [str(cell["id"]) for cell in self.page.cells]

    async def begun(self, execution: Execution, text: str = "begun") -> None:
        await until(lambda: text in text_of(execution.cells[0].outputs))


@pytest.fixture(autouse=True)
def ended(server: Server, jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """No kernel is left."""
    yield
    kernels: Any = server.app.kernel_manager
    jp_asyncio_loop.run_until_complete(kernels.shutdown_all(now=True))


@asynccontextmanager
async def opened(server: Server, *sources: str) -> AsyncIterator[Open]:
    built = await server.extension.open()
    put(server, notebook(*(code(f"cell-{at}", source) for at, source in enumerate(sources))))
    async with Window(server) as window:
        page = await window.open("a.ipynb")
        document = await built.notebooks.open("a.ipynb")
        yield Open(server, window, page, document, built.kernels, built.notebooks.tabs)


async def test_cells_run_in_the_tab_and_are_saved_where_it_was_saved(server: Server) -> None:
    async with opened(server, "x = 20 + 22\nprint('said')\nx", "x + 1") as tab:
        execution = await over(await tab.run())
        assert (execution.state, [cell.state for cell in execution.cells]) == ("done", ["done", "done"])
        assert [text_of(cell.outputs) for cell in execution.cells] == ["said\n42", "43"]
        assert [cell.execution_count for cell in execution.cells] == [1, 2]
        assert [cell["execution_count"] for cell in tab.page.cells] == [1, 2]
        assert text_of(stored(tab.page.file)[1].outputs) == "43"
        assert tab.window.asked.count("run") == 1
        assert "apply" not in tab.window.asked
        assert [cell.outputs[-1].text for cell in (await tab.document.read()).cells] == ["42", "43"]


async def test_a_dirty_notebook_stays_dirty_and_its_typed_cells_run(server: Server) -> None:
    async with opened(server, "1") as tab:
        tab.page.type("cell-0", "'typed'")
        execution = await over(await tab.run())
        assert text_of(execution.cells[0].outputs) == "'typed'"
        assert tab.page.dirty
        assert stored(tab.page.file)[0].source == "1"


async def test_outputs_are_seen_while_they_come(server: Server) -> None:
    async with opened(server, "print('begun', flush=True)\nimport time\nwhile not go: time.sleep(0.01)") as tab:
        await over(await tab.kernels.execute("a.ipynb", "go = False"))
        execution = await tab.run()
        await tab.begun(execution)
        assert (execution.state, execution.cells[0].state) == ("running", "running")
        assert tab.kernels.execution(execution.id) is execution
        assert not await execution.wait(0)
        await execution.cancel()


async def test_what_fails_ends_the_run_and_the_rest_is_not_run(server: Server) -> None:
    async with opened(server, "1", "1 / 0", "3") as tab:
        execution = await over(await tab.run())
        assert (execution.state, [cell.state for cell in execution.cells]) == ("error", ["done", "error", "not run"])
        assert execution.cells[1].outputs[0]["ename"] == "ZeroDivisionError"


async def test_cancelling_interrupts_the_cell_and_takes_back_the_rest(server: Server) -> None:
    async with opened(server, SLOW, "2") as tab:
        execution = await tab.run()
        await tab.begun(execution)
        await execution.cancel()
        assert (execution.state, [cell.state for cell in execution.cells]) == ("cancelled", ["cancelled", "not run"])
        assert text_of(execution.cells[0].outputs) == "begun\nKeyboardInterrupt"


async def test_a_cell_that_takes_too_long_is_interrupted(server: Server) -> None:
    async with opened(server, SLOW, "2") as tab:
        execution = await over(await tab.run(timeout_s=0.5))
        assert (execution.state, [cell.state for cell in execution.cells]) == ("timeout", ["timeout", "not run"])
        assert execution.cells[0].note == "Interrupted after 0.5 s."


async def test_a_kernel_that_dies_ends_the_run(server: Server) -> None:
    async with opened(server, "import os\nprint(os.getpid(), flush=True)\nimport time\ntime.sleep(60)", "2") as tab:
        execution = await tab.run()
        await tab.begun(execution, "\n")
        os.kill(int(text_of(execution.cells[0].outputs)), signal.SIGKILL)
        assert await execution.wait(10)
        assert (execution.state, [cell.state for cell in execution.cells]) == ("dead", ["dead", "not run"])
        assert "Variables are gone" in execution.note


async def test_a_second_run_waits_for_the_first(server: Server) -> None:
    async with opened(server, SLOW, "2") as tab:
        first = await tab.run("cell-0")
        await tab.begun(first)
        second = await tab.run("cell-1")
        assert "waits for its turn" in second.note
        assert tab.window.asked.count("run") == 1
        await first.cancel()
        await over(second)
        assert (second.state, text_of(second.cells[0].outputs)) == ("done", "2")


async def test_a_run_that_waits_can_be_cancelled(server: Server) -> None:
    async with opened(server, SLOW, "2") as tab:
        first = await tab.run("cell-0")
        await tab.begun(first)
        second = await tab.run("cell-1")
        await second.cancel()
        assert (second.state, second.cells[0].state, first.state) == ("cancelled", "not run", "running")
        await first.cancel()


async def test_a_tab_closed_in_the_middle_ends_the_run_and_says_that_the_kernel_goes_on(server: Server) -> None:
    async with opened(server, SLOW) as tab:
        execution = await tab.run()
        await tab.begun(execution)
        tab.window.close(tab.page)
        await over(execution)
        assert (execution.state, execution.cells[0].state) == ("error", "running")
        assert "was closed while the run was on its way" in execution.note
        assert "The kernel goes on" in execution.note
        assert text_of(execution.cells[0].outputs) == "begun\n"


async def test_a_page_that_is_gone_in_the_middle_ends_the_run(server: Server) -> None:
    async with opened(server, SLOW) as tab:
        execution = await tab.run()
        await tab.begun(execution)
        await tab.window.break_off()
        await over(execution)
        assert execution.state == "error"
        assert "stopped answering while the run was on its way" in execution.note


async def test_a_tab_that_does_not_answer_gets_no_run(server: Server) -> None:
    async with opened(server, "1") as tab:
        snapshot = await tab.document.read()
        with tab.window.hung(), pytest.raises(TabUnresponsive, match="nothing was changed"):
            await tab.kernels.run(tab.document, ["cell-0"], snapshot=snapshot)
        assert "run" not in tab.window.asked


async def test_a_closed_notebook_runs_in_its_file(server: Server) -> None:
    async with opened(server, "6 * 7") as tab:
        tab.window.close(tab.page)
        await until(lambda: not tab.tabs.paths())
        execution = await over(await tab.run())
        assert (execution.state, text_of(stored(tab.page.file)[0].outputs)) == ("done", "42")


async def test_a_notebook_closed_with_unsaved_changes_is_not_run_as_if_nothing_were(server: Server) -> None:
    async with opened(server, "6 * 7") as tab:
        tab.page.type("cell-0", "1")
        await tab.document.read()
        tab.window.close(tab.page)
        await until(lambda: not tab.tabs.paths())
        with pytest.raises(TabClosed, match="unsaved changes"):
            await tab.run()


async def test_a_read_only_tab_refuses(server: Server) -> None:
    async with opened(server, "1") as tab:
        tab.page.shown["read_only"] = True
        tab.window.show()
        await tab.document.read()
        with pytest.raises(EditRefused, match="read-only"):
            await tab.run()


async def test_a_kernel_that_cannot_be_started_is_the_end_of_the_run(server: Server) -> None:
    async with opened(server, "1") as tab:

        def unable(message: Json) -> Json | None:
            error = {"code": "kernel_unable", "text": "There is no kernel named x.", "hint": "Choose one."}
            is_run = message["method"] == "run"
            return {"type": "reply", "id": message["id"], "ok": False, "error": error} if is_run else None

        tab.window.answers = unable
        execution = await over(await tab.run())
        assert (execution.state, execution.note) == ("error", "There is no kernel named x. Choose one.")
        assert KernelUnable.code == "kernel_unable"


async def test_the_tools_run_and_read_through_the_tab(server: Server) -> None:
    built = await server.extension.open()
    tools = Registry(notebook_tools(built.notebooks, built.kernels), log=server.app.log)
    async with opened(server, "'ran'") as tab:
        told = await tools.call("run_cells", {"path": "a.ipynb"})
        assert not told.is_error
        assert "'ran'" in told.text
        tab.page.cells.append({**markdown("m", "# Typed"), "source": "# Typed"})
        tab.page.touch("m")
        tab.page.mark(True)
        assert "# Typed" in (await tools.call("read_notebook", {"path": "a.ipynb"})).text
        assert "· open" in (await tools.call("list_notebooks", {})).text
