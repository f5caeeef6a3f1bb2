"""``ChatPanel()`` in a page that no Jupyter server serves, as far as it can see: everything goes through the kernel."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.chromium.hostile import PAYLOADS, alive, watch
from tests.chromium.models import say
from tests.chromium.outputs import DATA, NO_SERVER, SHOW, Notebook, write
from tests.gateway import Gateway, Reply, Request, running_gateway
from tests.lab import Lab

ALONE = "import os\nos.environ.pop('JPY_PARENT_PID')"
"""What makes a kernel one that no Jupyter server has started."""

HOSTILE = "\n\n".join(payload for payload in PAYLOADS if len(payload) < 600)


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with running_gateway() as running:

        @running.play("hostile")
        async def hostile(reply: Reply, request: Request) -> None:
            await say(reply, HOSTILE, step=40)

        yield running


@pytest.fixture(scope="module")
def environ(gateway: Gateway) -> dict[str, str]:
    """The kernel's own environment names the gateway too, for when it is alone."""
    return {"OPENAI_BASE_URL": gateway.url, "OPENAI_API_KEY": "sk-test", "JUPYTER_ASSISTANT_MODEL": "markdown"}


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport={"width": 1200, "height": 1000})
    yield opened
    opened.close()


def opened(lab: Lab, context: BrowserContext, name: str, *cells: str) -> Notebook:
    """A notebook in a page without a server."""
    notebook = Notebook(lab, context.new_page()).watch().open(write(lab, f"{name}.ipynb", cells))
    notebook.page.evaluate(NO_SERVER)
    notebook.requests.clear()
    return notebook


def test_an_answer_streams_through_the_kernel(lab: Lab, context: BrowserContext, gateway: Gateway) -> None:
    notebook = opened(lab, context, "comm", DATA, SHOW)
    chat = notebook.run()
    expect(chat.root.get_by_role("button", name="Model:")).to_have_text("markdown")
    chat.ask("What is price?")
    expect(chat.finished().get_by_role("heading", name="What total is")).to_be_visible()
    assert DATA in gateway.posts[-1].question
    assert notebook.requests == []
    chat.root.locator(".jp-Assistant-title").click()
    listed = chat.root.get_by_role("group", name="Conversations", exact=True)
    expect(listed.get_by_role("button", name="What is price?").first).to_be_visible()
    assert notebook.problems == []


def test_a_kernel_without_a_server_answers_by_itself(lab: Lab, context: BrowserContext, gateway: Gateway) -> None:
    notebook = opened(lab, context, "alone", ALONE, SHOW)
    chat = notebook.run()
    expect(chat.root.get_by_role("button", name="Model:")).to_have_text("markdown")
    chat.ask("First question")
    expect(chat.finished().get_by_role("heading", name="What total is")).to_be_visible()
    chat.ask("Second question")
    chat.finished()
    said = json.dumps(gateway.posts[-1].json["messages"])
    assert "First question" in said
    chat.root.get_by_role("button", name="What leaves this machine").click()
    expect(chat.root).to_contain_text("This needs a Jupyter server.")
    assert notebook.requests == []
    notebook.page.keyboard.press("Escape")


def test_a_busy_kernel_is_said_and_what_was_asked_meanwhile_is_answered(lab: Lab, context: BrowserContext) -> None:
    gate = "import os, time\nwhile not os.path.exists('gate'):\n    time.sleep(0.05)"
    notebook = opened(lab, context, "busy", SHOW, gate)
    chat = notebook.run()
    expect(chat.line).to_have_text("The kernel is busy: this goes on when its cell has ended.")
    chat.ask("Are you there?")
    (lab.root / "gate").touch()
    expect(chat.finished().get_by_role("heading", name="What total is")).to_be_visible()
    expect(chat.line).to_be_empty()


def test_a_kernel_that_was_restarted_is_said_and_nothing_hangs(lab: Lab, context: BrowserContext) -> None:
    notebook = opened(lab, context, "gone", DATA, SHOW)
    chat = notebook.run()
    chat.ask("Before")
    chat.finished()
    notebook.restart()
    expect(chat.line).to_have_text("The kernel was restarted or has ended. Run this cell again to go on.")
    chat.ask("After")
    expect(chat.finished()).to_contain_text("The kernel of this panel was restarted or has ended.")
    expect(chat.root).to_contain_text("Before")


def test_what_a_model_writes_stays_text(lab: Lab, context: BrowserContext) -> None:
    notebook = opened(lab, context, "hostile", ALONE + "\nos.environ['JUPYTER_ASSISTANT_MODEL'] = 'hostile'", SHOW)
    chat = notebook.run()
    watch(notebook.page)
    chat.ask("Attack me")
    chat.finished()
    assert alive(chat.root) == []
    assert notebook.strangers == []
    assert notebook.requests == []
