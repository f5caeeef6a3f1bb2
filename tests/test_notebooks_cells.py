"""Cells: every version and every oddity of a notebook as a snapshot, outputs as text, unsaved cells laid over."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest

from jupyter_assistant.errors import NotebookUnreadable
from jupyter_assistant.messages import NotebookFocus, UnsavedCell
from jupyter_assistant.notebooks.cells import Cell, Output, Snapshot, digest, overlay
from jupyter_assistant.notebooks.outputs import TEXT_BUDGET, TRACEBACK_BUDGET, clean, dimensions, html_text

Json = dict[str, Any]


def notebook(*cells: Json, **fields: Any) -> Json:
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells), **fields}


def code(source: Any = "", *outputs: Any, **fields: Any) -> Json:
    return {"cell_type": "code", "source": source, "outputs": list(outputs), **fields}


def read(content: Any) -> Snapshot:
    return digest(content, path="a.ipynb", revision="1")


def output(**fields: Any) -> Output:
    (found,) = read(notebook(code("", fields))).cells[0].outputs
    return found


def stream(text: Any) -> Output:
    return output(output_type="stream", name="stdout", text=text)


def shown(**data: Any) -> str:
    return output(
        output_type="display_data", data={name.replace("__", "/"): value for name, value in data.items()}
    ).text


def png(width: int, height: int, size: int = 3_000) -> str:
    header = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + struct.pack(">II", width, height)
    return base64.encodebytes(header + bytes(size - len(header))).decode()


# ---------------------------------------------------------------- notebooks


def test_a_notebook_is_read_with_its_ids_language_and_kernel() -> None:
    metadata = {"kernelspec": {"name": "ir", "language": "R"}, "language_info": {"name": "r"}}
    found = read(notebook(code(["a\n", "b"], id="x", execution_count=3), metadata=metadata))
    assert (found.language, found.kernel, found.nbformat, found.revision) == ("r", "ir", (4, 5), "1")
    assert found.cells == (Cell("x", 0, "code", "a\nb", (), 3),)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ([], "holds no JSON object"),
        (1, "holds no JSON object"),
        (None, "holds no JSON object"),
        ("x", "holds no JSON object"),
        ({}, "has no cells"),
        ({"nbformat": 4, "cells": None}, "has no cells"),
        ({"nbformat": 4, "cells": {}}, "has no cells"),
        ({"nbformat": 4, "cells": [1]}, "are not all JSON objects"),
        ({"nbformat": 99, "cells": []}, "nbformat 99"),
        ({"nbformat": 10**4000, "cells": []}, "nbformat 1000"),
        ({"nbformat": 1, "cells": []}, "nbformat 1,"),
        ({"nbformat": "4", "cells": []}, "nbformat is not a number"),
        ({"nbformat": True, "cells": []}, "nbformat is not a number"),
        ({"nbformat": 3, "cells": []}, "has no worksheets"),
        ({"nbformat": 3, "worksheets": [{}]}, "has no cells"),
    ],
)
def test_what_is_no_notebook_is_refused_by_name(content: Any, why: str) -> None:
    with pytest.raises(NotebookUnreadable, match=why) as refused:
        read(content)
    assert refused.value.text.startswith("a.ipynb ")


ODD: list[Any] = [None, 1, -1.5, float("nan"), True, "x", [], [1], [[]], {}, {"a": 1}, ["a", 1, "b"], "\ud800"]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    "field", ["id", "cell_type", "source", "outputs", "execution_count", "metadata", "attachments"]
)
def test_a_cell_with_an_odd_field_is_still_a_cell(field: str, odd: Any) -> None:
    assert len(read(notebook(code("a", id="1") | {field: odd})).cells) == 1


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    "field", ["output_type", "text", "data", "ename", "evalue", "traceback", "text/plain", "image/png"]
)
@pytest.mark.parametrize("kind", ["stream", "error", "execute_result"])
def test_an_odd_output_is_digested(kind: str, field: str, odd: Any) -> None:
    whole: Json = {"output_type": kind, "data": {}}
    place = whole["data"] if "/" in field else whole
    place[field] = odd
    (found,) = read(notebook(code("", whole))).cells[0].outputs
    json.dumps([found.text, found.mimes]).encode()


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("field", ["metadata", "nbformat_minor"])
def test_a_notebook_with_odd_fields_is_read(field: str, odd: Any) -> None:
    assert read(notebook(code()) | {field: odd}).language == "python"


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_kernelspec_is_no_kernel(odd: Any) -> None:
    found = read(notebook(metadata={"kernelspec": odd, "language_info": {"name": odd}}))
    assert found.kernel is None
    assert found.language in ("python", "x", "\ud800")


def test_cells_without_ids_get_handles() -> None:
    assert [cell.id for cell in read(notebook(code(), code(), nbformat_minor=4)).cells] == ["#0", "#1"]


def test_later_cells_with_an_id_seen_before_get_handles() -> None:
    found = read(notebook(code(id="a"), code(id="a"), code(id="#0"), code(id="x" * 300), code(id="b")))
    assert [cell.id for cell in found.cells] == ["a", "#1", "#2", "#3", "b"]


def test_an_unknown_cell_type_is_kept_as_raw() -> None:
    (found,) = read(notebook({"cell_type": "chart", "source": "x", "outputs": [{"output_type": "stream"}]})).cells
    assert (found.cell_type, found.source, found.outputs) == ("raw", "x", ())


def test_missing_outputs_are_none() -> None:
    assert read(notebook({"cell_type": "code", "source": "x"})).cells[0].outputs == ()


def test_worksheets_of_version_3_are_read() -> None:
    cells = [
        {"cell_type": "heading", "level": 2, "source": ["Title"]},
        {"cell_type": "html", "source": "<b>x</b>"},
        {
            "cell_type": "code",
            "language": "julia",
            "input": ["1/0"],
            "prompt_number": 7,
            "outputs": [
                {"output_type": "stream", "stream": "stdout", "text": ["out\n"]},
                {"output_type": "pyout", "text": ["42"], "png": png(3, 2), "prompt_number": 7},
                {"output_type": "pyerr", "ename": "E", "evalue": "v", "traceback": ["E: v"]},
            ],
        },
    ]
    found = read(
        {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": cells[:1]}, {"cells": cells[1:]}]}
    )
    heading, html, last = found.cells
    assert (heading.cell_type, heading.source, html.cell_type) == ("markdown", "## Title", "markdown")
    assert (last.source, last.execution_count, last.index) == ("1/0", 7, 2)
    assert [item.output_type for item in last.outputs] == ["stream", "execute_result", "error"]
    assert last.outputs[1].text == "42\n[image/png 3x2, 3 kB]"
    assert found.nbformat == (3, 0)


def test_of_very_many_outputs_both_ends_are_kept() -> None:
    (found,) = read(notebook(code("", *({"output_type": "stream", "text": str(i)} for i in range(1_000))))).cells
    texts = [item.text for item in found.outputs]
    assert (texts[0], texts[-1], len(texts)) == ("0", "999", 41)
    assert texts[10] == "[… 960 outputs left out …]"


def test_a_digest_stays_small_however_many_outputs_there_are() -> None:
    long = {"output_type": "stream", "text": "x" * 5_000}
    found = read(notebook(*(code("", long) for _ in range(5_000))))
    assert sum(len(item.text) for cell in found.cells for item in cell.outputs) < 4_500_000


# ---------------------------------------------------------------- outputs


def test_colours_and_control_characters_are_taken_out() -> None:
    assert (
        stream("\x1b[1;31mred\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x07 \x00bell\x07\tend\n").text
        == "red link bell\tend\n"
    )


def test_a_progress_bar_is_shown_in_its_last_state() -> None:
    assert stream([f"\r{n}%|###" for n in range(100)] + ["\n", "done\r\n"]).text == "99%|###\ndone\n"


def test_backspaces_overwrite() -> None:
    assert stream("1/2\b\b\b2/2\nx\b\b\by").text == "2/2\ny"


def test_lone_surrogates_do_not_reach_a_reader() -> None:
    stream("a\ud800b").text.encode()


def test_a_long_text_keeps_both_ends_and_says_how_much_it_left_out() -> None:
    lines = [f"line {n}\n" for n in range(50_000)]
    found = stream(lines)
    first, middle, last = found.text.partition("[… ")
    left = int("".join(filter(str.isdigit, last.split("characters")[0])))
    tail = last.split(" …]\n", 1)[1]
    assert middle
    assert first.startswith("line 0\nline 1\n")
    assert tail.endswith("line 49999\n")
    assert tail.startswith("line ")
    assert found.chars == len("".join(lines)) == len(first.rstrip("\n")) + left + len(tail)
    assert len(found.text) <= TEXT_BUDGET + 60
    assert "characters left out" in found.text


@pytest.mark.parametrize("length", [TEXT_BUDGET, TEXT_BUDGET + 1, 15_999, 16_000, 16_001, 100_000])
def test_a_text_is_cut_only_over_the_budget(length: int) -> None:
    found = stream("x" * length)
    assert found.chars == length
    assert ("left out" in found.text) == (length > TEXT_BUDGET)


def test_an_error_has_name_message_and_plain_traceback() -> None:
    found = output(
        output_type="error", ename="ValueError", evalue="no", traceback=["\x1b[31m---\x1b[0m", "ValueError: no"]
    )
    assert found.error is not None
    assert (found.error.name, found.error.value) == ("ValueError", "no")
    assert found.text == found.error.traceback == "---\nValueError: no"


def test_an_error_without_traceback_is_told_by_name() -> None:
    assert output(output_type="error", ename="KeyboardInterrupt", evalue="").text == "KeyboardInterrupt: "


def test_a_long_traceback_keeps_its_head_and_whole_last_frames() -> None:
    frames = [f"File lib/mod{n}.py:{n}, in f{n}(x)\n    {'pass ' * 20}\n----> {n} raise" for n in range(500)]
    found = output(
        output_type="error", ename="E", evalue="v", traceback=["E  Traceback (most recent call last)", *frames, "E: v"]
    )
    assert found.text.startswith("E  Traceback (most recent call last)\nFile lib/mod0.py")
    assert found.text.endswith("----> 499 raise\nE: v")
    assert found.text.split(" …]\n")[1].startswith("File lib/mod")
    assert len(found.text) <= TRACEBACK_BUDGET + 60


def test_a_huge_message_is_cut() -> None:
    found = output(output_type="error", ename="E", evalue="x" * 10**6, traceback=[])
    assert found.error is not None
    assert len(found.error.value) < 3_000


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"text__plain": "1"}, "1"),
        ({"text__plain": "<IPython.core.display.Markdown object>", "text__markdown": "**x**"}, "**x**"),
        ({"text__plain": "x**2", "text__latex": "$x^2$"}, "$x^2$"),
        ({"text__plain": "   a\n0  1", "text__html": "<table><tr><td>1</td></tr></table>"}, "   a\n0  1"),
        ({"text__plain": "<pandas.Styler at 0x7f>", "text__html": "<tr><th>a</th><td>1</td></tr><br>&lt;"}, "a | 1\n<"),
        ({"text__html": "<script>alert(1)</script><style>p{}</style><p>Hello <b>you</b></p>"}, "Hello you"),
        ({"text__csv": "a,b"}, "a,b"),
        ({"image__png": png(640, 480, 23_000)}, "[image/png 640x480, 23 kB]"),
        ({"image__png": [png(1, 2, 1_500_000)]}, "[image/png 1x2, 1.5 MB]"),
        ({"image__png": "not base64 §"}, "[image/png, 9 B]"),
        (
            {"image__png": png(640, 480), "text__plain": "<Figure size 640x480>"},
            "<Figure size 640x480>\n[image/png 640x480, 3 kB]",
        ),
        ({"image__svg+xml": "<svg/>" * 1_000}, "[image/svg+xml, 6 kB]"),
        (
            {"application__vnd.jupyter.widget-view+json": {"model_id": "1"}, "text__plain": "IntSlider(value=3)"},
            "IntSlider(value=3)",
        ),
        ({"application__vnd.plotly.v1+json": {"data": []}}, "[application/vnd.plotly.v1+json]"),
        ({"application__json": {"a": 1}, "text__plain": "<JSON>"}, "<JSON>\n[application/json]"),
        ({"application__javascript": "alert(1)"}, "[application/javascript, 8 B]"),
        ({}, ""),
    ],
)
def test_a_result_is_told_by_its_most_telling_text(data: Json, text: str) -> None:
    assert shown(**data) == text


def test_the_mime_types_of_a_result_are_told() -> None:
    assert output(output_type="display_data", data={"text/plain": "", "image/png": ""}).mimes == (
        "text/plain",
        "image/png",
    )


@pytest.mark.parametrize(
    "html", ["<" * 20_000, "<script" * 3_000, "<style>" + "x<" * 9_000, "&" * 16_000, "<td" * 5_000]
)
def test_hostile_html_becomes_little_text(html: str) -> None:
    assert len(html_text(html)) <= len(html)


@pytest.mark.parametrize(
    "text", ["\x1b]" * 8_000, "\x1b[" + "0;" * 8_000, "\r" * 16_000, "\b" * 16_000, "\x1b" * 16_000]
)
def test_hostile_terminal_text_becomes_little_text(text: str) -> None:
    assert len(clean(text)) <= len(text)


def test_dimensions_are_read_from_the_first_bytes() -> None:
    start_of_frame = b"\xff\xc0\x00\x11\x08" + struct.pack(">HH", 20, 30) + bytes(9)
    assert dimensions(b"\xff\xd8\xff\xe0\x00\x04ab" + start_of_frame) == (30, 20)
    assert dimensions(b"GIF89a\x0a\x00\x05\x00") == (10, 5)
    assert dimensions(b"\xff\xd8\xff\xe0\x00\x00" + b"\xff" * 50) is None
    assert dimensions(b"\xff\xd8") is None
    assert dimensions(b"") is None


# ---------------------------------------------------------------- unsaved cells


@pytest.fixture
def saved() -> Snapshot:
    """Three cells a, b, c; b has run and printed."""
    printed = {"output_type": "stream", "text": "old"}
    return read(notebook(code("a = 1", id="a"), code("b", printed, id="b", execution_count=2), code("c", id="c")))


def edit(name: str, source: str = "new", kind: str = "code", outputs: tuple[Json, ...] | None = None) -> UnsavedCell:
    return UnsavedCell(name, kind, source, outputs)


def ids(snapshot: Snapshot, *unsaved: UnsavedCell, order: tuple[str, ...] | None = None) -> list[str]:
    found = overlay(snapshot, NotebookFocus("a.ipynb", unsaved=unsaved, order=order))
    assert [cell.index for cell in found.cells] == list(range(len(found.cells)))
    return [cell.id for cell in found.cells]


def test_an_unsaved_cell_replaces_the_saved_one_and_keeps_its_outputs(saved: Snapshot) -> None:
    cell = overlay(saved, NotebookFocus("a.ipynb", unsaved=(edit("b"),))).cells[1]
    assert (cell.source, cell.outputs, cell.execution_count, cell.unsaved) == ("new", saved.cells[1].outputs, 2, True)
    assert saved.cells[1].source == "b"


def test_unsaved_outputs_are_digested_and_replace_the_saved_ones(saved: Snapshot) -> None:
    outputs = ({"output_type": "execute_result", "execution_count": 9, "data": {"text/plain": ["\x1b[1m4\x1b[0m"]}},)
    cell = overlay(saved, NotebookFocus("a.ipynb", unsaved=(edit("b", outputs=outputs),))).cells[1]
    assert ([item.text for item in cell.outputs], cell.execution_count) == (["4"], 9)


def test_a_cell_turned_into_markdown_has_no_outputs(saved: Snapshot) -> None:
    cell = overlay(saved, NotebookFocus("a.ipynb", unsaved=(edit("b", kind="markdown"),))).cells[1]
    assert (cell.cell_type, cell.outputs, cell.execution_count) == ("markdown", (), None)


def test_cells_that_did_not_change_are_not_marked(saved: Snapshot) -> None:
    assert [cell.unsaved for cell in overlay(saved, NotebookFocus("a.ipynb", unsaved=(edit("b"),))).cells] == [
        False,
        True,
        False,
    ]


def test_order_moves_and_deletes(saved: Snapshot) -> None:
    assert ids(saved, order=("c", "a")) == ["c", "a"]


def test_an_empty_order_is_an_empty_notebook(saved: Snapshot) -> None:
    assert ids(saved, order=()) == []


def test_a_new_cell_is_put_where_the_order_says(saved: Snapshot) -> None:
    assert ids(saved, edit("n"), order=("a", "n", "b", "c")) == ["a", "n", "b", "c"]


def test_a_new_cell_without_an_order_comes_last(saved: Snapshot) -> None:
    assert ids(saved, edit("n")) == ["a", "b", "c", "n"]


def test_unsaved_cells_that_the_order_forgot_are_kept_near_their_place(saved: Snapshot) -> None:
    assert ids(saved, edit("b"), edit("n"), order=("c", "a")) == ["c", "a", "b", "n"]
    assert ids(saved, edit("a"), order=("c", "b")) == ["a", "c", "b"]


def test_unknown_and_repeated_ids_in_the_order_are_passed_over(saved: Snapshot) -> None:
    assert ids(saved, order=("a", "x", "a", "b")) == ["a", "b"]


def test_the_last_of_two_edits_of_a_cell_counts(saved: Snapshot) -> None:
    found = overlay(saved, NotebookFocus("a.ipynb", unsaved=(edit("a", "1"), edit("a", "2"))))
    assert [cell.source for cell in found.cells] == ["2", "b", "c"]


def test_nothing_unsaved_changes_nothing(saved: Snapshot) -> None:
    assert (
        overlay(saved, NotebookFocus("a.ipynb", order=("a", "b", "c")))
        == overlay(saved, NotebookFocus("a.ipynb"))
        == saved
    )


def test_cells_without_ids_take_the_ids_the_front_end_gave_them() -> None:
    old = read(notebook(code("a"), code("b"), nbformat_minor=4))
    assert ids(old, edit("y"), order=("x", "y")) == ["x", "y"]
    assert ids(old, edit("n"), order=("x", "n", "y")) == ["x", "n", "y"]


def test_cells_without_ids_are_not_deleted_by_an_order_that_cannot_name_them() -> None:
    old = read(notebook(code("a"), code("b"), nbformat_minor=4))
    assert ids(old, order=("x", "y", "z")) == ["#0", "#1"]
    assert ids(old, order=("#1",)) == ["#1"]


def test_a_cell_hash_is_of_its_source() -> None:
    assert read(notebook(code("x"))).cells[0].hash == read(notebook(code(["x"]))).cells[0].hash == "2d711642b726"
