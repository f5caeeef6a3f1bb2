"""Cells as values: what a notebook holds, digested for reading, and overlaid with what is not saved yet; pure.

The law: a digest never carries an output's payload, and says how much it left out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from ..errors import NotebookUnreadable
from ..messages import CellError, NotebookFocus, UnsavedCell
from .nbformats import CellRecord, Header, NotANotebook, budget_of, hashed, output_records, records
from .outputs import TEXT_BUDGET, OutputRecord


@dataclass(frozen=True, slots=True)
class Output:
    """One output, digested. ``text`` is what a reader may see, already cut; ``chars`` the length before the cut."""

    output_type: str
    text: str = ""
    chars: int = 0
    mimes: tuple[str, ...] = ()
    error: CellError | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell. ``index`` counts from 0; ``id`` is nbformat's, or the handle ``#<index>`` where a notebook has none.

    ``editable`` and ``deletable`` are what its metadata says, which JupyterLab obeys.
    """

    id: str
    index: int
    cell_type: str
    source: str
    outputs: tuple[Output, ...] = ()
    execution_count: int | None = None
    unsaved: bool = False
    editable: bool = True
    deletable: bool = True

    @property
    def hash(self) -> str:
        """Of its source; what an edit of the cell is made from."""
        return hashed(self.source)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A notebook at one moment. ``revision`` changes whenever the home's content does; ``home`` says which.

    ``note`` is a sentence that its reader must know: that this is not its home's content, but what was saved last.
    """

    path: str
    cells: tuple[Cell, ...]
    language: str = "python"
    kernel: str | None = None
    nbformat: tuple[int, int] = (4, 5)
    revision: str = ""
    home: str = "file"
    note: str = ""


# ---------------------------------------------------------------- reading


def digest(notebook: object, *, path: str, revision: str, home: str = "file") -> Snapshot:
    """Parsed nbformat JSON (2 to 4) as a snapshot; raises ``NotebookUnreadable`` for what is no notebook."""
    try:
        header, found = records(notebook)
    except NotANotebook as error:
        raise unreadable(path, str(error)) from None
    cells = tuple(cell(record, index) for index, record in enumerate(found))
    return snapshot(header, cells, path=path, revision=revision, home=home)


def snapshot(header: Header, cells: tuple[Cell, ...], *, path: str, revision: str, home: str) -> Snapshot:
    language, kernel, version = header
    return Snapshot(path, cells, language, kernel, (version[0], version[1]), revision, home)


def cell(record: CellRecord, index: int) -> Cell:
    """A record of ``nbformats`` as a cell, also one that went through JSON."""
    name, kind, source, outputs, count, editable, deletable = record
    told = tuple(map(_output, outputs))
    return Cell(name, index, kind, source, told, count, editable=editable, deletable=deletable)


def digested(outputs: Sequence[object]) -> tuple[Output, ...]:
    """Outputs of nbformat 4, digested."""
    return tuple(map(_output, output_records(list(outputs))))


def _output(record: OutputRecord) -> Output:
    kind, text, chars, mimes, error = record
    return Output(kind, text, chars, tuple(mimes), CellError(*error) if error else None)


def is_plain(snapshot: Snapshot) -> bool:
    """Whether it has so few outputs that none of them is digested shorter for the sake of the others."""
    return budget_of(sum(len(cell.outputs) for cell in snapshot.cells)) == TEXT_BUDGET


def weight(snapshot: Snapshot) -> int:
    """About how many bytes its texts are."""
    outputs = sum(len(output.text) for cell in snapshot.cells for output in cell.outputs)
    return outputs + sum(len(cell.source) for cell in snapshot.cells) + 4_096


def unreadable(path: str, why: str) -> NotebookUnreadable:
    return NotebookUnreadable(f"{path} cannot be read as a notebook: {why}.")


# ---------------------------------------------------------------- what is not saved yet


def overlay(snapshot: Snapshot, focus: NotebookFocus) -> Snapshot:
    """The snapshot as the front-end shows it now: ``unsaved`` laid over it, in ``order`` (DESIGN §4); changes no home.

    A saved cell that ``order`` does not name is deleted. An unsaved cell it does not name stays behind the cell it
    follows in the file; one that the file does not know comes last. A front-end gives cells without ids its own:
    they are matched by place where the counts agree, and never deleted where they do not.
    """
    unsaved = {edit.id: edit for edit in focus.unsaved}
    saved = _named(snapshot.cells, focus.order, unsaved)
    known = {old.id for old in saved}
    laid = [_edited(old, unsaved[old.id]) if old.id in unsaved else old for old in saved]
    laid += [_edited(Cell(edit.id, 0, "raw", ""), edit) for edit in unsaved.values() if edit.id not in known]
    ordered = laid if focus.order is None else _ordered(laid, known, focus.order)
    return replace(snapshot, cells=tuple(_placed(cell, index) for index, cell in enumerate(ordered)))


def _named(cells: tuple[Cell, ...], order: tuple[str, ...] | None, unsaved: Collection[str]) -> tuple[Cell, ...]:
    """Cells without an id of their own under the ids the front-end gave them, where the order tells which is which."""
    if order is None or not any(old.id.startswith("#") for old in cells):
        return cells
    for names in (order, [name for name in order if name not in unsaved]):
        if _aligned(cells, names):
            return tuple(replace(old, id=name) for old, name in zip(cells, names, strict=True))
    return cells


def _aligned(cells: tuple[Cell, ...], names: Sequence[str]) -> bool:
    return len(cells) == len(names) == len(set(names)) and all(
        old.id in (name, f"#{old.index}") for old, name in zip(cells, names, strict=True)
    )


def _edited(old: Cell, edit: UnsavedCell) -> Cell:
    kind = edit.cell_type if edit.cell_type in ("code", "markdown") else "raw"
    outputs = old.outputs if edit.outputs is None else digested(edit.outputs)
    count = old.execution_count if edit.outputs is None else _count(edit, old.execution_count)
    code = kind == "code"
    return replace(
        old,
        cell_type=kind,
        source=edit.source,
        outputs=outputs if code else (),
        execution_count=count if code else None,
        unsaved=True,
    )


def _count(edit: UnsavedCell, old: int | None) -> int | None:
    counts = (output.get("execution_count") for output in edit.outputs or ())
    return next((count for count in counts if type(count) is int), old)


def _ordered(laid: list[Cell], known: set[str], order: tuple[str, ...]) -> list[Cell]:
    cells = {cell.id: cell for cell in laid}
    shown = dict.fromkeys(name for name in order if name in cells)
    behind: dict[str | None, list[Cell]] = {}
    new: list[Cell] = []
    before: str | None = None
    for cell in laid:
        if cell.id in shown:
            before = cell.id
        elif cell.unsaved and cell.id not in known:
            new.append(cell)
        elif cell.unsaved or _unnameable(cell, order):
            behind.setdefault(before, []).append(cell)
    return [*behind.get(None, ()), *chain.from_iterable((cells[name], *behind.get(name, ())) for name in shown), *new]


def _unnameable(cell: Cell, order: tuple[str, ...]) -> bool:
    """A cell under a handle, in an order that knows no handles, cannot have been left out on purpose."""
    return cell.id.startswith("#") and not any(name.startswith("#") for name in order[:1])


def _placed(cell: Cell, index: int) -> Cell:
    return cell if cell.index == index else replace(cell, index=index)
