"""What was asked and answered in this kernel, in memory: runs whose events are kept, and the conversations they make.

The law: a run belongs to the kernel, not to the view that reads it. Any number may read it, from any event on; leaving
stops nothing, only ``stop`` does.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from ... import sse
from ..client.stream import Event

Json = dict[str, Any]
HEARTBEAT = 15.0
TITLE_CHARS = 60
THREAD = "jupyter-assistant-run"


class Answering(Protocol):
    """An answer that is being made (``kernel.local.Answer``)."""

    def __iter__(self) -> Iterator[Event]:
        """Its events, ``done`` last."""

    def stop(self) -> None:
        """Cancel it; its events go on to ``done``."""

    def close(self) -> None:
        """End it at once."""


class Run:
    """One question and its answer."""

    def __init__(self, question: str, answer: Answering) -> None:
        self.question = question
        self.id = self.conversation_id = self.model = ""
        self.asked = time.time()
        self.events: list[Event] = []
        self._answer = answer
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, name=THREAD, daemon=True)

    @property
    def running(self) -> bool:
        """Whether there is more to come."""
        return not self.events or self.events[-1].name != "done"

    def begin(self) -> None:
        """Ask; back when the run has its ids."""
        self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: bool(self.id) or not self._thread.is_alive(), timeout=30)

    def stop(self) -> None:
        """Cancel the model's call."""
        self._answer.stop()

    def close(self) -> None:
        """End it at once, with its thread."""
        self._answer.close()
        if self._thread is not threading.current_thread():
            self._thread.join(10)

    def frames(self, after: int, left: threading.Event) -> Iterator[bytes]:
        """The events after number ``after`` as a stream, up to ``done``; a comment at once and every 15 s."""
        yield sse.comment("ok")
        while not left.is_set():
            events = self._more(after, left)
            after += len(events)
            yield b"".join(map(frame, events)) or sse.comment()
            if self.ended and after >= len(self.events):
                return

    def _more(self, after: int, left: threading.Event) -> list[Event]:
        """What came after an event, once there is something; nothing when there is nothing for 15 s."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.events) > after or self.ended or left.is_set(), HEARTBEAT)
            return self.events[after:]

    def wake(self) -> None:
        """Let the readers look whether they have been left."""
        with self._changed:
            self._changed.notify_all()

    @property
    def ended(self) -> bool:
        """Whether nothing comes any more, with or without ``done``."""
        return not self.running or not self._thread.is_alive()

    def _read(self) -> None:
        try:
            for event in self._answer:
                self._take(event)
        finally:
            if self.running:  # it was closed in the middle
                self._take(Event(len(self.events) + 1, "done", {"reason": "interrupted"}))

    def _take(self, event: Event) -> None:
        with self._changed:
            self.events.append(event)
            if event.name == "run":
                self.id, self.conversation_id = event.data["run_id"], event.data["conversation_id"]
                self.model = event.data["model"]
            self._changed.notify_all()

    def messages(self) -> list[Json]:
        """The question and the answer as a conversation lists them."""
        asked = {"id": f"{self.id}-q", "role": "user", "run_id": None, "state": "done", "created": self.asked}
        answer = {
            "id": f"{self.id}-a",
            "role": "assistant",
            "run_id": self.id,
            "state": self.state,
            "model": self.model,
        }
        return [
            {**asked, "parts": [{"type": "text", "text": self.question}]},
            {**answer, "created": self.asked, "parts": parts(self.events)},
        ]

    @property
    def state(self) -> str:
        """As a message tells it."""
        if self.running:
            return "running"
        reason = str(self.events[-1].data.get("reason", "stop"))
        return "done" if reason in ("stop", "length", "limit") else reason


class Conversation:
    """Runs that follow each other."""

    def __init__(self, id: str, title: str) -> None:
        self.id = id
        self.title = " ".join(title.split())[:TITLE_CHARS]
        self.pinned = False
        self.created = time.time()
        self.runs: list[Run] = []

    @property
    def running(self) -> Run | None:
        """The run that goes on."""
        return next((run for run in self.runs if run.running), None)

    def summary(self) -> Json:
        """As the list has it."""
        asked = self.runs[-1].asked if self.runs else self.created
        running = self.running
        return {
            "id": self.id,
            "title": self.title,
            "created": self.created,
            "updated": asked,
            "pinned": self.pinned,
            "run_id": running.id if running else None,
        }

    def whole(self) -> Json:
        """With its messages."""
        return {**self.summary(), "messages": [message for run in self.runs for message in run.messages()]}


def frame(event: Event) -> bytes:
    """An event as the server writes it."""
    return sse.encode(event.name, json.dumps(event.data, ensure_ascii=False, separators=(",", ":")), event.number)


def parts(events: Iterable[Event]) -> list[Json]:
    """What of a run's events a message keeps."""
    found: list[Json] = []
    for event in events:
        if event.name in ("token", "reasoning"):
            kind = "text" if event.name == "token" else "reasoning"
            if found and found[-1]["type"] == kind:
                found[-1]["text"] += event.data["text"]
            else:
                found.append({"type": kind, "text": event.data["text"]})
        elif event.name == "sources":
            found.append({"type": "sources", "sources": event.data})
        elif event.name in ("context", "usage", "error"):
            found.append({"type": event.name, **event.data})
    return found
