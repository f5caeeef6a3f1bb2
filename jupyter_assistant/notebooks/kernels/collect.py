"""What a kernel says while a cell runs, as the outputs that nbformat stores; pure.

The law: whatever comes, in whatever pieces, the outputs are valid nbformat 4 and bounded. Of text both ends are kept,
the newest above all; what is left out is counted and said where it is missing. Messages fed one by one or all at once
give the same outputs. Semantics: https://jupyter-client.readthedocs.io/en/stable/messaging.html (IOPub), and streams
joined as JupyterLab joins them, with the output before them when that has the same name, and overwritten as there:
a carriage return goes back to the beginning of the line, a backspace takes a character away.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..outputs import left_out

Json = dict[str, Any]

MAX_TEXT = 1_000_000
"""Characters of text kept per cell: the first ``HEAD`` of them, and the newest."""
HEAD = 100_000
MAX_PAYLOAD = 8_000_000
"""Characters of one payload, such as an image, in base64."""
MAX_PAYLOADS = 32_000_000
"""Characters of all payloads of a cell."""
MAX_OUTPUTS, FIRST_OUTPUTS = 500, 100
MAX_TRACEBACK = 100_000

MAX_LINE = 20_000
"""Characters of a stream's last line that can still be overwritten."""

_OVERWRITES = re.compile("[\b\r]")
_STEPS = re.compile("[\b\r\n]|[^\b\r\n]+")
_TEXTUAL = frozenset({"text/plain", "text/markdown", "text/latex", "text/csv"})
_WIDGET = "application/vnd.jupyter.widget-view+json"


@dataclass(frozen=True, slots=True)
class Said:
    """One IOPub message about a request. ``size`` is what arrived, in bytes, also where ``content`` was left out."""

    kind: str
    content: Json
    size: int = 0


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What a cell said and is not kept: characters of text, whole outputs, bytes of payloads."""

    characters: int = 0
    outputs: int = 0
    bytes: int = 0

    def __bool__(self) -> bool:
        return bool(self.characters or self.outputs or self.bytes)


# ---------------------------------------------------------------- text within bounds


class Line:
    """The last line of a stream, which what comes next may overwrite, and where in it that goes."""

    def __init__(self) -> None:
        self.text = ""
        self._at = 0

    def write(self, text: str) -> str:
        """Write on; returns the lines that are finished, for good, and what makes the last one too long."""
        if self._at == len(self.text) and not _OVERWRITES.search(text):
            end = text.rfind("\n") + 1
            return (self.take() + text[:end] if end else "") + self._put(text[end:])
        return "".join(map(self._step, _STEPS.findall(text)))

    def _put(self, text: str) -> str:
        self.text = self.text[: self._at] + text + self.text[self._at + len(text) :]
        self._at += len(text)
        cut = len(self.text) // MAX_LINE * MAX_LINE
        finished, self.text, self._at = self.text[:cut], self.text[cut:], self._at - cut
        return finished

    def take(self) -> str:
        """The line as it is, finished."""
        text, self.text, self._at = self.text, "", 0
        return text

    def _step(self, step: str) -> str:
        if step == "\n":
            return self.take() + step
        if step not in ("\r", "\b"):
            return self._put(step)
        if step == "\b" and self._at:
            self.text = self.text[: self._at - 1] + self.text[self._at + 1 :]
        self._at = self._at - 1 if step == "\b" and self._at else 0
        return ""


class Stream:
    """The text of one stream output: a head that stays, a tail that the cell's ``Budget`` shortens, the last line."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.line = Line()
        self.head: list[str] = []
        self.tail: deque[str] = deque()
        self.missing = 0

    def rendered(self) -> Json:
        gap = [f"\n{left_out(self.missing, 'characters')}\n"] if self.missing else []
        text = "".join([*self.head, *gap, *self.tail, self.line.text])
        return {"output_type": "stream", "name": self.name, "text": text}


class Budget:
    """Shares ``MAX_TEXT`` among the streams of a cell: what came first and what came last stays."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._head = HEAD
        self._tail = 0
        self._order: deque[Stream] = deque()

    def add(self, stream: Stream, text: str) -> int:
        """Give ``stream`` finished text; returns the characters that had to go for it and for the stream's line."""
        if text and self._head and not self._order:
            stream.head.append(text[: self._head])
            text = text[self._head :]
            self._head -= len(stream.head[-1])
        if text:
            stream.tail.append(text)
            self._order.append(stream)
            self._tail += len(text)
        return self._shortened(MAX_TEXT - HEAD - len(stream.line.text))

    def skip(self, stream: Stream, characters: int) -> int:
        """Nobody has read this many characters: what comes next is the newest, older text but the head goes."""
        stream.missing += characters
        self._head = 0
        return characters + self._shortened(0)

    def _shortened(self, room: int) -> int:
        gone = 0
        while self._tail > room:
            gone += self._shorten(self._order[0], self._tail - room)
        return gone

    def _shorten(self, stream: Stream, excess: int) -> int:
        chunk = stream.tail.popleft()
        if len(chunk) > excess:
            stream.tail.appendleft(chunk[excess:])
        else:
            self._order.popleft()
        gone = min(excess, len(chunk))
        stream.missing += gone
        self._tail -= gone
        return gone


