"""The tab home: notebooks that are open in windows of JupyterLab or Notebook 7, each reached through its socket.

The law (DESIGN §2, law 2): a notebook that a window has open is read and changed there. Of several windows the one
with unsaved changes has it, else the one looked at last; two with unsaved changes are two versions, and neither is
changed. A window whose connection is lost, and not closed, keeps its notebooks for a while: it may come back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from logging import Logger
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from ...errors import EditRefused
from .document import TabDocument
from .frames import MAX_FRAME
from .window import REPLACED, STOPPING, TOO_MUCH, Channel, Lost, Opened, Refusal, Window

if TYPE_CHECKING:
    from ..document import Document

__all__ = ["MAX_FRAME", "Channel", "TabDocument", "Tabs", "Window"]

MAX_WINDOWS = 100


class Tabs:
    """The windows there are; close it when the server stops.

    ``answer_seconds``: how long a window may take to answer a read. ``ping_seconds``: the time between two pings.
    ``grace_seconds``: how long a window whose connection was lost keeps its notebooks.
    """

    def __init__(
        self, *, log: Logger, answer_seconds: float = 2.0, ping_seconds: float = 5.0, grace_seconds: float = 10.0
    ) -> None:
        self.answer_seconds = answer_seconds
        self.ping_seconds = ping_seconds
        self.grace_seconds = grace_seconds
        self._log = log
        self._new: set[Window] = set()
        self._windows: dict[tuple[str, str], Window] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._closed = False

    # ------------------------------------------------------------ windows

    def joined(self, channel: Channel, owner: str) -> Window:
        """A page has connected; give it what comes (``Window.hear``) and say when it has left (``Window.left``)."""
        window = Window(channel, owner, self, ping_seconds=self.ping_seconds, log=self._log)
        self._new.add(window)
        if self._closed:
            window.end(STOPPING, "The server is stopping.")
        elif len(self._new) + len(self._windows) > MAX_WINDOWS:
            window.end(TOO_MUCH, "Too many windows are connected.")
        return window

    def arrived(self, window: Window) -> None:
        """A page has said who it is: it takes the place of its own earlier connection."""
        self._new.discard(window)
        key = window.owner, window.name
        before = self._windows.get(key)
        self._windows[key] = window
        if before is not None:
            self._forget(before)
            before.end(REPLACED, "The page has connected again.")

    def left(self, window: Window, *, for_good: bool) -> None:
        """A page's connection has ended; one that was lost may come back."""
        self._new.discard(window)
        if for_good or self._closed:
            self._forget(window)
        else:
            asyncio.get_running_loop().call_later(self.grace_seconds, self._forget, window)

    def cleaned(self, opened: Opened) -> None:
        """Its user has saved it: his other windows, which have no changes, take it from the disk."""
        _follow(place for place in self._at(opened.shown.path) if place is not opened)

    def _forget(self, window: Window) -> None:
        for opened in window.opened.values():
            if not window.is_there:
                opened.is_open = False
        if self._windows.get((window.owner, window.name)) is window:
            del self._windows[window.owner, window.name]

    async def close(self) -> None:
        """End every connection; no task is left."""
        self._closed = True
        windows = [*self._new, *self._windows.values()]
        for window in windows:
            window.end(STOPPING, "The server is stopping.")
        for window in windows:
            await window.ended()

    # ------------------------------------------------------------ notebooks

    @property
    def windows(self) -> tuple[Window, ...]:
        """Those that are connected and have said who they are."""
        return tuple(window for window in self._windows.values() if window.is_there)

    @property
    def state(self) -> dict[str, int]:
        """How many ``windows`` are connected, how many ``notebooks`` these have open, how many of them ``unsaved``.

        A notebook that two windows have open counts in each.
        """
        windows = self.windows
        opened = [each for window in windows for each in window.opened.values()]
        unsaved = sum(each.shown.dirty for each in opened)
        return {"windows": len(windows), "notebooks": len(opened), "unsaved": unsaved}

    def paths(self) -> frozenset[str]:
        """The notebooks that are open."""
        return frozenset(opened.shown.path for opened in self._all())

    def document(self, path: str, stored: Callable[[str], Awaitable[Document]]) -> TabDocument | None:
        """The notebook at ``path`` where a window has it open; ``stored`` opens it in its storage, once none has."""
        opened = _of_many(self._at(path))
        return None if opened is None else TabDocument(self, opened, stored)

    @contextmanager
    def restarting(self, path: str) -> Iterator[None]:
        """Around a restart of the kernel of the notebook at ``path``: JupyterLab waits for ever for what ran in it."""
        kernels = {opened.shown.kernel_id for opened in self._at(path)} - {None}
        began = time.monotonic()
        yield
        ago = {"ago_ms": int((time.monotonic() - began) * 1_000)}
        for opened in self._all():
            if opened.shown.kernel_id in kernels and opened.is_answering:
                opened.begin("restarted", ago)

    # ------------------------------------------------------------ for a document

    def to_read(self, opened: Opened) -> Opened | None:
        """Where to read the notebook that ``opened`` is, or was; None where no window has it open."""
        return _of_many(self._at(opened.shown.path))

    def to_change(self, opened: Opened) -> Opened | None:
        """Where to change it; raises ``EditRefused`` where two have changes, or it may not be changed."""
        places = self._at(opened.shown.path)
        changed = [place for place in places if place.shown.dirty and not place.shown.collaborative]
        if len(changed) > 1:
            raise EditRefused(
                f"{opened.shown.path} has unsaved changes in {len(changed)} windows of JupyterLab, "
                "so there are two versions of it; nothing was changed.",
                "Ask the user to save it in the window whose version is right, and to reload it in the other.",
            )
        found = _of_many(places)
        if found is not None and found.shown.read_only:
            raise EditRefused(f"{opened.shown.path} is open read-only in JupyterLab.", "Ask the user to allow changes.")
        return found

    def turn(self, path: str) -> asyncio.Lock:
        """Whose turn it is to change the notebook at ``path``."""
        turn = self._turns.get(path) or asyncio.Lock()
        self._turns[path] = turn
        return turn

    async def saved(self, opened: Opened) -> None:
        """It was saved where it is ``opened``: the other windows, which have no changes, take it from the disk."""
        others = [place for place in self._at(opened.shown.path) if place is not opened]
        await asyncio.gather(
            *(self._reverted(place) for place in others if not place.shown.dirty and not place.shown.collaborative)
        )

    def saved_elsewhere(self, opened: Opened) -> None:
        """Its file was written while it was being opened: what windows loaded before that follows."""
        _follow(self._at(opened.shown.path))

    async def _reverted(self, place: Opened) -> None:
        if not place.is_answering:
            place.is_behind = True
            return
        try:
            await asyncio.wait_for(place.ask("revert", {}, change=True), self.answer_seconds)
        except (Refusal, Lost):
            pass  # it has changes by now, or is gone
        except asyncio.TimeoutError:
            place.is_behind = place.window.is_silent = True

    def _all(self) -> Iterator[Opened]:
        for window in self._windows.values():
            for opened in window.opened.values():
                if opened.is_open:
                    yield opened

    def _at(self, path: str) -> list[Opened]:
        return [opened for opened in self._all() if opened.shown.path == path]


def _follow(places: Iterable[Opened]) -> None:
    for place in places:
        place.is_behind = True
        if place.is_answering:
            place.catch_up()


def _of_many(places: list[Opened]) -> Opened | None:
    """The one with unsaved changes, else of those whose connection stands the one that was looked at last."""
    return max(places, key=lambda place: (place.shown.dirty, place.window.is_there, place.current_at), default=None)
