"""A notebook that is open while its file is gone: it is found, and a change to it says where it is."""

from __future__ import annotations

from jupyter_assistant.notebooks.listing import Entry, Listing
from jupyter_assistant.tools import Registry
from jupyter_assistant.tools.notebook import notebook_tools
from tests.conftest import Server
from tests.document import THREE
from tests.tabs import Window, put


async def test_a_change_says_that_the_file_is_gone_and_the_list_has_the_notebook(server: Server) -> None:
    built = await server.extension.open()
    tools = Registry(notebook_tools(built.notebooks, built.kernels), log=server.app.log)
    put(server, THREE)
    put(server, THREE, "b.ipynb")
    async with Window(server) as window:
        page = await window.open("a.ipynb")
        page.type("c", "typed")
        await window.shown()
        edit = {"path": "a.ipynb", "cell_id": "c", "old": "typed", "new": "edited"}
        assert "Note:" not in (await tools.call("edit_cell", edit)).text
        (server.root / "a.ipynb").unlink()
        told = await tools.call("edit_cell", {**edit, "old": "edited", "new": "again"})
        assert not told.is_error
        assert "saved nowhere: the notebook's file is gone" in told.text
        listed = (await tools.call("list_notebooks", {})).text
        assert "a.ipynb · open in JupyterLab only: its file is gone" in listed
        assert listed.index("b.ipynb") < listed.index("a.ipynb ·")
        assert "a.ipynb" not in (await tools.call("list_notebooks", {"pattern": "b*"})).text
        (server.root / "in").mkdir()
        assert "a.ipynb" not in (await tools.call("list_notebooks", {"path": "in"})).text


def test_pages_have_the_lost_ones_once_and_last() -> None:
    stored = [Entry(name, 1.0, 1) for name in "abc"]
    for limit in (1, 2, 3, 5, 9):
        found = []
        for offset in range(0, 6, limit):
            page = Listing(tuple(stored[offset : offset + limit]), 3).with_lost(["z", "y"], limit, offset)
            assert (page.total, len(page.entries) <= limit) == (5, True)
            found += [entry.path for entry in page.entries]
        assert found == ["a", "b", "c", "y", "z"]
