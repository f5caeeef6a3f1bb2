"""Notebooks, wherever they live: ``open(path)`` finds a notebook's home and gives a ``Document``.

The law (DESIGN §2, law 2): a notebook has one home at a time, and it is read and changed there.
``Notebooks._home`` alone chooses; today the homes are the file and, under a contents manager that keeps no plain
files, that manager.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from logging import Logger
from pathlib import Path
from typing import Any, Protocol

from ..errors import EditRefused
from .cells import Snapshot
from .contents import Contents, is_stock
from .edits import Change, Edit, Json, NewCell
from .filehome import FileHome
from .files import Files
from .listing import Listing
from .search import PATIENCE, Found, Search, index_file
from .shelf import Shelf
from .stock import Stock
from .tree import Tree


class Document(Protocol):
    """One notebook in its home."""

    @property
    def path(self) -> str:
        """Relative to the server's root, ``/`` between its parts."""

    async def read(self) -> Snapshot:
        """Its content now; raises ``NotebookError``."""

    async def outputs(self, cell_ids: Sequence[str]) -> Mapping[str, tuple[Json, ...]]:
        """The nbformat 4 outputs of these cells, whole; a payload over ``MAX_PAYLOAD`` characters is a text saying so.

        Raises ``CellNotFound`` and as ``read``.
        """

    async def apply(self, edits: Sequence[Edit], expected: Mapping[str, str] = {}) -> Change:
        """Make all ``edits`` or none; ``expected`` gives cell ids the hash their source must have now.

        Raises ``CellNotFound``, ``StaleCell``, ``EditRefused``, ``NotebookBusy``, ``SaveFailed`` and as ``read``.
        """


class Home(Protocol):
    async def open(self, path: str) -> Document:
        """The notebook at ``path``; raises ``NotebookError``."""

    async def create(self, path: str, cells: Sequence[NewCell], metadata: Json) -> Document:
        """A new notebook at ``path``; raises ``NotebookError``."""

    async def glance(self, path: str) -> Snapshot:
        """The notebook's content, of which nothing is kept: for who reads them all; raises ``NotebookError``."""

    async def close(self) -> None:
        """Let go of all that is held."""


class Notebooks:
    """The server's notebooks. ``root_dir`` is the contents manager's root on disk; close it when the server stops.

    ``index_dir`` is where the search keeps its index (None: in memory), made when the first search asks for it.
    """

    def __init__(
        self,
        contents_manager: Any,
        *,
        root_dir: Path,
        log: Logger,
        index_dir: Path | None = None,
        kernel_spec_manager: Any = None,
    ) -> None:
        self._kernel_specs = kernel_spec_manager
        self._stored: Home = Contents(contents_manager)
        self._seen: Tree | Shelf = Shelf(contents_manager)
        if is_stock(contents_manager):
            stock, hidden = Stock(contents_manager), lambda: bool(contents_manager.allow_hidden)
            self._stored = FileHome(Files(root_dir, stock=stock, allow_hidden=hidden, log=log))
            self._seen = Tree(root_dir, allow_hidden=hidden)

        def index() -> Path | None:
            return index_dir and index_file(index_dir, root_dir, contents_manager)

        self._search = Search(self._seen, self._stored, file=index, log=log)

    async def open(self, path: str) -> Document:
        """The notebook at ``path``; raises ``PathRefused``, ``NotebookNotFound``, ``NotebookUnreadable``."""
        return await self._home().open(path)

    async def create(self, path: str, cells: Sequence[NewCell] = (), *, kernel: str | None = None) -> Document:
        """A new notebook of nbformat 4.5 at ``path``, for ``kernel`` (the name of a kernel spec).

        Raises ``NotebookExists``, ``PathRefused``, ``NotebookNotFound`` (its folder), ``SaveFailed``,
        ``EditRefused`` for what is no cell type and no kernel.
        """
        metadata = {} if kernel is None else await kernel_metadata(self._kernel_specs, kernel)
        return await self._home().create(path, cells, metadata)

    async def list(self, path: str = "", pattern: str = "*", limit: int = 100, offset: int = 0) -> Listing:
        """The notebooks below the folder ``path`` by path; raises ``PathRefused``, ``NotebookNotFound``."""
        return await self._seen.list(path, pattern, limit, offset)

    async def search(self, query: str, path: str = "", limit: int = 10, *, patience: float = PATIENCE) -> Found:
        """The cells that answer ``query``, best first; waits at most ``patience`` seconds for the index to be brought
        up to date. Raises as ``Search.find``.
        """
        return await self._search.find(query, path, limit, patience=patience)

    async def close(self) -> None:
        """Stop what is being read; no process, thread or file is left."""
        await self._search.close()
        await self._seen.close()
        await self._stored.close()

    def _home(self) -> Home:
        return self._stored


async def kernel_metadata(kernel_spec_manager: Any, kernel: str) -> Json:
    """What a notebook for ``kernel`` says of it; raises ``EditRefused`` where no such kernel is installed."""
    if kernel_spec_manager is None:
        return {"kernelspec": {"display_name": kernel, "name": kernel}}
    try:
        spec = kernel_spec_manager.get_kernel_spec(kernel)
        spec = await spec if inspect.isawaitable(spec) else spec
    except (KeyError, ValueError):
        raise EditRefused(
            f"There is no kernel named {kernel[:64]!r} on this server.", "Leave it out, or list the kernels there are."
        ) from None
    said = {"display_name": spec.display_name, "language": spec.language, "name": kernel}
    return {"kernelspec": said, "language_info": {"name": spec.language}}
