"""Tools that look: notebooks, cells, places that answer a query.

The law: reading changes nothing, and a result that is only a part says what the rest is and how to get it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Annotated, Literal

from ..errors import CellNotFound
from ..messages import Json
from ..notebooks import Document, Notebooks
from ..notebooks.cells import Cell, Snapshot
from ..notebooks.kernels import Kernels
from ..notebooks.listing import Entry
from ..notebooks.search import Place
from . import ToolOutput
from .arguments import Range
from .fields import CellId, FolderPath, NotebookPath, Offset
from .images import Images
from .rendering import Section, digests, heading, named, rendered, source
from .text import BUDGET, counted, encodable, fenced, listed, size

ROOM = BUDGET - 1_000
"""Bytes of a list, beside what is said about it."""
SOURCE_ROOM = 4_000
"""Bytes of one source in a list of cells; ``read_cell`` gives more."""
DIGEST_ROOM = 800
ALONE_ROOM = 80_000
"""Bytes of a source that is read without its outputs: about what clients take as one result."""
CELL_ROOM = 15_000
LINE_CHARS = 80

_HEADING = re.compile(r"^ {0,3}(#{1,6}[ \t]+\S.*)$", re.MULTILINE)


class Reading:
    def __init__(self, notebooks: Notebooks, kernels: Kernels, images: Images) -> None:
        self._notebooks = notebooks
        self._kernels = kernels
        self._images = images

    async def list_notebooks(
        self,
        path: FolderPath = "",
        pattern: Annotated[str, "Glob on name or path"] = "*",
        limit: Annotated[int, "At most so many", Range(1, 500)] = 100,
        offset: Offset = 0,
    ) -> str:
        """Find notebooks on this server by folder and name.

        A line per notebook: its path as the other tools take it, when it was modified, its size, its kernel, and
        whether the user has it open.
        To find notebooks by what is in them, use search_notebooks.
        """
        listing = await self._notebooks.list(path, pattern, limit, offset)
        states: dict[str | None, str] = {
            state.path: state.execution_state for state in await self._kernels.list() if state.path
        }
        lines = listed((_entry_line(entry, states) for entry in listing.entries), ROOM)
        return _paged(lines, "notebook", listing.total, offset)

    async def read_notebook(
        self,
        path: NotebookPath,
        detail: Annotated[Literal["full", "outline"], "outline: one line a cell"] = "full",
        offset: Offset = 0,
        limit: Annotated[int, "At most so many cells", Range(1, 1_000)] = 50,
    ) -> str:
        """Read a notebook: its cells in order with id, hash, type, execution count, source and digests of outputs.

        Read before you edit: edits take the ids and hashes shown. Begin with detail="outline" for a long notebook.
        What is cut is marked; read_cell shows one cell whole, with its images.
        """
        snapshot = await (await self._notebooks.open(path)).read()
        page = snapshot.cells[offset : offset + limit]
        blocks = listed((_outline(cell) if detail == "outline" else _block(cell, snapshot) for cell in page), ROOM)
        return "\n".join([_about(snapshot), _paged(blocks, "cell", len(snapshot.cells), offset)])

    async def read_cell(
        self,
        path: NotebookPath,
        cell_id: CellId,
        outputs: Annotated[bool, "Also its outputs; false leaves room for a very long source"] = True,
    ) -> ToolOutput:
        """Read one cell: its whole source, its hash, and its outputs with their images (at most 768 pixels)."""
        document = await self._notebooks.open(path)
        snapshot = await document.read()
        cell = cell_of(snapshot, cell_id)
        if not outputs:
            return ToolOutput(await rendered([_whole(cell, snapshot, ALONE_ROOM)], self._images, budget=ALONE_ROOM * 2))
        section = _whole(cell, snapshot, CELL_ROOM, await _outputs(document, cell))
        return ToolOutput(await rendered([section], self._images))

    async def search_notebooks(
        self,
        query: Annotated[str, "Words to find; quotes for a phrase"],
        path: FolderPath = "",
        limit: Annotated[int, "At most so many", Range(1, 50)] = 10,
    ) -> str:
        """Search the text, code and outputs of all notebooks on this server; the best matches come first.

        Each place gives its notebook, cell id, score and a snippet. Use it to find where something is done.
        """
        found = await self._notebooks.search(query, path, limit)
        missing = (
            [] if found.complete else [f"{found.indexed} of {found.total} notebooks are indexed so far; try again."]
        )
        if not found.places:
            return "\n".join(["No cell matches. Try other or fewer words.", *missing])
        return "\n".join([*listed(map(_place, found.places), ROOM), *missing])


def cell_of(snapshot: Snapshot, cell_id: str) -> Cell:
    """The cell of that id; raises ``CellNotFound``."""
    for cell in snapshot.cells:
        if cell.id == cell_id:
            return cell
    raise CellNotFound(f"{named(snapshot.path)} has no cell {cell_id[:80]!r}.")


# ---------------------------------------------------------------- lists


def _entry_line(entry: Entry, states: Mapping[str | None, str]) -> str:
    if not entry.is_stored:
        return f"{named(encodable(entry.path))} · open in JupyterLab only: its file is gone"
    modified = datetime.fromtimestamp(entry.modified, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    kernel = f"kernel {states[entry.path]}" if entry.path in states else "no kernel"
    opened = " · open" if entry.is_open else ""
    return f"{named(encodable(entry.path))} · modified {modified} · {entry.size:,} bytes · {kernel}{opened}"


def _paged(blocks: Sequence[str], noun: str, total: int, offset: int) -> str:
    """Which part of a list this is, how to get the next one, and the part itself."""
    shown = len(blocks)
    if not total:
        return f"There are no {noun}s."
    if not shown:
        return f"There are only {counted(total, noun)}; offset={offset} is behind the last."
    head = f"{noun}s {offset + 1}-{offset + shown} of {total}"
    more = offset + shown < total
    return "\n".join([head + (f"; next: offset={offset + shown}" if more else ""), *blocks])


# ---------------------------------------------------------------- cells


def _about(snapshot: Snapshot) -> str:
    major, minor = snapshot.nbformat
    facts = [snapshot.language[:40], f"kernel {snapshot.kernel[:80]}" if snapshot.kernel else "no kernel chosen"]
    if (major, minor) < (4, 5):
        facts.append(f"old format nbformat {major}.{minor}: can be read, not edited; ids like #0 hold until it changes")
    note = f"\nNote: {snapshot.note}" if snapshot.note else ""
    return f"{named(encodable(snapshot.path))} · {' · '.join(facts)}{note}"


def _block(cell: Cell, snapshot: Snapshot) -> str:
    return "\n".join([heading(cell), source(cell, snapshot, SOURCE_ROOM), *digests(cell, DIGEST_ROOM)])


def _outline(cell: Cell) -> str:
    failed = next((output.error.name for output in cell.outputs if output.error is not None), "")
    error = f" · {encodable(failed)[:60]}" if failed else ""
    return f"{heading(cell)}{error} | {_first_line(cell)}"


def _first_line(cell: Cell) -> str:
    """A heading of a text, the first statement of code."""
    text = encodable(cell.source[:4_000])
    if cell.cell_type == "markdown" and (found := _HEADING.search(text)):
        return _short(found[1])
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    comment = "#" if cell.cell_type == "code" else "\0"
    return _short(next((line for line in lines if not line.startswith(comment)), lines[0] if lines else "(empty)"))


def _short(line: str) -> str:
    return line if len(line) <= LINE_CHARS else f"{line[:LINE_CHARS]}…"


def _whole(cell: Cell, snapshot: Snapshot, room: int, outputs: tuple[Json, ...] = ()) -> Section:
    text = source(cell, snapshot, room)
    cut = size(encodable(cell.source)) > room
    more = "read_cell with outputs=false shows more of it" if room < ALONE_ROOM else "edit_cell can still change it"
    note = [f"The source is longer than what is shown; {more}."] if cut else []
    state = ["No outputs."] if cell.cell_type == "code" and not cell.outputs else []
    return Section("\n".join([heading(cell), text, *note, *state]), outputs)


async def _outputs(document: Document, cell: Cell) -> tuple[Json, ...]:
    return (await document.outputs([cell.id]))[cell.id] if cell.outputs else ()


def _place(place: Place) -> str:
    cell = f"[cell {place.index + 1}] id {json.dumps(place.cell_id)} · {place.cell_type}"
    where = f"{named(encodable(place.path))} {cell} · score {place.score:.2f} · {encodable(place.title)}"
    return f"{where}\n{fenced(encodable(place.snippet))}"
