"""Where an answer appears: in the cell's output as updating Markdown, in a terminal as text, or nowhere.

The law: an output is one display that is replaced as a whole, at most some twelve times a second; a terminal is only
ever written on to.
"""

from __future__ import annotations

import re
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from ..errors import AssistantError
from .asking import Exchange
from .transcript import Transcript, quoted

Json = dict[str, Any]

PAUSE = 0.08
"""Seconds between two updates of an output; longer answers are updated less often."""
CHARS_A_SECOND = 400_000
STOP_SECONDS = 3.0
_RULE = re.compile(r"\|[-| ]*\|")
_MARKS = re.compile(r"(?<!\\)(?:\*+|`)")
_ESCAPED = re.compile(r"\\([\\`*_\[\]<>!|])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class View(Protocol):
    """Shows one answer."""

    def pause(self, chars: int) -> float:
        """Seconds to leave between two updates of an answer that long."""

    def show(self, transcript: Transcript) -> None:
        """What has come so far."""

    def finish(self, transcript: Transcript, seconds: float) -> None:
        """All of it."""


class Output:
    """A cell's output: one display, updated. A cell that captures its outputs gets the whole answer only."""

    def __init__(self, shell: Any) -> None:
        self._publisher = shell.display_pub
        self._captured = hasattr(self._publisher, "outputs")
        self._kernel = shell.kernel
        self._transient = {"display_id": secrets.token_hex(16)}
        self._shown: str | None = None

    def pause(self, chars: int) -> float:
        return max(PAUSE, chars / CHARS_A_SECOND)

    def show(self, transcript: Transcript) -> None:
        if not self._captured:
            self._put(transcript.live(), self._publish if self._shown is None else self._update)

    def finish(self, transcript: Transcript, seconds: float) -> None:
        self._put(transcript.final(seconds), self._publish)

    def _put(self, text: str, send: Callable[[Json], None]) -> None:
        if text != self._shown:
            send({"text/markdown": text, "text/plain": text})
            self._shown = text

    def _publish(self, data: Json) -> None:
        self._publisher.publish(data, transient=self._transient, update=self._shown is not None)

    def _update(self, data: Json) -> None:
        """As ``publish``, which first waits until all that was printed is sent: needless where the place is taken."""
        if hasattr(self._publisher, "pub_socket"):
            content = {"data": data, "metadata": {}, "transient": self._transient}
            self._kernel.send_response(self._kernel.iopub_socket, "update_display_data", content)
        else:  # another kernel than ipykernel's
            self._publish(data)


class Terminal:
    """Text, written on as it comes. A word of waiting is shown to a terminal only, and wiped out."""

    def __init__(self, format: str) -> None:
        self._whole = format != "markdown"
        self._written = 0
        self._waiting = ""

    def pause(self, chars: int) -> float:
        return 0.0

    def show(self, transcript: Transcript) -> None:
        if self._whole or not transcript.text:
            self._wait("Thinking…" if transcript.is_thinking else "…")
        else:
            self._write(transcript.text)

    def finish(self, transcript: Transcript, seconds: float) -> None:
        if self._whole:
            self._write(transcript.result)
        else:
            self._write(transcript.text)
        self._wait("")
        ends = [transcript.ending.strip("*"), unmarked(quoted(transcript.error)) if transcript.error else ""]
        told = [part for part in ends if part]
        sys.stdout.write(clean("".join(f"\n{line}" for line in [*told, *transcript.cited])) + "\n")
        sys.stdout.flush()

    def _write(self, text: str) -> None:
        new = text[self._written :]
        if new:
            self._wait("")
            sys.stdout.write(clean(new))
            sys.stdout.flush()
            self._written = len(text)

    def _wait(self, word: str) -> None:
        if word == self._waiting or not sys.stdout.isatty():
            return
        sys.stdout.write(f"\r\x1b[K{word}")
        sys.stdout.flush()
        self._waiting = word


class Nowhere:
    """Shows nothing but an error, by the view that would have shown all."""

    def __init__(self, otherwise: View) -> None:
        self._otherwise = otherwise

    def pause(self, chars: int) -> float:
        return 0.0

    def show(self, transcript: Transcript) -> None:
        return

    def finish(self, transcript: Transcript, seconds: float) -> None:
        if transcript.error is not None:
            self._otherwise.finish(transcript, seconds)


def unmarked(markdown: str) -> str:
    """A text of ours for a terminal: without Markdown's signs, a table as columns."""
    bare = _MARKS.sub("", "\n".join(line for line in markdown.splitlines() if not _RULE.fullmatch(line)))
    return _ESCAPED.sub(r"\1", "\n".join(map(_row, bare.splitlines())))


def _row(line: str) -> str:
    if not line.startswith("|"):
        return line.removeprefix("> ")
    first, _, rest = line.strip("| ").partition(" | ")
    return f"  {first:<42} {rest}".rstrip()


def clean(text: str) -> str:
    """A model's text without what would command a terminal."""
    return _CONTROLS.sub("", text)


def follow(begin: Callable[[], Exchange], transcript: Transcript, view: View) -> bool:
    """Begin an answer and show it to its last event. An interrupt stops it, an error ends it; what has come is kept.

    Gives whether it was interrupted.
    """
    started = time.monotonic()
    exchange: Exchange | None = None
    interrupted = False
    try:
        view.show(transcript)
        exchange = begin()
        transcript.path = exchange.path
        _read(exchange, transcript, view)
    except KeyboardInterrupt:
        interrupted = True
    except AssistantError as error:
        transcript.fail(error)
    finally:
        with _undisturbed():
            try:
                _ended(exchange, transcript, interrupted)
            finally:
                view.finish(transcript, time.monotonic() - started)
    return interrupted


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Without further interrupts, for so long as an end should take: who presses the key again wants just that."""
    until = time.monotonic() + STOP_SECONDS

    def interrupt(*_: object) -> None:
        if time.monotonic() > until:  # whom we wait for does not answer
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before or signal.default_int_handler)


def _read(exchange: Exchange, transcript: Transcript, view: View) -> None:
    shown, flows = 0.0, False
    for event in exchange:
        transcript.take(event)
        if exchange.ready:
            continue  # first all that is here
        due = shown + view.pause(len(transcript.text)) - time.monotonic()
        begins = bool(transcript.text) and not flows  # the first words are never kept waiting
        if shown and due > 0 and not begins and not transcript.reason and _more(exchange, due, flows):
            continue
        view.show(transcript)
        shown, flows = time.monotonic(), bool(transcript.text)


def _more(exchange: Exchange, seconds: float, flows: bool) -> bool:
    """Whether more comes before the next update. A text that flows is let gather: to wake at every word is dear."""
    if flows:
        time.sleep(seconds)
    return exchange.wait(0 if flows else seconds)


def _ended(exchange: Exchange | None, transcript: Transcript, interrupted: bool) -> None:
    """Close it; one that was interrupted is stopped first."""
    try:
        if exchange is not None and interrupted:
            _stop(exchange, transcript)
        if exchange is not None:
            exchange.close()
    finally:
        if interrupted:
            transcript.reason = transcript.reason or "cancelled"


def _stop(exchange: Exchange, transcript: Transcript) -> None:
    """Stop, and take what was on its way."""
    exchange.stop()
    until = time.monotonic() + STOP_SECONDS
    with suppress(AssistantError):
        while exchange.wait(max(0.0, until - time.monotonic())):
            event = next(exchange, None)
            if event is None:
                break
            transcript.take(event)
