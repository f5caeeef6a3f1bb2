"""A notebook open in a real JupyterLab page while a client works on it through the server's MCP endpoint.

The law: what a client does goes the product's own way (``mcp``), what a user does is done with keys and the mouse, and
what the page holds is asked of the page.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, Locator, Page, expect

from tests.chromium.sidebar import EXAMPLE
from tests.lab import Lab
from tests.mcp_clients import message, request, texts

LOAD_MS = 60_000
SPEC = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}

PANEL = """path => Array.from(window.jupyterapp.shell.widgets('main')).filter(each => each.context?.path === path)"""
"""The views of a notebook in the page."""


class ToolFailed(Exception):
    """A tool answered with an error: its text."""


@dataclass
class Client:
    """An MCP client that holds the server's token."""

    lab: Lab

    def call(self, tool: str, **arguments: Any) -> str:
        """What a tool says; raises ``ToolFailed``."""
        asked = request("tools/call", {"name": tool, "arguments": arguments})
        headers = {**asked["headers"], "Authorization": f"token {self.lab.token}"}
        answer = httpx.post(
            f"{self.lab.url}assistant/mcp", json=asked["json"], headers=headers, trust_env=False, timeout=90
        )
        said = message(answer)
        assert "result" in said, said
        result = said["result"]
        found = "\n".join(texts(result))
        if result.get("isError"):
            raise ToolFailed(found)
        return found

    def begin(self, tool: str, **arguments: Any) -> Future[str]:
        """The same, while the test goes on."""
        with_one = ThreadPoolExecutor(1)
        begun = with_one.submit(self.call, tool, **arguments)
        with_one.shutdown(wait=False)
        return begun

    def health(self) -> Any:
        """What the server says of itself."""
        headers = {"Authorization": f"token {self.lab.token}"}
        return httpx.get(f"{self.lab.url}assistant/health", headers=headers, trust_env=False).json()


def code(id: str, source: str, **metadata: object) -> dict[str, object]:
    """A code cell that has not run."""
    return {
        "cell_type": "code",
        "id": id,
        "source": source,
        "metadata": metadata,
        "outputs": [],
        "execution_count": None,
    }


def text(id: str, source: str) -> dict[str, object]:
    """A text cell."""
    return {"cell_type": "markdown", "id": id, "source": source, "metadata": {}}


def write(path: Path, *cells: dict[str, object], minor: int = 5) -> None:
    """A notebook on the disk."""
    body = {"metadata": {"kernelspec": SPEC}, "nbformat": 4, "nbformat_minor": minor, "cells": list(cells)}
    path.write_text(json.dumps(body))


