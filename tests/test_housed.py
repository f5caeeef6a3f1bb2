"""A document goes where its notebook goes: what was opened as a file is no file any more once a window has it."""

from __future__ import annotations

from jupyter_assistant.notebooks.edits import Replace
from tests.conftest import Server
from tests.document import THREE, sources
from tests.tabs import Window, put


async def test_a_document_of_a_file_that_a_window_opens_is_changed_in_the_window(server: Server) -> None:
    put(server, THREE)
    document = await server.built.notebooks.open("a.ipynb")
    assert (await document.read()).home == "file"
    async with Window(server) as window:
        page = await window.open("a.ipynb")
        page.type("c", "typed")
        before = (server.root / "a.ipynb").read_bytes()
        await document.apply([Replace("a", "z")])
        assert await sources(document) == [("a", "z"), ("b", "# Ä title"), ("c", "typed")]
        assert (server.root / "a.ipynb").read_bytes() == before
        assert (await document.read()).home == "tab"
