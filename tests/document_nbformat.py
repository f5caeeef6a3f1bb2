"""What every home of a notebook gives as nbformat: a part of the suite in ``tests.document``.

The law: as there, nothing here knows which home it is.
"""

from __future__ import annotations

import json
from typing import Any

import nbformat
import pytest

from jupyter_assistant.errors import CellNotFound
from jupyter_assistant.notebooks.edits import Delete, Replace
from jupyter_assistant.notebooks.entire import ROOM
from tests.document import PLOT, THREE, Homed, Json, code, markdown, notebook, printed


def _valid(found: Json) -> Any:
    """As nbformat reads it."""
    made = nbformat.reads(json.dumps(found), 4)
    nbformat.validate(made)
    return made


async def test_a_notebook_is_given_as_nbformat_with_all_its_metadata(home: Homed) -> None:
    wanted = {**markdown("d", "text"), "metadata": {"tags": ["x"], "deep": {"er": [1, None]}}}
    document = await home.put(notebook(*THREE["cells"], code("e", "plot()\n2", PLOT, count=4), wanted))
    found = _valid(await document.nbformat())
    there = home.stored()
    assert found.cells == there.cells
    assert found.metadata["mine"] == {"b": 1, "a": 2}
    assert (found.nbformat, found.nbformat_minor) == (4, 5)
    assert [cell.metadata.get("tags") for cell in found.cells] == [["ta"], None, ["tc"], ["te"], ["x"]]


async def test_some_cells_are_given_in_the_notebooks_order(home: Homed) -> None:
    document = await home.put(THREE)
    found = _valid(await document.nbformat(["c", "a"]))
    assert [cell.id for cell in found.cells] == ["a", "c"]
    assert _valid(await document.nbformat([])).cells == []
    with pytest.raises(CellNotFound, match="gone"):
        await document.nbformat(["a", "gone"])


async def test_the_largest_outputs_give_way_to_a_text_that_says_so(home: Homed) -> None:
    large = {"output_type": "display_data", "data": {"image/png": "A" * ROOM, "text/plain": "fig"}, "metadata": {}}
    cells = [code("a", "1", PLOT, large, count=1), code("b", "2", printed("b" * (ROOM // 2) + "end"), count=2)]
    found = _valid(await (await home.put(notebook(*cells))).nbformat())
    small, cut = found.cells[0].outputs
    assert small.data == {"image/png": "iVBORw==", "text/plain": "a\nplot"}
    assert cut.data == {"text/plain": f"[image/png: {ROOM} characters left out]\nfig"}
    assert found.cells[1].outputs[0].text == "b" * (ROOM // 2) + "end"


async def test_what_was_edited_is_given_as_it_is_now(home: Homed) -> None:
    document = await home.put(THREE)
    await document.apply([Replace("c", "new"), Delete(("b",))])
    found = _valid(await document.nbformat())
    assert [(cell.id, cell.source) for cell in found.cells] == [("a", "x = 1\ny = 2"), ("c", "new")]