@dataclass
class Tab:
    """A notebook in a page."""

    lab: Lab
    page: Page
    path: str

    @property
    def client(self) -> Client:
        return Client(self.lab)

    @property
    def file(self) -> Path:
        return self.lab.root / self.path

    @property
    def saved(self) -> list[str]:
        """The sources in the file."""
        cells = json.loads(self.file.read_text())["cells"]
        return ["".join(cell["source"]) for cell in cells]

    @property
    def stored(self) -> list[dict[str, Any]]:
        """The cells in the file."""
        cells: list[dict[str, Any]] = json.loads(self.file.read_text())["cells"]
        return cells

    def open(self, page: str = "lab/tree/{}?reset") -> Tab:
        """Load the page; back once the server has the notebook from it, and its kernel is there."""
        self.page.goto(self.lab.page(page.format(self.path)))
        return self.ready()

    def show(self) -> Tab:
        """Open the notebook in JupyterLab as it is; back as from ``open``."""
        self.page.evaluate("path => void window.jupyterapp.commands.execute('docmanager:open', {path})", self.path)
        return self.ready()

    def ready(self) -> Tab:
        """Wait for the notebook, its kernel, and until the server knows that it is open."""
        self.page.wait_for_selector(".jp-Notebook:visible .jp-Cell", timeout=LOAD_MS)
        self.idle()
        self.page.evaluate(
            f"path => void ({PANEL})(path).forEach(each => window.jupyterapp.shell.activateById(each.id))", self.path
        )
        self.page.wait_for_function(
            f"""path => ({PANEL})(path).includes(window.jupyterapp.shell.currentWidget)
              && ({PANEL})(path)[0].node.contains(document.activeElement)""",
            arg=self.path,
        )
        until(self.page, lambda: self.is_open)
        return self

    def close(self) -> None:
        """Close all its views, whatever is not saved."""
        self.page.evaluate(f"path => ({PANEL})(path).forEach(each => each.dispose())", self.path)

    @property
    def is_open(self) -> bool:
        """Whether the server knows that a tab has the notebook."""
        lines = self.client.call("list_notebooks").splitlines()
        return any(self.path in line and "open" in line for line in lines)

    def idle(self) -> None:
        """Wait until the kernel has been started and does nothing."""
        self.page.wait_for_function(
            f"path => ({PANEL})(path)[0]?.sessionContext.session?.kernel?.status === 'idle'",
            arg=self.path,
            timeout=LOAD_MS,
        )

    def cell(self, id: str) -> Locator:
        """A cell, by its id, which is written on it for this."""
        self.page.evaluate(
            f"""path => ({PANEL})(path).forEach(({{ content }}) => {{
              for (const {{ model, node }} of content.widgets) {{ node.dataset.testId = model.id; }}
            }})""",
            self.path,
        )
        return self.page.locator(f'.jp-Notebook:visible .jp-Cell[data-test-id="{id}"]')

    def number(self, number: int) -> Locator:
        """A cell, counted from 1."""
        return self.page.locator(".jp-Notebook:visible .jp-Cell").nth(number - 1)

    @property
    def sources(self) -> list[str]:
        """What the page holds."""
        found: list[str] = self.page.evaluate(
            f"path => Array.from(({PANEL})(path)[0].content.model.cells, cell => cell.sharedModel.getSource())",
            self.path,
        )
        return found

    @property
    def ids(self) -> list[str]:
        """The cells of the page."""
        found: list[str] = self.page.evaluate(
            f"path => Array.from(({PANEL})(path)[0].content.model.cells, cell => cell.id)", self.path
        )
        return found

    @property
    def dirty(self) -> bool:
        """Whether JupyterLab shows the notebook as changed."""
        return bool(self.page.evaluate(f"path => ({PANEL})(path)[0].context.model.dirty", self.path))

    @property
    def place(self) -> dict[str, Any]:
        """Where the user is: active cell, scroll, mode, cursor, whether the keys go there."""
        found: dict[str, Any] = self.page.evaluate(
            f"""path => {{
              const {{ content }} = ({PANEL})(path)[0];
              const {{ activeCell: cell }} = content;
              return {{
                active: cell.model.id,
                top: Math.round(content.outerNode.scrollTop),
                mode: content.mode,
                selection: cell.editor ? cell.editor.getSelection() : null,
                inside: cell.editor?.hasFocus() ?? false,
              }};
            }}""",
            self.path,
        )
        return found

    def save(self) -> None:
        """Save, as the user does."""
        self.page.keyboard.press("Control+s")
        self.clean()

    def clean(self) -> None:
        """Wait until JupyterLab shows the notebook as saved."""
        self.page.wait_for_function(f"path => !({PANEL})(path)[0].context.model.dirty", arg=self.path)

    def write_in(self, id: str, keys: str = "") -> None:
        """Click into a cell, go to the end of its text and type."""
        self.cell(id).locator(".cm-content").click()
        self.page.keyboard.press("Control+End")
        self.page.keyboard.type(keys)

    def undo(self) -> None:
        """Take back, as in an editor."""
        self.page.keyboard.press("Control+z")

    def no_dialog(self) -> None:
        """Nobody was asked anything."""
        expect(self.page.locator(".jp-Dialog")).to_have_count(0)


@contextmanager
def in_lab(lab: Lab, browser: Browser, path: str = EXAMPLE) -> Iterator[Page]:
    """A window of JupyterLab in which tests open their notebooks, one after the other."""
    context = browser.new_context(viewport={"width": 1300, "height": 850})
    page = context.new_page()
    page.goto(lab.page(f"lab/tree/{path}?reset"))
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=LOAD_MS)
    yield page
    context.close()


def until(page: Page, condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Until it holds, while the page goes on; fails when it does not in time."""
    steps = int(seconds / 0.05)
    for _ in range(steps):
        if condition():
            return
        page.wait_for_timeout(50)
    assert condition()
