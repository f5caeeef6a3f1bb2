"""A run: one answer being made, as a task with a numbered log that any number of readers can follow and replay.

The law: a run belongs to the server. Readers come, go and resume without touching it; only ``stop`` cancels it.
Events are numbered 1, 2, 3 … without gaps, and tokens that arrive faster than about 60 a second are joined before
they are numbered (DESIGN §5).
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from .errors import ConversationBusy, Gone
from .messages import (
    ContextGiven,
    Done,
    EndState,
    Event,
    Failed,
    Json,
    Reason,
    Reasoning,
    RunStarted,
    Sources,
    Token,
    Usage,
)

JOIN_SECONDS = 1 / 60
JOIN_CHARS = 64_000
LOG_BYTES = 16_000_000
COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

Encode = Callable[[str, bytes, int], bytes]
"""Event name, data as JSON, number -> the frame on the wire."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One numbered event as it goes over the wire."""

    number: int
    name: str
    frame: bytes


class Transcript:
    """What of a run's events a message keeps, as the parts of the stored message."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._others: dict[str, Json] = {}

    def add(self, event: Event) -> None:
        """Take in one event; those that a message does not keep are passed over."""
        match event:
            case Token(text=text):
                self._text.append(text)
            case Reasoning(text=text):
                self._reasoning.append(text)
            case Sources():
                self._others["sources"] = {"sources": event.data()}
            case ContextGiven() | Usage() | Failed():
                self._others[event.name] = event.data()

    @property
    def text(self) -> str:
        """The answer so far."""
        return "".join(self._text)

    def part(self, kind: str) -> Json | None:
        """The part of a kind (``sources``, ``usage``, ``error``, ``context``), if there is one."""
        return self._others.get(kind)

    def parts(self) -> list[Json]:
        """The message's parts, in the order a reader wants them."""
        parts: list[Json] = []
        if context := self._others.get("context"):
            parts.append({"type": "context", **context})
        if self._reasoning:
            parts.append({"type": "reasoning", "text": "".join(self._reasoning)})
        if text := self.text:
            parts.append({"type": "text", "text": text})
        return parts + [
            {"type": kind, **self._others[kind]} for kind in ("sources", "usage", "error") if kind in self._others
        ]


