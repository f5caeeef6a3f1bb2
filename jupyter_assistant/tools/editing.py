"""Tools that change notebooks, cell by cell.

The law (DESIGN §2, law 3): a cell is named by its id, never by its place; what an edit was made from is checked by
its hash; the answer is what was done, as a diff, with the hash the next edit takes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated

from ..errors import EditRefused
from ..notebooks import Notebooks
from ..notebooks.edits import CellChange, Change, ClearOutputs, Delete, Edit, Insert, Move, Replace, Substitute
from .fields import After, Before, CellId, CellInput, CellType, NotebookPath
from .rendering import named
from .text import BUDGET, counted, encodable, fenced, shares, within

Kinds = Mapping[str, str]
"""Types of cells by id."""
SourceHash = Annotated[str, "Hash of the source the edit was made from, as shown beside the id"]


MARK = "[redacted:"
"""How the mark begins that stands in results where a secret was taken out (``context.redact``)."""


class Editing:
    def __init__(self, notebooks: Notebooks) -> None:
        self._notebooks = notebooks

    async def create_notebook(
        self,
        path: NotebookPath,
        cells: Annotated[list[CellInput] | None, "The cells it begins with"] = None,
        kernel: Annotated[str | None, "Name of its kernel, such as python3"] = None,
    ) -> str:
        """Create a new notebook; refused where there already is one. Its folder must exist."""
        made = tuple(cell.made() for cell in cells or ())
        _spare_secrets([cell.source for cell in made])
        document = await self._notebooks.create(path, made, kernel=kernel)
        snapshot = await document.read()
        lines = [f"Created {named(snapshot.path)} with {counted(len(snapshot.cells), 'cell')}."]
        lines += [f"[cell {cell.index + 1}] {_name(cell.id, cell.hash)} · {cell.cell_type}" for cell in snapshot.cells]
        return within("\n".join(lines), BUDGET)

    async def insert_cells(
        self,
        path: NotebookPath,
        cells: Annotated[list[CellInput], "The new cells, in order"],
        after: After = None,
        before: Before = None,
    ) -> str:
        """Insert new cells behind or in front of a cell, or at the end when neither after nor before is given.

        Answers with the new cells' ids and hashes. They are not run: use run_cells.
        """
        made = tuple(cell.made() for cell in cells)
        _spare_secrets([cell.source for cell in made])
        change, _ = await self._apply(path, Insert(made, after=after, before=before), {})
        lines = [f"Inserted {counted(len(change.inserted), 'cell')} into {named(change.path)}."]
        kinds = {name: cell.cell_type for name, cell in zip(change.inserted, cells, strict=True)}
        lines += [_heading(cell, kinds) for cell in change.cells if cell.cell_id in kinds]
        return within("\n".join(lines), BUDGET)

    async def edit_cell(
        self,
        path: NotebookPath,
        cell_id: CellId,
        old: Annotated[str, "Text as it stands in the cell, exactly once, with its spaces and line ends"],
        new: Annotated[str, "Text to put in its place"],
        source_hash: Annotated[
            str | None, "Hash of the source the edit was made from; refused if it has changed"
        ] = None,
    ) -> str:
        """Change part of a cell: replaces the one place where old stands. Outputs stay until it is run again.

        Answers with the diff and the new hash. Prefer it to replace_cell for small changes.
        """
        expected = {cell_id: source_hash} if source_hash is not None else {}
        return _report(*await self._apply(path, Substitute(cell_id, old, new), expected))

    async def replace_cell(
        self,
        path: NotebookPath,
        cell_id: CellId,
        source: Annotated[str, "The whole new source"],
        source_hash: SourceHash,
        cell_type: Annotated[CellType | None, "Another type for the cell"] = None,
    ) -> str:
        """Replace the whole source of a cell, and its type if one is given. Answers with the diff and the new hash."""
        change, kinds = await self._apply(path, Replace(cell_id, source, cell_type), {cell_id: source_hash})
        return _report(change, {**kinds, cell_id: cell_type or kinds[cell_id]})

    async def move_cell(self, path: NotebookPath, cell_id: CellId, after: After = None, before: Before = None) -> str:
        """Move a cell behind or in front of another one, or to the end when neither after nor before is given."""
        change, kinds = await self._apply(path, Move(cell_id, after=after, before=before), {})
        places = [f"Moved to {_heading(cell, kinds)}." for cell in change.cells if cell.cell_id == cell_id]
        return _noted("\n".join(places) or "It is there already; nothing was changed.", change)

    async def delete_cells(
        self,
        path: NotebookPath,
        cell_ids: Annotated[list[str], "Ids of the cells"],
        source_hashes: Annotated[dict[str, str] | None, "Id to hash: refused if one of them has changed"] = None,
    ) -> str:
        """Delete cells. Answers with what they held, so that it can be put back with insert_cells."""
        change, kinds = await self._apply(path, Delete(tuple(cell_ids)), source_hashes or {})
        return _report(change, kinds, f"Deleted {counted(len(change.cells), 'cell')} from {named(change.path)}.")

    async def clear_outputs(
        self, path: NotebookPath, cell_ids: Annotated[list[str] | None, "Ids of the cells; all when left out"] = None
    ) -> str:
        """Remove the outputs and execution counts of cells; sources and the kernel's variables stay."""
        chosen = tuple(cell_ids) if cell_ids is not None else None
        change, _ = await self._apply(path, ClearOutputs(chosen), {})
        if not change.cells:
            return "There was nothing to clear."
        names = ", ".join(json.dumps(cell.cell_id) for cell in change.cells)
        done = f"Cleared {counted(len(change.cells), 'cell')} of {named(change.path)}: {names}"
        return _noted(within(done, BUDGET), change)

    async def _apply(self, path: str, edit: Edit, expected: dict[str, str]) -> tuple[Change, Kinds]:
        """What was done, and of which type the cells were before."""
        document = await self._notebooks.open(path)
        cells = (await document.read()).cells
        if isinstance(edit, Replace | Substitute):
            text = edit.source if isinstance(edit, Replace) else edit.new
            _spare_secrets([text], next((cell.source for cell in cells if cell.id == edit.cell_id), ""))
        return await document.apply([edit], expected), {cell.id: cell.cell_type for cell in cells}


