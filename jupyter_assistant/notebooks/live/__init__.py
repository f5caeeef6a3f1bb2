"""Notebooks that people have open together: each in its room, the shared document of real-time collaboration.

The law (DESIGN §2, law 2): while a notebook has a room, it is read and changed there and never in its file, which the
room saves. What people type meanwhile is kept. What a room is made of is imported in this folder only, when the first
room is found; the extension behind it is asked through the interface that it leaves in the server's settings.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ...errors import CellNotFound, NotebookBusy, SaveFailed
from ..cells import Snapshot
from ..contents import asked
from ..edits import Change, Edit, Json
from ..entire import trimmed
from ..payloads import bounded
from .changing import Work, carry_out, prepared
from .content import SLICE, Content
from .merging import counted

EXTENSION = "jupyter_server_ydoc"
"""Under this name jupyter-collaboration, and others in its place, leave their interface."""
NOTEBOOKS = "json:notebook:"
"""How the name of a notebook's room begins; its number in the server's list of files follows."""
PAUSE = 0.02
LOOK = 0.25
TRIES = 3


class RoomLeft(NotebookBusy):
    """The room was closed: the notebook has another home now. ``change`` was made there, and perhaps not saved."""

    default_hint = "Try again: the notebook is closed now, and its file can be edited."

    def __init__(self, path: str, change: Change | None = None) -> None:
        super().__init__(f"{path} was closed while it was edited.")
        self.change = change

    def is_in(self, snapshot: Snapshot) -> bool:
        """Whether the change was saved: all that it made is there. Of outputs that cannot be told."""
        there = {cell.id: cell.hash for cell in snapshot.cells}
        made = () if self.change is None else self.change.cells
        return bool(made) and all(each.before != each.after == there.get(each.cell_id) for each in made)


class Rooms:
    """The rooms of this server. ``settings`` are its web application's.

    ``patience``: seconds a room may take to be ready, and to save when everybody has left it. ``kept_seconds``: for so
    long what was read of a room is kept up to date after it was last asked for.
    """

    def __init__(self, settings: Mapping[str, Any], *, patience: float = 5.0, kept_seconds: float = 60.0) -> None:
        self.patience = patience
        self._settings = settings
        self._kept_seconds = kept_seconds
        self._contents: dict[Any, tuple[Content, asyncio.TimerHandle]] = {}

    @property
    def name(self) -> str | None:
        """Of the extension that keeps the rooms; None where there is none."""
        return EXTENSION if self._extension is not None else None

    async def find(self, path: str) -> Room | None:
        """The notebook's room, None where nobody has it open; ``path`` is relative to the server's root.

        Whoever goes on without waiting finds the room as it is here: loaded, and nobody inside a change. Raises
        ``NotebookBusy`` where it does not come to that.
        """
        if self._extension is None:
            return None
        while (document := await self._document(path)) is not None:
            waited = await self.settled(document, path)
            if not waited:
                return Room(path, document, self._content(document), self)
        return None

    def paths(self) -> frozenset[str]:
        """The notebooks that somebody has open, as far as the extension tells."""
        names = self._settings.get("file_id_manager")
        server = getattr(self._extension, "ywebsocket_server", None)
        if names is None or server is None:
            return frozenset()
        kept = [name.split(":", 2)[2] for name in server.rooms if name.startswith(NOTEBOOKS)]
        return frozenset(path for path in map(names.get_path, kept) if path is not None)

    def close(self) -> None:
        """Listen to no document any more."""
        for document in tuple(self._contents):
            self._forget(document)

    # ------------------------------------------------------------ for a room

    async def settled(self, document: Any, path: str) -> bool:
        """Wait until the shared document is at rest; whether there was anything to wait for."""
        end, waited = time.monotonic() + self.patience, False
        while not _is_settled(document):
            if time.monotonic() > end:
                raise NotebookBusy(f"The shared document of {path} is being loaded and does not come to rest.")
            waited = True
            await asyncio.sleep(PAUSE)
        return waited

    @property
    def contents_manager(self) -> Any:
        return self._settings["contents_manager"]

    @property
    def save_delay(self) -> float | None:
        """Seconds after which a room saves; None: it does not."""
        return getattr(self._extension, "document_save_delay", None)

    def is_left(self, document: Any) -> bool:
        """Whether nobody is connected to the document: its room may be closed at any moment, saved or not."""
        server = getattr(self._extension, "ywebsocket_server", None)
        rooms = getattr(server, "rooms", {}).values()
        room = next((room for room in rooms if getattr(room, "ydoc", None) is document.ydoc), None)
        return room is not None and not room.clients

    # ------------------------------------------------------------ the extension

    @property
    def _extension(self) -> Any:
        found = self._settings.get(EXTENSION)
        return found if hasattr(found, "get_document") else None

    async def _document(self, path: str) -> Any:
        """The notebook's shared document; None where there is none."""
        names = self._settings.get("file_id_manager")
        if names is not None and names.get_id(path) is None:
            return None  # never opened: asking the extension would give it a number for good
        return await self._extension.get_document(path=path, content_type="notebook", file_format="json", copy=False)

    def _content(self, document: Any) -> Content:
        """What is known of the document's content, for as long as somebody asks for it."""
        content, timer = self._contents.pop(document, (None, None))
        if timer is not None:
            timer.cancel()
        loop = asyncio.get_running_loop()
        content = content or Content(document)
        self._contents[document] = content, loop.call_later(self._kept_seconds, self._forget, document)
        return content

    def _forget(self, document: Any) -> None:
        content, timer = self._contents.pop(document)
        timer.cancel()
        content.close()


