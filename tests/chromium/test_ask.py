"""``%ask`` in JupyterLab and in Notebook 7, as a user runs it: it streams, stops, is saved, is there after a reload."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.asking import put
from tests.chromium.conftest import OpenSidebar
from tests.chromium.sidebar import Sidebar
from tests.gateway import Gateway, Reply, Request
from tests.lab import Lab

SOURCES = ["%load_ext jupyter_assistant\ntotal = 41", "%ask what is {total}?", "1 / 0"]
MENDS = "You divide by zero.\n\n```python\n1 / 1\n```\n"
STATES = """() => {
  window.seen = [];
  const look = () => {
    const shown = document.querySelectorAll('.jp-Cell')[1].querySelector('.jp-RenderedMarkdown');
    const text = shown ? shown.textContent : '';
    if (text !== window.seen[window.seen.length - 1]) window.seen.push(text);
  };
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true, characterData: true });
}"""


@pytest.fixture(scope="module", autouse=True)
def mends(gateway: Gateway) -> None:
    @gateway.play("mends")
    async def mends(reply: Reply, request: Request) -> None:
        await reply.head()
        await reply.delta(content=MENDS)
        await reply.finish()


def cell(page: Page, number: int) -> Locator:
    """A cell of the notebook, counted from 1."""
    return page.locator(".jp-Notebook .jp-Cell").nth(number - 1)


def run(page: Page, number: int, source: str = "") -> None:
    """Click into a cell, type, run it by the key, once its kernel is there."""
    page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for()
    cell(page, number).locator(".cm-content").click()
    if source:
        page.keyboard.press("Control+a")
        page.keyboard.insert_text(source)
    page.keyboard.press("Control+Enter")


def counted(page: Page, number: int) -> Locator:
    """The cell, once it has run."""
    expect(cell(page, number).locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]"), timeout=20_000)
    return cell(page, number)


def saved(lab: Lab, name: str) -> list[Any]:
    return list(json.loads((lab.root / name).read_text("utf-8"))["cells"])


def save(page: Page) -> None:
    page.keyboard.press("Escape")
    page.keyboard.press("Control+s")
    page.wait_for_function("window.jupyterapp.shell.currentWidget.context.model.dirty === false")


@pytest.fixture
def notebook(lab: Lab, open_sidebar: OpenSidebar) -> Iterator[tuple[Sidebar, str]]:
    """A notebook of the test's own in JupyterLab, the magic loaded; no request of its page leaves the server."""
    name = "asking.ipynb"
    put(lab.root / name, *SOURCES)
    with open_sidebar(f"lab/tree/{name}?reset") as sidebar:
        run(sidebar.page, 1)
        counted(sidebar.page, 1)
        yield sidebar, name
        save(sidebar.page)


def test_an_answer_streams_is_saved_reloaded_and_replaced(
    notebook: tuple[Sidebar, str], lab: Lab, gateway: Gateway
) -> None:
    (sidebar, name), page = notebook, notebook[0].page
    page.evaluate(STATES)
    run(page, 2, "%ask --model markdown-60 what is {total}?")
    output = counted(page, 2).locator(".jp-RenderedMarkdown")
    expect(output).to_have_count(1)
    expect(output.get_by_role("heading", name="What total is")).to_be_visible()
    expect(output.locator("table")).to_be_visible()
    expect(output.locator("em").last).to_contain_text("gateway/markdown-60")
    seen = page.evaluate("window.seen.filter(text => text.startsWith('What'))")
    assert len(seen) > 4, seen
    assert gateway.posts[-1].question.endswith("what is 41?")
    picture(page, "asked-lab")

    save(page)
    kept = saved(lab, name)[1]["outputs"]
    assert len(kept) == 1
    assert set(kept[0]["data"]) == {"text/markdown", "text/plain"}
    sidebar.reload()
    expect(cell(page, 2).locator(".jp-RenderedMarkdown table")).to_be_visible()
    run(page, 2, "%ask --model mends and now?")
    expect(counted(page, 2).locator(".jp-RenderedMarkdown")).to_have_count(1)
    expect(cell(page, 2).locator(".jp-RenderedMarkdown")).to_contain_text("You divide by zero.")
    expect(cell(page, 2).locator("table")).to_have_count(0)


