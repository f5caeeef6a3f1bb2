"""The transcript by keyboard, in Chromium: from message to message, to code and its buttons, and with less motion."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Locator, expect

from tests.chromium.conftest import OpenSidebar
from tests.chromium.sidebar import Sidebar
from tests.gateway import Gateway, Reply, Request, running_gateway

CODE = "\n".join(f"line_{n} = {n}" for n in range(120))


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with running_gateway() as running:

        @running.play("code")
        async def code(reply: Reply, request: Request) -> None:
            await reply.head()
            await reply.delta(content=f"Look:\n\n```python\n{CODE}\n```\n\nThat is all.\n")
            await reply.finish()

        @running.play("slow")
        async def slow(reply: Reply, request: Request) -> None:
            await reply.head()
            for n in range(40):
                await reply.delta(content=f"word {n} ")
                await asyncio.sleep(0.02)
            await reply.stall()

        yield running


@pytest.fixture(scope="module")
def environ(gateway: Gateway) -> dict[str, str]:
    return {"JUPYTER_ASSISTANT_BASE_URL": gateway.url, "JUPYTER_ASSISTANT_MODEL": "code"}


@pytest.fixture
def asked(sidebar: Sidebar) -> Sidebar:
    """Two questions and their answers; the cursor is in the composer."""
    for question in ("First", "Second"):
        sidebar.ask(question)
        sidebar.finished()
    expect(sidebar.root.get_by_role("article")).to_have_count(4)
    sidebar.question.focus()
    return sidebar


def message(sidebar: Sidebar, number: int) -> Locator:
    """A message by its number."""
    return sidebar.root.get_by_role("article").nth(number - 1)


def test_alt_up_and_down_go_from_message_to_message_and_back_to_the_composer(asked: Sidebar) -> None:
    for number in (4, 3, 2, 1, 1):
        asked.page.keyboard.press("Alt+ArrowUp")
        expect(message(asked, number)).to_be_focused()
        expect(message(asked, number)).to_be_in_viewport()
    for number in (2, 3, 4):
        asked.page.keyboard.press("Alt+ArrowDown")
        expect(message(asked, number)).to_be_focused()
    asked.page.keyboard.press("Alt+ArrowDown")
    expect(asked.question).to_be_focused()


def test_home_and_end_go_to_the_first_and_the_last_message(asked: Sidebar) -> None:
    asked.page.keyboard.press("Alt+ArrowUp")
    asked.page.keyboard.press("Home")
    expect(message(asked, 1)).to_be_focused()
    expect(message(asked, 1)).to_be_in_viewport()
    asked.page.keyboard.press("End")
    expect(message(asked, 4)).to_be_focused()
    expect(asked.answer.get_by_text("That is all.")).to_be_in_viewport()


def test_in_the_composer_home_end_and_arrows_keep_their_meaning(asked: Sidebar) -> None:
    asked.question.fill("abc")
    asked.page.keyboard.press("Home")
    asked.page.keyboard.type("x")
    asked.page.keyboard.press("End")
    asked.page.keyboard.type("y")
    asked.page.keyboard.press("ArrowUp")
    expect(asked.question).to_have_value("xabcy")
    expect(asked.question).to_be_focused()


def test_letters_do_nothing_in_the_transcript_and_never_reach_the_notebook(asked: Sidebar) -> None:
    cells = asked.page.locator(".jp-Notebook .jp-Cell")
    before = cells.count()
    asked.page.keyboard.press("Alt+ArrowUp")
    for letter in "abjkmydd":
        asked.page.keyboard.press(letter)
    expect(message(asked, 4)).to_be_focused()
    expect(cells).to_have_count(before)
    expect(asked.question).to_have_value("")


def test_the_buttons_of_a_code_block_are_reached_by_tab_and_press(asked: Sidebar) -> None:
    asked.page.keyboard.press("Alt+ArrowUp")
    copy = asked.answer.get_by_role("button", name="Copy", exact=True)
    for _ in range(10):
        asked.page.keyboard.press("Tab")
        if copy.evaluate("button => button === document.activeElement"):
            break
    expect(copy).to_be_focused()
    asked.page.keyboard.press("Enter")
    expect(asked.answer.get_by_role("button", name="Copied", exact=True)).to_be_visible()
    assert asked.page.evaluate("navigator.clipboard.readText()") == CODE


def test_the_header_of_a_long_code_block_stays_in_sight(asked: Sidebar) -> None:
    log = asked.root.get_by_role("log")
    asked.answer.locator("pre").evaluate("pre => pre.querySelector('code').lastChild.parentElement.scrollIntoView()")
    log.evaluate("log => log.scrollBy(0, 500)")
    head = asked.answer.locator(".jp-Assistant-codeHead")
    expect(asked.answer.get_by_text("Look:")).not_to_be_in_viewport()
    expect(head.get_by_role("button", name="Copy", exact=True)).to_be_in_viewport()
    distance = head.evaluate("head => head.getBoundingClientRect().top")
    assert abs(distance - log.evaluate("log => log.getBoundingClientRect().top")) <= 2


def test_with_less_motion_nothing_moves_by_itself(open_sidebar: OpenSidebar) -> None:
    with open_sidebar(reduced_motion="reduce") as sidebar:
        headers = {"Authorization": f"token {sidebar.lab.token}"}
        url = f"{sidebar.lab.url}assistant/settings"
        httpx.patch(url, json={"model": "slow"}, headers=headers, trust_env=False).raise_for_status()
        sidebar.ask("Slowly")
        expect(sidebar.answer).to_contain_text("word 39")
        moving = "root => root.getAnimations({ subtree: true }).length"
        assert sidebar.root.evaluate(moving) == 0
        behaviours = sidebar.root.evaluate(
            "root => [...new Set([...root.querySelectorAll('*')].map(each => getComputedStyle(each).scrollBehavior))]"
        )
        assert behaviours == ["auto"]
        sidebar.stop.click()
        sidebar.finished()
