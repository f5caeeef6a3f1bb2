"""A notebook whose home is a tab: read, changed and run where its user sees it.

The law (DESIGN §6): while a tab has it open, its file is never written here. A tab that does not answer within 2 s
gives way to the file for a read, which says so (``Snapshot.note``); a change or a run fails then. What was on its way
when a tab closed fails, and says what may have come of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from ...errors import CellNotFound, NotebookBusy, TabClosed, TabUnresponsive
from ..cells import Snapshot
from ..edits import Change, Edit, Json, Plan, decide
from ..entire import trimmed
from ..payloads import bounded
from .asking import Asked, asked, change
from .faults import GONE, Stale, told, unresponsive
from .reading import BadAnswer, Known, Unknown, notebook, taken, with_outputs
from .running import TabRun
from .window import Lost, Opened

if TYPE_CHECKING:
    from ..document import Document

TRIES = 4
LONG = 60.0
"""Seconds a window that answers its pings may take for a change and its save."""
MANY = 200
"""Cells from which edits are decided on in a thread."""
LAST_SAVED = "JupyterLab, which has it open, did not answer: this is what was saved last, without unsaved changes."


class Choice(Protocol):
    """What a document asks of all tabs."""

    answer_seconds: float

    def to_read(self, opened: Opened) -> Opened | None:
        """Which of the places that have the notebook open to read; None where none has."""

    def to_change(self, opened: Opened) -> Opened | None:
        """Which of them to change; raises ``EditRefused``."""

    def turn(self, path: str) -> asyncio.Lock:
        """Whose turn it is to change the notebook at ``path``."""

    async def saved(self, opened: Opened) -> None:
        """It was saved there: other places take it up."""

    def saved_elsewhere(self, opened: Opened) -> None:
        """Its file was written: all places take it up."""


class TabDocument:
    """A notebook that is open in JupyterLab; ``stored`` opens it in its storage, once no tab has it any more."""

    def __init__(self, choice: Choice, opened: Opened, stored: Callable[[str], Awaitable[Document]]) -> None:
        self._choice = choice
        self._opened = opened
        self._stored = stored

    @property
    def path(self) -> str:
        return self._opened.shown.path

    async def read(self) -> Snapshot:
        """Its content now, as its user sees it; raises as ``Document.read``."""
        opened = self._choice.to_read(self._opened)
        if opened is None:
            return await (await self._stored(self.path)).read()
        try:
            return await self._read(opened)
        except (TabUnresponsive, TabClosed):
            snapshot = await (await self._stored(self.path)).read()
            return replace(snapshot, note=LAST_SAVED) if opened.is_open else snapshot

    async def outputs(self, cell_ids: Sequence[str]) -> Mapping[str, tuple[Json, ...]]:
        """The outputs of these cells; raises ``CellNotFound`` and as ``read``."""
        opened = self._choice.to_read(self._opened)
        if opened is not None:
            with suppress(TabUnresponsive, TabClosed):
                return {name: await self._outputs(opened, name) for name in dict.fromkeys(cell_ids)}
        return await (await self._stored(self.path)).outputs(cell_ids)

    async def nbformat(self, cell_ids: Sequence[str] | None = None) -> Json:
        """The notebook as nbformat 4 JSON; raises ``CellNotFound`` and as ``read``."""
        opened = self._choice.to_read(self._opened)
        if opened is not None:
            with suppress(TabUnresponsive, TabClosed):
                return await self._nbformat(opened, cell_ids)
        return await (await self._stored(self.path)).nbformat(cell_ids)

    async def apply(self, edits: Sequence[Edit], expected: Mapping[str, str] = {}) -> Change:
        """Make all ``edits`` or none, in the tab; saved where it was saved before.

        Raises ``TabUnresponsive``, ``TabClosed`` and as ``Document.apply``.
        """
        async with self._choice.turn(self.path):
            for _ in range(TRIES):
                opened = self._changed_in()
                if opened is None:
                    return await (await self._stored(self.path)).apply(edits, expected)
                plan, ask = await self._decided(opened, edits, expected)
                if plan.is_empty:
                    return plan.change(self.path, opened.remembered.snapshot.revision)
                made = await self._made(opened, plan, ask)
                if made is not None:
                    return made
        raise NotebookBusy(f"{self.path} changes all the time.", "Try again when nobody types in that cell.")

    def saved_elsewhere(self) -> None:
        """Its file was written while a tab opened it."""
        self._choice.saved_elsewhere(self._opened)

    async def ready(self) -> bool:
        """Whether a tab runs its cells; False once it was closed.

        Raises ``TabUnresponsive``, ``TabClosed`` or ``EditRefused`` where one should and cannot now.
        """
        opened = self._changed_in()
        if opened is not None:
            await self._read(opened)
        return opened is not None

    async def start(self, cell_ids: Sequence[str], hear: Callable[[Sequence[Json]], None]) -> TabRun:
        """Begin to run these cells in the tab, as its user would; ``hear`` is given what changes of them.

        Raises as ``ready``.
        """
        with told(self.path, "run", sent=False):
            opened = self._changed_in()
            if opened is None:
                raise Lost(for_good=True)
            asking = opened.begin("run", {"cell_ids": list(cell_ids)}, hear=hear, change=True)
        return TabRun(self.path, asking, saved=self._choice.saved)

    # ------------------------------------------------------------ reading

    async def _read(self, opened: Opened) -> Snapshot:
        """Raises ``TabUnresponsive``, ``TabClosed``."""
        with told(self.path, "read", sent=False):
            async with opened.turn:
                before: Known | None = opened.remembered
                try:
                    known = await self._known(opened, before)
                except Unknown:
                    known = await self._known(opened, None)
                opened.remembered = known
                return known.snapshot

    async def _known(self, opened: Opened, before: Known | None) -> Known:
        known = {} if before is None else {"known": before.snapshot.revision}
        answer = await self._answer(opened, "read", known)
        if answer.get("cells"):
            return await asyncio.to_thread(taken, before, answer, self.path)
        return taken(before, answer, self.path)

    async def _answer(self, opened: Opened, method: str, params: Json) -> Json:
        """What a window answers at once, unless it has just left somebody without an answer."""
        if opened.is_open and not opened.is_answering:
            raise unresponsive(self.path)
        try:
            return await asyncio.wait_for(opened.ask(method, params), self._choice.answer_seconds)
        except asyncio.TimeoutError:
            opened.window.is_silent = True
            raise unresponsive(self.path) from None

    async def _outputs(self, opened: Opened, cell_id: str) -> tuple[Json, ...]:
        """A cell at a time: each answer stays within a frame."""
        with told(self.path, "read", sent=False):
            answer = await self._answer(opened, "outputs", {"cell_ids": [cell_id]})
            found = answer.get("outputs")
            outputs = found.get(cell_id) if isinstance(found, dict) else None
            if not isinstance(outputs, list) or not all(isinstance(output, dict) for output in outputs):
                raise BadAnswer("outputs that are no list of objects")
            return tuple(map(bounded, outputs))

    async def _nbformat(self, opened: Opened, cell_ids: Sequence[str] | None) -> Json:
        with told(self.path, "read", sent=False):
            answer = await self._answer(opened, "read", {})
            content, shortened = notebook(answer, cell_ids)
        whole = {name: await self._outputs(opened, name) for name in shortened}
        found, missing = await asyncio.to_thread(trimmed, with_outputs(content, whole), cell_ids)
        if missing:
            raise CellNotFound(f"{self.path} has no cell {missing[0][:64]}.")
        return found

    # ------------------------------------------------------------ changing

    def _changed_in(self) -> Opened | None:
        """Where to change it, None where it was closed as it was saved; raises ``EditRefused``, ``TabClosed``."""
        opened = self._choice.to_change(self._opened)
        if opened is None and self._opened.shown.dirty:
            raise TabClosed(f"The tab with {self.path} was closed with unsaved changes; nothing was done.", GONE)
        return opened

    async def _decided(self, opened: Opened, edits: Sequence[Edit], expected: Mapping[str, str]) -> tuple[Plan, Asked]:
        snapshot = await self._read(opened)
        if len(snapshot.cells) > MANY:
            plan = await asyncio.to_thread(decide, snapshot, edits, expected)
        else:
            plan = decide(snapshot, edits, expected)
        return plan, asked(edits, snapshot, expected)

    async def _made(self, opened: Opened, plan: Plan, ask: Asked) -> Change | None:
        """The change as the tab made it; None where somebody typed meanwhile: look again."""
        wanted: Json = {"edits": ask.edits, "expected": ask.expected}
        try:
            with told(self.path, "edit", sent=True):
                answer = await asyncio.wait_for(opened.ask("apply", wanted, change=True), LONG)
                made = change(plan, answer, self.path)
        except asyncio.TimeoutError:
            raise unresponsive(self.path, sent="edit") from None
        except Stale:
            return None
        if answer.get("saved") is True:
            await self._choice.saved(opened)
        return made
