"""A notebook's bytes with some cells changed: every other byte as it was, whatever the file looks like."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_assistant.errors import EditRefused
from jupyter_assistant.notebooks.apart import taken_apart
from jupyter_assistant.notebooks.cells import digest
from jupyter_assistant.notebooks.edits import (
    ClearOutputs,
    Delete,
    Edit,
    Insert,
    Move,
    NewCell,
    Replace,
    SetOutputs,
    Upgrade,
    decide,
)
from jupyter_assistant.notebooks.nbformats import NotANotebook, parsed
from jupyter_assistant.notebooks.payloads import outputs_of
from jupyter_assistant.notebooks.signing import rejoined
from jupyter_assistant.notebooks.spans import box, root
from jupyter_assistant.notebooks.splice import Changed, cells_of, respliced, spliced

Json = dict[str, Any]
LONG = "data:" + "A" * 100_000


def made(data: bytes, *edits: Edit) -> bytes:
    plan = decide(digest(parsed(data), path="a.ipynb", revision=""), edits, {})
    result = b"".join(spliced(data, plan.known, plan.cells, plan.upgrade))
    assert b"".join(spliced(data, plan.known, plan.cells, plan.upgrade, guess=True)) == result
    return result


def cell_spans(data: bytes) -> list[tuple[int, int]]:
    """Where each cell lies, by Python's own decoder."""
    text = data.decode("utf-8")
    at = text.rindex("[", 0, text.index("{", text.rindex('"cells"')))
    decoder = json.JSONDecoder()
    found: list[tuple[int, int]] = []
    while True:
        at += 1
        while text[at] in " \t\r\n,":
            at += 1
        if text[at] == "]":
            return found
        end = decoder.raw_decode(text, at)[1]
        found.append((len(text[:at].encode()), len(text[:end].encode())))
        at = end - 1


def cell(name: str, source: object, kind: str = "code", **more: object) -> Json:
    code: Json = {"execution_count": None, "outputs": []} if kind == "code" else {}
    return {"cell_type": kind, "id": name, "metadata": {}, "source": source, **code, **more}


def notebook(*cells: Json, **more: object) -> Json:
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **more}


STYLES: dict[str, Json] = {
    "nbformat": {"indent": 1, "ensure_ascii": False},
    "two blanks": {"indent": 2, "ensure_ascii": False},
    "tabs": {"indent": "\t", "ensure_ascii": False},
    "one line": {"ensure_ascii": False},
    "compact": {"separators": (",", ":"), "ensure_ascii": False},
    "no indent": {"indent": 0, "ensure_ascii": False},
    "escaped": {"indent": 1, "ensure_ascii": True},
}
PLAIN = notebook(
    cell("a", ["x = 1\n", "é"], metadata={"z": 1, "a": [{}, [], {"b": None}]}, outputs=[{"output_type": "stream"}]),
    cell("b", "one string\nö", "markdown", attachments={"i.png": {"image/png": LONG}}),
    cell("c", [], execution_count=4),
    metadata={"kernelspec": {"name": "python3"}, "odd": [1.50, 1e5, -0.0]},
)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("end", ["", "\n", "\n\n  "])
def test_what_is_written_looks_as_if_the_whole_file_had_been_written(style: str, end: str) -> None:
    data = (json.dumps(PLAIN, **STYLES[style]) + end).encode()
    result = made(
        data,
        Replace("a", "new ä\n'\"\\"),
        Replace("b", "other\nü"),
        Replace("c", "1\n2"),
        SetOutputs("c", ({"name": "stdout", "output_type": "stream", "text": "1\n2"},), 5),
        Insert((NewCell("markdown", "# T\n"), NewCell("code", "")), after="a"),
    )
    assert result == (json.dumps(json.loads(result), **STYLES[style]) + end).encode()
    assert [found["source"] for found in json.loads(result)["cells"]] == [
        ["new ä\n", "'\"\\"],
        ["# T\n"],
        [],
        "other\nü",
        ["1\n", "2"],
    ]


def test_a_notebook_of_nbformat_is_written_as_nbformat_would() -> None:
    whole = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("1", id="a"), nbformat.v4.new_markdown_cell("é\n", id="b")]
    )
    plot = {"output_type": "display_data", "data": {"text/html": "<b>\n</b>", "image/png": "iV"}, "metadata": {}}
    result = made(
        (nbformat.writes(whole) + "\n").encode(),
        SetOutputs("a", (plot, {"output_type": "stream", "name": "stdout", "text": "x\ny"}), 1),
        Move("b", before="a"),
        Insert((NewCell("code", "2\n3"),)),
        Replace("b", "raw", "raw"),
    )
    again = nbformat.reads(result.decode(), as_version=4)
    nbformat.validate(again)
    assert (nbformat.writes(again) + "\n").encode() == result


