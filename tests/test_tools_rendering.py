"""What notebooks hold as a model reads it: texts, dataframes, tracebacks, cells and outputs within the budget."""

from __future__ import annotations

import asyncio
import base64
import io
import sys
import traceback
from typing import Any

import pandas as pd  # type: ignore[import-untyped]  # pandas has no types
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_assistant.notebooks.cells import Cell, Snapshot
from jupyter_assistant.tools import Content, Image, Text
from jupyter_assistant.tools.images import MAX_IMAGES, Images
from jupyter_assistant.tools.rendering import Section, digests, heading, named, rendered, source
from jupyter_assistant.tools.tables import table_digest
from jupyter_assistant.tools.text import BUDGET, counted, fenced, shares, size, within
from jupyter_assistant.tools.tracebacks import traceback_excerpt

Json = dict[str, Any]


# ---------------------------------------------------------------- text


@given(st.text(), st.integers(100, 1_000))
def test_a_text_within_room_is_whole_or_keeps_both_ends_and_says_what_is_missing(text: str, room: int) -> None:
    cut = within(text, room)
    assert size(cut) <= room
    assert cut == text or ("left out" in cut and cut[:10] == text[:10] and cut[-10:] == text[-10:])


@given(st.lists(st.integers(0, 1_000)), st.integers(-10, 3_000))
def test_shares_give_what_is_needed_or_the_same_to_all(sizes: list[int], room: int) -> None:
    given_to = shares(sizes, room)
    assert sum(given_to) <= max(0, room)
    cut = [part for part, wanted in zip(given_to, sizes, strict=True) if part < wanted]
    assert not cut or max(cut) - min(cut) <= 1
    assert not cut or min(cut) >= max(part for part in given_to) - 1
    assert cut or given_to == sizes


@given(st.text(alphabet="`ab\n"))
def test_nothing_inside_closes_a_fence(text: str) -> None:
    first, *_, last = fenced(text).split("\n")
    assert first == f"{last}text"
    assert last not in text


def test_counts_are_written_as_a_person_writes_them() -> None:
    assert (counted(1, "cell"), counted(2, "cell")) == ("1 cell", "2 cells")


def test_a_path_is_quoted_where_it_could_be_taken_for_more() -> None:
    assert named("2024/sales ü.ipynb") == "2024/sales ü.ipynb"
    assert named("a\nb.ipynb") == '"a\\nb.ipynb"'


# ---------------------------------------------------------------- dataframes


def table_of(frame: pd.DataFrame) -> str | None:
    with pd.option_context("display.max_rows", 60):
        return table_digest(frame._repr_html_(), repr(frame))


def test_a_dataframe_is_its_schema_and_head() -> None:
    frame = pd.DataFrame(
        {
            "count": range(1000),
            "share": [at / 7 for at in range(1000)],
            "when": pd.date_range("2024-01-01", periods=1000),
            "name": [f"n {at} | m" if at == 4 else f"name {at}" for at in range(1000)],
            "good": [True, False] * 500,
            "lost": [None] * 1000,
        }
    )
    assert table_of(frame) == (
        "DataFrame of 1000 rows x 6 columns\n"
        "columns: count (number), share (number), when (date), name (text), good (truth value), lost\n"
        "head:\n"
        "(index) | count | share | when | name | good | lost\n"
        "0 | 0 | 0.000000 | 2024-01-01 | name 0 | True | None\n"
        "1 | 1 | 0.142857 | 2024-01-02 | name 1 | False | None\n"
        "2 | 2 | 0.285714 | 2024-01-03 | name 2 | True | None\n"
        "3 | 3 | 0.428571 | 2024-01-04 | name 3 | False | None\n"
        "4 | 4 | 0.571429 | 2024-01-05 | n 4 | m | True | None"
    )


def test_a_small_dataframe_is_whole() -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["", "x"]}, index=["one", "two"])
    assert table_of(frame) == (
        "DataFrame of 2 rows x 2 columns\ncolumns: a (number), b (text)\n"
        "head:\n(index) | a | b\none | 1 | ''\ntwo | 2 | x"
    )


