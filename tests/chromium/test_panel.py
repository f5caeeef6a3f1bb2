"""``ChatPanel()`` in an output cell over HTTP: under a base URL, in both hosts, several at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.chromium.outputs import DATA, SHOW, Notebook, write
from tests.chromium.sidebar import PERMISSIONS
from tests.gateway import Gateway
from tests.lab import Lab

OpenNotebook = Callable[..., Notebook]


@pytest.fixture(scope="module")
def base_url() -> str:
    return "/jb/"


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport={"width": 1200, "height": 1000}, permissions=PERMISSIONS)
    yield opened
    opened.close()


@pytest.fixture
def notebook(lab: Lab, context: BrowserContext, request: pytest.FixtureRequest) -> Iterator[Notebook]:
    """A notebook with a panel's cell, open in JupyterLab; no request leaves the server, no script fails."""
    name = write(lab, f"{request.node.originalname}.ipynb", [DATA, SHOW])
    opened = Notebook(lab, context.new_page()).watch().open(name)
    yield opened
    assert opened.strangers == []
    assert opened.problems == []
    headers = {"Authorization": f"token {lab.token}"}
    values = {"model": None}
    httpx.patch(f"{lab.url}assistant/settings", json=values, headers=headers, trust_env=False).raise_for_status()


def choose(lab: Lab, model: str) -> None:
    headers = {"Authorization": f"token {lab.token}"}
    values = {"model": model}
    httpx.patch(f"{lab.url}assistant/settings", json=values, headers=headers, trust_env=False).raise_for_status()


def test_an_answer_streams_and_knows_the_notebook_with_its_unsaved_edits(notebook: Notebook, gateway: Gateway) -> None:
    chat = notebook.run()
    expect(chat.root.get_by_role("heading", name="Ask about test_an_answer_streams")).to_be_visible()
    notebook.cell(1).locator(".cm-content").click()
    notebook.page.keyboard.press("Control+End")
    notebook.page.keyboard.type("\nunsaved = 'edit'")
    chat.ask("What is total?")
    expect(chat.finished().get_by_role("heading", name="What total is")).to_be_visible()
    assert "unsaved = 'edit'" in gateway.posts[-1].question
    assert "POST chat/stream" in notebook.requests


def test_code_goes_into_the_panels_own_notebook_and_never_over_its_own_cell(notebook: Notebook) -> None:
    chat = notebook.run()
    chat.question.click()
    chat.ask("How?")
    code = chat.finished().locator(".jp-Assistant-code")
    replace = code.get_by_role("button", name="Replace cell")
    expect(replace).to_have_attribute("aria-disabled", "true")
    expect(replace).to_have_attribute("title", "Replace cell: The active cell shows this panel")
    code.get_by_role("button", name="Insert below").click()
    expect(notebook.page.locator(".jp-Notebook .jp-Cell")).to_have_count(3)
    expect(notebook.cell(3).locator(".cm-content")).to_contain_text("total = ")
    expect(code.locator("pre span[class]").first).to_be_attached()


def test_keys_in_the_panel_are_its_own(notebook: Notebook) -> None:
    chat = notebook.run()
    count = notebook.cell(2).locator(".jp-InputPrompt")
    expect(count).to_have_text("[2]:")
    chat.question.click()
    notebook.page.keyboard.type("one")
    notebook.page.keyboard.press("Shift+Enter")
    notebook.page.keyboard.type("dd b a x")
    expect(chat.question).to_have_value("one\ndd b a x")
    notebook.page.keyboard.press("Control+Enter")
    expect(notebook.page.locator(".jp-Notebook .jp-Cell")).to_have_count(2)
    expect(count).to_have_text("[2]:")


def test_two_panels_are_independent_and_each_comes_back_after_a_reload(notebook: Notebook) -> None:
    notebook.page.evaluate(
        """source => window.jupyterapp.shell.currentWidget.content.model.sharedModel.addCell(
            { cell_type: 'code', source })""",
        SHOW,
    )
    first, second = notebook.run(panels=2), notebook.chat(2)
    first.ask("The first question")
    second.ask("The second question")
    for chat in (first, second):
        chat.finished()
    expect(first.root).not_to_contain_text("The second question")
    expect(second.root).not_to_contain_text("The first question")
    second.question.fill("a draft")
    notebook.save()
    notebook.page.reload()
    notebook.settled()
    expect(notebook.page.locator(".jp-AssistantCell")).to_have_count(2, timeout=30_000)
    first, second = notebook.chat(1), notebook.chat(2)
    expect(first.root).to_contain_text("The first question")
    expect(second.root).to_contain_text("The second question")
    expect(second.answer.get_by_role("heading", name="What total is")).to_be_visible()
    expect(second.question).to_have_value("a draft")


