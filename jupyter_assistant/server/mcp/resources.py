"""Notebooks, cells and outputs as MCP resources: ``notebook://{path}``, ``…/cells/{id}``, ``…/outputs/{n}``.

The law: what is given is nbformat 4 as a reader of notebooks expects it, with nothing added; what is too large for a
client to take is refused with the smaller resource to take instead.
"""

from __future__ import annotations

import json
from urllib.parse import quote

from ...errors import CellNotFound, NotFound, TooLarge
from ...messages import Json
from ...notebooks import Document, Notebooks
from ...notebooks.cells import Cell, Snapshot

NOTEBOOK_TYPE = "application/x-ipynb+json"
CELL_TYPE = "application/json"
MOST_BYTES = 900_000
"""Of a resource as JSON text: clients take at most 1 MiB in one event, quotation marks escaped once more."""


def address(path: str) -> str:
    """The resource of the notebook at ``path``."""
    return f"notebook://{quote(path)}"


async def notebook(notebooks: Notebooks, path: str) -> str:
    """The notebook as nbformat 4.5 JSON."""
    document = await notebooks.open(path)
    snapshot = await document.read()
    with_outputs = [cell.id for cell in snapshot.cells if cell.outputs]
    _small_enough(sum(len(cell.source) for cell in snapshot.cells), "Read its cells one by one.")
    outputs = await document.outputs(with_outputs) if with_outputs else {}
    cells = [_cell(cell, list(outputs.get(cell.id, ()))) for cell in snapshot.cells]
    return _text({"cells": cells, **_frame(snapshot)}, "Read its cells one by one, or use read_notebook.")


async def cell(notebooks: Notebooks, path: str, cell_id: str) -> str:
    """One cell as nbformat has it."""
    document = await notebooks.open(path)
    found = _named(await document.read(), cell_id)
    return _text(_cell(found, await _outputs(document, found)), "Read its outputs one by one, or use read_cell.")


async def output(notebooks: Notebooks, path: str, cell_id: str, number: str) -> str:
    """One output of a cell, counted from 0, as nbformat has it."""
    document = await notebooks.open(path)
    found = _named(await document.read(), cell_id)
    outputs = await _outputs(document, found)
    if not (number.isascii() and number.isdecimal() and int(number[:9]) < len(outputs)):
        raise NotFound(f"{found.id} has {len(outputs)} outputs, counted from 0.", "Read the cell to see them.")
    return _text(outputs[int(number)], "Use read_cell, which shows what matters of it.")


async def _outputs(document: Document, found: Cell) -> list[Json]:
    return list((await document.outputs([found.id]))[found.id]) if found.outputs else []


def _named(snapshot: Snapshot, cell_id: str) -> Cell:
    for found in snapshot.cells:
        if found.id == cell_id:
            return found
    raise CellNotFound(f"{snapshot.path} has no cell {cell_id[:80]!r}.")


def _cell(found: Cell, outputs: list[Json]) -> Json:
    named = {} if found.id.startswith("#") else {"id": found.id}
    common: Json = {**named, "cell_type": found.cell_type, "metadata": {}, "source": found.source}
    if found.cell_type != "code":
        return common
    return {**common, "execution_count": found.execution_count, "outputs": outputs}


def _frame(snapshot: Snapshot) -> Json:
    metadata: Json = {"language_info": {"name": snapshot.language}}
    if snapshot.kernel:
        metadata["kernelspec"] = {"name": snapshot.kernel, "display_name": snapshot.kernel}
    minor = 5 if not any(found.id.startswith("#") for found in snapshot.cells) else 4
    return {"metadata": metadata, "nbformat": 4, "nbformat_minor": minor}


def _text(value: Json, instead: str) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    _small_enough(len(text.encode("utf-8", "replace")) + text.count('"') + text.count("\\"), instead)
    return text


def _small_enough(size: int, instead: str) -> None:
    if size > MOST_BYTES:
        raise TooLarge(f"This is too large for one resource ({size:,} bytes).", instead)
