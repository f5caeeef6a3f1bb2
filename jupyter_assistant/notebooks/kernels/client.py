"""One kept connection to a kernel: requests out, what it says about them in, and whom it works for.

The law: the connection is one among several (the user's browser has its own), so it has its own session id, answers
only to its own requests, and knows from IOPub whose request the kernel is at. It counts as ready once IOPub is
heard, so that no output is lost; it ends with the kernel's process, and a new process gets a new connection.
Under a gateway there are no sockets, and whole messages are fetched from the client's own queues.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from logging import Logger
from queue import Empty
from typing import Any

from ...errors import KernelBusy, KernelDead
from .wire import Json, Message, read

READY = 60.0
"""Seconds a starting kernel may take to be heard."""
NUDGE = 0.25
WATCH = 0.25
FETCH = 0.02
"""Seconds between looks into a gateway client's queues."""
AT_ONCE, AT_ONCE_BYTES = 16, 200_000
"""Messages, and their bytes, after which others get the event loop."""
HIGH_WATER = 20_000
"""Messages that may wait to be read; beyond, the kernel drops what it publishes."""
ASIDES = 1_000


class Request:
    """A request under way: its reply, whether the kernel has begun it, is inside its code, and is idle again."""

    def __init__(self, name: str, hear: Callable[[Message], None] | None) -> None:
        self.id = name
        self.hear = hear
        self.begun = asyncio.Event()
        self.entered = asyncio.Event()
        self.idle = asyncio.Event()
        self.reply: asyncio.Future[Json] = asyncio.get_running_loop().create_future()


