"""A plan of edits carried out in a shared document, in one step that everybody sees at once.

The law: every cell that can stay does, with its text and outputs as the people in it have them; only a cell that is
moved or changes its type is made anew, since browsers know no other way. What is run where nothing was mistrusted is
trusted, as in the other homes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..cells import Snapshot
from ..edits import Edit, Json, Move, Placed, Plan, SetOutputs, decide
from .merging import Hunk, hunks, overlap, shown


@dataclass(frozen=True, slots=True)
class Work:
    """A plan, and what a shared document must know beyond it.

    ``texts`` are the changes of the sources by cell id, ``outputs`` those to be there, ``running`` whether the cell
    still runs; ``moved`` are the cells that are made anew at their place.
    """

    plan: Plan
    texts: Mapping[str, tuple[Hunk, ...]]
    outputs: Mapping[str, list[Json]]
    running: Mapping[str, bool]
    moved: frozenset[str]

    def is_anew(self, placed: Placed) -> bool:
        return placed.at is not None and (placed.cell_type is not None or placed.id in self.moved)


def prepared(snapshot: Snapshot, edits: Sequence[Edit], expected: Mapping[str, str]) -> Work:
    """What ``edits`` make of the notebook; for a thread. Raises as ``decide``."""
    plan = decide(snapshot, edits, expected)
    texts = {
        placed.id: hunks(snapshot.cells[placed.at].source, placed.source)
        for placed in plan.cells
        if placed.at is not None and placed.source is not None
    }
    outputs = {placed.id: shown(placed.outputs) for placed in plan.cells if placed.outputs is not None}
    running = {edit.cell_id: edit.running for edit in edits if isinstance(edit, SetOutputs)}
    return Work(plan, texts, outputs, running, _moved(plan, edits))


def _moved(plan: Plan, edits: Iterable[Edit]) -> frozenset[str]:
    places = [placed.at for placed in plan.cells if placed.at is not None]
    if places == sorted(places):
        return frozenset()
    return frozenset(edit.cell_id for edit in edits if isinstance(edit, Move))


def carry_out(document: Any, work: Work) -> None:
    """Make the notebook what was planned; it must be what the plan was made from, and nobody else inside a change."""
    with document.ydoc.transaction():
        trusting = _is_trusting(document, work)
        anew = {placed.id: _made_anew(document, placed, work) for placed in work.plan.cells if _is_made(placed, work)}
        for placed in work.plan.cells:
            if placed.id not in anew and placed.at is not None and not placed.untouched:
                _change(document.ycells[placed.at], placed, work, trusting)
        _remove(document.ycells, work)
        for index, placed in enumerate(work.plan.cells):
            if placed.id in anew:
                document.ycells.insert(index, document.create_ycell(anew[placed.id]))
        if work.plan.upgrade:
            _upgrade(document)


def _is_made(placed: Placed, work: Work) -> bool:
    return placed.at is None or work.is_anew(placed)


def _remove(ycells: Any, work: Work) -> None:
    """Take out what goes and what is made anew."""
    stay = {placed.at for placed in work.plan.cells if not _is_made(placed, work)}
    for index in reversed(range(len(ycells))):
        if index not in stay:
            del ycells[index]


def _upgrade(document: Any) -> None:
    from pycrdt import Map

    meta = document.ydoc.get("meta", type=Map)
    meta["nbformat"], meta["nbformat_minor"] = 4, 5


# ---------------------------------------------------------------- one cell


def _made_anew(document: Any, placed: Placed, work: Work) -> Json:
    """The cell as nbformat JSON, for a place where it was not."""
    if placed.at is None:
        cell: Json = {"id": placed.id, "cell_type": placed.cell_type, "source": placed.source or "", "metadata": {}}
        # As a cell that a person inserts: it has no outputs that anybody could mistrust.
        blank: Json = {"metadata": {"trusted": True}, "outputs": [], "execution_count": None}
        made = {**cell, **(blank if placed.cell_type == "code" else {})}
    else:
        made = document.ycells[placed.at].to_py()
        made.update({"id": placed.id} if placed.source is None else {"id": placed.id, "source": placed.source})
        if placed.cell_type is not None:
            made = _retyped(made, placed.cell_type)
    if placed.id in work.outputs:
        made.update(outputs=work.outputs[placed.id], execution_count=placed.execution_count)
    return made


def _retyped(cell: Json, cell_type: str) -> Json:
    lost = ("attachments",) if cell_type == "code" else ("outputs", "execution_count", "execution_state")
    kept = {name: value for name, value in cell.items() if name not in lost}
    return {**kept, "cell_type": cell_type}


def _change(ycell: Any, placed: Placed, work: Work, trusting: bool) -> None:
    if placed.renamed:
        ycell["id"] = placed.id
    if placed.source is not None:
        _write(ycell["source"], work.texts[placed.id])
    if placed.outputs is not None:
        _show(ycell, work.outputs[placed.id])
        _tell(ycell, placed.execution_count, work.running.get(placed.id, False))
        if trusting and not _is_trusted(ycell):
            ycell["metadata"]["trusted"] = True


def _write(text: Any, changes: Iterable[Hunk]) -> None:
    """From the end, so that the places of those before stay."""
    for start, end, new in reversed(tuple(changes)):
        if end > start:
            del text[start:end]
        if new:
            text.insert(start, new)


def _show(ycell: Any, outputs: Sequence[Json]) -> None:
    from pycrdt import Array, Map, Text

    if not isinstance(ycell.get("outputs"), Array):
        ycell["outputs"] = Array()
    there = ycell["outputs"]
    kept, added = overlap(there.to_py(), outputs)
    if added:
        text = there[kept - 1]["text"] if isinstance(there[kept - 1], Map) else None
        if isinstance(text, Text):
            text += added
        else:
            kept -= 1
    if len(there) > kept:
        del there[kept:]
    if len(outputs) > kept:
        there.extend([Map(_with_text(output, Text)) for output in outputs[kept:]])


def _with_text(output: Json, text: Any) -> Json:
    """A stream's text can be written on in a shared document."""
    return {**output, "text": text(output["text"])} if output.get("output_type") == "stream" else output


def _tell(ycell: Any, count: int | None, running: bool) -> None:
    if ycell.get("execution_count") != count or "execution_count" not in ycell:
        ycell["execution_count"] = count
    state = "running" if running else "idle"
    if ycell.get("execution_state", state) != state:
        ycell["execution_state"] = state


# ---------------------------------------------------------------- trust


def _is_trusting(document: Any, work: Work) -> bool:
    """Whether nobody mistrusts an output of this notebook; looked for only where it matters."""
    places = [placed.at for placed in work.plan.cells if placed.at is not None and placed.outputs is not None]
    if all(_is_trusted(document.ycells[at]) for at in places):
        return False
    return all(not ycell.get("outputs") or _is_trusted(ycell) for ycell in document.ycells)


def _is_trusted(ycell: Any) -> bool:
    metadata = ycell.get("metadata")
    return metadata is not None and metadata.get("trusted") is True
