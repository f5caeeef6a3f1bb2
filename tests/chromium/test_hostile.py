"""Whatever a model, a file, an endpoint or a user writes into a field of the sidebar stays text."""

from __future__ import annotations

import copy
import json
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from tests.chromium.conftest import OpenSidebar
from tests.chromium.hostile import LINES, PAYLOADS, RTL, ZERO_WIDTH, alive, watch
from tests.chromium.models import say as spoken
from tests.chromium.sidebar import Sidebar
from tests.gateway import Gateway, Reply, Request, running_gateway
from tests.lab import Lab

IMG = "<img src=x onerror=window.__pwned=1>"
NAMES = (
    IMG,
    "\"'><svg onload=window.__pwned=1>",
    f"{RTL}bpyni.elif{ZERO_WIDTH}",
    "n" * 200,
    "data-commandlinker-command=help:about [a](javascript:1)",
)


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    listed = [{"id": name, "object": "model"} for name in LINES]
    with running_gateway(models=listed) as running:

        @running.play("say")
        async def say(reply: Reply, request: Request) -> None:
            await spoken(reply, PAYLOADS[int(request.args[0])], step=3)

        @running.play("think-of")
        async def think_of(reply: Reply, request: Request) -> None:
            await reply.head()
            await reply.delta(reasoning="\n\n".join(PAYLOADS))
            await reply.delta(content="Done.")
            await reply.finish()

        @running.play("refuse")
        async def refuse(reply: Reply, request: Request) -> None:
            await reply.error(int(request.args[0]), PAYLOADS[int(request.args[1])], code=IMG)

        yield running


@pytest.fixture(scope="module")
def environ(gateway: Gateway) -> dict[str, str]:
    return {"JUPYTER_ASSISTANT_BASE_URL": gateway.url, "JUPYTER_ASSISTANT_MODEL": "echo"}


@pytest.fixture(autouse=True)
def as_before(lab: Lab) -> Iterator[None]:
    """What a test has changed of the settings is the environment's again."""
    yield
    http(lab, "PATCH", "settings", {"model": None, "base_url": None, "instructions": None})


def http(lab: Lab, method: str, path: str, body: object = None) -> httpx.Response:
    headers = {"Authorization": f"token {lab.token}"}
    answer = httpx.request(method, f"{lab.url}assistant/{path}", json=body, headers=headers, trust_env=False)
    return answer.raise_for_status()


def write_notebook(lab: Lab, name: str) -> str:
    """A notebook all of whose texts are hostile, and the page that opens it."""
    notebook = json.loads((lab.root / "failing-sales.ipynb").read_text("utf-8"))
    code = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    error = {"output_type": "error", "ename": IMG, "evalue": IMG, "traceback": [IMG, LINES[3]]}
    failing = {**copy.deepcopy(code), "source": f"# {IMG}\nwhy_fail('{IMG}')", "outputs": [error], "execution_count": 1}
    texts = [
        {"cell_type": "markdown", "metadata": {}, "source": f"# {line} why does it fail"}
        for line in LINES
        if "evil" not in line  # what JupyterLab renders in a cell is its own: it loads images
    ]
    codes = [{**code, "source": f"# {line}", "outputs": []} for line in LINES if "evil" in line]
    notebook["cells"] = [{**cell, "id": f"c{number}"} for number, cell in enumerate([*texts, *codes, failing])]
    notebook["metadata"]["kernelspec"]["display_name"] = IMG
    notebook["metadata"]["language_info"] = {"name": "python", "version": IMG, "pygments_lexer": IMG}
    (lab.root / f"{name}.ipynb").write_text(json.dumps(notebook), "utf-8")
    return f"lab/tree/{urllib.parse.quote(f'{name}.ipynb')}?reset"


def test_no_answer_comes_to_life(sidebar: Sidebar) -> None:
    watch(sidebar.page)
    alive_ones = {}
    for number, payload in enumerate(PAYLOADS):
        http(sidebar.lab, "PATCH", "settings", {"model": f"say-{number}"})
        sidebar.ask("Attack.")
        sidebar.finished()
        if found := alive(sidebar.root):
            alive_ones[payload] = found
            sidebar.root.get_by_role("button", name="New conversation", exact=True).click()
    assert alive_ones == {}


def test_no_thought_comes_to_life(sidebar: Sidebar) -> None:
    http(sidebar.lab, "PATCH", "settings", {"model": "think-of"})
    watch(sidebar.page)
    sidebar.ask("Attack.")
    thoughts = sidebar.finished().locator("details:has(.jp-Assistant-reasoning)")
    thoughts.locator("summary").click()
    expect(thoughts).to_contain_text(PAYLOADS[0])
    assert alive(sidebar.root) == []


def test_no_refusal_of_a_gateway_comes_to_life(sidebar: Sidebar) -> None:
    watch(sidebar.page)
    for number, status in ((0, 400), (1, 401), (7, 403), (5, 404), (12, 500), (20, 400)):
        http(sidebar.lab, "PATCH", "settings", {"model": f"refuse-{status}-{number}"})
        sidebar.ask("Attack.")
        expect(sidebar.finished().locator(".jp-Assistant-error")).to_be_visible()
        assert alive(sidebar.root) == []


