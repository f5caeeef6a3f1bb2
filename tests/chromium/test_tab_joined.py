"""A notebook that the user opens while a client's run goes on in it: he sees what is there, and all that comes."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.chromium.tab import Tab, code, until
from tests.chromium.tabs import *  # noqa: F403
from tests.chromium.tabs import OpenTab

WAITS = """
import os, time
for word, file in [("begun", "more"), ("more", "go")]:
    print(word, flush=True)
    while not os.path.exists(file):
        time.sleep(0.02)
print("ended")
"""


def printed(tab: Tab) -> str:
    """What is in the file of the first cell's outputs."""
    return "".join("".join(output["text"]) for output in tab.stored[0]["outputs"])


def shows(tab: Tab, text: str) -> None:
    """Wait until the first cell shows it; its widgets are others where the page has taken up what was saved."""
    until(tab.page, lambda: tab.cell("slow").locator(".jp-OutputArea-output").all_inner_texts() == [text])


def test_a_notebook_opened_during_a_run_shows_and_saves_all_outputs(open_tab: OpenTab) -> None:
    tab = open_tab(code("slow", WAITS), code("sum", "1 + 1"))
    tab.close()
    until(tab.page, lambda: not tab.is_open)
    begun = tab.client.begin("run_cells", path=tab.path)
    until(tab.page, lambda: printed(tab) == "begun\n")
    tab.page.evaluate("path => void window.jupyterapp.commands.execute('docmanager:open', {path})", tab.path)
    shows(tab, "begun\n")
    (tab.lab.root / "more").touch()
    shows(tab, "begun\nmore\n")
    (tab.lab.root / "go").touch()
    said = begun.result()
    assert "could not be written" not in said
    shows(tab, "begun\nmore\nended\n")
    expect(tab.cell("sum").locator(".jp-OutputArea-output")).to_have_text("2")
    assert printed(tab) == "begun\nmore\nended\n"
    assert [cell["execution_count"] for cell in tab.stored] == [1, 2]
    tab.ready()
    assert not tab.dirty