def test_an_empty_dataframe_and_one_of_many_columns_are_told() -> None:
    assert "DataFrame of 0 rows x 1 columns\ncolumns: a" in str(table_of(pd.DataFrame({"a": []})))
    wide = str(table_of(pd.DataFrame([range(500)], columns=[f"c{at}" for at in range(500)])))
    assert "DataFrame of 1 rows x 500 columns" in wide
    assert size(wide) < 2_000


def test_grouped_rows_and_columns_are_told_without_being_understood() -> None:
    index = pd.MultiIndex.from_product([["x", "y"], [1, 2]], names=["group", "number"])
    text = str(table_of(pd.DataFrame({("a", "b"): [1, 2, 3, 4], ("a", "c"): [5, 6, 7, 8]}, index=index)))
    assert "DataFrame of 4 rows" in text
    assert "group | number" in text
    assert "x | 1 | 1 | 5" in text


def test_a_polars_table_shows_its_own_types() -> None:
    html = (
        "<div><style>.dataframe > td {border: 0}</style><small>shape: (2_000, 2)</small>"
        '<table border="1" class="dataframe">'
        "<thead><tr><th>a</th><th>b</th></tr><tr><td>i64</td><td>str</td></tr></thead>"
        "<tbody><tr><td>1</td><td>&quot;x&quot;</td></tr></tbody></table></div>"
    )
    assert table_digest(html, "shape: (2_000, 2)") == (
        'DataFrame of 2_000 rows x 2 columns\ncolumns: a (number), b (text)\nhead:\na | b\ni64 | str\n1 | "x"'
    )


@pytest.mark.parametrize(
    "html", ["", "<b>x</b>", "<table><tr><td>1</td></tr></table>", '<table class="dataframe">', "<" * 100_000]
)
def test_what_is_no_dataframe_is_left_alone(html: str) -> None:
    assert table_digest(html, "x") is None


@given(st.text(alphabet="<>/tdhra bclsefm=\"'\n|"), st.text(max_size=20))
def test_no_html_makes_the_digest_fail(html: str, plain: str) -> None:
    table_digest(f'<table class="dataframe"><thead>{html}</thead>{html}', plain)


# ---------------------------------------------------------------- tracebacks


def test_a_traceback_keeps_the_users_frames_and_counts_the_libraries() -> None:
    frames = [
        "\x1b[31m---------------------------------------------------------------------------\x1b[39m",
        "\x1b[31mKeyError\x1b[39m                                  Traceback (most recent call last)",
        "\x1b[36mCell\x1b[39m\x1b[36m In[3]\x1b[39m\x1b[32m, line 1\x1b[39m\n----> 1 load(df)",
        "File /v/lib/python3.11/site-packages/pandas/core/frame.py:4113, in DataFrame.__getitem__(self, key)\n  4111 x",
        "File /v/lib/python3.11/site-packages/pandas/core/base.py:3819, in Index.get_loc(self, key)\n   3814 y",
        "File ~/project/load.py:7, in load(df)\n      7 return df['nope']",
        "File /usr/lib/python3.11/json/decoder.py:355, in raw_decode(self)\n 1 z",
        "\x1b[31mKeyError\x1b[39m: 'nope'",
    ]
    text, _, _ = traceback_excerpt(frames, "KeyError", "'nope'")
    assert text == (
        "KeyError                                  Traceback (most recent call last)\n"
        "Cell In[3], line 1\n----> 1 load(df)\n"
        "[… 2 library frames left out …]\n"
        "File ~/project/load.py:7, in load(df)\n      7 return df['nope']\n"
        "[… 1 library frame left out …]\n"
        "KeyError: 'nope'"
    )


def test_a_traceback_of_libraries_alone_is_whole_and_none_is_the_exception() -> None:
    frames = ["File /v/lib/python3.11/json/decoder.py:355, in f\n 1 z", "ValueError: x"]
    assert traceback_excerpt(frames, "ValueError", "x")[0] == "\n".join(frames)
    assert traceback_excerpt([], "ValueError", "x")[0] == "ValueError: x"


def test_a_traceback_of_thousands_of_frames_keeps_both_ends() -> None:
    frames = ["RecursionError", *(f"Cell In[1], line {at}\n----> f()" for at in range(5_000)), "RecursionError: deep"]
    head, tail, _ = traceback_excerpt(frames, "RecursionError", "deep")
    assert "line 0\n" in head
    assert "deep" in (tail or head)


