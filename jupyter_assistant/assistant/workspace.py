"""The user's other notebooks for a question: one search, one batch of reads, best first.

The law: a notebook that cannot be read is passed over, and what the question does not ask for is not waited for; the
question is answered without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from ..context.workspace import MOST_CELLS, FoundCell, chosen, search_words
from ..errors import AssistantError, NotebookError
from ..messages import Source
from ..notebooks import Notebooks
from ..notebooks.cells import Snapshot
from ..notebooks.search import Place

PATIENCE = 2.0
"""Seconds a question waits for the first index of the workspace; later ones find it made."""
UNASKED = 0.05
"""Seconds that a question which does not speak of other notebooks gives the index, as that happens to be."""


@dataclass(frozen=True, slots=True)
class Others:
    """Cells of other notebooks, best first, and as a sentence what the search had to do without."""

    cells: tuple[FoundCell, ...] = ()
    note: str = ""


async def find(
    notebooks: Notebooks,
    question: str,
    *,
    besides: str | None,
    asked_for: bool,
    send: bool = True,
    unasked: float = UNASKED,
) -> Others:
    """The cells of other notebooks than ``besides`` that fit ``question``; ``asked_for``: it speaks of others,
    and else the search has ``unasked`` seconds.

    Unless ``send``, nothing is sent to an endpoint for embeddings.
    """
    if asked_for:
        found, note = await _cells(notebooks, question, besides, PATIENCE, send)
        return Others(chosen(found, asked_for=True), note)
    try:
        found, _ = await asyncio.wait_for(_cells(notebooks, question, besides, 0, send), unasked)
    except asyncio.TimeoutError:
        return Others()
    return Others(chosen(found, asked_for=False))


async def _cells(
    notebooks: Notebooks, question: str, besides: str | None, patience: float, send: bool
) -> tuple[list[FoundCell], str]:
    words = search_words(question)[:1_000]
    try:
        found = await notebooks.search(words, limit=3 * MOST_CELLS, patience=patience, meaning=send)
    except AssistantError:
        return [], ""
    places = [place for place in found.places if place.path != besides]
    paths = list(dict.fromkeys(place.path for place in places))[:MOST_CELLS]
    read = await asyncio.gather(*(_read(notebooks, path) for path in paths))
    snapshots = dict(zip(paths, read, strict=True))
    return [cell for place in places if (cell := _cell(place, snapshots.get(place.path)))], found.note


async def _read(notebooks: Notebooks, path: str) -> Snapshot | None:
    try:
        return await (await notebooks.open(path)).read()
    except NotebookError:
        return None


def _cell(place: Place, snapshot: Snapshot | None) -> FoundCell | None:
    cell = next((cell for cell in snapshot.cells if cell.id == place.cell_id), None) if snapshot else None
    if snapshot is None or cell is None:
        return None
    return FoundCell(snapshot, cell, place.score, place.snippet)


def sources(found: Sequence[FoundCell]) -> tuple[Source, ...]:
    """The found cells as citable places."""
    return tuple(source(one.notebook.path, one.cell.id, one.cell.index, one.score, one.snippet) for one in found)


def source(path: str, cell_id: str, index: int, score: float, snippet: str) -> Source:
    """A cell of the workspace as a citable place; ``index`` counts from 0."""
    return Source(
        title=f"{path.rpartition('/')[2]} · cell {index + 1}",
        path=path,
        url=f"lab/tree/{quote(path)}#cell-id={quote(cell_id, safe='')}",
        snippet=snippet,
        score=round(score, 3),
        cell_id=cell_id,
    )
