"""The homes that are storage, the file and a contents manager of another kind: the one suite, and what only they do."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_server.services.contents.filemanager import AsyncFileContentsManager
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from nbformat.sign import NotebookNotary

from jupyter_assistant.errors import (
    EditRefused,
    NotebookExists,
    NotebookNotFound,
    NotebookUnreadable,
    PathRefused,
    SaveFailed,
)
from jupyter_assistant.notebooks import Document, Notebooks
from jupyter_assistant.notebooks.edits import ClearOutputs, Delete, Move, NewCell, Replace, Upgrade
from tests.document import *  # noqa: F403
from tests.document import THREE, Json, code, notebook, sources
from tests.document_nbformat import *  # noqa: F403
from tests.document_outputs import *  # noqa: F403


class Custom(AsyncFileContentsManager):
    """A manager with rules of its own, as far as anyone can know."""


@dataclass(frozen=True)
class Stored:
    """Notebooks of one home that is storage; ``padding`` makes them large, in characters."""

    notebooks: Notebooks
    root: Path
    padding: int

    async def put(self, content: Json, name: str = "a.ipynb") -> Document:
        content = {**content, "metadata": {**content["metadata"], "padding": "x" * self.padding}}
        (self.root / name).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return await self.notebooks.open(name)

    def stored(self, name: str = "a.ipynb") -> Any:
        found = nbformat.read(self.root / name, as_version=4)
        nbformat.validate(found)
        return found

    def mark(self, name: str = "a.ipynb") -> object:
        state = (self.root / name).stat()
        return state.st_ino, state.st_mtime_ns, (self.root / name).read_bytes()


HOMES: dict[str, tuple[Callable[..., Any], int]] = {
    "file": (lambda root, **options: AsyncLargeFileManager(root_dir=str(root), **options), 0),
    "large file": (lambda root, **options: AsyncLargeFileManager(root_dir=str(root), **options), 600_000),
    "contents": (lambda root, **options: Custom(root_dir=str(root), **options), 0),
}


@pytest.fixture(params=HOMES)
def home(
    request: pytest.FixtureRequest, tmp_path: Path, jp_asyncio_loop: asyncio.AbstractEventLoop
) -> Iterator[Stored]:
    make, padding = HOMES[request.param]
    root = tmp_path / "root"
    root.mkdir()
    manager = make(root, notary=NotebookNotary(data_dir=str(tmp_path)))
    notebooks = Notebooks(manager, root_dir=root, log=logging.getLogger("test"))
    yield Stored(notebooks, root, padding)
    jp_asyncio_loop.run_until_complete(notebooks.close())
    manager.notary.close()


# ---------------------------------------------------------------- odd notebooks


async def test_old_notebooks_are_read_and_not_edited_before_they_are_upgraded(home: Stored) -> None:
    old = notebook({key: value for key, value in code("", "x = 1").items() if key != "id"}, minor=4)
    document = await home.put(old)
    assert await sources(document) == [("#0", "x = 1")]
    with pytest.raises(EditRefused, match=r"nbformat 4\.4") as refused:
        await document.apply([Replace("#0", "2")])
    assert "JupyterLab" in refused.value.hint
    with pytest.raises(EditRefused, match="on its own"):
        await document.apply([Upgrade(), ClearOutputs()])
    change = await document.apply([Upgrade()])
    ((name, source),) = await sources(document)
    assert (source, len(name), [made.cell_id for made in change.cells]) == ("x = 1", 8, [name])
    assert home.stored().nbformat_minor == 5
    await document.apply([Replace(name, "2")])
    assert await sources(document) == [(name, "2")]


async def test_cells_without_an_id_of_their_own_are_left_alone(home: Stored) -> None:
    document = await home.put(notebook(code("a", "1"), code("a", "2"), code("b", "3")))
    try:
        assert [name for name, _ in await sources(document)] == ["a", "#1", "b"]
    except NotebookUnreadable:
        pytest.skip("this manager reads no such notebook")
    for edit in (Replace("#1", "x"), Delete(("#1",)), Move("b", after="#1")):
        with pytest.raises(EditRefused, match="no id of its own"):
            await document.apply([edit])
    await document.apply([Replace("b", "4"), Move("b", before="a")])
    assert await sources(document) == [("b", "4"), ("a", "1"), ("#2", "2")]


# ---------------------------------------------------------------- new notebooks


async def test_a_new_notebook_is_there_with_its_cells(home: Stored) -> None:
    document = await home.notebooks.create("new.ipynb", [NewCell("markdown", "# New\nä"), NewCell("code", "1")])
    assert [source for _, source in await sources(document)] == ["# New\nä", "1"]
    found = home.stored("new.ipynb")
    assert ((found.nbformat, found.nbformat_minor), found.cells[1].outputs) == ((4, 5), [])


async def test_a_new_notebook_takes_no_ones_place(home: Stored) -> None:
    await home.put(THREE)
    before = (home.root / "a.ipynb").read_bytes()
    with pytest.raises(NotebookExists):
        await home.notebooks.create("a.ipynb")
    assert (home.root / "a.ipynb").read_bytes() == before
    made = await asyncio.gather(*(home.notebooks.create("b.ipynb") for _ in range(4)), return_exceptions=True)
    assert sorted(isinstance(result, NotebookExists) for result in made) == [False, True, True, True]


@pytest.mark.parametrize(
    "path", ["../out.ipynb", ".hidden.ipynb", "/etc/x.ipynb", "x.py", ".a/x.ipynb", "a" * 300 + ".ipynb"]
)
async def test_a_new_notebook_stays_inside(home: Stored, path: str) -> None:
    with pytest.raises((PathRefused, NotebookNotFound, SaveFailed, NotebookUnreadable)) as refused:
        await home.notebooks.create(path)
    assert str(home.root) not in str(refused.value)
    assert not list(home.root.rglob("*.ipynb"))


async def test_a_new_notebook_wants_a_folder_that_is_there(home: Stored) -> None:
    with pytest.raises(NotebookNotFound, match="no folder nowhere"):
        await home.notebooks.create("nowhere/x.ipynb")
