"""The notebook and the sidebar hand each other code and questions: Chromium, a real JupyterLab, a scripted gateway."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

import httpx
from playwright.sync_api import Browser, Locator, Page, expect

from tests.chromium.conftest import OpenSidebar
from tests.chromium.sidebar import Sidebar
from tests.gateway import Gateway
from tests.lab import Lab

CODE = 'total = (df["price"] * df["count"]).sum()'
FAILING = 'prices = {"apple": 1}\nprices["pear"]'


def cell(page: Page, number: int) -> Locator:
    """A cell of the notebook, counted from 1."""
    return page.locator(f'.jp-Notebook .jp-Cell[data-windowed-list-index="{number - 1}"]')


def sources(page: Page) -> list[str]:
    """The cells' texts, from the notebook's own model."""
    found: list[str] = page.evaluate(
        "Array.from(window.jupyterapp.shell.currentWidget.content.model.cells, cell => cell.sharedModel.getSource())"
    )
    return found


def activate(page: Page, number: int) -> None:
    """Make a cell the active one, as a click beside its text does."""
    cell(page, number).locator(".jp-InputPrompt, .jp-InputArea-prompt").first.click()
    expect(cell(page, number)).to_contain_class("jp-mod-active")


def has_kernel(page: Page) -> None:
    """Wait for the notebook's kernel."""
    page.wait_for_function("window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'")


def asked_for_code(sidebar: Sidebar) -> Locator:
    sidebar.ask("How is total computed?")
    return sidebar.finished().locator(".jp-Assistant-code")


