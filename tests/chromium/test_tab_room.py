"""A notebook that is open in real pages of JupyterLab with collaboration, while a client works on it through MCP.

The law: nobody saves it: its room does. Only the server, and what it serves, is of the environment with collaboration.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.chromium.tab import Tab, code, text, until, write
from tests.chromium.tabs import numbers, page
from tests.lab import Lab, running_lab
from tests.room import environment

__all__ = ["numbers", "page"]

pytestmark = pytest.mark.network

LOOP = "import time\nfor n in range(4):\n    print(n, flush=True)\n    time.sleep(0.8)"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab with collaboration; itself, and the front-end of the assistant, are this environment's."""
    try:
        python = environment.made()
    except subprocess.SubprocessError as error:
        pytest.skip(f"{environment.REQUIREMENT} cannot be installed here: {error}")
    ours = Path(sys.prefix) / "share" / "jupyter"
    theirs = environment.FOLDER / "share" / "jupyter"
    environ = {
        "JUPYTER_PATH": os.pathsep.join([str(theirs), str(ours)]),
        "JUPYTER_CONFIG_PATH": str(Path(sys.prefix) / "etc" / "jupyter"),
        "JUPYTERLAB_DIR": str(ours / "lab"),
    }
    with running_lab(tmp_path_factory.mktemp("lab"), environ, python=str(python)) as running:
        yield running


@pytest.fixture
def tab(lab: Lab, page: Page, numbers: Iterator[int]) -> Iterator[Tab]:
    """A notebook of a code cell, a text cell and a code cell."""
    tab = Tab(lab, page, f"shared{next(numbers)}.ipynb")
    write(tab.file, code("first", "x = 1\ny = 2"), text("words", "# Title"), code("last", "print('said')\nx + y"))
    yield tab.show()
    tab.no_dialog()
    tab.close()


def shown(tab: Tab) -> list[str]:
    """What stands under the cells of the page, one text an output."""
    found = tab.page.locator(".jp-Notebook:visible .jp-OutputArea-output").all_inner_texts()
    return [each.strip() for each in found]


def test_what_is_typed_while_a_client_edits_the_same_cell_is_kept(tab: Tab) -> None:
    assert tab.client.health()["rtc"]

    def edit() -> None:
        for number in range(1, 9):
            old, new = f"x = {number}\n", f"x = {number + 1}\n"
            tab.client.call("edit_cell", path=tab.path, cell_id="first", old=old, new=new)

    tab.write_in("first", "  # ")
    typed = ""
    with ThreadPoolExecutor(1) as client:
        edited = client.submit(edit)
        while not edited.done():
            tab.page.keyboard.type("word ", delay=20)
            typed += "word "
        edited.result()
    tab.page.keyboard.type("last")
    until(tab.page, lambda: tab.sources[0] == f"x = 9\ny = 2  # {typed}last")
    until(tab.page, lambda: tab.saved == tab.sources)


def test_cells_come_go_move_and_change_their_type_in_the_shared_page(tab: Tab) -> None:
    client, path = tab.client, tab.path
    client.call("insert_cells", path=path, cells=[{"cell_type": "code", "source": "new"}], after="first")
    until(tab.page, lambda: tab.sources[1:2] == ["new"])
    client.call("move_cell", path=path, cell_id="last", before="first")
    until(tab.page, lambda: tab.ids[0] == "last" and len(tab.ids) == 4)
    client.call("delete_cells", path=path, cell_ids=["words"])
    until(tab.page, lambda: len(tab.ids) == 3)
    known = client.call("read_cell", path=path, cell_id="first").split("hash ")[1][:12]
    client.call("replace_cell", path=path, cell_id="first", source="# One", source_hash=known, cell_type="markdown")
    expect(tab.cell("first").locator("h1")).to_have_text("One¶")
    until(tab.page, lambda: tab.saved == tab.sources == ["print('said')\nx + y", "# One", "new"])


def test_outputs_of_a_run_appear_in_the_shared_page_and_its_file_once(tab: Tab) -> None:
    said = tab.client.call("run_cells", path=tab.path, cell_ids=["first", "last"])
    assert "said" in said
    expect(tab.cell("last").locator(".jp-InputPrompt").first).to_have_text("[2]:")
    until(tab.page, lambda: shown(tab) == ["said", "3"])
    until(tab.page, lambda: len(tab.stored[2]["outputs"]) == 2)
    tab.close()
    tab.show()
    until(tab.page, lambda: shown(tab) == ["said", "3"])


def test_a_cell_that_runs_is_shown_as_running_and_its_text_grows(tab: Tab) -> None:
    known = tab.client.call("read_cell", path=tab.path, cell_id="first").split("hash ")[1][:12]
    tab.client.call("replace_cell", path=tab.path, cell_id="first", source=LOOP, source_hash=known)
    running = tab.client.begin("run_cells", path=tab.path, cell_ids=["first"])
    expect(tab.cell("first").locator(".jp-InputPrompt").first).to_have_text("[*]:")
    texts: list[str] = []

    def over() -> bool:
        texts.extend(shown(tab))
        return running.done()

    until(tab.page, over)
    running.result()
    until(tab.page, lambda: [each.split() for each in shown(tab)] == [["0", "1", "2", "3"]])
    assert any(0 < len(each.split()) < 4 for each in texts)
    expect(tab.cell("first").locator(".jp-InputPrompt").first).to_have_text("[1]:")