ODD: dict[str, bytes] = {
    "byte order mark": b"\xef\xbb\xbf" + json.dumps(PLAIN, indent=1, ensure_ascii=False).encode(),
    "carriage returns": json.dumps(PLAIN, indent=1).replace("\n", "\r\n").encode(),
    "keys in another order": json.dumps(dict(reversed(PLAIN.items())), indent=3).encode(),
    "one empty line in front": b"\n\n" + json.dumps(PLAIN, indent=1).encode(),
    "lone surrogates": json.dumps(
        notebook(cell("a", "\ud800"), cell("b", "1"), cell("c", "\udfff\n")), indent=1
    ).encode(),
    "not numbers": json.dumps(
        notebook(cell("a", "", metadata={"n": [float("nan"), float("-inf")]}), cell("b", "")), indent=1
    ).encode(),
    "a huge number": json.dumps(notebook(cell("a", "", metadata={"n": 10**3000}), cell("b", ""))).encode(),
    "deep nesting": b'{"cells": [%b, %b], "deep": %b, "nbformat": 4, "nbformat_minor": 5}'
    % (json.dumps(cell("a", "1")).encode(), json.dumps(cell("b", "2")).encode(), b"[" * 600 + b"]" * 600),
    "a key twice": json.dumps(notebook(cell("a", "1"), cell("b", "2")))
    .replace('"source": "2"', '"source": "0", "source": "2"')
    .encode(),
    "cells twice": json.dumps(notebook(cell("a", "1"), cell("b", "2")))
    .replace("{", '{"cells": [{"id": "no"}], ', 1)
    .encode(),
    "an escaped key": json.dumps(notebook(cell("a", "1"), cell("b", "2")))
    .replace('"source": "2"', '"sour\\u0063e": "2"')
    .encode(),
    "brackets in texts": json.dumps(notebook(cell("a", '"]}{[,\\" \\'), cell("b", ["]\n", '"}'])), indent=1).encode(),
    "many escapes": json.dumps(notebook(cell("a", '\n"\\' * 3000), cell("b", "\\" * 5001)), indent=1).encode(),
    "blanks everywhere": b' { "cells" : [ { "id" : "a" , "cell_type" : "code", "source" : [ "1" ] , '
    b'"outputs":[ ] } ,\n\n\t{"id":"b","cell_type":"code","source":""} ] , "nbformat":4, "nbformat_minor" :5 } \n',
    "keys on lines of their own": b'{\n"cells"\n:\n[\n{\n"id":"a"\n,\n"cell_type"\n:\n"code"\n}\n,'
    b'{"id": "b", "cell_type": "raw", "source": "x"}\n]\n,"nbformat":4,"nbformat_minor":5}',
    "lines in one line": json.dumps(notebook(cell("a", ["1\n", "2"]), cell("b", ["3\n", "4"])), indent=1)
    .replace('"3\\n",\n     "4"', '"3\\n", "4"')
    .encode(),
}


@pytest.mark.parametrize("name", ODD)
def test_every_other_byte_of_an_odd_notebook_stays(name: str) -> None:
    data = ODD[name]
    for index in range(len(cell_spans(data))):
        start, end = cell_spans(data)[index]
        result = made(data, Replace("ab"[index] if index < 2 else "c", "replaced\nsource"))
        assert result[:start] == data[:start]
        assert result.endswith(data[end:])
        changed = result[start : len(result) - len(data[end:])]
        assert "".join(json.loads(changed)["source"]) == "replaced\nsource"
        rest, before = json.loads(changed), json.loads(data[start:end])
        assert str({**rest, "source": 0}) == str({**before, "source": 0})  # as texts: NaN is not itself


@pytest.mark.parametrize("name", ODD)
def test_moving_a_cell_there_and_back_gives_the_same_cells(name: str) -> None:
    data = ODD[name]
    spans = cell_spans(data)
    there = made(data, Move("b", before="a"))
    assert [there[start:end] for start, end in cell_spans(there)][:2] == [
        data[spans[1][0] : spans[1][1]],
        data[spans[0][0] : spans[0][1]],
    ]
    if len(spans) == 2 and name != "cells twice":
        gone = made(data, Delete(("a",)))
        assert [gone[start:end] for start, end in cell_spans(gone)] == [data[spans[1][0] : spans[1][1]]]


def test_the_first_cell_of_an_empty_notebook_is_in_its_style() -> None:
    for style in STYLES.values():
        data = json.dumps(notebook(), **style).encode()
        result = made(data, Insert((NewCell("code", "1\n2"), NewCell("markdown", ""))))
        assert result == json.dumps(json.loads(result), **style).encode()


def test_an_upgrade_changes_only_ids_and_the_format() -> None:
    old = notebook(*({k: v for k, v in cell("", f"{n}").items() if k != "id"} for n in range(3)), nbformat_minor=2)
    for style in STYLES.values():
        result = made(json.dumps(old, **style).encode(), Upgrade())
        found = json.loads(result)
        assert len({found_cell.pop("id") for found_cell in found["cells"]}) == 3
        assert found == {**old, "nbformat_minor": 5}
        assert result == json.dumps(json.loads(result), **style).encode()


