"""The MCP bridge: JSON-RPC lines of a client on one side, the server's MCP endpoint over HTTP on the other.

The law: every request gets exactly one answer, unless it was cancelled; nothing that may have been done is done again
by itself. A server that was started again is found anew and its session opened anew without the client's help.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..errors import AssistantError, ServerLost, ServerUnreachable
from ..kernel.client.link import Answer, Link
from ..messages import Json
from . import wire
from .route import Route

SESSION = "Mcp-Session-Id"
OPENING = "jupyter-assistant-bridge-initialize"
LISTEN_AGAIN = 1.0
FAREWELL = 2.0
"""Seconds that ending a session may take at the end."""

ABSENT = (
    "This Jupyter server has no Jupyter Assistant. "
    "Install jupyter_assistant in the server's own environment and start the server again."
)
NO_TOKEN = (
    "The Jupyter server wants a token that is not known here: it uses a password, or belongs to a hub. "
    "Start it with a token (jupyter lab --IdentityProvider.token=…) or set JUPYTER_TOKEN for this command."
)
WRONG_TOKEN = "The Jupyter server refuses the token. Set JUPYTER_TOKEN to the one that `jupyter server list` shows."


@dataclass(frozen=True, eq=False)
class Session:
    """A session of the protocol's older revisions, on one link."""

    link: Link
    id: str
    version: str

    @property
    def headers(self) -> dict[str, str]:
        """What each message of the session carries."""
        headers = {"MCP-Protocol-Version": self.version} if self.version else {}
        return {**headers, SESSION: self.id} if self.id else headers


class SessionGone(Exception):
    """The server does not know the session: nothing of the message was done."""


class Refused(Exception):
    """The server does not let us in."""


@dataclass(eq=False)
class Call:
    """A request that is being answered."""

    message: Json
    body: bytes
    task: asyncio.Task[None] | None = None
    sent: bool = False
    cancelled: bool = False
    answered: bool = False


