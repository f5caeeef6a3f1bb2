"""A run that began in the file and goes on in a tab: the notebook was opened in the middle of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_assistant.notebooks.kernels import Execution
from tests.conftest import Server
from tests.document import code, notebook
from tests.kernels import over, stored, text_of, until
from tests.tabpage import Page
from tests.tabs import Window, put

WAITS = """
import os, time
for word, file in [("begun", "more"), ("more", "go")]:
    print(word, flush=True)
    while not os.path.exists(file):
        time.sleep(0.02)
print("ended")
"""
ALL = "begun\nmore\nended\n"


@pytest.fixture(autouse=True)
def ended(server: Server, jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """No kernel is left."""
    yield
    kernels: Any = server.app.kernel_manager
    jp_asyncio_loop.run_until_complete(kernels.shutdown_all(now=True))


async def begun(server: Server) -> Execution:
    """Two cells run in the file's kernel; the first waits for ``go``, the second is in the queue."""
    built = await server.extension.open()
    put(server, notebook(code("a", WAITS), code("b", "6 * 7")))
    execution = await built.kernels.run(await built.notebooks.open("a.ipynb"), ["a", "b"])
    await until(lambda: "begun" in saved(server.root, 0))
    return execution


def saved(root: Path, index: int) -> str:
    return text_of(stored(root / "a.ipynb")[index].outputs)


async def ends(server: Server, execution: Execution) -> None:
    (server.root / "go").touch()
    await over(execution)
    assert (execution.state, [cell.note for cell in execution.cells]) == ("done", ["", ""])
    assert [text_of(cell.outputs) for cell in execution.cells] == [ALL, "42"]


def shown(page: Page) -> list[tuple[str, int | None]]:
    return [(text_of(cell["outputs"]), cell["execution_count"]) for cell in page.cells]


async def test_a_notebook_opened_during_a_run_has_all_outputs_in_tab_and_file(server: Server) -> None:
    execution = await begun(server)
    async with Window(server) as window:
        page = await window.open("a.ipynb")
        (server.root / "more").touch()
        await until(lambda: saved(server.root, 0) == "begun\nmore\n" == shown(page)[0][0])
        await ends(server, execution)
        assert shown(page) == [(ALL, 1), ("42", 2)]
        assert not page.dirty
        assert [saved(server.root, index) for index in (0, 1)] == [ALL, "42"]
        assert "run" not in window.asked


async def test_a_notebook_with_changes_keeps_them_unsaved_and_shows_all_outputs(server: Server) -> None:
    execution = await begun(server)
    async with Window(server) as window:
        page = await window.open("a.ipynb")
        page.type("b", "6 * 8")
        await window.shown()
        (server.root / "more").touch()
        (server.root / "go").touch()
        await over(execution)
        assert execution.state == "done"
        assert "edited while it ran" in execution.cells[1].note
        assert shown(page) == [(ALL, 1), ("42", 2)]
        assert (page.dirty, page.cell("b")["source"]) == (True, "6 * 8")
        assert stored(page.file)[1].source == "6 * 7"


async def test_a_notebook_that_is_closed_again_has_all_outputs_in_its_file(server: Server) -> None:
    execution = await begun(server)
    async with Window(server) as window:
        page = await window.open("a.ipynb")
        (server.root / "more").touch()
        await until(lambda: shown(page)[0] == ("begun\nmore\n", 1))
        window.close(page)
        await window.shown()
        await ends(server, execution)
        assert [saved(server.root, index) for index in (0, 1)] == [ALL, "42"]
