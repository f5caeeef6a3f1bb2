"""Edits of a notebook: what is asked, the decision what it becomes, and what came of it; pure.

The law (DESIGN §2, law 3): a cell is named by its id, an edit whose hash is stale is refused with what the cell
holds now, and all edits of one call are made or none. ``decide`` knows no home: every home carries out its ``Plan``.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ..errors import CellNotFound, EditRefused, StaleCell
from .cells import Cell, Snapshot, digested
from .differences import unified
from .nbformats import hashed, source_text
from .splice import new_cell, stored

Json = dict[str, Any]
KINDS = ("code", "markdown", "raw")


# ---------------------------------------------------------------- what is asked


@dataclass(frozen=True, slots=True)
class NewCell:
    """A cell to be: ``cell_type`` is code, markdown or raw."""

    cell_type: str
    source: str


@dataclass(frozen=True, slots=True)
class Insert:
    """New cells, in order, behind ``after`` or in front of ``before`` (cell ids); at the end where neither is given."""

    cells: tuple[NewCell, ...]
    after: str | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Replace:
    """Another source, and with ``cell_type`` another type: code cells have outputs, other cells have none."""

    cell_id: str
    source: str
    cell_type: str | None = None


@dataclass(frozen=True, slots=True)
class Substitute:
    """``new`` for ``old``, which the source must hold exactly once."""

    cell_id: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Move:
    """To behind ``after`` or in front of ``before``; to the end where neither is given."""

    cell_id: str
    after: str | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    cell_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClearOutputs:
    """No outputs and no execution counts, in these cells or (None) in all code cells."""

    cell_ids: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class SetOutputs:
    """What a run gave a code cell: whole nbformat 4 outputs, in place of those it has.

    ``running``: the cell still runs, which a home that has a place for it shows.
    """

    cell_id: str
    outputs: tuple[Json, ...]
    execution_count: int | None = None
    running: bool = False


@dataclass(frozen=True, slots=True)
class Upgrade:
    """The notebook as nbformat 4.5, every cell with an id of its own. Only ever with the user's consent, and alone."""


Edit = Insert | Replace | Substitute | Move | Delete | ClearOutputs | SetOutputs | Upgrade


# ---------------------------------------------------------------- what came of it


@dataclass(frozen=True, slots=True)
class CellChange:
    """One cell that an edit named. ``before``, ``after``: the hashes of its source; None: was not, is no more.

    ``diff`` is the unified diff of its source, empty where only its outputs or its place changed; ``index`` its
    place now, from 0.
    """

    cell_id: str
    before: str | None
    after: str | None
    diff: str
    index: int | None


@dataclass(frozen=True, slots=True)
class Change:
    """What was done to the notebook at ``path``, which is in ``revision`` now; ``inserted`` are new ids, in order.

    ``note`` is a sentence that whoever asked must know: that it could not be saved.
    """

    path: str
    revision: str
    cells: tuple[CellChange, ...]
    inserted: tuple[str, ...]
    diff: str
    note: str = ""


class Placed(NamedTuple):
    """One cell of the notebook to be: ``at`` was its place, None for a new one; None in the rest is "as it was".

    ``execution_count`` counts where ``outputs`` are given. ``renamed``: ``id`` is a new name for an old cell. A plain
    tuple, since it goes to the writing process as JSON.
    """

    id: str
    at: int | None
    cell_type: str | None = None
    source: str | None = None
    outputs: tuple[Json, ...] | None = None
    execution_count: int | None = None
    renamed: bool = False

    @property
    def untouched(self) -> bool:
        return self.at is not None and not self.renamed and self[2:5] == (None, None, None)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a home has to do: all ``cells`` in their new order, made from the cells ``known`` as (id, hash)."""

    cells: tuple[Placed, ...]
    known: tuple[tuple[str, str], ...]
    changes: tuple[CellChange, ...]
    inserted: tuple[str, ...]
    upgrade: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether the notebook is already what the edits ask for."""
        in_order = all(placed.at == index and placed.untouched for index, placed in enumerate(self.cells))
        return in_order and len(self.cells) == len(self.known) and not self.upgrade

    def wire(self) -> dict[str, Any]:
        """What ``splice.spliced`` takes, as JSON."""
        return {"known": self.known, "cells": self.cells, "upgrade": self.upgrade}

    def applied(self, snapshot: Snapshot) -> Snapshot | None:
        """What ``snapshot`` becomes, but for its revision; None where cells go by handles, which count anew."""
        if any(placed.id.startswith("#") or placed.renamed for placed in self.cells):
            return None
        cells = tuple(_made(placed, index, snapshot.cells) for index, placed in enumerate(self.cells))
        version = (4, 5) if self.upgrade else snapshot.nbformat
        return replace(snapshot, cells=cells, nbformat=version)

    def change(self, path: str, revision: str) -> Change:
        diff = "\n".join(change.diff for change in self.changes if change.diff)
        return Change(path, revision, self.changes, self.inserted, diff)


