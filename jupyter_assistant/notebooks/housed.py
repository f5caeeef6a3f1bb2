"""A notebook that stays one document while its home changes under it: somebody opens it, or closes it, during a run.

The law (DESIGN §2, law 2): the home is looked for at each call, never remembered from the last: what was a file a
moment ago is a tab's or a room's now, and is not written any more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from .cells import Snapshot
from .document import Document
from .edits import Change, Edit, Json
from .live import RoomLeft
from .tab import TabDocument
from .tab.running import TabRun

TRIES = 3


class Housed:
    """The notebook that ``kept`` was opened as. ``moved`` tells where else ``kept`` is now, itself where nowhere."""

    def __init__(self, kept: Document, moved: Callable[[Document], Awaitable[Document]]) -> None:
        self._kept = kept
        self._moved = moved

    @property
    def path(self) -> str:
        return self._kept.path

    async def read(self) -> Snapshot:
        """As ``Document.read``."""
        return await (await self._home()).read()

    async def outputs(self, cell_ids: Sequence[str]) -> Mapping[str, tuple[Json, ...]]:
        """As ``Document.outputs``."""
        return await (await self._home()).outputs(cell_ids)

    async def nbformat(self, cell_ids: Sequence[str] | None = None) -> Json:
        """As ``Document.nbformat``."""
        return await (await self._home()).nbformat(cell_ids)

    async def apply(self, edits: Sequence[Edit], expected: Mapping[str, str] = {}) -> Change:
        """As ``Document.apply``; what a room that was closed did not save is made where the notebook is then."""
        for _ in range(TRIES):
            try:
                return await (await self._home()).apply(edits, expected)
            except RoomLeft as left:
                snapshot = await self.read()
                if left.change is not None and left.is_in(snapshot):
                    return replace(left.change, revision=snapshot.revision)
        return await (await self._home()).apply(edits, expected)

    async def ready(self) -> bool:
        """Whether its cells run where it is, in a tab; raises as ``TabDocument.ready``."""
        home = await self._home()
        return isinstance(home, TabDocument) and await home.ready()

    async def start(self, cell_ids: Sequence[str], hear: Callable[[Sequence[Json]], None]) -> TabRun:
        """Begin to run cells in the tab that was ``ready``; raises as ``TabDocument.start``."""
        assert isinstance(self._kept, TabDocument)
        return await self._kept.start(cell_ids, hear)

    async def _home(self) -> Document:
        home = await self._moved(self._kept)
        if isinstance(home, TabDocument):
            self._kept = home  # which follows its notebook also when that is renamed
        return home
