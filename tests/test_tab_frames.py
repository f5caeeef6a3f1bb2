"""What a window says, as frames; what it reads out, as a snapshot, also where it sends only what changed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_assistant.notebooks.cells import digest
from jupyter_assistant.notebooks.tab import frames
from jupyter_assistant.notebooks.tab.frames import BadFrame, Reply, frame, parsed
from jupyter_assistant.notebooks.tab.reading import BadAnswer, Unknown, taken
from tests.document import PLOT, Json, code, markdown, notebook, printed
from tests.tabwire import trimmed

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


# ---------------------------------------------------------------- frames


@given(VALUES, st.sampled_from([None, 1]))
def test_a_large_text_is_parsed_in_pieces_to_the_same_value(value: Any, indent: int | None) -> None:
    filler = "x" * frames.LARGE
    text = json.dumps({"filler": filler, "value": {"deep": [value]}, "list": [value, filler]}, indent=indent)
    assert parsed(text) == json.loads(text)


@given(st.text(alphabet='a"\\\n\ud83d\ude00😀é', max_size=12), st.integers(0, 12))
def test_a_long_text_is_decoded_in_pieces_to_the_same_text(tail: str, offset: int) -> None:
    value = "x" * (frames.PIECE - offset) + tail + "y" * frames.LARGE + tail
    for ascii_only in (True, False):
        text = json.dumps([value], ensure_ascii=ascii_only)
        assert parsed(text) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1,}',
        '{"a" 1}',
        "{1: 2}",
        "[1, 2",
        '{"a": [1 2]}',
        "[1] 2",
        '{"a"',
        "{,}",
        "[,]",
        '{"a": "',
        "[" * 9_000,
        '"' + "x" * 99_999,
        '"' + "x" * 99_999 + "\\ud83d",
    ],
)
def test_a_large_text_that_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(BadFrame):
        parsed(" " * frames.LARGE + text)


def test_a_large_reply_is_a_reply() -> None:
    text = json.dumps({"type": "reply", "id": 1, "ok": True, "result": {"cells": ["x" * frames.LARGE]}})
    assert frame(text) == Reply(1, {"cells": ["x" * frames.LARGE]}, None)


def test_a_refusal_carries_its_error() -> None:
    assert frame('{"type":"reply","id":1,"ok":false,"error":{"code":"stale"}}') == Reply(1, {}, {"code": "stale"})


# ---------------------------------------------------------------- reading


def answer(*cells: Json, revision: str = "1", order: list[str] | None = None) -> Json:
    named = [cell["id"] for cell in cells] if order is None else order
    more = {"metadata": {"kernelspec": {"name": "k", "language": "r"}}, "nbformat": 4, "nbformat_minor": 5}
    return {"revision": revision, "order": named, "cells": list(map(trimmed, cells)), **more}


def long(length: int) -> str:
    return "".join(f"line {number}\n" for number in range(length // 8))


@pytest.mark.parametrize(
    "output",
    [
        printed("short"),
        printed(long(30_000)),
        PLOT,
        {"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo" + "A" * 30_000}, "metadata": {}},
        {"output_type": "execute_result", "data": {"text/html": f"<b>{long(40_000)}</b>", "text/plain": "x"}},
        {"output_type": "execute_result", "data": {"text/plain": long(50_000), "text/html": "<i>1</i>"}},
        {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["a", long(60_000)]},
    ],
)
def test_what_a_window_left_out_makes_no_difference_to_the_digest(output: Json) -> None:
    cell = code("a", "x", output, count=3)
    whole = digest(notebook(cell), path="a.ipynb", revision="1", home="tab")
    read = taken(None, answer(cell), "a.ipynb").snapshot
    assert read.cells == whole.cells


def test_only_changed_cells_are_taken_from_an_answer() -> None:
    first = taken(None, answer(code("a", "1"), code("b", "2"), markdown("c", "3")), "a.ipynb")
    second = taken(first, answer(code("b", "22"), revision="2", order=["c", "b", "a"]), "a.ipynb")
    assert [(cell.id, cell.source, cell.index) for cell in second.snapshot.cells] == [
        ("c", "3", 0),
        ("b", "22", 1),
        ("a", "1", 2),
    ]
    assert (second.snapshot.revision, second.snapshot.language, second.snapshot.kernel) == ("2", "r", "k")
    third = taken(second, answer(revision="3", order=["a"]), "b.ipynb")
    assert [(cell.id, third.snapshot.path) for cell in third.snapshot.cells] == [("a", "b.ipynb")]
    assert set(third.cells) == {"a"}


def test_cells_that_are_not_known_are_asked_for() -> None:
    with pytest.raises(Unknown):
        taken(None, answer(code("a", "1"), order=["a", "b"]), "a.ipynb")
    known = taken(None, answer(code("a", "1")), "a.ipynb")
    with pytest.raises(Unknown):
        taken(known, answer(order=["a", "b"]), "a.ipynb")


def test_cells_that_share_an_id_go_by_their_place() -> None:
    cells = [code("a", "1"), code("a", "2"), code("b", "3")]
    known = taken(None, answer(*cells), "a.ipynb")
    assert [(cell.id, cell.source) for cell in known.snapshot.cells] == [("a", "1"), ("#1", "2"), ("b", "3")]
    with pytest.raises(Unknown):
        taken(known, answer(code("b", "4"), order=["a", "a", "b"]), "a.ipynb")


def test_an_older_notebook_is_what_the_window_made_of_it() -> None:
    told = {**answer(code("a", "1")), "nbformat_minor": 2}
    assert taken(None, told, "a.ipynb").snapshot.nbformat == (4, 5)


@pytest.mark.parametrize(
    "change",
    [{"cells": None}, {"cells": [1]}, {"order": None}, {"order": [1]}, {"revision": 1}],
)
def test_an_answer_of_another_shape_is_none(change: Json) -> None:
    with pytest.raises(BadAnswer):
        taken(None, {**answer(code("a", "1")), **change}, "a.ipynb")


def test_a_note_that_is_none_is_not_believed() -> None:
    odd = {**printed("text"), "metadata": {"jupyter_assistant": {"chars": {"text": "many"}}}}
    less = {**printed("text"), "metadata": {"jupyter_assistant": {"chars": {"text": 1}}}}
    told = {**answer(code("a", "")), "cells": [{**code("a", ""), "outputs": [odd, less]}]}
    assert [output.text for output in taken(None, told, "a.ipynb").snapshot.cells[0].outputs] == ["text", "text"]
