"""The chat-completions dialect without a network: what is sent, and what is made of what comes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_assistant.errors import GatewayCut, ProviderError
from jupyter_assistant.llm.faults import Refusal
from jupyter_assistant.llm.openai import Answer, Listed, amended, listed, request
from jupyter_assistant.llm.provider import Options, Provider
from jupyter_assistant.messages import ContextItem, Finish, Message, ModelEvent, Reasoning, Token, Usage
from jupyter_assistant.sse import Decoder, ServerEvent
from tests.gateway import BYTES, EVENTS, chunk

GATEWAY = Provider("gateway", "Example", "https://api.example.com/v1", "sk-canary-0123456789abcdef")
QUESTION = [Message("system", "Be brief."), Message("user", "Why?", (ContextItem("cell", "cell 1", "x = 1"),))]


def read(stream: bytes, *, step: int | None = None) -> tuple[list[ModelEvent], Answer]:
    """A stream through decoder and answer, whole or in steps of that many bytes."""
    decoder, answer = Decoder(), Answer(GATEWAY, "m")
    step = step or len(stream)
    found: list[ModelEvent] = []
    for start in range(0, len(stream), step):
        for event in decoder.feed(stream[start : start + step]):
            found += answer.feed(event)
    return found + answer.close(decoder.close()), answer


def stream(events: Sequence[Any], *, reason: str | None = "stop") -> bytes:
    """Events as a gateway sends them, with a finish_reason and [DONE] behind."""
    texts = [event if isinstance(event, str) else json.dumps(event) for event in events]
    if reason is not None:
        texts += [json.dumps(chunk({}, reason)), "[DONE]"]
    return "".join(f"data: {text}\n\n" for text in texts).encode()


def text(events: Sequence[ModelEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Token))


def thought(events: Sequence[ModelEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Reasoning))


# What is sent.


def test_messages_are_sent_as_they_render() -> None:
    sent = request(QUESTION, "meta/llama", Options())
    assert sent["model"] == "meta/llama"
    assert sent["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": QUESTION[1].rendered()},
    ]
    assert sent["messages"][1]["content"] == "x = 1\n\nWhy?"
    assert sent["stream"] is True
    assert sent["stream_options"] == {"include_usage": True}
    assert not {"max_tokens", "max_completion_tokens", "tools"} & set(sent)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("llama3.2", "max_tokens"),
        ("gpt-4o", "max_tokens"),
        ("openai/gpt-oss-20b", "max_tokens"),
        ("o1ympus", "max_tokens"),
        ("o3", "max_completion_tokens"),
        ("o4-mini", "max_completion_tokens"),
        ("gpt-5", "max_completion_tokens"),
        ("openai/gpt-5.1-mini", "max_completion_tokens"),
    ],
)
def test_the_limit_has_the_name_the_model_wants(model: str, name: str) -> None:
    sent = request(QUESTION, model, Options(max_tokens=50))
    assert {key: value for key, value in sent.items() if key.startswith("max_")} == {name: 50}


def test_what_a_gateway_has_refused_is_left_out() -> None:
    sent = request(QUESTION, "m", Options(max_tokens=50), frozenset({"stream_options", "max_tokens"}))
    assert "stream_options" not in sent
    assert "max_tokens" not in sent
    assert sent["max_completion_tokens"] == 50


@pytest.mark.parametrize(
    ("status", "said", "left_out"),
    [
        (400, "Unrecognized request argument supplied: stream_options", {"stream_options"}),
        (422, '{"detail":[{"loc":["body","stream_options"],"msg":"Extra inputs"}]}', {"stream_options"}),
        (400, "", {"stream_options"}),
        (400, "'max_tokens' is not supported; use 'max_completion_tokens'", {"max_tokens"}),
        (400, "messages must not be empty", None),
        (401, "stream_options", None),
        (500, "stream_options", None),
    ],
)
def test_a_refusal_tells_what_to_leave_out(status: int, said: str, left_out: set[str] | None) -> None:
    sent = request(QUESTION, "m", Options(max_tokens=50))
    assert amended(sent, frozenset(), Refusal(status, {}, said.encode())) == left_out


def test_nothing_is_left_out_twice() -> None:
    sent = request(QUESTION, "m", Options(max_tokens=50), frozenset({"stream_options", "max_tokens"}))
    refusal = Refusal(400, {}, b"stream_options max_tokens max_completion_tokens")
    assert amended(sent, frozenset({"stream_options", "max_tokens"}), refusal) is None


# What comes.


@pytest.mark.parametrize("step", [None, 1, 7])
@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("lf", "Grüße 😀"),
        ("cr", "Grüße 😀"),
        ("crlf", "Grüße 😀"),
        ("bom", "Grüße 😀"),
        ("special", "a\u2028b\u2029c\u0085d\0e é € 😀"),
        ("escaped", "a\u2028b\u2029c\u0085d\0e é € 😀"),
        ("invalid", "a\ufffdb"),
        ("fields", "one"),
        ("lines", "one"),
    ],
)
def test_the_text_is_exact_however_it_is_written_and_cut(name: str, answer: str, step: int | None) -> None:
    found, reader = read(BYTES[name], step=step)
    assert text(found) == answer
    assert reader.finish() == Finish("stop")


@pytest.mark.parametrize("step", [None, 1])
@pytest.mark.parametrize(
    ("name", "reasoning", "answer"),
    [
        ("one_bad", "", "one two"),
        ("two_bad", "", "one two"),
        ("deep", "", "one"),
        ("no_choices", "", "one"),
        ("null_delta", "", "one"),
        ("two_choices", "", "one"),
        ("parts", "Hm.", "one"),
        ("refusal", "", "I cannot do that."),
        ("message", "", "one"),
        ("both_fields", "Hm.", "one"),
        ("odd_types", "", "one"),
        ("half_pairs", "", "a😀b\ufffd"),
        ("tool_calls", "", "one"),
        ("late_usage", "", "one"),
    ],
)
def test_odd_events_cost_no_text(name: str, reasoning: str, answer: str, step: int | None) -> None:
    found, reader = read(stream(EVENTS[name]), step=step)
    assert (thought(found), text(found)) == (reasoning, answer)
    assert reader.finish() == Finish("stop")


@pytest.mark.parametrize(
    ("name", "code", "kept"),
    [
        ("three_bad", "gateway_failed", "one"),
        ("error", "gateway_failed", "Half"),
        ("error_429", "rate_limited", "Half"),
        ("error_string", "context_too_long", "Half"),
        ("error_object", "gateway_failed", "Half"),
    ],
)
def test_an_error_inside_the_answer_ends_it_and_keeps_its_text(name: str, code: str, kept: str) -> None:
    found, reader = read(stream([*EVENTS[name], chunk({"content": "never"})]))
    assert text(found) == kept
    with pytest.raises(ProviderError) as raised:
        reader.finish()
    assert raised.value.code == code


@pytest.mark.parametrize("data", ['{"message": "Overloaded"}', "Internal Server Error"])
def test_an_event_named_error_is_one(data: str) -> None:
    _, reader = read(f"event: error\ndata: {data}\n\n".encode())
    assert reader.failure is not None
    assert reader.failure.code == "gateway_failed"


@pytest.mark.parametrize(
    "piece",
    [
        {"content": "<think>Hm.</think>Yes"},
        {"reasoning": "Hm."},
        {"reasoning_content": "Hm.", "reasoning": None},
        {"reasoning_content": "", "reasoning": "Hm."},
    ],
)
def test_reasoning_is_found_wherever_gateways_put_it(piece: dict[str, Any]) -> None:
    found, _ = read(stream([chunk(piece)]))
    assert thought(found) == "Hm."


def test_think_tags_are_told_apart_across_events() -> None:
    pieces = ["<", "think", ">\nLet me", " think\n</th", "ink>", "\n\n", "Yes", " <think>"]
    found, _ = read(stream([chunk({"content": piece}) for piece in pieces]))
    assert (thought(found), text(found)) == ("Let me think", "Yes <think>")


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("stop", "stop"), ("length", "length"), ("eos", "stop"), ("tool_calls", "stop"), ("max_tokens", "length")],
)
def test_a_finish_reason_is_stop_or_length(reason: str, finish: str) -> None:
    _, reader = read(stream([chunk({"content": "one"})], reason=reason))
    assert reader.finish().reason == finish


@pytest.mark.parametrize(
    ("events", "reason", "code"),
    [
        ([chunk({"content": "one"})], "content_filter", "request_rejected"),
        ([chunk({"content": "one"})], "error", "gateway_failed"),
        ([chunk({"tool_calls": [{"index": 0}]})], "tool_calls", "request_rejected"),
    ],
)
def test_a_finish_reason_that_is_none_is_an_error(events: list[Any], reason: str, code: str) -> None:
    _, reader = read(stream(events, reason=reason))
    with pytest.raises(ProviderError) as raised:
        reader.finish()
    assert raised.value.code == code


@pytest.mark.parametrize(
    "tail",
    [
        b"",
        b"data: [DONE]\n\n",
        b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "st',
        b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\ndata: {"usa',
    ],
)
@pytest.mark.parametrize("step", [None, 1])
def test_an_end_without_a_finish_reason_or_inside_a_line_is_a_cut(tail: bytes, step: int | None) -> None:
    found, reader = read(stream([chunk({"content": "Half <th"})], reason=None) + tail, step=step)
    assert text(found) == "Half <th"
    with pytest.raises(GatewayCut):
        reader.finish()


@pytest.mark.parametrize(
    "tail", [b"", b"data: [DONE]", b"data: [DONE]\n", b"data: [DONE]\n\ndata: never", b": bye\n\n"]
)
def test_an_end_after_the_finish_reason_is_whole(tail: bytes) -> None:
    _, reader = read(stream([chunk({"content": "one"}), chunk({}, "stop")], reason=None) + tail)
    assert reader.finish() == Finish("stop")


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
KEYS = st.sampled_from(
    ["choices", "delta", "message", "content", "index", "finish_reason", "reasoning", "usage", "error", "text", "type"]
)
ANYTHING = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4))


@given(ANYTHING)
def test_whatever_json_comes_the_reader_keeps_its_feet(value: Any) -> None:
    for found in (value, {"choices": value}, {"choices": [{"delta": value}]}, {"usage": value}, {"error": value}):
        reader = Answer(GATEWAY, "m")
        events = [*reader.feed(ServerEvent("message", json.dumps(found))), *reader.close()]
        assert all(isinstance(event, Token | Reasoning) and event.text for event in events)
        reader.usage(1.0)
        with contextlib.suppress(ProviderError):
            reader.finish()


@given(ANYTHING)
def test_whatever_a_list_of_models_holds_it_is_read_or_refused(value: Any) -> None:
    for found in (value, {"data": value}, {"data": [{"id": "x", "architecture": value, "context_length": value}]}):
        assert all(model.id for model in listed(json.dumps(found).encode()) or ())


def test_nothing_after_done_is_read() -> None:
    found, reader = read(
        stream([chunk({"content": "one"})]) + stream([{"error": {"message": "late"}}, chunk({"content": "two"})])
    )
    assert text(found) == "one"
    assert reader.done
    assert reader.finish() == Finish("stop")


def test_usage_is_the_gateways_count_with_our_seconds() -> None:
    _, reader = read(stream(EVENTS["late_usage"]))
    assert reader.usage(1.23456) == Usage(7, 2, 1.235, cached_tokens=5, cost=0.25, currency="USD")


def test_usage_is_absent_when_the_gateway_does_not_count_and_tolerant_of_odd_counts() -> None:
    assert read(stream([chunk({"content": "one"})]))[1].usage(1.0) is None
    assert read(stream(EVENTS["odd_types"]))[1].usage(1.0) == Usage(0, 0, 1.0)


def test_a_whole_answer_reads_like_a_stream() -> None:
    reader = Answer(GATEWAY, "m")
    message = {"content": "<think>Hm.</think>Yes", "role": "assistant"}
    body = {"choices": [{"message": message, "finish_reason": "length"}], "usage": {"prompt_tokens": 3}}
    found = reader.whole(json.dumps(body).encode()) + reader.close()
    assert (thought(found), text(found)) == ("Hm.", "Yes")
    assert reader.usage(0.5) == Usage(3, 0, 0.5)
    assert reader.finish() == Finish("length")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"status": "ok"}', b'{"choices": {}}', b"\xff", b"[" * 100_000]
)
def test_json_that_is_no_answer_is_no_gateway(body: bytes) -> None:
    reader = Answer(GATEWAY, "m")
    reader.whole(body)
    assert reader.failure is not None
    assert reader.failure.code == "not_a_gateway"


# The list of models.


def test_models_are_listed_with_what_is_known_of_them() -> None:
    body = {
        "data": [
            {"id": "plain"},
            {"id": "openrouter/x", "context_length": 8192, "architecture": {"input_modalities": ["text", "image"]}},
            {"id": "vllm", "max_model_len": 4096, "supported_parameters": ["tools"]},
            {"id": "groq", "context_window": 131072},
            {"id": "plain"},
        ]
    }
    assert listed(json.dumps(body).encode()) == (
        Listed("plain"),
        Listed("openrouter/x", 8192, images=True),
        Listed("vllm", 4096, tools=True, reasoning=False),
        Listed("groq", 131072),
    )


def test_what_is_no_chat_model_or_no_name_is_not_listed() -> None:
    entries = [
        {"id": "e", "type": "embedding"},
        {"id": ""},
        {"id": 3},
        {},
        None,
        "x",
        {"id": "a\nb"},
        {"id": "x" * 513},
    ]
    assert listed(json.dumps([*entries, {"id": "good", "type": []}]).encode()) == (Listed("good"),)


@pytest.mark.parametrize("body", [b"", b"{}", b"3", b'{"data": 3}', b"<html>", b'{"error": "x"}'])
def test_what_is_no_list_is_none(body: bytes) -> None:
    assert listed(body) is None


def test_an_empty_list_is_a_list() -> None:
    assert listed(b'{"data": null, "object": "list"}') == ()
    assert listed(b'{"data": []}') == ()