class Run:
    """One answer. ``reason`` is None while it runs, ``model`` known from its ``run`` event on, ``saved`` the number of
    the last event that the store has."""

    def __init__(
        self,
        run_id: str,
        conversation_id: str,
        owner: str,
        encode: Encode,
        *,
        message_id: str = "",
        question: str = "",
        request_id: str | None = None,
        join_seconds: float = JOIN_SECONDS,
        log_bytes: int = LOG_BYTES,
    ) -> None:
        self.id = run_id
        self.conversation_id = conversation_id
        self.owner = owner
        self.message_id = message_id or run_id
        self.question = question
        self.request_id = request_id
        self.model = ""
        self.reason: Reason | None = None
        self.ended_at: float | None = None
        self.saved = 0
        self.transcript = Transcript()
        self._encode = encode
        self._join_seconds = join_seconds
        self._log_bytes = log_bytes
        self._log: list[Entry] = []
        self._size = 0
        self._last = 0
        self._pending: list[str] = []
        self._pending_size = 0
        self._pending_kind: type[Token] | type[Reasoning] = Token
        self._flushed_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None
        self._sealed: tuple[Reason, Entry] | None = None
        self._sealed_event = asyncio.Event()
        self._waiting: set[asyncio.Future[None]] = set()
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def last(self) -> int:
        """The number of the newest event; 0 before the first."""
        return self._last

    @property
    def ended(self) -> bool:
        """Whether ``done`` is in the log."""
        return self.reason is not None

    def emit(self, event: Event) -> None:
        """Number an event and show it to the readers; tokens wait for their frame when they come too fast."""
        if self._sealed is not None:
            raise RuntimeError("an event after done")
        if isinstance(event, Token | Reasoning):
            self._join(event)
            return
        if isinstance(event, Done):
            raise TypeError("a run ends with seal() and publish()")
        self._flush()
        if isinstance(event, RunStarted):
            self.model = event.model
        self._append(event)

    def seal(self, reason: Reason) -> None:
        """Number ``done`` without showing it yet, so that the store can have it before any reader does."""
        self._flush()
        self._sealed = (reason, self._entry(Done(reason)))
        self._sealed_event.set()

    async def sealed_within(self, seconds: float) -> bool:
        """Wait for ``seal``, at most so long; whether it has come."""
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._sealed_event.wait(), seconds)
        return self._sealed is not None

    @property
    def state(self) -> EndState | Literal["running"]:
        """The state of the message."""
        return end_state(self._sealed[0]) if self._sealed else "running"

    def publish(self) -> None:
        """Show the sealed ``done``: the run has ended."""
        if self._sealed is None:
            raise RuntimeError("publish() before seal()")
        self.reason, entry = self._sealed
        self.ended_at = time.monotonic()
        self._silence()
        self._show(entry)

    def frames(self, after: int) -> tuple[bytes, int]:
        """What the store lacks: the frames after event ``after``, a sealed ``done`` too, and the last number."""
        entries = [*self._log, *([self._sealed[1]] if self._sealed and not self.ended else [])]
        missing = [entry for entry in entries if entry.number > after]
        return b"".join(entry.frame for entry in missing), missing[-1].number if missing else after

    def entries(self, after: int = 0) -> list[Entry]:
        """The log after event ``after``. Raises Gone when it does not reach back that far, or never got there."""
        first = self._last - len(self._log) + 1
        if after < first - 1 or after > self._last:
            raise Gone("The answer's log does not hold these events.", self.snapshot())
        return self._log[after - first + 1 :]

    async def next(self, after: int, timeout: float | None = None) -> list[Entry]:
        """The events after ``after``, waiting at most ``timeout`` seconds for the first, or less; then empty."""
        found = self.entries(after)
        if found or self.ended:
            return found
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[None] = loop.create_future()
        if timeout is not None:
            self._wake_by(loop.time() + timeout)
        self._waiting.add(waiting)
        try:
            await waiting
        finally:
            self._waiting.discard(waiting)
        return self.entries(after)

    def _wake_by(self, when: float) -> None:
        """All who wait are woken then, or before: one timer serves the waits of many tokens."""
        if self._alarm is None or self._alarm.when() > when:
            self._silence()
            self._alarm = asyncio.get_running_loop().call_at(when, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._wake()

    def _silence(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    async def wait(self) -> None:
        """Until the run has ended."""
        after = self._last
        while not self.ended:
            await self.next(after)
            after = self._last

    def snapshot(self) -> Json:
        """The answer as a message, as far as it has come (DESIGN §4, ``messages``)."""
        return {
            "id": self.message_id,
            "role": "assistant",
            "parts": self.transcript.parts(),
            "run_id": self.id,
            "state": self.state,
            "model": self.model,
        }

    def _join(self, event: Token | Reasoning) -> None:
        if not event.text:
            return
        if self._pending and type(event) is not self._pending_kind:
            self._flush()
        self._pending_kind = type(event)
        self._pending.append(event.text)
        self._pending_size += len(event.text)
        if self._pending_size > JOIN_CHARS:
            self._flush()
        elif self._timer is None:
            loop = asyncio.get_running_loop()
            wait = self._flushed_at + self._join_seconds - loop.time()
            if wait <= 0:
                self._flush()
            else:
                self._timer = loop.call_later(wait, self._flush)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._pending:
            text, self._pending, self._pending_size = "".join(self._pending), [], 0
            self._flushed_at = asyncio.get_running_loop().time()
            self._append(self._pending_kind(text))

    def _append(self, event: Event) -> None:
        self.transcript.add(event)
        self._show(self._entry(event))

    def _entry(self, event: Event) -> Entry:
        number = self._last + 1
        data = COMPACT.encode(event.data())
        return Entry(number, event.name, self._encode(event.name, data.encode("utf-8", "replace"), number))

    def _show(self, entry: Entry) -> None:
        self._last = entry.number
        self._log.append(entry)
        self._size += len(entry.frame)
        if self._size > self._log_bytes:
            self._trim()
        self._wake()

    def _wake(self) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    def _trim(self) -> None:
        """Forget the oldest half, so that forgetting stays cheap."""
        half = max(1, len(self._log) // 2)
        self._size -= sum(len(entry.frame) for entry in self._log[:half])
        del self._log[:half]


LOOK_SECONDS = 0.5
"""Between two looks at what another server writes down about each second."""


class Finished:
    """A run that only the store remembers, read like a ``Run``."""

    def __init__(self, run_id: str, conversation_id: str, log: Iterable[Entry], snapshot: Json) -> None:
        self.id = run_id
        self.conversation_id = conversation_id
        self._log = _without_gap(log)
        self._snapshot = snapshot

    ended = True

    @property
    def reason(self) -> Reason:
        """Why it ended, as far as the message's state tells."""
        state = self._snapshot["state"]
        return state if state in ("cancelled", "error", "interrupted") else "stop"

    @property
    def last(self) -> int:
        """The number of the newest event; 0 when the log is no longer kept."""
        return self._log[-1].number if self._log else 0

    def entries(self, after: int = 0) -> list[Entry]:
        """The log after event ``after``. Raises Gone when it is no longer kept or never got there.

        After a crash ``done`` has the number of an event that was shown but never stored: who has seen that number may
        not have seen ``done``.
        """
        reached = self.last - (self.reason == "interrupted")
        if not self._log or after < self._log[0].number - 1 or after > reached:
            raise Gone("The answer's log is no longer kept.", self._snapshot)
        return [entry for entry in self._log if entry.number > after]

    async def next(self, after: int, timeout: float | None = None) -> list[Entry]:
        """The events after ``after``; there is nothing to wait for."""
        return self.entries(after)

    async def wait(self) -> None:
        """It has ended already."""

    def snapshot(self) -> Json:
        """The answer as the store has it."""
        return self._snapshot


class Elsewhere:
    """A run that another server on the same store works on, followed there as that server writes it down.

    ``look`` reads the store anew; None once the run is there no more.
    """

    def __init__(self, found: Finished, look: Callable[[], Awaitable[Finished | Elsewhere | None]]) -> None:
        self.id = found.id
        self.conversation_id = found.conversation_id
        self._found = found
        self._look = look
        self.ended = False

    @property
    def reason(self) -> Reason:
        """Why it ended, once it has."""
        return self._found.reason

    @property
    def last(self) -> int:
        """The number of the newest event that is written down."""
        return self._found.last

    def entries(self, after: int = 0) -> list[Entry]:
        """The log after event ``after``, as far as it is written down. Raises Gone where it never got there."""
        return [] if after == self._found.last else self._found.entries(after)

    async def next(self, after: int, timeout: float | None = None) -> list[Entry]:
        """The events after ``after``; waits for one, up to ``timeout`` seconds."""
        until = math.inf if timeout is None else time.monotonic() + timeout
        while not (entries := self.entries(after)) and not self.ended and (rest := until - time.monotonic()) > 0:
            await asyncio.sleep(min(LOOK_SECONDS, rest))
            await self._look_again()
        return entries

    async def wait(self) -> None:
        """Until the other server has ended it."""
        while not self.ended:
            await asyncio.sleep(LOOK_SECONDS)
            await self._look_again()

    def snapshot(self) -> Json:
        """The answer as the store has it."""
        return self._found.snapshot()

    async def _look_again(self) -> None:
        found = await self._look()
        if isinstance(found, Elsewhere):
            self._found = found._found
        else:
            self._found, self.ended = found or self._found, True


AnyRun = Run | Finished | Elsewhere


def _without_gap(log: Iterable[Entry]) -> list[Entry]:
    """The entries after the last gap: a run that outgrew its memory before it was written leaves one."""
    kept: list[Entry] = []
    for entry in log:
        if kept and entry.number != kept[-1].number + 1:
            kept.clear()
        kept.append(entry)
    return kept


def end_state(reason: Reason) -> EndState:
    """The state of a message whose run ended for ``reason``."""
    match reason:
        case "cancelled" | "error" | "interrupted":
            return reason
    return "done"


class Runs:
    """The runs of this server, by id: started, stopped, remembered for a while after their end."""

    def __init__(self, *, keep_seconds: float = 600.0) -> None:
        self._keep_seconds = keep_seconds
        self._runs: dict[str, Run] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._reasons: dict[str, Reason] = {}

    def start(self, run: Run, work: Coroutine[Any, Any, None]) -> None:
        """Work on a run in a task of its own. ``work`` must end the run with ``done``, also when it is cancelled."""
        self.expire()
        self._runs[run.id] = run
        task = asyncio.get_running_loop().create_task(work, name=f"assistant-run-{run.id}")
        self._tasks[run.id] = task
        task.add_done_callback(lambda _: self._forget_task(run.id, task))

    def get(self, owner: str, run_id: str) -> Run | None:
        """The owner's run, when it is still in memory."""
        self.expire()
        run = self._runs.get(run_id)
        return run if run is not None and run.owner == owner else None

    def of_request(self, owner: str, request_id: str | None) -> Run | None:
        """The owner's run that a request started, when it is still in memory."""
        if request_id is None:
            return None
        self.expire()
        return next((r for r in self._runs.values() if (r.owner, r.request_id) == (owner, request_id)), None)

    def of_conversation(self, conversation_id: str) -> list[Run]:
        """The runs of a conversation still in memory, oldest first."""
        return [run for run in self._runs.values() if run.conversation_id == conversation_id]

    def forget(self, conversation_id: str) -> None:
        """Drop the ended runs of a conversation from memory: it was deleted."""
        for run in self.of_conversation(conversation_id):
            if run.ended:
                del self._runs[run.id]

    def refuse_if_busy(self, conversation_id: str) -> None:
        """Raise ConversationBusy while an answer runs in the conversation."""
        for run in self.of_conversation(conversation_id):
            if not run.ended:
                raise ConversationBusy(run.id)

    async def stop(self, run: Run, reason: Reason = "cancelled") -> None:
        """Cancel a run and wait until its ``done`` is out; one that has ended stays as it is."""
        await asyncio.sleep(0)  # a task cancelled before its first step would never write its ``done``
        task = self._tasks.get(run.id)
        if task is None:
            return
        if run.id not in self._reasons:
            self._reasons[run.id] = reason
            task.cancel()
        await asyncio.wait([task])

    def stop_reason(self, run: Run) -> Reason:
        """Why a cancelled run was cancelled."""
        return self._reasons.get(run.id, "interrupted")

    async def close(self) -> None:
        """Interrupt what runs and wait for it."""
        await asyncio.gather(*(self.stop(self._runs[run_id], "interrupted") for run_id in list(self._tasks)))

    def expire(self) -> None:
        """Forget runs that ended long enough ago; the store has them."""
        horizon = time.monotonic() - self._keep_seconds
        for run in [run for run in self._runs.values() if run.ended_at is not None and run.ended_at < horizon]:
            del self._runs[run.id]

    def _forget_task(self, run_id: str, task: asyncio.Task[None]) -> None:
        """Drop a task's record, unless a later task of the same name took its place."""
        if self._tasks.get(run_id) is task:
            del self._tasks[run_id]
            self._reasons.pop(run_id, None)
