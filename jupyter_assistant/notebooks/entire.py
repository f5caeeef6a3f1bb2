"""A notebook as nbformat 4 JSON with all its metadata, for who wants the notebook itself and not a digest of it.

The law: nothing is added and nothing changed but the spelling: texts stored as lists of lines are in one. Outputs that
together are too much to hand on give way, the largest first, to a text that says so. Nothing of the package is
imported (the reading process does this for large files).
"""

from __future__ import annotations

import json
from contextlib import suppress
from heapq import heappop, heappush

from .apart import taken_apart
from .nbformats import NotANotebook, cell_id, older_cells, parsed, source_text
from .payloads import bounded
from .signing import rejoined
from .spans import root, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    Found = tuple[dict[str, Any], list[str]]

ROOM = 600_000
"""Bytes of JSON that the outputs of all cells given may take together."""
SHORT = 1_000
"""Characters of a payload that stays when its output gives way."""
LARGEST = 4_000_000
"""Bytes of JSON of all that is given; sources, metadata and attachments alone can be more."""


class TooMuch(Exception):
    """What was asked for is more than ``LARGEST``."""


def entire(data: bytes, wanted: Sequence[str] | None) -> Found:
    """The notebook with the cells ``wanted`` (ids or handles; None: all), and which of these it does not have.

    Raises ``NotANotebook``.
    """
    if _major(data) < 4:
        notebook = parsed(data)
        if not isinstance(notebook, dict):
            raise NotANotebook("it holds no JSON object")
        return trimmed(upgraded(notebook), wanted)
    rest, cells = taken_apart(data)
    return _with_cells(rest, cells, wanted)


def trimmed(notebook: dict[str, Any], wanted: Sequence[str] | None) -> Found:
    """The same of parsed JSON (nbformat 4), which may be changed by it."""
    cells = notebook.get("cells")
    if not isinstance(cells, list):
        raise NotANotebook("it has no cells")
    return _with_cells(dict(notebook), cells, wanted)


def _with_cells(rest: dict[str, Any], cells: Iterable[Any], wanted: Sequence[str] | None) -> Found:
    room, chosen, taken = Room(ROOM), None if wanted is None else set(wanted), set[str]()
    kept: list[dict[str, Any]] = []
    for index, cell in enumerate(cells):
        if not isinstance(cell, dict):
            raise NotANotebook("its cells are not all JSON objects")
        name = cell_id(cell.get("id"), index, taken)
        if chosen is None or name in chosen:
            kept.append(_given(cell, room))
            (chosen or set()).discard(name)
    return {**rest, "cells": kept}, sorted(chosen or ())


def _given(cell: dict[str, Any], room: Room) -> dict[str, Any]:
    spelled(cell)
    outputs = cell.get("outputs")
    return {**cell, "outputs": room.made_for(outputs)} if isinstance(outputs, list) else cell


def spelled(cell: dict[str, Any]) -> dict[str, Any]:
    """The cell, with its texts and those of its outputs in one; an odd one as it is."""
    with suppress(AttributeError, TypeError):
        rejoined({"cells": [cell]})
    return cell


class Room:
    """Room for outputs; where there is too little, the largest give way first."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._number = 0
        self._kept: list[tuple[int, int, list[Any], int]] = []

    def made_for(self, outputs: Sequence[Any]) -> list[Any]:
        """The outputs in a list of their own, in which they may be cut now or later."""
        own = list(outputs)
        for at, output in enumerate(own):
            need = weight(output)
            self._left -= need
            self._number += 1
            heappush(self._kept, (-need, self._number, own, at))
        while self._left < 0 and self._kept and -self._kept[0][0] > SHORT:
            self._cut()
        return own

    def _cut(self) -> None:
        need, _, outputs, at = heappop(self._kept)
        if isinstance(outputs[at], dict):
            outputs[at] = bounded(outputs[at], SHORT)
        self._left -= need + weight(outputs[at])


def weight(output: object) -> int:
    """Bytes of its JSON as it travels, inside a JSON string once more."""
    text = json.dumps(output, ensure_ascii=False)
    return len(text.encode("utf-8", "replace")) + text.count('"') + text.count("\\")


# ---------------------------------------------------------------- nbformat 2 and 3


def _major(data: bytes) -> int:
    found = root(data).last("nbformat")
    version = value(data, found) if found else 4
    return version if type(version) is int else 4


def upgraded(notebook: dict[str, Any]) -> dict[str, Any]:
    """A notebook of nbformat 2 or 3 as one of 4.4, which knows no ids of cells."""
    metadata = notebook.get("metadata")
    cells = [_cell(cell) for cell in older_cells(notebook)]
    return {"cells": cells, "metadata": metadata if isinstance(metadata, dict) else {}, **_VERSION}


_VERSION = {"nbformat": 4, "nbformat_minor": 4}


def _cell(cell: dict[str, Any]) -> dict[str, Any]:
    metadata = cell.get("metadata")
    kind = cell.get("cell_type")
    made = {
        "cell_type": kind if kind in ("code", "markdown") else "raw",
        "metadata": metadata if isinstance(metadata, dict) else {},
        "source": source_text(cell.get("source")),
    }
    if kind != "code":
        return made
    return {**made, "execution_count": cell["execution_count"], "outputs": [_output(each) for each in cell["outputs"]]}


def _output(output: dict[str, Any]) -> dict[str, Any]:
    kind = output.get("output_type")
    if kind == "stream":
        return {"name": output.get("stream", "stdout"), "output_type": kind, "text": output.get("text", "")}
    if kind == "error":
        return {"output_type": kind, **{name: output.get(name, "") for name in ("ename", "evalue", "traceback")}}
    made = {"data": output.get("data", {}), "metadata": {}, "output_type": kind}
    return {**made, "execution_count": output.get("prompt_number")} if kind == "execute_result" else made
