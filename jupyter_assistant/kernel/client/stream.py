"""Talking to a running Jupyter server from a synchronous program: one request, and an answer's events as they come.

The law: a lost connection loses nothing. A question bears an id, so that sending it again never asks twice; a reader
resumes after the last event seen; only ``stop`` ends a run. A connection is closed as soon as its answer was read.
"""

from __future__ import annotations

import json
import secrets
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from ...errors import (
    AssistantError,
    ConversationBusy,
    Gone,
    InvalidInput,
    NotFound,
    ServerLost,
    ServerRefused,
    ServerUnreachable,
    TooLarge,
)
from ...sse import Decoder, TooLong
from . import Server
from .reply import SILENCE, Reply, connection_to, translated, unreachable

Json = dict[str, Any]

RUN_HEADER = "x-run-id"
PATIENCE = 30.0
"""Seconds for which a reader tries to come back to a run."""
LONGEST = 64 * 2**20
_PAUSES = (0.05, 0.2, 0.5, 1.0, 2.0)


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a run (DESIGN §5): its number from 1, its name, its data as JSON gives it."""

    number: int
    name: str
    data: Any


class Talk:
    """One server, asked by whoever holds its token. Nothing is opened before a request, nothing stays open after it."""

    def __init__(self, server: Server, *, patience: float = PATIENCE) -> None:
        self.server = server
        self._patience = patience

    def open(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Send a request to ``assistant/{path}``; the reply, whatever its status, when its head has come.

        Raises ServerUnreachable (nothing was sent), ServerLost (it may have arrived).
        """
        return self.send(method, f"assistant/{path}", body, headers)

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """As ``open``, with a path from the server's base URL, such as ``api/sessions``."""
        connection = connection_to(self.server)
        sent = {**({"Content-Type": "application/json"} if body is not None else {}), **(headers or {})}
        address = urlsplit(self.server.url).path + path
        try:
            with translated():
                try:
                    connection.connect()
                except OSError as error:
                    raise unreachable(error) from error
                line: socket.socket = connection.sock  # the response takes it over
                line.settimeout(SILENCE)
                connection.request(method, address, body, {**sent, **self.server.headers})
                return Reply(connection.getresponse(), line)
        except BaseException:
            connection.close()
            raise

    def request(self, method: str, path: str, body: Json | None = None) -> tuple[int, Any]:
        """A request to ``assistant/{path}`` and its whole answer: status, JSON (None when it is none)."""
        reply = self.open(method, path, None if body is None else json.dumps(body).encode())
        return reply.status, reply.json()

    def get(self, path: str) -> Any:
        """The JSON of ``assistant/{path}``; raises what the server refuses it with."""
        reply = self.open("GET", path)
        if reply.status != 200:
            raise refusal(reply.status, reply.json())
        return reply.json()

    def ask(self, question: Json) -> Answer:
        """Ask a ``Question`` (DESIGN §4) and iterate its events. Nothing is sent before the first is wanted."""
        return Answer(self, question, self._patience)


