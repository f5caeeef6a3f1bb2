"""One window of JupyterLab at the other end of a socket: what it has open, what it is asked, whether it lives.

The law: every request ends: with the window's answer, or with ``Lost`` the moment the answer cannot come any more. A
window that says what it must not, or too much, is closed with a sentence. No socket is known here, only a ``Channel``.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from logging import Logger
from typing import Any, Protocol

from .frames import LARGE, BadFrame, Documents, Frame, Hello, Json, Pong, Progress, Reply, Shown, frame

WRONG_FRAME, REPLACED, TOO_MUCH, MISSED, STOPPING = 4000, 4001, 4002, 4003, 1001
GOODBYES = frozenset({1000, 1001})
"""Close codes of a page that leaves; any other end is a lost connection, which may come back."""
HELLO_SECONDS = 10.0
MISSES = 2
FRAMES, PER_SECONDS = 2_000, 10.0
"""So many frames in so many seconds are more than a window ever has to say."""
BEGUN_WITHIN = 2.0
"""Seconds within which the page takes up a change, else it must not make it any more."""

Hear = Callable[[Sequence[Json]], None]


class Channel(Protocol):
    """The way to one window."""

    def send(self, text: str) -> None:
        """Send a message; one that cannot be sent any more is dropped."""

    def close(self, code: int, reason: str) -> None:
        """End the connection."""


class Lost(Exception):
    """No answer will come: the window, or the notebook in it, is gone. ``for_good``: it does not come back."""

    def __init__(self, *, for_good: bool) -> None:
        super().__init__(for_good)
        self.for_good = for_good


class Refusal(Exception):
    """The window answered that it did not do it. ``code`` and ``fields`` are of the protocol."""

    def __init__(self, fields: Json) -> None:
        super().__init__(str(fields.get("code"))[:40])
        self.fields = fields

    @property
    def code(self) -> str:
        return self.text("code")

    def text(self, name: str, otherwise: str = "") -> str:
        found = self.fields.get(name)
        return found[:2_000] if isinstance(found, str) and found else otherwise


@dataclass(eq=False)
class Opened:
    """A notebook open in a window, as long as it is; ``shown`` is what the window last said of it."""

    window: Window
    shown: Shown
    current_at: float = 0.0
    is_open: bool = True
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    is_behind: bool = True
    """Its file may have been saved elsewhere since it was loaded here, and it has not been told to take that up."""
    remembered: Any = None
    """What ``reading`` keeps of it."""

    @property
    def is_answering(self) -> bool:
        """Whether its window is there and has not just left a request without an answer."""
        return self.is_open and self.window.is_there and not self.window.is_silent

    async def ask(self, method: str, params: Json, *, change: bool = False) -> Json:
        """The window's result; whoever is cancelled while waiting gives the request up. Raises as ``begin``."""
        asking = self.begin(method, params, change=change)
        try:
            return await asking.answer
        except asyncio.CancelledError:
            self.window.say({"type": "cancel", "id": asking.number})
            raise

    def catch_up(self) -> None:
        """Take the notebook from the disk, where it was saved elsewhere, unless there are changes here."""
        self.is_behind = False
        if not self.shown.dirty and not self.shown.collaborative:
            self.begin("revert", {}, change=True).answer.add_done_callback(self._tried)

    def _tried(self, answer: asyncio.Future[Json]) -> None:
        """A page that was busy for too long has not done it."""
        error = None if answer.cancelled() else answer.exception()
        self.is_behind = self.is_behind or (isinstance(error, Refusal) and error.code == "cancelled")

    def begin(self, method: str, params: Json, *, hear: Hear | None = None, change: bool = False) -> Asking:
        """A request of this notebook, sent. ``hear`` is given its progress; a ``change`` taken up late is not made.

        Its answer may be a ``Refusal`` or ``Lost``; raises ``Lost`` where nobody can be asked.
        """
        if not self.window.is_there or not self.is_open:
            raise Lost(for_good=not self.is_open)
        return self.window.send(self, method, params, hear=hear, change=change)


@dataclass(eq=False)
class Asking:
    """A request on its way; ``answer`` is the window's result, a ``Refusal`` or ``Lost``."""

    opened: Opened
    number: int
    answer: asyncio.Future[Json]
    hear: Hear | None

    def give_up(self) -> None:
        """Ask the window to stop what it does for it; the answer still comes."""
        if not self.answer.done():
            self.opened.window.say({"type": "cancel", "id": self.number})

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class Tenant(Protocol):
    """Who is told of a window's life."""

    def arrived(self, window: Window) -> None:
        """It has said who it is."""

    def left(self, window: Window, *, for_good: bool) -> None:
        """Its connection has ended."""

    def cleaned(self, opened: Opened) -> None:
        """What was changed in one of its notebooks is saved, or given up."""


