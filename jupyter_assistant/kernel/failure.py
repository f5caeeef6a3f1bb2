"""The errors of the session's cells as text: which cell failed, with what, where.

The law: an exception is told once, when it happens, and not kept: a kept one would keep all that its frames hold.
"""

from __future__ import annotations

import linecache
import re
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from .cell import CELL_FILE, Cell, asking_cell
from .digests import cut

KEPT = 100
"""Failed cells that are remembered."""
SOURCE_CHARS = 6_000
TRACE_CHARS = 4_000
LINE_CHARS = 120
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_NAMED = re.compile(r"[A-Za-z_][\w.]*(?:: .*)?$")
"""The line of a traceback that names the exception."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A cell that failed: its source, and the traceback without colours. ``number`` is its execution count, or 0."""

    source: str
    text: str
    number: int = 0
    cell: Cell | None = None
    """The same as its front-end knows it, with the error as its output."""

    @property
    def question(self) -> str:
        """What to ask about it."""
        cell = f"cell [{self.number}]" if self.number else "the cell"
        said = (
            f"Why does {cell} raise {self.said}? Explain it, then give the whole mended cell as the first code block."
        )
        source = f"\n\nThe cell:\n\n{_fenced(self.source, 'python')}" if self.source else ""
        return f"{said}{source}\n\nThe error:\n\n{_fenced(self.text, 'text')}"

    @property
    def said(self) -> str:
        """The error in a line, as a conversation's title can bear it."""
        line = next((line for line in reversed(self.text.splitlines()) if _NAMED.match(line)), "this error")
        return line if len(line) <= LINE_CHARS else f"{line[:LINE_CHARS]}…"


class Failures(Mapping[int, str]):
    """The errors by execution count, the latest hundred: what ``{Err[3]}`` reads."""

    def __init__(self) -> None:
        self._kept: dict[int, Failure] = {}

    def __getitem__(self, number: int) -> str:
        return self._kept[number].text

    def __iter__(self) -> Any:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def last(self) -> Failure | None:
        """The latest."""
        return self._kept[next(reversed(self._kept))] if self._kept else None

    def take(self, result: Any, shell: Any) -> None:
        """What IPython says of a cell that ran (``post_run_cell``)."""
        error = result.error_in_exec or result.error_before_exec
        if not isinstance(error, Exception) or result.execution_count is None:
            return
        number = int(result.execution_count)
        self._kept.pop(number, None)
        source, text = result.info.raw_cell or "", told(error)
        whole = len(source) <= SOURCE_CHARS
        cell = Cell(asking_cell(shell).id, source, (_output(error, text),)) if whole else None
        self._kept[number] = Failure(cut(source, SOURCE_CHARS), text, number, cell)
        while len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]


def before() -> Failure | None:
    """The session's last error, where it happened before anybody listened."""
    error = getattr(sys, "last_value", None)
    if not isinstance(error, Exception):
        return None
    return Failure(cut(_source(error.__traceback__), SOURCE_CHARS), told(error))


def told(error: BaseException) -> str:
    """A traceback without the frames of the machinery around cells, and without colours."""
    try:
        never_ran = isinstance(error, SyntaxError) and CELL_FILE.search(error.filename or "")
        trace = None if never_ran else _from_cell(error.__traceback__)
        text = "".join(traceback.format_exception(type(error), error, trace, limit=-20))
    except Exception as failed:  # an exception's own code may raise anything
        text = f"{type(error).__name__} (cannot be shown: {type(failed).__name__})"
    return cut(_ANSI.sub("", text).strip(), TRACE_CHARS)


def _output(error: BaseException, text: str) -> Mapping[str, Any]:
    said = text.splitlines()[-1].partition(": ")[2] if text else ""
    return {"output_type": "error", "ename": type(error).__name__, "evalue": said, "traceback": text.splitlines()}


def _from_cell(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the cell's own frame on; all of it when no frame is a cell's."""
    at = trace
    while at is not None and not CELL_FILE.search(at.tb_frame.f_code.co_filename):
        at = at.tb_next
    return at or trace


def _source(trace: TracebackType | None) -> str:
    cell = _from_cell(trace)
    file = cell.tb_frame.f_code.co_filename if cell else ""
    return "".join(linecache.getlines(file)) if CELL_FILE.search(file) else ""


def _fenced(text: str, language: str) -> str:
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    return f"{fence}{language}\n{text.strip()}\n{fence}"
