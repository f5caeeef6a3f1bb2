"""The sidebar as a user has it: Chromium, a real JupyterLab, a scripted gateway."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.chromium.models import change, say
from tests.chromium.sidebar import Sidebar
from tests.gateway import Gateway, Reply, Request, running_gateway, usage
from tests.lab import running_lab

STREAM = re.compile(r"/assistant/chat/stream\b")
WHOLE = re.compile(r"/assistant/chat(\?|$)")

HOSTILE = """<script>window.__pwned = 1</script><img src="http://evil.example/a.png" onerror="window.__pwned=1">
![image](http://evil.example/b.png) [link](javascript:window.__pwned=1) [data](data:text/html,x)
<button data-commandlinker-command="filebrowser:delete">x</button>
<div class="jp-Dialog" id="jupyter-config-data">y</div>
<form action="http://evil.example"><input name="q"></form><svg><image href="http://evil.example/c.svg"/></svg>

[fine](https://example.org/page) <http://evil.example/auto>

```html
<script>window.__pwned = 1</script>
```
"""


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with running_gateway() as running:

        @running.play("hostile")
        async def hostile(reply: Reply, request: Request) -> None:
            await say(reply, HOSTILE, step=7)

        @running.play("ponder")
        async def ponder(reply: Reply, request: Request) -> None:
            await reply.head()
            await reply.delta(reasoning="Cell 4 renames it. ")
            await asyncio.sleep(1.1)  # so that there is a time to say
            await reply.delta(reasoning="So cell 5 fails.")
            await reply.delta(content="It was renamed.")
            await reply.finish(usage=usage(212))

        yield running


@pytest.fixture(scope="module")
def base_url() -> str:
    return "/jb/"


def edit(sidebar: Sidebar, script: str) -> None:
    """Change the open notebook through its own model, ``cells``, as a keyboard would."""
    sidebar.page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    sidebar.page.evaluate(
        "script => new Function('cells', script)(window.jupyterapp.shell.currentWidget.content.model.sharedModel)",
        script,
    )


def test_a_question_streams_an_answer_about_the_open_notebook(sidebar: Sidebar, gateway: Gateway) -> None:
    change(sidebar.lab, model="markdown")
    sidebar.ask("What is total?")
    answer = sidebar.finished()
    expect(answer.get_by_role("heading", name="What total is")).to_be_visible()
    expect(answer.get_by_role("table")).to_be_visible()
    expect(answer.get_by_role("button", name="Copy", exact=True)).to_be_visible()
    expect(sidebar.root).to_contain_text("Given: failing-sales.ipynb")
    expect(sidebar.question).to_be_focused()
    assert "rename" in gateway.posts[-1].question


def test_unsaved_edits_are_in_the_answer(sidebar: Sidebar, gateway: Gateway) -> None:
    change(sidebar.lab, model="markdown")
    saved = (sidebar.lab.root / "failing-sales.ipynb").read_bytes()
    sidebar.page.locator(".jp-CodeCell .cm-content").first.click()
    sidebar.page.keyboard.press("Control+End")
    sidebar.page.keyboard.type("\nnever_saved_name = 1")
    sidebar.ask("What is never_saved_name?")
    sidebar.finished()
    assert "never_saved_name = 1" in gateway.posts[-1].question
    assert (sidebar.lab.root / "failing-sales.ipynb").read_bytes() == saved


def test_new_deleted_and_moved_cells_are_in_the_answer_as_they_stand(sidebar: Sidebar, gateway: Gateway) -> None:
    change(sidebar.lab, model="markdown")
    edit(
        sidebar,
        "cells.deleteCell(1); cells.insertCell(1, {cell_type: 'code', source: 'brand_new = 1'});"
        "cells.insertCell(cells.cells.length, {cell_type: 'code', source: 'at_the_end = 2'});"
        "cells.moveCell(cells.cells.length - 1, 0)",
    )
    sidebar.ask("What is here?")
    sidebar.finished()
    asked = gateway.posts[-1].question
    assert "import pandas as pd" not in asked
    assert 0 < asked.index("at_the_end = 2") < asked.index("brand_new = 1")


def test_send_turns_into_stop_in_place_and_stop_keeps_the_text(sidebar: Sidebar, gateway: Gateway) -> None:
    change(sidebar.lab, model="paced-9999-20")
    left = len(gateway.disconnects)
    sidebar.question.fill("Count.")
    before = sidebar.send.bounding_box()
    sidebar.send.click()
    sidebar.stop.wait_for()
    assert sidebar.stop.bounding_box() == before
    expect(sidebar.answer).to_contain_text("word3 ")
    sidebar.stop.click()
    answer = sidebar.finished()
    expect(answer).to_contain_text("Stopped")
    expect(answer).to_contain_text("word3 ")
    gateway.wait(lambda g: len(g.disconnects) > left, 1.0)


def test_a_reload_mid_answer_goes_on(sidebar: Sidebar) -> None:
    change(sidebar.lab, model="paced-80-20")
    sidebar.ask("Count.")
    expect(sidebar.answer).to_contain_text("word3 ")
    answer = sidebar.reload().finished()
    expect(answer).to_contain_text("word0 ")
    expect(answer).to_contain_text("word79 ")


def test_a_reload_before_anything_was_heard_keeps_the_question(sidebar: Sidebar, gateway: Gateway) -> None:
    change(sidebar.lab, model="markdown")
    asked = len(gateway.posts)
    caught: list[Route] = []
    sidebar.page.route(STREAM, lambda route: caught.append(route))
    sidebar.ask("Is anybody there?")
    expect(sidebar.answer).to_contain_text("Sending…")
    assert len(caught) == 1
    assert len(gateway.posts) == asked
    sidebar.page.unroute(STREAM)
    expect(sidebar.reload().finished()).to_contain_text("What total is")
    expect(sidebar.root.get_by_role("log")).to_contain_text("Is anybody there?")
    assert len(gateway.posts) == asked + 1
    sidebar.reload()
    expect(sidebar.finished()).to_contain_text("What total is")
    assert len(gateway.posts) == asked + 1


def test_where_no_stream_comes_through_the_same_question_is_answered_in_one_piece(
    sidebar: Sidebar, gateway: Gateway
) -> None:
    change(sidebar.lab, model="markdown")
    page = sidebar.page
    asked = len(gateway.posts)
    refused: list[Route] = []

    def refuse(route: Route) -> None:
        refused.append(route)
        route.abort()

    page.route(STREAM, refuse)
    with page.expect_request(WHOLE) as whole:
        sidebar.ask("Is anybody there?")
    expect(sidebar.finished()).to_contain_text("What total is")
    first = json.loads(refused[0].request.post_data or "")
    assert json.loads(whole.value.post_data or "")["request_id"] == first["request_id"]
    assert len(gateway.posts) == asked + 1


def test_the_thinking_is_folded_away_and_the_last_line_says_what_the_answer_took(sidebar: Sidebar) -> None:
    change(sidebar.lab, model="ponder")
    sidebar.ask("Why does it fail?")
    answer = sidebar.finished()
    fold = answer.locator("details", has=sidebar.page.locator(".jp-Assistant-reasoning"))
    expect(fold.locator("summary")).to_have_text(re.compile(r"^Thought for [12] s$"))
    expect(fold.locator(".jp-Assistant-reasoning")).to_be_hidden()
    fold.locator("summary").click()
    expect(fold.get_by_text("Cell 4 renames it. So cell 5 fails.")).to_be_visible()
    expect(answer.locator(".jp-Assistant-end")).to_contain_text(
        re.compile(r"ponder · 11 in · 212 out · [1-9]\d*\.\d s")
    )


def test_the_thinking_stands_open_while_it_lasts_and_stays_as_its_reader_turns_it(
    sidebar: Sidebar, gateway: Gateway
) -> None:
    @gateway.play("muse")
    async def _muse(reply: Reply, request: Request) -> None:
        await reply.head()
        for number in range(60):
            await reply.delta(reasoning=f"Thought {number} goes round and round.\n")
        await reply.stall()

    change(sidebar.lab, model="muse")
    sidebar.ask("Why does it fail?")
    fold = sidebar.answer.locator("details", has=sidebar.page.locator(".jp-Assistant-reasoning"))
    expect(fold.locator("summary")).to_have_text("Thinking…")
    thoughts = fold.locator(".jp-Assistant-reasoning")
    expect(thoughts).to_contain_text("Thought 59")
    assert thoughts.evaluate("box => box.scrollHeight - box.scrollTop - box.clientHeight <= 5")
    assert thoughts.evaluate("box => box.scrollHeight > 2 * box.clientHeight")
    fold.locator("summary").press("Enter")
    expect(thoughts).to_be_hidden()
    sidebar.stop.click()
    expect(sidebar.finished()).to_contain_text("Stopped")
    expect(thoughts).to_be_hidden()
    fold.locator("summary").press("Enter")
    expect(thoughts).to_be_visible()


def test_the_dot_beats_only_while_nothing_comes(sidebar: Sidebar, gateway: Gateway) -> None:
    @gateway.play("brook")
    async def _brook(reply: Reply, request: Request) -> None:
        await reply.head()
        for _ in range(60):
            await reply.delta(content="on ")
            await asyncio.sleep(0.05)
        await reply.stall()

    change(sidebar.lab, model="brook")
    sidebar.ask("And so?")
    dot = sidebar.answer.locator(".jp-Assistant-pulse")
    expect(sidebar.answer).to_contain_text("on on on")
    expect(dot).to_have_css("animation-name", "none")
    expect(dot).to_have_css("animation-name", "jp-assistant-pulse", timeout=15_000)
    sidebar.stop.click()
    expect(dot).to_have_count(0)


def test_code_has_its_language_and_the_colours_of_jupyterlabs_editor(sidebar: Sidebar) -> None:
    change(sidebar.lab, model="markdown")
    sidebar.ask("What is total?")
    block = sidebar.finished().locator(".jp-Assistant-code")
    expect(block.locator(".jp-Assistant-codeHead")).to_contain_text("python")
    coloured = block.locator("code span[class]")
    expect(coloured.first).to_be_visible()
    colours = block.locator("code span").evaluate_all("all => all.map(each => getComputedStyle(each).color)")
    assert len(set(colours)) > 1
    expect(block.locator("code")).to_have_text('total = (df["price"] * df["count"]).sum()')


def test_who_scrolled_up_is_left_alone_and_led_back_down(sidebar: Sidebar) -> None:
    change(sidebar.lab, model="paced-9999-60")
    log = sidebar.root.get_by_role("log")
    sidebar.ask("Count.")
    expect(sidebar.answer).to_contain_text("word200 ", timeout=20_000)
    assert log.evaluate("log => log.scrollHeight - log.scrollTop - log.clientHeight") <= 5
    log.hover()
    sidebar.page.mouse.wheel(0, -200)
    down = sidebar.root.get_by_role("button", name="New", exact=True)
    down.wait_for()
    before = log.evaluate("log => log.scrollTop")
    expect(sidebar.answer).to_contain_text("word260 ", timeout=20_000)
    assert log.evaluate("log => log.scrollTop") == before
    down.click()
    expect(down).to_have_count(0)
    sidebar.page.keyboard.press("Escape")
    sidebar.finished()
    assert log.evaluate("log => log.scrollHeight - log.scrollTop - log.clientHeight") <= 5


def test_a_gateway_that_is_down_is_a_card_that_names_it(sidebar: Sidebar, gateway: Gateway) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{closed.getsockname()[1]}"
        change(sidebar.lab, model="markdown", base_url=f"http://{host}/v1")
        sidebar.ask("Anybody there?")
        expect(sidebar.finished().locator(".jp-Assistant-error")).to_contain_text(host)
    change(sidebar.lab, base_url=gateway.url)
    sidebar.answer.get_by_role("button", name="Try again").click()
    expect(sidebar.root.get_by_role("article", name="Assistant, message 4")).to_contain_text("What total is")
    expect(sidebar.question).to_be_focused()


def test_a_refused_key_is_a_card_with_one_action_and_the_question_is_kept(sidebar: Sidebar) -> None:
    change(sidebar.lab, model="status-401")
    sidebar.ask("Anybody there?")
    answer = sidebar.finished()
    card = answer.locator(".jp-Assistant-error")
    expect(card).to_contain_text("key")
    expect(card.get_by_role("button")).to_have_text(["Give a key"])
    expect(sidebar.root.locator(".jp-Assistant-question")).to_have_text("Anybody there?")


def test_text_before_a_cut_stays_on_the_screen(sidebar: Sidebar) -> None:
    change(sidebar.lab, model="cut")
    sidebar.ask("Go.")
    answer = sidebar.finished()
    expect(answer.get_by_role("button", name="Continue")).to_be_visible()
    assert answer.locator(".jp-Assistant-markdown").first.inner_text().strip()


def test_a_hostile_answer_runs_nothing_and_loads_nothing(sidebar: Sidebar) -> None:
    change(sidebar.lab, model="hostile")
    page = sidebar.page
    sidebar.ask("Attack.")
    answer = sidebar.finished()
    expect(answer).to_contain_text("<script>")
    assert (
        answer.locator("img, script, form, input, iframe, style, svg image, [data-commandlinker-command]").count() == 0
    )
    assert answer.locator("[id], [name], .jp-Dialog, [onerror], [style*=url]").count() == 0
    links = answer.locator("a").evaluate_all("all => all.map(a => [a.protocol, a.rel, a.target])")
    assert links
    assert all(link[0] in ("http:", "https:") and link[1:] == ["noopener noreferrer", "_blank"] for link in links)
    page.evaluate(
        "void (window.executed = [],"
        " window.jupyterapp.commands.commandExecuted.connect((_, done) => window.executed.push(done.id)))"
    )
    page.evaluate(
        "node => void node.querySelectorAll('*:not(a):not(button)').forEach(each => each.click?.())",
        answer.element_handle(),
    )
    assert page.evaluate("window.executed") == []
    assert page.evaluate("window.__pwned") is None


def test_two_conversations_run_at_once_and_switching_mixes_nothing(sidebar: Sidebar) -> None:
    change(sidebar.lab, model="paced-60-20")
    sidebar.ask("First of two.")
    expect(sidebar.answer).to_contain_text("word2 ")
    sidebar.root.get_by_role("button", name="New conversation", exact=True).click()
    expect(sidebar.root.get_by_role("article")).to_have_count(0)
    change(sidebar.lab, model="markdown")
    sidebar.ask("Second of two.")
    answer = sidebar.finished()
    expect(answer).to_contain_text("What total is")
    expect(sidebar.root.get_by_role("log")).not_to_contain_text("First of two")
    sidebar.root.locator(".jp-Assistant-title").click()
    sidebar.root.get_by_role("button", name="First of two.").first.click()
    expect(sidebar.finished()).to_contain_text("word59 ")


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_at_250_pixels_nothing_is_cut_off(sidebar: Sidebar, theme: str) -> None:
    change(sidebar.lab, model="markdown")
    sidebar.page.evaluate(
        "name => void window.jupyterapp?.commands.execute('apputils:change-theme', {theme: name})", theme
    )
    sidebar.root.evaluate("node => { node.style.width = '250px'; }")
    sidebar.ask("What is total?")
    sidebar.finished()
    for control in (
        sidebar.send,
        sidebar.question,
        sidebar.root.get_by_role("button", name="New conversation", exact=True),
    ):
        box = control.bounding_box()
        root = sidebar.root.bounding_box()
        assert box is not None
        assert root is not None
        assert box["x"] >= root["x"]
        assert box["x"] + box["width"] <= root["x"] + 251
    assert sidebar.root.get_by_role("log").evaluate("log => log.scrollWidth <= log.clientWidth + 1")


def test_in_notebook_7_it_answers_about_the_open_notebook(sidebar: Sidebar, gateway: Gateway) -> None:
    change(sidebar.lab, model="markdown")
    sidebar.open("notebooks/failing-sales.ipynb")
    sidebar.ask("What is total?")
    expect(sidebar.finished().get_by_role("heading", name="What total is")).to_be_visible()
    assert "failing-sales.ipynb" in gateway.posts[-1].question
    sidebar.problems.clear()  # Notebook's own, which it has without the assistant too


def test_a_restart_of_the_server_keeps_the_text_and_says_interrupted(
    browser: Browser, gateway: Gateway, tmp_path: Path
) -> None:
    environ = {"JUPYTER_ASSISTANT_BASE_URL": gateway.url, "JUPYTER_ASSISTANT_MODEL": "paced-9999-20"}
    context = browser.new_context()
    with running_lab(tmp_path, environ) as lab:
        opened = Sidebar(lab, context.new_page())
        opened.open().ask("Count.")
        expect(opened.answer).to_contain_text("word40 ", timeout=20_000)
        lab.process.kill()
        expect(opened.answer).to_contain_text("Reconnecting…")
    with running_lab(tmp_path, environ, port=lab.port):
        expect(opened.answer).to_contain_text("Interrupted", timeout=40_000)
        expect(opened.answer).to_contain_text("word3 ")
        expect(opened.reload().finished()).to_contain_text("Interrupted")
        expect(opened.answer).to_contain_text("word3 ")
        expect(opened.answer.get_by_role("button", name="Continue")).to_be_visible()
        context.close()


def test_without_any_model_the_responder_explains_the_error(browser: Browser, tmp_path: Path) -> None:
    with running_lab(tmp_path) as lab:
        context = browser.new_context()
        opened = Sidebar(lab, context.new_page())
        opened.watch()
        opened.open().root.get_by_role("button", name="Why does cell 11 fail?").click()
        answer = opened.finished()
        expect(answer).to_contain_text("KeyError")
        expect(answer).to_contain_text("No language model is connected")
        answer.get_by_role("list", name="Sources").get_by_role("button").first.click()
        expect(opened.page.locator(".jp-Cell.jp-mod-active .jp-OutputArea-output").last).to_contain_text("KeyError")
        assert opened.strangers == []
        assert opened.problems == []
        context.close()
