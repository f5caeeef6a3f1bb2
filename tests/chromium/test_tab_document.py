"""The tab home in truth: the one suite of all homes, over notebooks that are open in a real JupyterLab page.

The law: the page, its saves and its server are real. Only the far end of the page's socket is here, in the process of
the test, so that the suite can hold the ``Document`` that speaks through it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_core.utils import ensure_event_loop
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from playwright.async_api import Page, WebSocketRoute, async_playwright

from jupyter_assistant.notebooks import Document, Notebooks
from jupyter_assistant.notebooks.edits import Delete, Move
from tests.chromium.sidebar import EXAMPLE, QUIET
from tests.document import *  # noqa: F403
from tests.document import THREE, Json, sources
from tests.document_nbformat import *  # noqa: F403
from tests.lab import Lab

del test_cells_are_moved_and_deleted  # noqa: F821  (JupyterLab is never without a cell: see the last test)

LOAD_MS = 60_000

NO_KERNELS = "void Object.assign(window.jupyterapp.docRegistry.getWidgetFactory('Notebook'), {_canStartKernel: false})"
"""These notebooks name no kernel; JupyterLab would ask for one each time."""

CLOSE = """() => {
  for (const widget of Array.from(window.jupyterapp.shell.widgets('main'))) {
    if (widget.context) { widget.dispose(); }
  }
}"""


@dataclass
class Channel:
    """The far end of a page's socket."""

    route: WebSocketRoute
    sent: list[asyncio.Task[None] | Any] = field(default_factory=list)

    def send(self, text: str) -> None:
        self.route.send(text)

    def close(self, code: int, reason: str) -> None:
        self.sent.append(asyncio.ensure_future(self.route.close(code=code, reason=reason)))


@dataclass
class Paged:
    """Notebooks that are open in a page of JupyterLab."""

    notebooks: Notebooks
    root: Path
    page: Page
    names: set[str] = field(default_factory=set)

    async def put(self, content: Json, name: str = "a.ipynb") -> Document:
        await self.close()
        (self.root / name).write_text(json.dumps(content), encoding="utf-8")
        self.names.add(name)
        await self.page.evaluate("path => void window.jupyterapp.commands.execute('docmanager:open', {path})", name)
        await self.until(lambda: name in self.notebooks.tabs.paths())
        return await self.notebooks.open(name)

    async def close(self) -> None:
        """Close all notebooks of the page."""
        await self.page.evaluate(CLOSE)
        await self.until(lambda: not self.notebooks.tabs.paths())

    async def until(self, condition: Any) -> None:
        async def hold() -> None:
            while not condition():  # noqa: ASYNC110  (what is waited for is in the page)
                await asyncio.sleep(0.01)

        await asyncio.wait_for(hold(), 20)

    def stored(self, name: str = "a.ipynb") -> Any:
        found = nbformat.read(self.root / name, as_version=4)
        nbformat.validate(found)
        return found

    def mark(self, name: str = "a.ipynb") -> object:
        state = (self.root / name).stat()
        return state.st_ino, state.st_mtime_ns, (self.root / name).read_bytes()


@pytest.fixture(scope="module")
def environ() -> dict[str, str]:
    """No model is asked here."""
    return {}


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One loop for the file; Playwright's other face, which other files use, leaves its own marked as running."""
    other = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    made = ensure_event_loop()
    yield made
    made.close()
    asyncio._set_running_loop(other)


@pytest.fixture(autouse=True)
def jp_asyncio_loop(loop: asyncio.AbstractEventLoop) -> asyncio.AbstractEventLoop:
    """The loop that the tests run on."""
    return loop


@pytest.fixture(scope="module")
def paged(loop: asyncio.AbstractEventLoop, lab: Lab) -> Iterator[Paged]:
    """A page of JupyterLab, whose socket ends here."""
    notebooks = Notebooks(
        AsyncLargeFileManager(root_dir=str(lab.root)), root_dir=lab.root, log=logging.getLogger("tab")
    )
    playwright = loop.run_until_complete(async_playwright().start())

    def joined(route: WebSocketRoute) -> None:
        window = notebooks.tabs.joined(Channel(route), "owner")
        heard: list[Any] = []

        async def hear(before: Any, message: str | bytes) -> None:
            if before is not None:
                await before
            await window.hear(message)

        def on_message(message: str | bytes) -> None:
            heard.append(asyncio.ensure_future(hear(heard.pop() if heard else None, message)))

        route.on_message(on_message)
        route.on_close(lambda code, _: window.left(code))

    async def opened() -> Page:
        found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        browser = await playwright.chromium.launch(executable_path=found, args=[*QUIET, "--no-sandbox"])
        page = await browser.new_page()
        await page.route_web_socket("**/assistant/tab*", joined)
        await page.goto(lab.page(f"lab/tree/{EXAMPLE}?reset"))
        await page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=LOAD_MS)
        await page.evaluate(NO_KERNELS)
        return page

    made = Paged(notebooks, lab.root, loop.run_until_complete(opened()))
    yield made
    loop.run_until_complete(made.page.context.browser.close() if made.page.context.browser else asyncio.sleep(0))
    loop.run_until_complete(notebooks.close())
    loop.run_until_complete(playwright.stop())


@pytest.fixture
def home(paged: Paged, loop: asyncio.AbstractEventLoop) -> Iterator[Paged]:
    """The page without notebooks; in the end nobody was asked anything."""
    yield paged
    assert loop.run_until_complete(paged.page.locator(".jp-Dialog").count()) == 0
    loop.run_until_complete(paged.close())
    for name in paged.names:
        (paged.root / name).unlink(missing_ok=True)


async def test_where_all_cells_are_deleted_an_empty_one_is_shown(home: Paged) -> None:
    document = await home.put(THREE)
    (moved,) = (await document.apply([Move("c", before="a")])).cells
    assert (moved.cell_id, moved.diff, moved.index) == ("c", "", 0)
    change = await document.apply([Delete(("a", "b", "c"))])
    assert [made.after for made in change.cells] == [None, None, None]
    assert [source for _, source in await sources(document)] == [""]
    assert [cell.source for cell in home.stored().cells] == [""]
