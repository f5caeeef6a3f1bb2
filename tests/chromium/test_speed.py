"""What keeps the sidebar quick, in Chromium: code on demand, far messages as plain text, a composer by itself."""

from __future__ import annotations

import asyncio
import re

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.chromium.models import change
from tests.chromium.sidebar import LOAD_MS, Sidebar
from tests.gateway import Gateway, Reply, Request
from tests.lab import Lab

PAIRS = 40
RENDERED = """() => {
  const log = document.querySelector('.jp-Assistant-transcript');
  const { top, bottom } = log.getBoundingClientRect();
  return Array.from(log.querySelectorAll('.jp-Assistant-plainText'), each => each.getBoundingClientRect())
    .every(box => box.bottom < top || box.top > bottom);
}"""
"""Whether no message in sight is plain text any more."""

FRAMES = """() => new Promise(done => {
  const ask = window.requestAnimationFrame;
  let [frames, paintings] = [0, 0];
  window.requestAnimationFrame = call => {
    frames++;
    return ask.call(window, call);
  };
  new MutationObserver((_, watching) => {
    if (++paintings === 20) {
      watching.disconnect();
      window.requestAnimationFrame = ask;
      done([frames, paintings]);
    }
  }).observe(document.querySelector('.jp-Assistant-markdown'), { subtree: true, childList: true, characterData: true });
})"""
"""How many frames are asked for while an answer's text changes twenty times."""

OURS = re.compile(r"/extensions/jupyter-assistant/static/")


@pytest.fixture(scope="module")
def long_conversation(lab: Lab) -> str:
    """A conversation of ``PAIRS`` questions and their answers; its title."""
    headers = {"Authorization": f"token {lab.token}"}
    conversation: dict[str, str] = {}
    with httpx.Client(base_url=lab.url, headers=headers, timeout=60, trust_env=False) as http:
        for n in range(PAIRS):
            body = {"question": f"Long question {n}", **conversation}
            answer = http.post("assistant/chat", json=body).raise_for_status().json()
            conversation = {"conversation_id": answer["conversation_id"]}
    return "Long question 0"


def open_conversation(sidebar: Sidebar, title: str) -> None:
    """As a user does, from the list."""
    sidebar.root.locator(".jp-Assistant-title").click()
    sidebar.root.get_by_role("button", name=title).first.click()
    expect(sidebar.root.get_by_role("article")).to_have_count(2 * PAIRS)


def test_the_sidebars_code_is_fetched_when_it_is_first_shown(lab: Lab, browser: Browser) -> None:
    window = browser.new_context()
    page = window.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if OURS.search(request.url) else None)
    with page.expect_event("websocket", lambda socket: "/assistant/tab" in socket.url, timeout=LOAD_MS):
        page.goto(lab.page("lab/tree/failing-sales.ipynb?reset"))
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=LOAD_MS)
    page.wait_for_function("window.jupyterapp.commands.hasCommand('jupyter-assistant:focus')")
    before = list(asked)
    page.keyboard.press("Control+Shift+A")
    page.get_by_role("textbox", name="Question").wait_for(timeout=LOAD_MS)
    shown = [url for url in asked if url not in before]
    window.close()
    assert len(before) == 3, before  # the entry, the plugin, and an open notebook's way to the server
    assert shown


def test_of_a_long_conversation_only_what_is_near_is_rendered(sidebar: Sidebar, long_conversation: str) -> None:
    open_conversation(sidebar, long_conversation)
    log = sidebar.root.get_by_role("log")
    expect(sidebar.answer.get_by_role("table")).to_be_visible()
    plain = log.locator(".jp-Assistant-plainText")
    far = plain.count()
    assert far > PAIRS / 2
    first = sidebar.root.get_by_role("article", name=re.compile("^Assistant")).first
    expect(first).to_contain_text("## What `total` is")
    log.evaluate("log => void (log.scrollTop = 0)")
    expect(first.get_by_role("table")).to_be_visible()
    expect(first.locator(".jp-Assistant-plainText")).to_have_count(0)
    assert 0 < plain.count() < far