def test_a_plan_for_other_cells_is_not_carried_out() -> None:
    data = json.dumps(notebook(cell("a", "1"), cell("b", "2"))).encode()
    plan = decide(digest(json.loads(data), path="", revision=""), [Replace("a", "3")], {})
    for other in (data.replace(b'"2"', b'"4"'), data.replace(b'"id": "b"', b'"id": "c"')):
        with pytest.raises(Changed):
            spliced(other, plan.known, plan.cells, False)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"cells"',
        b'{"cells": [{"a": "',
        b"[]",
        b"{}",
        b'{"cells": 3}',
        b'{"cells": [1]}',
        b'{"cells" []}',
        b'{"cells": [{} {}]}',
    ],
)
def test_what_is_no_notebook_is_told(data: bytes) -> None:
    with pytest.raises(NotANotebook):
        cells_of(data)


@pytest.mark.parametrize("name", ODD)
def test_a_notebook_taken_apart_is_what_a_parser_makes_of_it(name: str) -> None:
    rest, cells = taken_apart(ODD[name])
    assert str({**rest, "cells": list(cells)}) == str(parsed(ODD[name]))  # as texts: NaN is not itself


@pytest.mark.parametrize(
    "data",
    [
        b'{"cells": [{} {}]}',
        b'{"cells": [{},]}',
        b'{"cells": [,{}]}',
        b'{"cells": [{},,{}]}',
        b'{"cells": [{}],}',
        b'{"cells": [{}]',
        b'{"cells": [{}]} {}',
        b'{"cells": [{"a":}]}',
        b'{"cells": [{"a": nul}]}',
        b'{"cells": {"a": 1}}',
        b'{"cells": "[]"}',
        b'{"other": {"cells": []}}',
        b"",
    ],
)
def test_what_a_parser_would_not_take_is_not_taken_apart(data: bytes) -> None:
    with pytest.raises(NotANotebook):
        list(taken_apart(data)[1])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), JSON, max_size=6), st.sampled_from(list(STYLES.values())))
def test_spans_are_where_the_values_are(found: Json, style: Json) -> None:
    data = json.dumps(found, **style).encode("utf-8", "surrogatepass")
    try:
        whole = root(data)
    except NotANotebook:
        assert not data.isascii()
        return
    values = [data[item[1] : item[2]].decode("utf-8", "surrogatepass") for item in whole.items]
    assert [json.loads(text) for text in values] == list(found.values())
    assert whole.keys == list(found)
    assert box(data, whole.start).end == len(data)


@settings(max_examples=30)
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=4), st.sampled_from(sorted(STYLES))
)
def test_any_source_is_found_again(sources: Sequence[str], style: str) -> None:
    data = json.dumps(notebook(cell("a", "")), **STYLES[style]).encode()
    result = made(data, Insert(tuple(NewCell("code", source) for source in sources)), Replace("a", sources[0]))
    found = digest(parsed(result), path="", revision="")
    assert [found_cell.source for found_cell in found.cells] == [sources[0], *sources]


def test_a_large_file_is_edited_without_reading_its_payloads() -> None:
    heavy = cell("a", "1", outputs=[{"data": {"image/png": "A" * 20_000_000}}, {"text": ["line\n"] * 200_000}])
    data = json.dumps(notebook(heavy, cell("b", "2")), indent=1).encode()
    result = made(data, Replace("b", "3"))
    assert result == data.replace(b'"source": "2"', b'"source": "3"')
    assert dict(outputs_of(data, ["a"]))["a"][1]["text"][:1] == ["line\n"]


def test_outputs_of_old_notebooks_are_those_of_nbformat_4() -> None:
    old = {
        "nbformat": 3,
        "worksheets": [
            {"cells": [{"cell_type": "code", "input": "1", "outputs": [{"output_type": "pyout", "text": "2"}]}]}
        ],
    }
    assert dict(outputs_of(json.dumps(old).encode(), ["#0"]))["#0"][0]["data"] == {"text/plain": "2"}


def test_what_a_hook_changed_is_all_that_changes() -> None:
    data = json.dumps(PLAIN, indent=1, ensure_ascii=False).encode()
    before, after = rejoined(json.loads(data)), rejoined(json.loads(data))
    after["cells"][0]["outputs"] = []
    after["metadata"]["stamp"] = "é"
    result = b"".join(respliced(data, before, after))
    spans, olds = cell_spans(result), cell_spans(data)
    assert [result[a:b] for a, b in spans[1:]] == [data[a:b] for a, b in olds[1:]]
    assert json.loads(result)["cells"][0] == {**PLAIN["cells"][0], "outputs": []}
    assert json.loads(result)["metadata"] == {**PLAIN["metadata"], "stamp": "é"}
    assert b"".join(respliced(data, before, before)) == data


def test_an_edit_of_no_known_kind_of_notebook_is_refused() -> None:
    for minor in range(5):
        with pytest.raises(EditRefused), warnings.catch_warnings():
            made(json.dumps(notebook(cell("a", "1"), nbformat_minor=minor)).encode(), ClearOutputs())
