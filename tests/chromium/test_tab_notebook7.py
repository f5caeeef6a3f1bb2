"""Notebook 7 is a home like JupyterLab: an edit lands in its page, a run shows there, both are on the disk after."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.chromium.tab import LOAD_MS, Tab, code, text, until, write
from tests.lab import Lab


@pytest.fixture(scope="module")
def environ() -> dict[str, str]:
    """No model is asked here."""
    return {}


@pytest.fixture
def tab(lab: Lab, browser: Browser) -> Iterator[Tab]:
    """A notebook in a page of its own."""
    window = browser.new_context(viewport={"width": 1200, "height": 850})
    opened = Tab(lab, window.new_page(), "seven.ipynb")
    write(opened.file, code("first", "x = 1\ny = 2"), text("words", "# Title"), code("last", "x + y"))
    opened.page.goto(lab.page(f"notebooks/{opened.path}"))
    opened.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=LOAD_MS)
    until(opened.page, lambda: opened.is_open)
    yield opened
    opened.no_dialog()
    window.close()


def cell(tab: Tab, number: int) -> Locator:
    """A cell, counted from 1."""
    return tab.page.locator(".jp-Notebook .jp-Cell").nth(number - 1)


def test_an_edit_lands_and_is_taken_back_with_the_key(tab: Tab) -> None:
    tab.client.call("edit_cell", path=tab.path, cell_id="first", old="y = 2", new="y = 41")
    expect(cell(tab, 1).locator(".cm-line").last).to_have_text("y = 41")
    assert tab.saved[0] == "x = 1\ny = 41"
    cell(tab, 1).locator(".cm-content").click()
    tab.undo()
    expect(cell(tab, 1).locator(".cm-line").last).to_have_text("y = 2")


def test_a_run_shows_and_is_saved(tab: Tab) -> None:
    tab.client.call("insert_cells", path=tab.path, cells=[{"cell_type": "code", "source": "'new'"}])
    expect(tab.page.locator(".jp-Notebook .jp-Cell")).to_have_count(4)
    assert "'new'" in tab.client.call("run_cells", path=tab.path)
    expect(cell(tab, 3).locator(".jp-OutputArea-output")).to_have_text("3")
    expect(cell(tab, 4).locator(".jp-InputPrompt")).to_have_text("[3]:")
    assert [stored.get("execution_count") for stored in tab.stored] == [1, None, 2, 3]