class Window:
    """A connected page; ``name`` is "" before it has said hello."""

    def __init__(self, channel: Channel, owner: str, tenant: Tenant, *, ping_seconds: float, log: Logger) -> None:
        self.name = ""
        self.owner = owner
        self.opened: dict[str, Opened] = {}
        self.is_there = True
        self.is_silent = False
        """A request of it took too long, and it has not said a word since."""
        self._channel = channel
        self._tenant = tenant
        self._log = log
        self._asked: dict[int, Asking] = {}
        self._numbers = itertools.count(1)
        self._unanswered = 0
        self._heard = 0
        self._counted_from = time.monotonic()
        self._life = asyncio.get_running_loop().create_task(self._live(ping_seconds))

    # ------------------------------------------------------------ what it says

    async def hear(self, text: str | bytes) -> None:
        """Take a message; the next one comes when this returns."""
        if not self.is_there:
            return
        try:
            self._count()
            if not isinstance(text, str):
                raise BadFrame("A frame must be text.")
            said = frame(text) if len(text) <= LARGE else await asyncio.to_thread(frame, text)
            self._take(said)
        except BadFrame as error:
            self.end(WRONG_FRAME, str(error))

    def _count(self) -> None:
        now = time.monotonic()
        if now - self._counted_from > PER_SECONDS:
            self._counted_from, self._heard = now, 0
        self._heard += 1
        if self._heard > FRAMES:
            self.end(TOO_MUCH, "Too many frames in a short time.")

    def _take(self, said: Frame) -> None:
        if not self.is_there:
            return
        if isinstance(said, Hello):
            self._greet(said)
        elif not self.name:
            raise BadFrame("The first frame must be hello.")
        self.is_silent = False
        if isinstance(said, Documents):
            self._list(said.documents)
        elif isinstance(said, Reply):
            self._answered(said)
        elif isinstance(said, Progress):
            self._progressed(said)
        elif isinstance(said, Pong):
            self._unanswered = 0
        for opened in self.opened.values():
            if opened.is_behind:
                opened.catch_up()

    def _greet(self, hello: Hello) -> None:
        if self.name:
            raise BadFrame("hello was said already.")
        self.name = hello.window
        self._tenant.arrived(self)

    def _list(self, documents: Sequence[Shown]) -> None:
        shown = {each.document: each for each in documents}
        for name in [name for name in self.opened if name not in shown]:
            self._closed(self.opened.pop(name))
        for name, each in shown.items():
            known = self.opened.get(name)
            if known is None:
                known = self.opened[name] = Opened(self, each)
                known.current_at = time.monotonic() if each.current else 0.0
            elif each.current and (each == known.shown or not known.shown.current):
                known.current_at = time.monotonic()  # told anew, it has its user's eyes again
            was, known.shown = known.shown, each
            if was.dirty and not each.dirty:
                self._tenant.cleaned(known)

    def _closed(self, opened: Opened) -> None:
        opened.is_open = False
        for asked in [asked for asked in self._asked.values() if asked.opened is opened]:
            asked.fail(Lost(for_good=True))

    def _answered(self, reply: Reply) -> None:
        asked = self._asked.get(reply.id)
        if asked is None or asked.answer.done():
            return  # nobody waits for it any more
        if reply.error is None:
            asked.answer.set_result(reply.result)
        else:
            asked.answer.set_exception(Refusal(reply.error))

    def _progressed(self, progress: Progress) -> None:
        asked = self._asked.get(progress.id)
        if asked is not None and asked.hear is not None and not asked.answer.done():
            asked.hear(progress.cells)

    # ------------------------------------------------------------ what it is asked

    def send(self, opened: Opened, method: str, params: Json, *, hear: Hear | None, change: bool) -> Asking:
        """As ``Opened.begin``."""
        number = next(self._numbers)
        asking = Asking(opened, number, asyncio.get_running_loop().create_future(), hear)
        self._asked[number] = asking
        asking.answer.add_done_callback(lambda answer: self._over(number, answer))
        late = {"within_ms": int(BEGUN_WITHIN * 1_000)} if change else {}
        said = {"type": "request", "id": number, "method": method, "now": _now(), **late}
        self.say({**said, "params": {"document": opened.shown.document, **params}})
        return asking

    def _over(self, number: int, answer: asyncio.Future[Json]) -> None:
        del self._asked[number]
        if not answer.cancelled():
            answer.exception()  # whoever asked may have stopped waiting

    def say(self, value: Json) -> None:
        """Send a frame."""
        if self.is_there:
            self._channel.send(json.dumps(value, separators=(",", ":")))

    # ------------------------------------------------------------ its life

    async def _live(self, ping_seconds: float) -> None:
        """Ping it until it does not answer; one that does not say hello in time is no window."""
        waited = 0.0
        for number in itertools.count(1):
            await asyncio.sleep(ping_seconds)
            waited += ping_seconds
            if not self.name and waited >= HELLO_SECONDS:
                self.end(WRONG_FRAME, "The page did not say hello.")
            elif self._unanswered >= MISSES:
                self.end(MISSED, f"The page did not answer {MISSES} pings.")
            self._unanswered += bool(self.name)
            self.say({"type": "ping", "id": number, "now": _now()})

    def end(self, code: int, reason: str) -> None:
        """Close the connection, saying why."""
        if self.is_there:
            self._log.info("Closed the tab socket of a window: %s", reason)
            self._channel.close(code, reason)
            self._gone(for_good=True)

    def left(self, code: int | None) -> None:
        """Its connection has ended, with this code of the WebSocket protocol."""
        self._gone(for_good=code in GOODBYES)

    def _gone(self, *, for_good: bool) -> None:
        """What it was asked fails. ``for_good``: it does not come back as it was."""
        if not self.is_there:
            return
        self.is_there = False
        self._life.cancel()
        if for_good:
            for opened in self.opened.values():
                opened.is_open = False
        for asked in self._asked.values():
            asked.fail(Lost(for_good=for_good))
        self._tenant.left(self, for_good=for_good)

    async def ended(self) -> None:
        """Wait until nothing of it runs any more."""
        with suppress(asyncio.CancelledError):
            await self._life


def _now() -> int:
    return int(time.monotonic() * 1_000)
