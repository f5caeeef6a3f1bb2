"""Runs in a room: what a cell says appears in the shared document while it comes, and once."""

from __future__ import annotations

import json
from typing import Any

import nbformat
import pytest

from jupyter_assistant.notebooks import Document
from jupyter_assistant.notebooks.edits import Insert, NewCell, SetOutputs
from jupyter_assistant.notebooks.live.merging import fit, overlap, shown
from tests.conftest import Server
from tests.document import Json, code, notebook, printed
from tests.kernels import over, put, text_of
from tests.room.conftest import Join, Person


@pytest.fixture
def path(server: Server) -> str:
    return "run.ipynb"


async def opened(server: Server, join: Join, *cells: str) -> tuple[Document, Person]:
    put(server.root / "run.ipynb", cells)
    person = await join("run.ipynb")
    return await server.built.notebooks.open("run.ipynb"), person


async def test_outputs_appear_in_the_room_once(server: Server, join: Join) -> None:
    document, person = await opened(server, join, "print('one')\n6 * 7")
    execution = await over(await server.built.kernels.run(document, ["cell-0"]))
    assert execution.state == "done"
    await person.sees(lambda: len(person.outputs(0)) == 2)
    printed_one, result = person.outputs(0)
    assert (printed_one["text"], result["data"]) == ("one\n", {"text/plain": "42"})
    assert person.document.ycells[0]["execution_count"] == 1
    assert person.document.ycells[0]["execution_state"] == "idle"
    await person.sees_saved()
    (cell,) = nbformat.read(server.root / "run.ipynb", as_version=4).cells
    assert (cell.execution_count, text_of(cell.outputs)) == (1, "one\n42")


async def test_a_cell_that_runs_is_shown_as_running_and_what_it_says_is_added(server: Server, join: Join) -> None:
    code = "import time\nprint('first', flush=True)\nwhile not open('go').read(): time.sleep(0.01)\nprint('last')"
    (server.root / "go").touch()
    document, person = await opened(server, join, code)
    cell = person.document.ycells[0]
    execution = await server.built.kernels.run(document, ["cell-0"])
    await person.sees(lambda: cell["execution_state"] == "running" and text_of(person.outputs(0)) == "first\n")
    text = cell["outputs"][0]["text"]
    (server.root / "go").write_text("now")
    await over(execution)
    await person.sees(lambda: cell["execution_state"] == "idle" and text_of(person.outputs(0)) == "first\nlast\n")
    assert str(text) == "first\nlast\n"  # the same text has grown


async def test_what_is_typed_while_a_cell_runs_is_kept_and_said(server: Server, join: Join) -> None:
    (server.root / "go").touch()
    code = "import time\nwhile not open('go').read(): time.sleep(0.01)\nprint('done')"
    document, person = await opened(server, join, code, "")
    execution = await server.built.kernels.run(document, ["cell-0"])
    await person.sees(lambda: person.document.ycells[0]["execution_state"] == "running")
    person.text(0).insert(0, "# typed\n")
    person.text(1).insert(0, "typed = 1")
    (server.root / "go").write_text("now")
    await over(execution)
    await person.sees(lambda: text_of(person.outputs(0)) == "done\n")
    assert person.sources == ["# typed\n" + code, "typed = 1"]
    assert "edited while it ran" in execution.cells[0].note


async def test_a_cell_that_everybody_leaves_while_it_runs_has_its_outputs_in_the_file(
    server: Server, join: Join
) -> None:
    (server.root / "go").touch()
    code = "import time\nwhile not open('go').read(): time.sleep(0.01)\nprint('done')"
    document, person = await opened(server, join, code)
    execution = await server.built.kernels.run(document, ["cell-0"])
    await person.sees(lambda: person.document.ycells[0]["execution_state"] == "running")
    await person.leave()
    (server.root / "go").write_text("now")
    await over(execution)
    (cell,) = nbformat.read(server.root / "run.ipynb", as_version=4).cells
    assert text_of(cell.outputs) == "done\n"


# ---------------------------------------------------------------- trust


async def trusted(person: Person) -> list[object]:
    return [cell["metadata"].to_py().get("trusted") for cell in person.document.ycells]


async def test_what_runs_where_all_is_trusted_is_trusted(server: Server, join: Join) -> None:
    document, person = await opened(server, join, "1")
    (name,) = (await document.apply([Insert((NewCell("code", "2"),))])).inserted
    await document.apply([SetOutputs(name, (printed("2"),), 1)])
    await person.sees(lambda: len(person.document.ycells) == 2 and len(person.outputs(1)) == 1)
    assert (await trusted(person))[1] is True


async def test_what_runs_beside_mistrusted_outputs_is_not_trusted(server: Server, join: Join) -> None:
    page: Json = {"output_type": "display_data", "data": {"text/html": "<b>"}, "metadata": {}}
    (server.root / "run.ipynb").write_text(json.dumps(notebook(code("a", "1", page), code("b", "2"))), "utf-8")
    person = await join("run.ipynb")
    document = await server.built.notebooks.open("run.ipynb")
    await document.apply([SetOutputs("b", (page,), 1)])
    await person.sees(lambda: len(person.outputs(1)) == 1)
    assert await trusted(person) == [False, False]


# ---------------------------------------------------------------- outputs that change


PAGE: Json = {"output_type": "display_data", "data": {"text/html": "<b>"}, "metadata": {}}
ERR: Json = {"output_type": "stream", "name": "stderr", "text": "one\n"}


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        ([], [PAGE], (0, "")),
        ([PAGE], [PAGE], (1, "")),
        ([PAGE], [], (0, "")),
        ([printed("one\n")], [printed("one\ntwo\n")], (1, "two\n")),
        ([printed("one\n")], [printed("one\ntwo\n"), PAGE], (1, "two\n")),
        ([printed("one\n")], [printed("two\n")], (0, "")),
        ([printed("one\n")], [ERR], (0, "")),
        ([printed("one\n"), PAGE], [printed("one\ntwo\n"), PAGE], (0, "")),
        ([PAGE, printed("one\n")], [PAGE, printed("one\n"), PAGE], (2, "")),
    ],
)
def test_only_what_differs_is_written_again(old: list[Json], new: list[Json], kept: tuple[int, str]) -> None:
    assert overlap(old, new) == kept


def test_texts_of_one_stream_are_one_output_as_a_page_shows_them() -> None:
    assert shown([printed("a"), printed("b"), ERR, printed("c")]) == [printed("ab"), ERR, printed("c")]


@pytest.mark.parametrize(
    ("value", "held"),
    [("\ud800", "\ufffd"), ({"\udfff": [2**53, 2**60]}, {"\ufffd": [2**53, float(2**60)]}), (10**400, f"{10**400}")],
    ids=["half a character", "a large number", "a huge number"],
)
async def test_a_value_that_would_stop_a_shared_document_is_made_to_fit(
    server: Server, join: Join, value: Any, held: Any
) -> None:
    assert fit(value) == held
    document, person = await opened(server, join, "1")
    output = {"output_type": "display_data", "data": {"application/json": {"value": value}}, "metadata": {}}
    await document.apply([SetOutputs("cell-0", (output,), 1)])
    await person.sees(lambda: len(person.outputs(0)) == 1)
    assert person.outputs(0)[0]["data"]["application/json"]["value"] == held
