"""The home of notebooks that are files: opened, made, and given as Documents.

The law: a new notebook appears whole, where nothing was, in a folder that is there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .cells import Snapshot
from .changes import apply, finished
from .edits import Change, Edit, Json, NewCell, new_notebook
from .files import Files
from .paths import relative
from .rewriting import write
from .saving import Draft, failed
from .signing import signature


@dataclass(frozen=True, slots=True)
class FileDocument:
    """A notebook whose home is the file; ``path`` is relative to the server's root."""

    path: str
    files: Files

    async def read(self) -> Snapshot:
        """Its content now; raises as ``FileHome.open``, and ``NotebookBusy`` where a save takes more than 2 s."""
        return await self.files.read(self.path)

    async def outputs(self, cell_ids: Sequence[str]) -> Mapping[str, tuple[Json, ...]]:
        """The nbformat 4 outputs of these cells; raises ``CellNotFound`` and as ``read``."""
        return await self.files.outputs(self.path, cell_ids)

    async def nbformat(self, cell_ids: Sequence[str] | None = None) -> Json:
        """The notebook as nbformat 4 JSON; raises as ``Document.nbformat``."""
        return await self.files.nbformat(self.path, cell_ids)

    async def apply(self, edits: Sequence[Edit], expected: Mapping[str, str] = {}) -> Change:
        """Make all ``edits`` or none, on the disk when this returns; raises as ``Document.apply``."""
        return await apply(self.files, self.path, edits, expected)


class FileHome:
    """The notebooks below a root folder, under an exactly stock contents manager."""

    def __init__(self, files: Files) -> None:
        self._files = files

    async def open(self, path: str) -> FileDocument:
        """The notebook at ``path``; raises ``PathRefused``, ``NotebookNotFound``, ``NotebookUnreadable``."""
        return FileDocument(await self._files.named(path), self._files)

    async def create(self, path: str, cells: Sequence[NewCell], metadata: Json) -> FileDocument:
        """A new notebook, trusted since it has no outputs.

        Raises ``NotebookExists``, ``PathRefused``, ``NotebookNotFound`` (its folder), ``SaveFailed``.
        """
        named = relative(path, self._files.root)
        text = json.dumps(new_notebook(cells, metadata), indent=1, ensure_ascii=False) + "\n"
        data = text.encode("utf-8", "backslashreplace")
        await finished(self._created(named, data))
        return FileDocument(named, self._files)

    async def glance(self, path: str) -> Snapshot:
        """The notebook's content, which takes no place from what others read; raises as ``open`` and ``read``."""
        return await self._files.read(await self._files.named(path), keep=False)

    async def close(self) -> None:
        """No process, thread, file or hook is left."""
        await self._files.close()

    async def _created(self, path: str, data: bytes) -> None:
        stock = self._files.stock
        found, _ = await self._files.in_thread(self._appeared, path, data, stock.seal())
        await stock.keep_trust(None, True, found, self._files.in_thread)

    def _appeared(self, path: str, data: bytes, seal: tuple[bytes, str] | None) -> tuple[str | None, bool]:
        draft = Draft(self._files.root, path, allow_hidden=self._files.allow_hidden, new=True)
        try:
            write(draft.descriptor, [data])
            draft.appear()
        except OSError as error:
            raise failed(error, path) from None
        finally:
            draft.close()
        return signature(data, seal)
