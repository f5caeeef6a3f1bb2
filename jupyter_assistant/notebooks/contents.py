"""The home behind a contents manager that is not exactly one of Jupyter Server's file managers.

The law: such a manager (object store, database, a subclass with its own rules) is asked through its own API, as the
person who asks; its HTTP errors become ours without their text, which may name places we do not show.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from ..errors import (
    CellNotFound,
    NotebookBusy,
    NotebookError,
    NotebookExists,
    NotebookNotFound,
    NotebookUnreadable,
    PathRefused,
    SaveFailed,
)
from .cells import Snapshot, digest
from .edits import Change, Edit, Json, NewCell, Placed, Plan, decide, new_notebook, revised
from .entire import trimmed, upgraded
from .nbformats import older_cells
from .paths import hidden, refuse_hidden, relative
from .payloads import bounded
from .signing import rejoined
from .splice import clean, new_cell

_FILES = "jupyter_server.services.contents.filemanager"
_LARGE = "jupyter_server.services.contents.largefilemanager"
STOCK = frozenset(
    {
        (_FILES, "FileContentsManager"),
        (_FILES, "AsyncFileContentsManager"),
        (_LARGE, "LargeFileManager"),
        (_LARGE, "AsyncLargeFileManager"),
    }
)


def is_stock(contents_manager: object) -> bool:
    """Whether the manager's class is exactly one of Jupyter Server's own file managers: then its files are the home."""
    kind = type(contents_manager)
    return (kind.__module__, kind.__qualname__) in STOCK


TRIES = 4


@dataclass(frozen=True, slots=True)
class ContentsDocument:
    """A notebook that only the contents manager can reach; ``path`` is the manager's API path."""

    path: str
    contents_manager: Any
    turn: asyncio.Lock

    async def read(self) -> Snapshot:
        """Its content now; raises ``NotebookNotFound``, ``PathRefused``, ``NotebookUnreadable``."""
        return (await self._read())[0]

    async def outputs(self, cell_ids: Sequence[str]) -> Mapping[str, tuple[Json, ...]]:
        """The nbformat 4 outputs of these cells; raises ``CellNotFound`` and as ``read``."""
        snapshot, content = await self._read()
        places = {cell.id: cell.index for cell in snapshot.cells}
        if missing := [name for name in cell_ids if name not in places]:
            raise CellNotFound(f"{self.path} has no cell {missing[0][:64]}.")
        cells: Sequence[Json] = content["cells"] if snapshot.nbformat >= (4, 0) else older_cells(content)
        return {name: tuple(map(bounded, cells[places[name]].get("outputs") or ())) for name in cell_ids}

    async def nbformat(self, cell_ids: Sequence[str] | None = None) -> Json:
        """The notebook as nbformat 4 JSON; raises as ``Document.nbformat``."""
        snapshot, content = await self._read()
        found, missing = await asyncio.to_thread(_entire, content, snapshot.nbformat, cell_ids)
        if missing:
            raise CellNotFound(f"{self.path} has no cell {missing[0][:64]}.")
        return found

    async def apply(self, edits: Sequence[Edit], expected: Mapping[str, str] = {}) -> Change:
        """Make all ``edits`` or none, through the manager; raises as ``Document.apply``."""
        async with self.turn:
            for _ in range(TRIES):
                snapshot, content = await self._read()
                plan = await asyncio.to_thread(decide, snapshot, edits, expected)
                if plan.is_empty:
                    return plan.change(self.path, snapshot.revision)
                made = await asyncio.to_thread(_carried_out, content, plan)
                if await self._revision() == snapshot.revision:
                    return await self._saved(snapshot, plan, made)
        raise NotebookBusy(f"{self.path} changes all the time.")

    async def _saved(self, snapshot: Snapshot, plan: Plan, made: Json) -> Change:
        model = {"type": "notebook", "format": "json", "path": self.path, "content": made}
        try:
            await _called(self.contents_manager.save, model, self.path)
        except HTTPStatus as refused:
            if refused.status in (404, 410):
                raise NotebookNotFound(f"There is no notebook at {self.path}.") from None
            raise SaveFailed(
                f"The storage of {self.path} refused the save ({refused.status}).",
                "Check that the notebook may be written, then try again.",
            ) from None
        now, content = await self._read()
        held = {cell.id for cell in now.cells}
        if any(change.after is not None and change.cell_id not in held for change in plan.changes):
            raise SaveFailed(f"The storage of {self.path} did not keep the edit.", "Read the notebook again.")
        return revised(plan, snapshot, content).change(self.path, now.revision)

    async def _read(self) -> tuple[Snapshot, Json]:
        model = await asked(self.contents_manager.get, self.path, content=True, type="notebook")
        content: Json = model.get("content")
        return digest(content, path=self.path, revision=_revision(model), home="contents"), content

    async def _revision(self) -> str:
        return _revision(await asked(self.contents_manager.get, self.path, content=False, type="notebook"))


def _revision(model: Mapping[str, object]) -> str:
    return f"{model.get('hash') or ''}-{model.get('last_modified') or ''}"


