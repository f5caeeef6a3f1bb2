"""Chromium on a real JupyterLab: what a user sees, does, and what his browser asks the network for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from playwright.sync_api import Browser, Locator, Page, TimeoutError, expect, sync_playwright

from tests.chromium.panel import Panel
from tests.lab import Lab

QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
LOAD_MS = 60_000
KEY_MS = 5_000
EXAMPLE = "failing-sales.ipynb"
EXAMPLE_PAGE = f"lab/tree/{EXAMPLE}?reset"
PERMISSIONS = ["clipboard-read", "clipboard-write"]

CELLS = """Array.from(window.jupyterapp?.shell.currentWidget?.content?.model?.cells ?? [], ({ sharedModel }) => {
  const { id, cell_type, source, outputs, execution_count } = sharedModel.toJSON();
  return JSON.stringify([id, cell_type, source, outputs?.length, execution_count]);
}).join()"""

NOTE = f"void (window.asOpened ??= {CELLS})"

UNTOUCHED = f"""path => {{
  const shell = window.jupyterapp?.shell;
  const [shown, ...others] = Array.from(shell?.widgets('main') ?? []);
  return location.pathname.includes('/lab/') && others.length === 0 && shown?.context?.path === path
    && window.asOpened === {CELLS} && !document.querySelector('.jp-Dialog')
    && Array.from(shell.widgets('right')).some(each => each.id === 'jupyter-assistant');
}}"""
"""Whether a page is as it was when it was opened, but for the sidebar and the theme.

A notebook is "dirty" as soon as its kernel has told its version: its cells are compared.
"""

RENEW = """() => {
  const { shell } = window.jupyterapp;
  const sidebar = Array.from(shell.widgets('right')).find(each => each.id === 'jupyter-assistant');
  sidebar.leave();
  localStorage.clear();
  sessionStorage.clear();
  const { content } = shell.currentWidget;
  content.deselectAll();
  content.mode = 'command';
  content.activeCellIndex = 0;
  content.node.querySelector('.jp-WindowedPanel-outer')?.scrollTo(0, 0);
  for (const { editor } of content.widgets) {
    editor?.setCursorPosition({ line: 0, column: 0 });
  }
  shell.add(sidebar, 'right', { rank: 100 });
  shell.activateById(sidebar.id);
}"""
"""A panel of the sidebar's anew, as its off switch makes one, beside the notebook as it was opened."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, or the one that Playwright brought."""
    found = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )
    sandbox = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=[*QUIET, *sandbox, "--disable-gpu"])
        yield browser
        browser.close()


@dataclass
class Sidebar(Panel):
    """The assistant's sidebar in an open JupyterLab."""

    lab: Lab
    page: Page
    strangers: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    root: Locator = field(init=False)

    def __post_init__(self) -> None:
        """It is found wherever the page has it."""
        self.root = self.page.locator(".jp-Assistant-panel")

    def watch(self) -> None:
        """Note every request that leaves the server and every error of a script."""
        self.page.on("request", lambda request: self._note(request.url))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))

    def open(self, page: str = EXAMPLE_PAGE) -> Sidebar:
        """Open a notebook and the sidebar, by the key."""
        self.page.goto(self.lab.page(page))
        return self._shown()

    @property
    def untouched(self) -> bool:
        """Whether the page is as it was opened beside the example; what the sidebar did does not count."""
        return bool(self.page.evaluate(UNTOUCHED, EXAMPLE))

    def renew(self) -> Sidebar:
        """A panel that remembers nothing, in the page as it is."""
        self.page.unroute_all()
        self.page.evaluate(RENEW)
        self.question.wait_for()
        return self

    def reload(self) -> Sidebar:
        """Load the page again, as a user does."""
        self.page.reload()
        return self._shown()

    def _shown(self) -> Sidebar:
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=LOAD_MS)
        for _ in range(LOAD_MS // KEY_MS):  # a key that is pressed before the page knows it does nothing
            if self.question.is_visible():
                break
            self.page.keyboard.press("Control+Shift+A")
            with suppress(TimeoutError):
                self.question.wait_for(timeout=KEY_MS)
        expect(self.question).to_be_visible()
        self.page.evaluate(NOTE)
        return self

    def _note(self, url: str) -> None:
        if not url.startswith((self.lab.url, "data:", "blob:", "about:")):
            self.strangers.append(url)
