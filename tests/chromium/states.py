"""Every state the sidebar can be in, each brought about as a user, a model or a gateway brings it about.

The law: a state is reached by what is done to a real JupyterLab, never by what is written into its page; it stays as it
is until the next one begins, so that it can be looked at in every theme and width.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Locator, expect

from tests.chromium.sidebar import Sidebar
from tests.chromium.stage import Stage
from tests.gateway import Gateway, Reply, Request, usage

PANEL = ".jp-Assistant-panel"

TRIES = 3
"""How often the server asks before it says that it was refused."""

SHOWCASE = """## Why the sums differ

The column is `"count"` in the file, but it was **renamed** to `quantity` in cell 4 [1]. So `df["count"]` finds nothing:

```python
total = (df["price"] * df["quantity"]).sum()
print(f"Total: {total:,.2f} in {len(df)} sales, the largest of which is {df['price'].max():,.2f}")
```

| region | sales | share |
|:-------|------:|------:|
| north  | 1 240 | 41 %  |
| south  |   980 | 33 %  |
| west   |   770 | 26 %  |

1. Rename it back, or
2. use the new name:
   - in cell 5,
   - in cell 9.

- [x] read the file
- [ ] plot the result

> A table keeps its own scroll bar.

See [the documentation](https://pandas.example/docs) and ![a plot](https://plots.example/total.png).
"""


@dataclass(frozen=True)
class State:
    """``reach`` brings it about; ``shows`` is what of the page it is."""

    name: str
    reach: Callable[[Stage], None]
    shows: str = PANEL


STATES: list[State] = []


def state(reach: Callable[[Stage], None]) -> Callable[[Stage], None]:
    """Register what the panel then shows under the function's own name."""
    STATES.append(State(reach.__name__, reach))
    return reach


def in_the_notebook(reach: Callable[[Stage], None]) -> Callable[[Stage], None]:
    """Register what the notebook then shows."""
    STATES.append(State(reach.__name__, reach, shows=".jp-Notebook .jp-Cell.jp-mod-active"))
    return reach


def play_on(gateway: Gateway) -> None:
    """Teach a gateway the models that the states need."""

    @gateway.play("showcase")
    async def showcase(reply: Reply, request: Request) -> None:
        await reply.head()
        await reply.delta(reasoning="The error names a column. ")
        await asyncio.sleep(1.2)  # so that there is a time to show
        await reply.delta(reasoning="Cell 4 renames it, and cell 5 still uses the old name.")
        for start in range(0, len(SHOWCASE), 24):
            await reply.delta(content=SHOWCASE[start : start + 24])
        await reply.finish(usage={**usage(212), "cost": 0.0031})

    @gateway.play("ponder")
    async def ponder(reply: Reply, request: Request) -> None:
        await reply.head()
        await reply.delta(reasoning="The error names a column that cell 4 renames. ")
        await reply.stall()

    @gateway.play("busy")
    async def busy(reply: Reply, request: Request) -> None:
        await reply.error(429, "Slow down", Retry_After="59" if request.turn % TRIES == 0 else "0")

    @gateway.play("half")
    async def half(reply: Reply, request: Request) -> None:
        await reply.head()
        await reply.delta(content=SHOWCASE[:330])
        await reply.stall()

    @gateway.play("long")
    async def long(reply: Reply, request: Request) -> None:
        await reply.head()
        await reply.delta(content=SHOWCASE * 3)
        while True:
            await asyncio.sleep(0.2)
            await reply.delta(content="more ")


def asked(stage: Stage, model: str | None, question: str = "Why do the sums differ?") -> Sidebar:
    """A question that has been answered, or has failed."""
    sidebar = stage.begin(model=model)
    sidebar.ask(question)
    sidebar.finished()
    return sidebar


# ---------------------------------------------------------------- before the first question


@state
def empty_without_a_model(stage: Stage) -> None:
    expect(stage.begin().root.get_by_role("region", name="Connect a model")).to_be_visible()


@state
def connect_a_gateway(stage: Stage) -> None:
    card = _card(stage)
    card.get_by_role("button", name="Use a gateway").click()
    card.get_by_label("Base URL").fill(stage.gateway.root)
    card.get_by_label("Model", exact=True).fill("markdown")
    card.get_by_role("button", name="Test").click()
    card.get_by_role("button", name="Use …/v1").wait_for()


@state
def connect_by_a_key_that_works(stage: Stage) -> None:
    card = _card(stage)
    card.get_by_role("button", name="Use a gateway").click()
    card.get_by_label("Base URL").fill(stage.gateway.url)
    card.get_by_label("Key (if it wants one)").fill("sk-0123456789abcdef")
    card.get_by_label("Model", exact=True).fill("markdown")
    card.get_by_role("button", name="Test").click()
    expect(card).to_contain_text("answered in")


@state
def connect_looking_for_a_local_model(stage: Stage) -> None:
    card = _card(stage)
    card.get_by_role("button", name="Look for a local model").click()
    card.locator(".jp-Assistant-form").wait_for()


@state
def empty_with_suggestions(stage: Stage) -> None:
    root = stage.begin(model="markdown").root
    expect(root.get_by_role("list", name="Questions to begin with")).to_be_visible()


@state
def empty_without_a_chosen_model(stage: Stage) -> None:
    stage.http("PATCH", "settings", {"base_url": stage.gateway.url, "model": None})
    stage.begin(model="")
    stage.sidebar.root.get_by_role("button", name="Choose a model").first.wait_for()


@state
def empty_without_a_notebook(stage: Stage) -> None:
    stage.choose("markdown")
    stage.blank()
    stage.page.goto(stage.lab.page("lab?reset"))
    stage.page.wait_for_selector(".jp-Launcher", timeout=60_000)
    if not stage.sidebar.question.is_visible():
        stage.page.keyboard.press("Control+Shift+A")
    stage.sidebar.question.wait_for()


# ---------------------------------------------------------------- an answer


@state
def waiting_for_the_model(stage: Stage) -> None:
    stage.begin(model="stall").ask("Why do the sums differ?")
    expect(stage.sidebar.root).to_contain_text("Waiting for")


@state
def thinking(stage: Stage) -> None:
    stage.begin(model="ponder").ask("Why do the sums differ?")
    expect(stage.sidebar.root).to_contain_text("Thinking…")


@state
def streaming(stage: Stage) -> None:
    stage.begin(model="half").ask("Why do the sums differ?")
    expect(stage.sidebar.answer).to_contain_text("Total:")


@state
def streaming_scrolled_up(stage: Stage) -> None:
    sidebar = stage.begin(model="long")
    sidebar.ask("Why do the sums differ?")
    log = sidebar.root.get_by_role("log")
    expect(log).to_contain_text("the documentation")
    log.evaluate("log => { log.scrollTop = 0; }")
    sidebar.root.get_by_role("button", name="New", exact=True).wait_for()


@state
def answered(stage: Stage) -> None:
    sidebar = asked(stage, "showcase")
    sidebar.root.get_by_role("log").evaluate("log => { log.scrollTop = 0; }")


@state
def answered_with_everything_open(stage: Stage) -> None:
    sidebar = asked(stage, "showcase")
    expect(sidebar.answer.locator("details[open]")).to_have_count(0)  # the thinking closes by itself, once
    for summary in sidebar.answer.locator("summary").all():
        summary.click()
    sidebar.root.get_by_role("log").evaluate("log => { log.scrollTop = 0; }")


@state
def answered_its_end(stage: Stage) -> None:
    asked(stage, "showcase")


@state
def answered_by_the_responder_with_sources(stage: Stage) -> None:
    expect(asked(stage, None, "Why does cell 11 fail?").answer).to_contain_text("KeyError")


@state
def stopped(stage: Stage) -> None:
    sidebar = stage.begin(model="half")
    sidebar.ask("Why do the sums differ?")
    expect(sidebar.answer).to_contain_text("Total:")
    sidebar.stop.click()
    sidebar.finished()


# ---------------------------------------------------------------- what goes wrong


@state
def failed_without_a_model(stage: Stage) -> None:
    sidebar = stage.begin(model="")
    sidebar.ask("Why do the sums differ?")
    sidebar.finished()


@state
def failed_for_its_key(stage: Stage) -> None:
    asked(stage, "status-401")


@state
def failed_for_its_rate(stage: Stage) -> None:
    expect(asked(stage, "busy").root).to_contain_text("Retrying in")


@state
def failed_for_want_of_quota(stage: Stage) -> None:
    asked(stage, "no-quota")


@state
def failed_as_the_gateway_is_down(stage: Stage) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        sidebar = stage.begin(model="markdown", base_url=f"http://127.0.0.1:{closed.getsockname()[1]}/v1")
        sidebar.ask("Why do the sums differ?")
        sidebar.finished()


@state
def failed_for_its_length(stage: Stage) -> None:
    asked(stage, "too-long")


@state
def failed_as_the_model_is_unknown(stage: Stage) -> None:
    asked(stage, "no-such-model")


@state
def failed_in_the_middle(stage: Stage) -> None:
    asked(stage, "cut")


@state
def a_conversation_that_cannot_be_loaded(stage: Stage) -> None:
    sidebar = asked(stage, "markdown")
    stage.page.route(re.compile(r"assistant/conversations/[^/]+$"), lambda route: route.abort())
    sidebar.reload()
    expect(sidebar.root.get_by_role("log").get_by_role("button", name="Try again")).to_be_visible()


@state
def a_question_that_is_too_long(stage: Stage) -> None:
    stage.begin(model="markdown").question.fill("Why do the sums differ? " * 1_400)
    expect(stage.sidebar.root).to_contain_text("too many")


# ---------------------------------------------------------------- what opens


@state
def history(stage: Stage) -> None:
    _list(stage)


@state
def history_with_its_actions(stage: Stage) -> None:
    _list(stage).get_by_role("button", name=re.compile("^Actions for")).first.click()


@state
def history_renaming(stage: Stage) -> None:
    listed = _list(stage)
    listed.get_by_role("button", name=re.compile("^Actions for")).first.click()
    listed.get_by_role("button", name="Rename").click()


@state
def history_asked_to_delete(stage: Stage) -> None:
    listed = _list(stage)
    listed.get_by_role("button", name=re.compile("^Actions for")).first.click()
    listed.get_by_role("button", name="Delete", exact=True).click()
    expect(listed.get_by_role("button", name="Keep")).to_be_focused()


@state
def history_found_nothing(stage: Stage) -> None:
    _list(stage).get_by_role("searchbox").fill("nothing like it")


@state
def history_with_the_archive(stage: Stage) -> None:
    have = len(stage.http("GET", "conversations").json()["conversations"])
    for number in range(have, 23):
        stage.http("POST", "conversations", {"title": f"Sales by quarter, part {number + 1}"})
    listed = _list(stage)
    listed.get_by_role("button", name=re.compile("^Show .* archived")).click()
    listed.get_by_role("button", name="Hide archived").scroll_into_view_if_needed()


@state
def choosing_a_model(stage: Stage) -> None:
    stage.begin(model="markdown").root.get_by_role("button", name="Model:").click()
    popup = stage.sidebar.root.get_by_role("dialog", name="Choose a model")
    popup.get_by_role("button", name="Look for models").click()
    popup.get_by_role("option", name="reasoning").wait_for()


@state
def connecting_from_an_error(stage: Stage) -> None:
    root = stage.begin(model="markdown").root
    root.get_by_role("button", name="Model:").click()
    root.get_by_role("dialog", name="Choose a model").get_by_role("button", name="Connect a model…").click()
    root.get_by_role("dialog", name="Connect a model").get_by_role("button", name="Paste a key").click()


@state
def what_leaves_this_machine(stage: Stage) -> None:
    sidebar = stage.begin(model="markdown")
    sidebar.question.fill("Why do the sums differ?")
    sidebar.root.get_by_role("button", name="What leaves this machine").click()
    sheet = sidebar.root.get_by_role("dialog", name="What leaves this machine")
    sheet.locator("summary").last.click()
    expect(sheet.locator("pre").last).to_be_visible()


@state
def settings(stage: Stage) -> None:
    _settings(stage)


@state
def settings_their_end(stage: Stage) -> None:
    sheet = _settings(stage)
    sheet.get_by_label("Search by meaning: model").fill("nomic-embed-text")
    sheet.locator(".jp-Assistant-sheetBody").evaluate("body => { body.scrollTop = body.scrollHeight; }")


@state
def settings_connecting_an_mcp_client(stage: Stage) -> None:
    sheet = _settings(stage)
    sheet.get_by_role("button", name="Connect an MCP client").click()
    sheet.get_by_role("tab", name="VS Code").click()
    expect(sheet.get_by_role("tabpanel")).to_contain_text("mcp.json")


@state
def settings_refused(stage: Stage) -> None:
    sheet = _settings(stage)
    sheet.get_by_label("Base URL").fill("ftp://gateway.example")
    sheet.get_by_role("button", name="Save", exact=True).click()
    sheet.locator("[aria-invalid=true]").wait_for()


@state
def settings_not_saved(stage: Stage) -> None:
    sheet = _settings(stage)
    sheet.get_by_label("Your instructions").fill("Answer in short sentences.")
    stage.page.keyboard.press("Escape")
    sheet.get_by_role("button", name="Save and close").wait_for()


@state
def a_question_without_its_cell(stage: Stage) -> None:
    sidebar = stage.begin(model="markdown")
    sidebar.question.fill("Why do the sums differ?")
    chips = sidebar.root.get_by_role("group", name="The next question is about")
    chips.get_by_role("button", name=re.compile("^Cell")).click()
    sidebar.question.focus()


@in_the_notebook
def an_error_in_a_cell(stage: Stage) -> None:
    stage.begin(model="markdown")
    stage.page.wait_for_function(
        "window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'"
    )
    stage.page.locator(".jp-Notebook .jp-Cell .jp-InputPrompt, .jp-Notebook .jp-InputArea-prompt").first.click()
    stage.page.keyboard.press("b")
    stage.page.keyboard.press("Enter")
    stage.page.keyboard.insert_text('prices = {"apple": 1}\nprices["pear"]')
    stage.page.keyboard.press("Control+Enter")
    cell = stage.page.locator(".jp-Notebook .jp-Cell.jp-mod-active")
    cell.get_by_role("button", name="Fix", exact=True).wait_for(timeout=30_000)


def _card(stage: Stage) -> Locator:
    card = stage.begin().root.get_by_role("region", name="Connect a model")
    card.wait_for()
    return card


def _settings(stage: Stage) -> Locator:
    root = stage.begin(model="markdown").root
    root.get_by_role("button", name="Settings", exact=True).click()
    sheet = root.get_by_role("dialog", name="Settings")
    sheet.get_by_label("Model", exact=True).wait_for()
    return sheet


def _list(stage: Stage) -> Locator:
    sidebar = asked(stage, "markdown", "Which region sells most, and by how much more than the others together?")
    sidebar.root.locator(".jp-Assistant-title").click()
    listed = sidebar.root.get_by_role("group", name="Conversations", exact=True)
    listed.get_by_role("heading").first.wait_for()
    return listed
