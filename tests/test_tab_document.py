"""The tab home: the one suite, over a scripted window of JupyterLab on the real socket of a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest

from jupyter_assistant.errors import EditRefused
from jupyter_assistant.notebooks import Document, Notebooks
from jupyter_assistant.notebooks.edits import Replace, SetOutputs, Upgrade
from tests.conftest import Server
from tests.document import *  # noqa: F403
from tests.document import THREE, Json, code, notebook, printed, sources
from tests.tabs import Window, put


@dataclass
class Tabbed:
    """Notebooks that are open in a window."""

    notebooks: Notebooks
    server: Server
    window: Window
    root: Path = field(init=False)

    def __post_init__(self) -> None:
        self.root = self.server.root

    async def put(self, content: Json, name: str = "a.ipynb") -> Document:
        put(self.server, content, name)
        await self.window.open(name)
        return await self.notebooks.open(name)

    def stored(self, name: str = "a.ipynb") -> Any:
        found = nbformat.read(self.root / name, as_version=4)
        nbformat.validate(found)
        return found

    def mark(self, name: str = "a.ipynb") -> object:
        state = (self.root / name).stat()
        return state.st_ino, state.st_mtime_ns, (self.root / name).read_bytes()


@pytest.fixture
def home(server: Server, jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[Tabbed]:
    async def made() -> Tabbed:
        window = Window(server)
        await window.join()
        return Tabbed((await server.extension.open()).notebooks, server, window)

    tabbed = jp_asyncio_loop.run_until_complete(made())
    yield tabbed
    jp_asyncio_loop.run_until_complete(tabbed.window.leave())


# ---------------------------------------------------------------- what only a tab does


async def test_what_is_read_and_changed_is_the_tab(home: Tabbed) -> None:
    document = await home.put(THREE)
    (page,) = home.window.pages.values()
    page.type("c", "typed")
    assert (await sources(document))[2] == ("c", "typed")
    assert (await document.read()).home == "tab"
    await document.apply([Replace("a", "new")])
    assert [cell["source"] for cell in page.cells] == ["new", "# Ä title", "typed"]
    assert page.dirty
    assert home.stored().cells[2].source == "x"


async def test_an_old_notebook_can_be_edited_since_the_tab_gave_it_ids(home: Tabbed) -> None:
    document = await home.put(notebook({k: v for k, v in code("", "x = 1").items() if k != "id"}, minor=4))
    ((name, source),) = await sources(document)
    assert (source, name[0] != "#") == ("x = 1", True)
    await document.apply([Replace(name, "2")])
    assert await sources(document) == [(name, "2")]
    assert not (await document.apply([Upgrade()])).cells


async def test_outputs_of_a_run_that_began_elsewhere_are_set_in_the_tab(home: Tabbed) -> None:
    document = await home.put(THREE)
    (page,) = home.window.pages.values()
    await document.apply([SetOutputs("a", (printed("1\n"),), 1)])
    assert (page.cell("a")["execution_count"], page.dirty) == (1, False)
    assert home.stored().cells[0].outputs == [printed("1\n")]
    page.type("c", "typed")
    await document.apply([SetOutputs("a", (printed("1\n2\n"),), 1)])
    assert (page.cell("a")["outputs"], page.dirty) == ([printed("1\n2\n")], True)
    assert home.stored().cells[2].source == "x"


async def test_only_code_cells_are_given_outputs(home: Tabbed) -> None:
    document = await home.put(THREE)
    with pytest.raises(EditRefused, match="only code cells"):
        await document.apply([SetOutputs("b", (), 1)])


async def test_only_what_changed_is_sent_again(home: Tabbed) -> None:
    document = await home.put(THREE)
    (page,) = home.window.pages.values()
    told: list[Json] = []
    home.window.answers = lambda message: told.append(message["params"])
    first = await document.read()
    page.type("a", "typed")
    second = await document.read()
    assert [params.get("known") for params in told] == [None, first.revision]
    assert [cell.source for cell in second.cells] == ["typed", "# Ä title", "x"]
    assert second.cells[1] is first.cells[1]
