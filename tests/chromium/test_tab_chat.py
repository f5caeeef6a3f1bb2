"""What the chat is told of an open notebook: what its user sees, saved or not, also where another window has it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.chromium.tab import Tab, code, in_lab, until
from tests.chromium.tabs import *  # noqa: F403
from tests.chromium.tabs import OpenTab
from tests.lab import Lab


@pytest.fixture
def other(lab: Lab, browser: Browser) -> Iterator[Page]:
    """Another window of the same JupyterLab."""
    with in_lab(lab, browser) as opened:
        yield opened


def asked(page: Page, text: str) -> dict[str, Any]:
    """The question that the sidebar of this window sends."""
    ask = page.get_by_role("textbox", name="Question")
    if not ask.is_visible():
        page.keyboard.press("Control+Shift+A")
    with page.expect_request(re.compile("/assistant/chat/stream")) as sent:
        ask.fill(text)
        ask.press("Enter")
    expect(page.get_by_role("article", name=re.compile("^Assistant")).last).not_to_be_empty()
    question: dict[str, Any] = json.loads(sent.value.post_data or "{}")
    return question


def given(lab: Lab, question: dict[str, Any]) -> str:
    """What a model would be given for a question."""
    headers = {"Authorization": f"token {lab.token}"}
    known = {key: question[key] for key in ("question", "notebook")}
    answer = httpx.post(f"{lab.url}assistant/preview", json=known, headers=headers, trust_env=False, timeout=30)
    return "\n".join(item["text"] for item in answer.raise_for_status().json()["items"])


def test_a_question_is_about_what_is_shown_also_in_a_window_that_is_behind(open_tab: OpenTab, other: Page) -> None:
    tab = open_tab(code("first", "x = 6"), code("last", "x * 7"))
    there = Tab(tab.lab, other, tab.path).show()
    before = tab.file.read_bytes()
    tab.write_in("last", "  # typed only here")
    tab.page.keyboard.press("Control+Home")
    tab.page.keyboard.type("x = 300; ")
    tab.page.keyboard.press("Control+Enter")
    expect(tab.cell("last").locator(".jp-OutputArea-output")).to_have_text("2100")
    for window in (tab.page, other):
        question = asked(window, "What does the last cell give?")
        assert question["notebook"]["path"] == tab.path
        assert "unsaved" not in question["notebook"]
        told = given(tab.lab, question)
        assert "x = 300; x * 7  # typed only here" in told
        assert "2100" in told
    assert tab.file.read_bytes() == before
    assert there.sources == ["x = 6", "x * 7"]
    there.no_dialog()
    until(tab.page, lambda: tab.dirty)
