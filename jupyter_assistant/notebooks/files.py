"""The file home: notebooks read from disk as they are, without ever getting in the way of a save.

The law (SECURITY.md F1): raw bytes, read-only. Jupyter's own save truncates the file in place beside a copy named
``.~name``; a reader that meets it waits, rereads, and never renames or writes. What is returned was whole: it
parsed, and the file was the same before and after. Neither reading nor parsing happens on the event loop: small
files are digested in a thread, larger ones in a process that gets the open file.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from logging import Logger
from pathlib import Path
from typing import TypeVar

from ..errors import NotebookBusy, NotebookError, NotebookUnreadable
from .cells import Snapshot, digest, snapshot, unreadable
from .nbformats import NotANotebook, NotJson, parsed
from .paths import open_below, relative, translated
from .process import ProcessEnded, read_in_process
from .scan import shortened
from .shared import Kept, Shared

T = TypeVar("T")

SMALL = 256 * 1024
"""Bytes up to which a thread digests a file, in some milliseconds."""
PAUSES = (0.02, 0.04, 0.08, 0.16, 0.3, 0.4, 0.5, 0.5)
"""Seconds between attempts while a file is being saved: 2 s in all."""
STALE = 10.0
"""Seconds after which a ``.~name`` beside an unchanging file is what a crash left, not a save."""
FINE, COARSE = 0.1, 2.0
"""Seconds after which a file system's clock tells a new content from the last one; whole seconds look coarse."""
JUST_NOW = 2.0
"""Seconds since the last change within which bytes that do not parse may still be half of a save."""
TIMEOUT = 30.0
PROCESSES = 2
THREADS = 4
KEPT_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class State:
    """Which content a file has, as far as the file system tells."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, descriptor: int) -> State:
        found = os.fstat(descriptor)
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    @property
    def revision(self) -> str:
        return f"{self.inode:x}-{self.size:x}-{self.modified_ns:x}-{self.changed_ns:x}"

    def age(self) -> float:
        """Seconds since the content last changed, by its own account."""
        return time.time() - self.modified_ns / 1e9

    def is_certain(self) -> bool:
        """Whether any later content would show other times than these."""
        coarse = self.modified_ns % 1_000_000_000 == 0 or self.changed_ns % 1_000_000_000 == 0
        latest = max(self.modified_ns, self.changed_ns) / 1e9
        return time.time() - latest > (COARSE if coarse else FINE)


@dataclass(frozen=True, slots=True)
class Sight:
    """A file as one look found it; ``saving`` while a save is writing it."""

    state: State
    saving: bool


class Unsettled(Exception):
    """The file could not be read just now; ``error`` is what to say if it stays so, ``wait`` whether it may change."""

    def __init__(self, error: NotebookError, *, wait: bool = True) -> None:
        super().__init__(error.text)
        self.error = error
        self.wait = wait


@dataclass(frozen=True, slots=True)
class FileDocument:
    """A notebook whose home is the file; ``path`` is relative to the server's root."""

    path: str
    files: Files

    async def read(self) -> Snapshot:
        """Its content now; raises as ``Files.open``, and ``NotebookBusy`` where a save takes more than 2 s."""
        return await self.files.read(self.path)


