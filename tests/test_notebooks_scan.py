"""The scanner against the parser: whatever the layout, both must tell the same of a notebook."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_assistant.notebooks.nbformats import CellRecord, Header, NotANotebook, NotJson, parsed, records
from jupyter_assistant.notebooks.outputs import HEAD, TAIL, WHOLE, excerpt
from jupyter_assistant.notebooks.scan import boundary, measured, shortened

Records = tuple[Header, list[CellRecord]]

PIECES = [
    *(
        "a",
        "line\n",
        "\n",
        '"',
        '\\"',
        "\\",
        "\\\\",
        "\\n",
        '",\n      "',
        '", "',
        ",",
        ", ",
        "]",
        '"]',
        "[",
        "{",
        "\t",
    ),
    *(
        "\r\n",
        "\r",
        "\x1b[31mred\x1b[0m",
        "\x00",
        "é",
        "中文",
        "😀",
        "\u2028",
        "\ud83d",
        "/",
        "<td class='x'>",
        '<b id="y">',
    ),
    *("", " ", "0123456789" * 9 + "\n", '": [\n', "\\u0041", "\b"),
]
texts = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
long_texts = st.tuples(texts, st.sampled_from([0, 1, 40, 700, 3000])).map(lambda drawn: drawn[0] * drawn[1])
lines = st.tuples(st.lists(texts, max_size=8), st.sampled_from([1, 30, 900])).map(lambda drawn: drawn[0] * drawn[1])
odd = st.one_of(st.none(), st.integers(), st.floats(), st.lists(st.integers(), max_size=3), st.just({"a": ["b"]}))
values = st.one_of(long_texts, lines, lines, st.lists(st.one_of(long_texts, odd, lines), max_size=4), odd)
mimes = st.sampled_from(["text/plain", "text/html", "image/png", "text/markdown", "application/json", "x/source"])
outputs = st.one_of(
    st.fixed_dictionaries({"output_type": st.just("stream"), "text": values}),
    st.fixed_dictionaries({"output_type": st.just("error"), "ename": values, "evalue": values, "traceback": values}),
    st.fixed_dictionaries({"output_type": st.just("display_data"), "data": st.dictionaries(mimes, values, max_size=3)}),
)
cells = st.fixed_dictionaries(
    {
        "cell_type": st.sampled_from(["code", "code", "markdown"]),
        "id": texts,
        "source": values,
        "outputs": st.lists(outputs, max_size=3),
        "metadata": st.dictionaries(texts, values, max_size=2),
        "attachments": st.dictionaries(texts, values, max_size=1),
    }
)
notebooks = st.fixed_dictionaries(
    {
        "metadata": st.dictionaries(texts, values, max_size=1),
        "nbformat": st.just(4),
        "cells": st.lists(cells, max_size=3),
    }
)
layouts = st.fixed_dictionaries(
    {
        "indent": st.sampled_from([1, 1, None, 2, 0, "\t"]),
        "ensure_ascii": st.booleans(),
        "separators": st.sampled_from([None, (",", ":"), (", ", ": "), (" , ", " : ")]),
        "sort_keys": st.booleans(),
    }
)
blocks = st.sampled_from([1 << 20, 1 << 14, 4096, 777])
thorough = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def written(notebook: object, layout: dict[str, Any], crlf: bool) -> bytes:
    text = json.dumps(notebook, **layout)
    return (text.replace("\n", "\r\n") if crlf else text).encode("utf-8", "replace")


def fast(data: bytes, block: int = 1 << 20) -> Records:
    return records(shortened(io.BytesIO(data).read, block))


def slow(data: bytes) -> Records:
    return records(parsed(data))


@thorough
@given(notebooks, layouts, st.booleans(), blocks)
def test_scanner_and_parser_tell_the_same(notebook: object, layout: dict[str, Any], crlf: bool, block: int) -> None:
    data = written(notebook, layout, crlf)
    assert fast(data, block) == slow(data)


@thorough
@given(notebooks, layouts, st.data(), blocks)
def test_a_damaged_file_that_the_parser_takes_reads_the_same(
    notebook: object, layout: dict[str, Any], data: st.DataObject, block: int
) -> None:
    whole = written(notebook, layout, False)
    at = data.draw(st.integers(0, len(whole)))
    damage = data.draw(st.sampled_from([b"", b'"', b"\\", b"\n", b"]", b"\xff", b"\x00", b",", b"{"]))
    damaged = whole[:at] + damage + whole[at + data.draw(st.integers(0, 3)) :]
    expected, found = outcome(slow, damaged), outcome(fast, damaged, block)
    assert found == (expected or found)


def outcome(read: Callable[..., Records], *arguments: Any) -> Records | None:
    try:
        return read(*arguments)
    except NotANotebook:
        return None


@thorough
@given(notebooks, layouts, st.data(), blocks)
def test_a_file_cut_short_is_refused(notebook: object, layout: dict[str, Any], data: st.DataObject, block: int) -> None:
    whole = written(notebook, layout, False)
    with pytest.raises(NotANotebook):
        fast(whole[: data.draw(st.integers(0, len(whole) - 1))], block)


@pytest.mark.parametrize("block", [1, 2, 3, 7, 50])
def test_a_notebook_read_in_tiny_pieces_is_the_same(block: int) -> None:
    lines = [f'{i} "quoted" \\ é😀\n' for i in range(2_000)]
    outputs = [
        {"output_type": "stream", "text": lines},
        {"output_type": "error", "traceback": lines, "evalue": "x" * 20_000},
    ]
    data = json.dumps({"cells": [{"cell_type": "code", "outputs": outputs}]}, indent=1).encode()
    assert fast(data, block) == slow(data)


def test_sources_are_never_shortened() -> None:
    source = ["x = 1\n"] * 9_000
    for layout in (None, 1):
        cell = {"cell_type": "code", "source": source, "outputs": []}
        data = json.dumps({"cells": [cell, {**cell, "source": "".join(source)}]}, indent=layout).encode()
        assert [record[2] for record in fast(data)[1]] == ["".join(source)] * 2


def test_a_mark_cannot_be_forged_by_the_notebook() -> None:
    forged = {"0" * 24: 0}
    data = json.dumps(
        {"cells": [{"cell_type": "code", "outputs": [{"output_type": "stream", "text": forged}]}]}
    ).encode()
    assert fast(data) == slow(data)


@pytest.mark.parametrize(
    "data", [b"", b"{", b'{"cells": [', b'"', b"\xff\xfe{\x00}\x00", b"\x00" * 100, b"[" * 100_000]
)
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(NotANotebook):
        fast(data)


def test_bad_utf8_inside_a_text_that_is_left_out_is_refused() -> None:
    text = b'{"cells":[{"cell_type":"code","outputs":[{"output_type":"stream","text":"' + b"a" * 40_000
    with pytest.raises(NotJson, match="UTF-8"):
        fast(text + b"\xff" + b"b" * 40_000 + b'"}]}]}')


@pytest.mark.parametrize(
    ("body", "separator", "expected"),
    [
        (b"abc", b"", (0, 3)),
        (rb"a\n\"b\\", b"", (0, 5)),
        (rb"\u00e9\ud83d\ude00\\ud83d", b"", (0, 8)),
        (rb"\ud83d\\\ude00", b"", (0, 3)),
        ("é😀".encode(), b"", (0, 2)),
        (b'a\\n",\n "b', b'",\n "', (1, 3)),
        (b'a", "b', b'", "', (1, 2)),
        (b"a\\", b"", None),
        (b'a"b', b"", None),
        (b'a", {"b', b'", "', None),
        (b'say \\"hi\\", ", "b', b'", "', None),
        (b'a", ", ", "b', b'", "', None),
    ],
)
def test_a_body_is_measured_only_where_its_bytes_prove_it(
    body: bytes, separator: bytes, expected: tuple[int, int] | None
) -> None:
    assert measured(body, separator) == expected


@given(
    st.lists(st.sampled_from(["a", "é", "😀", '"', "\\", "\n", "\x1f", "\\u"]), min_size=1).map("".join), st.booleans()
)
def test_a_boundary_parts_a_text_between_two_characters(text: str, ensure_ascii: bool) -> None:
    body = json.dumps(text, ensure_ascii=ensure_ascii)[1:-1].encode()
    for at in range(len(body)):
        cut = boundary(body, at, b"")
        first, rest = (json.loads(b'"' + piece + b'"') for piece in (body[:cut], body[cut:]))
        assert (first + rest).encode("utf-16", "surrogatepass").decode("utf-16") == text


def test_an_excerpt_keeps_both_ends_and_the_length() -> None:
    assert excerpt("x" * WHOLE) == ("x" * WHOLE, "", WHOLE)
    text = "".join(map(str, range(9_000)))
    assert excerpt(text) == (text[:HEAD], text[-TAIL:], len(text))