def _spare_secrets(texts: list[str], before: str = "") -> None:
    """Raise ``EditRefused`` where the mark of a secret that was not shown would be written over the secret itself."""
    if MARK not in before and any(MARK in text for text in texts):
        raise EditRefused(
            "The text holds a “[redacted: …]” mark, which stands for a secret you were not shown; writing it would "
            "destroy the secret.",
            "Use edit_cell with an old and a new text that leave the secret's line as it is.",
        )


# ---------------------------------------------------------------- what was done


def _report(change: Change, kinds: Kinds, opening: str = "") -> str:
    """The cells that were changed, each with its diff in a fair share of the room."""
    rooms = shares([len(cell.diff) for cell in change.cells], BUDGET - 2_000)
    lines = [opening or f"Edited {named(change.path)}."]
    for cell, room in zip(change.cells, rooms, strict=True):
        lines.append(_heading(cell, kinds))
        lines.append(fenced(within(encodable(cell.diff), room), "diff") if cell.diff else "(the source is the same)")
    return _noted(within("\n".join(lines), BUDGET), change)


def _noted(done: str, change: Change) -> str:
    return f"{done}\nNote: {encodable(change.note)}" if change.note else done


def _heading(cell: CellChange, kinds: Kinds) -> str:
    """``[cell 4] id "a1b2" · hash 0123456789ab (was ba9876543210) · code``"""
    place = "" if cell.index is None else f"[cell {cell.index + 1}] "
    if cell.after is None:
        return f"{_name(cell.cell_id, str(cell.before))} · {kinds[cell.cell_id]} · deleted"
    was = f" (was {cell.before})" if cell.before and cell.before != cell.after else ""
    return f"{place}{_name(cell.cell_id, cell.after)}{was} · {kinds.get(cell.cell_id, 'new')}"


def _name(cell_id: str, hash: str) -> str:
    return f"id {json.dumps(cell_id[:200])} · hash {hash}"
