"""What every home of a notebook does alike: read, its outputs, edits. A new home adds a line to ``HOMES``."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_server.services.contents.filemanager import AsyncFileContentsManager
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from nbformat.sign import NotebookNotary

from jupyter_assistant.errors import (
    CellNotFound,
    EditRefused,
    NotebookExists,
    NotebookNotFound,
    NotebookUnreadable,
    PathRefused,
    SaveFailed,
    StaleCell,
)
from jupyter_assistant.notebooks import Document, Notebooks
from jupyter_assistant.notebooks.edits import (
    ClearOutputs,
    Delete,
    Edit,
    Insert,
    Move,
    NewCell,
    Replace,
    SetOutputs,
    Substitute,
    Upgrade,
)
from jupyter_assistant.notebooks.payloads import MAX_PAYLOAD

Json = dict[str, Any]


class Custom(AsyncFileContentsManager):
    """A manager with rules of its own, as far as anyone can know."""


@dataclass(frozen=True)
class Homed:
    """Notebooks of one home, and how to put one there and look at it from outside."""

    notebooks: Notebooks
    root: Path
    padding: int

    async def put(self, content: Json, name: str = "a.ipynb") -> Document:
        content = {**content, "metadata": {**content["metadata"], "padding": "x" * self.padding}}
        (self.root / name).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return await self.notebooks.open(name)

    def stored(self, name: str = "a.ipynb") -> Any:
        """The notebook as nbformat reads and finds it valid."""
        found = nbformat.read(self.root / name, as_version=4)
        nbformat.validate(found)
        return found


HOMES: dict[str, tuple[Callable[..., Any], int]] = {
    "file": (lambda root, **options: AsyncLargeFileManager(root_dir=str(root), **options), 0),
    "large file": (lambda root, **options: AsyncLargeFileManager(root_dir=str(root), **options), 600_000),
    "contents": (lambda root, **options: Custom(root_dir=str(root), **options), 0),
}


@pytest.fixture(params=HOMES)
def home(request: pytest.FixtureRequest, tmp_path: Path, jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[Homed]:
    make, padding = HOMES[request.param]
    root = tmp_path / "root"
    root.mkdir()
    manager = make(root, notary=NotebookNotary(data_dir=str(tmp_path)))
    notebooks = Notebooks(manager, root_dir=root, log=logging.getLogger("test"))
    yield Homed(notebooks, root, padding)
    jp_asyncio_loop.run_until_complete(notebooks.close())
    manager.notary.close()


def code(name: str, source: str, *outputs: Json, count: int | None = None) -> Json:
    return {
        "cell_type": "code",
        "execution_count": count,
        "id": name,
        "metadata": {"tags": [f"t{name}"]},
        "outputs": list(outputs),
        "source": source.splitlines(True),
    }


def markdown(name: str, source: str) -> Json:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": source.splitlines(True)}


def notebook(*cells: Json, minor: int = 5) -> Json:
    return {"cells": list(cells), "metadata": {"mine": {"b": 1, "a": 2}}, "nbformat": 4, "nbformat_minor": minor}


def printed(text: str) -> Json:
    return {"name": "stdout", "output_type": "stream", "text": text}


THREE = notebook(code("a", "x = 1\ny = 2", printed("one\ntwo\n"), count=3), markdown("b", "# Ä title"), code("c", "x"))


def hashed(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()[:12]


async def sources(document: Document) -> list[tuple[str, str]]:
    return [(cell.id, cell.source) for cell in (await document.read()).cells]


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
    before = (home.root / "a.ipynb").read_bytes()
    with pytest.raises(StaleCell) as refused:
        await document.apply([Replace("c", "z"), Replace("a", "z")], {"a": "000000000000"})
    assert (refused.value.cell_id, refused.value.source) == ("a", "x = 1\ny = 2")
    assert refused.value.hash == hashed("x = 1\ny = 2")
    assert (home.root / "a.ipynb").read_bytes() == before


async def test_all_edits_are_made_or_none(home: Homed) -> None:
    document = await home.put(THREE)
    before = (home.root / "a.ipynb").read_bytes()
    with pytest.raises(CellNotFound):
        await document.apply([Replace("a", "z"), Delete(("gone",))])
    assert (home.root / "a.ipynb").read_bytes() == before


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
    before = (home.root / "a.ipynb").read_bytes()
    refused: list[tuple[Edit, str]] = [
        (Delete(("a",)), "deletable: false"),
        (Replace("b", "other"), "editable: false"),
        (Replace("b", "text", "raw"), "editable: false"),
        (Substitute("b", "te", "le"), "editable: false"),
    ]
    for edit, why in refused:
        with pytest.raises(EditRefused, match=why):
            await document.apply([edit])
    assert (home.root / "a.ipynb").read_bytes() == before
    await document.apply([Replace("a", "2"), Move("b", before="a"), SetOutputs("a", (), 2)])
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


async def test_outputs_are_set_read_and_cleared(home: Homed) -> None:
    document = await home.put(THREE)
    plot = {"output_type": "display_data", "data": {"image/png": "iVBORw==", "text/plain": "a\nplot"}, "metadata": {}}
    change = await document.apply([SetOutputs("c", (printed("1\n2\n"), plot), 7)], {"c": hashed("x")})
    assert [(made.cell_id, made.diff) for made in change.cells] == [("c", "")]
    cell = home.stored().cells[2]
    assert (cell.execution_count, cell.outputs[0].text, cell.outputs[1].data["text/plain"]) == (
        7,
        "1\n2\n",
        "a\nplot",
    )
    found = await document.outputs(["c", "b"])
    assert (found["c"][1]["data"]["image/png"], found["b"]) == ("iVBORw==", ())
    assert (await document.read()).cells[2].execution_count == 7
    cleared = await document.apply([ClearOutputs()])
    assert {made.cell_id for made in cleared.cells} == {"a", "c"}
    assert [cell.get("outputs") for cell in home.stored().cells] == [[], None, []]
    assert not (await document.apply([ClearOutputs()])).cells


async def test_outputs_of_a_cell_that_is_not_there_are_an_error(home: Homed) -> None:
    document = await home.put(THREE)
    with pytest.raises(CellNotFound):
        await document.outputs(["a", "gone"])


async def test_a_payload_that_is_too_large_is_a_text_that_says_so(home: Homed) -> None:
    plot = {"output_type": "display_data", "data": {"image/png": "A" * (MAX_PAYLOAD + 1)}, "metadata": {}}
    document = await home.put(notebook(code("a", "", plot, printed("b" * (MAX_PAYLOAD + 1)), count=1)))
    image, text = (await document.outputs(["a"]))["a"]
    assert image["data"] == {"text/plain": f"[image/png: {MAX_PAYLOAD + 1} characters left out]"}
    assert text["text"].startswith(f"[text: {MAX_PAYLOAD + 1} characters left out]")
    assert len(text["text"]) < MAX_PAYLOAD


async def test_what_changes_nothing_writes_nothing(home: Homed) -> None:
    document = await home.put(THREE)
    before = (home.root / "a.ipynb").stat()
    change = await document.apply([Replace("c", "x")])
    assert [(made.before, made.after, made.diff) for made in change.cells] == [(hashed("x"), hashed("x"), "")]
    assert await document.apply([]) == await document.apply([])
    after = (home.root / "a.ipynb").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (Insert((NewCell("code", ""),), after="a", before="b"), "Both"),
        (Insert((NewCell("heading", ""),)), "cell type"),
        (Replace("a", "", "text"), "cell type"),
        (Move("a", after="a"), "next to itself"),
        (SetOutputs("b", (), None), "only code cells"),
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


# ---------------------------------------------------------------- odd notebooks


async def test_old_notebooks_are_read_and_not_edited_before_they_are_upgraded(home: Homed) -> None:
    old = notebook({key: value for key, value in code("", "x = 1").items() if key != "id"}, minor=4)
    document = await home.put(old)
    assert await sources(document) == [("#0", "x = 1")]
    with pytest.raises(EditRefused, match=r"nbformat 4\.4") as refused:
        await document.apply([Replace("#0", "2")])
    assert "JupyterLab" in refused.value.hint
    with pytest.raises(EditRefused, match="on its own"):
        await document.apply([Upgrade(), ClearOutputs()])
    change = await document.apply([Upgrade()])
    ((name, source),) = await sources(document)
    assert (source, len(name), [made.cell_id for made in change.cells]) == ("x = 1", 8, [name])
    assert home.stored().nbformat_minor == 5
    await document.apply([Replace(name, "2")])
    assert await sources(document) == [(name, "2")]


async def test_cells_without_an_id_of_their_own_are_left_alone(home: Homed) -> None:
    document = await home.put(notebook(code("a", "1"), code("a", "2"), code("b", "3")))
    try:
        assert [name for name, _ in await sources(document)] == ["a", "#1", "b"]
    except NotebookUnreadable:
        pytest.skip("this manager reads no such notebook")
    for edit in (Replace("#1", "x"), Delete(("#1",)), Move("b", after="#1")):
        with pytest.raises(EditRefused, match="no id of its own"):
            await document.apply([edit])
    await document.apply([Replace("b", "4"), Move("b", before="a")])
    assert await sources(document) == [("b", "4"), ("a", "1"), ("#2", "2")]


@pytest.mark.parametrize("source", ["nul \0 \x7f", "\u2028 \x85 \x0b", "\r\nmixed\rends\n", "🎉 é", ""])
async def test_any_source_comes_back_as_it_was_given(home: Homed, source: str) -> None:
    document = await home.put(THREE)
    change = await document.apply([Replace("a", source), Insert((NewCell("markdown", source),))])
    found = dict(await sources(document))
    assert found["a"] == found[change.inserted[0]] == source


async def test_half_a_character_is_refused_in_a_source_and_replaced_in_an_output(home: Homed) -> None:
    document = await home.put(THREE)
    for edit in (Replace("a", "\ud800"), Insert((NewCell("code", "\udfff"),)), Substitute("a", "x", "\ud83d")):
        with pytest.raises(EditRefused, match="half of a character"):
            await document.apply([edit])
    await document.apply([SetOutputs("a", (printed("\ud800!"),), 1)])
    assert (await document.outputs(["a"]))["a"][0]["text"] in ("\ufffd!", ["\ufffd!"])


# ---------------------------------------------------------------- new notebooks


async def test_a_new_notebook_is_there_with_its_cells(home: Homed) -> None:
    document = await home.notebooks.create("new.ipynb", [NewCell("markdown", "# New\nä"), NewCell("code", "1")])
    assert [source for _, source in await sources(document)] == ["# New\nä", "1"]
    found = home.stored("new.ipynb")
    assert ((found.nbformat, found.nbformat_minor), found.cells[1].outputs) == ((4, 5), [])


async def test_a_new_notebook_takes_no_ones_place(home: Homed) -> None:
    await home.put(THREE)
    before = (home.root / "a.ipynb").read_bytes()
    with pytest.raises(NotebookExists):
        await home.notebooks.create("a.ipynb")
    assert (home.root / "a.ipynb").read_bytes() == before
    made = await asyncio.gather(*(home.notebooks.create("b.ipynb") for _ in range(4)), return_exceptions=True)
    assert sorted(isinstance(result, NotebookExists) for result in made) == [False, True, True, True]


@pytest.mark.parametrize(
    "path", ["../out.ipynb", ".hidden.ipynb", "/etc/x.ipynb", "x.py", ".a/x.ipynb", "a" * 300 + ".ipynb"]
)
async def test_a_new_notebook_stays_inside(home: Homed, path: str) -> None:
    with pytest.raises((PathRefused, NotebookNotFound, SaveFailed, NotebookUnreadable)) as refused:
        await home.notebooks.create(path)
    assert str(home.root) not in str(refused.value)
    assert not list(home.root.rglob("*.ipynb"))


async def test_a_new_notebook_wants_a_folder_that_is_there(home: Homed) -> None:
    with pytest.raises(NotebookNotFound, match="no folder nowhere"):
        await home.notebooks.create("nowhere/x.ipynb")