def _made(placed: Placed, index: int, before: tuple[Cell, ...]) -> Cell:
    cell = Cell(placed.id, index, "raw", "") if placed.at is None else before[placed.at]
    if placed.cell_type is not None:
        cell = replace(cell, cell_type=placed.cell_type)
    if placed.source is not None:
        cell = replace(cell, source=placed.source)
    if placed.outputs is not None:
        cell = replace(
            cell, outputs=digested(list(map(stored, placed.outputs))), execution_count=placed.execution_count
        )
    if cell.cell_type != "code":
        cell = replace(cell, outputs=(), execution_count=None)
    return replace(cell, index=index)


def new_notebook(cells: Sequence[NewCell], metadata: Json) -> Json:
    """A notebook of nbformat 4.5, as nbformat stores it; raises ``EditRefused``."""
    names: dict[str, NewCell] = {}
    for cell in cells:
        _refuse_kind(cell.cell_type)
        _refuse_halves(cell.source)
        while (name := _random_id()) in names:
            pass
        names[name] = cell
    made = [new_cell(name, cell.cell_type, cell.source, (), None) for name, cell in names.items()]
    return {"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _random_id() -> str:
    return uuid.uuid4().hex[:8]


def revised(plan: Plan, snapshot: Snapshot, content: Any) -> Plan:
    """The plan as a save hook has changed it: ``content`` is the parsed notebook that the hook made."""
    sources = {cell.get("id"): (index, source_text(cell.get("source"))) for index, cell in enumerate(content["cells"])}
    olds = {cell.id: cell for cell in snapshot.cells}
    changes = []
    for change in plan.changes:
        index, source = sources.get(change.cell_id, (None, None))
        old = olds[change.cell_id].source if change.cell_id in olds else ""
        after = None if source is None else hashed(source)
        changes.append(
            CellChange(change.cell_id, change.before, after, unified(change.cell_id, old, source or ""), index)
        )
    hooked = tuple(placed._replace(renamed=True) for placed in plan.cells)
    return Plan(hooked, plan.known, tuple(changes), plan.inserted, plan.upgrade)


# ---------------------------------------------------------------- the decision


def decide(
    snapshot: Snapshot,
    edits: Sequence[Edit],
    expected: Mapping[str, str],
    *,
    new_id: Callable[[], str] | None = None,
) -> Plan:
    """What ``edits``, one after the other, make of ``snapshot``; ``expected`` are cell ids with the hash of each.

    Raises ``CellNotFound``, ``StaleCell``, ``EditRefused``; then nothing is to be done.
    """
    draft = _Draft(snapshot, new_id or _random_id)
    if any(isinstance(edit, Upgrade) for edit in edits):
        if len(edits) != 1:
            raise EditRefused("A notebook is upgraded on its own, not together with other edits.")
        draft.upgrade()
    elif edits:
        _refuse_old(snapshot)
    for cell_id, known in expected.items():
        draft.check(cell_id, known)
    for edit in edits:
        draft.make(edit)
    return draft.plan()


def _refuse_old(snapshot: Snapshot) -> None:
    major, minor = snapshot.nbformat
    if (major, minor) < (4, 5):
        raise EditRefused(
            f"{snapshot.path} is in the old format nbformat {major}.{minor}, whose cells have no ids to edit them by.",
            "Open it in JupyterLab, which converts it, and save it once; then edit it.",
        )


@dataclass(slots=True)
class _Line:
    """A cell while edits are made: as it is to be, as it was, and its source and type by now."""

    placed: Placed
    old: Cell | None
    source: str
    cell_type: str


@dataclass(slots=True)
class _Draft:
    """The notebook while edits are made."""

    snapshot: Snapshot
    new_id: Callable[[], str]
    lines: list[_Line] = field(default_factory=list)
    deleted: dict[str, Cell] = field(default_factory=dict)
    named: dict[str, None] = field(default_factory=dict)
    upgraded: bool = False

    def __post_init__(self) -> None:
        self.lines = [_Line(Placed(old.id, old.index), old, old.source, old.cell_type) for old in self.snapshot.cells]

    def check(self, cell_id: str, known: str) -> None:
        old = self._line(cell_id).old
        if old is not None and old.hash != known:
            raise StaleCell(
                f"Cell {cell_id} has changed since it was read; its hash is {old.hash} now.",
                cell_id=cell_id,
                source=old.source,
                hash=old.hash,
            )

    def make(self, edit: Edit) -> None:
        if isinstance(edit, Insert):
            self._insert(edit)
        elif isinstance(edit, Replace):
            self._write(self._own(edit.cell_id), edit.source, edit.cell_type)
        elif isinstance(edit, Substitute):
            self._substitute(edit)
        elif isinstance(edit, Move):
            self._move(edit)
        elif isinstance(edit, Delete):
            self._delete(edit)
        elif isinstance(edit, ClearOutputs):
            self._clear(edit)
        elif isinstance(edit, SetOutputs):
            self._set_outputs(edit)

    def upgrade(self) -> None:
        if self.snapshot.nbformat > (4, 5):
            raise EditRefused(f"{self.snapshot.path} is newer than nbformat 4.5 already.")
        for line in self.lines:
            if line.placed.id.startswith("#"):
                line.placed = line.placed._replace(id=self._fresh(), renamed=True)
                self.named[line.placed.id] = None
        self.upgraded = self.snapshot.nbformat < (4, 5)

    def plan(self) -> Plan:
        places = {line.placed.id: index for index, line in enumerate(self.lines)}
        lines = {line.placed.id: line for line in self.lines}
        changes = [
            _change(name, lines[name], places[name]) if name in lines else _deletion(self.deleted[name])
            for name in self.named
            if name in lines or name in self.deleted
        ]
        known = tuple((old.id, old.hash) for old in self.snapshot.cells)
        inserted = tuple(name for name in self.named if name in lines and lines[name].old is None)
        return Plan(tuple(line.placed for line in self.lines), known, tuple(changes), inserted, self.upgraded)

    # ------------------------------------------------------------ one edit

    def _insert(self, edit: Insert) -> None:
        at = self._place(edit.after, edit.before)
        for new in edit.cells:
            _refuse_kind(new.cell_type)
            _refuse_halves(new.source)
            name = self._fresh()
            placed = Placed(name, None, new.cell_type, new.source, () if new.cell_type == "code" else None)
            self.lines.insert(at, _Line(placed, None, new.source, new.cell_type))
            self.named[name] = None
            at += 1

    def _write(self, line: _Line, source: str, cell_type: str | None = None) -> None:
        if line.old is not None and not line.old.editable:
            raise _locked(line.placed.id, "editable", "edited")
        if cell_type is not None and cell_type != line.cell_type:
            self._retype(line, cell_type)
        _refuse_halves(source)
        line.source = source
        was = line.old.source if line.old else None
        line.placed = line.placed._replace(source=source if source != was else None)
        self.named[line.placed.id] = None

    def _retype(self, line: _Line, cell_type: str) -> None:
        _refuse_kind(cell_type)
        line.cell_type = cell_type
        was = line.old.cell_type if line.old else None
        outputs = () if cell_type == "code" and was != "code" else None
        line.placed = line.placed._replace(
            cell_type=cell_type if cell_type != was else None, outputs=outputs, execution_count=None
        )

    def _substitute(self, edit: Substitute) -> None:
        line = self._own(edit.cell_id)
        found = _occurrences(line.source, edit.old)
        if not edit.old:
            raise EditRefused(
                "The text to be replaced is empty.", "Give the text as it stands in the cell, whole lines."
            )
        if found == 0:
            raise EditRefused(
                f"Cell {edit.cell_id} does not hold that text.",
                "Take the old text from the cell's current source, with its exact spaces and line ends.",
            )
        if found > 1:
            raise EditRefused(
                f"Cell {edit.cell_id} holds that text {found} times.",
                "Add lines around it until it is the only such place.",
            )
        self._write(line, line.source.replace(edit.old, edit.new))

    def _move(self, edit: Move) -> None:
        line = self._own(edit.cell_id)
        if edit.cell_id in (edit.after, edit.before):
            raise EditRefused(f"Cell {edit.cell_id} cannot be moved next to itself.")
        self._place(edit.after, edit.before)
        self.lines.remove(line)
        self.lines.insert(self._place(edit.after, edit.before), line)
        self.named[edit.cell_id] = None

    def _delete(self, edit: Delete) -> None:
        for name in dict.fromkeys(edit.cell_ids):
            line = self._own(name)
            if line.old is not None and not line.old.deletable:
                raise _locked(name, "deletable", "deleted")
            self.lines.remove(line)
            self.named[name] = None
            if line.old is not None:
                self.deleted[name] = line.old

    def _clear(self, edit: ClearOutputs) -> None:
        chosen = self.lines if edit.cell_ids is None else [self._own(name) for name in dict.fromkeys(edit.cell_ids)]
        for line in chosen:
            if line.cell_type == "code" and _has_run(line):
                line.placed = line.placed._replace(outputs=(), execution_count=None)
                self.named[line.placed.id] = None

    def _set_outputs(self, edit: SetOutputs) -> None:
        line = self._own(edit.cell_id)
        if line.cell_type != "code":
            raise EditRefused(f"Cell {edit.cell_id} is a {line.cell_type} cell; only code cells have outputs.")
        line.placed = line.placed._replace(outputs=edit.outputs, execution_count=edit.execution_count)
        self.named[edit.cell_id] = None

    # ------------------------------------------------------------ finding

    def _line(self, cell_id: str) -> _Line:
        for line in self.lines:
            if line.placed.id == cell_id:
                return line
        raise CellNotFound(f"{self.snapshot.path} has no cell {cell_id[:64]}.")

    def _own(self, cell_id: str) -> _Line:
        """The cell, which must have an id of its own: a handle may mean another cell a moment later."""
        line = self._line(cell_id)
        if cell_id.startswith("#"):
            raise EditRefused(
                f"Cell {cell_id} has no id of its own (none is stored, or another cell has the same one).",
                "Open the notebook in JupyterLab and save it once: that gives every cell its id.",
            )
        return line

    def _place(self, after: str | None, before: str | None) -> int:
        if after is not None and before is not None:
            raise EditRefused("Both after and before are given.", "Name the cell on one side only.")
        if after is not None:
            return self.lines.index(self._own(after)) + 1
        return len(self.lines) if before is None else self.lines.index(self._own(before))

    def _fresh(self) -> str:
        """An id that no cell of the notebook has or had."""
        taken = {line.placed.id for line in self.lines} | self.deleted.keys()
        while (name := self.new_id()) in taken:
            pass
        return name


def _locked(cell_id: str, key: str, done: str) -> EditRefused:
    return EditRefused(
        f"Cell {cell_id} must not be {done}: its metadata says so ({key}: false).",
        "Leave it as it is, or ask the user, who can allow it in JupyterLab's property inspector.",
    )


def _refuse_kind(cell_type: str) -> None:
    if cell_type not in KINDS:
        raise EditRefused(f"There is no cell type {cell_type[:40]!r}.", "Use code, markdown or raw.")


def _refuse_halves(source: str) -> None:
    """Jupyter could never save a notebook with such a text again."""
    try:
        source.encode()
    except UnicodeEncodeError:
        raise EditRefused(
            "The new source holds half of a character (a lone surrogate).", "Send the character whole, or leave it out."
        ) from None


def _occurrences(source: str, old: str) -> int:
    """How often ``old`` stands in ``source``, also where two of them overlap."""
    count, at = 0, source.find(old) if old else -1
    while at >= 0:
        count, at = count + 1, source.find(old, at + 1)
    return count


def _has_run(line: _Line) -> bool:
    if line.placed.outputs is not None:
        return bool(line.placed.outputs) or line.placed.execution_count is not None
    return line.old is not None and (bool(line.old.outputs) or line.old.execution_count is not None)


def _change(name: str, line: _Line, index: int) -> CellChange:
    before = line.old.source if line.old else None
    old_hash = line.old.hash if line.old else None
    return CellChange(name, old_hash, hashed(line.source), unified(name, before or "", line.source), index)


def _deletion(old: Cell) -> CellChange:
    return CellChange(old.id, old.hash, None, unified(old.id, old.source, ""), None)
