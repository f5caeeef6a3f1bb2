"""Every way an answer can fail, as a user meets it: what it says, the one thing it offers, and that this helps."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.chromium.models import change
from tests.chromium.sidebar import Sidebar
from tests.gateway import Gateway, Reply, Request, running_gateway
from tests.lab import Lab

TRIES = 3
"""How often the server asks before it says that it was refused."""

KEY = "sk-canary-states-0123456789"


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with running_gateway() as running:

        @running.play("limited")
        async def limited(reply: Reply, request: Request) -> None:
            """``limited-3-2``: that many times too often, then an answer; the user is to wait for that many seconds."""
            if request.turn <= request.number(0, 1):
                wait = request.args[1] if len(request.args) > 1 else "1"
                await reply.error(429, "Slow down", Retry_After=wait if request.turn % TRIES == 0 else "0")
            else:
                await reply.head()
                await reply.delta(content="Here it is.")
                await reply.finish()

        yield running


@pytest.fixture(scope="module")
def private() -> Iterator[Gateway]:
    """A gateway that wants a key."""
    with running_gateway(key=KEY) as running:
        yield running


def use(sidebar: Sidebar, model: str, base_url: str | None = None) -> None:
    """Settings of another window; a panel learns them as it begins."""
    change(sidebar.lab, base_url=base_url, model=model)
    sidebar.renew()


def card(sidebar: Sidebar) -> Locator:
    """The failed answer's card; it has one button."""
    found = sidebar.finished().locator(".jp-Assistant-error")
    expect(found).to_be_visible()
    expect(found.get_by_role("button")).to_have_count(1)
    return found


def action(sidebar: Sidebar, name: str) -> Locator:
    return card(sidebar).get_by_role("button", name=name, exact=True)


def questions(sidebar: Sidebar) -> list[str]:
    return sidebar.root.locator(".jp-Assistant-question").all_inner_texts()


def test_a_rejected_key_is_replaced_and_the_question_is_asked_again(sidebar: Sidebar, private: Gateway) -> None:
    use(sidebar, "gateway/markdown", private.url)
    sidebar.ask("What is total?")
    expect(card(sidebar)).to_contain_text("wants an API key and none is set")
    change(sidebar.lab, api_key="sk-wrong-0123456789")
    action(sidebar, "Give a key").click()
    sheet = sidebar.root.get_by_role("dialog", name="Connect a model")
    key = sheet.get_by_label("Key (if it wants one)")
    expect(key).to_be_focused()
    expect(sheet.get_by_label("Base URL")).to_have_value(private.url)
    expect(sheet.get_by_label("Model", exact=True)).to_have_value("markdown")
    sidebar.page.keyboard.press("Escape")
    expect(action(sidebar, "Give a key")).to_be_focused()
    sidebar.page.evaluate("window.dispatchEvent(new Event('focus'))")  # back in this window, the other's key is known
    expect(action(sidebar, "Replace the key")).to_be_focused()
    sidebar.ask("What is total?")
    expect(card(sidebar)).to_contain_text(f"Key rejected by {private.url.split('/')[2]}")
    action(sidebar, "Replace the key").click()
    key.fill(KEY)
    sidebar.page.keyboard.press("Enter")
    expect(sheet).to_contain_text("markdown answered in")
    sheet.get_by_role("button", name="Save", exact=True).click()
    expect(sheet).to_have_count(0)
    expect(sidebar.finished()).to_contain_text("What total is")
    expect(sidebar.question).to_be_focused()
    assert questions(sidebar) == ["What is total?"] * 3


def test_too_many_questions_are_counted_down_and_asked_again_once(sidebar: Sidebar, gateway: Gateway) -> None:
    use(sidebar, "gateway/limited-3")
    sidebar.ask("Now?")
    expect(sidebar.answer.get_by_role("timer")).to_contain_text("Rate limited. Retrying in", timeout=15_000)
    expect(sidebar.answer.get_by_role("button", name="Cancel", exact=True)).to_be_visible()
    expect(sidebar.answer).to_contain_text("Here it is.", timeout=15_000)
    assert questions(sidebar) == ["Now?", "Now?"]
    use(sidebar, "gateway/limited-99")
    sidebar.ask("And now?")
    expect(sidebar.root.locator(".jp-Assistant-error")).to_have_count(2, timeout=30_000)
    expect(action(sidebar, "Try again")).to_be_visible()
    expect(sidebar.root.get_by_role("timer")).to_have_count(0)


def test_a_countdown_can_be_cancelled(sidebar: Sidebar, gateway: Gateway) -> None:
    use(sidebar, "gateway/limited-98-60")
    sidebar.ask("Now?")
    action(sidebar, "Cancel").click()
    expect(action(sidebar, "Try again")).to_be_visible()
    asked = len(gateway.posts)
    expect(sidebar.question).to_be_focused()
    assert questions(sidebar) == ["Now?"]
    assert len(gateway.posts) == asked


