"""One cell of a run: its state and its outputs while it is driven, and the view of it that others get.

The law: what leaves here is frozen; only the run that owns the cell changes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from .collect import Collector, Json, LeftOut

CellState = Literal["waiting", "running", "done", "error", "timeout", "dead", "cancelled", "not run"]


@dataclass(frozen=True, slots=True)
class CellRun:
    """One cell of a run as it is now. ``outputs`` are nbformat 4; ``note`` says what a reader must know of it.

    ``cell_id`` is None for code that no cell holds.
    """

    cell_id: str | None
    state: CellState
    execution_count: int | None = None
    outputs: tuple[Json, ...] = ()
    left_out: LeftOut = field(default_factory=LeftOut)
    note: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What a front-end that runs a cell told of it last, where nothing is collected here."""

    execution_count: int | None = None
    outputs: tuple[Json, ...] = ()
    left_out: LeftOut = field(default_factory=LeftOut)


class RunningCell:
    """One cell of a run while it is driven."""

    def __init__(self, cell_id: str | None, source: str, moved: Callable[[], None] = lambda: None) -> None:
        self.cell_id = cell_id
        self.source = source
        self._state: CellState = "waiting"
        self._moved = moved
        self.collector = Collector()
        self.told: Told | None = None
        self.note = ""

    @property
    def state(self) -> CellState:
        return self._state

    @state.setter
    def state(self, state: CellState) -> None:
        self._state = state
        self._moved()

    def view(self) -> CellRun:
        kept = self.told or self.collector
        return CellRun(self.cell_id, self.state, kept.execution_count, kept.outputs, kept.left_out, self.note)
