"""Edits of a notebook whose home is the file: read, decided, written beside it, put in its place, verified.

The law (DESIGN §2, law 3): all or nothing, and only onto the very content the edits were decided on. Edits of one
notebook wait for each other; a save of Jupyter Server is waited for, and then the edits are decided anew. Who is
cancelled leaves a notebook that is the old one or the new one, saved as any other.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ..errors import EditRefused, NotebookBusy, SaveFailed
from .cells import Snapshot, is_plain
from .edits import Change, Edit, Plan, Upgrade, decide, revised
from .files import Files, patiently
from .nbformats import NotANotebook
from .process import write_in_process
from .rewriting import NotWritten, contents, rewrite, write
from .saving import Draft, failed
from .signing import rejoined, signature
from .splice import Changed, respliced
from .state import State, Unsettled

T = TypeVar("T")

SMALL = 1024 * 1024
"""Bytes up to which a thread writes a notebook anew: it takes less of the loop than the start of a process."""
TIMEOUT = 120.0
"""Seconds that writing a large notebook may take."""


async def apply(files: Files, path: str, edits: Sequence[Edit], expected: Mapping[str, str]) -> Change:
    """Make all ``edits`` of the notebook at ``path``, or none; raises as ``Document.apply``."""

    async def attempt(patient: bool) -> Change:
        sight, snapshot = await files.seen(path, patient, to_edit=True)
        if snapshot.nbformat < (4, 0) and any(isinstance(edit, Upgrade) for edit in edits):
            return await _Edit(files, path, sight.state, snapshot).convert()
        plan = await files.in_thread(decide, snapshot, edits, expected)
        if plan.is_empty:
            return plan.change(path, snapshot.revision)
        return await _Edit(files, path, sight.state, snapshot).make(plan)

    async with _turn(files.turns, path):
        return await patiently(attempt)


@asynccontextmanager
async def _turn(turns: dict[str, asyncio.Lock], path: str) -> AsyncIterator[None]:
    """One edit of a notebook at a time; locks that nobody wants are forgotten."""
    lock = turns.setdefault(path, asyncio.Lock())
    try:
        async with lock:
            yield
    finally:
        if not lock.locked() and turns.get(path) is lock and not getattr(lock, "_waiters", None):
            del turns[path]


@dataclass(frozen=True, slots=True)
class _Edit:
    """One attempt at a change of the file in ``state``, of which ``snapshot`` was read."""

    files: Files
    path: str
    state: State
    snapshot: Snapshot

    async def make(self, plan: Plan) -> Change:
        async with self._draft() as draft:
            signed = await self._written(draft, plan)
            if self.files.stock.has_pre_hooks:
                plan, signed = await self._hooked(draft, plan, signed)
            return await finished(self._commit(draft, plan, signed))

    async def convert(self) -> Change:
        """A notebook of nbformat 2 or 3 as nbformat 4.5, with the user's consent."""
        async with self._draft() as draft:
            await finished(self.files.in_thread(self._converted, draft))
            state = await finished(self.files.in_thread(self._committed, draft))
        return Change(self.path, state.revision, (), (), "")

    @asynccontextmanager
    async def _draft(self) -> AsyncIterator[Draft]:
        opening = asyncio.ensure_future(self.files.in_thread(self._begun))
        try:
            draft = await asyncio.shield(opening)
        except asyncio.CancelledError:
            with suppress(Exception):  # whoever waited for its error is gone
                (await opening).close()
            raise
        try:
            yield draft
        finally:
            # Not here: closing the last of a large file that was replaced frees it.
            await finished(self.files.cleared(draft.close))

    # ------------------------------------------------------------ the new content

    async def _written(self, draft: Draft, plan: Plan) -> dict[str, Any]:
        """The plan carried out in the draft; signatures of the content before and after."""
        seal = self.files.stock.seal()
        known = self.files.signatures.get(self.path, self.state)
        wire = {**plan.wire(), "seal": seal and (seal[0].hex(), seal[1]), "signed": known}
        try:
            if self.state.size > SMALL:
                with suppress(NotImplementedError):  # an event loop of Windows that starts no processes
                    return await self._by_process(draft, wire)
            return await finished(self.files.in_thread(self._rewritten, draft, wire))
        except Changed:
            self.files.written.clear()
            raise Unsettled(NotebookBusy(f"{self.path} changes while it is edited.")) from None
        except (NotANotebook, NotWritten):
            await self._unmoved()
            self.files.log.exception("The edit of a notebook of %d bytes did not come out", self.state.size)
            raise SaveFailed(f"{self.path} could not be edited; it is as it was.") from None
        except OSError as error:
            raise failed(error, self.path) from None

    async def _unmoved(self) -> None:
        """Raise ``Unsettled`` where the file is not what it was: half of a save may have been read."""
        sight = await self.files.in_thread(self.files.look, self.path)
        if sight.saving or sight.state != self.state:
            raise Unsettled(NotebookBusy(f"{self.path} changes while it is edited."))

    async def _by_process(self, draft: Draft, wire: dict[str, Any]) -> dict[str, Any]:
        files = self.files
        return await files.in_process(
            self.path,
            self.state,
            lambda: write_in_process(files.opened(self.path, self.state), draft.descriptor, wire, files.in_thread),
            TIMEOUT,
        )

    async def _hooked(self, draft: Draft, plan: Plan, signed: dict[str, Any]) -> tuple[Plan, dict[str, Any]]:
        """What the user's save hooks make of the new content, written where it differs."""
        before, content = await finished(self.files.in_thread(_parsed_twice, draft.descriptor))
        made = self.files.stock.run_pre_hooks(self.path, content)
        if not await self.files.in_thread(_differ, before, made):
            return plan, signed
        work = self.files.in_thread(self._rehooked, draft, before, made, self.files.stock.seal())
        return revised(plan, self.snapshot, made), {**signed, "after": await finished(work)}

    # ------------------------------------------------------------ the commit

    async def _commit(self, draft: Draft, plan: Plan, signed: dict[str, Any]) -> Change:
        files = self.files
        before, bare = signed["before"]
        after, empty = signed["after"]
        await files.stock.keep_trust(before, bare, after, files.in_thread)  # first: nobody shall see it mistrusted
        made = await files.in_thread(plan.applied, self.snapshot)
        state = await files.in_thread(self._committed, draft)
        files.signatures.put(self.path, state, (after, empty), 1)
        if made is not None:
            certain = draft.is_only(state) and is_plain(self.snapshot) and is_plain(made)
            files.keep_written(self.path, state, replace(made, revision=state.revision), certain=certain)
        if files.stock.has_post_hooks and not files.stock.run_post_hooks(self.path, draft.place.real):
            files.log.warning("A post-save hook failed after an edit; the notebook is saved")
        return plan.change(self.path, state.revision)

    # ------------------------------------------------------------ in a thread

    def _begun(self) -> Draft:
        draft = Draft(self.files.root, self.path, allow_hidden=self.files.allow_hidden, stale=self.files.stale)
        if draft.place.real.parent not in self.files.tidied:
            self.files.tidied.add(draft.place.real.parent)
            draft.place.tidy()
        return draft

    def _rewritten(self, draft: Draft, wire: dict[str, Any]) -> dict[str, Any]:
        source = self.files.opened(self.path, self.state)
        try:
            return rewrite(source, draft.descriptor, wire)
        finally:
            os.close(source)

    def _rehooked(
        self, draft: Draft, before: Any, made: Any, seal: tuple[bytes, str] | None
    ) -> tuple[str | None, bool]:
        try:
            pieces = respliced(contents(draft.descriptor), before, made)
            write(draft.descriptor, [b"".join(pieces)])
        except OSError as error:
            raise failed(error, self.path) from None
        except (NotANotebook, KeyError, TypeError, ValueError, AttributeError):
            raise SaveFailed(f"{self.path} was not saved: a save hook of this server made it invalid.") from None
        return signature(contents(draft.descriptor), seal)

    def _converted(self, draft: Draft) -> None:
        import nbformat

        source = self.files.opened(self.path, self.state)
        try:
            notebook = nbformat.reads(contents(source).decode("utf-8-sig"), as_version=4)
            notebook.nbformat_minor = max(5, notebook.nbformat_minor)
            text = nbformat.writes(notebook) + "\n"
            write(draft.descriptor, [text.encode("utf-8", "surrogatepass")])
        except OSError as error:
            raise failed(error, self.path) from None
        except Exception:  # nbformat's upgrade raises whatever an odd notebook makes it raise
            raise EditRefused(f"{self.path} cannot be converted to nbformat 4.5.") from None
        finally:
            os.close(source)

    def _committed(self, draft: Draft) -> State:
        with self.files.stock.between_saves(draft.place.real) as free:
            state = draft.commit(self.state, free)
        draft.place.settle()
        return state


def _parsed_twice(descriptor: int) -> tuple[Any, Any]:
    text = contents(descriptor).decode("utf-8-sig")
    return rejoined(json.loads(text)), rejoined(json.loads(text))


def _differ(before: object, made: object) -> bool:
    return before != made


async def finished(work: Awaitable[T]) -> T:
    """The result of ``work``, which is waited for to its end even by who is cancelled."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    finally:
        while not task.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait({task})
        if not task.cancelled():
            task.exception()
