"""The one use case: a question becomes a run.

The law: a question that was accepted is answered by events, whatever goes wrong: the last is always ``done``, and
the store has the answer before a reader learns that it has ended.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import secrets
import time
from collections.abc import Callable, Coroutine
from contextlib import aclosing, suppress
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any, Protocol

from .. import context
from ..context.workspace import summary
from ..conversations import Conversations
from ..errors import AssistantError, ConversationBusy, NotFound, StoreUnavailable
from ..llm import Model, Models
from ..messages import (
    EndState,
    Failed,
    Finish,
    Json,
    Message,
    Question,
    Reason,
    RunStarted,
    Sources,
    Status,
    Title,
    Usage,
)
from ..notebooks import Notebooks
from ..runs import AnyRun, Elsewhere, Encode, Entry, Finished, Run, Runs, end_state
from . import workspace
from .kernel import Kernels, joined
from .looking import Looked, is_large, look, reaches_beyond

CHECKPOINT_SECONDS = 1.0


class Limits(Protocol):
    """What the assistant asks of the settings, each time anew."""

    def value(self, name: str) -> Any:
        """A setting in force."""

    def secrets(self) -> tuple[str, ...]:
        """Values that must never leave."""

    def thinks(self, model: str) -> bool:
        """Whether a model may reason."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a question is about, and what ``model`` (its full name) is to be given of it."""

    looked: Looked
    model: str
    given: context.Given


@dataclass(frozen=True, slots=True)
class Accepted:
    """A question that is to be answered: what was said before, what is being prepared meanwhile, a title that is new,
    what the user should know.
    """

    question: Question
    history: list[Message]
    preparing: asyncio.Task[Prepared]
    title: str | None = None
    notice: str | None = None


