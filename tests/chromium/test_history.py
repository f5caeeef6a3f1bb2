"""The conversations of the sidebar as a user keeps them: found, renamed, pinned, saved, deleted, and the same in two
tabs; and what can be done with an answer.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.chromium.sidebar import Sidebar
from tests.gateway import Gateway


@pytest.fixture(scope="module")
def environ(gateway: Gateway) -> dict[str, str]:
    return {"JUPYTER_ASSISTANT_BASE_URL": gateway.url, "JUPYTER_ASSISTANT_MODEL": "paced-40-20"}


@pytest.fixture(scope="module")
def base_url() -> str:
    return "/jb/"


def history(sidebar: Sidebar) -> Locator:
    """The list, opened."""
    shown = sidebar.root.get_by_role("group", name="Conversations", exact=True)
    if not shown.is_visible():
        sidebar.root.locator(".jp-Assistant-title").click()
    shown.wait_for()
    return shown


def fresh(sidebar: Sidebar) -> None:
    sidebar.root.get_by_role("button", name="New conversation", exact=True).click()


def test_conversations_are_kept_in_order_by_keyboard_and_shared_by_tabs(sidebar: Sidebar, tmp_path: Path) -> None:
    sidebar.ask("Zürich, by quarter?")
    expect(sidebar.answer).to_contain_text("word2 ")
    fresh(sidebar)
    listed = history(sidebar)
    expect(listed.get_by_role("img", name="Answering")).to_be_visible()
    expect(listed.get_by_role("img", name="New answer")).to_be_visible(timeout=15_000)
    expect(listed.get_by_role("heading")).to_have_text(["Today"])

    search = listed.get_by_role("searchbox")
    expect(search).to_be_focused()
    search.fill("zurich")
    entry = listed.locator(".jp-Assistant-open")
    expect(entry).to_have_count(1)
    search.fill("nothing like it")
    expect(listed).to_contain_text("No title matches")
    search.fill("")

    listed.get_by_role("button", name="Actions for Zürich").press("Enter")
    listed.get_by_role("button", name="Rename").press("Enter")
    sidebar.page.keyboard.type("Quarters <b>x</b>")
    sidebar.page.keyboard.press("Enter")
    actions = listed.get_by_role("button", name="Actions for Quarters <b>x</b>")
    expect(actions).to_be_focused()
    sidebar.page.keyboard.press("Enter")
    listed.get_by_role("button", name="Pin", exact=True).press("Enter")
    expect(listed.get_by_role("heading")).to_have_text(["Pinned"])

    for form in ("Markdown", "JSON"):
        if not listed.get_by_role("button", name=f"Save as {form}").is_visible():
            actions.click()
        with sidebar.page.expect_download() as saving:
            listed.get_by_role("button", name=f"Save as {form}").click()
        saved = tmp_path / saving.value.suggested_filename
        saving.value.save_as(saved)
        assert saved.suffix == (".json" if form == "JSON" else ".md")
        assert "word39" in saved.read_text()
    assert json.loads(saved.read_text())["title"] == "Quarters <b>x</b>"

    entry.first.click()
    expect(sidebar.answer).to_contain_text("word39")
    other = Sidebar(sidebar.lab, sidebar.page.context.new_page())
    other.watch()
    other.open()
    expect(other.answer).to_contain_text("word39")
    other.ask("And by month?")
    expect(other.answer).to_contain_text("word3 ")
    sidebar.page.bring_to_front()
    sidebar.page.evaluate("window.dispatchEvent(new Event('focus'))")  # a headless window has no focus to lose
    expect(sidebar.root.get_by_role("log")).to_contain_text("And by month?")
    expect(sidebar.answer).to_contain_text(re.compile(r"word39"), timeout=15_000)
    assert other.problems == []
    other.page.close()

    listed = history(sidebar)
    listed.get_by_role("button", name="Actions for Quarters").click()
    listed.get_by_role("button", name="Delete", exact=True).click()
    expect(listed.get_by_role("button", name="Keep")).to_be_focused()
    expect(listed.get_by_role("button", name="Keep")).to_have_count(0, timeout=6_000)
    expect(listed.get_by_role("button", name="Actions for Quarters")).to_be_focused()
    listed.get_by_role("button", name="Actions for Quarters").click()
    listed.get_by_role("button", name="Delete", exact=True).click()
    listed.get_by_role("button", name="Delete?").click()
    expect(listed).to_contain_text("No conversations yet")
    expect(sidebar.root.get_by_role("log")).not_to_contain_text("word39")
    assert sidebar.page.evaluate("document.querySelector('.jp-Assistant-panel b')") is None


def test_an_answer_is_copied_asked_again_and_its_question_edited(sidebar: Sidebar, gateway: Gateway) -> None:
    sidebar.ask("Count, please.")
    answer = sidebar.finished()
    answer.get_by_role("button", name="Copy the answer").click()
    assert "word39" in sidebar.page.evaluate("navigator.clipboard.readText()")
    asked = len(gateway.posts)
    answer.get_by_role("button", name="Ask the same again").click()
    expect(sidebar.stop).to_be_visible()
    sidebar.question.fill("a draft")
    sidebar.finished()
    assert len(gateway.posts) > asked
    sidebar.reload()
    expect(sidebar.question).to_have_value("a draft")
    sidebar.question.fill("")
    sidebar.question.press("ArrowUp")
    expect(sidebar.question).to_have_value("Count, please.")
    sidebar.question.fill("")
    sidebar.finished().get_by_role("button", name="Edit the question").click()
    expect(sidebar.question).to_have_value("Count, please.")
    stored = sidebar.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert "Count, please." in stored
