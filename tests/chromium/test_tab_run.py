"""Cells that a client runs in an open notebook: they run there before the user's eyes, as if he had pressed the key."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.chromium.tab import LOAD_MS, Tab, ToolFailed, code, text, until
from tests.chromium.tabs import *  # noqa: F403
from tests.chromium.tabs import OpenTab
from tests.lab import Lab

SLOW = "import time\nfor i in range(300):\n    print('line', i)\n    time.sleep(0.1)"
WAITS = "import os, time\nwhile not os.path.exists('go'):\n    print('waits')\n    time.sleep(0.05)"
ENDLESS = "import time\nprint('begun', flush=True)\nwhile True:\n    time.sleep(0.05)"
R = {"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}, "language_info": {"name": "R"}}


def prompt(tab: Tab, id: str) -> str:
    return tab.cell(id).locator(".jp-InputPrompt").inner_text()


def prompts(tab: Tab, *ids: str) -> list[str]:
    return [prompt(tab, id) for id in ids]


def interrupted(tab: Tab) -> None:
    """End what the kernel does."""
    tab.client.call("interrupt_kernel", path=tab.path)
    tab.idle()


def test_a_run_shows_while_it_runs_and_is_saved_with_its_outputs(open_tab: OpenTab) -> None:
    tab = open_tab(code("slow", WAITS), code("sum", "1 + 1"))
    (tab.lab.root / "go").unlink(missing_ok=True)
    begun = tab.client.begin("run_cells", path=tab.path)
    output = tab.cell("slow").locator(".jp-OutputArea-output").first
    expect(output).to_contain_text("waits")
    assert prompt(tab, "slow") == "[*]:"
    (tab.lab.root / "go").touch()
    said = begun.result()
    assert "done" in said
    assert (prompt(tab, "slow"), prompt(tab, "sum")) == ("[1]:", "[2]:")
    expect(tab.cell("sum").locator(".jp-OutputArea-output")).to_have_text("2")
    assert [cell["execution_count"] for cell in tab.stored] == [1, 2]
    assert tab.stored[1]["outputs"][0]["data"] == {"text/plain": ["2"]}
    assert not tab.dirty


def test_what_a_cell_prints_reaches_the_client_while_it_runs(open_tab: OpenTab) -> None:
    tab = open_tab(code("slow", SLOW))
    said = tab.client.call("run_cells", path=tab.path, wait_s=1)
    assert "line 0" in said
    execution = re.search(r"execution_id[^\w]+([\w-]+)", said)
    assert execution, said
    until(tab.page, lambda: "line 9" in tab.client.call("get_execution", execution_id=execution[1]))
    interrupted(tab)


def test_a_run_leaves_the_user_where_he_is(open_tab: OpenTab) -> None:
    tab = open_tab(code("mine", "x = 1"), *(code(f"cell{number}", "2") for number in range(40)))
    tab.write_in("mine", "  # typ")
    before = tab.place
    assert before["inside"]
    tab.client.call("run_cells", path=tab.path, cell_ids=["cell1", "cell39"])
    assert tab.place == before
    tab.page.keyboard.type("ed")
    assert tab.sources[0] == "x = 1  # typed"


def test_a_raising_cell_is_an_error_and_those_behind_it_do_not_run(open_tab: OpenTab) -> None:
    tab = open_tab(code("bad", "print('before')\n1 / 0"), code("after", "'never'"))
    with pytest.raises(ToolFailed, match="ZeroDivisionError"):
        tab.client.call("run_cells", path=tab.path)
    expect(tab.cell("bad").locator(".jp-OutputArea-output").last).to_contain_text("ZeroDivisionError")
    assert (prompt(tab, "bad"), prompt(tab, "after")) == ("[1]:", "[ ]:")
    assert [output["output_type"] for output in tab.stored[0]["outputs"]] == ["stream", "error"]


def test_a_run_beside_unsaved_text_saves_nothing(open_tab: OpenTab) -> None:
    tab = open_tab(code("mine", "x = 1"), code("theirs", "40 + 2"))
    tab.write_in("mine", "0")
    assert "42" in tab.client.call("run_cells", path=tab.path, cell_ids=["theirs"])
    assert tab.dirty
    assert tab.saved == ["x = 1", "40 + 2"]
    assert tab.stored[1]["outputs"] == []


def test_a_cancelled_run_interrupts_its_cell_and_leaves_the_rest(open_tab: OpenTab) -> None:
    tab = open_tab(code("slow", SLOW), code("after", "'never'"))
    with pytest.raises(ToolFailed, match="KeyboardInterrupt"):
        tab.client.call("run_cells", path=tab.path, timeout_s=1)
    expect(tab.cell("slow").locator(".jp-OutputArea-output").last).to_contain_text("KeyboardInterrupt")
    assert prompt(tab, "after") == "[ ]:"


def test_a_run_waits_behind_the_cell_of_the_user_and_never_interrupts_it(open_tab: OpenTab) -> None:
    tab = open_tab(code("mine", WAITS), code("theirs", "'ran'"))
    (tab.lab.root / "go").unlink(missing_ok=True)
    tab.cell("mine").locator(".cm-content").click()
    tab.page.keyboard.press("Control+Enter")
    expect(tab.cell("mine").locator(".jp-OutputArea-output").first).to_contain_text("waits")
    begun = tab.client.begin("run_cells", path=tab.path, cell_ids=["theirs"])
    until(tab.page, lambda: prompt(tab, "theirs") == "[*]:")
    assert prompt(tab, "mine") == "[*]:"
    (tab.lab.root / "go").touch()
    assert "ran" in begun.result()
    assert (prompt(tab, "mine"), prompt(tab, "theirs")) == ("[1]:", "[2]:")


def test_cells_out_of_sight_run_too(open_tab: OpenTab) -> None:
    tab = open_tab(*(code(f"cell{number}", f"{number} + 1000") for number in range(300)))
    said = tab.client.call("run_cells", path=tab.path, cell_ids=["cell250", "cell299"])
    assert "1250" in said
    assert "1299" in said
    assert tab.stored[299]["outputs"][0]["data"] == {"text/plain": ["1299"]}
    assert tab.place["top"] == 0


def test_text_cells_are_left_as_the_user_has_them_and_empty_cells_do_nothing(open_tab: OpenTab) -> None:
    tab = open_tab(text("words", "# Title"), code("empty", ""), code("last", "7 * 6"))
    tab.cell("words").dblclick()
    expect(tab.cell("words").locator(".cm-content")).to_be_visible()
    assert "42" in tab.client.call("run_cells", path=tab.path, cell_ids=["words", "empty", "last"])
    expect(tab.cell("words").locator(".cm-content")).to_be_visible()


def test_a_notebook_whose_kernel_was_shut_down_gets_one_without_a_question(open_tab: OpenTab) -> None:
    tab = open_tab(code("sum", "1 + 1"))
    tab.page.evaluate(
        """async path => void (await Array.from(window.jupyterapp.shell.widgets('main'))
             .find(each => each.context?.path === path).sessionContext.shutdown())""",
        tab.path,
    )
    assert "2" in tab.client.call("run_cells", path=tab.path)
    assert prompt(tab, "sum") == "[1]:"


def test_a_running_cell_is_not_moved_or_deleted(open_tab: OpenTab) -> None:
    tab = open_tab(code("slow", SLOW), code("other", "1"))
    tab.client.call("run_cells", path=tab.path, cell_ids=["slow"], wait_s=0)
    until(tab.page, lambda: prompt(tab, "slow") == "[*]:")
    for tool, arguments in (("move_cell", {"cell_id": "slow"}), ("delete_cells", {"cell_ids": ["slow"]})):
        with pytest.raises(ToolFailed, match="running"):
            tab.client.call(tool, path=tab.path, **arguments)
    interrupted(tab)


# ---------------------------------------------------------------- kernels that are missing, and restarts


def refused(tab: Tab) -> tuple[str, float]:
    """What a run is told, and after how many seconds."""
    begun = time.monotonic()
    with pytest.raises(ToolFailed) as failed:
        tab.client.call("run_cells", path=tab.path, cell_ids=["a"])
    return str(failed.value), time.monotonic() - begun


@pytest.fixture
def foreign(lab: Lab, page: Page) -> Iterator[Tab]:
    """A notebook for a kernel that is not installed: JupyterLab asks its user for another."""
    tab = Tab(lab, page, "foreign.ipynb")
    body = {"metadata": R, "nbformat": 4, "nbformat_minor": 5, "cells": [code("a", "1 + 1"), code("b", "2")]}
    tab.file.write_text(json.dumps(body))
    page.evaluate("path => void window.jupyterapp.commands.execute('docmanager:open', {path})", tab.path)
    page.wait_for_selector(".jp-Dialog", timeout=LOAD_MS)
    until(page, lambda: tab.is_open)
    yield tab
    tab.no_dialog()
    tab.close()


def test_a_notebook_whose_kernel_is_missing_is_edited_and_its_runs_are_refused_soon(foreign: Tab) -> None:
    foreign.client.call("edit_cell", path=foreign.path, cell_id="b", old="2", new="3")
    assert foreign.saved == foreign.sources == ["1 + 1", "3"]
    said, seconds = refused(foreign)
    assert "JupyterLab asks the user which kernel" in said
    assert "choose a kernel in the dialog" in said
    assert seconds < 5
    dialog = foreign.page.locator(".jp-Dialog")
    dialog.get_by_role("button", name="No Kernel").click()
    expect(dialog).to_have_count(0)
    said, seconds = refused(foreign)
    assert "has no kernel, and names none that is installed" in said
    assert "in the dialog" not in said
    assert foreign.stored[0]["outputs"] == []
    expect(dialog).to_have_count(0)


def test_a_run_goes_on_with_the_kernel_that_the_user_chooses(foreign: Tab) -> None:
    begun = foreign.client.begin("run_cells", path=foreign.path, cell_ids=["a"])
    foreign.page.wait_for_timeout(1_000)
    dialog = foreign.page.locator(".jp-Dialog")
    dialog.locator("select").select_option(label="Python 3 (ipykernel)")
    dialog.get_by_role("button", name="Select").click()
    until(foreign.page, begun.done)
    assert "2" in begun.result()
    assert prompts(foreign, "a") == ["[1]:"]


def test_a_restart_ends_what_the_user_had_running_and_queued(open_tab: OpenTab) -> None:
    tab = open_tab(code("mine", ENDLESS), code("queued", "'queued'"), code("theirs", "'ran'"))
    tab.cell("mine").locator(".cm-content").click()
    tab.page.keyboard.press("Shift+Enter")
    tab.page.keyboard.press("Shift+Enter")
    expect(tab.cell("mine").locator(".jp-OutputArea-output")).to_have_text("begun\n")
    until(tab.page, lambda: prompts(tab, "mine", "queued") == ["[*]:", "[*]:"])
    assert "restarted" in tab.client.call("restart_kernel", path=tab.path)
    until(tab.page, lambda: prompts(tab, "mine", "queued") == ["[ ]:", "[ ]:"])
    tab.cell("queued").locator(".cm-content").click()
    tab.page.keyboard.press("Control+Enter")
    expect(tab.cell("queued").locator(".jp-OutputArea-output")).to_have_text("'queued'")
    assert "'ran'" in tab.client.call("run_cells", path=tab.path, cell_ids=["theirs"])
    assert prompts(tab, "mine", "queued", "theirs") == ["[ ]:", "[1]:", "[2]:"]


def test_a_run_that_waited_behind_the_user_is_told_of_the_restart(open_tab: OpenTab) -> None:
    tab = open_tab(code("mine", ENDLESS), code("theirs", "'ran'"))
    tab.cell("mine").locator(".cm-content").click()
    tab.page.keyboard.press("Control+Enter")
    expect(tab.cell("mine").locator(".jp-OutputArea-output")).to_have_text("begun\n")
    begun = tab.client.begin("run_cells", path=tab.path, cell_ids=["theirs"])
    until(tab.page, lambda: prompts(tab, "mine", "theirs") == ["[*]:", "[*]:"])
    tab.client.call("restart_kernel", path=tab.path)
    with pytest.raises(ToolFailed, match="The kernel was restarted"):
        begun.result()
    until(tab.page, lambda: "[*]:" not in prompts(tab, "mine", "theirs"))
    assert "'ran'" in tab.client.call("run_cells", path=tab.path, cell_ids=["theirs"])
