"""Kernels of open notebooks that are missing or restarted: a sentence soon, no dialog of ours, nothing hangs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.chromium.tab import LOAD_MS, Tab, ToolFailed, code, until
from tests.chromium.tabs import *  # noqa: F403
from tests.chromium.tabs import OpenTab
from tests.lab import Lab

ENDLESS = "import time\nprint('begun', flush=True)\nwhile True:\n    time.sleep(0.05)"
R = {"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}, "language_info": {"name": "R"}}


def prompts(tab: Tab, *ids: str) -> list[str]:
    return [tab.cell(id).locator(".jp-InputPrompt").inner_text() for id in ids]


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
