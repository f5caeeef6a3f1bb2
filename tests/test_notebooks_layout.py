"""Where cells seem to lie: right for what nbformat writes, and never believed without proof where indentation lies."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_assistant.notebooks.cells import digest
from jupyter_assistant.notebooks.edits import ClearOutputs, Delete, Edit, Insert, Move, NewCell, Replace, decide
from jupyter_assistant.notebooks.layout import guessed
from jupyter_assistant.notebooks.nbformats import parsed
from jupyter_assistant.notebooks.rewriting import rewrite
from jupyter_assistant.notebooks.signing import signature
from jupyter_assistant.notebooks.splice import spliced

Json = dict[str, Any]
SEAL = (b"secret", "sha256")
TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ["},\n  {", "\n  }\n ]", '"id": "x"', '   "source": [', "]}\\", '\\"', "\r\n", "\u2028"]
)


def written(notebook: Json, **style: Any) -> bytes:
    return (json.dumps(notebook, **{"indent": 1, "ensure_ascii": False, **style}) + "\n").encode()


def cell(name: str, source: object, *outputs: Json) -> Json:
    made: Json = {"cell_type": "code", "execution_count": None, "id": name, "metadata": {}}
    return {**made, "outputs": list(outputs), "source": source}


def notebook(*cells: Json, **more: object) -> Json:
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **more}


def rewritten(data: bytes, folder: Path, *edits: Edit) -> bytes:
    """What the edits make of a file, as files are edited."""
    plan = decide(digest(parsed(data), path="a.ipynb", revision=""), edits, {})
    (folder / "old").write_bytes(data)
    old, new = os.open(folder / "old", os.O_RDONLY), os.open(folder / "new", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        answer = rewrite(old, new, {**plan.wire(), "seal": (SEAL[0].hex(), SEAL[1])})
    finally:
        os.close(old)
        os.close(new)
    result = (folder / "new").read_bytes()
    assert result == b"".join(spliced(data, plan.known, plan.cells, plan.upgrade))
    assert tuple(answer["before"]) == signature(data, SEAL, guess=False)
    assert tuple(answer["after"]) == signature(result, SEAL, guess=False)
    return result


def edits_of(names: list[str]) -> list[list[Edit]]:
    first, last = names[0], names[-1]
    insert = Insert((NewCell("markdown", "# new"),), after=first)
    return [[Replace(first, "x\ny")], [Delete((last,))], [Move(last, before=first)] * (first != last), [insert]]


@settings(max_examples=150)
@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4), st.sampled_from([1, 2, 4, "\t"]))
def test_what_nbformat_writes_is_seen_as_it_is(texts: list[tuple[str, str]], indent: object) -> None:
    cells = [
        cell(f"c{at}", source.splitlines(True), {"output_type": "stream", "name": "stdout", "text": [output, "x"]})
        for at, (source, output) in enumerate(texts)
    ]
    data = written(notebook(*cells), indent=indent)
    layout = guessed(data)
    assert layout is not None
    assert layout.identities() == [(found.id, found.hash) for found in digest(parsed(data), path="", revision="").cells]
    assert [json.loads(data[start:end]) for start, _, end in layout.listed.items] == cells
    assert data[layout.listed.start : layout.listed.end].endswith(b"]")


def test_a_notebook_from_nbformat_is_one(tmp_path: Path) -> None:
    cells = [nbformat.v4.new_code_cell("1\n2", id="a"), nbformat.v4.new_markdown_cell("é", id="b")]
    data = (nbformat.writes(nbformat.v4.new_notebook(cells=cells)) + "\n").encode()
    layout = guessed(data)
    assert layout is not None
    assert layout.identities() is not None
    rewritten(data, tmp_path, Replace("a", "3"))


NESTED = {"output_type": "display_data", "data": {"application/json": {"cells": [{"id": "a"}, {"id": "b"}]}}}
GOOD = notebook(cell("a", ["1\n", "2"], NESTED), cell("b", ["3"], NESTED), cell("c", []), other=[{"x": 1}, {"y": [2]}])
LIES: dict[str, bytes] = {
    "two cells on one line": written(GOOD).replace(b"},\n  {", b"}, {", 1),
    "an inner list out at the cells": written(GOOD).replace(b"},\n" + b" " * 9 + b"{", b"},\n  {"),
    "an inner end out at the list's": written(GOOD).replace(b"}\n" + b" " * 8 + b"]", b"}\n ]"),
    "both at once": written(GOOD).replace(b"},\n  {", b"}, {", 1).replace(b"},\n" + b" " * 9 + b"{", b"},\n  {", 1),
    "a list of objects behind the cells": written(GOOD),
    "an inner cell that looks like the cell": written(
        notebook(
            cell("a", ["old"], {"output_type": "display_data", "data": {"application/json": [cell("b", ["3"])]}}),
            cell("c", ["3"]),
        )
    )
    .replace(b"\n" + b" " * 8 + b"{", b"\n  {")
    .replace(b"\n" + b" " * 8 + b"}", b"\n  }"),
}


@pytest.mark.parametrize("name", LIES)
def test_indentation_that_lies_costs_time_and_nothing_else(name: str, tmp_path: Path) -> None:
    data = LIES[name]
    assert guessed(data) is not None
    names = [found["id"] for found in json.loads(data)["cells"]]
    for edits in edits_of(names):
        rewritten(data, tmp_path, *edits)
    rewritten(data, tmp_path, ClearOutputs())


@settings(max_examples=100)
@given(chance=st.randoms(use_true_random=False), which=st.sampled_from(range(4)))
def test_any_indentation_gives_the_same_edit(
    chance: random.Random, which: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lines = [
        b" " * chance.choice((1, 2, 2, 3)) + line.lstrip() if chance.random() < 0.3 else line
        for line in written(GOOD).split(b"\n")
    ]
    rewritten(b"\n".join(lines), tmp_path_factory.getbasetemp(), *edits_of(["a", "b", "c"])[which])
