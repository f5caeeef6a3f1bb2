"""The user's conversations and the event logs of their runs, in one SQLite file.

The law: nothing a user was shown as kept is lost, nothing here blocks the event loop, and a file that cannot be
used is an error of the one call (``StoreUnavailable``), never of the chat. One thread owns the one connection.

``database`` is the file, ``schema`` its tables, ``records`` conversations and messages, ``logs`` runs,
``unwritten`` what waits for the disk, ``process`` whose a run is, ``markdown`` the export.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from ..errors import InvalidInput, NotFound, StoreUnavailable
from ..messages import Json, Message
from . import logs, records
from .database import Database, Job
from .logs import Ending, Kept, Progress, StoredRun
from .process import Process
from .records import Asked, Begun
from .unwritten import Unwritten

__all__ = ["Begun", "Conversations", "Ending", "StoredRun"]

T = TypeVar("T")
Messages = list[Message]

EXPORT_VERSION: Final = 1
"""Of the JSON export; raised when its shape changes."""


class Conversations:
    """Conversations, messages and run logs, by owner. Every call but ``checkpoint`` may raise ``StoreUnavailable``.

    ``path`` None keeps everything in memory. Of the conversations that are not pinned, ``unpinned_limit`` (at
    least 1) are listed and the older ones archived. Events are kept for the newest ``kept_logs`` runs of an owner,
    up to ``kept_log_bytes`` (compressed). ``busy_timeout`` is how many seconds a lock of another process is waited
    for; ``max_bytes`` the most the file may grow to. ``clock`` tells epoch seconds.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        log: logging.Logger | logging.LoggerAdapter[logging.Logger],
        unpinned_limit: int = 20,
        kept_logs: int = 200,
        kept_log_bytes: int = 64 * 2**20,
        busy_timeout: float = 5.0,
        max_bytes: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._log = log
        self._unpinned_limit = unpinned_limit
        self._kept = Kept(kept_logs, kept_log_bytes)
        self._clock = clock
        self._process = Process.current()
        self._database = Database(path, log=log, clock=clock, busy_timeout=busy_timeout, max_bytes=max_bytes)
        self._unwritten = Unwritten()
        self._running: set[str] = set()
        # Starts its thread at the first call, and lets the interpreter end even if close() is never reached.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="conversations")
        self._closed = False

    @property
    def state(self) -> Json:
        """``{"state": "ok" | "unavailable" | "reset" | "newer", "detail"?}``, as the last call found the file."""
        state = self._database.state
        return {"state": state.name, **({"detail": state.detail} if state.detail else {})}

    async def open(self) -> None:
        """Open the file and end the runs a dead server left; whatever is wrong with the file is told by ``state``."""
        with suppress(StoreUnavailable):
            await self._read(lambda _: None)

    async def close(self) -> None:
        """Write what waits, end this server's own runs as interrupted, close the file, end the thread."""
        if self._closed:
            return
        closing = self._thread.submit(self._finish)
        self._closed = True
        try:
            await asyncio.shield(asyncio.wrap_future(closing))
        finally:
            self._thread.shutdown(wait=closing.done())

    # ------------------------------------------------------------ conversations

    async def list(self, owner: str, *, archived: bool = False) -> Json:
        """``{"conversations": [...], "archived": n}``: pinned first, then newest; or the archived ones instead."""
        return await self._read(lambda connection: records.listing(connection, owner, archived=archived))

    async def create(self, owner: str, title: str = "") -> Json:
        """A new conversation, as ``get`` gives it; without a title it takes that of its first question."""
        line = records.given_title(title) if title else ""
        return await self._write(
            lambda connection: records.create(
                connection, owner, line, now=self._clock(), unpinned_limit=self._unpinned_limit
            )
        )

    async def get(self, owner: str, id: str) -> Json:
        """``{id, title, created, updated, pinned, run_id, messages: [{id, role, parts, run_id, state, created,
        model?}]}``, messages oldest first; ``run_id`` of the conversation is that of the running answer, or None.
        """
        return await self._read(lambda connection: records.conversation(connection, owner, id))

    async def update(self, owner: str, id: str, *, title: str | None = None, pinned: bool | None = None) -> Json:
        """Rename or pin; what is None stays. Gives the conversation, as ``get`` does."""
        line = None if title is None else records.given_title(title)
        return await self._write(
            lambda connection: records.update(
                connection, owner, id, title=line, pinned=pinned, unpinned_limit=self._unpinned_limit
            )
        )

    async def delete(self, owner: str, id: str) -> None:
        """Remove a conversation from the file for good; ``ConversationBusy`` while an answer is running in it."""
        await self._do(self._delete, owner, id)

    async def export(self, owner: str, id: str, format: str) -> tuple[str, str]:
        """A file name (ASCII) and its text: ``md`` for people, ``json`` whole."""
        if format not in ("md", "json"):
            raise InvalidInput("format", "must be md or json")
        return await self._read(lambda connection: _export(records.conversation(connection, owner, id), format))

    async def history(self, owner: str, id: str, limit: int) -> Messages:
        """What was said, for the model: the newest whole exchanges in at most ``limit`` messages, oldest first.

        An answer that was cancelled, interrupted or failed counts with the text it has; a question that was never
        answered, and the one running now, are left out.
        """
        return await self._read(lambda connection: records.history(connection, owner, id, limit))

    # ------------------------------------------------------------ runs

    async def begin(
        self,
        owner: str,
        *,
        conversation_id: str | None,
        request_id: str | None,
        run_id: str,
        model: str,
        text: str,
    ) -> Begun:
        """Store a question and the empty answer of its run, in a new conversation where none is named.

        Raises ``ConversationBusy`` with the run that is still running there, or ``NotFound``.
        """
        request_id = None if request_id is None else records.storable(request_id)
        asked = Asked(owner, conversation_id, request_id, run_id, model, text)
        self._running.add(run_id)
        try:
            begun = await self._write(lambda connection: self._begin(connection, asked))
        except asyncio.CancelledError:
            # It may have been written all the same: nobody would end it, and the conversation stay busy.
            self._running.discard(run_id)
            self._submit(self._abandon, run_id)
            raise
        except Exception:
            self._running.discard(run_id)
            raise
        if begun.repeated:
            self._running.discard(run_id)
        return begun

    async def checkpoint(self, run_id: str, parts: Sequence[Json], frames: bytes, last: int) -> None:
        """Note how far a run is, to be written soon; returns at once and never raises ``StoreUnavailable``.

        ``frames`` are the events encoded since the call before, ``last`` the number of the last of them. Calls
        that come faster than the disk writes are joined.
        """
        if run_id in self._running:
            self._queue(Progress(run_id, records.dump(parts), ((last, frames),)))

    async def end(self, run_id: str, *, parts: Sequence[Json], state: Ending, frames: bytes, last: int) -> None:
        """Write a run's last state; on disk when it returns.

        On ``StoreUnavailable`` it is kept and written with the next call that can write, while the process lives.
        """
        if run_id not in self._running:
            raise StoreUnavailable("This answer is not kept: its question could not be stored.")
        progress = Progress(run_id, records.dump(parts), ((last, frames),), state)
        self._unwritten.add(progress)
        self._running.discard(run_id)
        await self._do(self._end, run_id)

    async def run(self, owner: str, run_id: str) -> StoredRun | None:
        """A run as far as it is stored, None when the owner has none by that id."""
        return await self._read(lambda connection: logs.run(connection, owner, run_id))

    # ------------------------------------------------------------ to the thread

    async def _read(self, job: Job[T]) -> T:
        return await self._do(self._read_there, job)

    async def _write(self, job: Job[T]) -> T:
        return await self._do(self._write_there, job)

    async def _do(self, function: Callable[..., T], *args: object) -> T:
        """Run in the store's thread. What was started there is finished there, even if the caller is cancelled."""
        if self._closed:
            raise StoreUnavailable("The conversations are closed: the server is stopping.")
        future = asyncio.wrap_future(self._thread.submit(function, *args))
        try:
            return await asyncio.shield(future)
        except UnicodeEncodeError as exc:
            raise NotFound("An id that is no text names nothing.") from exc

    def _queue(self, progress: Progress) -> None:
        if self._unwritten.add(progress):
            self._submit(self._flush_quietly)

    def _submit(self, function: Callable[..., None], *args: object) -> None:
        """Run in the store's thread, unless it is ending; nobody waits for it."""
        if not self._closed:
            self._thread.submit(function, *args)

    # ------------------------------------------------------------ in the thread

    def _read_there(self, job: Job[T]) -> T:
        with suppress(StoreUnavailable):
            self._flush()
        left, result = self._database.read(lambda connection: (self._left(connection), job(connection)))
        if not left:
            return result
        with suppress(StoreUnavailable):
            self._database.write(self._settle)
        return self._database.read(job)

    def _write_there(self, job: Job[T]) -> T:
        self._flush()
        return self._write_settled(job)

    def _write_settled(self, job: Job[T]) -> T:
        def settled(connection: sqlite3.Connection) -> T:
            self._settle(connection)
            return job(connection)

        return self._database.write(settled)

    def _left(self, connection: sqlite3.Connection) -> Sequence[str]:
        return logs.left_by_others(connection, self._process, self._clock())

    def _settle(self, connection: sqlite3.Connection) -> None:
        """End the runs of servers that are dead."""
        logs.interrupt(connection, self._left(connection), self._clock())

    def _begin(self, connection: sqlite3.Connection, asked: Asked) -> Begun:
        return records.begin(
            connection, asked, server=str(self._process), now=self._clock(), unpinned_limit=self._unpinned_limit
        )

    def _delete(self, owner: str, id: str) -> None:
        """A full disk must not keep the user from making room: what waits may go on waiting."""
        with suppress(StoreUnavailable):
            self._flush()
        over = self._unwritten.ended()
        self._write_settled(lambda connection: records.delete(connection, owner, id, over=over))

    def _end(self, run_id: str) -> None:
        self._flush()
        if not self._database.read(lambda connection: logs.is_known(connection, run_id)):
            raise StoreUnavailable("This answer is not kept: its conversation is no longer in the file.")

    def _flush(self) -> None:
        taken = self._unwritten.take()
        if not taken:
            return
        try:
            self._database.write(lambda connection: self._advance(connection, taken))
        except StoreUnavailable:
            self._unwritten.put_back(taken)
            raise

    def _flush_quietly(self) -> None:
        try:
            self._flush()
        except StoreUnavailable:
            return  # told by state; tried again with the next call
        except Exception:
            self._log.exception("conversations: progress of runs could not be written")

    def _abandon(self, run_id: str) -> None:
        with suppress(StoreUnavailable):
            self._database.write(lambda connection: logs.interrupt(connection, [run_id], self._clock()))

    def _advance(self, connection: sqlite3.Connection, taken: Sequence[Progress]) -> None:
        for progress in taken:
            logs.advance(connection, progress, now=self._clock(), kept=self._kept)

    def _finish(self) -> None:
        """Last of all in the thread; a file that cannot be used must not keep the server from stopping."""
        with suppress(StoreUnavailable):
            self._flush()
            left = self._database.read(lambda connection: logs.left_by(connection, self._process))
            if left:
                self._database.write(lambda connection: logs.interrupt(connection, left, self._clock()))
        self._database.close()


def _export(conversation: Json, format: str) -> tuple[str, str]:
    from . import markdown  # a millisecond of patterns that a server start need not pay

    name = markdown.file_name(conversation, format)
    if format == "md":
        return name, markdown.rendered(conversation)
    return name, json.dumps({"version": EXPORT_VERSION, **conversation}, ensure_ascii=False, indent=2) + "\n"
