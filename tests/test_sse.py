"""The stream format both ways: every input goes in whole, byte by byte, and cut at every place."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_assistant.sse import Decoder, ServerEvent, TooLong, comment, encode

Feed = Callable[[bytes], list[ServerEvent]]


def decode(chunks: Iterable[bytes]) -> list[ServerEvent]:
    decoder = Decoder()
    return [event for chunk in chunks for event in decoder.feed(chunk)]


def whole(stream: bytes) -> list[ServerEvent]:
    return decode([stream])


def byte_by_byte(stream: bytes) -> list[ServerEvent]:
    return decode(stream[i : i + 1] for i in range(len(stream)))


@pytest.fixture(params=[whole, byte_by_byte])
def fed(request: pytest.FixtureRequest) -> Feed:
    feed: Feed = request.param
    return feed


def data(events: list[ServerEvent]) -> list[str]:
    return [event.data for event in events]


# The examples of the standard, section 9.2.6.


def test_standard_example_joins_data_lines(fed: Feed) -> None:
    assert data(fed(b"data: YHOO\ndata: +2\ndata: 10\n\n")) == ["YHOO\n+2\n10"]


def test_standard_example_with_comment_ids_and_leading_space(fed: Feed) -> None:
    events = fed(b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n")
    assert [(event.data, event.id) for event in events] == [
        ("first event", "1"),
        ("second event", ""),
        (" third event", ""),
    ]


def test_standard_example_empty_data_is_an_event_and_an_open_one_is_discarded(fed: Feed) -> None:
    assert data(fed(b"data\n\ndata\ndata\n\ndata:")) == ["", "\n"]


def test_standard_example_one_space_after_the_colon_is_ignored(fed: Feed) -> None:
    assert data(fed(b"data:test\n\ndata: test\n\n")) == ["test", "test"]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_every_line_ending_of_the_standard_ends_a_line(fed: Feed, end: bytes) -> None:
    assert data(fed(end.join([b"data: a", b"data: b", b"", b"data: c", b"", b""]))) == ["a\nb", "c"]


def test_an_event_ended_by_cr_is_not_held_back_for_an_lf() -> None:
    assert data(whole(b"data: a\r\r")) == ["a"]


def test_a_crlf_cut_in_two_is_one_line_end() -> None:
    assert data(decode([b"data: a\r", b"\ndata: b\r", b"", b"\n\r", b"\n"])) == ["a\nb"]


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\0"])
def test_no_other_character_ends_a_line(fed: Feed, character: str) -> None:
    assert data(fed(f"data: a{character}b\n\n".encode())) == [f"a{character}b"]


@pytest.mark.parametrize("text", ["é", "€", "😀", "日本語", "e\u0301", "\U0010ffff"])
def test_utf8_cut_at_each_byte_is_exact(text: str) -> None:
    stream = f"data: {text}\n\n".encode()
    assert all(data(decode([stream[:i], stream[i:]])) == [text] for i in range(len(stream)))


def test_invalid_utf8_becomes_the_replacement_character(fed: Feed) -> None:
    assert data(fed(b"data: a\xffb\n\ndata: \xe2\x82\n\n")) == ["a\ufffdb", "\ufffd"]


def test_one_leading_bom_is_dropped(fed: Feed) -> None:
    assert data(fed(b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n")) == ["a"]


def test_event_names_last_for_one_event(fed: Feed) -> None:
    events = fed(b"event: token\ndata: a\n\ndata: b\n\nevent: lost\n\ndata: c\n\n")
    assert [event.event for event in events] == ["token", "message", "message"]


def test_ids_last_until_the_next_and_one_with_nul_is_ignored(fed: Feed) -> None:
    events = fed(b"id: 7\ndata: a\n\ndata: b\n\nid: 8\0\ndata: c\n\nid: 9\n\ndata: d\n\n")
    assert [event.id for event in events] == ["7", "7", "7", "9"]


@pytest.mark.parametrize(
    ("field", "retry"), [(b"3000", 3000), (b"3s", None), (b"-1", None), (b"", None), (b"9" * 9999, None)]
)
def test_retry_takes_digits_only(fed: Feed, field: bytes, retry: int | None) -> None:
    assert [event.retry for event in fed(b"retry: " + field + b"\ndata: a\n\n")] == [retry]


def test_comments_unknown_fields_and_blank_lines_are_skipped(fed: Feed) -> None:
    assert data(fed(b": hello\n\n\n\nfoo: bar\nDATA: x\n data: y\ndata : z\n:\ndata: a\n\n")) == ["a"]


def test_a_stream_that_ended_inside_a_line_says_so() -> None:
    decoder = Decoder()
    assert decoder.feed(b'data: a\n\ndata: {"cu') == [ServerEvent("message", "a")]
    assert decoder.close() == b'data: {"cu'


def test_a_stream_that_ended_at_a_line_leaves_nothing() -> None:
    decoder = Decoder()
    decoder.feed(b"data: a\n\ndata: b\n")
    assert decoder.close() == b""


def test_a_line_of_a_megabyte_passes(fed: Feed) -> None:
    text = "é" * 2**19
    assert data(fed(f"data: {text}\n\n".encode())) == [text]


def test_a_line_over_the_limit_is_refused_before_it_ends() -> None:
    decoder = Decoder(limit=1000)
    with pytest.raises(TooLong):
        decode_into(decoder, [b"data: "] + [b"x" * 100] * 20)


def test_an_event_over_the_limit_is_refused_though_its_lines_are_short() -> None:
    with pytest.raises(TooLong):
        decode_into(Decoder(limit=1000), [b"data: 0123456789\n"] * 200)


def test_five_megabytes_in_a_line_are_over_the_default_limit() -> None:
    with pytest.raises(TooLong):
        whole(b"data: " + b"x" * 5_000_000 + b"\n\n")


def decode_into(decoder: Decoder, chunks: Iterable[bytes]) -> None:
    for chunk in chunks:
        decoder.feed(chunk)


def test_a_million_empty_lines_are_no_event() -> None:
    assert whole(b"\n" * 1_000_000 + b"data: a\n\n") == [ServerEvent("message", "a")]


@given(st.binary(max_size=60), st.lists(st.integers(0, 60)))
def test_any_bytes_decode_the_same_however_they_are_cut(stream: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(cut for cut in cuts if cut <= len(stream)), len(stream)]
    pieces = [stream[start:end] for start, end in itertools.pairwise(edges)]
    assert decode(pieces) == whole(stream) == byte_by_byte(stream)


@given(
    st.lists(
        st.sampled_from([b"data", b":", b" ", b"\r", b"\n", b"x", b"event", b"id", b"\xef\xbb\xbf", b"\xe2\x80\xa8"])
    )
)
def test_stream_like_bytes_decode_the_same_byte_by_byte(parts: list[bytes]) -> None:
    assert whole(b"".join(parts)) == byte_by_byte(b"".join(parts))


# The other way.


def test_an_event_is_written_compactly() -> None:
    assert encode("token", '{"text":"é"}', 3) == 'id: 3\nevent: token\ndata: {"text":"é"}\n\n'.encode()


def test_name_and_id_may_be_missing() -> None:
    assert encode(None, b"[DONE]") == b"data: [DONE]\n\n"


@given(st.text(), st.integers(1, 10**9))
def test_what_is_written_is_read_back(text: str, number: int) -> None:
    payload = json.dumps({"text": text}, ensure_ascii=False, separators=(",", ":"))
    payload = payload.encode("utf-8", "replace").decode()  # lone surrogates are no text
    assert whole(encode("token", payload, number)) == [ServerEvent("token", payload, str(number))]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\n\n"])
def test_a_line_break_in_the_data_cannot_end_the_frame(end: str) -> None:
    frame = encode("token", f"a{end}event: done{end}b", 1)
    assert [event.event for event in whole(frame)] == ["token"]
    assert whole(frame)[0].data.replace("\n", "") == "aevent: doneb"


def test_a_lone_surrogate_does_not_break_the_writer() -> None:
    assert data(whole(encode("token", '"\ud800"'))) == ['"?"']


@pytest.mark.parametrize(("name", "id"), [("a\nb", 1), ("a\rb", None), ("a", "1\n2")])
def test_a_line_break_in_name_or_id_is_refused(name: str, id: str | int | None) -> None:
    with pytest.raises(ValueError, match="line break"):
        encode(name, "{}", id)


@pytest.mark.parametrize("text", ["", "heartbeat", "two\nlines", "data: no\r\n\r\ndata: event"])
def test_a_comment_is_no_event(text: str) -> None:
    frame = comment(text)
    assert frame.startswith(b":")
    assert frame.endswith(b"\n\n")
    assert whole(frame + encode(None, "a")) == [ServerEvent("message", "a")]
