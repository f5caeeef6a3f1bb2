"""Chromium on a real JupyterLab: what a user sees, does, and what his browser asks the network for."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from playwright.sync_api import Browser, Locator, Page, TimeoutError, expect, sync_playwright

from tests.lab import Lab

QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
LOAD_MS = 60_000
KEY_MS = 5_000


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
class Sidebar:
    """The assistant's sidebar in an open JupyterLab, by the names a screen reader says."""

    lab: Lab
    page: Page
    strangers: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Note every request that leaves the server and every error of a script."""
        self.page.on("request", lambda request: self._note(request.url))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))

    def open(self, page: str = "lab/tree/failing-sales.ipynb?reset") -> Sidebar:
        """Open a notebook and the sidebar, by the key."""
        self.page.goto(self.lab.page(page))
        return self._shown()

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
        return self

    @property
    def root(self) -> Locator:
        """The whole sidebar."""
        return self.page.locator(".jp-Assistant-panel")

    @property
    def question(self) -> Locator:
        """The composer."""
        return self.page.get_by_role("textbox", name="Question")

    @property
    def send(self) -> Locator:
        """The button that sends."""
        return self.root.get_by_role("button", name="Send", exact=True)

    @property
    def stop(self) -> Locator:
        """The button that stops, in the same place."""
        return self.root.get_by_role("button", name="Stop", exact=True)

    @property
    def answer(self) -> Locator:
        """The last answer."""
        return self.root.get_by_role("article", name=re.compile("^Assistant")).last

    def ask(self, question: str) -> None:
        """Type and press Enter; back once the question stands in the transcript and its answer is awaited."""
        asked = self.root.get_by_role("article", name=re.compile("^You"))
        before = asked.count()
        self.question.fill(question)
        self.question.press("Enter")
        expect(asked).not_to_have_count(before)

    def finished(self) -> Locator:
        """The last answer, once it has ended."""
        done = self.root.locator("article[aria-busy=false]").last
        done.wait_for()
        self.send.wait_for()
        return self.answer

    def _note(self, url: str) -> None:
        if not url.startswith((self.lab.url, "data:", "blob:", "about:")):
            self.strangers.append(url)