class Contents:
    """The notebooks of a contents manager."""

    def __init__(self, contents_manager: Any) -> None:
        self._contents_manager = contents_manager
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def open(self, path: str) -> ContentsDocument:
        """The notebook at ``path``; raises ``PathRefused``, ``NotebookNotFound``."""
        named = await self._allowed(path)
        if not await asked(self._contents_manager.file_exists, named):
            raise NotebookNotFound(f"There is no notebook at {named}.")
        return self._document(named)

    async def create(self, path: str, cells: Sequence[NewCell], metadata: Json) -> ContentsDocument:
        """A new notebook; raises ``NotebookExists``, ``PathRefused``, ``NotebookNotFound``, ``SaveFailed``."""
        manager, named = self._contents_manager, await self._allowed(path)
        folder = named.rpartition("/")[0]
        if folder and not await asked(manager.dir_exists, folder):
            raise NotebookNotFound(f"There is no folder {folder}.", "Choose a folder that is there.")
        document = self._document(named)
        async with document.turn:
            if await asked(manager.file_exists, named):
                raise NotebookExists(f"There is something at {named} already.")
            content = rejoined(new_notebook(cells, metadata))
            model = {"type": "notebook", "format": "json", "path": named, "content": content}
            try:
                await _called(manager.save, model, named)
            except HTTPStatus as refused:
                raise SaveFailed(f"The storage refused to make {named} ({refused.status}).") from None
        return document

    async def glance(self, path: str) -> Snapshot:
        """The notebook's content; raises as ``open`` and ``ContentsDocument.read``."""
        return await (await self.open(path)).read()

    async def close(self) -> None:
        """Nothing is held."""

    async def _allowed(self, path: str) -> str:
        manager, named = self._contents_manager, relative(path)
        if not getattr(manager, "allow_hidden", False):
            refuse_hidden(named)
            if await asked(manager.is_hidden, named):
                raise hidden()
        return named

    def _document(self, path: str) -> ContentsDocument:
        turn = self._turns.get(path) or asyncio.Lock()
        self._turns[path] = turn
        return ContentsDocument(path, self._contents_manager, turn)


def _entire(content: Json, version: tuple[int, int], cell_ids: Sequence[str] | None) -> tuple[Json, list[str]]:
    """What ``entire.trimmed`` gives, without what the manager says of the cells' trust, which is not the notebook's."""
    if version < (4, 0):
        return trimmed(upgraded(content), cell_ids)
    made = copy.deepcopy(content)
    for cell in made["cells"]:
        if isinstance(cell.get("metadata"), dict):
            cell["metadata"].pop("trusted", None)
    return trimmed(made, cell_ids)


# ---------------------------------------------------------------- a plan on parsed JSON


def _carried_out(content: Json, plan: Plan) -> Json:
    """A copy of the notebook as the plan has it."""
    cells = copy.deepcopy(content["cells"])
    bare = not any(cell.get("outputs") for cell in cells)
    made = {**content, "cells": [_cell(cells, placed, bare) for placed in plan.cells]}
    return {**made, "nbformat_minor": 5} if plan.upgrade else made


def _cell(old: Sequence[Json], placed: Placed, bare: bool) -> Json:
    if placed.at is None:
        kind, source = placed.cell_type or "raw", placed.source or ""
        cell = new_cell(placed.id, kind, source, placed.outputs, placed.execution_count)
        return {**cell, "source": source}
    cell = old[placed.at]
    if placed.renamed:
        cell["id"] = placed.id
    if placed.cell_type is not None:
        cell["cell_type"] = placed.cell_type
        for name in ("attachments",) if placed.cell_type == "code" else ("outputs", "execution_count"):
            cell.pop(name, None)
    if placed.source is not None:
        cell["source"] = placed.source
    if placed.outputs is not None:
        cell.update(outputs=list(map(clean, placed.outputs)), execution_count=placed.execution_count)
        if bare:  # what ran where nothing was mistrusted is trusted, as in JupyterLab
            cell.setdefault("metadata", {})["trusted"] = True
    return cell


# ---------------------------------------------------------------- the manager's answers


class HTTPStatus(Exception):
    """The status of the manager's HTTP error; its text is not kept."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


async def asked(method: Any, path: str, **options: object) -> Any:
    try:
        return await _called(method, path, **options)
    except HTTPStatus as refused:
        raise _translated(refused.status, path) from None


async def _called(method: Any, *arguments: object, **options: object) -> Any:
    from tornado.web import HTTPError

    try:
        answer = method(*arguments, **options)
        return await answer if inspect.isawaitable(answer) else answer
    except HTTPError as error:
        raise HTTPStatus(error.status_code) from None
    except (OSError, ValueError, LookupError, RuntimeError) as error:  # stores of all kinds, which may name places
        raise HTTPStatus(500) from error


def _translated(status: int, path: str) -> NotebookError:
    if status == 404:
        return NotebookNotFound(f"There is no notebook at {path}.")
    if status in (401, 403):
        return PathRefused(f"{path} may not be read.", "Ask whoever runs this server for access.")
    if status == 400:
        return NotebookUnreadable(f"{path} cannot be read as a notebook.")
    return NotebookUnreadable(f"The storage of {path} answered with an error ({status}).", "Try again in a moment.")
