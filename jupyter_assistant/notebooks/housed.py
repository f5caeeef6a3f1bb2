"""A notebook that stays one document while its home changes under it: somebody opens it, or closes it, during a run.

The law (DESIGN §2, law 2): the home is looked for at each call, never remembered from the last: what was a file a
moment ago is a tab's or a room's now, and is not written any more. A notebook that is renamed on this server is the
same notebook; another one at its old path is not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from ..errors import NotebookError, NotebookNotFound
from .cells import Snapshot
from .document import Document
from .edits import Change, Edit, Json
from .live import RoomLeft
from .renames import Renames
from .tab import TabDocument
from .tab.running import TabRun

TRIES = 3
LOST = (
    "It is done in the user's JupyterLab and saved nowhere: the notebook's file is gone. Saving it there makes it anew."
)


class Housed:
    """The notebook that ``kept`` was opened as.

    ``moved`` tells where else ``kept`` is now, itself where nowhere; ``stored`` opens what is stored at a path.
    """

    def __init__(
        self,
        kept: Document,
        *,
        moved: Callable[[Document], Awaitable[Document]],
        stored: Callable[[str], Awaitable[Document]],
        renames: Renames,
    ) -> None:
        self._kept = kept
        self._moved = moved
        self._stored = stored
        self._renames = renames
        self._since = renames.count

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
                home = await self._home()
                return await self._noted(home, await home.apply(edits, expected))
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

    async def left(self) -> Document:
        """Where it is once its tab was closed; raises as ``Notebooks.open``."""
        return await self._moved(await self._stored(self.path))

    async def _noted(self, home: Document, change: Change) -> Change:
        """The change, and whether it is in a tab only, whose file is gone; a tab opened meanwhile follows."""
        if not isinstance(home, TabDocument):
            now = await self._moved(home)
            if isinstance(now, TabDocument):
                now.saved_elsewhere()
            return change
        if change.note or await is_stored(self._stored, home.path):
            return change
        return replace(change, note=LOST)

    async def _home(self) -> Document:
        if not isinstance(self._kept, TabDocument) and self._since != self._renames.count:
            await self._follow()
        home = await self._moved(self._kept)
        if isinstance(home, TabDocument):
            self._kept = home  # which follows its notebook also when that is renamed
        return home

    async def _follow(self) -> None:
        """Be where the notebook was renamed to."""
        count, path = self._renames.count, self._renames.of(self.path, self._since)
        if path != self.path:
            self._kept = await self._stored(path)
        self._since = count


async def is_stored(stored: Callable[[str], Awaitable[Document]], path: str) -> bool:
    """Whether there may be a notebook at ``path``: false only where the storage says that there is none."""
    try:
        await stored(path)
    except NotebookNotFound:
        return False
    except NotebookError:
        pass
    return True
