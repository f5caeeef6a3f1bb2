"""``text/event-stream`` both ways: bytes in, events out, and back; no I/O.

The law: the stream is bytes until an event is whole. Lines end at CR, LF or CRLF and nowhere else (text libraries
also split at U+2028 and U+0085, which JSON may hold), and the text is UTF-8 whatever a header declares.
Source: the WHATWG HTML standard, "Server-sent events", sections 9.2.5 and 9.2.6.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LIMIT = 4 * 2**20
"""Longest line, and longest data of one event, in bytes."""

_BOM = b"\xef\xbb\xbf"
_BREAK = re.compile(rb"\r\n|\r|\n")


class TooLong(ValueError):
    """A line or an event is longer than the decoder's limit; nothing after it can be trusted."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event. ``id`` and ``retry`` (milliseconds) are the last the stream has set, as the standard wants."""

    event: str
    data: str
    id: str = ""
    retry: int | None = None


def encode(name: str | None, data: str | bytes, id: int | str | None = None) -> bytes:
    """One event as bytes; a line break in the data becomes a line of its own, so it can never end the frame.

    ``name`` None leaves the event unnamed. Raises ValueError when the name or the id holds a line break.
    """
    payload = data.encode("utf-8", "replace") if isinstance(data, str) else data
    head = _field(b"id", id) + _field(b"event", name)
    if b"\n" in payload or b"\r" in payload:
        payload = b"\ndata: ".join(_BREAK.split(payload))
    return b"%bdata: %b\n\n" % (head, payload)


def comment(text: str = "") -> bytes:
    """A comment, which readers skip: keeps a connection open."""
    return b"".join(b": %b\n" % line for line in _BREAK.split(text.encode())) + b"\n"


def _field(name: bytes, value: int | str | None) -> bytes:
    if value is None:
        return b""
    text = str(value).encode()
    if _BREAK.search(text):
        raise ValueError(f"a line break in the {name.decode()} of an event")
    return b"%b: %b\n" % (name, text)


class Decoder:
    """Bytes of a stream, cut anywhere, to its events; linear in their number.

    ``feed`` raises TooLong past ``limit`` bytes in a line or in the data of one event.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._open = bytearray()  # the line that has not ended yet
        self._after_cr = False
        self._first = True
        self._event = ""
        self._data: list[bytes] = []
        self._data_size = 0
        self._id = ""
        self._retry: int | None = None

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """The events that the chunk completes, in order."""
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")  # the second half of a CRLF cut in two
            self._after_cr = False
        if not chunk:
            return []
        lines = chunk.splitlines()  # of bytes: CR, LF and CRLF only
        self._after_cr = chunk.endswith(b"\r")
        rest = b"" if chunk.endswith((b"\r", b"\n")) else lines.pop()
        events = self._lines(lines) if lines else []
        self._keep(rest)
        return events

    def close(self) -> bytes:
        """End the stream: an event without its blank line is discarded, as the standard says.

        Returns the last line when it had not ended (empty otherwise), by which a caller tells a cut stream.
        """
        return bytes(self._open)

    def _keep(self, rest: bytes) -> None:
        if rest:
            self._open += rest
            if len(self._open) > self._limit:
                raise TooLong(f"a line is longer than {self._limit} bytes")

    def _lines(self, lines: list[bytes]) -> list[ServerEvent]:
        if self._open:
            lines[0] = bytes(self._open) + lines[0]
            self._open.clear()
        if self._first:
            lines[0] = lines[0].removeprefix(_BOM)
            self._first = False
        events: list[ServerEvent] = []
        for line in lines:
            if line[:6] == b"data: ":
                self._add(line[6:])
            elif line:
                self._take(line)
            elif self._data:
                events.append(self._dispatch())
            else:
                self._event = ""
        return events

    def _take(self, line: bytes) -> None:
        """A line that is neither blank nor of the usual form."""
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._add(value)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit() and len(value) < 16:
            self._retry = int(value)

    def _add(self, value: bytes) -> None:
        self._data.append(value)
        self._data_size += len(value) + 1
        if self._data_size > self._limit:
            raise TooLong(f"an event is longer than {self._limit} bytes")

    def _dispatch(self) -> ServerEvent:
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        event = ServerEvent(self._event or "message", data.decode("utf-8", "replace"), self._id, self._retry)
        self._event = ""
        self._data = []
        self._data_size = 0
        return event
