"""More than one view, more than one window, and windows that close, freeze or rename: nothing is lost or doubled."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.chromium.tab import Tab, ToolFailed, code, in_lab, text, until
from tests.chromium.tabs import *  # noqa: F403
from tests.chromium.tabs import OpenTab, page
from tests.lab import Lab

del page  # each test has a window of its own here

WAITS = "import os, time\nwhile not os.path.exists('go'):\n    print('waits')\n    time.sleep(0.05)"
FROZEN_MS = 8_000
FREEZE = "ms => setTimeout(() => { const end = Date.now() + ms; while (Date.now() < end) {} })"


@pytest.fixture(name="page")
def window(lab: Lab, browser: Browser) -> Iterator[Page]:
    """A window for each test, since here windows freeze and lose their notebooks."""
    with in_lab(lab, browser) as opened:
        yield opened


@pytest.fixture
def tab(open_tab: OpenTab) -> Tab:
    return open_tab(code("first", "x = 1"), text("words", "# Title"), code("last", "x + y"))


@pytest.fixture
def other(lab: Lab, browser: Browser) -> Iterator[Page]:
    """Another window of the same JupyterLab."""
    with in_lab(lab, browser) as opened:
        yield opened


def also(tab: Tab, window: Page) -> Tab:
    """The same notebook in another window, without changes."""
    there = Tab(tab.lab, window, tab.path)
    there.show()
    return there


def command(page: Page, name: str, **arguments: object) -> None:
    page.evaluate("([name, args]) => void window.jupyterapp.commands.execute(name, args)", [name, arguments])


def test_two_views_in_one_window_are_one_notebook(tab: Tab) -> None:
    command(tab.page, "docmanager:clone")
    views = tab.page.locator(".jp-NotebookPanel:visible")
    expect(views).to_have_count(2)
    assert tab.client.health()["tabs"]["notebooks"] >= 1
    tab.client.call("insert_cells", path=tab.path, cells=[{"cell_type": "code", "source": "new"}], after="first")
    for view in range(2):
        expect(views.nth(view).locator(".jp-Cell")).to_have_count(4)
    assert tab.saved == tab.sources == ["x = 1", "new", "# Title", "x + y"]
    tab.client.call("run_cells", path=tab.path, cell_ids=["first"])
    for view in range(2):
        expect(views.nth(view).locator(".jp-InputPrompt").first).to_have_text("[1]:")


def test_one_of_two_views_is_closed_and_the_other_goes_on(tab: Tab) -> None:
    command(tab.page, "docmanager:clone")
    expect(tab.page.locator(".jp-NotebookPanel:visible")).to_have_count(2)
    tab.page.evaluate(
        """path => Array.from(window.jupyterapp.shell.widgets('main'))
             .filter(each => each.context?.path === path)[0].dispose()""",
        tab.path,
    )
    tab.client.call("edit_cell", path=tab.path, cell_id="first", old="1", new="2")
    assert tab.saved[0] == tab.sources[0] == "x = 2"


def test_a_second_window_without_changes_takes_up_what_was_edited(tab: Tab, other: Page) -> None:
    there = also(tab, other)
    tab.client.call("edit_cell", path=tab.path, cell_id="first", old="x = 1", new="x = 1000")
    until(tab.page, lambda: tab.sources[0] == there.sources[0] == "x = 1000")
    there.client.call("edit_cell", path=tab.path, cell_id="last", old="x + y", new="x - y")
    until(tab.page, lambda: tab.sources == there.sources == ["x = 1000", "# Title", "x - y"])
    assert tab.saved == tab.sources
    there.write_in("first", "0")
    there.save()
    assert tab.saved[0] == "x = 10000"
    until(tab.page, lambda: tab.sources[0] == "x = 10000")
    assert not tab.dirty
    there.no_dialog()


def test_of_two_windows_the_one_with_changes_has_the_notebook(tab: Tab, other: Page) -> None:
    there = also(tab, other)
    there.write_in("last", "  # mine")
    until(tab.page, lambda: "# mine" in tab.client.call("read_notebook", path=tab.path))
    tab.client.call("edit_cell", path=tab.path, cell_id="first", old="1", new="2")
    assert there.sources == ["x = 2", "# Title", "x + y  # mine"]
    assert tab.sources == tab.saved == ["x = 1", "# Title", "x + y"]
    there.no_dialog()


def test_two_windows_with_changes_are_two_versions_and_neither_is_edited(tab: Tab, other: Page) -> None:
    there = also(tab, other)
    there.write_in("last", "  # theirs")
    tab.write_in("last", "  # mine")
    until(tab.page, lambda: tab.client.call("read_notebook", path=tab.path) != "")

    def refused() -> bool:
        try:
            tab.client.call("edit_cell", path=tab.path, cell_id="first", old="x = 1", new="x = 1")
        except ToolFailed as failed:
            return "two versions" in str(failed)
        return False

    until(tab.page, refused)
    assert (tab.sources[0], there.sources[0]) == ("x = 1", "x = 1")
    assert (tab.sources[2], there.sources[2]) == ("x + y  # mine", "x + y  # theirs")
    there.no_dialog()


def test_a_closed_notebook_is_its_file_again(tab: Tab) -> None:
    tab.close()
    until(tab.page, lambda: not tab.is_open)
    tab.client.call("edit_cell", path=tab.path, cell_id="first", old="1", new="2")
    assert tab.saved[0] == "x = 2"
    tab.show()
    assert tab.sources[0] == "x = 2"


def test_a_notebook_that_is_closed_while_it_runs_says_so(open_tab: OpenTab) -> None:
    tab = open_tab(code("slow", WAITS))
    (tab.lab.root / "go").unlink(missing_ok=True)
    begun = tab.client.begin("run_cells", path=tab.path)
    expect(tab.cell("slow").locator(".jp-OutputArea-output").first).to_contain_text("waits")
    tab.close()
    with pytest.raises(ToolFailed, match="closed") as failed:
        begun.result()
    assert "could not be written" not in str(failed.value)
    assert tab.saved == [WAITS]
    (tab.lab.root / "go").touch()


def test_a_renamed_notebook_is_edited_under_its_new_name(tab: Tab) -> None:
    renamed = tab.path.replace("tab", "renamed")
    tab.page.evaluate(
        "([from, to]) => window.jupyterapp.serviceManager.contents.rename(from, to).then(() => undefined)",
        [tab.path, renamed],
    )
    there = Tab(tab.lab, tab.page, renamed)
    until(tab.page, lambda: there.is_open)
    there.client.call("edit_cell", path=renamed, cell_id="first", old="1", new="2")
    assert there.saved[0] == there.sources[0] == "x = 2"
    assert not tab.file.exists()
    there.close()


def test_a_deleted_notebook_is_not_brought_back(tab: Tab) -> None:
    with tab.page.expect_response(re.compile("/checkpoints")):
        tab.page.keyboard.press("Control+s")
    tab.file.unlink()
    tab.client.call("edit_cell", path=tab.path, cell_id="first", old="1", new="2")
    assert tab.sources[0] == "x = 2"
    until(tab.page, lambda: tab.dirty)
    assert not tab.file.exists()


def test_a_frozen_page_is_read_as_last_saved_and_never_written_behind_its_back(tab: Tab) -> None:
    tab.write_in("last", "  # mine")
    until(tab.page, lambda: "# mine" in tab.client.call("read_notebook", path=tab.path))
    before = tab.file.read_bytes()
    tab.page.evaluate(f"void ({FREEZE})({FROZEN_MS})")
    said = tab.client.call("read_notebook", path=tab.path)
    assert "saved last" in said
    assert "# mine" not in said
    with pytest.raises(ToolFailed, match=r"does not answer|stopped answering"):
        tab.client.call("edit_cell", path=tab.path, cell_id="first", old="1", new="2")
    assert tab.file.read_bytes() == before
    assert tab.sources == ["x = 1", "# Title", "x + y  # mine"]
    until(tab.page, lambda: "# mine" in tab.client.call("read_notebook", path=tab.path))
    tab.client.call("edit_cell", path=tab.path, cell_id="first", old="1", new="2")
    assert tab.sources == ["x = 2", "# Title", "x + y  # mine"]


def asked(page: Page, text: str) -> dict[str, Any]:
    """The question that the sidebar of this window sends."""
    ask = page.get_by_role("textbox", name="Question")
    if not ask.is_visible():
        page.keyboard.press("Control+Shift+A")
    with page.expect_request(re.compile("/assistant/chat/stream")) as sent:
        ask.fill(text)
        ask.press("Enter")
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
        question = asked(window, "Which cell has a comment that says: typed only here?")
        assert question["notebook"]["path"] == tab.path
        assert not {"unsaved", "order"} & set(question["notebook"])
        answer = window.get_by_role("article", name=re.compile("^Assistant")).last
        expect(answer).to_contain_text("x = 300; x * 7")
        told = given(tab.lab, question)
        assert "x = 300; x * 7  # typed only here" in told
        assert "2100" in told
    assert tab.file.read_bytes() == before
    assert there.sources == ["x = 6", "x * 7"]
    there.no_dialog()


def test_a_window_that_is_switched_off_leaves_its_notebooks_to_their_files(tab: Tab) -> None:
    put = "on => window.jupyterapp.serviceManager.settings.save('jupyter-assistant:plugin', on)"
    tab.page.evaluate(f"({put})('{{\"enabled\": false}}')")
    tab.page.reload()
    tab.page.wait_for_selector(".jp-Notebook:visible .jp-Cell")
    until(tab.page, lambda: not tab.is_open)
    tab.page.evaluate(f"({put})('{{}}')")
    tab.page.reload()
    tab.ready()