# ---------------------------------------------------------------- one cell


class Collector:
    """The outputs of one cell, built from what the kernel says about its request."""

    def __init__(self) -> None:
        self.execution_count: int | None = None
        self.version = 0
        self._first: list[Stream | Json] = []
        self._last: deque[Stream | Json] = deque()
        self._dropped = 0
        self._payloads = 0
        self._budget = Budget()
        self._clear_on_next = False
        self._characters = 0
        self._bytes = 0
        self._rendered: tuple[int, tuple[Json, ...]] = (-1, ())

    @property
    def left_out(self) -> LeftOut:
        return LeftOut(self._characters, self._dropped, self._bytes)

    @property
    def outputs(self) -> tuple[Json, ...]:
        """nbformat 4 outputs as they are now; not to be changed."""
        if self._rendered[0] != self.version:
            self._rendered = self.version, tuple(self._render())
        return self._rendered[1]

    def feed(self, said: Said) -> None:
        """Take one message; what is no output, or no proper one, changes nothing."""
        take = {
            "stream": self._stream,
            "display_data": self._data,
            "execute_result": self._data,
            "error": self._error,
            "clear_output": self._clear,
            "execute_input": self._input,
            "left_out": self._left_out,
        }.get(said.kind)
        if take is not None:
            take(said)
            self.version += 1

    def update(self, content: Json) -> bool:
        """``update_display_data``: new data in every output shown under its id; False where there is none."""
        name = _display_id(content)
        shown = [output for output in self._all() if isinstance(output, dict) and output.get("display_id") == name]
        if name is None or not shown:
            return False
        for output in shown:
            self._payloads -= _weight(output["data"])
            output["data"], output["metadata"] = self._bundle(content)
        self.version += 1
        return True

    # ------------------------------------------------------------ message by message

    def _input(self, said: Said) -> None:
        count = said.content.get("execution_count")
        if type(count) is int and count >= 0:
            self.execution_count = count

    def _stream(self, said: Said) -> None:
        text = said.content.get("text")
        if not isinstance(text, str) or not text:
            return
        self._due_clear()
        name = "stderr" if said.content.get("name") == "stderr" else "stdout"
        last = self._latest()
        stream = last if isinstance(last, Stream) and last.name == name else self._append(Stream(name))
        self._characters += self._budget.add(stream, stream.line.write(sound(text)))
        if missing := said.content.get("left_out"):
            self._finish_line()
            self._characters += self._budget.skip(stream, missing)
            self._characters += self._budget.add(stream, stream.line.write(sound(said.content["rest"])))

    def _finish_line(self) -> None:
        """What comes next does not overwrite the last line any more."""
        last = self._latest()
        if isinstance(last, Stream):
            self._characters += self._budget.add(last, last.line.take())

    def _data(self, said: Said) -> None:
        self._due_clear()
        data, metadata = self._bundle(said.content)
        output: Json = {"output_type": said.kind, "data": data, "metadata": metadata}
        if said.kind == "execute_result":
            self._input(said)
            output["execution_count"] = self.execution_count
        if name := _display_id(said.content):
            output["display_id"] = name
        self._append(output)

    def _error(self, said: Said) -> None:
        self._due_clear()
        lines = said.content.get("traceback")
        traceback = [sound(line) for line in lines if isinstance(line, str)] if isinstance(lines, list) else []
        self._append(
            {
                "output_type": "error",
                "ename": sound(str(said.content.get("ename", "")))[:MAX_TRACEBACK],
                "evalue": self._cut(sound(str(said.content.get("evalue", "")))),
                "traceback": self._cut_lines(traceback),
            }
        )

    def _left_out(self, said: Said) -> None:
        """An output too large to be read at all."""
        self._due_clear()
        self._bytes += said.size
        what = str(said.content.get("mime", "")) or "an output"
        text = f"[… {what} of {said.size / 1e6:.0f} MB left out …]"
        data: Json = {"text/plain": text}
        self._append({"output_type": "display_data", "data": data, "metadata": {}})

    def _clear(self, said: Said) -> None:
        self._clear_on_next = bool(said.content.get("wait"))
        if not self._clear_on_next:
            self._clear_now()

    def _due_clear(self) -> None:
        if self._clear_on_next:
            self._clear_on_next = False
            self._clear_now()

    def _clear_now(self) -> None:
        self._first.clear()
        self._last.clear()
        self._budget.clear()
        self._payloads = self._characters = self._bytes = self._dropped = 0

    # ------------------------------------------------------------ the list of outputs

    def _all(self) -> Iterator[Stream | Json]:
        yield from self._first
        yield from self._last

    def _latest(self) -> Stream | Json | None:
        if self._last:
            return self._last[-1]
        return self._first[-1] if self._first else None

    def _append(self, output: Any) -> Any:
        self._finish_line()
        if len(self._first) < FIRST_OUTPUTS:
            self._first.append(output)
            return output
        self._last.append(output)
        if len(self._last) > MAX_OUTPUTS - FIRST_OUTPUTS - 1:
            gone = self._last.popleft()
            self._dropped += 1
            self._payloads -= 0 if isinstance(gone, Stream) else _weight(gone.get("data", {}))
        return output

    def _render(self) -> Iterator[Json]:
        for output in self._first:
            yield _finished(output)
        if self._dropped:
            text = f"{left_out(self._dropped, 'outputs')}\n"
            yield {"output_type": "stream", "name": "stdout", "text": text}
        for output in self._last:
            yield _finished(output)

    # ------------------------------------------------------------ payloads

    def _bundle(self, content: Json) -> tuple[Json, Json]:
        """A valid mime bundle with its metadata."""
        data, metadata = content.get("data"), content.get("metadata")
        kept = {mime: self._payload(mime, value) for mime, value in _valid(data)}
        known = {mime: value for mime, value in kept.items() if value is not None}
        lost = [mime for mime, value in kept.items() if value is None]
        if lost and "text/plain" not in known:
            known["text/plain"] = f"[… {', '.join(lost)} left out …]"
        if _WIDGET in known:
            known.setdefault("text/plain", "[widget]")
        return known, metadata if isinstance(metadata, dict) else {}

    def _payload(self, mime: str, value: Any) -> Any:
        """The value as it is kept; None where it is too large."""
        if isinstance(value, list) and not is_json(mime):
            value = "".join(value)
        size = _size(value)
        if mime in _TEXTUAL and size > HEAD:
            return self._cut(sound(value))
        if size > MAX_PAYLOAD or self._payloads + size > MAX_PAYLOADS:
            self._bytes += size
            return None
        self._payloads += size
        return sound(value) if isinstance(value, str) else value

    def _cut(self, text: str, limit: int = MAX_TRACEBACK) -> str:
        if len(text) <= limit:
            return text
        missing = len(text) - limit
        self._characters += missing
        return f"{text[: limit // 4]}\n{left_out(missing, 'characters')}\n{text[-(limit * 3 // 4) :]}"

    def _cut_lines(self, lines: list[str]) -> list[str]:
        total = sum(map(len, lines))
        return lines if total <= MAX_TRACEBACK and len(lines) < 1_000 else self._cut("\n".join(lines)).split("\n")


