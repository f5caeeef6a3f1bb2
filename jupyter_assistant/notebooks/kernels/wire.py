"""What comes over a kernel's IOPub socket, looked at before it is read.

The law: a message costs the event loop what it is worth. Its header is read first, then its size is looked at; a
payload that is not wanted is never checked, parsed or copied, and of a very long print only both ends are.
Frames: https://jupyter-client.readthedocs.io/en/stable/messaging.html#the-wire-protocol
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .collect import Said

Json = dict[str, Any]

DELIMITER = b"<IDS|MSG>"
MAX_MESSAGE = 12_000_000
"""Bytes of a message that are parsed; what is larger is described."""
MAX_STREAM = 1_500_000
"""Bytes of one stream message that are parsed whole."""
STREAM_HEAD, STREAM_TAIL = 100_000, 850_000

_MIME = re.compile(rb'"([a-z]+/[\w.+-]+)": ?["{\[]')
_NAME = re.compile(rb'"name": ?"(stdout|stderr)"')
_TEXT = re.compile(rb'"text": ?"')
_SAFE = re.compile(rb"[^\\]{8}|[^\\](?=\\)")
"""Up to here: outside of any escape. None is longer than six bytes, and a backslash behind another byte begins one."""
_END = re.compile(rb'"(?:, ?"name": ?"\w{1,9}")?\s{0,9}}\s{0,9}\Z')
_OUTPUTS = frozenset({"display_data", "update_display_data", "execute_result", "error"})


@dataclass(frozen=True, slots=True)
class Message:
    """An IOPub message, or a reply; ``parent`` is the header of the request it belongs to, ``{}`` for none."""

    kind: str
    parent: Json
    content: Json
    size: int = 0

    @property
    def request(self) -> str:
        """The id of the request it belongs to, empty for none."""
        name = self.parent.get("msg_id")
        return name if isinstance(name, str) else ""

    @property
    def said(self) -> Said:
        return Said(self.kind, self.content, self.size)


def read(frames: Sequence[Any], wanted: Callable[[str], bool], whole: Callable[[list[bytes]], Json]) -> Message | None:
    """A message from its ZeroMQ frames (``zmq.Frame``), None where it is none.

    ``wanted`` tells of a request's id whether its outputs are of interest; ``whole`` checks the signature of a
    message's parts and reads its content.
    """
    start = next((at + 1 for at, frame in enumerate(frames[:8]) if bytes(frame.buffer[:16]) == DELIMITER), 0)
    parts = frames[start:]
    if not start or len(parts) < 5:
        return None
    try:
        header, parent = json.loads(parts[1].bytes), json.loads(parts[2].bytes)
        kind, size = str(header["msg_type"]), len(parts[4].buffer)
        request = str(parent.get("msg_id", ""))
        if kind != "status" and request and not wanted(request):
            return Message(kind, parent, {}, size)
        if kind == "stream" and size > MAX_STREAM:
            return Message(kind, parent, stream_ends(parts[4].buffer), size)
        if size > MAX_MESSAGE:
            return described(kind, parent, parts[4].buffer)
        return Message(kind, parent, whole([part.bytes for part in parts[:5]]), size)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def described(kind: str, parent: Json, content: memoryview) -> Message:
    """A message too large to read, as a ``left_out`` that names what it held."""
    found = _MIME.findall(bytes(content[:4_096])) + _MIME.findall(bytes(content[-4_096:]))
    names = [mime.decode() for mime in found if mime != b"text/plain"]
    mime = names[0] if names else "text" if found or kind == "error" else ""
    return Message("left_out" if kind in _OUTPUTS else kind, parent, {"mime": mime}, len(content))


def stream_ends(content: memoryview) -> Json:
    """A stream message's content with both ends of its text, and how many bytes between them are left out."""
    head, tail = bytes(content[:STREAM_HEAD]), bytes(content[-STREAM_TAIL:])
    name = _NAME.search(head[:256]) or _NAME.search(tail[-256:])
    opening, safe = _TEXT.search(head[:256]), _SAFE.search(tail[:4_096])
    return {
        "name": name[1].decode() if name else "stdout",
        "text": _decoded(head[opening.end() if opening else 0 :]),
        "left_out": len(content) - len(head) - len(tail),
        "rest": _decoded(_END.sub(b"", tail[safe.end() if safe else 0 :])),
    }


def _decoded(escaped: bytes) -> str:
    """The inside of a JSON string whose last escape may be cut."""
    text = escaped.decode("utf-8", "ignore")
    for cut in range(13):
        try:
            return str(json.loads(f'"{text[: len(text) - cut]}"', strict=False))
        except ValueError:
            continue
    return ""