def test_code_goes_below_or_in_place_of_the_active_cell_and_back_with_one_undo(sidebar: Sidebar) -> None:
    page = sidebar.page
    block = asked_for_code(sidebar)
    activate(page, 2)
    before = sources(page)
    block.get_by_role("button", name="Insert below").click()
    expect(cell(page, 3)).to_contain_class("jp-mod-active")
    expect(cell(page, 3)).to_be_in_viewport()
    assert sources(page) == [*before[:2], CODE, *before[2:]]
    page.keyboard.press("z")
    expect(page.locator(".jp-Notebook .jp-Cell")).to_have_count(len(before))
    assert sources(page) == before

    cell(page, 2).locator(".cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.type("\ntyped_just_now = 1")
    block.get_by_role("button", name="Replace cell").click()
    expect(cell(page, 2).locator(".cm-content")).to_be_focused()
    assert sources(page)[1] == CODE
    page.keyboard.press("Control+z")
    assert sources(page)[1] == f"{before[1]}\ntyped_just_now = 1"

    activate(page, 1)
    assert "jp-MarkdownCell" in (cell(page, 1).get_attribute("class") or "")
    block.get_by_role("button", name="Replace cell").click()
    expect(cell(page, 1)).to_contain_class("jp-CodeCell")
    page.keyboard.press("z")
    expect(cell(page, 1)).to_contain_class("jp-MarkdownCell")
    assert sources(page)[0] == before[0]


def test_code_is_inserted_and_run_and_the_keys_do_it_without_the_mouse(sidebar: Sidebar) -> None:
    page = sidebar.page
    block = asked_for_code(sidebar)
    has_kernel(page)
    activate(page, 2)
    block.get_by_role("button", name="Insert and run").click()
    expect(cell(page, 3).locator(".jp-OutputArea-output").first).to_contain_text("NameError", timeout=20_000)
    before = len(sources(page))
    sidebar.question.focus()
    page.keyboard.press("Alt+Shift+I")
    expect(page.locator(".jp-Notebook .jp-Cell")).to_have_count(before + 1)
    assert sources(page)[3] == CODE
    expect(cell(page, 4)).to_contain_class("jp-mod-active")


def test_an_error_has_two_buttons_that_ask_about_its_own_cell_and_go_with_it(
    sidebar: Sidebar, gateway: Gateway
) -> None:
    page = sidebar.page
    has_kernel(page)
    activate(page, 1)
    page.keyboard.press("b")
    page.keyboard.press("Enter")
    page.keyboard.insert_text(FAILING)
    page.keyboard.press("Control+Enter")
    failing = cell(page, 2)
    fix = failing.get_by_role("button", name="Fix", exact=True)
    fix.wait_for(timeout=20_000)
    expect(failing.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\d"))
    number = failing.locator(".jp-InputPrompt").inner_text()
    page.keyboard.press("Control+Enter")
    expect(failing.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\d"))
    expect(failing.locator(".jp-InputPrompt")).not_to_have_text(number)
    expect(fix).to_have_count(1)

    activate(page, 1)
    fix.click()
    expect(sidebar.root.get_by_role("log")).to_contain_text("Fix the error in cell 2.")
    sidebar.finished()
    assert "KeyError" in gateway.posts[-1].question
    expect(failing).to_contain_class("jp-mod-active")

    failing.get_by_role("button", name="Explain", exact=True).focus()
    page.keyboard.press("Enter")
    expect(sidebar.root.get_by_role("log")).to_contain_text("Explain the error in cell 2.")
    sidebar.finished()

    failing.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text("1 + 1")
    page.keyboard.press("Control+Enter")
    expect(failing.locator(".jp-OutputArea-output")).to_have_text("2")
    expect(fix).to_have_count(0)


def test_a_cell_is_asked_about_from_its_toolbar_and_its_menu(sidebar: Sidebar) -> None:
    page = sidebar.page
    activate(page, 2)
    cell(page, 2).locator('[data-jp-item-name="jupyter-assistant-ask"] >> css=button, jp-button').first.click()
    expect(sidebar.question).to_be_focused()
    expect(sidebar.question).to_have_value("About cell 2: ")
    page.keyboard.type("why?")
    cell(page, 3).click(button="right")
    page.get_by_role("menuitem", name="Ask about This Cell").click()
    expect(sidebar.question).to_have_value("About cell 3: why?")


def test_the_palette_has_the_commands_and_one_of_them_opens_the_composer(sidebar: Sidebar) -> None:
    page = sidebar.page
    page.keyboard.press("Control+Shift+A")
    expect(sidebar.question).to_be_hidden()
    page.keyboard.press("Control+Shift+C")
    palette = page.locator(".lm-CommandPalette")
    page.keyboard.type("assistant")
    listed = palette.locator("[data-command^='jupyter-assistant:']")
    expect(listed.first).to_be_visible()
    expect(palette.locator("[data-command='jupyter-assistant:ask-cell']")).to_be_visible()
    palette.locator("[data-command='jupyter-assistant:focus']").click()
    expect(sidebar.question).to_be_focused()


def test_a_key_of_the_users_own_opens_and_leaves_the_composer(lab: Lab, open_sidebar: OpenSidebar) -> None:
    own = {"command": "jupyter-assistant:focus", "keys": ["Accel Alt Y"], "selector": "body"}
    set_shortcuts(lab, [own])
    with open_sidebar() as sidebar:
        for _ in range(2):
            sidebar.page.keyboard.press("Control+Alt+Y")
            expect(sidebar.question).to_be_hidden()
            sidebar.page.keyboard.press("Control+Alt+Y")
            expect(sidebar.question).to_be_focused()
    set_shortcuts(lab, [])


def set_shortcuts(lab: Lab, shortcuts: Sequence[Mapping[str, object]]) -> None:
    answer = httpx.put(
        f"{lab.url}lab/api/settings/@jupyterlab/shortcuts-extension:shortcuts",
        json={"raw": json.dumps({"shortcuts": shortcuts})},
        headers={"Authorization": f"token {lab.token}"},
        trust_env=False,
    )
    answer.raise_for_status()


def test_notebook_seven_has_the_same_buttons(lab: Lab, browser: Browser, gateway: Gateway) -> None:
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    opened = Sidebar(lab, context.new_page()).open("notebooks/failing-sales.ipynb")
    page = opened.page
    fix = page.locator(".jp-Notebook").get_by_role("button", name="Fix", exact=True).first
    fix.click()
    opened.finished()
    expect(opened.root.get_by_role("log")).to_contain_text("Fix the error in cell")
    opened.root.get_by_role("button", name="Insert below").click()
    expect(page.locator(".jp-Notebook .jp-Cell.jp-mod-active")).to_contain_text("total")
    context.close()


def test_without_a_notebook_the_buttons_say_so(lab: Lab, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    page = context.new_page()
    page.goto(lab.page("lab?reset"))
    page.wait_for_selector(".jp-Launcher", timeout=60_000)
    page.keyboard.press("Control+Shift+A")
    opened = Sidebar(lab, page)
    block = asked_for_code(opened)
    insert = block.get_by_role("button", name="Insert below")
    expect(insert).to_have_attribute("aria-disabled", "true")
    expect(insert).to_have_attribute("title", "Insert below: Open a notebook first")
    expect(block.get_by_role("button", name="Copy")).to_be_enabled()
    context.close()
