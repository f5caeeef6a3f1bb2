"""What edits make of a notebook: the decision alone, and any sequence of them against a list and a real file."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from nbformat.sign import NotebookNotary

from jupyter_assistant.errors import CellNotFound, EditRefused, StaleCell
from jupyter_assistant.notebooks import Notebooks
from jupyter_assistant.notebooks.cells import Cell, Snapshot, digest
from jupyter_assistant.notebooks.differences import LONG, unified
from jupyter_assistant.notebooks.edits import (
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
    decide,
)
from jupyter_assistant.notebooks.nbformats import hashed
from tests.test_notebooks_splice import cell_spans

Json = dict[str, Any]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
KIND = st.sampled_from(["code", "markdown", "raw"])


def snapshot(*sources: str) -> Snapshot:
    cells = tuple(Cell(f"c{index}", index, "code", source) for index, source in enumerate(sources))
    return Snapshot("a.ipynb", cells)


def plan(*edits: Edit, of: Snapshot | None = None, **expected: str) -> Plan:
    return decide(of or snapshot("1", "2", "3"), edits, expected)


# ---------------------------------------------------------------- the decision


def test_edits_build_on_each_other() -> None:
    made = plan(Replace("c0", "abc"), Substitute("c0", "b", "B"), Move("c0", after="c2"), Delete(("c1",)))
    assert [(placed.id, placed.at, placed.source) for placed in made.cells] == [("c2", 2, None), ("c0", 0, "aBc")]
    assert [(change.cell_id, change.index) for change in made.changes] == [("c0", 1), ("c1", None)]


def test_what_is_expected_is_what_was_before_all_edits() -> None:
    assert plan(Replace("c0", "x"), Replace("c0", "y"), c0=hashed("1")).cells[0].source == "y"
    with pytest.raises(StaleCell):
        plan(Replace("c0", "x"), c1=hashed("x"))
    with pytest.raises(CellNotFound):
        plan(Replace("c0", "x"), gone=hashed("x"))


def test_a_new_id_is_never_one_that_is_or_was_there() -> None:
    names = iter(["c1", "c0", "new", "c1", "new", "other"])
    made = decide(
        snapshot("1", "2"),
        [Delete(("c1",)), Insert((NewCell("code", ""), NewCell("code", "")))],
        {},
        new_id=lambda: next(names),
    )
    assert made.inserted == ("new", "other")


def test_a_cell_deleted_after_it_was_edited_is_a_deletion() -> None:
    (change,) = plan(Replace("c0", "x"), Delete(("c0",))).changes
    assert (change.before, change.after, change.index) == (hashed("1"), None, None)
    with pytest.raises(CellNotFound):
        plan(Delete(("c0",)), Replace("c0", "x"))


def test_a_source_put_back_is_no_change() -> None:
    made = plan(Replace("c0", "x"), Replace("c0", "1"), Replace("c1", "2", "markdown"), Replace("c1", "2", "code"))
    assert made.is_empty or [placed.outputs for placed in made.cells] == [None, (), None]


def test_a_match_that_overlaps_itself_is_not_the_only_one() -> None:
    with pytest.raises(EditRefused, match="2 times"):
        plan(Substitute("c0", "aa", "b"), of=snapshot("aaa"))


def test_an_old_or_unnamed_notebook_is_refused_by_a_sentence() -> None:
    old = Snapshot("a.ipynb", (Cell("#0", 0, "code", ""),), nbformat=(4, 4))
    with pytest.raises(EditRefused, match=r"nbformat 4\.4"):
        plan(ClearOutputs(), of=old)
    assert plan(of=old).is_empty


# ---------------------------------------------------------------- differences


@given(TEXT, TEXT)
def test_a_difference_tells_both_sources(before: str, after: str) -> None:
    lines = unified("a", before, after).split("\n")[2:] if before != after else []
    shown = [line for line in lines if not line.startswith("@@ ")]
    if before == after:
        assert unified("a", before, after) == ""
    elif before.count("\n") < 3 and after.count("\n") < 3:
        assert "\n".join(line[1:] for line in shown if line[0] in " -") == before
        assert "\n".join(line[1:] for line in shown if line[0] in " +") == after


def test_two_long_sources_are_compared_in_bounded_time() -> None:
    lines = [f"line {n}" for n in range(LONG)]
    found = unified("a", "\n".join(lines), "\n".join([*lines[:10], "new", *lines[11:]]))
    assert found.split("\n")[2:] == [
        "@@ -8,7 +8,7 @@",
        " line 7",
        " line 8",
        " line 9",
        "-line 10",
        "+new",
        " line 11",
        " line 12",
        " line 13",
    ]


# ---------------------------------------------------------------- any sequence of edits


@dataclass
class Line:
    """A cell of the model."""

    id: str
    kind: str
    source: str
    outputs: list[Json]


class Editing(RuleBasedStateMachine):
    """A real file under a real manager, edited; against a list of cells, and against the bytes it had."""

    @initialize(
        cells=st.lists(st.tuples(KIND, TEXT), max_size=4),
        style=st.sampled_from([{"indent": 1}, {"indent": None}, {"indent": 2}, {"separators": (",", ":")}]),
        ascii=st.booleans(),
    )
    def start(self, cells: list[tuple[str, str]], style: Json, ascii: bool) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp())
        self.file = self.folder / "a.ipynb"
        self.model = [Line(f"c{index}", kind, source, []) for index, (kind, source) in enumerate(cells)]
        content = {"cells": [self.stored(line) for line in self.model], "metadata": {"z": 1, "ä": [1.50]}}
        whole = {**content, "nbformat": 4, "nbformat_minor": 5, "unknown": None}
        self.file.write_bytes(json.dumps(whole, ensure_ascii=ascii, **style).encode())
        self.manager = AsyncLargeFileManager(
            root_dir=str(self.folder), notary=NotebookNotary(db_file=":memory:", secret=b"secret")
        )
        self.notebooks = Notebooks(self.manager, root_dir=self.folder, log=logging.getLogger("test"))
        self.document = self.loop.run_until_complete(self.notebooks.open("a.ipynb"))

    @staticmethod
    def stored(line: Line) -> Json:
        code = {"execution_count": None, "outputs": line.outputs} if line.kind == "code" else {}
        return {"id": line.id, "cell_type": line.kind, "source": line.source, "metadata": {line.id: [1]}, **code}

    def applied(self, edit: Edit, *touched: str) -> Change:
        before = self.bytes_of_cells()
        change = self.loop.run_until_complete(self.document.apply([edit]))
        after = self.bytes_of_cells()
        for name in before.keys() & after.keys() - set(touched):
            assert after[name] == before[name]
        return change

    def bytes_of_cells(self) -> dict[str, bytes]:
        data = self.file.read_bytes()
        return {json.loads(data[start:end])["id"]: data[start:end] for start, end in cell_spans(data)}

    def line(self, data: st.DataObject) -> Line:
        return data.draw(st.sampled_from(self.model))

    def beside(self, data: st.DataObject, but: str = "") -> tuple[dict[str, str], int]:
        """Where to put something, as the edit says it and as a place among the cells that are not ``but``."""
        names = [line.id for line in self.model if line.id != but]
        if not names or data.draw(st.booleans()):
            return {}, len(names)
        name, side = data.draw(st.sampled_from(names)), data.draw(st.sampled_from(["after", "before"]))
        return {side: name}, names.index(name) + (side == "after")

    @rule(data=st.data(), cells=st.lists(st.tuples(KIND, TEXT), min_size=1, max_size=3))
    def insert(self, data: st.DataObject, cells: list[tuple[str, str]]) -> None:
        where, at = self.beside(data)
        change = self.applied(Insert(tuple(NewCell(*cell) for cell in cells), **where))
        new = [Line(name, *cell, []) for name, cell in zip(change.inserted, cells, strict=True)]
        self.model[at:at] = new

    @precondition(lambda self: self.model)
    @rule(data=st.data(), source=TEXT, kind=KIND | st.none())
    def write(self, data: st.DataObject, source: str, kind: str | None) -> None:
        line = self.line(data)
        (change,) = self.applied(Replace(line.id, source, kind), line.id).cells
        assert (change.before, change.after) == (hashed(line.source), hashed(source))
        line.source = source
        if kind not in (None, line.kind):
            line.kind, line.outputs = kind or "", []

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def move(self, data: st.DataObject) -> None:
        line = self.line(data)
        where, at = self.beside(data, line.id)
        self.applied(Move(line.id, **where))
        self.model.remove(line)
        self.model.insert(at, line)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        lines = data.draw(st.lists(st.sampled_from(self.model), min_size=1, max_size=2, unique_by=lambda line: line.id))
        self.applied(Delete(tuple(line.id for line in lines)))
        for line in lines:
            self.model.remove(line)

    @precondition(lambda self: any(line.kind == "code" for line in self.model))
    @rule(data=st.data(), texts=st.lists(TEXT.filter(bool), max_size=2), count=st.integers(1, 9))
    def run_cell(self, data: st.DataObject, texts: list[str], count: int) -> None:
        line = data.draw(st.sampled_from([line for line in self.model if line.kind == "code"]))
        outputs = [{"output_type": "stream", "name": "stdout", "text": text} for text in texts]
        self.applied(SetOutputs(line.id, tuple(outputs), count), line.id)
        line.outputs = outputs

    @rule()
    def clear(self) -> None:
        self.applied(ClearOutputs(), *(line.id for line in self.model if line.kind == "code"))
        for line in self.model:
            line.outputs = []

    @invariant()
    def the_file_is_the_list(self) -> None:
        found = json.loads(self.file.read_bytes())
        outputs = [["".join(output["text"]) for output in cell.get("outputs", [])] for cell in found["cells"]]
        assert [
            (cell["id"], cell["cell_type"], "".join(cell["source"]), texts)
            for cell, texts in zip(found["cells"], outputs, strict=True)
        ] == [(line.id, line.kind, line.source, [output["text"] for output in line.outputs]) for line in self.model]
        assert {**found, "cells": 0} == {
            "cells": 0,
            "metadata": {"z": 1, "ä": [1.50]},
            "nbformat": 4,
            "nbformat_minor": 5,
            "unknown": None,
        }
        assert all(("outputs" in cell) == (cell["cell_type"] == "code") for cell in found["cells"])

    @invariant()
    def the_document_reads_what_is_in_the_file(self) -> None:
        read = self.loop.run_until_complete(self.document.read())
        assert read.cells == digest(json.loads(self.file.read_bytes()), path="", revision="").cells

    def teardown(self) -> None:
        self.loop.run_until_complete(self.notebooks.close())
        self.loop.close()
        self.manager.notary.close()
        shutil.rmtree(self.folder)


test_any_sequence_of_edits = Editing.TestCase
test_any_sequence_of_edits.settings = settings(max_examples=25, stateful_step_count=12, deadline=None)