# ---------------------------------------------------------------- cells


def test_a_cells_heading_holds_all_that_an_edit_needs() -> None:
    cell = Cell("a1b2", 3, "code", "1+1", execution_count=5)
    assert heading(cell) == f'[cell 4] id "a1b2" · hash {cell.hash} · code · run as [5]'
    assert heading(Cell("#0", 0, "code", "")).endswith("· code · not run")
    assert heading(Cell("x", 0, "markdown", "", unsaved=True)).endswith("· markdown · not saved yet")
    assert '\\"' in heading(Cell('a" · hash 0', 0, "code", ""))


def test_a_source_is_fenced_in_its_language_and_cut_in_its_middle() -> None:
    snapshot = Snapshot("x.ipynb", (), language="julia")
    assert source(Cell("a", 0, "code", "1"), snapshot, 100) == "```julia\n1\n```"
    assert source(Cell("a", 0, "markdown", "# x"), snapshot, 100) == "```markdown\n# x\n```"
    assert source(Cell("a", 0, "code", ""), snapshot, 100) == "(empty)"
    assert (
        source(Cell("a", 0, "code", "\ud800```"), Snapshot("x", (), language="a\nb"), 100)
        == "````text\n\ufffd```\n````"
    )
    long = source(Cell("a", 0, "code", f"first\n{'x' * 5_000}\nlast"), snapshot, 1_000)
    assert "first" in long
    assert "last" in long
    assert "left out" in long
    assert size(long) < 1_100


# ---------------------------------------------------------------- outputs


def stream(text: object, name: str = "stdout") -> Json:
    return {"output_type": "stream", "name": name, "text": text}


def result(**data: object) -> Json:
    data = {mime.replace("__", "/"): value for mime, value in data.items()}
    return {"output_type": "execute_result", "execution_count": 1, "data": data, "metadata": {}}


def png(width: int = 8, height: int = 8) -> str:
    data = io.BytesIO()
    PIL.Image.new("RGB", (width, height)).save(data, "PNG")
    return base64.b64encode(data.getvalue()).decode()


async def shown(*outputs: Json, notes: tuple[str, ...] = (), **more: Any) -> str:
    content = await rendered([Section("[cell 1]", outputs, notes)], Images(), **more)
    return text_of(content)


def text_of(content: tuple[Content, ...]) -> str:
    [text] = [part.text for part in content if isinstance(part, Text)]
    return text


async def test_each_output_is_fenced_under_its_own_name() -> None:
    assert await shown(stream("a\n"), stream(["b", "c"], "stderr"), result(text__plain="2"), notes=("A note.",)) == (
        "[cell 1]\n```stdout\na\n```\n```stderr\nbc\n```\n```result\n2\n```\nA note."
    )


async def test_a_print_of_two_megabytes_is_told_within_the_budget_with_its_end() -> None:
    text = await shown(stream("first\n" + "x" * 2_000_000 + "\nthe end"))
    assert size(text) <= BUDGET
    assert "first" in text
    assert "the end" in text
    assert "characters left out" in text


async def test_many_long_outputs_share_the_budget_and_short_ones_stay_whole() -> None:
    text = await shown(
        *(stream(f"{at} " + "ü" * 15_000 + f" end of {at}") for at in range(20)), result(text__plain="short")
    )
    assert size(text) <= BUDGET
    assert "short" in text
    assert all(f"end of {at}" in text for at in range(20))


async def test_of_hundreds_of_outputs_both_ends_are_shown_and_the_rest_counted() -> None:
    text = await shown(*(stream(f"<{at}>") for at in range(500)))
    assert "<0>" in text
    assert "<499>" in text
    assert "<250>" not in text
    assert "476 outputs left out" in text


async def test_an_error_is_told_without_colours() -> None:
    output = {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["\x1b[31mE\x1b[0m: v"]}
    assert await shown(output) == "[cell 1]\n```error\nE: v\n```"


async def test_a_dataframe_in_an_output_is_its_digest() -> None:
    frame = pd.DataFrame({"a": range(1000)})
    text = await shown(result(text__html=frame._repr_html_(), text__plain=repr(frame)))
    assert "```result\nDataFrame of 1000 rows x 1 columns\ncolumns: a (number)" in text
    assert "<td>" not in text


