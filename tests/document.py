"""What every home of a notebook does alike: read, its outputs, edits. Each home's test module runs this suite.

The law: nothing here knows which home it is. A module brings a fixture ``home`` that gives a ``Homed``, and takes all
tests with ``from tests.document import *``; homes into which the server writes outputs take ``tests.document_outputs``
too.
"""

from __future__ import annotations

import asyncio

import nbformat
import pytest

from jupyter_assistant.errors import CellNotFound, EditRefused, StaleCell
from jupyter_assistant.notebooks.edits import (
    ClearOutputs,
    Delete,
    Edit,
    Insert,
    Move,
    NewCell,
    Replace,
    Substitute,
)
from jupyter_assistant.notebooks.payloads import MAX_PAYLOAD
from tests.homed import PLOT as PLOT
from tests.homed import THREE as THREE
from tests.homed import Homed as Homed
from tests.homed import Json as Json
from tests.homed import code as code
from tests.homed import hashed as hashed
from tests.homed import markdown as markdown
from tests.homed import notebook as notebook
from tests.homed import printed as printed
from tests.homed import sources as sources

# ---------------------------------------------------------------- edits


async def test_a_source_is_replaced_and_the_change_says_how(home: Homed) -> None:
    document = await home.put(THREE)
    change = await document.apply([Replace("a", "x = 1\ny = 3")], {"a": hashed("x = 1\ny = 2")})
    assert await sources(document) == [("a", "x = 1\ny = 3"), ("b", "# Ä title"), ("c", "x")]
    (made,) = change.cells
    assert (made.cell_id, made.before, made.after, made.index) == (
        "a",
        hashed("x = 1\ny = 2"),
        hashed("x = 1\ny = 3"),
        0,
    )
    assert made.diff.splitlines()[2:] == ["@@ -1,2 +1,2 @@", " x = 1", "-y = 2", "+y = 3"]
    assert change.diff == made.diff
    assert (await document.read()).revision == change.revision
    assert home.stored().cells[0].outputs[0].text == "one\ntwo\n"
    assert home.stored().cells[0].metadata.tags == ["ta"]


async def test_a_stale_edit_is_refused_with_what_the_cell_holds_now(home: Homed) -> None:
    document = await home.put(THREE)
    before = home.mark()
    with pytest.raises(StaleCell) as refused:
        await document.apply([Replace("c", "z"), Replace("a", "z")], {"a": "000000000000"})
    assert (refused.value.cell_id, refused.value.source) == ("a", "x = 1\ny = 2")
    assert refused.value.hash == hashed("x = 1\ny = 2")
    assert home.mark() == before


async def test_all_edits_are_made_or_none(home: Homed) -> None:
    document = await home.put(THREE)
    before = home.mark()
    with pytest.raises(CellNotFound):
        await document.apply([Replace("a", "z"), Delete(("gone",))])
    assert home.mark() == before


async def test_text_is_substituted_where_it_stands_once(home: Homed) -> None:
    document = await home.put(THREE)
    await document.apply([Substitute("a", "y = 2", "y = 20")])
    assert (await sources(document))[0] == ("a", "x = 1\ny = 20")
    for old, told in (("nowhere", "does not hold"), (" = ", "2 times"), ("", "empty")):
        with pytest.raises(EditRefused, match=told):
            await document.apply([Substitute("a", old, "z")])


async def test_cells_are_inserted_where_asked_with_new_ids(home: Homed) -> None:
    document = await home.put(THREE)
    change = await document.apply(
        [
            Insert((NewCell("code", "1"), NewCell("markdown", "two\nlines")), after="a"),
            Insert((NewCell("raw", "first"),), before="a"),
            Insert((NewCell("code", ""),)),
        ]
    )
    found = await sources(document)
    assert [source for _, source in found] == ["first", "x = 1\ny = 2", "1", "two\nlines", "# Ä title", "x", ""]
    assert change.inserted == (found[2][0], found[3][0], found[0][0], found[6][0])
    assert len({name for name, _ in found}) == len(found)
    assert [cell.cell_type for cell in home.stored().cells] == [
        "raw",
        "code",
        "code",
        "markdown",
        "markdown",
        "code",
        "code",
    ]