def collected(messages: Iterator[Said] | list[Said]) -> tuple[Json, ...]:
    """The outputs that these messages about one request make."""
    cell = Collector()
    for said in messages:
        if said.kind == "update_display_data":
            cell.update(said.content)
        else:
            cell.feed(said)
    return cell.outputs


def sound(text: str) -> str:
    """Text that UTF-8 can hold: a lone surrogate becomes U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def is_json(mime: str) -> bool:
    """Whether nbformat lets any JSON stand under this type."""
    return mime == "application/json" or mime.endswith("+json")


def _valid(data: object) -> Iterator[tuple[str, Any]]:
    for mime, value in data.items() if isinstance(data, dict) else ():
        textual = isinstance(value, str) or (isinstance(value, list) and all(isinstance(v, str) for v in value))
        if isinstance(mime, str) and mime and (textual or is_json(mime)):
            yield mime, value


def _size(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(len(str(key)) + _size(item) for key, item in value.items())
    return sum(map(_size, value)) if isinstance(value, list) else 8


def _weight(data: Json) -> int:
    """What a kept bundle counted when it came in."""
    return sum(_size(value) for mime, value in data.items() if mime not in _TEXTUAL)


def _display_id(content: Json) -> str | None:
    transient = content.get("transient")
    name = transient.get("display_id") if isinstance(transient, dict) else None
    return name if isinstance(name, str) and name else None


def _finished(output: Stream | Json) -> Json:
    if isinstance(output, Stream):
        return output.rendered()
    return {key: value for key, value in output.items() if key != "display_id"}