def test_a_long_conversation_opens_at_its_end_and_what_is_far_from_there_is_found(
    sidebar: Sidebar, long_conversation: str
) -> None:
    open_conversation(sidebar, long_conversation)
    log = sidebar.root.get_by_role("log")
    expect(sidebar.answer.get_by_role("heading", name="What total is")).to_be_visible()
    from_end = "log => log.scrollHeight - log.clientHeight - log.scrollTop"
    sidebar.page.wait_for_function(
        f"({from_end})(document.querySelector('.jp-Assistant-transcript')) <= 5", timeout=LOAD_MS
    )
    question = sidebar.root.get_by_role("article", name="You, message 15", exact=True)
    expect(question).not_to_be_in_viewport()
    log.focus()
    assert sidebar.page.evaluate("window.find('Long question 7', true, false, true)")
    found = "getSelection().anchorNode.parentElement.closest('article')?.getAttribute('aria-label')"
    assert sidebar.page.evaluate(found) == "You, message 15"


@pytest.mark.parametrize("width", [None, "250px"])
def test_a_message_far_from_the_end_that_gets_the_focus_comes_into_sight_and_stays_there(
    sidebar: Sidebar, long_conversation: str, width: str | None
) -> None:
    if width:
        sidebar.root.evaluate("(root, width) => { root.style.width = width; }", width)
    open_conversation(sidebar, long_conversation)
    for number in (15, 41, 2, 80):
        message = sidebar.root.locator("article").nth(number - 1)
        message.evaluate("message => message.focus()")
        expect(message).to_be_focused()
        sidebar.page.wait_for_function(RENDERED)  # what comes near is rendered, and changes its height by that
        expect(message).to_be_in_viewport()


def test_a_growing_answer_asks_for_no_frame_but_those_it_is_painted_in(sidebar: Sidebar) -> None:
    change(sidebar.lab, model="paced-9999-100")
    sidebar.ask("Go on")
    change(sidebar.lab, model=None)
    expect(sidebar.answer).to_contain_text("word")
    frames, paintings = sidebar.page.evaluate(FRAMES)
    sidebar.stop.click()
    sidebar.finished()
    assert frames <= paintings + 3  # a beat of the page's own may come between


def test_typing_leaves_a_long_conversation_alone(sidebar: Sidebar, long_conversation: str) -> None:
    open_conversation(sidebar, long_conversation)
    expect(sidebar.answer.get_by_role("table")).to_be_visible()
    sidebar.page.evaluate(
        """() => {
          window.__changes = 0;
          new MutationObserver(changes => (window.__changes += changes.length)).observe(
            document.querySelector('.jp-Assistant-transcript'),
            { subtree: true, childList: true, attributes: true, characterData: true }
          );
        }"""
    )
    sidebar.question.press_sequentially("A question, typed key by key")
    expect(sidebar.question).to_have_value("A question, typed key by key")
    assert sidebar.page.evaluate("window.__changes") == 0


def test_the_end_stays_in_sight_while_an_answer_grows_and_is_set(sidebar: Sidebar, gateway: Gateway) -> None:
    @gateway.play("growing")
    async def _growing(reply: Reply, request: Request) -> None:
        await reply.head()
        for n in range(60):
            await reply.delta(content=f"Paragraph {n} with $x_{n}$.\n\n```python\nx = {n}\n```\n\n")
            await asyncio.sleep(0.005)
        await reply.finish()

    change(sidebar.lab, model="growing")
    sidebar.ask("Grow")
    answer = sidebar.finished()
    change(sidebar.lab, model=None)
    expect(answer.locator("mjx-container")).to_have_count(60)
    sidebar.page.wait_for_function(
        """() => {
          const log = document.querySelector('.jp-Assistant-transcript');
          return log.scrollHeight - log.clientHeight - log.scrollTop <= 5;
        }"""
    )
    expect(answer.get_by_text("Paragraph 59")).to_be_in_viewport()
