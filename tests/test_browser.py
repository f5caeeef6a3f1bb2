"""The sidebar as a user has it: Chromium, a real JupyterLab, a scripted gateway."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.browser import Sidebar, chromium
from tests.gateway import Gateway, Reply, Request, running_gateway
from tests.lab import Lab, running_lab

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


@pytest.fixture(autouse=True)
def jp_asyncio_loop() -> None:
    """None: Playwright's own loop is the one of these tests."""


@pytest.fixture(autouse=True)
def jp_server_cleanup() -> None:
    """Nothing: these tests' servers are processes."""


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with running_gateway() as running:

        @running.play("hostile")
        async def hostile(reply: Reply, request: Request) -> None:
            await reply.head()
            for start in range(0, len(HOSTILE), 7):
                await reply.delta(content=HOSTILE[start : start + 7])
            await reply.finish()

        yield running


@pytest.fixture(scope="module")
def lab(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    environ = {"JUPYTER_ASSISTANT_BASE_URL": gateway.url, "JUPYTER_ASSISTANT_MODEL": "markdown"}
    with running_lab(tmp_path_factory.mktemp("lab"), environ, base_url="/jb/") as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def sidebar(lab: Lab, browser: Browser) -> Iterator[Sidebar]:
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    opened = Sidebar(lab, context.new_page())
    opened.watch()
    yield opened.open()
    assert opened.strangers == []
    assert opened.problems == []
    context.close()


def use_model(lab: Lab, model: str) -> None:
    """Choose the model as a user does, through the settings."""
    headers = {"Authorization": f"token {lab.token}"}
    httpx.patch(
        f"{lab.url}assistant/settings", json={"model": model}, headers=headers, trust_env=False
    ).raise_for_status()


def test_a_question_streams_an_answer_about_the_open_notebook(sidebar: Sidebar, gateway: Gateway) -> None:
    use_model(sidebar.lab, "markdown")
    sidebar.ask("What is total?")
    answer = sidebar.finished()
    expect(answer.get_by_role("heading", name="What total is")).to_be_visible()
    expect(answer.get_by_role("table")).to_be_visible()
    expect(answer.get_by_role("button", name="Copy")).to_be_visible()
    expect(sidebar.root).to_contain_text("Given: failing-sales.ipynb")
    expect(sidebar.question).to_be_focused()
    assert "rename" in gateway.posts[-1].question


def test_unsaved_edits_are_in_the_answer(sidebar: Sidebar, gateway: Gateway) -> None:
    use_model(sidebar.lab, "markdown")
    saved = (sidebar.lab.root / "failing-sales.ipynb").read_bytes()
    sidebar.page.locator(".jp-CodeCell .cm-content").first.click()
    sidebar.page.keyboard.press("Control+End")
    sidebar.page.keyboard.type("\nnever_saved_name = 1")
    sidebar.ask("What is never_saved_name?")
    sidebar.finished()
    assert "never_saved_name = 1" in gateway.posts[-1].question
    assert (sidebar.lab.root / "failing-sales.ipynb").read_bytes() == saved


def test_send_turns_into_stop_in_place_and_stop_keeps_the_text(sidebar: Sidebar, gateway: Gateway) -> None:
    use_model(sidebar.lab, "paced-9999-20")
    left = len(gateway.disconnects)
    sidebar.question.fill("Count.")
    before = sidebar.send.bounding_box()
    sidebar.send.click()
    assert sidebar.stop.bounding_box() == before or sidebar.stop.is_visible()
    expect(sidebar.answer).to_contain_text("word3 ")
    sidebar.stop.click()
    answer = sidebar.finished()
    expect(answer).to_contain_text("Stopped")
    expect(answer).to_contain_text("word3 ")
    gateway.wait(lambda g: len(g.disconnects) > left, 1.0)


def test_a_reload_mid_answer_goes_on(sidebar: Sidebar) -> None:
    use_model(sidebar.lab, "paced-80-20")
    sidebar.ask("Count.")
    expect(sidebar.answer).to_contain_text("word3 ")
    sidebar.page.reload()
    sidebar.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    if not sidebar.question.is_visible():
        sidebar.page.keyboard.press("Control+Shift+A")
    answer = sidebar.finished()
    expect(answer).to_contain_text("word0 ")
    expect(answer).to_contain_text("word79 ")


def test_a_dead_gateway_is_a_card_with_one_action_and_the_question_is_kept(sidebar: Sidebar) -> None:
    use_model(sidebar.lab, "status-401")
    sidebar.ask("Anybody there?")
    answer = sidebar.finished()
    expect(answer.locator(".jp-Assistant-error")).to_contain_text("key")
    expect(answer.get_by_role("button")).to_have_count(1)
    use_model(sidebar.lab, "markdown")
    answer.get_by_role("button").click()
    expect(sidebar.finished()).to_contain_text("What total is")


def test_text_before_a_cut_stays_on_the_screen(sidebar: Sidebar) -> None:
    use_model(sidebar.lab, "cut")
    sidebar.ask("Go.")
    answer = sidebar.finished()
    expect(answer.get_by_role("button", name="Continue")).to_be_visible()
    assert answer.locator(".jp-Assistant-markdown").first.inner_text().strip()


def test_a_hostile_answer_runs_nothing_and_loads_nothing(sidebar: Sidebar) -> None:
    use_model(sidebar.lab, "hostile")
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
    use_model(sidebar.lab, "paced-60-20")
    sidebar.ask("First of two.")
    expect(sidebar.answer).to_contain_text("word2 ")
    sidebar.root.get_by_role("button", name="New conversation").first.click()
    use_model(sidebar.lab, "markdown")
    sidebar.ask("Second of two.")
    answer = sidebar.finished()
    expect(answer).to_contain_text("What total is")
    expect(sidebar.root.get_by_role("log")).not_to_contain_text("First of two")
    sidebar.root.locator(".jp-Assistant-title").click()
    sidebar.root.get_by_role("button", name="First of two.").first.click()
    expect(sidebar.finished()).to_contain_text("word59 ")


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_at_250_pixels_nothing_is_cut_off(sidebar: Sidebar, theme: str) -> None:
    use_model(sidebar.lab, "markdown")
    sidebar.page.evaluate(
        "name => void window.jupyterapp?.commands.execute('apputils:change-theme', {theme: name})", theme
    )
    sidebar.root.evaluate("node => { node.style.width = '250px'; }")
    sidebar.ask("What is total?")
    sidebar.finished()
    for control in (sidebar.send, sidebar.question, sidebar.root.get_by_role("button", name="New conversation").first):
        box = control.bounding_box()
        root = sidebar.root.bounding_box()
        assert box is not None
        assert root is not None
        assert box["x"] >= root["x"]
        assert box["x"] + box["width"] <= root["x"] + 251
    assert sidebar.root.get_by_role("log").evaluate("log => log.scrollWidth <= log.clientWidth + 1")


def test_without_any_model_the_responder_explains_the_error(browser: Browser, tmp_path: Path) -> None:
    with running_lab(tmp_path) as lab:
        context = browser.new_context()
        opened = Sidebar(lab, context.new_page())
        opened.watch()
        opened.open().ask("why does this fail?")
        answer = opened.finished()
        expect(answer).to_contain_text("KeyError")
        expect(answer).to_contain_text("No language model is connected")
        answer.get_by_role("list", name="Sources").get_by_role("button").first.click()
        expect(opened.page.locator(".jp-Cell.jp-mod-active .jp-OutputArea-output").last).to_contain_text("KeyError")
        assert opened.strangers == []
        assert opened.problems == []
        context.close()
