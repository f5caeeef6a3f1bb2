"""The chat and a notebook that is open in a tab: it is answered from what its user sees there."""

from __future__ import annotations

import json
from typing import Any

from jupyter_assistant import sse
from tests.conftest import Server
from tests.document import THREE, printed
from tests.tabs import Window, put


def texts(answer: list[sse.ServerEvent], event: str) -> list[str]:
    return [json.loads(each.data)["text"] for each in answer if each.event == event]


async def given(server: Server, question: str, **notebook: Any) -> str:
    """What a model would be given, as one text."""
    asked = {"question": question, "notebook": {"path": "a.ipynb", **notebook}}
    response = await server.client.post("preview", json=asked)
    assert response.status_code == 200, response.text
    return "\n".join(item["text"] for item in response.json()["items"])


async def test_a_question_without_unsaved_cells_is_answered_from_the_tab(server: Server) -> None:
    put(server, THREE)
    async with Window(server) as window:
        page = await window.open("a.ipynb")
        page.type("c", "typed_and_not_saved = 1")
        page.cell("c")["outputs"] = [printed("not saved either")]
        page.touch("c")
        text = await given(server, "What does cell c print?", cell_id="c")
        assert "typed_and_not_saved = 1" in text
        assert "not saved either" in text
        answer = await server.ask("What is typed_and_not_saved?", notebook={"path": "a.ipynb", "cell_id": "c"})
        assert "typed_and_not_saved" in "".join(texts(answer, "token"))


async def test_a_question_that_the_tab_leaves_unanswered_says_that_it_is_about_what_was_saved(server: Server) -> None:
    put(server, THREE)
    async with Window(server) as window:
        page = await window.open("a.ipynb")
        page.type("c", "typed_and_not_saved = 1")
        await window.shown()
        with window.hung():
            answer = await server.ask("What does the notebook hold?", notebook={"path": "a.ipynb"})
            assert any("saved last" in text for text in texts(answer, "status"))
            assert "saved last" in await given(server, "What does it hold?")
