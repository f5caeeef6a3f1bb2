"""Edits as a window is asked for them, and its answer as a change; pure.

The law: a window is only asked for what ``decide`` has allowed on what it showed a moment ago, and is told which
sources that decision was made from; what came of it is told from its answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..cells import Snapshot
from ..differences import unified
from ..edits import (
    CellChange,
    Change,
    ClearOutputs,
    Delete,
    Edit,
    Insert,
    Move,
    NewCell,
    Plan,
    Replace,
    SetOutputs,
    Substitute,
)
from ..nbformats import hashed
from .frames import Json
from .reading import BadAnswer


@dataclass
class Asked:
    """Edits in the window's words; ``expected`` are the sources, by cell id, that cells must still have."""

    edits: list[Json] = field(default_factory=list)
    expected: dict[str, str] = field(default_factory=dict)


def asked(edits: Sequence[Edit], snapshot: Snapshot, expected: Mapping[str, str]) -> Asked:
    """What to ask for; ``edits`` and ``expected`` are as ``decide`` has taken them."""
    sources = {cell.id: cell.source for cell in snapshot.cells}
    made = Asked(expected={name: sources[name] for name in expected})
    for edit in edits:
        if isinstance(edit, Substitute):
            made.expected.setdefault(edit.cell_id, _first(edit.cell_id, snapshot))
            edit = Replace(edit.cell_id, sources[edit.cell_id].replace(edit.old, edit.new))
        if isinstance(edit, Replace):
            sources[edit.cell_id] = edit.source
        made.edits.extend(_worded(edit))
    return made


def _first(cell_id: str, snapshot: Snapshot) -> str:
    return next(cell.source for cell in snapshot.cells if cell.id == cell_id)


def _worded(edit: Edit) -> Iterator[Json]:
    if isinstance(edit, Insert):
        if edit.cells:
            yield {"edit": "insert", "cells": list(map(_new, edit.cells)), **_place(edit)}
    elif isinstance(edit, Replace):
        kind = {"cell_type": edit.cell_type} if edit.cell_type is not None else {}
        yield {"edit": "replace", "cell_id": edit.cell_id, "source": edit.source, **kind}
    elif isinstance(edit, Move):
        yield {"edit": "move", "cell_id": edit.cell_id, **_place(edit)}
    elif isinstance(edit, Delete):
        if edit.cell_ids:
            yield {"edit": "delete", "cell_ids": list(dict.fromkeys(edit.cell_ids))}
    elif isinstance(edit, ClearOutputs):
        yield {"edit": "clear_outputs", "cell_ids": None if edit.cell_ids is None else list(edit.cell_ids)}
    elif isinstance(edit, SetOutputs):
        given = {"outputs": list(edit.outputs), "execution_count": edit.execution_count}
        yield {"edit": "set_outputs", "cell_id": edit.cell_id, **given}


def _new(cell: NewCell) -> Json:
    return {"cell_type": cell.cell_type, "source": cell.source}


def _place(edit: Insert | Move) -> Json:
    return {name: at for name in ("after", "before") if (at := getattr(edit, name)) is not None}


# ---------------------------------------------------------------- what came of it


def change(plan: Plan, answer: Json, path: str) -> Change:
    """What the window says it has done of the plan; raises ``BadAnswer``."""
    inserted, revision, told = answer.get("inserted"), answer.get("revision"), answer.get("cells")
    if not (isinstance(inserted, list) and isinstance(revision, str) and isinstance(told, list)):
        raise BadAnswer("an edit without inserted, revision and cells")
    if len(inserted) != len(plan.inserted) or not all(isinstance(name, str) for name in inserted):
        raise BadAnswer("not as many new cells as asked for")
    names = dict(zip(plan.inserted, inserted, strict=True))
    cells = {each.get("cell_id"): each for each in told if isinstance(each, dict)}
    changes = tuple(_change(names.get(each.cell_id, each.cell_id), each, cells) for each in plan.changes)
    diff = "\n".join(each.diff for each in changes if each.diff)
    return Change(path, revision, changes, tuple(inserted), diff, unsaved(answer))


def unsaved(answer: Json) -> str:
    """What the window says where it could not save the notebook after what it did."""
    error = answer.get("save_error")
    if not error:
        return ""
    told = f": {error[:500].rstrip('.')}" if isinstance(error, str) else ""
    return f"It is done in the user's JupyterLab, which could not save the notebook{told}."


def _change(name: str, planned: CellChange, told: Mapping[object, Json]) -> CellChange:
    found = told.get(name)
    if found is None:
        return CellChange(
            name, planned.before, planned.after, planned.diff.replace(planned.cell_id, name), planned.index
        )
    before, after, index = found.get("before"), found.get("after"), found.get("index")
    old, new = before if isinstance(before, str) else None, after if isinstance(after, str) else None
    return CellChange(
        name,
        None if old is None else hashed(old),
        None if new is None else hashed(new),
        unified(name, old or "", new or ""),
        index if type(index) is int else None,
    )
