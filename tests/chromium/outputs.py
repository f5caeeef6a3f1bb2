"""Panels in outputs, in JupyterLab or Notebook 7: opened by running a cell, found by what is said of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import Locator, Page, expect

from tests.chromium.panel import Panel
from tests.chromium.sidebar import LOAD_MS
from tests.lab import Lab

SHOW = "from jupyter_assistant import ChatPanel\nChatPanel()"
DATA = "price = 21"
RUN_ALL = "void window.jupyterapp.commands.execute('notebook:run-all-cells')"
IDLE = "window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
NO_SERVER = "document.getElementById('jupyter-config-data').remove()"
"""What makes a page one of those that no Jupyter server serves, as far as the panel can see."""


def write(lab: Lab, name: str, cells: Sequence[str]) -> str:
    """A notebook of code cells, with the ids ``c1``, ``c2`` …; its name."""
    code: dict[str, object] = {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": []}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {
        "cells": [{**code, "id": f"c{number}", "source": source} for number, source in enumerate(cells, 1)],
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (lab.root / name).write_text(json.dumps(notebook), "utf-8")
    return name


@dataclass
class Chat(Panel):
    """One panel."""

    root: Locator

    @property
    def line(self) -> Locator:
        """What is said of the kernel."""
        return self.root.locator(".jp-AssistantCell-line")


@dataclass
class Notebook:
    """An open notebook, and what its page asked the network for."""

    lab: Lab
    page: Page
    requests: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def watch(self) -> Notebook:
        """Note every request to the assistant, every one that leaves the server, and every error of a script."""
        self.page.on("request", lambda request: self._note(request.method, request.url))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        return self

    def open(self, name: str, page: str = "lab/tree/") -> Notebook:
        """Open it; back when its kernel is there."""
        self.page.goto(self.lab.page(page + name + ("?reset" if page.startswith("lab") else "")))
        return self.settled()

    def settled(self) -> Notebook:
        """Once the cells and the kernel are there."""
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=LOAD_MS)
        if self._exposed:
            self.page.wait_for_function(IDLE, timeout=LOAD_MS)
        else:
            self.page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', timeout=LOAD_MS)
        return self

    def run(self, panels: int = 1) -> Chat:
        """Run all cells; the first panel, once all are there."""
        if self._exposed:
            self.page.evaluate(RUN_ALL)
        else:
            self._press(self.page.locator(".jp-Notebook .jp-Cell").count())
        expect(self.page.locator(".jp-AssistantCell")).to_have_count(panels, timeout=30_000)
        return self.chat()

    def chat(self, number: int = 1) -> Chat:
        """A panel, counted from 1, once it can be typed in."""
        found = Chat(self.page.locator(".jp-AssistantCell").nth(number - 1))
        expect(found.question).to_be_visible(timeout=30_000)
        return found

    def cell(self, number: int) -> Locator:
        """A cell, counted from 1."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(number - 1)

    def save(self) -> None:
        """Save the notebook, and wait for it."""
        self.page.evaluate("async () => void await window.jupyterapp.commands.execute('docmanager:save')")

    def restart(self) -> None:
        """Restart the kernel, without the dialog."""
        self.page.evaluate(
            "async () => void await window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
        )

    @property
    def _exposed(self) -> bool:
        """Whether the page lets the test in: JupyterLab does, Notebook 7 does not."""
        return bool(self.page.evaluate("'jupyterapp' in window"))

    def _press(self, cells: int) -> None:
        """Run the first cells by the key."""
        for number in range(1, cells + 1):
            self.cell(number).locator(".jp-InputPrompt").click()
            self.page.keyboard.press("Control+Enter")

    def _note(self, method: str, url: str) -> None:
        path = urlsplit(url).path
        if "/assistant/" in path:
            self.requests.append(f"{method} {path.partition('/assistant/')[2]}")
        if not url.startswith((self.lab.url, "data:", "blob:", "about:")):
            self.strangers.append(url)
