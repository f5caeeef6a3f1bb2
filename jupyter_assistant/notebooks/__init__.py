"""Notebooks, wherever they live: ``open(path)`` finds a notebook's home and gives a ``Document``.

The law (DESIGN §2, law 2): a notebook has one home at a time, and it is read there. ``Notebooks._home`` alone
chooses; today the homes are the file and, under a contents manager that keeps no plain files, that manager.
"""

from __future__ import annotations

from logging import Logger
from pathlib import Path
from typing import Any, Protocol

from .cells import Snapshot
from .contents import Contents, is_stock
from .files import Files


class Document(Protocol):
    """One notebook in its home."""

    @property
    def path(self) -> str:
        """Relative to the server's root, ``/`` between its parts."""

    async def read(self) -> Snapshot:
        """Its content now; raises ``NotebookError``."""


class Home(Protocol):
    async def open(self, path: str) -> Document:
        """The notebook at ``path``; raises ``NotebookError``."""

    async def close(self) -> None:
        """Let go of all that is held."""


class Notebooks:
    """The server's notebooks. ``root_dir`` is the contents manager's root on disk; close it when the server stops."""

    def __init__(self, contents_manager: Any, *, root_dir: Path, log: Logger) -> None:
        self._stored: Home = Contents(contents_manager)
        if is_stock(contents_manager):
            self._stored = Files(root_dir, allow_hidden=lambda: bool(contents_manager.allow_hidden), log=log)

    async def open(self, path: str) -> Document:
        """The notebook at ``path``; raises ``PathRefused``, ``NotebookNotFound``, ``NotebookUnreadable``."""
        return await self._home().open(path)

    async def close(self) -> None:
        """Stop what is being read; no process, thread or file is left."""
        await self._stored.close()

    def _home(self) -> Home:
        return self._stored