class Answer:
    """The events of one answer, ``done`` last. Iterating raises what the server refuses the question with (an
    AssistantError), ServerUnreachable, or ServerLost when the run cannot be come back to.

    As a context manager it is closed at the end. ``stop`` and ``close`` may be called from another thread.
    """

    def __init__(self, talk: Talk, question: Json, patience: float) -> None:
        self.run_id = ""
        self.conversation_id = ""
        self.last = 0
        """Number of the last event given."""
        self._talk = talk
        self._question = {"request_id": secrets.token_hex(16), **question}
        self._patience = patience
        self._reply: Reply | None = None
        self._waiting: list[Event] = []
        self._asked = False
        self._ended = False
        self._closed = threading.Event()
        self._reading = self._events()

    def __iter__(self) -> Answer:
        return self

    def __next__(self) -> Event:
        try:
            return next(self._reading)
        except KeyboardInterrupt:
            self._reading = self._events()  # the interrupted one has ended; this one resumes
            raise

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def ready(self) -> bool:
        """Whether the next event is here already."""
        return bool(self._waiting)

    def wait(self, seconds: float) -> bool:
        """Whether there is anything to read within ``seconds``, be it the end; for one who shows only now and then."""
        return self.ready or self._ended or self._reply is None or self._reply.wait(seconds)

    def stop(self) -> None:
        """Cancel the run and the model's call. The events may be read on to their ``done``."""
        if self._ended or not self._asked:
            self._closed.set()
            return
        with suppress(AssistantError, StopIteration):
            self._talk.request("POST", f"chat/{quote(self.run_id or self._named())}/stop")

    def close(self) -> None:
        """Read no more: a run that has not ended is stopped, the connection is closed."""
        if self._asked and not self._ended:
            self.stop()
        self.leave()

    def leave(self) -> None:
        """Read no more; the run goes on (law 4) and stays in its conversation."""
        self._closed.set()
        if self._reply is not None:
            self._reply.close()

    def _named(self) -> str:
        """The run's id, where the question was sent and nothing has come yet: the same question gives the same run."""
        with self._send() as reply:
            return reply.headers.get(RUN_HEADER) or next(str(event.data["run_id"]) for event in _decoded(reply))

    def _events(self) -> Iterator[Event]:
        since = time.monotonic()
        try:
            while not self._ended and not self._closed.is_set():
                before = self.last
                self._reply = self._opened()
                try:
                    yield from self._read(self._reply)
                except ServerLost:
                    if self._closed.is_set():
                        return
                finally:
                    self._reply.close()
                since = self._pause(since) if self.last == before and not self._ended else time.monotonic()
        finally:
            self._waiting = []

    def _pause(self, since: float) -> float:
        """Wait before the next attempt, where the last brought nothing; raises ServerLost when none has for long."""
        if time.monotonic() - since > self._patience:
            raise ServerLost("The Jupyter server breaks off the answer again and again.")
        self._closed.wait(_PAUSES[1])
        return since

    def _read(self, reply: Reply) -> Iterator[Event]:
        decoder = Decoder(LONGEST)
        for chunk in reply.chunks():
            self._waiting = [event for event in _fed(decoder, chunk) if event.number > self.last]
            while self._waiting:
                event = self._waiting.pop(0)
                self._note(event)
                yield event

    def _note(self, event: Event) -> None:
        self.last = event.number
        if event.name == "run":
            self.run_id, self.conversation_id = event.data["run_id"], event.data["conversation_id"]
        self._ended = event.name == "done"

    def _opened(self) -> Reply:
        """The stream of the run, after the last event seen; tries again until the patience is at its end."""
        if not self._asked:
            return self._first()
        until = time.monotonic() + self._patience
        attempt = 0
        while True:
            try:
                return self._again()
            except (ServerUnreachable, ServerLost):
                pause = _PAUSES[min(attempt, len(_PAUSES) - 1)]
                attempt += 1
                if time.monotonic() + pause > until or self._closed.wait(pause):
                    raise

    def _first(self) -> Reply:
        """The question, asked once; when it may have arrived the next attempt sends it again."""
        try:
            self._asked = True
            reply = self._send().accepted()
            self.run_id = reply.headers.get(RUN_HEADER, "")
            return reply
        except ServerUnreachable:
            self._asked = False
            raise
        except ServerLost:
            return self._opened()
        except AssistantError:
            self._asked, self._ended = False, True
            raise

    def _again(self) -> Reply:
        if not self.run_id:
            return self._send().accepted()
        return _Sent(
            self._talk.open("GET", f"chat/{quote(self.run_id)}/stream", None, {"Last-Event-ID": str(self.last)})
        ).accepted()

    def _send(self) -> _Sent:
        body = json.dumps(self._question).encode()
        return _Sent(self._talk.open("POST", "chat/stream", body, {"Accept": "text/event-stream"}))


class _Sent:
    """A reply that should be a stream."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def __enter__(self) -> Reply:
        return self.accepted()

    def __exit__(self, *_: object) -> None:
        self._reply.close()

    def accepted(self) -> Reply:
        """The stream; raises what it was refused with."""
        if self._reply.status == 200:
            return self._reply
        raise refusal(self._reply.status, self._reply.json())


def refusal(status: int, body: Any) -> AssistantError:
    """What a server refuses a request with, as an error of the tree."""
    said = body.get("error") if isinstance(body, dict) else None
    if not isinstance(said, dict):
        return ServerRefused(status, *_NOT_OURS.get(status, (f"The Jupyter server answered {status}.", "")))
    text, hint, code = (str(said.get(name, "")) for name in ("message", "hint", "code"))
    if status == 409 and "run_id" in said:
        return ConversationBusy(str(said["run_id"]), text, hint)
    if code == InvalidInput.code:
        field, _, what = text.partition(": ")
        return InvalidInput(field, what, hint)
    if status == 410:
        return Gone(text, dict(body.get("snapshot") or {}), hint)
    if status in (404, 413):
        return (NotFound if status == 404 else TooLarge)(text, hint)
    return ServerRefused(status, text, hint)


_NOT_OURS = {
    403: ("The Jupyter server did not let the request in.", "Its token has changed: start it again, or name it anew."),
    404: ("This Jupyter server does not have Jupyter Assistant.", "Install jupyter-assistant where the server runs."),
}


def _decoded(reply: Reply) -> Iterator[Event]:
    decoder = Decoder(LONGEST)
    for chunk in reply.chunks():
        yield from _fed(decoder, chunk)


def _fed(decoder: Decoder, chunk: bytes) -> list[Event]:
    try:
        return [Event(int(e.id or 0), e.event, json.loads(e.data)) for e in decoder.feed(chunk)]
    except (TooLong, ValueError) as error:
        raise ServerLost("What came from the Jupyter server is no stream of events.") from error
