"""A notebook that is renamed under a run, or between two calls, is the same notebook; its old path is another's."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_assistant.errors import NotebookNotFound
from jupyter_assistant.notebooks import Document
from jupyter_assistant.notebooks.edits import Replace
from tests.document import sources
from tests.kernels import Place, jp_asyncio_loop, over, place, put, stored, text_of, until

__all__ = ["jp_asyncio_loop", "place"]


def waiting_for(file: Path) -> str:
    lines = (
        "import os, time",
        "print('begun', flush=True)",
        f"while not os.path.exists({str(file)!r}): time.sleep(0.01)",
    )
    return "\n".join((*lines, "print('after')"))


async def follows(document: Document, path: str) -> bool:
    try:
        return (await document.read()).path == path
    except NotebookNotFound:
        return False


async def test_outputs_that_come_after_a_rename_are_in_the_renamed_file(place: Place, tmp_path: Path) -> None:
    cells = waiting_for(tmp_path / "go"), "'second'"
    path = place.write(*cells)
    document = await place.notebooks.open(path)
    execution = await place.kernels.run(document, ["cell-0", "cell-1"])
    await until(lambda: "begun" in text_of(execution.cells[0].outputs))
    await place.contents.rename(path, "other.ipynb")
    put(place.root / path, cells)
    await until(lambda: follows(document, "other.ipynb"))
    (tmp_path / "go").touch()
    await over(execution)
    assert [text_of(cell.outputs) for cell in stored(place.root / "other.ipynb")] == ["begun\nafter\n", "'second'"]
    assert [cell.outputs for cell in stored(place.root / path)] == [[], []]
    assert [cell.note for cell in execution.cells] == ["", ""]


async def test_a_document_goes_through_renames_of_its_folders_too(place: Place) -> None:
    path = place.write("1")
    (place.root / "in").mkdir()
    document = await place.notebooks.open(path)
    await place.contents.rename(path, "in/a.ipynb")
    await place.contents.rename("in", "inner")
    await until(lambda: follows(document, "inner/a.ipynb"))
    await document.apply([Replace("cell-0", "2")])
    assert await sources(document) == [("cell-0", "2")]
    assert stored(place.root / "inner/a.ipynb")[0].source == "2"


async def test_what_is_opened_at_the_old_path_later_is_another_notebook(place: Place) -> None:
    path = place.write("1")
    document = await place.notebooks.open(path)
    await place.contents.rename(path, "moved.ipynb")
    await until(lambda: follows(document, "moved.ipynb"))
    put(place.root / path, ["new"])
    other = await place.notebooks.open(path)
    await place.contents.rename("moved.ipynb", "moved-again.ipynb")
    await until(lambda: follows(document, "moved-again.ipynb"))
    assert await sources(other) == [("cell-0", "new")]


async def test_a_notebook_moved_behind_the_servers_back_is_gone(place: Place) -> None:
    path = place.write("1")
    document = await place.notebooks.open(path)
    (place.root / path).rename(place.root / "unseen.ipynb")
    with pytest.raises(NotebookNotFound):
        await document.read()
