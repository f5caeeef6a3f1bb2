"""Notebooks, wherever they live: ``open(path)`` finds a notebook's home and gives a ``Document``.

The law (DESIGN §2, law 2): a notebook has one home at a time, and it is read and changed there. ``Notebooks`` alone
chooses, at each call: the room in which people share it live, else the window of JupyterLab that has it open, else its
file or, under a contents manager that keeps no plain files, that manager.
"""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from logging import Logger
from pathlib import Path
from typing import Any

from ..errors import EditRefused
from .contents import Contents, is_stock
from .document import Document, Home
from .edits import Json, NewCell
from .filehome import FileHome
from .files import Files
from .housed import Housed, is_stored
from .listing import Listing, folder_path, matcher
from .live import Rooms
from .paths import relative
from .renames import Renames
from .search import PATIENCE, Found, Search, index_file
from .search.meaning import Embedder
from .search.pace import PACE, Pace
from .shelf import Shelf
from .state import STALE
from .stock import Stock
from .tab import TabDocument, Tabs
from .tree import SETTLED, Tree

__all__ = ["Document", "Notebooks", "kernel_metadata"]


class Notebooks:
    """The server's notebooks. ``root_dir`` is the contents manager's root on disk; close it when the server stops.

    ``index_dir`` is where the search keeps its index (None: in memory), made when the first search asks for it.
    ``web_settings`` are those of the server's web application, where real-time collaboration leaves its interface.
    ``settled`` are the seconds after which a file system's clock tells a change from the last one, ``stale`` those
    after which the copy of a save beside an unchanging file is what a crash left.
    """

    def __init__(
        self,
        contents_manager: Any,
        *,
        root_dir: Path,
        log: Logger,
        index_dir: Path | None = None,
        kernel_spec_manager: Any = None,
        embedder: Callable[[], Embedder | None] = lambda: None,
        search_pace: Pace = PACE,
        web_settings: Mapping[str, Any] | None = None,
        settled: float = SETTLED,
        stale: float = STALE,
    ) -> None:
        self.tabs = Tabs(log=log)
        self.rooms = Rooms(web_settings or {})
        self._renames = Renames(contents_manager, log=log)
        self._root = root_dir
        self._kernel_specs = kernel_spec_manager
        self._stored: Home = Contents(contents_manager)
        self._seen: Tree | Shelf = Shelf(contents_manager)
        if is_stock(contents_manager):
            stock, hidden = Stock(contents_manager), lambda: bool(contents_manager.allow_hidden)
            self._stored = FileHome(Files(root_dir, stock=stock, allow_hidden=hidden, log=log, stale=stale))
            self._seen = Tree(root_dir, allow_hidden=hidden, settled=settled)

        def index() -> Path | None:
            return index_dir and index_file(index_dir, root_dir, contents_manager)

        root = root_dir if isinstance(self._stored, FileHome) else None
        self._search = Search(
            self._seen, self._stored, root=root, pace=search_pace, file=index, log=log, embedder=embedder
        )

    async def open(self, path: str) -> Document:
        """The notebook at ``path``; raises ``PathRefused``, ``NotebookNotFound``, ``NotebookUnreadable``."""
        return self._housed(await self._in_tab(path) or await self._stored.open(path))

    async def create(self, path: str, cells: Sequence[NewCell] = (), *, kernel: str | None = None) -> Document:
        """A new notebook of nbformat 4.5 at ``path``, for ``kernel`` (the name of a kernel spec).

        Raises ``NotebookExists``, ``PathRefused``, ``NotebookNotFound`` (its folder), ``SaveFailed``,
        ``EditRefused`` for what is no cell type and no kernel.
        """
        metadata = {} if kernel is None else await kernel_metadata(self._kernel_specs, kernel)
        return self._housed(await self._stored.create(path, cells, metadata))

    async def list(self, path: str = "", pattern: str = "*", limit: int = 100, offset: int = 0) -> Listing:
        """The notebooks below the folder ``path`` by path, and which are open; raises ``PathRefused``,
        ``NotebookNotFound``.
        """
        found = await self._seen.list(path, pattern, limit, offset)
        opened = self.tabs.paths() | self.rooms.paths()
        lost = await self._lost(self.tabs.paths(), folder_path(path, self._root), pattern)
        return found.with_open(opened).with_lost(lost, limit, offset)

    async def search(
        self, query: str, path: str = "", limit: int = 10, *, patience: float = PATIENCE, meaning: bool = True
    ) -> Found:
        """The cells that answer ``query``, best first; waits at most ``patience`` seconds for the index to be brought
        up to date. Without ``meaning`` nothing is sent to an endpoint for embeddings. Raises as ``Search.find``.
        """
        return await self._search.find(query, path, limit, patience=patience, meaning=meaning)

    @property
    def embedded_by(self) -> str:
        """Who is sent what is searched for, for people; empty where nobody is."""
        return self._search.embedded_by

    async def index_state(self) -> Json:
        """How the search's index is, as ``Search.state`` tells it."""
        return await self._search.state()

    async def close(self) -> None:
        """Stop what is being read; no connection, process, thread or file is left."""
        self._renames.close()
        self.rooms.close()
        await self.tabs.close()
        await self._search.close()
        await self._seen.close()
        await self._stored.close()

    async def _lost(self, opened: Collection[str], below: str, pattern: str) -> tuple[str, ...]:
        """Which of the notebooks that are open are stored nowhere any more."""
        matches = matcher(pattern, below)
        asked = [path for path in opened if matches(path) and (not below or path.startswith(f"{below}/"))]
        there = await asyncio.gather(*(is_stored(self._stored.open, path) for path in asked))
        return tuple(path for path, stored in zip(asked, there, strict=True) if not stored)

    def _housed(self, document: Document) -> Housed:
        return Housed(document, moved=self._moved, stored=self._stored.open, renames=self._renames)

    async def _moved(self, document: Document) -> Document:
        """Where the notebook that was opened as ``document`` is now."""
        named = await self._open_name(document.path, self.rooms.paths())
        room = await self.rooms.find(named or document.path)
        if room is not None:
            return room
        if isinstance(document, TabDocument):
            return document  # which knows itself when it was closed, or renamed
        return await self._in_tab(document.path) or document

    async def _in_tab(self, path: str) -> TabDocument | None:
        """The notebook where a window of JupyterLab has it open."""
        named = await self._open_name(path, self.tabs.paths())
        return None if named is None else self.tabs.document(named, self._stored.open)

    async def _open_name(self, path: str, opened: Collection[str]) -> str | None:
        """The name by which the notebook at ``path`` is open, perhaps another one of its file; None where it is not."""
        if not opened:
            return None
        named = relative(path, self._root)
        if named not in opened and isinstance(self._stored, FileHome):
            named = await asyncio.to_thread(_same_file, self._root, named, opened)
        return named if named in opened else None


def _same_file(root: Path, path: str, others: Collection[str]) -> str:
    """Which of the ``others`` is the file at ``path``, through links; else ``path``."""
    real = os.path.realpath(root / path)
    return next((other for other in others if os.path.realpath(root / other) == real), path)


async def kernel_metadata(kernel_spec_manager: Any, kernel: str) -> Json:
    """What a notebook for ``kernel`` says of it; raises ``EditRefused`` where no such kernel is installed."""
    if kernel_spec_manager is None:
        return {"kernelspec": {"display_name": kernel, "name": kernel}}
    try:
        spec = kernel_spec_manager.get_kernel_spec(kernel)
        spec = await spec if inspect.isawaitable(spec) else spec
    except (KeyError, ValueError):
        found = kernel_spec_manager.find_kernel_specs()
        installed = ", ".join(sorted(await found if inspect.isawaitable(found) else found))
        raise EditRefused(
            f"There is no kernel named {kernel[:64]!r} on this server.", f"Leave it out, or choose one of: {installed}."
        ) from None
    said = {"display_name": spec.display_name, "language": spec.language, "name": kernel}
    return {"kernelspec": said, "language_info": {"name": spec.language}}
