"""What a kernel says, as outputs: one by one or at once, valid, and within bounds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_assistant.notebooks.kernels import collect
from jupyter_assistant.notebooks.kernels.collect import Collector, Said, collected

Json = dict[str, Any]


def stream(text: str, name: str = "stdout") -> Said:
    return Said("stream", {"name": name, "text": text})


def display(data: Json, name: str | None = None, kind: str = "display_data", **content: Any) -> Said:
    transient = {"transient": {"display_id": name}} if name else {}
    return Said(kind, {"data": data, "metadata": {}, **transient, **content})


def clear(wait: bool = False) -> Said:
    return Said("clear_output", {"wait": wait})


def plain(outputs: Sequence[Json]) -> list[str]:
    return [output["text"] if "text" in output else output["data"]["text/plain"] for output in outputs]


def valid(outputs: Sequence[Json]) -> None:
    cell = nbformat.v4.new_code_cell("x", outputs=[nbformat.from_dict(output) for output in outputs])
    nbformat.validate(nbformat.v4.new_notebook(cells=[cell]))


def size(outputs: Sequence[Json]) -> int:
    return sum(len(output.get("text", "")) for output in outputs)


def test_a_stream_is_joined_with_the_output_before_it_when_that_has_its_name() -> None:
    messages = [stream("a"), stream("b"), stream("!", "stderr"), stream("c"), stream("d")]
    assert plain(collected(messages)) == ["ab", "!", "cd"]


@pytest.mark.parametrize(
    ("printed", "kept"),
    [
        ("10%\r20%\r100%\n", "100%\n"),
        ("hello\rJ", "Jello"),
        ("hello\rJ\nx", "Jello\nx"),
        ("windows\r\nlines\r\n", "windows\nlines\n"),
        ("abc\b\bX", "aX"),
        ("abcd\rx\by", "yd"),
        ("a\n\b\bb", "a\nb"),
        ("\b\r\bx", "x"),
        ("a\rb\rc", "c"),
    ],
)
def test_a_line_is_overwritten_as_jupyterlab_does(printed: str, kept: str) -> None:
    assert plain(collected([stream(printed)])) == [kept]
    assert plain(collected([stream(character) for character in printed])) == [kept]


@given(st.lists(st.sampled_from(["a", "bc", "\r", "\b", "\n", "x" * 15_000, "y" * 45_000]), max_size=12))
def test_a_stream_in_pieces_is_the_stream_at_once(pieces: list[str]) -> None:
    whole = collected([stream("".join(pieces))])
    assert plain(collected(list(map(stream, pieces)))) == plain(whole)


def test_another_output_ends_the_line() -> None:
    messages = [stream("10%"), stream("!", "stderr"), stream("\r20%"), display({"text/plain": "x"}), stream("\rb")]
    assert plain(collected(messages)) == ["10%", "!", "20%", "x", "b"]


def test_a_display_between_two_prints_parts_the_stream() -> None:
    assert plain(collected([stream("a"), display({"text/plain": "x"}), stream("b")])) == ["a", "x", "b"]


def test_clear_output_takes_effect_at_once_or_with_the_next_output() -> None:
    assert collected([stream("a"), clear()]) == ()
    assert plain(collected([stream("a"), clear(wait=True)])) == ["a"]
    assert plain(collected([stream("a"), clear(wait=True), stream("b")])) == ["b"]
    assert plain(collected([stream("a"), clear(wait=True), display({"text/plain": "x"}), stream("b")])) == ["x", "b"]


def test_an_updated_display_shows_the_new_data_wherever_its_id_is_shown() -> None:
    messages = [display({"text/plain": "1"}, "d"), stream("-"), display({"text/plain": "1"}, "d")]
    update = display({"text/plain": "2"}, "d", "update_display_data")
    assert plain(collected([*messages, update])) == ["2", "-", "2"]


def test_an_update_without_a_display_or_an_id_changes_nothing() -> None:
    cell = Collector()
    cell.feed(display({"text/plain": "1"}))
    assert not cell.update({"data": {"text/plain": "2"}, "transient": {"display_id": "d"}})
    assert not cell.update({"data": {"text/plain": "2"}})
    assert plain(cell.outputs) == ["1"]


def test_display_ids_are_not_stored() -> None:
    (output,) = collected([display({"text/plain": "1"}, "d")])
    assert set(output) == {"output_type", "data", "metadata"}


def test_a_result_has_its_count_and_so_has_the_cell() -> None:
    cell = Collector()
    cell.feed(Said("execute_input", {"code": "1", "execution_count": 7}))
    cell.feed(display({"text/plain": "1"}, kind="execute_result", execution_count=7))
    assert cell.execution_count == 7
    assert cell.outputs[0]["execution_count"] == 7
    valid(cell.outputs)


def test_an_error_keeps_name_value_and_traceback() -> None:
    (output,) = collected([Said("error", {"ename": "E", "evalue": "v", "traceback": ["a", "b"]})])
    assert output == {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["a", "b"]}


def test_a_widget_has_a_plain_fallback() -> None:
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "m", "version_major": 2, "version_minor": 0}}
    (bare,) = collected([display(view)])
    (told,) = collected([display({**view, "text/plain": "IntSlider(value=0)"})])
    assert bare["data"]["text/plain"] == "[widget]"
    assert told["data"]["text/plain"] == "IntSlider(value=0)"
    valid((bare, told))


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"data": None},
        {"data": []},
        {"data": {"text/plain": 5, "image/png": None, "text/html": ["<b>", 1]}},
        {"data": {"": "x", "text/plain": ["a", "b"]}, "metadata": 7},
        {"data": {"application/json": {"a": [1, None]}}, "metadata": {}, "transient": "x"},
        {"data": {"text/plain": "\ud800 half"}, "metadata": {}, "transient": {"display_id": 5}},
    ],
)
def test_an_invalid_bundle_becomes_a_valid_output(content: Json) -> None:
    outputs = collected([Said("display_data", content), Said("execute_result", content)])
    valid(outputs)
    assert len(outputs) == 2


def test_long_text_keeps_both_ends_and_counts_what_is_gone() -> None:
    cell = Collector()
    lines = [f"line {number}\n" for number in range(300_000)]
    for line in lines:
        cell.feed(stream(line))
    text = cell.outputs[0]["text"]
    assert len(text) <= collect.MAX_TEXT + 100
    assert text.startswith("line 0\nline 1\n")
    assert text.endswith("line 299999\n")
    whole = sum(map(len, lines))
    assert cell.left_out.characters == whole - collect.MAX_TEXT
    assert f"{cell.left_out.characters:,} characters left out".replace(",", " ") in text


def test_two_streams_that_alternate_share_the_budget() -> None:
    cell = Collector()
    for number in range(5_000):
        cell.feed(stream(f"{number:0500}\n", "stdout" if number % 2 else "stderr"))
    outputs = cell.outputs
    assert size(outputs) <= collect.MAX_TEXT + 100 * len(outputs)
    assert outputs[-1]["text"] == f"{4_999:0500}\n"
    assert outputs[0]["text"] == f"{0:0500}\n"
    assert len(outputs) <= collect.MAX_OUTPUTS
    assert cell.left_out.outputs == 5_000 - collect.MAX_OUTPUTS + 1
    valid(outputs)


def test_very_many_displays_keep_the_first_and_the_last() -> None:
    cell = Collector()
    for number in range(2_000):
        cell.feed(display({"text/plain": str(number)}))
    shown = plain(cell.outputs)
    assert shown[0] == "0"
    assert shown[-1] == "1999"
    assert "1 501 outputs left out" in shown[collect.FIRST_OUTPUTS]
    assert len(shown) == collect.MAX_OUTPUTS


def test_a_payload_over_its_limit_is_a_text_that_says_so() -> None:
    cell = Collector()
    cell.feed(display({"image/png": "A" * (collect.MAX_PAYLOAD + 1)}))
    assert plain(cell.outputs) == ["[… image/png left out …]"]
    assert cell.left_out.bytes == collect.MAX_PAYLOAD + 1


def test_all_payloads_together_have_a_limit_and_an_update_gives_room_back() -> None:
    cell = Collector()
    image = "A" * collect.MAX_PAYLOAD
    for name in range(6):
        cell.feed(display({"image/png": image}, f"d{name}"))
    kept = [output for output in cell.outputs if "image/png" in output["data"]]
    assert len(kept) == collect.MAX_PAYLOADS // collect.MAX_PAYLOAD
    for _ in range(10):
        cell.update({"data": {"image/png": image}, "transient": {"display_id": "d0"}})
    assert "image/png" in cell.outputs[0]["data"]


def test_a_huge_traceback_keeps_both_ends() -> None:
    lines = ["first", *("x" * 1_000 for _ in range(1_000)), "last"]
    (output,) = collected([Said("error", {"ename": "E", "evalue": "v", "traceback": lines})])
    assert output["traceback"][0] == "first"
    assert output["traceback"][-1] == "last"
    assert sum(map(len, output["traceback"])) <= collect.MAX_TRACEBACK + 100


def test_what_was_not_read_is_said() -> None:
    outputs = collected([Said("left_out", {"mime": "image/png"}, 50_000_000)])
    assert plain(outputs) == ["[… image/png of 50 MB left out …]"]


def test_a_print_of_which_only_the_ends_were_read_says_how_much_is_missing() -> None:
    cell = Collector()
    cell.feed(stream("before\n"))
    cell.feed(Said("stream", {"name": "stdout", "text": "head", "left_out": 99_000_000, "rest": "tail"}))
    cell.feed(stream("after"))
    assert plain(cell.outputs) == ["before\nhead\n[… 99 000 000 characters left out …]\ntailafter"]
    assert cell.left_out.characters == 99_000_000


TEXTS = st.text(max_size=30)
BUNDLES = st.dictionaries(
    st.sampled_from(["text/plain", "text/html", "image/png", "application/json", "", "x"]),
    st.one_of(TEXTS, st.lists(TEXTS, max_size=3), st.integers(), st.none(), st.dictionaries(TEXTS, st.integers())),
    max_size=3,
)
NAMES = st.sampled_from([None, "a", "b"])
MESSAGES = st.lists(
    st.one_of(
        st.builds(stream, TEXTS, st.sampled_from(["stdout", "stderr", "other"])),
        st.builds(display, BUNDLES, NAMES),
        st.builds(lambda d, n: display(d, n, "update_display_data"), BUNDLES, NAMES),
        st.builds(lambda d, n: display(d, None, "execute_result", execution_count=n), BUNDLES, st.integers(0, 9)),
        st.builds(lambda e, t: Said("error", {"ename": e, "evalue": e, "traceback": t}), TEXTS, st.lists(TEXTS)),
        st.builds(clear, st.booleans()),
        st.builds(lambda n: Said("execute_input", {"execution_count": n}), st.one_of(st.integers(0, 9), st.none())),
        st.builds(Said, st.sampled_from(["status", "comm_open", "nonsense"]), st.just({})),
    ),
    max_size=30,
)


@given(MESSAGES)
def test_whatever_comes_the_outputs_are_valid(messages: list[Said]) -> None:
    valid(collected(messages))


@given(MESSAGES)
def test_looking_between_the_messages_changes_nothing(messages: list[Said]) -> None:
    cell = Collector()
    for said in messages:
        if said.kind == "update_display_data":
            cell.update(said.content)
        else:
            cell.feed(said)
        assert cell.outputs is cell.outputs
    assert cell.outputs == collected(messages)


@given(st.text(st.characters(codec="utf-8"), max_size=200), st.lists(st.integers(0, 200)))
def test_a_print_in_pieces_is_the_print(text: str, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[a:b] for a, b in pairwise(edges)]
    assert collected([stream(piece) for piece in pieces]) == collected([stream(text)])


@given(st.lists(st.tuples(st.integers(0, 400_000), st.sampled_from(["stdout", "stderr"])), max_size=12))
def test_the_text_kept_is_bounded_and_what_is_gone_is_counted(prints: list[tuple[int, str]]) -> None:
    cell = Collector()
    for length, name in prints:
        cell.feed(stream("x" * length, name))
    kept = sum(output["text"].count("x") for output in cell.outputs)
    assert kept <= collect.MAX_TEXT
    assert kept + cell.left_out.characters == sum(length for length, _ in prints)
    assert kept == min(kept + cell.left_out.characters, collect.MAX_TEXT)