async def test_a_cell_that_its_metadata_protects_is_not_touched(home: Homed) -> None:
    kept, fixed = code("a", "1", printed("1\n"), count=1), markdown("b", "text")
    kept["metadata"], fixed["metadata"] = {"deletable": False}, {"editable": False}
    document = await home.put(notebook(kept, fixed))
    before = home.mark()
    refused: list[tuple[Edit, str]] = [
        (Delete(("a",)), "deletable: false"),
        (Replace("b", "other"), "editable: false"),
        (Replace("b", "text", "raw"), "editable: false"),
        (Substitute("b", "te", "le"), "editable: false"),
    ]
    for edit, why in refused:
        with pytest.raises(EditRefused, match=why):
            await document.apply([edit])
    assert home.mark() == before
    await document.apply([Replace("a", "2"), Move("b", before="a")])
    with pytest.raises(EditRefused, match="deletable: false"):  # also of what our own edits made
        await document.apply([Delete(("a",))])
    await document.apply([Delete(("b",))])
    assert await sources(document) == [("a", "2")]


async def test_cells_are_moved_and_deleted(home: Homed) -> None:
    document = await home.put(THREE)
    change = await document.apply([Move("c", before="a")])
    assert [(made.cell_id, made.diff, made.index) for made in change.cells] == [("c", "", 0)]
    change = await document.apply([Delete(("b", "c"))], {"b": hashed("# Ä title")})
    assert [(made.cell_id, made.after, made.index) for made in change.cells] == [("b", None, None), ("c", None, None)]
    assert "-# Ä title" in change.diff
    assert [name for name, _ in await sources(document)] == ["a"]
    await document.apply([Delete(("a",))])
    assert await sources(document) == []
    assert home.stored().cells == []
    await document.apply([Insert((NewCell("code", "again"),))])
    assert [source for _, source in await sources(document)] == ["again"]


async def test_a_changed_type_has_what_its_type_has(home: Homed) -> None:
    document = await home.put(THREE)
    await document.apply([Replace("a", "text", "markdown"), Replace("b", "1", "code")])
    first, second, _ = home.stored().cells
    assert (first.cell_type, first.source, first.get("outputs")) == ("markdown", "text", None)
    assert (second.cell_type, second.outputs, second.execution_count) == ("code", [], None)
    assert (await document.read()).cells[0].outputs == ()


async def test_what_changes_nothing_writes_nothing(home: Homed) -> None:
    document = await home.put(THREE)
    before = home.mark()
    change = await document.apply([Replace("c", "x")])
    assert [(made.before, made.after, made.diff) for made in change.cells] == [(hashed("x"), hashed("x"), "")]
    assert await document.apply([]) == await document.apply([])
    assert home.mark() == before


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (Insert((NewCell("code", ""),), after="a", before="b"), "Both"),
        (Insert((NewCell("heading", ""),)), "cell type"),
        (Replace("a", "", "text"), "cell type"),
        (Move("a", after="a"), "next to itself"),
    ],
)
async def test_an_edit_that_cannot_be_is_refused(home: Homed, edit: Edit, why: str) -> None:
    document = await home.put(THREE)
    with pytest.raises(EditRefused, match=why):
        await document.apply([edit])


async def test_many_who_edit_at_once_lose_nothing(home: Homed) -> None:
    document = await home.put(THREE)
    await asyncio.gather(*(document.apply([Insert((NewCell("code", f"n{n}"),), after="a")]) for n in range(8)))
    assert {source for _, source in await sources(document)} >= {f"n{n}" for n in range(8)}