class Client:
    """A connection to the kernel ``kernel``, a manager of jupyter_client; ``known`` tells whether the server has it."""

    def __init__(self, kernel: Any, *, known: Callable[[], bool], log: Logger) -> None:
        self.kernel = kernel
        self.info: Json = {}
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._known = known
        self._log = log
        self._process = self._now()
        self._requests: dict[str, Request] = {}
        self._working: dict[str, Json] = {}
        self._asides: deque[str] = deque(maxlen=ASIDES)
        self._answered = False
        self._heard = asyncio.Event()
        self._told = asyncio.Event()
        self._change = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._client: Any = None

    # ------------------------------------------------------------ lifetime

    async def open(self) -> None:
        """Connect, and wait until IOPub is heard; raises ``KernelDead``."""
        await self._connect()
        shell, control = self._client.shell_channel, self._client.control_channel
        work = (self._listen(), self._replies(shell), self._replies(control), self._watch())
        self._tasks = [asyncio.create_task(each) for each in work]
        try:
            await self._ready()
        except BaseException:
            await self.close()
            raise

    async def close(self, why: str = "The server is stopping.") -> None:
        """Leave the kernel as it is, without us; nothing of the connection is left. ``why`` is told who waits."""
        self.end(why)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._disconnect()

    async def _connect(self) -> None:
        from jupyter_client.session import Session

        known = self.kernel.session
        session = Session(config=known.config, key=known.key, signature_scheme=known.signature_scheme)
        self._client = self.kernel.client(session=session, **self._context())
        if not self._has_sockets():
            await self._client.start_channels(hb=False, stdin=False)

    def _context(self) -> Json:
        """The server's own ZeroMQ context, for sockets that are awaited; none where there are no sockets."""
        import zmq.asyncio

        context = getattr(self.kernel, "context", None)
        if not isinstance(context, zmq.Context) or not self._has_sockets():
            return {}
        shadow = zmq.asyncio.Context.shadow(context.underlying)
        shadow.setsockopt(zmq.RCVHWM, HIGH_WATER)
        return {"context": shadow}

    def _has_sockets(self) -> bool:
        return self._process[0] is not None

    def _disconnect(self) -> None:
        if self._client is None:
            return
        if self._has_sockets():
            for name in ("shell", "control", "iopub"):
                getattr(self._client, f"{name}_channel").close()
        else:
            self._client.stop_channels()

    async def _ready(self) -> None:
        deadline = time.monotonic() + READY
        asked = [self.send("kernel_info_request", {}, channel="control")]
        self._ask_the_shell()
        while not (self._heard.is_set() and self.info):
            if self.ended.done():
                raise KernelDead(self.ended.result())
            if time.monotonic() > deadline:
                raise KernelDead(f"The kernel did not answer for {READY:.0f} s.")
            await within(NUDGE, self._heard.wait())
            if self._heard.is_set() and self.is_busy and time.monotonic() > deadline - READY + 1:
                return
            asked.append(self.send("kernel_info_request", {}, channel="control"))
            await within(NUDGE, asked[-1].reply)
            if not self._heard.is_set() and self.kernel_state == "busy" and time.monotonic() > deadline - READY + 3:
                return

    def _ask_the_shell(self) -> None:
        """Learn when the main shell is through with what it was asked before we came.

        An idle one is not asked: whatever goes through it takes the output of the user's threads to itself.
        """
        self._answered = self.kernel_state == "idle"
        if not self._answered:
            self.send("kernel_info_request", {}).reply.add_done_callback(self._shell_answered)

    def _shell_answered(self, reply: asyncio.Future[Json]) -> None:
        self._answered = not reply.cancelled()
        self._changed()

    # ------------------------------------------------------------ whom it works for

    @property
    def kernel_state(self) -> str:
        """What the server believes: starting, idle, busy, dead."""
        return str(getattr(self.kernel, "execution_state", None) or "unknown")

    @property
    def is_busy(self) -> bool:
        """Whether the main shell is at somebody's cell, ours or not."""
        return bool(self._working) or not self._answered

    @property
    def works_for_others(self) -> bool:
        """Whether the main shell is at a cell that did not come from here."""
        return not self._answered or any(not self._is_ours(parent) for parent in self._working.values())

    async def free(self) -> None:
        """Wait until the kernel is not at somebody else's cell; raises ``KernelDead``."""
        while self.works_for_others:
            change = asyncio.ensure_future(self._change.wait())
            try:
                await first_of(self.ended, change)
            finally:
                change.cancel()
            if self.ended.done():
                raise KernelDead(self.ended.result())

    def _is_ours(self, parent: Json) -> bool:
        return bool(parent.get("session") == self._client.session.session)

    def _changed(self) -> None:
        self._change.set()
        self._change = asyncio.Event()

    # ------------------------------------------------------------ requests

    def send(
        self,
        kind: str,
        content: Json,
        *,
        channel: str = "shell",
        metadata: Json | None = None,
        hear: Callable[[Message], None] | None = None,
    ) -> Request:
        """Send a request; ``hear`` gets each IOPub message about it but its statuses."""
        message = self._client.session.msg(kind, content, metadata=metadata)
        request = self._requests[message["header"]["msg_id"]] = Request(message["header"]["msg_id"], hear)
        self._put(getattr(self._client, f"{channel}_channel"), message)
        return request

    def _put(self, channel: Any, message: Json) -> None:
        # By the awaited socket itself: a send past it takes the wake-up of a reply that arrives at that moment, and
        # from then on no reply at all is heard.
        if self._has_sockets():
            channel.socket.send_multipart(self._client.session.serialize(message))
        else:
            channel.send(message)

    def forget(self, request: Request) -> None:
        """What the kernel still says about it is not heard any more."""
        self._requests.pop(request.id, None)
        request.reply.cancel()

    def look_after(self, work: Coroutine[Any, Any, None]) -> None:
        """Do ``work`` to its end, which is at the latest the connection's own."""
        self._tasks = [task for task in self._tasks if not task.done()]
        self._tasks.append(asyncio.create_task(work))

    async def ask(self, kind: str, content: Json, *, timeout: float, channel: str = "shell") -> Json:
        """The content of the reply; raises ``KernelDead``, and ``KernelBusy`` after ``timeout`` seconds.

        It does not count as a cell that the kernel is at.
        """
        request = self.send(kind, content, channel=channel)
        self._asides.append(request.id)
        try:
            await first_of(request.reply, self.ended, timeout=timeout)
            if request.reply.done():
                return request.reply.result()
            if self.ended.done():
                raise KernelDead(self.ended.result())
            raise KernelBusy("The kernel does not answer just now.")
        finally:
            self.forget(request)

    async def told(self, timeout: float) -> Json:
        """What the kernel says of itself (``kernel_info_reply``); raises as ``ask``."""
        waiting = asyncio.ensure_future(self._told.wait())
        try:
            await first_of(waiting, self.ended, timeout=timeout)
        finally:
            waiting.cancel()
        if self.info:
            return self.info
        raise KernelDead(self.ended.result()) if self.ended.done() else KernelBusy("The kernel is still starting.")

    # ------------------------------------------------------------ what it says

    async def _listen(self) -> None:
        """Read IOPub for as long as the connection lasts."""
        channel = self._client.iopub_channel
        if not self._has_sockets():
            await self._fetched(channel, self._take)
            return
        count = size = 0
        while True:
            frames = await channel.socket.recv_multipart(copy=False)
            message = read(frames, self._is_wanted, self._whole)
            if message is not None:
                self._take(message)
            count, size = count + 1, size + (message.size if message else 0)
            if count >= AT_ONCE or size >= AT_ONCE_BYTES:
                count = size = 0
                await asyncio.sleep(0)

    def _is_wanted(self, name: str) -> bool:
        request = self._requests.get(name)
        return request is not None and request.hear is not None

    def _whole(self, parts: list[bytes]) -> Json:
        content = self._client.session.deserialize(parts)["content"]
        return content if isinstance(content, dict) else {}

    async def _replies(self, channel: Any) -> None:
        """Read a channel's replies for as long as the connection lasts."""
        if not self._has_sockets():
            await self._fetched(channel, self._answer)
            return
        while True:
            frames = await channel.socket.recv_multipart(copy=False)
            message = read(frames, lambda _: True, self._whole)
            if message is not None:
                self._answer(message)

    async def _fetched(self, channel: Any, take: Callable[[Message], None]) -> None:
        while True:
            try:
                found = await channel.get_msg(timeout=0)
            except Empty:
                await asyncio.sleep(FETCH)
                continue
            except RuntimeError:
                self.end("The connection to the gateway was lost.")
                return
            take(Message(found["header"]["msg_type"], found["parent_header"], found["content"]))
            await asyncio.sleep(0)

    def _answer(self, message: Message) -> None:
        if message.kind == "kernel_info_reply":
            self.info = message.content
            self._told.set()
        request = self._requests.get(message.request)
        if request is not None and not request.reply.done():
            request.reply.set_result(message.content)
            if message.kind == "kernel_info_reply":
                del self._requests[request.id]

    def _take(self, message: Message) -> None:
        self._heard.set()
        if message.kind == "status":
            self._status(message)
            return
        request = self._requests.get(message.request)
        if request is None:
            return
        request.entered.set()
        if request.hear is not None:
            request.hear(message)

    def _status(self, message: Message) -> None:
        state, request = message.content.get("execution_state"), self._requests.get(message.request)
        if state == "idle":
            self._working.pop(message.request, None)
        elif state == "busy" and self._is_a_cell(message):
            self._working[message.request] = message.parent
        elif state in ("restarting", "dead"):
            self.end("The kernel was restarted." if state == "restarting" else "The kernel died.")
        if request is not None and state == "busy":
            request.begun.set()
        elif request is not None and state == "idle":
            request.idle.set()
        self._changed()

    def _is_a_cell(self, message: Message) -> bool:
        parent = message.parent
        runs = parent.get("msg_type") == "execute_request" and not parent.get("subshell_id")
        return runs and message.request not in self._asides

    # ------------------------------------------------------------ life and death

    def _now(self) -> tuple[object, object]:
        """What tells the kernel's process from one that takes its place: a provisioner outlives a restart."""
        provisioner = getattr(self.kernel, "provisioner", None)
        return provisioner, getattr(provisioner, "pid", None)

    async def lost(self) -> str | None:
        """Why this connection is of no use any more, as a sentence; None while it is."""
        if self.ended.done():
            return self.ended.result()
        if not self._known():
            return "The kernel was shut down."
        if self._now() != self._process:
            return "The kernel was restarted."
        return None if await self._is_alive() else "The kernel died."

    async def _is_alive(self) -> bool:
        if getattr(self.kernel, "shutting_down", False):
            return False
        alive = self.kernel.is_alive()
        return bool(await alive if isinstance(alive, Awaitable) else alive)

    async def _watch(self) -> None:
        """See the end of the kernel's process, for all who wait for something from it."""
        while (why := await self.lost()) is None:  # noqa: ASYNC110  (a process that ends sets no event)
            await asyncio.sleep(WATCH)
        if why == "The kernel died.":
            why = await self._cause()
        self.end(why)

    async def _cause(self) -> str:
        """Dead by itself, or by the user's restart or shutdown, which show a moment later."""
        code = await self.kernel.provisioner.poll() if self._has_sockets() else None
        for _ in range(4):
            if not self._known():
                return "The kernel was shut down."
            if self._now() != self._process:
                return "The kernel was restarted."
            await asyncio.sleep(WATCH / 2)
        if code == -9:
            return "The kernel was killed from outside (signal 9), perhaps for want of memory."
        return f"The kernel died (exit status {code})." if type(code) is int and code else "The kernel died."

    def end(self, why: str) -> None:
        if not self.ended.done():
            self.ended.set_result(why)
        self._changed()


async def first_of(*awaited: asyncio.Future[Any], timeout: float | None = None) -> None:
    """Wait until one of them is done, at most ``timeout`` seconds."""
    await asyncio.wait(awaited, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)


async def within(seconds: float, waited: Awaitable[Any]) -> bool:
    """Whether it came within so many seconds; a future that did not goes on."""
    task = asyncio.ensure_future(waited)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    finally:
        if task is not waited:
            task.cancel()
    return bool(done)