def test_a_panel_that_is_cleared_leaves_its_answer_to_the_server(
    notebook: Notebook, lab: Lab, gateway: Gateway
) -> None:
    choose(lab, "gateway/paced-60-20")
    chat = notebook.run()
    chat.ask("A long answer")
    expect(chat.answer).to_contain_text("4")
    with notebook.page.expect_event("requestfailed", lambda failed: failed.url.endswith("/chat/stream")):
        notebook.page.evaluate("void window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    expect(notebook.page.locator(".jp-AssistantCell")).to_have_count(0)
    headers = {"Authorization": f"token {lab.token}"}
    listed = httpx.get(f"{lab.url}assistant/conversations", headers=headers, trust_env=False).json()["conversations"]
    run = next(each["run_id"] for each in listed if each["title"] == "A long answer")
    with httpx.stream(
        "GET", f"{lab.url}assistant/chat/{run}/stream", headers=headers, trust_env=False, timeout=30
    ) as response:
        events = response.read().decode()
    assert '"reason":"stop"' in events
    assert '"cancelled"' not in events


def test_a_second_view_of_a_panel_shows_the_same_conversation(notebook: Notebook) -> None:
    chat = notebook.run()
    chat.ask("Once for all views")
    chat.finished()
    notebook.cell(1).locator(".cm-content").click()
    notebook.page.keyboard.press("Control+A")
    notebook.page.keyboard.type("panel = _")
    notebook.page.keyboard.press("Control+Enter")
    expect(notebook.cell(1).locator(".jp-InputPrompt")).to_have_text("[3]:")
    notebook.page.keyboard.press("Enter")
    notebook.page.keyboard.press("Control+A")
    notebook.page.keyboard.type("panel.height = 333\npanel")
    notebook.page.keyboard.press("Control+Enter")
    expect(notebook.page.locator(".jp-AssistantCell")).to_have_count(2)
    again = notebook.chat(1)
    expect(again.root).to_contain_text("Once for all views")
    expect(again.answer.get_by_role("heading", name="What total is")).to_be_visible()
    for number in (1, 2):
        expect(notebook.chat(number).root).to_have_css("height", "333px")


def test_a_restarted_kernel_is_said_and_the_conversation_goes_on(notebook: Notebook) -> None:
    chat = notebook.run()
    chat.ask("Before the restart")
    chat.finished()
    notebook.restart()
    expect(chat.line).to_contain_text("The kernel was restarted or has ended. You can go on here")
    chat.ask("After the restart")
    chat.finished()
    expect(chat.root.get_by_role("article")).to_have_count(4)


def test_the_page_proves_itself_by_cookie_where_it_has_no_token(
    lab: Lab, context: BrowserContext, gateway: Gateway
) -> None:
    name = write(lab, "cookie.ipynb", [DATA, SHOW])
    page = context.new_page()
    page.goto(lab.page("lab/tree/" + name))  # logs in
    page.add_init_script(
        """new MutationObserver((_, observer) => {
          const told = document.getElementById('jupyter-config-data');
          if (told && document.readyState !== 'loading' || told?.nextSibling) {
            told.textContent = JSON.stringify({ ...JSON.parse(told.textContent), token: '' });
            observer.disconnect();
          }
        }).observe(document, { childList: true, subtree: true });"""
    )
    sent: list[dict[str, str]] = []
    page.on("request", lambda request: sent.append(request.headers) if "chat/stream" in request.url else None)
    opened = Notebook(lab, page).watch().open(name)
    chat = opened.run()
    chat.ask("Who am I?")
    expect(chat.finished().get_by_role("heading", name="What total is")).to_be_visible()
    assert "authorization" not in sent[0]
    assert sent[0]["x-xsrftoken"]


def test_notebook_7_shows_the_same_panel(lab: Lab, context: BrowserContext, gateway: Gateway) -> None:
    name = write(lab, "seven.ipynb", [DATA, SHOW])
    opened = Notebook(lab, context.new_page()).watch().open(name, "notebooks/")
    chat = opened.run()
    chat.question.click()
    chat.ask("What is price?")
    expect(chat.finished().get_by_role("heading", name="What total is")).to_be_visible()
    assert DATA in gateway.posts[-1].question
    notebook_keys = opened.cell(2).locator(".jp-InputPrompt")
    chat.question.click()
    opened.page.keyboard.press("Shift+Enter")
    expect(notebook_keys).to_have_text("[2]:")
    assert opened.strangers == []
