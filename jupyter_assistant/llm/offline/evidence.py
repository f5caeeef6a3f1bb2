"""What the responder was given, read from the messages: the question, the notebook's cells, the selection.

The law: it knows only what the typed context items say; what was not given is not known, and that can be said.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from ...messages import CellContent, ContextItem, Message, Source, Variable
from . import facts
from .facts import Facts
from .markdown import listing

_CELL_COUNT = re.compile(r"\b(\d{1,7}) cells\b")
_SNIPPET_CHARS = 160
_MOST_SOURCES = 12


@dataclass(frozen=True, slots=True, eq=False)
class GivenCell:
    """A cell as it was given, with what its source says by its form."""

    id: str | None
    path: str
    content: CellContent
    facts: Facts = field(repr=False)
    truncated: bool = False

    @property
    def number(self) -> int:
        """The cell's position, counted from 1, as every answer calls it."""
        return self.content.index + 1

    @property
    def ref(self) -> str:
        """How an answer cites the cell."""
        return f"[cell {self.number}]"

    @property
    def is_code(self) -> bool:
        return self.content.cell_type == "code"

    @property
    def run(self) -> bool:
        """Whether it has been executed since its outputs were last cleared."""
        return self.content.execution_count is not None

    @property
    def language(self) -> str:
        """For fences: ``python`` where it parses as that."""
        return "python" if self.is_code and self.facts.parsed else ""

    def line(self, number: int) -> str:
        """A line of the source, counted from 1; empty when there is none."""
        lines = self.content.source.splitlines()
        return lines[number - 1] if 0 < number <= len(lines) else ""

    def statement(self, number: int) -> str:
        """The line with, when a bracket stays open, the lines that close it (six at most)."""
        lines = self.content.source.splitlines()[number - 1 : number + 5]
        depth = 0
        for at, line in enumerate(lines):
            depth += sum(line.count(char) for char in "([{") - sum(line.count(char) for char in ")]}")
            if depth <= 0:
                return "\n".join(lines[: at + 1])
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Kernel:
    """What was given of the kernel: all ``variables`` by name and type, those ``looked`` into, ``documentation``; and
    ``said``, where the context says why something is not known.
    """

    variables: tuple[Variable, ...] = ()
    looked: tuple[Variable, ...] = ()
    documentation: tuple[Variable, ...] = ()
    said: str = ""
    cut: bool = False

    def looked_at(self, name: str) -> Variable | None:
        """The variable of this name with its digest, if it was given."""
        return next((one for one in self.looked if one.name == name), None)


@dataclass(frozen=True, slots=True)
class Evidence:
    """The last question with the cells that came with it, in the notebook's order, and the questions before it."""

    question: str
    path: str | None
    cells: tuple[GivenCell, ...]
    active: GivenCell | None
    selection: CellContent | None
    total: int
    earlier: tuple[str, ...]
    kernel: Kernel = field(default_factory=lambda: Kernel())
    elsewhere: tuple[GivenCell, ...] = ()

    @property
    def code_cells(self) -> list[GivenCell]:
        return [cell for cell in self.cells if cell.is_code]

    @property
    def missing(self) -> int:
        """How many cells of the notebook were not given."""
        return max(0, self.total - len(self.cells))

    def numbered(self, number: int) -> GivenCell | None:
        """The cell with this number, if it was given."""
        return next((cell for cell in self.cells if cell.number == number), None)


def question_of(messages: Sequence[Message]) -> Message:
    """The last message of the user."""
    return next((message for message in reversed(messages) if message.role == "user"), Message("user", ""))


def gathered(messages: Sequence[Message], cells: Sequence[GivenCell]) -> Evidence:
    """The evidence of a conversation; ``cells`` are those of its last question, read."""
    last = question_of(messages)
    items = last.context
    active_index = next(
        (item.cell.index for item in items if item.active and item.cell and item.kind != "selection"), None
    )
    outline = next((item for item in items if item.kind == "notebook"), None)
    counted = _CELL_COUNT.findall(outline.text.partition("\n")[0]) if outline else []
    return Evidence(
        question=last.text,
        path=next((item.path for item in items if item.path and item.kind != "source"), None),
        cells=tuple(sorted(cells, key=lambda cell: cell.content.index)),
        active=next((cell for cell in cells if cell.content.index == active_index), None),
        selection=next((item.cell for item in items if item.kind == "selection" and item.cell), None),
        total=int(counted[-1]) if counted else len(cells),
        earlier=tuple(message.text for message in messages if message.role == "user" and message is not last),
        kernel=_kernel(items),
        elsewhere=tuple(given_cell(*content) for content in cells_of(last, "source")),
    )


def _kernel(items: Sequence[ContextItem]) -> Kernel:
    def of(kind: str) -> tuple[Variable, ...]:
        return tuple(one for item in items if item.kind == kind for one in item.variables)

    listed = next((item for item in items if item.kind == "variables"), None)
    last = listed.text.rpartition("\n")[2] if listed else ""
    return Kernel(
        of("variables"),
        of("variable"),
        of("documentation"),
        "" if last.startswith("```") else last,
        bool(listed and listed.truncated),
    )


def cells_of(message: Message, *kinds: str) -> list[tuple[str | None, str, CellContent, bool]]:
    """(id, path, content, truncated) of the cells a message was given: the open notebook's, or those of ``kinds``."""
    return [
        (item.cell_id, item.path or "", item.cell, item.truncated)
        for item in message.context
        if item.cell is not None and item.kind in (kinds or ("cell", "error"))
    ]


def given_cell(cell_id: str | None, path: str, content: CellContent, truncated: bool) -> GivenCell:
    """A cell with its source read; the only costly step, about 0.1 ms for an ordinary cell seen for the first time."""
    known = facts.read(content.source) if content.cell_type == "code" else Facts()
    return GivenCell(cell_id, path, content, known, truncated)


@dataclass(frozen=True, slots=True)
class Cited:
    """A place an answer relies on: a cell and, where it is one, the line."""

    cell: GivenCell
    line: int = 1


Piece = str | Cited
"""A piece of an answer: Markdown, or a place that is cited."""


def sources(cited: Sequence[Cited], path: str | None = None) -> tuple[Source, ...]:
    """Each cited cell once, in the order of the answer, twelve at most; the score falls with the rank. A cell of
    another notebook than the one at ``path`` is titled with its notebook.
    """
    first: dict[tuple[str, int], Cited] = {}
    for place in cited:
        first.setdefault((place.cell.path, place.cell.content.index), place)
    return tuple(_source(place, rank, path) for rank, place in enumerate(list(first.values())[:_MOST_SOURCES]))


def _source(place: Cited, rank: int, path: str | None) -> Source:
    cell = place.cell
    line = place.cell.line(place.line).strip() or cell.content.source.strip().partition("\n")[0]
    anchor = f"#cell-id={quote(cell.id, safe='')}" if cell.id else ""
    return Source(
        title=f"cell {cell.number}" if cell.path == path else f"{cell.path.rpartition('/')[2]} · cell {cell.number}",
        path=cell.path,
        url=f"lab/tree/{quote(cell.path)}{anchor}",
        snippet=line[:_SNIPPET_CHARS],
        score=round(1 / (1 + rank), 3),
        cell_id=cell.id,
    )


def citing(cells: Sequence[GivenCell], most: int = 8) -> str:
    """Cells as a list of citations; what goes past ``most`` is counted."""
    return listing((cell.ref for cell in cells), most)