async def test_an_image_is_a_block_of_its_own_and_named_in_the_text() -> None:
    output = result(image__png=png(), text__plain="<Figure size 8x8 with 1 Axes>")
    content = await rendered([Section("[cell 1]", (output,))], Images())
    assert content == (Text("[cell 1]\n[image 1 below: image/png 8x8]"), Image("image/png", base64.b64decode(png())))


async def test_no_base64_becomes_text() -> None:
    pdf = {"application/pdf": "QUJD" * 10_000, "text/plain": "<Pdf>"}
    text = await shown(result(**pdf), result(**{"image/bmp": png()}), result(image__png=png(9_000, 9_000)))
    assert "[application/pdf, 30 kB]" in text
    assert "[image/bmp" in text
    assert "9000x9000 pixels are too many" in text
    assert "QUJD" not in text
    assert png()[:40] not in text


async def test_more_images_than_a_result_takes_are_named() -> None:
    content = await rendered([Section("[cell 1]", tuple(result(image__png=png()) for _ in range(7)))], Images())
    assert sum(isinstance(part, Image) for part in content) == MAX_IMAGES
    assert text_of(content).count("not shown: at most 4 images a result") == 3


async def test_all_images_of_a_result_stay_below_what_clients_take() -> None:
    noise = io.BytesIO()
    PIL.Image.effect_noise((700, 700), 100).convert("RGB").save(noise, "PNG")
    data = base64.b64encode(noise.getvalue()).decode()
    content = await rendered([Section("[cell 1]", tuple(result(image__png=data) for _ in range(4)))], Images())
    images = [part for part in content if isinstance(part, Image)]
    assert len(images) == 4
    assert sum(len(image.data) for image in images) * 4 // 3 + BUDGET < 1 << 20


async def test_what_is_neither_text_nor_image_is_told_by_its_words() -> None:
    text = await shown(
        result(**{"image/svg+xml": "<svg/>", "text/plain": "a drawing"}),
        result(text__html="<p>Hello <b>you</b></p><script>alert(1)</script>"),
        result(**{"application/javascript": "alert(1)", "text/plain": "<Javascript>"}),
        result(**{"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "IntSlider(value=3)"}),
    )
    assert "a drawing\n[image/svg+xml" in text
    assert "Hello you" in text
    assert "IntSlider(value=3)" in text
    assert "alert(1)" not in text


async def test_odd_outputs_are_told_somehow() -> None:
    odd: list[Json] = [{}, {"output_type": "stream"}, {"output_type": "error", "traceback": 5}, result(), {"data": []}]
    assert size(await shown(*odd)) < 200


json_values = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
kinds = st.sampled_from(["stream", "error", "display_data", "execute_result", "x"])
mimes = st.sampled_from(["text/plain", "text/html", "image/png", "image/jpeg", "image/svg+xml", "application/json"])
outputs = st.fixed_dictionaries(
    {"output_type": kinds},
    optional={
        "text": json_values,
        "name": json_values,
        "data": st.dictionaries(mimes, json_values) | json_values,
        "traceback": json_values,
        "ename": json_values,
        "evalue": json_values,
    },
)


@given(st.lists(outputs, max_size=30))
def test_any_outputs_are_rendered_within_the_budget(found: list[Json]) -> None:
    text = asyncio.run(shown(*found))
    text.encode()
    assert size(text) <= BUDGET


def test_a_cells_own_digests_are_shown_shorter_with_their_true_length() -> None:
    from jupyter_assistant.notebooks.cells import digest

    try:
        int("x")
    except ValueError as error:
        lines = traceback.format_exception(*sys.exc_info())
        failure = {"output_type": "error", "ename": "ValueError", "evalue": str(error), "traceback": lines}
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {},
        "cells": [
            {
                "id": "a",
                "cell_type": "code",
                "source": "",
                "metadata": {},
                "execution_count": 1,
                "outputs": [stream("x" * 1_000_000), failure],
            }
        ],
    }
    [cell] = digest(notebook, path="x.ipynb", revision="").cells
    long, error_text = digests(cell, 500)
    assert size(long) < 600
    assert "[… 999 5" in long
    assert "invalid literal" in error_text