def test_interrupting_the_kernel_stops_the_answer_and_keeps_the_text(
    notebook: tuple[Sidebar, str], gateway: Gateway
) -> None:
    page = notebook[0].page
    run(page, 2, "%ask --model paced-5000-50 go on?")
    output = cell(page, 2).locator(".jp-RenderedMarkdown")
    expect(output).to_contain_text("word9")
    page.keyboard.press("Escape")
    page.keyboard.press("i")
    page.keyboard.press("i")
    expect(output).to_contain_text("(stopped)")
    expect(counted(page, 2).locator(".jp-OutputArea-output")).to_have_count(1)
    expect(output).to_contain_text("word9")
    gateway.wait(lambda g: g.open == 0)


def test_fix_puts_the_mended_cell_below(notebook: tuple[Sidebar, str]) -> None:
    page = notebook[0].page
    run(page, 3)
    counted(page, 3)
    run(page, 2, "%ask fix --model mends")
    expect(counted(page, 2).locator(".jp-RenderedMarkdown")).to_contain_text("You divide by zero.")
    expect(page.locator(".jp-Notebook .jp-Cell")).to_have_count(4)
    expect(cell(page, 3).locator(".cm-content")).to_have_text("1 / 1")


def test_the_conversation_is_in_the_sidebar(notebook: tuple[Sidebar, str]) -> None:
    sidebar, page = notebook[0], notebook[0].page
    run(page, 2, "%ask --fresh --model mends who sees this?")
    expect(counted(page, 2).locator(".jp-RenderedMarkdown")).to_contain_text("You divide by zero.")
    sidebar.root.locator(".jp-Assistant-title").click()
    listed = sidebar.root.get_by_role("group", name="Conversations", exact=True)
    listed.get_by_role("button", name="who sees this?").first.click()
    expect(sidebar.answer).to_contain_text("You divide by zero.")
    page.keyboard.press("Escape")


def test_tab_completes_options(notebook: tuple[Sidebar, str]) -> None:
    page = notebook[0].page
    cell(page, 2).locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.type("%ask --mod")
    expect(cell(page, 2).locator(".cm-content")).to_have_text("%ask --mod")
    page.keyboard.press("Tab")
    offered = page.locator(".jp-Completer-item")
    expect(offered).to_have_count(1)
    page.keyboard.press("Enter")
    expect(cell(page, 2).locator(".cm-content")).to_have_text("%ask --model")


@pytest.fixture
def notebook7(lab: Lab, browser: Browser) -> Iterator[Page]:
    """The same notebook in Notebook 7; no request of its page leaves the server."""
    put(lab.root / "seven.ipynb", *SOURCES)
    window = browser.new_context(viewport={"width": 1200, "height": 900})
    opened = Sidebar(lab, window.new_page())
    opened.watch()
    yield opened.open("notebooks/seven.ipynb").page
    assert opened.strangers == []
    window.close()


def test_notebook_7_streams_it_too(notebook7: Page) -> None:
    page = notebook7
    run(page, 1)
    counted(page, 1)
    page.evaluate(STATES)
    run(page, 2, "%ask --model markdown-60 what is {total}?")
    output = counted(page, 2).locator(".jp-RenderedMarkdown")
    expect(output.locator("em").last).to_contain_text("gateway/markdown-60")
    assert len(page.evaluate("window.seen.filter(text => text.startsWith('What'))")) > 4
    picture(page, "asked-notebook")


def picture(page: Page, name: str) -> None:
    """Keep a picture where somebody asks for pictures."""
    folder = os.environ.get("PICTURES")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png")