class Bridge:
    """Answers the lines of one client. ``write`` takes each message for it, ``say`` a line for a person to read."""

    def __init__(self, route: Route, *, write: Callable[[str], None], say: Callable[[str], None]) -> None:
        self._route = route
        self._write = write
        self._say = say
        self._calls: dict[str, Call] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._hello: Json | None = None
        self._ready: Json | None = None
        self._session: Session | None = None
        self._opening = asyncio.Lock()

    async def run(self, lines: AsyncIterator[bytes]) -> None:
        """Until the lines end: that ends every call."""
        try:
            async for line in lines:
                if line.strip():
                    await self._take(line)
        finally:
            await self._end()

    async def _take(self, line: bytes) -> None:
        try:
            message = wire.parse(line)
        except wire.NotAMessage as error:
            self._write(wire.told(None, str(error), code=error.code))
            return
        cancelled = wire.cancels(message)
        if cancelled is not None:
            await self._cancel(message, cancelled)
        elif not wire.is_request(message):
            await self._notify(message)
        else:
            await self._begin(Call(message, line.strip()))

    async def _begin(self, call: Call) -> None:
        number = wire.key(call.message["id"])
        if number in self._calls:
            text = "A request with this id is still being answered: give each an id of its own."
            self._write(wire.told(call.message["id"], text, code=wire.INVALID))
            return
        self._calls[number] = call
        call.task = self._start(self._answer(call))
        if call.message["method"] == "initialize":  # what follows it belongs to its session
            await asyncio.wait([call.task])

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # ------------------------------------------------------------ requests

    async def _answer(self, call: Call) -> None:
        number = call.message["id"]
        try:
            await self._carry(call)
        except AssistantError as error:
            self._say(f"{error.text} {error.hint}")
            if not call.cancelled and not call.answered:
                self._write(wire.failure(number, error))
        except Exception as error:  # the client waits for an answer, whatever it was
            self._say(f"{type(error).__name__}: {error}")
            if not call.cancelled and not call.answered:
                self._write(wire.told(number, f"The bridge failed ({type(error).__name__}).", code=wire.INTERNAL))
        finally:
            self._calls.pop(wire.key(number), None)

    async def _carry(self, call: Call) -> None:
        """Send it until it has arrived."""
        while not call.cancelled:
            link = await self._route.link()
            call.sent = False
            try:
                await self._send(call, link)
                return
            except SessionGone:
                continue
            except Refused:
                if self._route.has_moved(link):
                    continue
                self._write(wire.told(call.message["id"], WRONG_TOKEN if link.server.token else NO_TOKEN))
                return
            except ServerUnreachable as error:
                await self._route.gone(link, error)
            except ServerLost as error:
                if call.answered:
                    return
                if not wire.is_repeatable(call.message):
                    raise
                await self._route.gone(link, error)

    async def _send(self, call: Call, link: Link) -> None:
        message = call.message
        if message["method"] == "initialize" and not wire.is_stateless(message):
            await self._initialize(call, link)
            return
        session = None if wire.is_stateless(message) else await self._session_on(link)
        headers = wire.routing(message) if wire.is_stateless(message) else session.headers if session else {}
        async with link.exchange("POST", headers, call.body) as answer:
            call.sent = True
            await self._check(answer, link, session)
            await self._pass_on(call, answer)

    async def _check(self, answer: Answer, link: Link, session: Session | None) -> None:
        """Raises what means that the message was not taken and can be sent again."""
        if answer.status == 404 and session is not None and session.id:
            if self._session is session:
                self._session = None
            raise SessionGone
        if answer.status == 503:
            raise ServerUnreachable("The Jupyter server is stopping.")
        if answer.status in (401, 403):
            raise Refused
        self._route.answered(link)

    async def _pass_on(self, call: Call, answer: Answer) -> Json | None:
        """Hand the answer's messages to the client as they come; gives the last one. Raises ServerLost without one."""
        number = call.message["id"]
        async for text in answer.texts():
            found = wire.answers(text, number) if answer.status < 400 else None
            if answer.status >= 400:
                call.answered = True
                self._write(_refusal(number, answer, text))
            elif found is not None:
                call.answered = True
                if not call.cancelled:
                    self._write(text)
                return found
            elif text.strip():
                self._write(text)
        if not call.answered and not call.cancelled:
            raise ServerLost("The Jupyter server ended its answer before it was whole.")
        return None

    # ------------------------------------------------------------ sessions

    async def _initialize(self, call: Call, link: Link) -> None:
        """The client opens its session."""
        async with link.exchange("POST", {}, call.body) as answer:
            call.sent = True
            await self._check(answer, link, None)
            found = await self._pass_on(call, answer)
            if found is not None and "result" in found:
                self._hello = call.message
                self._session = _session(link, answer, found)

    async def _session_on(self, link: Link) -> Session | None:
        """The session there is, opened anew where the server is another than the one it was opened on."""
        async with self._opening:
            if self._hello is not None and (self._session is None or self._session.link is not link):
                self._session = await self._opened(link, {**self._hello, "id": OPENING})
                if self._ready is not None:
                    await self._post(self._session, self._ready)
                    self._listen(self._session)
            return self._session

    async def _opened(self, link: Link, hello: Json) -> Session:
        async with link.exchange("POST", {}, json.dumps(hello).encode()) as answer:
            await self._check(answer, link, None)
            async for text in answer.texts():
                found = wire.answers(text, OPENING)
                if found is not None and "result" in found:
                    self._say("opened a new session")
                    return _session(link, answer, found)
        raise ServerLost("The Jupyter server opens no new session.", "Reconnect the MCP client.")

    async def _post(self, session: Session, message: Json) -> None:
        async with session.link.exchange("POST", session.headers, json.dumps(message).encode()) as answer:
            if answer.status >= 400:
                self._say(f"the server refused {message.get('method', 'an answer')}: HTTP {answer.status}")

    def _listen(self, session: Session) -> None:
        self._start(self._heard(session))

    async def _heard(self, session: Session) -> None:
        """What the server says by itself in a session, for as long as it is the client's."""
        while self._session is session:
            with suppress(ServerUnreachable, ServerLost):
                async with session.link.exchange("GET", session.headers) as answer:
                    if answer.status != 200:
                        return
                    async for text in answer.texts():
                        self._write(text)
            await asyncio.sleep(LISTEN_AGAIN)

    # ------------------------------------------------------------ what wants no answer

    async def _notify(self, message: Json) -> None:
        """A notification, or the client's answer to the server: one that cannot be delivered has lost its sense."""
        stateless, session = wire.is_stateless(message), self._session
        if message.get("method") == "notifications/initialized":
            self._ready = message
        try:
            if stateless:
                link = await self._route.link()
                async with link.exchange("POST", wire.routing(message), json.dumps(message).encode()):
                    return
            if session is not None:
                await self._post(session, message)
                if message is self._ready:
                    self._listen(session)
        except AssistantError as error:
            self._say(f"{message.get('method', 'an answer')} was not delivered: {error.text}")

    async def _cancel(self, message: Json, number: str) -> None:
        """Where there are no sessions the closed stream says it; else the message does."""
        call = self._calls.get(number)
        if call is None or call.message["method"] == "initialize":
            return
        call.cancelled = True
        stateless = wire.is_stateless(call.message)
        if call.task is not None and (stateless or not call.sent):
            call.task.cancel()
        if not stateless:
            await self._notify(message)

    # ------------------------------------------------------------ the end

    async def _end(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        session, self._session = self._session, None
        if session is not None and session.id:
            with suppress(AssistantError, asyncio.TimeoutError):
                await asyncio.wait_for(self._farewell(session), FAREWELL)
        await self._route.close()

    async def _farewell(self, session: Session) -> None:
        async with session.link.exchange("DELETE", session.headers):
            return


def _session(link: Link, answer: Answer, hello: Json) -> Session:
    result = hello["result"]
    version = result.get("protocolVersion", "") if isinstance(result, dict) else ""
    return Session(link, answer.header(SESSION), str(version))


def _refusal(number: object, answer: Answer, text: str) -> str:
    if answer.status == 404 and not answer.header("Content-Type").startswith("application/json"):
        return wire.told(number, ABSENT)
    return wire.refusal(number, answer.status, text)
