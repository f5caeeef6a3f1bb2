"""What a window answers to ``read``, as a snapshot; the cells that did not change come from the read before; pure.

The law: a digest made of a window's answer is the one the file would give, whatever the window left out of its
outputs on the way; and an answer that is no notebook is ``BadAnswer``, never half a snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..cells import Cell, Snapshot, cell, snapshot
from ..nbformats import NotANotebook, records
from .frames import Json

HEAD, TAIL = 2_000, 4_000
"""Characters of both ends of a long text that a window sends."""
MINOR = 5
"""JupyterLab gives every cell of an older notebook an id when it opens it."""


class BadAnswer(ValueError):
    """The window's answer is not what the protocol says."""


class Unknown(Exception):
    """The answer speaks of cells that are not remembered: everything must be asked for."""


@dataclass(frozen=True, slots=True)
class Known:
    """An opened notebook as it was read last."""

    snapshot: Snapshot
    cells: Mapping[str, Cell]

    @property
    def key(self) -> tuple[object, ...]:
        """Revision, path and order, as an answer gives them."""
        return self.snapshot.revision, self.snapshot.path, list(self.cells)


def taken(before: Known | None, answer: Json, path: str) -> Known:
    """The notebook after an answer to ``read``, given what it was ``before``; raises ``BadAnswer``, ``Unknown``."""
    order, revision = answer.get("order"), answer.get("revision")
    told = _cells(answer)
    if before is not None and not told and (revision, path, order) == before.key:
        return before
    if not (isinstance(order, list) and isinstance(revision, str) and all(isinstance(name, str) for name in order)):
        raise BadAnswer("a read without order and revision")
    try:
        header, found = records(_notebook(answer, list(map(_noted, told))))
    except NotANotebook as error:
        raise BadAnswer(str(error)) from None
    made = [cell(record, index) for index, record in enumerate(found)]
    if [each.get("id") for each in told] != order:
        made = _merged(before, made, order)
    placed = tuple(each if each.index == index else replace(each, index=index) for index, each in enumerate(made))
    read = snapshot(header, placed, path=path, revision=revision, home="tab")
    return Known(read, {each.id: each for each in placed})


def notebook(answer: Json, wanted: Sequence[str] | None) -> tuple[Json, list[str]]:
    """The notebook of a whole answer, and the ids of the cells ``wanted`` of which the window left something out."""
    cells = _cells(answer)
    chosen = [each for each in cells if wanted is None or each.get("id") in wanted]
    return _notebook(answer, cells), [str(each.get("id")) for each in chosen if any(map(_note, _outputs(each)))]


def with_outputs(content: Json, whole: Mapping[str, Sequence[Json]]) -> Json:
    """The notebook with the outputs of these cells as they are, and nothing that only JupyterLab's memory holds."""
    return {**content, "cells": [_stored(each, whole.get(each.get("id", ""))) for each in content["cells"]]}


def _stored(told: Json, outputs: Sequence[Json] | None) -> Json:
    metadata = told.get("metadata")
    kept = {name: value for name, value in metadata.items() if name != "trusted"} if isinstance(metadata, dict) else {}
    return {**told, "metadata": kept, **({} if outputs is None else {"outputs": list(outputs)})}


def _cells(answer: Json) -> list[Json]:
    told = answer.get("cells")
    if not isinstance(told, list) or not all(isinstance(each, dict) for each in told):
        raise BadAnswer("a read without cells")
    return told


def _notebook(answer: Json, cells: list[Json]) -> Json:
    minor, metadata = answer.get("nbformat_minor"), answer.get("metadata")
    return {
        "nbformat": 4,
        "nbformat_minor": max(MINOR, minor) if type(minor) is int else MINOR,
        "metadata": metadata if isinstance(metadata, dict) else {},
        "cells": cells,
    }


def _merged(before: Known | None, changed: list[Cell], order: list[str]) -> list[Cell]:
    if before is None or len(set(order)) != len(order):
        raise Unknown
    cells = {**before.cells, **{each.id: each for each in changed}}
    try:
        return [cells[name] for name in order]
    except KeyError:
        raise Unknown from None


# ---------------------------------------------------------------- what the window left out


def _noted(told: Json) -> Json:
    outputs = _outputs(told)
    if not any(map(_note, outputs)):
        return told
    return {**told, "outputs": [_restored(output) if _note(output) else output for output in outputs]}


def _outputs(told: Json) -> list[object]:
    found = told.get("outputs")
    return found if isinstance(found, list) else []


def _note(output: object) -> Json:
    """The lengths, by name, of what was left out of an output."""
    found: object = output
    for name in ("metadata", "jupyter_assistant", "chars"):
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _restored(output: Any) -> Json:
    """The output with an excerpt in the place of each cut text, as the reader of files makes them."""
    note, data = _note(output), output.get("data")
    cut: Json = {name: _excerpt(output.get(name), note[name]) for name in ("text", "traceback") if name in note}
    if isinstance(data, dict):
        cut["data"] = {mime: _excerpt(value, note[mime]) if mime in note else value for mime, value in data.items()}
    return {**output, **cut}


def _excerpt(value: object, chars: object) -> object:
    parts = value if isinstance(value, list) else [value]
    text = "".join(part for part in parts if isinstance(part, str))
    if type(chars) is not int or chars < len(text):
        return text
    return text[:HEAD], text[HEAD:][-TAIL:], chars
