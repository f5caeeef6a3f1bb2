"""What homes do alike into which the server writes outputs: the file, the contents manager, the shared room.

Taken like ``tests.document``, beside it.
"""

from __future__ import annotations

import pytest

from jupyter_assistant.errors import EditRefused
from jupyter_assistant.notebooks.edits import ClearOutputs, Delete, Move, Replace, SetOutputs
from tests.document import PLOT, THREE, Homed, code, hashed, markdown, notebook, printed, sources

__all__ = [
    "test_a_cell_that_may_not_be_deleted_takes_outputs",
    "test_half_a_character_is_replaced_in_an_output",
    "test_only_code_cells_take_outputs",
    "test_outputs_are_set",
]


async def test_outputs_are_set(home: Homed) -> None:
    document = await home.put(THREE)
    change = await document.apply([SetOutputs("c", (printed("1\n2\n"), PLOT), 7)], {"c": hashed("x")})
    assert [(made.cell_id, made.diff) for made in change.cells] == [("c", "")]
    cell = home.stored().cells[2]
    assert (cell.execution_count, cell.outputs[0].text, cell.outputs[1].data["text/plain"]) == (
        7,
        "1\n2\n",
        "a\nplot",
    )
    found = await document.outputs(["c"])
    assert found["c"][1]["data"]["image/png"] == "iVBORw=="
    assert (await document.read()).cells[2].execution_count == 7
    cleared = await document.apply([ClearOutputs(("c",))])
    assert [made.cell_id for made in cleared.cells] == ["c"]
    assert home.stored().cells[2].outputs == []


async def test_only_code_cells_take_outputs(home: Homed) -> None:
    document = await home.put(THREE)
    with pytest.raises(EditRefused, match="only code cells"):
        await document.apply([SetOutputs("b", (), None)])


async def test_a_cell_that_may_not_be_deleted_takes_outputs(home: Homed) -> None:
    kept, fixed = code("a", "1", printed("1\n"), count=1), markdown("b", "text")
    kept["metadata"] = {"deletable": False}
    document = await home.put(notebook(kept, fixed))
    await document.apply([Replace("a", "2"), Move("b", before="a"), SetOutputs("a", (), 2)])
    with pytest.raises(EditRefused, match="deletable: false"):  # also of what our own edits made
        await document.apply([Delete(("a",))])
    assert await sources(document) == [("b", "text"), ("a", "2")]


async def test_half_a_character_is_replaced_in_an_output(home: Homed) -> None:
    document = await home.put(THREE)
    await document.apply([SetOutputs("a", (printed("\ud800!"),), 1)])
    assert (await document.outputs(["a"]))["a"][0]["text"] in ("\ufffd!", ["\ufffd!"])
