"""A notebook's JSON given whole: odd notebooks, older formats, and what gives way; pure."""

from __future__ import annotations

import json
from typing import Any

import nbformat
import pytest

from jupyter_assistant.notebooks.entire import Room, entire, weight
from jupyter_assistant.notebooks.nbformats import NotANotebook

Json = dict[str, Any]


def given(notebook: object, wanted: list[str] | None = None) -> tuple[Json, list[str]]:
    return entire(json.dumps(notebook).encode(), wanted)


def test_what_nobody_knows_is_given_as_it_is() -> None:
    odd: Json = {
        "cells": [
            {"cell_type": "code", "metadata": None, "outputs": [1, "x", None, {"data": []}], "source": 7},
            {"cell_type": "new kind", "attachments": [], "id": "a", "mine": {"x": 1}},
            {"id": "a", "outputs": None},
        ],
        "metadata": {"widgets": {"application/vnd.jupyter.widget-state+json": {"state": {}}}},
        "nbformat": 4,
        "nbformat_minor": 99,
        "mine": [1, 2],
    }
    assert given(odd) == (odd, [])
    found, missing = given(odd, ["#0", "#2", "b"])
    assert found["cells"] == [odd["cells"][0], odd["cells"][2]]
    assert missing == ["b"]


@pytest.mark.parametrize(
    "notebook",
    [[], None, {}, {"cells": None}, {"cells": [1]}, {"cells": {}}, {"nbformat": 3}, {"nbformat": 2, "worksheets": [1]}],
)
def test_what_is_no_notebook_is_said_to_be_none(notebook: object) -> None:
    with pytest.raises(NotANotebook):
        given(notebook)


def test_older_formats_become_nbformat_4() -> None:
    outputs = [
        {"output_type": "pyout", "prompt_number": 3, "text": ["2"], "png": "AA=="},
        {"output_type": "display_data", "html": ["<b>", "x</b>"], "text": ["x"]},
        {"output_type": "stream", "stream": "stderr", "text": ["one\n", "two"]},
        {"output_type": "pyerr", "ename": "E", "evalue": "v", "traceback": ["t"]},
    ]
    code = {"cell_type": "code", "input": ["1+1\n", "2"], "language": "python", "prompt_number": 3, "outputs": outputs}
    cells = [{"cell_type": "heading", "level": 2, "source": ["hi"]}, code, {"cell_type": "html", "source": "<b>"}]
    old = {"metadata": {"name": "x"}, "nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": cells}]}
    found, missing = given(old, ["#0", "#1", "#2"])
    assert missing == []
    made = nbformat.from_dict(found)
    nbformat.validate(made)
    assert [cell.source for cell in made.cells] == ["## hi", "1+1\n2", "<b>"]
    result, display, stream, error = made.cells[1].outputs
    assert (result.data, result.execution_count) == ({"text/plain": "2", "image/png": "AA=="}, 3)
    assert display.data == {"text/html": "<b>x</b>", "text/plain": "x"}
    assert (stream.name, stream.text) == ("stderr", "one\ntwo")
    assert (error.ename, error.traceback) == ("E", ["t"])


def said(chars: int) -> Json:
    return {"output_type": "stream", "name": "stdout", "text": "x" * chars}


def test_the_largest_give_way_first_wherever_they_stand() -> None:
    room = Room(10_000)
    first, second = room.made_for([said(4_000), said(2_000)]), room.made_for([said(3_000), said(9_000)])
    cut = ["left out" in output["text"] for output in (*first, *second)]
    assert cut == [False, False, False, True] or cut == [True, False, False, True]
    assert sum(map(weight, (*first, *second))) <= 10_000


def test_what_has_become_short_is_not_cut_again_and_small_ones_stay() -> None:
    room = Room(0)
    outputs = room.made_for([said(5_000), said(10), {"data": {"x/y": 1}, "output_type": "display_data"}, 7])
    again = room.made_for([said(6_000)])
    assert outputs[0]["text"] == "[text: 5000 characters left out]\n" + "x" * 1_000
    assert outputs[1:] == [said(10), {"data": {"x/y": 1}, "output_type": "display_data"}, 7]
    assert again[0]["text"].startswith("[text: 6000")


@pytest.mark.parametrize(
    ("output", "kept"),
    [
        ({"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["y" * 900, "z" * 900]}, "z" * 900),
        ({"output_type": "display_data", "data": {"application/json": {"a": "b" * 2_000}, "text/plain": "p"}}, "p"),
        ({"output_type": "display_data", "data": {"text/html": ["<p>" * 400, "x"], "text/plain": "p"}}, "p"),
    ],
)
def test_every_kind_of_output_can_give_way(output: Json, kept: str) -> None:
    [cut] = Room(0).made_for([output])
    text = json.dumps(cut)
    assert "left out]" in text
    assert kept in text
    assert len(text) < 1_500
