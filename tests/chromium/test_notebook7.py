"""Notebook 7 is a host like JupyterLab: what the sidebar can do there, it can do here."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.chromium.sidebar import Sidebar
from tests.gateway import Gateway
from tests.lab import Lab

CODE = 'total = (df["price"] * df["count"]).sum()'


@pytest.fixture(scope="module")
def environ(gateway: Gateway) -> dict[str, str]:
    """No model: one is connected in the sidebar."""
    return {}


@pytest.fixture
def notebook7(lab: Lab, browser: Browser) -> Iterator[Sidebar]:
    """The sidebar in Notebook 7, beside the failing example."""
    window = browser.new_context(viewport={"width": 1200, "height": 900})
    opened = Sidebar(lab, window.new_page())
    opened.watch()
    yield opened.open("notebooks/failing-sales.ipynb")
    assert opened.strangers == []
    window.close()


def cell(sidebar: Sidebar, number: int) -> Locator:
    """A cell of the notebook, counted from 1."""
    return sidebar.page.locator(".jp-Notebook .jp-Cell").nth(number - 1)


@pytest.fixture
def connected(lab: Lab, gateway: Gateway) -> None:
    """The gateway answers."""
    headers = {"Authorization": f"token {lab.token}"}
    values = {"base_url": gateway.url, "model": "markdown"}
    httpx.patch(f"{lab.url}assistant/settings", json=values, headers=headers, trust_env=False).raise_for_status()


def fresh(sidebar: Sidebar) -> None:
    """Begin another conversation."""
    sidebar.root.get_by_role("button", name="New conversation", exact=True).click()
    expect(sidebar.root.get_by_role("article")).to_have_count(0)


def chip(sidebar: Sidebar, name: str) -> Locator:
    return sidebar.root.get_by_role("group", name="The next question is about").get_by_role("button", name=name)


def test_a_model_is_connected_and_answers_with_code_that_goes_into_the_notebook(
    notebook7: Sidebar, gateway: Gateway
) -> None:
    page, root = notebook7.page, notebook7.root
    card = root.get_by_role("region", name="Connect a model")
    card.get_by_role("button", name="Use a gateway").click()
    card.get_by_label("Base URL").fill(gateway.url)
    card.get_by_label("Model", exact=True).fill("markdown")
    card.get_by_role("button", name="Test").click()
    expect(card).to_contain_text("markdown answered in")
    card.get_by_role("button", name="Save").click()
    expect(root.get_by_role("button", name="Model:")).to_have_text("markdown")

    cell(notebook7, 2).locator(".jp-InputPrompt").click()
    expect(chip(notebook7, "Cell 2")).to_have_attribute("aria-pressed", "true")
    before = page.locator(".jp-Notebook .jp-Cell").count()
    notebook7.ask("How is total computed?")
    code = notebook7.finished().locator(".jp-Assistant-code")
    assert "import pandas" in gateway.posts[-1].question
    code.get_by_role("button", name="Insert below").click()
    expect(page.locator(".jp-Notebook .jp-Cell")).to_have_count(before + 1)
    expect(cell(notebook7, 3)).to_contain_class("jp-mod-active")
    expect(cell(notebook7, 3).locator(".cm-content")).to_have_text(CODE)
    cell(notebook7, 2).locator(".jp-InputPrompt").click()
    code.get_by_role("button", name="Replace cell").click()
    expect(cell(notebook7, 2).locator(".cm-content")).to_have_text(CODE)
    expect(page.locator(".jp-Notebook .jp-Cell")).to_have_count(before + 1)


def test_who_knows_no_key_finds_it_in_the_view_menu(notebook7: Sidebar) -> None:
    page = notebook7.page
    page.locator(".jp-Notebook .jp-Cell").first.click()
    page.get_by_role("menuitem", name="View", exact=True).click()
    page.locator(".lm-Menu").get_by_text("Ask the Assistant").click()
    expect(notebook7.question).to_be_focused()


@pytest.mark.usefixtures("connected")
def test_what_is_left_out_does_not_go_with_the_question(notebook7: Sidebar, gateway: Gateway) -> None:
    fresh(notebook7)
    button = chip(notebook7, "Notebook failing-sales.ipynb")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    notebook7.ask("What do you see?")
    notebook7.finished()
    assert "import pandas" not in gateway.posts[-1].question
    button.click()
    notebook7.ask("And now?")
    expect(notebook7.root.get_by_role("article", name="Assistant, message 4")).to_have_attribute("aria-busy", "false")
    assert "import pandas" in gateway.posts[-1].question


@pytest.mark.usefixtures("connected")
def test_history_preview_and_settings_open_and_close(notebook7: Sidebar) -> None:
    page, root = notebook7.page, notebook7.root
    fresh(notebook7)
    notebook7.ask("Which region sells most?")
    notebook7.finished()
    root.locator(".jp-Assistant-title").click()
    listed = root.get_by_role("group", name="Conversations", exact=True)
    expect(listed.get_by_role("button", name="Which region sells most?").first).to_be_visible()
    listed.get_by_role("button", name=re.compile("^Actions for Which")).first.click()
    listed.get_by_role("button", name="Pin", exact=True).click()
    expect(listed.get_by_role("heading").first).to_have_text("Pinned")
    page.keyboard.press("Escape")
    for opener in ("What leaves this machine", "Settings"):
        button = root.get_by_role("button", name=opener, exact=True)
        button.click()
        root.get_by_role("dialog", name=opener).wait_for()
        page.keyboard.press("Escape")
        expect(button).to_be_focused()


@pytest.mark.usefixtures("connected")
def test_a_source_opens_at_its_cell_and_an_error_is_explained(notebook7: Sidebar) -> None:
    page = notebook7.page
    notebook7.root.get_by_role("button", name="Model:").click()
    popup = notebook7.root.get_by_role("dialog", name="Choose a model")
    popup.get_by_role("option", name="Built-in responder").click()
    expect(popup).to_have_count(0)
    page.locator(".jp-Notebook").get_by_role("button", name="Explain", exact=True).first.click()
    answer = notebook7.finished()
    expect(answer).to_contain_text("KeyError")
    page.locator(".jp-Notebook .jp-Cell").first.click()
    answer.get_by_role("list", name="Sources").get_by_role("button").first.click()
    expect(page.locator(".jp-Cell.jp-mod-active .jp-OutputArea-output").last).to_contain_text("KeyError")