class Files:
    """The notebooks below ``root``: one digest per content, shared by all who ask, kept for the next."""

    def __init__(self, root: Path, *, allow_hidden: Callable[[], bool], log: Logger) -> None:
        self._root = root
        self._allow_hidden = allow_hidden
        self._log = log
        self._kept: Kept[Snapshot] = Kept(KEPT_BYTES)
        self._shared: Shared[Snapshot] = Shared()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="assistant-notebooks")
        self._processes = asyncio.Semaphore(PROCESSES)
        self._closed = False

    async def open(self, path: str) -> FileDocument:
        """The notebook at ``path``; raises ``PathRefused``, ``NotebookNotFound``, ``NotebookUnreadable``."""
        named = relative(path, self._root)
        await self._in_thread(self._look, named)
        return FileDocument(named, self)

    async def read(self, path: str) -> Snapshot:
        """The notebook at ``path``, a path of ``open``; waits while it is being saved."""
        for pause in PAUSES:
            try:
                return await self._attempt(path)
            except Unsettled as unsettled:
                if not unsettled.wait:
                    raise unsettled.error from None
            await asyncio.sleep(pause)
        try:
            return await self._attempt(path, patient=False)
        except Unsettled as unsettled:
            raise unsettled.error from None

    async def close(self) -> None:
        """Stop what is being read, with its process, and forget the rest."""
        self._closed = True
        await self._shared.close()
        self._threads.shutdown()
        self._kept.clear()

    async def _attempt(self, path: str, *, patient: bool = True) -> Snapshot:
        sight = await self._in_thread(self._look, path)
        if sight.saving and patient:
            raise Unsettled(NotebookBusy(f"{path} is being saved."))
        if kept := self._kept.get(path, sight.state):
            return kept
        return await self._shared.run((path, sight.state), lambda: self._digested(path, sight))

    async def _digested(self, path: str, sight: Sight) -> Snapshot:
        certain = sight.state.is_certain()
        read = self._small if sight.state.size <= SMALL else self._large
        try:
            found, cost = await read(path, sight.state)
        except NotJson as error:
            raise _torn(path, sight, str(error)) from None
        except NotANotebook as error:
            raise unreadable(path, str(error)) from None
        after = await self._in_thread(self._look, path)
        _same(path, after.state, sight.state)
        if certain:
            self._kept.put(path, sight.state, found, cost)
        return found

    async def _small(self, path: str, state: State) -> tuple[Snapshot, int]:
        return await self._in_thread(self._parsed, path, state), state.size

    async def _large(self, path: str, state: State) -> tuple[Snapshot, int]:
        async with self._processes:
            started = time.perf_counter()
            try:
                # Opened here, not in a thread: whoever is cancelled while a thread opens a file cannot close it.
                header, cells, cost = await asyncio.wait_for(read_in_process(self._opened(path, state)), TIMEOUT)
            except NotImplementedError:
                # Jupyter Server prefers an event loop on Windows that starts no processes.
                return await self._in_thread(self._scanned, path, state), KEPT_BYTES // 8
            except asyncio.TimeoutError:
                raise _too_much(path, f"took longer than {TIMEOUT:.0f} s to read") from None
            except ProcessEnded:
                self._log.warning("A process that read a notebook of %d bytes was stopped from outside", state.size)
                raise _too_much(path, "could not be read to its end") from None
        self._log.debug("Read a notebook of %d bytes in %.3f s", state.size, time.perf_counter() - started)
        return snapshot(header, cells, path=path, revision=state.revision, home="file"), cost

    # ------------------------------------------------------------ in a thread

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        if self._closed:
            raise NotebookBusy("The server is stopping.")
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    def _look(self, path: str) -> Sight:
        descriptor, real = open_below(self._root, path, allow_hidden=self._allow_hidden())
        try:
            state = State.of(descriptor)
        finally:
            os.close(descriptor)
        return Sight(state, _is_saving(real, state))

    def _opened(self, path: str, state: State) -> int:
        """A descriptor of the file, which must be in ``state``."""
        descriptor, _ = open_below(self._root, path, allow_hidden=self._allow_hidden())
        try:
            _same(path, State.of(descriptor), state)
        except Unsettled:
            os.close(descriptor)
            raise
        return descriptor

    def _parsed(self, path: str, state: State) -> Snapshot:
        with open(self._opened(path, state), "rb", buffering=0) as file:
            try:
                data = file.read(SMALL + 1)
            except OSError as error:
                raise translated(error, path) from None
        return digest(parsed(data), path=path, revision=state.revision)

    def _scanned(self, path: str, state: State) -> Snapshot:
        with open(self._opened(path, state), "rb", buffering=0) as file:
            return digest(shortened(file.read), path=path, revision=state.revision)


def _is_saving(real: Path, state: State) -> bool:
    """Whether a save's copy ``.~name`` lies beside the file and is no leftover of a crash."""
    try:
        beside = os.lstat(real.with_name(f".~{real.name}"))
    except OSError:
        return False
    return min(time.time() - beside.st_ctime, state.age()) < STALE


def _same(path: str, now: State, before: State) -> None:
    if now != before:
        raise Unsettled(NotebookBusy(f"{path} changes while it is read."))


def _torn(path: str, sight: Sight, why: str) -> Unsettled:
    """What does not parse is half a save if the file was touched just now, else broken."""
    if sight.saving:
        return Unsettled(NotebookBusy(f"{path} was being saved and has not come to rest."))
    return Unsettled(unreadable(path, why), wait=sight.state.age() < JUST_NOW)


def _too_much(path: str, what: str) -> NotebookUnreadable:
    return NotebookUnreadable(f"{path} {what}.", "Clear the outputs that are not needed, then try again.")
