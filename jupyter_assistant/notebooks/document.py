"""What a notebook is to whoever works with it, wherever it lives, and what a home of notebooks does.

The law: nobody learns from these which home it is; every home raises the same errors for the same reasons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from .cells import Snapshot
from .edits import Change, Edit, Json, NewCell


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

    async def nbformat(self, cell_ids: Sequence[str] | None = None) -> Json:
        """The notebook as nbformat 4 JSON with all its metadata, texts in one; of its cells these (None: all).

        Outputs give way, the largest first, to texts saying so where all together are over ``entire.ROOM`` bytes.
        Raises ``CellNotFound``, ``TooLarge`` and as ``read``.
        """

    async def apply(self, edits: Sequence[Edit], expected: Mapping[str, str] = {}) -> Change:
        """Make all ``edits`` or none; ``expected`` gives cell ids the hash their source must have now.

        Raises ``CellNotFound``, ``StaleCell``, ``EditRefused``, ``NotebookBusy``, ``SaveFailed``, ``TabUnresponsive``,
        ``TabClosed`` and as ``read``.
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
