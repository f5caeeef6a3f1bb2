"""What a question is about, in sight and in the user's hand; and the way back from an answer to its cells."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Request, expect

from tests.chromium.conftest import OpenSidebar
from tests.chromium.models import change
from tests.chromium.sidebar import Sidebar
from tests.gateway import Gateway
from tests.lab import Lab

NARROW = "node => { node.style.width = '250px'; }"
MARKED = re.compile("jp-Assistant-flash")
ASKED = re.compile("/assistant/chat/stream")
PREVIEW = re.compile("/assistant/preview")


def chip(sidebar: Sidebar, name: str | re.Pattern[str]) -> Locator:
    chips = sidebar.root.get_by_role("group", name="The next question is about")
    return chips.get_by_role("button", name=name)


def cell(page: Page, text: str) -> Locator:
    return page.locator(".jp-Notebook .jp-Cell").filter(has_text=text)


def flashed(page: Page, text: str) -> None:
    """Wait for the cell that holds a text to be marked, looking at every frame: the mark is short."""
    marked = (
        "text => [...document.querySelectorAll('.jp-Assistant-flash')].some(node => node.textContent.includes(text))"
    )
    page.wait_for_function(marked, arg=text, timeout=30_000)


def select_in(page: Page, text: str) -> None:
    """Click into the cell that holds a text and select its first line."""
    cell(page, text).locator(".cm-content").first.click()
    page.keyboard.press("Control+Home")
    page.keyboard.press("Shift+End")


def open_source(sidebar: Sidebar, label: str) -> None:
    """Ask, then follow what the answer was given."""
    given = sidebar.finished().locator("summary", has_text="Given").first
    given.click()
    sidebar.answer.get_by_role("button", name=label).first.click()


def sent(request: Request) -> Any:
    """The question as it left the page."""
    return json.loads(request.post_data or "{}")


def write_notebook(path: Path, cells: list[dict[str, object]]) -> None:
    spec = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    body = {"metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5, "cells": cells}
    path.write_text(json.dumps(body))


def code(id: str, source: str) -> dict[str, object]:
    return {
        "cell_type": "code",
        "id": id,
        "source": source,
        "metadata": {},
        "outputs": [],
        "execution_count": None,
    }


def text(id: str, source: str, **metadata: object) -> dict[str, object]:
    return {"cell_type": "markdown", "id": id, "source": source, "metadata": metadata}


def test_the_chips_follow_the_user(sidebar: Sidebar) -> None:
    page = sidebar.page
    expect(chip(sidebar, "Notebook failing-sales.ipynb")).to_have_attribute("aria-pressed", "true")
    cell(page, "orders.groupby").first.click()
    expect(chip(sidebar, "Cell 8")).to_be_visible()
    select_in(page, "import pandas as pd")
    expect(chip(sidebar, "Cell 2")).to_be_visible()
    expect(chip(sidebar, "Selection of 19 characters")).to_have_text("19 selected")


def test_what_is_left_out_goes_neither_with_the_question_nor_into_its_preview(
    sidebar: Sidebar, gateway: Gateway
) -> None:
    page, root = sidebar.page, sidebar.root
    select_in(page, "import pandas as pd")
    selected = chip(sidebar, re.compile("^Selection"))
    selected.click()
    expect(selected).to_have_attribute("aria-pressed", "false")
    chip(sidebar, "Cell 2").focus()
    page.keyboard.press("Space")
    expect(chip(sidebar, "Cell 2")).to_have_attribute("aria-pressed", "false")
    with page.expect_request(PREVIEW) as asked:
        root.get_by_role("button", name="What leaves this machine").click()
    assert set(sent(asked.value)["notebook"]) == {"path"}
    page.keyboard.press("Escape")
    chip(sidebar, "Notebook failing-sales.ipynb").click()
    expect(chip(sidebar, re.compile("^Cell"))).to_have_count(0)
    expect(root.get_by_role("list", name="Questions to begin with")).to_have_count(0)
    expect(root).to_contain_text("The notebook is left out")
    with page.expect_request(ASKED) as asked:
        sidebar.ask("What is a pivot table?")
    assert "notebook" not in sent(asked.value)
    sidebar.finished()
    assert "read_csv" not in gateway.posts[-1].question
    sidebar.reload()
    notebook = chip(sidebar, "Notebook failing-sales.ipynb")
    expect(notebook).to_have_attribute("aria-pressed", "false")
    notebook.click()
    expect(chip(sidebar, re.compile("^Cell"))).to_have_attribute("aria-pressed", "false")
    with page.expect_request(ASKED) as asked:
        sidebar.ask("And here?")
    assert sent(asked.value)["notebook"]["path"] == "failing-sales.ipynb"
    assert "cell_id" not in sent(asked.value)["notebook"]


def test_what_is_shown_beforehand_is_what_the_gateway_gets(sidebar: Sidebar, gateway: Gateway) -> None:
    select_in(sidebar.page, "import pandas as pd")
    sidebar.page.keyboard.press("End")
    sidebar.page.keyboard.type("  # not saved, but seen")
    sidebar.question.fill("Which import is there?")
    sidebar.root.get_by_role("button", name="What leaves this machine").click()
    sheet = sidebar.root.get_by_role("dialog", name="What leaves this machine")
    sheet.locator("pre").first.wait_for(state="attached")
    shown = sheet.locator("pre").evaluate_all("all => all.map(each => each.textContent)")
    sidebar.page.keyboard.press("Escape")
    sidebar.question.press("Enter")
    sidebar.finished()
    got = "\n".join(str(message["content"]) for message in gateway.posts[-1].json["messages"])
    assert any("# not saved, but seen" in item for item in shown)
    assert [item for item in shown if item not in got] == []
    assert len(got) - sum(map(len, shown)) <= 200 * len(shown)  # but for what fences them


def test_a_question_from_a_cell_takes_the_cell_with_it_again(sidebar: Sidebar) -> None:
    page = sidebar.page
    chip(sidebar, "Notebook failing-sales.ipynb").click()
    with page.expect_request(ASKED) as asked:
        page.locator(".jp-Notebook").get_by_role("button", name="Explain", exact=True).first.click()
    assert sent(asked.value)["notebook"]["cell_id"] == "f92be4ae"
    expect(chip(sidebar, "Notebook failing-sales.ipynb")).to_have_attribute("aria-pressed", "true")


def test_at_250_pixels_the_chips_keep_what_matters(sidebar: Sidebar) -> None:
    select_in(sidebar.page, "orders.groupby")
    sidebar.root.evaluate(NARROW)
    composer = sidebar.root.locator(".jp-Assistant-composer")
    assert composer.evaluate("node => node.scrollWidth <= node.clientWidth")
    for name in ("Cell 8", re.compile("^Selection")):
        label = chip(sidebar, name).locator("span")
        assert label.evaluate("node => node.scrollWidth <= node.clientWidth")
    notebook = chip(sidebar, "Notebook failing-sales.ipynb")
    assert "failing-sales.ipynb" in (notebook.get_attribute("title") or "")
    assert notebook.evaluate("node => node.getBoundingClientRect().width") >= 40


def test_what_an_answer_was_given_leads_to_the_cell_and_marks_it(sidebar: Sidebar) -> None:
    page = sidebar.page
    page.locator(".jp-Notebook .jp-Cell").first.click()
    sidebar.ask("Explain add_revenue")
    open_source(sidebar, "cell 10")
    target = cell(page, "def add_revenue").first
    expect(target).to_have_class(MARKED)
    expect(target).to_be_in_viewport()
    expect(target).to_have_class(re.compile("jp-mod-active"))
    expect(target).not_to_have_class(MARKED)


def test_a_cell_higher_than_the_window_is_shown_from_its_beginning_until_the_user_goes_on(sidebar: Sidebar) -> None:
    page = sidebar.page
    page.set_viewport_size({"width": 1400, "height": 600})
    page.locator(".jp-Notebook .jp-Cell").first.click()
    sidebar.ask("Why does it fail?")
    open_source(sidebar, "cell 11")
    flashed(page, "KeyError")
    failing = cell(page, "KeyError").first
    expect(failing.locator(".jp-InputArea .cm-content")).to_be_in_viewport()
    failing.hover(position={"x": 200, "y": 60})
    page.mouse.wheel(0, 200)
    expect(failing.locator(".jp-InputArea .cm-content")).not_to_be_in_viewport()
    page.set_viewport_size({"width": 1400, "height": 900})


def test_a_source_of_an_answer_leads_to_its_cell_and_marks_it(sidebar: Sidebar) -> None:
    page, lab = sidebar.page, sidebar.lab
    change(lab, model="offline/responder")
    sidebar.ask("Why does cell 11 fail?")
    source = sidebar.finished().get_by_role("list", name="Sources").get_by_role("button").first
    change(lab, model=None)
    page.locator(".jp-Notebook .jp-Cell").first.click()
    source.click()
    flashed(page, "KeyError")
    expect(cell(page, "KeyError").first).to_be_in_viewport()


def test_a_cell_far_down_and_under_collapsed_headings_is_found(
    lab: Lab, open_sidebar: OpenSidebar, gateway: Gateway
) -> None:
    cells = [code(f"far{number}", f"value_{number} = {number}\n" * (1 + number % 7)) for number in range(500)]
    cells[398] = text("outer", "# Outer", **{"jp-MarkdownHeadingCollapsed": True})
    cells[399] = text("inner", "## Inner", **{"jp-MarkdownHeadingCollapsed": True})
    cells[400] = code("needle", "needle_in_haystack = 42")
    write_notebook(lab.root / "long.ipynb", cells)
    with open_sidebar("lab/tree/long.ipynb?reset") as sidebar:
        sidebar.ask("What is needle_in_haystack?")
        open_source(sidebar, "cell 401")
        flashed(sidebar.page, "needle_in_haystack")  # 500 cells come into the page one after the other
        target = cell(sidebar.page, "needle_in_haystack")
        expect(target).to_be_in_viewport()


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_the_mark_moves_only_for_those_who_like_motion(open_sidebar: OpenSidebar, motion: str) -> None:
    with open_sidebar(reduced_motion=motion) as sidebar:
        sidebar.ask("Explain add_revenue")
        open_source(sidebar, "cell 10")
        target = cell(sidebar.page, "def add_revenue").first
        expect(target).to_have_class(MARKED)
        name = target.evaluate("node => getComputedStyle(node).animationName")
        assert (name == "none") == (motion == "reduce")
        assert target.evaluate("node => getComputedStyle(node).outlineStyle") == "solid"
        expect(target).not_to_have_class(MARKED)


def test_a_notebook_that_is_not_open_is_opened_at_the_cell(sidebar: Sidebar) -> None:
    page = sidebar.page
    sidebar.ask("Explain add_revenue")
    sidebar.finished()
    page.evaluate("void window.jupyterapp.commands.execute('docmanager:open', {path: 'bike-rentals.ipynb'})")
    expect(chip(sidebar, "Notebook bike-rentals.ipynb")).to_be_visible()
    page.evaluate(
        """void Array.from(window.jupyterapp.shell.widgets('main'))
             .find(widget => widget.context?.path === 'failing-sales.ipynb').dispose()"""
    )
    expect(cell(page, "def add_revenue")).to_have_count(0)
    open_source(sidebar, "cell 10")
    target = cell(page, "def add_revenue").first
    expect(target).to_have_class(MARKED)
    expect(target).to_be_in_viewport()


def test_in_notebook_7_the_cell_is_shown_in_the_window_of_its_notebook(lab: Lab, browser: Browser) -> None:
    window = browser.new_context()
    sidebar = Sidebar(lab, window.new_page()).open("notebooks/failing-sales.ipynb")
    sidebar.ask("Explain add_revenue")
    open_source(sidebar, "cell 10")
    flashed(sidebar.page, "def add_revenue")
    (lab.root / "moved.ipynb").write_bytes((lab.root / "failing-sales.ipynb").read_bytes())
    sidebar.open("notebooks/moved.ipynb")
    with window.expect_page() as opened:
        open_source(sidebar, "cell 10")
    flashed(opened.value, "def add_revenue")
    window.close()
