"""Asking, and following an answer: the routes below ``chat``, and ``preview``.

The law: a reader may come late, read slowly or go at any time without touching the run.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from tornado import web
from tornado.iostream import StreamClosedError

from ... import sse
from ...errors import Gone, InvalidInput
from .base import RESOURCE, AssistantHandler

if TYPE_CHECKING:
    from ...messages import Json, Question
    from ...runs import AnyRun


class StreamHandler(AssistantHandler):
    """A run's events to one reader, who may come late, read slowly or go at any time without touching the run."""

    _reader: asyncio.Task[Any] | None = None

    async def stream(self, run: AnyRun, after: int) -> None:
        """Send the events after ``after`` until ``done``, with a comment at once and by the clock."""
        run.entries(after)  # raises Gone while the status can still be set
        self._reader = asyncio.current_task()
        self.set_header("X-Run-Id", run.id)  # for one who would stop it before the first event
        self.begin_stream()
        try:
            await self._send(run, after)
            self.finish()
        except (asyncio.CancelledError, asyncio.TimeoutError, StreamClosedError, Gone):
            self._drop()
        finally:
            self._reader = None

    async def _send(self, run: AnyRun, after: int) -> None:
        traits = self.services.settings.traits
        comment = sse.comment("")
        await self._write(comment, traits.flush_timeout)
        beat = time.monotonic() + traits.heartbeat
        while True:
            entries = await run.next(after, max(0.0, beat - time.monotonic()))
            frames = [entry.frame for entry in entries]
            after = entries[-1].number if entries else after
            if time.monotonic() >= beat:
                beat = time.monotonic() + traits.heartbeat
                frames.append(comment)
            if frames:
                await self._write(b"".join(frames), traits.flush_timeout)
            if run.ended and after >= run.last:
                return

    async def _write(self, data: bytes, seconds: float) -> None:
        self.write(data)
        flushed = self.flush()
        if self.connection is None or self.connection.writing():  # else the socket has taken it all
            await asyncio.wait_for(flushed, seconds)

    def _drop(self) -> None:
        """End a reader who went or does not read; the run goes on and he can resume."""
        if self.connection is not None:
            self.connection.close()
        self.finish()

    def on_connection_close(self) -> None:
        """The reader went: stop reading for him."""
        super().on_connection_close()
        if self._reader is not None:
            self._reader.cancel()


class ChatStreamHandler(StreamHandler):
    """``POST chat/stream``: a question, answered by the events of its run."""

    @web.authenticated
    @authorized(action="execute", resource=RESOURCE)
    async def post(self) -> None:
        """Ask and stream."""
        await self.stream(await self.assistant.ask(_question(self), self.owner), 0)


class RunStreamHandler(StreamHandler):
    """``GET chat/{run}/stream``: the events of a run after ``Last-Event-ID`` or ``?after=``."""

    @web.authenticated
    @authorized(action="read", resource=RESOURCE)
    async def get(self, run_id: str) -> None:
        """Resume or replay."""
        after = self._after()
        await self.stream(await self.assistant.run(self.owner, run_id), after)

    def _after(self) -> int:
        name, text = "Last-Event-ID", self.request.headers.get("Last-Event-ID", "")
        if not text:
            name, text = "after", self.get_query_argument("after", "")
        if text and not (text.isascii() and text.isdecimal() and len(text) <= 18):
            raise InvalidInput(name, "must be the number of an event")
        return int(text or 0)


class ChatStopHandler(AssistantHandler):
    """``POST chat/{run}/stop``: the only thing that cancels."""

    @web.authenticated
    @authorized(action="execute", resource=RESOURCE)
    async def post(self, run_id: str) -> None:
        """Cancel the model's call and wait until it is cancelled."""
        await self.assistant.stop(self.owner, run_id)
        self.reply({"run_id": run_id})


class ChatHandler(AssistantHandler):
    """``POST chat``: the same question, one JSON answer."""

    @web.authenticated
    @authorized(action="execute", resource=RESOURCE)
    async def post(self) -> None:
        """Ask and wait; the run goes on when the client does not wait for it."""
        run = await self.assistant.ask(_question(self), self.owner)
        await run.wait()
        self.reply(_answer(run))


class PreviewHandler(AssistantHandler):
    """``POST preview``: exactly what would be sent."""

    @web.authenticated
    @authorized(action="read", resource=RESOURCE)
    async def post(self) -> None:
        """Build the request, send nothing."""
        self.reply(await self.assistant.preview(_question(self), self.owner))


def _question(handler: AssistantHandler) -> Question:
    """The question of a request; other wire formats are not built yet."""
    if handler.get_query_argument("protocol", ""):
        raise InvalidInput("protocol", "is not available yet; leave it out")
    from ..questions import question  # not at the server's start

    return question(handler.body())


def _answer(run: AnyRun) -> Json:
    """The JSON answer of ``POST chat``."""
    parts = {part["type"]: part for part in run.snapshot()["parts"]}
    error = parts.get("error")
    return {
        "run_id": run.id,
        "conversation_id": run.conversation_id,
        "text": parts.get("text", {}).get("text", ""),
        "reason": run.reason,
        "sources": parts.get("sources", {}).get("sources", []),
        "usage": {name: value for name, value in parts["usage"].items() if name != "type"}
        if "usage" in parts
        else None,
        **({"error": {name: value for name, value in error.items() if name != "type"}} if error else {}),
    }
