"""The notebooks of a contents manager that keeps no plain files: listed folder by folder through its own API.

The law: such a manager may be slow and endless, so a listing ends after so many folders and seconds and says that it
is not complete; its errors become ours without their text.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

from ..errors import NotebookError
from .contents import asked
from .listing import Changes, Entry, Listing, Sighting, Stamp, folder_path, matcher, page_of
from .paths import refuse_hidden, relative

MAX_FOLDERS = 1_000
SECONDS = 10.0


class Shelf:
    """All notebooks a contents manager shows, as far as they are in the first ``max_folders``."""

    def __init__(self, contents_manager: Any, max_folders: int = MAX_FOLDERS) -> None:
        self._manager = contents_manager
        self._max_folders = max_folders
        self._began = str(time.time())

    async def list(self, path: str = "", pattern: str = "*", limit: int = 100, offset: int = 0) -> Listing:
        """The notebooks below ``path`` that match (see ``listing.matcher``), by path.

        Raises ``PathRefused``, ``NotebookNotFound``, ``NotebookUnreadable``, ``InvalidInput``.
        """
        page_of(limit, offset)
        below = await self.place(folder_path(path))
        wanted = matcher(pattern, below)
        models, complete = await self._models(below)
        paths = sorted(filter(wanted, models))
        entries = tuple(_entry(path, models[path]) for path in paths[offset : offset + limit])
        return Listing(entries, len(paths), complete)

    async def changes(self, known: Mapping[str, Stamp], *, quick: bool = False) -> Changes:
        """What is not as ``known`` says; a notebook without a date is taken as unchanged while the server runs.

        There is no ``quick`` look: what a storage does to its folders nobody knows.
        """
        models, complete = await self._models("")
        seen = [_sighting(path, model, self._began) for path, model in models.items()]
        changed = tuple(found for found in seen if known.get(found.path) != found.stamp)
        return Changes(changed, tuple(known.keys() - models.keys()) if complete else ())

    async def place(self, path: str) -> str:
        """The API path of a folder or notebook; raises ``PathRefused``."""
        named = relative(path) if path.endswith(".ipynb") else folder_path(path)
        if not getattr(self._manager, "allow_hidden", False):
            refuse_hidden(named)
        return named

    async def close(self) -> None:
        """Nothing is held."""

    async def _models(self, below: str) -> tuple[dict[str, Mapping[str, Any]], bool]:
        """The notebooks below a folder by path, and whether these are all."""
        ends = time.monotonic() + SECONDS
        notebooks: dict[str, Mapping[str, Any]] = {}
        folders, asked = deque([below]), 0
        while folders:
            if asked == self._max_folders or time.monotonic() > ends:
                return notebooks, False
            asked += 1
            async for model in self._inside(folders.popleft(), required=asked == 1):
                if model.get("type") == "directory":
                    folders.append(model["path"])
                elif model["path"].endswith(".ipynb"):
                    notebooks[model["path"]] = model
        return notebooks, True

    async def _inside(self, folder: str, *, required: bool) -> AsyncIterator[dict[str, Any]]:
        """The folder's visible children; one that cannot be listed has none, unless it is ``required``."""
        try:
            model = await asked(self._manager.get, folder, content=True, type="directory")
        except NotebookError:
            if required:
                raise
            return
        for child in model.get("content") or ():
            if isinstance(child, dict) and isinstance(child.get("path"), str) and self._is_shown(child["path"]):
                yield {**child, "path": child["path"].strip("/")}
        await asyncio.sleep(0)  # a manager that never waits would hold the loop from folder to folder

    def _is_shown(self, path: str) -> bool:
        parts = path.strip("/").split("/")
        if ".ipynb_checkpoints" in parts:
            return False
        return bool(getattr(self._manager, "allow_hidden", False)) or not any(part.startswith(".") for part in parts)


def _entry(path: str, model: Mapping[str, Any]) -> Entry:
    return Entry(path, _modified(model), _size(model))


def _sighting(path: str, model: Mapping[str, Any], began: str) -> Sighting:
    stamp = (str(model.get("last_modified") or began), _size(model))
    return Sighting(path, stamp, _modified(model), _size(model))


def _size(model: Mapping[str, Any]) -> int:
    size = model.get("size")
    return size if type(size) is int else 0


def _modified(model: Mapping[str, Any]) -> float:
    """Epoch seconds; managers give a ``datetime`` or its ISO text."""
    value = model.get("last_modified")
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value.replace("Z", "+00:00"))
        return value.timestamp() if isinstance(value, datetime) else 0.0
    except (ValueError, OverflowError, OSError):
        return 0.0