class Assistant:
    """Answers questions about notebooks: reads, builds the context, streams the model, keeps the answer."""

    def __init__(
        self,
        *,
        models: Models,
        notebooks: Notebooks,
        conversations: Conversations,
        runs: Runs,
        settings: Limits,
        kernels: Kernels | None = None,
        encode: Encode,
        decode: Callable[[bytes], list[Entry]],
        log: Any,
        max_messages: int = 50,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
    ) -> None:
        self.models = models
        self.notebooks = notebooks
        self.conversations = conversations
        self.runs = runs
        self.kernels = kernels
        self._settings = settings
        self._encode = encode
        self._decode = decode
        self._log = log
        self._max_messages = max_messages
        self._checkpoint_seconds = checkpoint_seconds

    async def ask(self, question: Question, owner: str) -> AnyRun:
        """Accept a question and start its run; a known ``request_id`` gives the run it started before.

        Raises NotFound (conversation), ConversationBusy.
        """
        if known := self.runs.of_request(owner, question.request_id):
            return known
        history = await self._history(question, owner)
        preparing = asyncio.create_task(self._prepare(question, history))
        preparing.add_done_callback(_seen)
        try:
            return await self._begin(question, owner, history, preparing)
        except BaseException:
            preparing.cancel()
            raise

    async def _begin(
        self, question: Question, owner: str, history: list[Message], preparing: asyncio.Task[Prepared]
    ) -> AnyRun:
        """Keep the question and start its run, which takes over ``preparing``."""
        run_id = secrets.token_hex(16)
        try:
            begun = await self.conversations.begin(
                owner,
                conversation_id=question.conversation_id,
                request_id=question.request_id,
                run_id=run_id,
                model=question.model or self._settings.value("model"),
                text=question.question,
            )
        except StoreUnavailable as error:
            return self._begin_unsaved(question, owner, run_id, history, preparing, error)
        if begun.repeated:
            preparing.cancel()
            return await self.run(owner, begun.run_id)
        run = Run(
            run_id,
            begun.conversation_id,
            owner,
            self._encode,
            message_id=begun.message_id,
            question=question.question,
            request_id=question.request_id,
        )
        accepted = Accepted(question, history, preparing, title=begun.title if begun.title_is_new else None)
        self.runs.start(run, self._work(run, accepted))
        return run

    async def run(self, owner: str, run_id: str) -> AnyRun:
        """A run of the owner, running, lately ended, from the store or another server's. Raises NotFound."""
        run = self.runs.get(owner, run_id) or await self._stored(owner, run_id)
        if run is None:
            raise NotFound("There is no such answer.")
        return run

    async def _stored(self, owner: str, run_id: str) -> Finished | Elsewhere | None:
        stored = await self.conversations.run(owner, run_id)
        if stored is None:
            return None
        entries = self._decode(stored.frames) if stored.frames else []
        found = Finished(stored.run_id, stored.conversation_id, entries, stored.snapshot)
        if stored.state != "running":
            return found
        return Elsewhere(found, lambda: self._stored(owner, run_id))

    async def stop(self, owner: str, run_id: str) -> None:
        """Cancel a run's model call; one that has ended stays as it is. Raises NotFound, ConversationBusy: not ours."""
        run = await self.run(owner, run_id)
        if isinstance(run, Run):
            await self.runs.stop(run)
        if isinstance(run, Elsewhere):
            raise ConversationBusy(run.id, "Another Jupyter server works on this answer.", "Stop it there.")

    async def conversation(self, owner: str, conversation_id: str) -> Json:
        """A conversation with its messages; what memory holds of them is never behind the store. Raises NotFound."""
        found = await self.conversations.get(owner, conversation_id)
        live = {run.id: run.snapshot() for run in self.runs.of_conversation(conversation_id) if run.owner == owner}
        found["messages"] = [
            {**message, **live[message["run_id"]], "id": message["id"]}
            if message["role"] == "assistant" and message["run_id"] in live
            else message
            for message in found["messages"]
        ]
        return found

    async def delete(self, owner: str, conversation_id: str) -> None:
        """Delete a conversation for good. Raises NotFound, ConversationBusy while it is being answered."""
        self.runs.refuse_if_busy(conversation_id)
        await self.conversations.delete(owner, conversation_id)
        self.runs.forget(conversation_id)

    async def preview(self, question: Question, owner: str) -> Json:
        """The exact request that would be sent for this question, item by item; nothing is sent."""
        history = await self._history(question, owner)
        given = (await self._prepare(question, history, send=False)).given
        return {
            "items": given.items(),
            "left_out": list(given.left_out),
            "tokens": given.tokens,
            "budget": given.budget,
        }

    def _begin_unsaved(
        self,
        question: Question,
        owner: str,
        run_id: str,
        history: list[Message],
        preparing: asyncio.Task[Prepared],
        error: StoreUnavailable,
    ) -> Run:
        """Answer although the store is down; the user is told."""
        conversation_id = question.conversation_id or secrets.token_hex(16)
        if known := self.runs.of_request(owner, question.request_id):  # a repeat may have come while both waited
            preparing.cancel()
            return known
        self.runs.refuse_if_busy(conversation_id)
        run = Run(
            run_id, conversation_id, owner, self._encode, question=question.question, request_id=question.request_id
        )
        accepted = Accepted(question, history, preparing, notice=f"This conversation cannot be saved: {error.text}")
        self.runs.start(run, self._work(run, accepted))
        return run

    async def _history(self, question: Question, owner: str) -> list[Message]:
        """What was said before in this conversation, oldest first."""
        if question.conversation_id is None or self._max_messages == 0:
            return []
        try:
            return await self.conversations.history(owner, question.conversation_id, self._max_messages)
        except StoreUnavailable:
            kept = [run for run in self.runs.of_conversation(question.conversation_id) if run.owner == owner]
            said = [
                m for run in kept for m in (Message("user", run.question), Message("assistant", run.transcript.text))
            ]
            return said[-self._max_messages :]

    async def _work(self, run: Run, accepted: Accepted) -> None:
        """A run from its first event to its last; also when it fails or is cancelled."""
        keeper = None if accepted.notice else asyncio.create_task(self._keep(run))
        reason: Reason = "error"
        started = time.monotonic()
        try:
            reason = await self._answer(run, accepted)
        except asyncio.CancelledError:
            reason = self.runs.stop_reason(run)
        except AssistantError as error:
            self._fail(run, accepted, Failed(error.code, error.text, error.hint, error.retry_after))
        except Exception:
            self._log.exception("Jupyter Assistant: run %s failed", run.id)
            failed = Failed("internal", "The assistant failed.", "See the server's log, then ask again.")
            self._fail(run, accepted, failed)
        finally:
            accepted.preparing.cancel()
            run.seal(reason)
            await _uncancelled(self._end(run, keeper, end_state(reason)))
            run.publish()
        seconds = time.monotonic() - started
        self._log.info("Jupyter Assistant: run %s ended: %s, %.1f s, %d events", run.id, reason, seconds, run.last)

    async def _answer(self, run: Run, accepted: Accepted) -> Reason:
        question = accepted.question
        model = await self.models.resolve(question.model or self._settings.value("model") or None)
        run.emit(RunStarted(run.id, run.conversation_id, model.name))
        if accepted.title:
            run.emit(Title(accepted.title))
        if question.notebook is not None:
            run.emit(Status(f"Reading {question.notebook.path.rpartition('/')[2]}…"))
        if reaches_beyond(question):
            by = self.notebooks.embedded_by
            run.emit(Status(f"Searching the workspace, also with {by}…" if by else "Searching the workspace…"))
        prepared = await accepted.preparing
        looked, given = prepared.looked, prepared.given
        if looked.note:
            run.emit(Status(looked.note))
        if prepared.model != model.name:  # only now it is known which one answers
            given = await self._given(question, looked, accepted.history, model.name)
        held = given.held(looked.found)
        if held:
            run.emit(Status(summary(held)))
        run.emit(given.context_event())
        if held:
            run.emit(Sources(workspace.sources(held)))
        if looked.notebook is not None and looked.notebook.note:
            run.emit(Status(looked.notebook.note))
        if accepted.notice:  # now, so that no other status takes its place before the answer begins
            run.emit(Status(accepted.notice))
        return await self._stream(run, model, given.messages)

    async def _stream(self, run: Run, model: Model, messages: tuple[Message, ...]) -> Reason:
        started = time.monotonic()
        async with aclosing(model.stream(messages)) as events:
            async for event in events:
                if isinstance(event, Finish):
                    return event.reason
                if isinstance(event, Usage):
                    event = dataclasses.replace(event, seconds=round(time.monotonic() - started, 3))
                run.emit(event)
        raise RuntimeError("the model's stream ended without Finish")

    def _fail(self, run: Run, accepted: Accepted, failed: Failed) -> None:
        if run.last == 0:  # ``run`` is always first, also when no model could be had
            wanted = accepted.question.model or self._settings.value("model")
            run.emit(RunStarted(run.id, run.conversation_id, wanted))
        run.emit(failed)

    async def _prepare(self, question: Question, history: list[Message], *, send: bool = True) -> Prepared:
        """What the question is about, and what the model that will be asked, as far as that is known, is given.

        Unless ``send``, nothing leaves the machine for it.
        """
        looked = await look(question, self.notebooks, self.kernels, send=send)
        model = self.models.expected(question.model or self._settings.value("model") or None)
        return Prepared(looked, model, await self._given(question, looked, history, model))

    async def _given(self, question: Question, looked: Looked, history: list[Message], model: str) -> context.Given:
        """What the model is given; of a large notebook chosen in a thread, so that the loop goes on."""
        build = functools.partial(
            context.build,
            question.question,
            snapshot=looked.notebook,
            kernel=joined(looked.kernel, question.variables),
            found=looked.found,
            focus=question.notebook,
            history=history,
            budget=self.models.budget(model or None, self._settings.value("context_tokens")),
            instructions=self._settings.value("instructions"),
            redact=context.Redactor(self._settings.secrets()),
            think=self._settings.thinks(model.partition("/")[2]),
        )
        said = sum(len(message.text) for message in history)
        said += len(question.notebook.selection) if question.notebook else 0
        return await asyncio.to_thread(build) if is_large(looked.notebook, said) else build()

    async def _keep(self, run: Run) -> None:
        """Write what has come since, the first text soon, then about once a second; never per token."""
        pauses = chain([self._checkpoint_seconds / 4], repeat(self._checkpoint_seconds))
        while not await run.sealed_within(next(pauses)):
            frames, last = run.frames(run.saved)
            if not frames:
                continue
            with suppress(StoreUnavailable):
                await self.conversations.checkpoint(run.id, run.transcript.parts(), frames, last)
                run.saved = last

    async def _end(self, run: Run, keeper: asyncio.Task[None] | None, state: EndState) -> None:
        """Let the store have the whole answer; when it cannot, the answer goes on living in memory."""
        if keeper is None:
            return
        try:
            await keeper
            frames, last = run.frames(run.saved)
            await self.conversations.end(run.id, parts=run.transcript.parts(), state=state, frames=frames, last=last)
        except StoreUnavailable as error:
            self._log.warning("Jupyter Assistant: answer %s is not saved: %s", run.id, error.text)
        except Exception:  # ``done`` must come all the same, or the readers would wait for ever
            self._log.exception("Jupyter Assistant: answer %s is not saved", run.id)


def _seen(preparing: asyncio.Task[Prepared]) -> None:
    """A failure is the run's to tell; where no run came of the question, it is nobody's."""
    if not preparing.cancelled():
        preparing.exception()


async def _uncancelled(work: Coroutine[Any, Any, None]) -> None:
    """Finish the work even when the one who waits for it is cancelled meanwhile."""
    task = asyncio.get_running_loop().create_task(work)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.shield(task)
