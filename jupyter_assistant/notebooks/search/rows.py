"""What the index holds of a notebook and gives back of it: rows of cells, places, counts; pure.

The law: a row is made of plain values, whatever a notebook holds, and its digest is that of the text its vector is
made of, so that an unchanged cell is never sent again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..cells import Cell
from ..listing import Sighting
from .words import parts, storable, titles

MAX_SOURCE: Final = 40_000
MAX_OUTPUTS: Final = 2_000
"""Characters of a cell that are indexed; of its outputs, both ends."""
MAX_EMBEDDED: Final = 4_000
"""Characters of a cell's source that its vector is made of."""

Row = tuple[str, int, str, str, str, str, str, str, bytes]
"""Of a cell: id, place, type, title, title where the source does not say it, source, hidden words, outputs, digest.

Plain tuples of plain values: the garbage collector lets go of those, while it looks into all of the server's memory
the sooner, the more objects live on.
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A cell that answers a query, as it was when it was indexed.

    ``score`` is between 0 and 2, higher is better: of the words alone at least 1 where the cell holds every word; with
    vectors by reciprocal rank, 2 for the first by both. ``title`` is the nearest heading, or the notebook's name;
    ``index`` counts from 0; ``snippet`` is plain text on one line.
    """

    path: str
    cell_id: str
    index: int
    cell_type: str
    score: float
    title: str
    snippet: str


@dataclass(frozen=True, slots=True)
class Page:
    """A notebook to be indexed; without rows where it could not be read."""

    sighting: Sighting
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Unembedded:
    """Cells without a vector: ``digests`` and the ``texts`` they are to be made of; ``below``: where to go on."""

    digests: tuple[bytes, ...]
    texts: tuple[str, ...]
    below: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How much the index holds; ``embedded`` counts cells that were embedded, equal ones once."""

    notebooks: int
    cells: int
    embedded: int


def page(sighting: Sighting, cells: Sequence[Cell]) -> Page:
    """A notebook to be indexed, from its cells."""
    return Page(sighting, rows(sighting.path, cells))


def rows(path: str, cells: Sequence[Cell]) -> tuple[Row, ...]:
    """A notebook's cells as the index takes them; the work of some milliseconds for a large one."""
    name = path.removesuffix(".ipynb")
    named = zip(cells, titles(cells, name.rpartition("/")[2]), strict=True)
    return tuple(_row(cell, name, storable(title)) for cell, title in named if cell.source.strip() or cell.outputs)


def as_row(values: Sequence[Any]) -> Row:
    """A row that went through JSON, its digest in hexadecimal digits."""
    name, place, kind, title, above, source, hidden, outputs, digits = values
    return (name, place, kind, title, above, source, hidden, outputs, bytes.fromhex(digits))


def _row(cell: Cell, name: str, title: str) -> Row:
    source = storable(cell.source[:MAX_SOURCE])
    hidden = parts(f"{name} {title} {source}")
    above = "" if title in source else title  # a heading must not count twice, or bare headings come first
    digest = hashlib.sha256(embedded(title, source).encode()).digest()[:16] if source.strip() else b""
    return (storable(cell.id), cell.index, cell.cell_type, title, above, source, hidden, _outputs(cell), digest)


def embedded(title: str, source: str) -> str:
    """The text that a cell's vector is made of: the heading it stands under and its source, no outputs."""
    return f"{title}\n\n{source[:MAX_EMBEDDED]}"


def _outputs(cell: Cell) -> str:
    texts = (f"{out.error.name} {out.error.value}\n{out.text}" if out.error else out.text for out in cell.outputs)
    text = storable("\n".join(filter(None, texts)))
    half = MAX_OUTPUTS // 2
    return text if len(text) <= MAX_OUTPUTS else f"{text[:half]}\n{text[-half:]}"
