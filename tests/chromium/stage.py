"""A sidebar that can be put into any model, theme and width; what the states of ``states.py`` are played on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from playwright.sync_api import Page

from tests.chromium.sidebar import EXAMPLE_PAGE, Sidebar
from tests.gateway import Gateway
from tests.lab import Lab

THEMES: Mapping[str, str] = {
    "light": "JupyterLab Light",
    "dark": "JupyterLab Dark",
    "contrast": "JupyterLab Dark High Contrast",
}
WIDTHS = (250, 600)

WIDEN = """
width => {
  const find = widget => widget.id === 'jp-main-split-panel' ? widget
    : Array.from(widget.children()).map(find).find(Boolean);
  const panel = find(window.jupyterapp.shell);
  panel.setRelativeSizes([250, panel.node.clientWidth - 250 - width, width]);
}
"""


@dataclass
class Stage:
    """One page of a JupyterLab whose environment names no model, and the gateway it can be given."""

    lab: Lab
    gateway: Gateway
    page: Page

    @property
    def sidebar(self) -> Sidebar:
        """The sidebar by what a screen reader says."""
        return Sidebar(self.lab, self.page)

    def http(self, method: str, path: str, body: object = None) -> httpx.Response:
        """A request of the user's own to ``assistant/``; raises for a refusal."""
        answer = httpx.request(
            method,
            f"{self.lab.url}assistant/{path}",
            json=body,
            headers={"Authorization": f"token {self.lab.token}"},
            trust_env=False,
            timeout=30,
        )
        return answer.raise_for_status()

    def begin(self, page: str = EXAMPLE_PAGE, *, model: str | None = None, base_url: str | None = None) -> Sidebar:
        """A sidebar that remembers nothing, on a page, with a model of the gateway's or with none.

        The page is loaded only when it is another one, or the notebook was touched.
        """
        self.choose(model, base_url)
        opened = self.sidebar
        if page == EXAMPLE_PAGE and opened.untouched:
            self.wear("light")
            opened.renew()
        else:
            self.blank()
            opened.open(page)
        opened.root.get_by_role("button", name="Model:").get_by_text("…", exact=True).wait_for(state="detached")
        return opened

    def blank(self) -> None:
        """Leave JupyterLab; nothing is stored and no request is caught any more."""
        self.page.unroute_all()
        self.page.goto(self.lab.page("api/status"))  # another document: what is stored cannot be written once more
        self.page.evaluate("localStorage.clear(); sessionStorage.clear()")

    def choose(self, model: str | None, base_url: str | None = None) -> None:
        """A model of the gateway's from now on; None for the built-in responder."""
        address = base_url or self.gateway.url
        self.http("PATCH", "settings", {"base_url": address if model is not None else None, "model": model or None})

    def hold(self) -> None:
        """Press a key that does nothing: what takes itself back when it is left alone has its time anew."""
        self.page.keyboard.press("Shift")

    def wear(self, theme: str) -> None:
        """Change JupyterLab's theme, as its menu does."""
        self.hold()
        if self.page.evaluate("document.body.dataset.jpThemeName") == THEMES[theme]:
            return
        self.page.evaluate(
            "async theme => void (await window.jupyterapp.commands.execute('apputils:change-theme', {theme}))",
            THEMES[theme],
        )
        self.page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=THEMES[theme])
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")

    def widen(self, width: int) -> None:
        """Give the sidebar that many pixels, as its edge does when it is drawn."""
        self.page.evaluate(WIDEN, width)
        self.page.wait_for_function(
            "width => Math.abs(document.querySelector('.jp-Assistant-panel').clientWidth - width) <= 4", arg=width
        )
