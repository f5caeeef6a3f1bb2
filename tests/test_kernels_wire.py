"""Messages as they come from the socket: looked at before they are read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st
from jupyter_client.session import Session

from jupyter_assistant.notebooks.kernels import wire

Json = dict[str, Any]
SESSION = Session(key=b"key")


def frames(kind: str, content: Any, parent: str = "request") -> list[zmq.Frame]:
    message = SESSION.msg(kind, content, parent={"header": SESSION.msg_header("execute_request")})
    message["parent_header"]["msg_id"] = parent
    return [zmq.Frame(part) for part in [b"topic", *SESSION.serialize(message)]]


def read(parts: Sequence[zmq.Frame], wanted: bool = True) -> wire.Message | None:
    return wire.read(parts, lambda _: wanted, whole)


def whole(parts: list[bytes]) -> Json:
    content = SESSION.deserialize(parts)["content"]
    assert isinstance(content, dict)
    return content


def unread(parts: list[bytes]) -> Json:
    raise AssertionError("it must not be read")


def test_a_message_is_read_with_its_parent() -> None:
    message = read(frames("stream", {"name": "stdout", "text": "a"}))
    assert message is not None
    assert (message.kind, message.request, message.content) == ("stream", "request", {"name": "stdout", "text": "a"})


def test_what_nobody_waits_for_is_not_read() -> None:
    message = wire.read(frames("stream", {"name": "stdout", "text": "a"}), lambda _: False, unread)
    assert message is not None
    assert message.content == {}


def test_a_status_is_read_whoever_asked() -> None:
    message = read(frames("status", {"execution_state": "busy"}), wanted=False)
    assert message is not None
    assert message.content == {"execution_state": "busy"}


def test_an_image_too_large_is_named_and_not_read() -> None:
    content = {"data": {"image/png": "A" * 13_000_000, "text/plain": "<Figure>"}, "metadata": {}}
    message = wire.read(frames("display_data", content), lambda _: True, unread)
    assert message is not None
    assert (message.kind, message.content["mime"]) == ("left_out", "image/png")
    assert message.size > 13_000_000


def test_a_wrong_signature_is_no_message() -> None:
    parts = frames("stream", {"name": "stdout", "text": "a"})
    parts[-1] = zmq.Frame(b'{"name": "stdout", "text": "b"}')
    assert read(parts) is None


@pytest.mark.parametrize("parts", [[], [b"x"], [b"<IDS|MSG>"], [b"<IDS|MSG>", b"", b"{", b"{}", b"{}", b"{}"]])
def test_what_is_no_message_is_passed_over(parts: list[bytes]) -> None:
    assert read([zmq.Frame(part) for part in parts]) is None


def ends(text: str, ascii_only: bool = False, turned: bool = False) -> Json:
    content = {"text": text, "name": "stderr"} if turned else {"name": "stderr", "text": text}
    return wire.stream_ends(memoryview(json.dumps(content, ensure_ascii=ascii_only).encode("utf-8", "replace")))


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("turned", [True, False])
@pytest.mark.parametrize("unit", ["x", "line of text\n", "\n", "\\", '"', "é", "😀", "\x1b[31mred\x1b[0m", "a\\b"])
def test_of_a_very_long_print_both_ends_are_read(unit: str, ascii_only: bool, turned: bool) -> None:
    text = "start " + unit * (3_000_000 // len(unit)) + " end"
    found = ends(text, ascii_only, turned)
    assert found["name"] == "stderr"
    assert text.startswith(found["text"].rstrip("\ud83d"))
    assert len(found["text"]) > 5_000
    assert found["rest"].endswith(" end")
    assert text.endswith(found["rest"][12:])
    assert len(found["rest"]) > 50_000
    assert found["left_out"] > 0


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12))
def test_the_ends_are_those_of_the_text(unit: str) -> None:
    text = "start " + unit * (1_600_000 // len(unit)) + " end"
    found = ends(text)
    assert text.startswith(found["text"])
    assert text.endswith(found["rest"][1:])
