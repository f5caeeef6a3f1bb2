"""The assistant from Python code: ``ask`` for a whole answer, ``stream`` for its events as they come.

The law: the same question, conversation and events as ``%ask``. What failed raises, with the answer so far; an
interrupt, or leaving a stream, stops the model.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Iterator
from typing import Any

from ..errors import AnswerFailed
from .answer import Answer
from .asking import Asked, session, shell
from .cell import asking_cell
from .client.stream import Event
from .interpolation import fill
from .options import CONTEXTS
from .transcript import Transcript


def stream(
    question: str, *, model: str | None = None, context: str = "notebook", fresh: bool = False
) -> Iterator[Event]:
    """The events of an answer as they come (``name``, ``data``; DESIGN §5): ``run`` first, ``done`` last.

    ``{name}`` and ``$name`` bring values of the session along, ``context`` is ``none``, ``cell``, ``notebook`` or
    ``workspace``, ``fresh`` begins a new conversation. Raises AssistantError when the question is refused; later
    failures are an ``error`` event. Leaving the loop stops the answer. Where a loop runs: ``stream.aio``.
    """
    exchange = session().ask(_asked(question, model, context, fresh))
    try:
        yield from exchange
    finally:
        exchange.close()


def ask(question: str, *, model: str | None = None, context: str = "notebook", fresh: bool = False) -> Answer:
    """The whole answer to a question; the parameters are those of ``stream``.

    Raises AssistantError when the question is refused, AnswerFailed (with ``answer``, what had come) when the answer
    fails. Where a loop runs: ``await ask.aio(...)``.
    """
    transcript = Transcript()
    for event in stream(question, model=model, context=context, fresh=fresh):
        transcript.take(event)
    return _whole(transcript)


async def stream_aio(
    question: str, *, model: str | None = None, context: str = "notebook", fresh: bool = False
) -> AsyncGenerator[Event, None]:
    """``stream`` for a running loop, which goes on meanwhile: ``async for event in stream.aio(...)``."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[Event | BaseException | None] = asyncio.Queue()
    asked = _asked(question, model, context, fresh)  # here: the session's names are this thread's
    reader = _Reader(asked, lambda found: loop.call_soon_threadsafe(arrived.put_nowait, found))
    reader.start()
    try:
        while (found := await arrived.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            yield found
    finally:
        reader.leave()


async def ask_aio(question: str, *, model: str | None = None, context: str = "notebook", fresh: bool = False) -> Answer:
    """``ask`` for a running loop: ``answer = await ask.aio(...)``."""
    transcript = Transcript()
    async with contextlib.aclosing(stream_aio(question, model=model, context=context, fresh=fresh)) as events:
        async for event in events:
            transcript.take(event)
    return _whole(transcript)


ask.aio = ask_aio  # type: ignore[attr-defined]  # a function declares no attributes
stream.aio = stream_aio  # type: ignore[attr-defined]  # as above


class _Reader(threading.Thread):
    """Reads one answer in a thread that ends with it."""

    def __init__(self, asked: Asked, give: Any) -> None:
        super().__init__(name="jupyter-assistant-ask", daemon=True)
        self._asked = asked
        self._give = give
        self._left = threading.Event()
        self._exchange: Any = None

    def run(self) -> None:
        last: BaseException | None = None
        try:
            self._exchange = session().ask(self._asked)
            with contextlib.closing(self._exchange):
                for event in self._exchange:
                    if self._left.is_set():
                        return
                    self._give(event)
        except Exception as error:  # the end of a thread: its failure is told to the one who waits
            last = error
        finally:
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits
                self._give(last)

    def leave(self) -> None:
        """Stop the answer, where it goes on."""
        self._left.set()
        if self._exchange is not None and self.is_alive():
            self._exchange.stop()


def _asked(question: str, model: str | None, context: str, fresh: bool) -> Asked:
    from ..errors import InvalidInput

    if context not in CONTEXTS:
        raise InvalidInput("context", f"must be one of {', '.join(CONTEXTS)}")
    if not question.strip():
        raise InvalidInput("question", "is empty")
    running = shell()
    if running is None:
        return Asked(question, model, context, fresh)
    from . import finding, magic, surroundings

    names, failures = running.user_ns, magic.failures(running)
    filled = fill(question, {"Err": failures, **names})
    around = () if finding.server() else surroundings.items(names, running.user_ns_hidden, failures, context)
    return Asked(filled.text, model, context, fresh, filled.variables, asking_cell(running), around)


def _whole(transcript: Transcript) -> Answer:
    answer = Answer.of(transcript)
    if answer.error is not None:
        raise AnswerFailed(str(answer.error["text"]), str(answer.error.get("hint", "")), answer=answer)
    return answer