def _is_settled(document: Any) -> bool:
    """Whether it is loaded, and nobody is inside a change that takes more than one turn, as loading a file does."""
    from pycrdt import Map

    try:
        with document.ydoc.new_transaction():
            return "nbformat" in document.ydoc.get("meta", type=Map)
    except RuntimeError:
        return False


@dataclass(frozen=True, slots=True)
class Room:
    """A notebook whose home is the shared ``document`` (a ``YNotebook``) of its room."""

    path: str
    document: Any
    content: Content
    rooms: Rooms

    async def read(self) -> Snapshot:
        """Its content now, as everybody in the room sees it; raises ``NotebookUnreadable``."""
        await self.rooms.settled(self.document, self.path)
        while not self.content.catch_up(SLICE):
            await asyncio.sleep(0)
            await self.rooms.settled(self.document, self.path)
        return self.content.snapshot(self.path)

    async def outputs(self, cell_ids: Sequence[str]) -> Mapping[str, tuple[Json, ...]]:
        """The nbformat 4 outputs of these cells; raises as ``Document.outputs``."""
        places = {cell.id: cell.index for cell in (await self.read()).cells}
        if missing := [name for name in cell_ids if name not in places]:
            raise CellNotFound(f"{self.path} has no cell {missing[0][:64]}.")
        found = {name: self.document.ycells[places[name]].to_py().get("outputs") or () for name in cell_ids}
        return {name: tuple(bounded(counted(output)) for output in outputs) for name, outputs in found.items()}

    async def nbformat(self, cell_ids: Sequence[str] | None = None) -> Json:
        """The notebook as nbformat 4 JSON; raises as ``Document.nbformat``."""
        content = await self._json()
        found, missing = await asyncio.to_thread(_entire, content, cell_ids)
        if missing:
            raise CellNotFound(f"{self.path} has no cell {missing[0][:64]}.")
        return found

    async def apply(self, edits: Sequence[Edit], expected: Mapping[str, str] = {}) -> Change:
        """Make all ``edits`` or none, seen by everybody in the room when this returns; the room saves by itself.

        Raises ``RoomLeft`` where the room was closed before that, and as ``Document.apply``.
        """
        await self._refuse_unwritable()
        for _ in range(TRIES):
            before, sources = await self.read(), self.content.sources
            work = await asyncio.to_thread(prepared, before, edits, expected)
            await self._still_here()
            if self.content.sources == sources:
                return await self._made(work)
        # Somebody types faster than edits are thought out beside them: so this one is thought out in their way.
        await self._still_here()
        return await self._made(prepared(await self.read(), edits, expected))

    # ------------------------------------------------------------ an edit

    async def _made(self, work: Work) -> Change:
        """The edit, made before anybody else has a turn, and lasting."""
        if work.plan.is_empty:
            return work.plan.change(self.path, self.content.version)
        carry_out(self.document, work)
        change = work.plan.change(self.path, self.content.version)
        if self.rooms.is_left(self.document):
            await self._outlast(change)
        return change

    async def _refuse_unwritable(self) -> None:
        """A room takes edits that it cannot save, and says nothing."""
        model = await asked(self.rooms.contents_manager.get, self.path, content=False, type="notebook")
        if not model.get("writable", True):
            raise SaveFailed(
                f"{self.path} may not be written.", "Ask the user to make the file writable, or to copy it."
            )

    async def _still_here(self, change: Change | None = None) -> None:
        """Raise ``RoomLeft`` where the document is not the notebook's any more."""
        room = await self.rooms.find(self.path)
        if room is None or room.document is not self.document:
            raise RoomLeft(self.path, change)

    async def _outlast(self, change: Change) -> None:
        """Wait until the room, in which nobody is left, has saved: it may be closed before, and the edit with it."""
        delay = self.rooms.save_delay
        if delay is None:
            return
        saved = asyncio.Event()
        listening = self.document.ystate.observe(lambda _: saved.set())
        try:
            end = time.monotonic() + delay + self.rooms.patience
            while not saved.is_set() and time.monotonic() < end:
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(saved.wait(), LOOK)
                if not saved.is_set():
                    await self._still_here(change)
        finally:
            self.document.ystate.unobserve(listening)

    # ------------------------------------------------------------ whole

    async def _json(self) -> Json:
        """The notebook as it is at one moment, taken a few milliseconds at a time unless it changes all the time."""
        for _ in range(TRIES):
            revision, cells = self.content.revision, []
            turn = time.perf_counter() + SLICE
            for ycell in self.document.ycells:
                cells.append(ycell.to_py())
                if time.perf_counter() > turn:
                    await asyncio.sleep(0)
                    turn = time.perf_counter() + SLICE
                    if self.content.revision != revision:
                        break
            else:
                return {**self.content.meta(), "cells": cells}
        raise NotebookBusy(f"{self.path} changes all the time.")


def _entire(notebook: Json, wanted: Sequence[str] | None) -> tuple[Json, list[str]]:
    """What ``entire.trimmed`` gives of a shared notebook, without what is not the notebook's own."""
    made: Json = counted(notebook)
    for cell in made["cells"]:
        cell.pop("execution_state", None)
        cell.get("metadata", {}).pop("trusted", None)
        if (made.get("nbformat"), made.get("nbformat_minor")) < (4, 5):
            cell.pop("id", None)
    return trimmed(made, wanted)
