"""Failed cells, and their tracebacks as IPython prints them, read back into the lines they passed through.

The law: only what the text says; a frame whose line is no longer in the cell is not pointed at.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ...messages import CellError
from .evidence import Evidence, GivenCell

_CELL_FRAME = re.compile(
    r"(?:Cell |Input )?In ?\[(\d+)\](?:, line (\d+))?(?:.*?\bin (\w+)\()?"
    r"|(?:File )?<ipython-input-(\d+)-\w+>(?::(\d+))?(?:,? in (\w+))?"
)
_FILE_FRAME = re.compile(r'^(?:File|  File) "?[~/\w<.]')
_ARROW = re.compile(r"^-+> ?(\d+) (.*)$")
_TRACEBACK_CHARS = 60_000


@dataclass(frozen=True, slots=True)
class Frame:
    """A step of a traceback that is in a cell: the execution count printed, the line, its code, the function."""

    execution_count: int
    line: int
    code: str
    function: str


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a given cell where an error passed through."""

    cell: GivenCell
    line: int
    function: str


def frames(traceback: str) -> list[Frame]:
    """The frames of the last exception of a traceback that are in cells, outermost first."""
    found: list[Frame] = []
    current: tuple[int, int, str] | None = None
    for text in traceback[-_TRACEBACK_CHARS:].splitlines():
        if text.startswith(("Traceback", "---")) and "->" not in text:
            found.clear()
        if match := _CELL_FRAME.match(text.lstrip()):
            current = (int(match[1] or match[4]), int(match[2] or match[5] or 0), match[3] or match[6] or "")
            if current[1]:
                found.append(Frame(current[0], current[1], "", current[2]))
        elif _FILE_FRAME.match(text):
            current = None
        elif current and (match := _ARROW.match(text)):
            if found and found[-1].execution_count == current[0] and not found[-1].code:
                found.pop()
            found.append(Frame(current[0], int(match[1]), match[2].strip(), _function(current[2])))
    return found


def _function(name: str) -> str:
    return "" if name in ("<module>", "module") else name


def places(failed: GivenCell, cells: Sequence[GivenCell], traceback: str) -> list[Place]:
    """Where the error passed through, outermost first, as far as the cells given still hold those lines."""
    return [
        Place(cell, frame.line, frame.function)
        for frame in frames(traceback)
        if (cell := _cell_of(frame, failed, cells)) is not None
    ]


def _cell_of(frame: Frame, failed: GivenCell, cells: Sequence[GivenCell]) -> GivenCell | None:
    """The cell a frame was in: the one with its execution count that holds its line; the failed one first."""
    same = [cell for cell in cells if cell.content.execution_count == frame.execution_count]
    for cell in dict.fromkeys((failed, *same)):
        if cell is failed and failed.content.execution_count not in (None, frame.execution_count):
            continue
        if _holds(cell, frame):
            return cell
    return None


def _holds(cell: GivenCell, frame: Frame) -> bool:
    line = cell.line(frame.line).strip()
    return line == frame.code if frame.code else bool(line)


class Failure(NamedTuple):
    """A cell that failed, its error, and the lines it passed through, the innermost last."""

    cell: GivenCell
    error: CellError
    places: list[Place]

    @property
    def name(self) -> str:
        return self.error.name.rpartition(".")[2]


def failures(evidence: Evidence) -> list[Failure]:
    """The failed cells in the notebook's order."""
    return [
        Failure(cell, cell.content.error, places(cell, evidence.code_cells, cell.content.error.traceback))
        for cell in evidence.cells
        if cell.content.error is not None
    ]
