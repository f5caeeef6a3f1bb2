"""What a room's notebook holds, digested cell by cell as it changes, for those who read it.

The law (DESIGN §2, law 7): nothing is digested twice and nothing at length: after a change, the cells that it touched
are, a few milliseconds at a time. A change is only ever noted while the document is being changed, never acted on:
an error there would be the user's.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..cells import Cell, Snapshot, cell, snapshot, unreadable
from ..nbformats import MAX_OUTPUTS, Header, NotANotebook, budget_of, cell_record, header

SLICE = 0.008
"""Seconds of digesting between two turns of the others."""
_OUTPUTS_ALONE = frozenset({"outputs", "execution_count", "execution_state"})


class Content:
    """The cells of the shared notebook ``document`` (a ``YNotebook``); close it when nobody reads it any more."""

    def __init__(self, document: Any) -> None:
        from pycrdt import Map

        self._ycells: Any = document.ycells
        self._meta: Any = document.ydoc.get("meta", type=Map)
        self._cells: list[Cell | None] = []
        self._counts: list[int] = []
        self.revision = 0
        self.sources = 0
        """Counts the changes of anything but outputs."""
        self._forget()
        self._of_cells = self._ycells.observe_deep(self._cells_change)
        self._of_meta = self._meta.observe_deep(self._meta_changes)

    def close(self) -> None:
        self._ycells.unobserve(self._of_cells)
        self._meta.unobserve(self._of_meta)

    @property
    def version(self) -> str:
        """Of the content: changes with it."""
        return f"{id(self):x}-{self.revision:x}"

    def catch_up(self, seconds: float) -> bool:
        """Digest what has changed, for so long; True when that is all."""
        if len(self._cells) != len(self._ycells):
            self._forget()
        end = time.perf_counter() + seconds
        for index, known in enumerate(self._cells):
            if known is None:
                self._digest(index)
                if time.perf_counter() > end:
                    return None not in self._cells
        return True

    def snapshot(self, path: str) -> Snapshot:
        """The notebook now; after ``catch_up`` with nothing left, and no waiting since."""
        told = self._header(path)
        old = told[2] < (4, 5)
        taken: set[str] = set()
        cells = tuple(self._named(index, known, taken, old) for index, known in enumerate(self._cells) if known)
        return snapshot(told, cells, path=path, revision=self.version, home="room")

    def meta(self) -> dict[str, Any]:
        """What the notebook says of itself: its metadata and its format."""
        found = self._meta.to_py() or {}
        return {name: _int(value) for name, value in found.items()}

    def _header(self, path: str) -> Header:
        try:
            return header(self.meta())
        except NotANotebook as error:
            raise unreadable(path, str(error)) from None

    def _named(self, index: int, known: Cell, taken: set[str], old: bool) -> Cell:
        """The cell at its place; under a handle where it has no id of its own, or the format knows none."""
        if known.index != index:
            known = self._cells[index] = replace(known, index=index)
        if old or known.id.startswith("#") or known.id in taken:
            return replace(known, id=f"#{index}")
        taken.add(known.id)
        return known

    def _digest(self, index: int) -> None:
        found = self._ycells[index].to_py()
        found["execution_count"] = _int(found.get("execution_count"))
        outputs = found.get("outputs")
        self._counts[index] = min(len(outputs), MAX_OUTPUTS) if isinstance(outputs, list) else 0
        self._cells[index] = cell(cell_record(found, index, set(), budget_of(sum(self._counts))), index)

    # ------------------------------------------------------------ while the document is being changed

    def _cells_change(self, events: Sequence[Any]) -> None:
        self.revision += 1
        for event in events:
            if not event.path:
                self._splice(event.delta)
        for event in events:
            self.sources += not _is_of_outputs(event)
            if event.path and event.path[0] < len(self._cells):
                self._cells[event.path[0]] = None

    def _splice(self, delta: Sequence[dict[str, Any]]) -> None:
        at = 0
        for step in delta:
            at += step.get("retain", 0)
            gone, come = step.get("delete", 0), len(step.get("insert", ()))
            self._cells[at : at + gone] = [None] * come
            self._counts[at : at + gone] = [0] * come
            at += come

    def _meta_changes(self, _: Sequence[Any]) -> None:
        self.revision += 1
        self.sources += 1

    def _forget(self) -> None:
        self._cells = [None] * len(self._ycells)
        self._counts = [0] * len(self._ycells)


def _is_of_outputs(event: Any) -> bool:
    """Whether only outputs, and what goes with them, have changed."""
    if len(event.path) == 1:
        return hasattr(event, "keys") and set(event.keys) <= _OUTPUTS_ALONE
    return len(event.path) > 1 and event.path[1] == "outputs"


def _int(value: object) -> object:
    """The shared document's numbers are floats."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
