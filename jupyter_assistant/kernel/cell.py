"""The cell that runs now, as its front-end told of it.

The law: only what is here is looked at; what a front-end does not tell stays empty.
"""

from __future__ import annotations

import ast
import linecache
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

CELL_FILE = re.compile(r"ipykernel_\d+|<ipython-input-")
"""The file of a cell, by its name in a frame."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: its id as the front-end knows it (empty where none told it), its source, its outputs as nbformat's."""

    id: str = ""
    source: str = ""
    outputs: tuple[Mapping[str, Any], ...] = ()


def asks_alone() -> bool:
    """Whether the statement of the cell that asks now does nothing else, such as a loop's next turn.

    True where no cell is found: in a kernel that names its cells otherwise.
    """
    frame = sys._getframe()
    while not CELL_FILE.search(frame.f_code.co_filename):
        if frame.f_back is None:
            return True
        frame = frame.f_back
    source = "".join(linecache.getlines(frame.f_code.co_filename))
    with suppress(SyntaxError):
        for node in ast.parse(source).body:
            if node.lineno <= frame.f_lineno <= (node.end_lineno or node.lineno):
                return isinstance(node, ast.Expr)
    return True


def asking_cell(shell: Any) -> Cell:
    """The cell that runs now: its id where the front-end tells it, and its source."""
    with suppress(Exception):  # a front-end may say anything
        parent: Mapping[str, Any] = shell.get_parent() if hasattr(shell, "get_parent") else {}
        found = str((parent.get("metadata") or {}).get("cellId") or "")
        return Cell(found, str((parent.get("content") or {}).get("code") or ""))
    return Cell()
