"""The file home: notebooks on disk, read as they are and changed in one step, never in the way of a save.

The law (SECURITY.md F1): what is returned was whole: it parsed, and the file was the same before and after. Neither
reading nor parsing nor writing happens on the event loop: small files are worked on in a thread, larger ones in a
process that gets the open files. Edits of one notebook are made one after the other.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from logging import Logger
from pathlib import Path
from typing import TypeVar

from ..errors import CellNotFound, NotebookBusy, NotebookUnreadable, TooLarge
from .cells import Snapshot, digest, snapshot, unreadable, weight
from .edits import Json
from .entire import TooMuch, entire
from .nbformats import NotANotebook, NotJson, parsed
from .paths import open_below, relative, translated
from .payloads import outputs_of
from .process import ProcessEnded, entire_in_process, outputs_in_process, read_in_process
from .rewriting import contents
from .scan import shortened
from .shared import Kept, Shared
from .state import JUST_NOW, STALE, Sight, State, Unsettled, has_copy, is_saving, same
from .stock import Stock

T = TypeVar("T")

SMALL = 256 * 1024
"""Bytes up to which a thread digests a file, in some milliseconds."""
PAUSES = (0.02, 0.04, 0.08, 0.16, 0.3, 0.4, 0.5, 0.5)
"""Seconds between attempts while a file is being saved: 2 s in all."""
TIMEOUT = 30.0
PROCESSES = 2
THREADS = 4
KEPT_BYTES = 32 * 1024 * 1024
SIGNATURES = 1_000


class Files:
    """The notebooks below ``root``: one digest per content, shared by all who ask, kept for the next."""

    def __init__(
        self, root: Path, *, stock: Stock, allow_hidden: Callable[[], bool], log: Logger, stale: float = STALE
    ) -> None:
        self.root = root
        self.stale = stale
        """Seconds after which a copy of a save beside an unchanging file is what a crash left."""
        self.stock = stock
        self.log = log
        self.turns: dict[str, asyncio.Lock] = {}
        self.tidied: set[Path] = set()
        self.written: Kept[Snapshot] = Kept(KEPT_BYTES)
        """What our own edits made of a notebook: not certain enough to be read, enough to edit on."""
        self.signatures: Kept[tuple[str | None, bool]] = Kept(SIGNATURES)
        """Of what our own edits made: the signature, and whether it had no outputs."""
        self._allow_hidden = allow_hidden
        self._kept: Kept[Snapshot] = Kept(KEPT_BYTES)
        self._shared: Shared[tuple[Snapshot, int | None]] = Shared()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="assistant-notebooks")
        self.processes = asyncio.Semaphore(PROCESSES)
        self._closed = False

    async def named(self, path: str) -> str:
        """``path`` relative to the root; raises ``PathRefused``, ``NotebookNotFound``, ``NotebookUnreadable``."""
        named = relative(path, self.root)
        await self.in_thread(self.look, named)
        return named

    async def read(self, path: str, *, keep: bool = True) -> Snapshot:
        """The notebook at ``path``, a path of ``named``; waits while it is being saved.

        ``keep``: its digest is kept for the next who reads it, in the place of others.
        """

        async def attempt(patient: bool) -> Snapshot:
            return (await self.seen(path, patient, keep=keep))[1]

        return await patiently(attempt)

    async def outputs(self, path: str, cell_ids: Sequence[str]) -> dict[str, tuple[Json, ...]]:
        """The outputs of these cells, whole up to ``payloads.MAX_PAYLOAD``; waits while the notebook is being saved."""

        found = await self._settled(path, lambda state: self._outputs(path, state, list(cell_ids)))
        if missing := [name for name in cell_ids if name not in found]:
            raise CellNotFound(f"{path} has no cell {missing[0][:64]}.")
        return found

    async def nbformat(self, path: str, cell_ids: Sequence[str] | None) -> Json:
        """The notebook as ``entire.entire`` gives it; waits while the notebook is being saved."""
        wanted = None if cell_ids is None else list(cell_ids)
        try:
            found, missing = await self._settled(path, lambda state: self._entire(path, state, wanted))
        except TooMuch:
            raise TooLarge(f"{path} is too large to be given whole.", "Read its cells one by one.") from None
        if missing:
            raise CellNotFound(f"{path} has no cell {missing[0][:64]}.")
        return found

    async def _settled(self, path: str, work: Callable[[State], Awaitable[T]]) -> T:
        """The result of ``work`` on a file that was at rest meanwhile."""

        async def attempt(patient: bool) -> T:
            sight = await self.in_thread(self.look, path)
            if sight.saving and patient:
                raise Unsettled(NotebookBusy(f"{path} is being saved."))
            return await self.judged(path, sight, work(sight.state))

        return await patiently(attempt)

    async def close(self) -> None:
        """Stop what is being read, with its process, and forget the rest."""
        self._closed = True
        await self._shared.close()
        self._threads.shutdown()
        self._kept.clear()
        self.written.clear()
        self.signatures.clear()
        self.stock.close()

    async def seen(
        self, path: str, patient: bool, *, to_edit: bool = False, keep: bool = True
    ) -> tuple[Sight, Snapshot]:
        """The notebook and its file as they are now; raises ``Unsettled`` where they are in motion."""
        sight = await self.in_thread(self.look, path)
        if sight.saving and patient:
            raise Unsettled(NotebookBusy(f"{path} is being saved."))
        kept = self._kept.get(path, sight.state) or (self.written.get(path, sight.state) if to_edit else None)
        if kept:
            return sight, kept
        found, cost = await self._shared.run((path, sight.state), lambda: self._digested(path, sight))
        if keep and cost is not None:
            self._kept.put(path, sight.state, found, cost)
        return sight, found

    def keep_written(self, path: str, state: State, found: Snapshot, *, certain: bool) -> None:
        """What an edit of ours made of a notebook; ``certain``: no other content of the file can be in ``state``."""
        (self._kept if certain else self.written).put(path, state, found, weight(found))

    async def judged(self, path: str, sight: Sight, work: Awaitable[T]) -> T:
        """The result of ``work`` on the file, which must still be the same afterwards; its errors as ours."""
        try:
            found = await work
        except NotJson as error:
            copied = not sight.saving and await self.in_thread(self._has_copy, path)
            raise _torn(path, sight, str(error), copied) from None
        except NotANotebook as error:
            raise unreadable(path, str(error)) from None
        after = await self.in_thread(self.look, path)
        same(path, after.state, sight.state)
        return found

    async def _digested(self, path: str, sight: Sight) -> tuple[Snapshot, int | None]:
        """The notebook and what keeping it costs, None where it may not be kept: a later content may look the same."""
        certain = sight.state.is_certain()
        read = self._small if sight.state.size <= SMALL else self._large
        found, cost = await self.judged(path, sight, read(path, sight.state))
        return found, cost if certain else None

    async def _small(self, path: str, state: State) -> tuple[Snapshot, int]:
        return await self.in_thread(self._parsed, path, state), state.size

    async def _large(self, path: str, state: State) -> tuple[Snapshot, int]:
        try:
            read = await self.in_process(path, state, lambda: read_in_process(self.opened(path, state)))
        except NotImplementedError:
            # Jupyter Server prefers an event loop on Windows that starts no processes.
            return await self.in_thread(self._scanned, path, state), KEPT_BYTES // 8
        header, cells, cost = read
        return snapshot(header, cells, path=path, revision=state.revision, home="file"), cost

    async def _outputs(self, path: str, state: State, cell_ids: list[str]) -> dict[str, tuple[Json, ...]]:
        if state.size > SMALL:
            with suppress(NotImplementedError):
                return await self.in_process(
                    path, state, lambda: outputs_in_process(self.opened(path, state), cell_ids, self.in_thread)
                )
        return await self.in_thread(self._outputs_here, path, state, cell_ids)

    async def _entire(self, path: str, state: State, cell_ids: list[str] | None) -> tuple[Json, list[str]]:
        if state.size > SMALL:
            with suppress(NotImplementedError):
                return await self.in_process(
                    path, state, lambda: entire_in_process(self.opened(path, state), cell_ids, self.in_thread)
                )
        return await self.in_thread(self._entire_here, path, state, cell_ids)

    async def in_process(
        self, path: str, state: State, start: Callable[[], Awaitable[T]], timeout: float = TIMEOUT
    ) -> T:
        """Work on a large file that a process does. ``start`` opens the file itself, when its turn has come:

        not in a thread, since whoever is cancelled while a thread opens a file cannot close it.
        """
        async with self.processes:
            started = time.perf_counter()
            try:
                done = await asyncio.wait_for(start(), timeout)
            except asyncio.TimeoutError:
                raise _too_much(path, f"took longer than {timeout:.0f} s to read") from None
            except ProcessEnded:
                self.log.warning("A process that read a notebook of %d bytes was stopped from outside", state.size)
                raise _too_much(path, "could not be read to its end") from None
        self.log.debug("Worked on a notebook of %d bytes for %.3f s", state.size, time.perf_counter() - started)
        return done

    # ------------------------------------------------------------ in a thread

    async def in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        if self._closed:
            raise NotebookBusy("The server is stopping.")
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    async def cleared(self, work: Callable[[], None]) -> None:
        """``work`` that must be done even when the server stops."""
        try:
            await self.in_thread(work)
        except NotebookBusy:
            work()

    def look(self, path: str) -> Sight:
        """The file as it is now; for a thread."""
        descriptor, real = open_below(self.root, path, allow_hidden=self.allow_hidden)
        try:
            state = State.of(descriptor)
        finally:
            os.close(descriptor)
        return Sight(state, is_saving(real, state, self.stale))

    def _has_copy(self, path: str) -> bool:
        descriptor, real = open_below(self.root, path, allow_hidden=self.allow_hidden)
        os.close(descriptor)
        return has_copy(real)

    def opened(self, path: str, state: State) -> int:
        """A descriptor of the file, which must be in ``state``."""
        descriptor, _ = open_below(self.root, path, allow_hidden=self.allow_hidden)
        try:
            same(path, State.of(descriptor), state)
        except Unsettled:
            os.close(descriptor)
            raise
        return descriptor

    def _parsed(self, path: str, state: State) -> Snapshot:
        with open(self.opened(path, state), "rb", buffering=0) as file:
            try:
                data = file.read(SMALL + 1)
            except OSError as error:
                raise translated(error, path) from None
        return digest(parsed(data), path=path, revision=state.revision)

    def _scanned(self, path: str, state: State) -> Snapshot:
        with open(self.opened(path, state), "rb", buffering=0) as file:
            return digest(shortened(file.read), path=path, revision=state.revision)

    def _outputs_here(self, path: str, state: State, cell_ids: list[str]) -> dict[str, tuple[Json, ...]]:
        return {name: tuple(found) for name, found in outputs_of(self._bytes(path, state), cell_ids)}

    def _entire_here(self, path: str, state: State, cell_ids: list[str] | None) -> tuple[Json, list[str]]:
        return entire(self._bytes(path, state), cell_ids)

    def _bytes(self, path: str, state: State) -> bytes:
        descriptor = self.opened(path, state)
        try:
            return contents(descriptor)
        except OSError as error:
            raise translated(error, path) from None
        finally:
            os.close(descriptor)

    @property
    def allow_hidden(self) -> bool:
        return self._allow_hidden()


async def patiently(attempt: Callable[[bool], Awaitable[T]]) -> T:
    """The result of ``attempt(patient)``, made again while the file is in motion, for 2 s; the last one impatient."""
    for pause in PAUSES:
        try:
            return await attempt(True)
        except Unsettled as unsettled:
            if not unsettled.wait:
                raise unsettled.error from None
        await asyncio.sleep(pause)
    try:
        return await attempt(False)
    except Unsettled as unsettled:
        raise unsettled.error from None


def _torn(path: str, sight: Sight, why: str, copied: bool) -> Unsettled:
    """What does not parse is half a save if the file was touched just now, else broken."""
    if copied:
        broken = NotebookUnreadable(
            f"{path} cannot be read as a notebook: {why}. A save of it was cut off.",
            "Open it in JupyterLab, which brings back the copy from before that save.",
        )
        return Unsettled(broken, wait=sight.state.age() < JUST_NOW)
    if sight.saving:
        return Unsettled(NotebookBusy(f"{path} was being saved and has not come to rest."))
    return Unsettled(unreadable(path, why), wait=sight.state.age() < JUST_NOW)


def _too_much(path: str, what: str) -> NotebookUnreadable:
    return NotebookUnreadable(f"{path} {what}.", "Clear the outputs that are not needed, then try again.")