def test_an_unknown_model_is_exchanged_and_the_question_is_asked_again(sidebar: Sidebar) -> None:
    use(sidebar, "gateway/nobody-knows-it")
    sidebar.ask("Hello?")
    expect(card(sidebar)).to_contain_text("does not know the model nobody-knows-it")
    action(sidebar, "Choose a model").click()
    box = sidebar.root.get_by_role("dialog", name="Choose a model").get_by_role("combobox")
    expect(box).to_be_focused()
    box.fill("gateway/markdown")
    box.press("Enter")
    expect(sidebar.finished()).to_contain_text("What total is")
    assert questions(sidebar) == ["Hello?", "Hello?"]


def test_an_endpoint_without_a_chosen_model_leads_to_the_choice(sidebar: Sidebar) -> None:
    use(sidebar, "")
    sidebar.ask("Hello?")
    expect(card(sidebar)).to_contain_text("No model yet")
    action(sidebar, "Choose a model").click()
    expect(sidebar.root.get_by_role("dialog", name="Choose a model")).to_be_visible()


def test_an_endpoint_that_is_down_offers_another_try_and_its_details(sidebar: Sidebar) -> None:
    use(sidebar, "gateway/markdown", "http://127.0.0.1:9/v1")
    sidebar.ask("Hello?")
    found = card(sidebar)
    expect(found).to_contain_text("127.0.0.1:9")
    found.locator("summary").click()
    expect(found).to_contain_text("gateway_down")
    change(sidebar.lab, base_url=None, model="gateway/markdown")
    action(sidebar, "Try again").click()
    expect(sidebar.finished()).to_contain_text("What total is")


def test_a_wrong_address_is_mended_where_it_stands(sidebar: Sidebar, gateway: Gateway) -> None:
    use(sidebar, "gateway/markdown", gateway.root)
    sidebar.ask("Hello?")
    action(sidebar, "Change the address").click()
    sheet = sidebar.root.get_by_role("dialog", name="Connect a model")
    expect(sheet.get_by_label("Base URL")).to_be_focused()
    expect(sheet.get_by_label("Base URL")).to_have_value(gateway.root)


def test_a_question_that_is_too_long_names_what_is_biggest(sidebar: Sidebar) -> None:
    use(sidebar, "gateway/too-long")
    sidebar.ask("Hello?")
    expect(card(sidebar)).to_contain_text("What takes the most room")
    expect(card(sidebar).get_by_role("listitem")).to_have_count(3)
    action(sidebar, "Give less context").click()
    sheet = sidebar.root.get_by_role("dialog", name="Settings")
    expect(sheet.get_by_label("Context, in tokens")).to_be_focused()
    sheet.get_by_label("Context, in tokens").fill("2000")
    sidebar.page.keyboard.press("Enter")
    expect(sheet).to_have_count(0)
    expect(sidebar.root.locator(".jp-Assistant-question")).to_have_count(2)
    expect(action(sidebar, "Ask in a new conversation")).to_be_visible()
    use(sidebar, "gateway/markdown")
    change(sidebar.lab, context_tokens=None)


def test_an_answer_that_was_cut_off_goes_on_and_a_stopped_one_too(sidebar: Sidebar) -> None:
    use(sidebar, "gateway/cut")
    sidebar.ask("Count.")
    expect(action(sidebar, "Continue")).to_be_visible()
    use(sidebar, "gateway/paced-999-20")
    sidebar.ask("Count.")
    expect(sidebar.answer).to_contain_text("word2 ")
    sidebar.stop.click()
    answer = sidebar.finished()
    expect(answer).to_contain_text("Stopped")
    expect(answer.get_by_role("button", name="Continue", exact=True)).to_be_visible()
    expect(answer.get_by_role("button", name="Ask the same again")).to_have_count(0)


def test_a_notebook_that_was_moved_away_can_be_left_out(sidebar: Sidebar) -> None:
    sidebar.page.route_web_socket(re.compile("/assistant/tab"), lambda socket: socket.close())
    sidebar.open()  # in a page whose notebooks the server cannot reach: the file is all it has
    use(sidebar, "gateway/markdown")
    file = sidebar.lab.root / "failing-sales.ipynb"
    file.rename(file.with_suffix(".away"))
    try:
        sidebar.ask("Hello?")
        with sidebar.page.expect_request(re.compile("/assistant/chat/stream")) as asked:
            action(sidebar, "Ask without the notebook").click()
        assert "notebook" not in json.loads(asked.value.post_data or "")
        expect(sidebar.finished()).to_contain_text("What total is")
    finally:
        file.with_suffix(".away").rename(file)
        sidebar.page.close()  # its next user wants the socket


def test_a_store_that_is_locked_is_said_while_answers_still_come(sidebar: Sidebar, lab: Lab) -> None:
    use(sidebar, "gateway/markdown")
    store = next(Path(lab.log).parent.rglob("conversations.sqlite"))
    locked = sqlite3.connect(store, isolation_level=None)
    locked.execute("BEGIN EXCLUSIVE")
    try:
        sidebar.ask("Hello?")
        expect(sidebar.answer).to_contain_text("What total is", timeout=30_000)
        notice = sidebar.root.locator(".jp-Assistant-notice")
        expect(notice).to_contain_text("Conversations are not saved just now", timeout=30_000)
    finally:
        locked.close()
    notice.get_by_role("button", name="Try again").click()
    expect(notice).to_have_count(0)