async def test_of_two_edits_made_from_one_state_the_second_is_stale(home: Homed) -> None:
    document = await home.put(THREE)
    other = await home.notebooks.open("a.ipynb")
    known = {"c": hashed("x")}
    results = await asyncio.gather(
        document.apply([Replace("c", "mine")], known),
        other.apply([Replace("c", "other")], known),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == ["Change", "StaleCell"]


@pytest.mark.parametrize("source", ["nul \0 \x7f", "\u2028 \x85 \x0b", "\r\nmixed\rends\n", "🎉 é", ""])
async def test_any_source_comes_back_as_it_was_given(home: Homed, source: str) -> None:
    document = await home.put(THREE)
    change = await document.apply([Replace("a", source), Insert((NewCell("markdown", source),))])
    found = dict(await sources(document))
    assert found["a"] == found[change.inserted[0]] == source


async def test_half_a_character_is_refused_in_a_source(home: Homed) -> None:
    document = await home.put(THREE)
    for edit in (Replace("a", "\ud800"), Insert((NewCell("code", "\udfff"),)), Substitute("a", "x", "\ud83d")):
        with pytest.raises(EditRefused, match="half of a character"):
            await document.apply([edit])


# ---------------------------------------------------------------- outputs


async def test_what_is_read_is_digested_alike_in_every_home(home: Homed) -> None:
    long = "".join(f"{n} " + "x" * 60 + "\n" for n in range(2_000))
    page = {"output_type": "display_data", "data": {"text/html": f"<p>{long}</p>"}, "metadata": {}}
    failed = {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["\x1b[31mE\x1b[0m", long]}
    cells = [code("a", "1", printed(long), PLOT, count=1), code("b", "2", page, count=2), code("c", "3", failed)]
    read = (await (await home.put(notebook(*cells))).read()).cells
    said, shown = read[0].outputs
    assert (said.chars, said.text[:4], said.text.rstrip()[-60:]) == (len(long), "0 xx", "x" * 60)
    assert len(said.text) < 5_000
    assert shown.text == "a\nplot\n[image/png, 6 B]"
    assert set(shown.mimes) == {"image/png", "text/plain"}
    (framed,), (broken,) = read[1].outputs, read[2].outputs
    assert (framed.text[:4], len(framed.text) < 5_000) == ("0 xx", True)
    assert broken.error is not None
    assert (broken.error.name, len(broken.text) < 7_000) == ("E", True)


async def test_outputs_are_read_and_cleared(home: Homed) -> None:
    document = await home.put(notebook(*THREE["cells"], code("d", "plot()", PLOT, count=4)))
    found = await document.outputs(["d", "b"])
    assert (found["d"][0]["data"]["image/png"], found["b"]) == ("iVBORw==", ())
    assert (await document.read()).cells[3].execution_count == 4
    cleared = await document.apply([ClearOutputs()])
    assert {made.cell_id for made in cleared.cells} == {"a", "d"}
    assert [cell.get("outputs") for cell in home.stored().cells] == [[], None, [], []]
    assert not (await document.apply([ClearOutputs()])).cells


async def test_outputs_of_a_cell_that_is_not_there_are_an_error(home: Homed) -> None:
    document = await home.put(THREE)
    with pytest.raises(CellNotFound):
        await document.outputs(["a", "gone"])


async def test_it_is_given_whole_as_nbformat(home: Homed) -> None:
    long = "".join(f"{n} " + "x" * 60 + "\n" for n in range(2_000))
    document = await home.put(notebook(code("a", "x = 1\ny", printed(long), PLOT, count=7), markdown("b", "# Ä")))
    found = await document.nbformat()
    nbformat.validate(found)
    assert [(cell["id"], cell["source"]) for cell in found["cells"]] == [("a", "x = 1\ny"), ("b", "# Ä")]
    assert found["cells"][0]["outputs"][0]["text"] == long
    assert found["cells"][0]["outputs"][1]["data"] == PLOT["data"]
    assert (found["cells"][0]["execution_count"], found["metadata"]["mine"]) == (7, {"a": 2, "b": 1})
    assert [cell["id"] for cell in (await document.nbformat(["b"]))["cells"]] == ["b"]
    with pytest.raises(CellNotFound):
        await document.nbformat(["a", "gone"])


async def test_a_payload_that_is_too_large_is_a_text_that_says_so(home: Homed) -> None:
    plot = {"output_type": "display_data", "data": {"image/png": "A" * (MAX_PAYLOAD + 1)}, "metadata": {}}
    document = await home.put(notebook(code("a", "", plot, printed("b" * (MAX_PAYLOAD + 1)), count=1)))
    image, text = (await document.outputs(["a"]))["a"]
    assert image["data"] == {"text/plain": f"[image/png: {MAX_PAYLOAD + 1} characters left out]"}
    assert text["text"].startswith(f"[text: {MAX_PAYLOAD + 1} characters left out]")
    assert len(text["text"]) < MAX_PAYLOAD