def test_no_question_and_no_title_comes_to_life(sidebar: Sidebar, tmp_path: Path) -> None:
    page, root = sidebar.page, sidebar.root
    watch(page)
    for line in (IMG, LINES[5], LINES[7], f"{RTL}{ZERO_WIDTH}{LINES[0]}"):
        root.get_by_role("button", name="New conversation", exact=True).click()
        expect(root.get_by_role("article")).to_have_count(0)
        sidebar.ask(line)
        sidebar.finished()
        expect(root.get_by_role("article").first).to_contain_text(line.strip(f"{RTL}{ZERO_WIDTH}"))
    listed = http(sidebar.lab, "GET", "conversations").json()["conversations"]
    for summary, line in zip(listed, LINES, strict=False):
        http(sidebar.lab, "PATCH", f"conversations/{summary['id']}", {"title": line[:500]})
    sidebar.reload()
    watch(page)
    root.locator(".jp-Assistant-title").click()
    history = root.get_by_role("group", name="Conversations", exact=True)
    history.get_by_role("button", name=f"Actions for {LINES[0]}").click()
    assert alive(root) == []
    history.get_by_role("searchbox").fill(IMG)
    assert alive(root) == []
    history.get_by_role("searchbox").fill("")
    for form in ("Markdown", "JSON"):
        if not history.get_by_role("button", name=f"Save as {form}").is_visible():
            history.get_by_role("button", name=f"Actions for {LINES[0]}").click()
        with page.expect_download() as saving:
            history.get_by_role("button", name=f"Save as {form}").click()
        name = saving.value.suggested_filename
        assert not set(name) & set('<>:"/\\|?*\u202e'), name
        saving.value.save_as(tmp_path / name)
        assert "__pwned" in (tmp_path / name).read_text("utf-8")
    history.get_by_role("button", name="Rename").click()
    expect(history.get_by_role("textbox", name="Title")).to_have_value(LINES[0])
    assert alive(root) == []


def test_no_draft_comes_to_life_over_a_reload(sidebar: Sidebar) -> None:
    text = "\n".join(payload for payload in PAYLOADS if payload.replace("\n", "").isprintable())
    sidebar.question.fill(text)
    sidebar.reload()
    watch(sidebar.page)
    expect(sidebar.question).to_have_value(text)
    assert alive(sidebar.root) == []


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_no_name_of_a_notebook_and_nothing_in_it_comes_to_life(open_sidebar: OpenSidebar, lab: Lab, name: str) -> None:
    http(lab, "PATCH", "settings", {"base_url": None, "model": "offline/responder"})
    with open_sidebar(write_notebook(lab, name)) as sidebar:
        page, root = sidebar.page, sidebar.root
        watch(page)
        expect(root.get_by_role("heading", name="Ask about")).to_contain_text(name[:20].strip())
        assert alive(root) == []
        sidebar.root.get_by_role("button", name="What leaves this machine").click()
        sheet = root.get_by_role("dialog", name="What leaves this machine")
        sheet.locator("summary").first.wait_for()
        sheet.evaluate("sheet => sheet.querySelectorAll('details').forEach(each => { each.open = true; })")
        assert alive(root) == []
        page.keyboard.press("Escape")
        sidebar.ask("Why does it fail?")
        answer = sidebar.finished()
        root.evaluate("root => root.querySelectorAll('details').forEach(each => { each.open = true; })")
        assert alive(root) == []
        assert page.evaluate("window.executed") == []
        source = answer.get_by_role("list", name="Sources").get_by_role("button").first
        source.click()
        page.wait_for_function("document.querySelector('.jp-Assistant-flash') !== null")
        assert page.evaluate("window.executed") == []
        assert page.evaluate("window.jupyterapp.shell.currentWidget.context.localPath") == f"{name}.ipynb"
        page.locator(".jp-Notebook").get_by_role("button", name="Fix", exact=True).first.click()
        sidebar.finished()
        assert alive(root) == []


def test_no_name_of_a_model_comes_to_life(sidebar: Sidebar) -> None:
    root = sidebar.root
    watch(sidebar.page)
    picker = root.get_by_role("button", name="Model:")
    picker.click()
    popup = root.get_by_role("dialog", name="Choose a model")
    popup.get_by_role("button", name="Look for models").click()
    expect(popup.get_by_role("option", name=LINES[0])).to_be_visible()
    assert alive(root) == []
    popup.get_by_role("combobox").fill(IMG)
    sidebar.page.keyboard.press("Enter")
    expect(picker).to_contain_text("onerror")
    assert alive(root) == []
    sidebar.ask("Attack.")
    expect(sidebar.finished().locator(".jp-Assistant-error")).to_contain_text("onerror")
    assert alive(root) == []


def test_no_value_of_a_setting_comes_to_life(sidebar: Sidebar) -> None:
    http(sidebar.lab, "PATCH", "settings", {"instructions": "\n".join(LINES), "model": LINES[1]})
    sidebar.reload()
    watch(sidebar.page)
    sidebar.root.get_by_role("button", name="Settings", exact=True).first.click()
    sidebar.root.get_by_role("dialog", name="Settings").wait_for()
    assert alive(sidebar.root) == []
