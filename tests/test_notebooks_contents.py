"""Notebooks of a contents manager that keeps no plain files: asked through its own API, its errors made ours."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.services.contents.filemanager import AsyncFileContentsManager, FileContentsManager
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager, LargeFileManager
from tornado.web import HTTPError

from jupyter_assistant.errors import NotebookError, NotebookNotFound, NotebookUnreadable, PathRefused
from jupyter_assistant.notebooks import Notebooks
from jupyter_assistant.notebooks.cells import Snapshot
from jupyter_assistant.notebooks.contents import is_stock

Json = dict[str, Any]
CELL: Json = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "1"}
NOTEBOOK: Json = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {},
    "cells": [CELL],
}


class Shelf:
    """A contents manager without files, synchronous as many are."""

    allow_hidden = False

    def __init__(self, **found: Json | HTTPError) -> None:
        self.found = {f"{name}.ipynb": content for name, content in found.items()}

    def is_hidden(self, path: str) -> bool:
        return path == "shy.ipynb"

    def file_exists(self, path: str) -> bool:
        return path in self.found

    def get(self, path: str, content: bool = True, type: str | None = None) -> Json:
        answer = self.found[path]
        if isinstance(answer, HTTPError):
            raise answer
        assert content
        assert type == "notebook"
        return {"content": answer, "last_modified": "2026-01-01", "hash": "abc"}


class AsyncShelf(Shelf):
    """The same, asynchronous."""

    async def file_exists(self, path: str) -> bool:  # type: ignore[override]  # traitlets' manager is synchronous
        return super().file_exists(path)

    async def get(self, path: str, content: bool = True, type: str | None = None) -> Json:  # type: ignore[override]  # traitlets' manager is synchronous
        return super().get(path, content, type)


async def read(manager: object, path: str = "a.ipynb", root: Path = Path()) -> Snapshot:
    notebooks = Notebooks(manager, root_dir=root, log=logging.getLogger("test"))
    try:
        return await (await notebooks.open(path)).read()
    finally:
        await notebooks.close()


@pytest.mark.parametrize("shelf", [Shelf, AsyncShelf])
async def test_a_notebook_is_read_through_the_managers_own_api(shelf: type[Shelf]) -> None:
    found = await read(shelf(a=NOTEBOOK))
    assert (found.cells[0].source, found.home, found.revision) == ("1", "contents", "abc-2026-01-01")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, NotebookUnreadable),
        (401, PathRefused),
        (403, PathRefused),
        (404, NotebookNotFound),
        (500, NotebookUnreadable),
        (503, NotebookUnreadable),
    ],
)
@pytest.mark.parametrize("shelf", [Shelf, AsyncShelf])
async def test_an_http_error_of_the_manager_becomes_ours_without_its_text(
    shelf: type[Shelf], status: int, error: type[NotebookError]
) -> None:
    with pytest.raises(error) as refused:
        await read(shelf(a=HTTPError(status, "Unreadable Notebook: /home/me/secret/a.ipynb")))
    assert "secret" not in refused.value.text + refused.value.hint
    assert refused.value.hint


@pytest.mark.parametrize(
    "path", ["../a.ipynb", "/a.ipynb", ".a.ipynb", "x/.b/a.ipynb", "shy.ipynb", "a.txt", "a\x00.ipynb"]
)
async def test_paths_are_refused_as_in_the_file_home(path: str) -> None:
    with pytest.raises(PathRefused):
        await read(Shelf(a=NOTEBOOK, shy=NOTEBOOK), path)


async def test_an_unknown_path_is_not_found() -> None:
    with pytest.raises(NotebookNotFound):
        await read(Shelf())


async def test_content_that_is_no_notebook_is_refused() -> None:
    with pytest.raises(NotebookUnreadable):
        await read(Shelf(a={"nbformat": 99, "cells": []}))


@pytest.mark.parametrize(
    "stock", [FileContentsManager, AsyncFileContentsManager, LargeFileManager, AsyncLargeFileManager]
)
def test_the_stock_file_managers_are_known(stock: type) -> None:
    assert is_stock(stock())


class Own(AsyncLargeFileManager):
    """A subclass may store its notebooks anywhere."""


async def test_a_subclass_is_asked_through_its_api(tmp_path: Path) -> None:
    manager = Own(root_dir=str(tmp_path))
    (tmp_path / "a.ipynb").write_text(json.dumps(NOTEBOOK))
    assert not is_stock(manager)
    assert (await read(manager, root=tmp_path)).home == "contents"
    manager.notary.store.close()
