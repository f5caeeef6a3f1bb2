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

from .digests import cut

KEPT = 100
"""Failed cells that are remembered."""
SOURCE_CHARS = 6_000
TRACE_CHARS = 4_000
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_CELL_FILE = re.compile(r"ipykernel_\d+|<ipython-input-")


@dataclass(frozen=True, slots=True)
class Failure:
    """A cell that failed: its source, and the traceback without colours. ``number`` is its execution count, or 0."""

    source: str
    text: str
    number: int = 0

    @property
    def question(self) -> str:
        """What to ask about it."""
        said = "Explain this error, then give the whole mended cell as the first code block of your answer."
        cell = f"\n\nThe cell{f' [{self.number}]' if self.number else ''}:\n\n{_fenced(self.source, 'python')}"
        return f"{said}{cell if self.source else ''}\n\nThe error:\n\n{_fenced(self.text, 'text')}"


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

    def take(self, result: Any) -> None:
        """What IPython says of a cell that ran (``post_run_cell``)."""
        error = result.error_in_exec or result.error_before_exec
        if not isinstance(error, Exception) or result.execution_count is None:
            return
        number = int(result.execution_count)
        self._kept.pop(number, None)
        self._kept[number] = Failure(cut(result.info.raw_cell or "", SOURCE_CHARS), told(error), number)
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
        trace = _from_cell(error.__traceback__)
        text = "".join(traceback.format_exception(type(error), error, trace, limit=-20))
    except Exception as failed:  # an exception's own code may raise anything
        text = f"{type(error).__name__} (cannot be shown: {type(failed).__name__})"
    return cut(_ANSI.sub("", text).strip(), TRACE_CHARS)


def _from_cell(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the cell's own frame on; all of it when no frame is a cell's."""
    at = trace
    while at is not None and not _CELL_FILE.search(at.tb_frame.f_code.co_filename):
        at = at.tb_next
    return at or trace


def _source(trace: TracebackType | None) -> str:
    cell = _from_cell(trace)
    file = cell.tb_frame.f_code.co_filename if cell else ""
    return "".join(linecache.getlines(file)) if _CELL_FILE.search(file) else ""


def _fenced(text: str, language: str) -> str:
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    return f"{fence}{language}\n{text.strip()}\n{fence}"
