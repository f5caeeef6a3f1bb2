"""A notebook that is open in a scripted window, for tests of what befalls it there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from jupyter_assistant.notebooks import Document, Notebooks
from jupyter_assistant.notebooks.edits import Insert, NewCell
from tests.conftest import Server
from tests.homed import THREE
from tests.kernels import until
from tests.tabpage import Page
from tests.tabs import Window, put

NEW = Insert((NewCell("code", "new"),))


@dataclass
class Open:
    notebooks: Notebooks
    window: Window
    page: Page
    document: Document

    @property
    def file(self) -> bytes:
        return self.page.file.read_bytes()

    async def gone(self) -> None:
        """The server has heard that it is not open any more."""
        await until(lambda: not self.notebooks.tabs.paths())


@asynccontextmanager
async def opened(server: Server, name: str = "a.ipynb") -> AsyncIterator[Open]:
    notebooks = (await server.extension.open()).notebooks
    put(server, THREE, name)
    async with Window(server) as window:
        page = await window.open(name)
        yield Open(notebooks, window, page, await notebooks.open(name))
