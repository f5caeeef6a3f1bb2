"""A scripted gateway on loopback: a real server, exact to the byte, that plays what gateways do, by model name.

The law: a new fault is one function. ``@fault("name")`` registers it; a model named ``name`` plays it, and one named
``name-3-x`` plays it with the arguments ``3`` and ``x``. A name that ends in ``@bytes`` sends each byte by itself.

In a test: ``with running_gateway() as gateway`` (a thread of its own, usable from any event loop). By itself:
``python -m tests.gateway [--port N]`` prints the base URL and serves until it is interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import email.utils
import functools
import json
import re
import socket
import struct
import threading
import time
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Json = dict[str, Any]

SSE = "text/event-stream"
MARKDOWN = """## What `total` is

It is computed in **cell 2**, from two columns:

```python
total = (df["price"] * df["count"]).sum()
```

| column | meaning |
| --- | --- |
| `price` | euros for one |
| `count` | how many |

- rows without a price count as zero
- see [the documentation](https://pandas.pydata.org/docs/)

That is all.
"""


@dataclass(frozen=True)
class Request:
    """A request as it came in. ``args`` are the arguments in the model's name, ``turn`` counts its requests from 1."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    args: tuple[str, ...] = ()
    turn: int = 1
    connection: int = 0

    @functools.cached_property
    def json(self) -> Any:
        """The body as JSON; None when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def model(self) -> str:
        """The model asked for; empty when there is none."""
        return str((self.json or {}).get("model", "")) if self.body else ""

    @property
    def question(self) -> str:
        """The last message's text."""
        return str(self.json["messages"][-1]["content"])

    def number(self, position: int, otherwise: float) -> float:
        """An argument as a number."""
        return float(self.args[position]) if len(self.args) > position else otherwise


class Reply:
    """What a fault writes with: from whole answers down to raw bytes, a reset, or waiting for the client to go."""

    def __init__(self, writer: asyncio.StreamWriter, gone: asyncio.Event, *, byte_by_byte: bool = False) -> None:
        self._writer = writer
        self._gone = gone
        self._byte_by_byte = byte_by_byte
        self._chunked = False
        self.keep_alive = True

    async def raw(self, data: bytes) -> None:
        """These bytes and no others."""
        self._writer.write(data)
        await self._writer.drain()

    async def head(self, status: int = 200, content_type: str | None = SSE, /, **headers: str) -> None:
        """Status line and headers of a chunked body; ``Retry_After="1"`` is written ``Retry-After: 1``."""
        lines = [f"HTTP/1.1 {status} Scripted", "Transfer-Encoding: chunked"]
        lines += [f"Content-Type: {content_type}"] if content_type is not None else []
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self._chunked = True
        await self.raw("\r\n".join([*lines, "", ""]).encode())

    async def send(self, data: bytes) -> None:
        """A piece of the body; byte by byte when the model's name asks for it."""
        pieces = [data[i : i + 1] for i in range(len(data))] if self._byte_by_byte else [data]
        for piece in pieces:
            self._writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await self._writer.drain()
            if self._byte_by_byte:
                await asyncio.sleep(0)

    async def event(self, data: Any) -> None:
        """One server-sent event; JSON unless it is a string."""
        text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
        await self.send(f"data: {text}\n\n".encode())

    async def delta(self, **delta: Any) -> None:
        """One chunk of an answer."""
        await self.event(chunk(delta))

    async def finish(self, reason: str | None = "stop", *, usage: Json | None = None) -> None:
        """The end of a good answer: finish_reason, usage, [DONE], the end of the body."""
        await self.event(chunk({}, reason))
        if usage is not None:
            await self.event({"object": "chat.completion.chunk", "choices": [], "usage": usage})
        await self.event("[DONE]")
        await self.end()

    async def end(self) -> None:
        """The end of the body."""
        await self.raw(b"0\r\n\r\n")

    async def cut(self) -> None:
        """Close the connection, in the middle of the body or not."""
        self.keep_alive = False

    async def reset(self) -> None:
        """Drop the connection with a TCP reset."""
        linger = struct.pack("ii", 1, 0)
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._writer.transport.abort()
        self.keep_alive = False

    async def whole(self, status: int, content_type: str | None, body: bytes, **headers: str) -> None:
        """A whole answer with its length."""
        lines = [f"HTTP/1.1 {status} Scripted", f"Content-Length: {len(body)}"]
        lines += [f"Content-Type: {content_type}"] if content_type is not None else []
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.raw("\r\n".join([*lines, "", ""]).encode() + body)

    async def json(self, status: int, body: Any, **headers: str) -> None:
        """A whole JSON answer."""
        await self.whole(status, "application/json", json.dumps(body).encode(), **headers)

    async def error(self, status: int, message: str, code: str | None = None, **headers: str) -> None:
        """A whole error in OpenAI's form."""
        await self.json(status, {"error": {"message": message, "type": "scripted", "code": code}}, **headers)

    async def stall(self) -> None:
        """Say nothing until the client goes."""
        await self._gone.wait()


Fault = Callable[[Reply, Request], Awaitable[None]]
FAULTS: dict[str, Fault] = {}


def fault(name: str) -> Callable[[Fault], Fault]:
    """Register what a model of this name does."""

    def register(play: Fault) -> Fault:
        FAULTS[name] = play
        return play

    return register


def chunk(delta: Json, reason: str | None = None, index: int = 0) -> Json:
    """A chunk of a chat completion."""
    choice = {"index": index, "delta": delta, "finish_reason": reason}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def usage(output: int) -> Json:
    """A usage object as OpenAI sends it."""
    return {"prompt_tokens": 11, "completion_tokens": output, "total_tokens": 11 + output}


class Gateway:
    """A running gateway: where it is, what was asked of it, who is connected.

    ``key`` set: every request must carry it. ``models`` is what ``/v1/models`` lists. ``play`` adds a fault to this
    gateway alone.
    """

    def __init__(self, *, key: str | None = None, models: list[Json] | None = None) -> None:
        self.key = key
        self.models = models if models is not None else [{"id": name, "object": "model"} for name in _LISTED]
        self.requests: list[Request] = []
        self.connections = 0
        self.open = 0
        self.disconnects: list[float] = []
        self.port = 0
        self._own: dict[str, Fault] = {}
        self._changed = threading.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The base URL, ending in /v1."""
        return f"{self.root}/v1"

    @property
    def root(self) -> str:
        """The address without /v1."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def posts(self) -> list[Request]:
        """The questions, without the requests for the list of models."""
        return [request for request in self.requests if request.method == "POST"]

    def play(self, name: str) -> Callable[[Fault], Fault]:
        """Register a fault with this gateway only."""

        def register(play: Fault) -> Fault:
            self._own[name] = play
            return play

        return register

    def wait(self, happened: Callable[[Gateway], object], timeout: float = 5.0) -> None:
        """Wait until something is true of this gateway. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: happened(self), timeout):
                raise TimeoutError("the gateway waited in vain")

    async def until(self, happened: Callable[[Gateway], object], timeout: float = 5.0) -> None:
        """``wait`` for an event loop."""
        await asyncio.get_running_loop().run_in_executor(None, self.wait, happened, timeout)

    async def wait_disconnected(self, count: int = 1, timeout: float = 5.0) -> None:
        """Wait until clients have left that many answers before their end."""
        await self.until(lambda gateway: len(gateway.disconnects) >= count, timeout)

    async def serve(self, started: Callable[[], None], stop: asyncio.Event, port: int = 0) -> None:
        """Serve until told to stop; ends every connection."""
        server = await asyncio.start_server(self._connect, "127.0.0.1", port, limit=2**26)
        self.port = server.sockets[0].getsockname()[1]
        started()
        await stop.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await server.wait_closed()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._note(connections=1, open=1)
        number = self.connections
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._serve(reader, writer, number)
        finally:
            writer.close()
            self._note(open=-1)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        ahead = b""
        while True:
            ahead = ahead or await reader.readexactly(1)
            if not ahead.isalpha():  # TLS, say
                writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                return
            request = await _request(reader, ahead, number)
            turn = 1 + sum(earlier.model == request.model for earlier in self.posts)
            name = request.model.removesuffix("@bytes")
            play, args = self._played(name)
            request = replace(request, args=args, turn=turn)
            self._note(request=request)
            gone = asyncio.Event()
            reply = Reply(writer, gone, byte_by_byte=request.model.endswith("@bytes"))
            ahead = await self._answer(reply, request, play, reader, gone)
            if not reply.keep_alive:
                return

    async def _answer(
        self, reply: Reply, request: Request, play: Fault, reader: asyncio.StreamReader, gone: asyncio.Event
    ) -> bytes:
        """Play one answer while watching for the client to go; gives what the client has sent of its next request."""
        playing = asyncio.ensure_future(self._route(reply, request, play))
        watching = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({playing, watching}, return_when=asyncio.FIRST_COMPLETED)
            if not playing.done() and _left(watching):
                gone.set()
                playing.cancel()
            await asyncio.wait({playing})
            watching.cancel()
            await asyncio.wait({watching})
            if gone.is_set() or isinstance(playing.exception(), ConnectionError):
                self._note(disconnect=True)
                raise ConnectionResetError("the client has left")
            playing.result()  # a fault may itself be at fault
            return b"" if watching.cancelled() or watching.exception() else watching.result()
        finally:
            playing.cancel()
            watching.cancel()
            await asyncio.gather(playing, watching, return_exceptions=True)

    async def _route(self, reply: Reply, request: Request, play: Fault) -> None:
        path = request.path.partition("?")[0]
        if self.key is not None and request.headers.get("authorization") != f"Bearer {self.key}":
            await reply.error(401, f"Incorrect API key: {request.headers.get('authorization')}", "invalid_api_key")
        elif (request.method, path) == ("GET", "/v1/models"):
            await reply.json(200, {"object": "list", "data": self.models})
        elif (request.method, path) in (("POST", "/v1/chat/completions"), ("POST", "/v1/embeddings")):
            await play(reply, request)
        else:
            await reply.whole(404, "text/plain", b"404 page not found")

    def _played(self, model: str) -> tuple[Fault, tuple[str, ...]]:
        """The fault of a model's name and the arguments in it."""
        known = {**FAULTS, **self._own}
        words = model.split("-")
        for length in range(len(words), 0, -1):
            if (play := known.get("-".join(words[:length]))) is not None:
                return play, tuple(words[length:])
        return _unknown_model, ()

    def _note(
        self, *, request: Request | None = None, connections: int = 0, open: int = 0, disconnect: bool = False
    ) -> None:
        with self._changed:
            self.connections += connections
            self.open += open
            if request is not None:
                self.requests.append(request)
            if disconnect:
                self.disconnects.append(time.monotonic())
            self._changed.notify_all()


@contextlib.contextmanager
def running_gateway(*, key: str | None = None, models: list[Json] | None = None, port: int = 0) -> Iterator[Gateway]:
    """A gateway in a thread of its own, stopped at the end with all its connections."""
    gateway = Gateway(key=key, models=models)
    started = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    def run() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(gateway.serve(started.set, stop, port))
        finally:
            started.set()
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    thread = threading.Thread(target=run, name="gateway", daemon=True)
    thread.start()
    started.wait()
    try:
        yield gateway
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=10)


async def _request(reader: asyncio.StreamReader, ahead: bytes, number: int) -> Request:
    head = ahead + await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, body, connection=number)


def _left(watching: asyncio.Future[bytes]) -> bool:
    """Whether the client has closed the connection, rather than sent something."""
    return watching.done() and (watching.exception() is not None or watching.result() == b"")


async def _unknown_model(reply: Reply, request: Request) -> None:
    await reply.error(404, f"The model `{request.model}` does not exist.", "model_not_found")


# ---------------------------------------------------------------- models that behave


@fault("echo")
async def echo(reply: Reply, request: Request) -> None:
    """The last message back, word by word."""
    words = request.question.split(" ")
    await reply.head()
    for position, word in enumerate(words):
        await reply.delta(content=word if position == 0 else f" {word}")
    await reply.finish(usage=usage(len(words)))


@fault("paced")
async def paced(reply: Reply, request: Request) -> None:
    """``paced-200-20``: 200 tokens at 20 a second."""
    count, rate = int(request.number(0, 60)), request.number(1, 20)
    await reply.head()
    started = asyncio.get_running_loop().time()
    for number in range(count):
        await reply.delta(content=f"word{number} ")
        await asyncio.sleep(started + (number + 1) / rate - asyncio.get_running_loop().time())
    await reply.finish(usage=usage(count))


@fault("fast")
async def fast(reply: Reply, request: Request) -> None:
    """``fast-100000``: that many tokens as fast as they are read, many in a write."""
    count = int(request.number(0, 1000))
    event = f"data: {json.dumps(chunk({'content': 'word '}))}\n\n".encode()
    await reply.head()
    for start in range(0, count, 100):
        await reply.send(event * min(100, count - start))
    await reply.finish(usage=usage(count))


@fault("markdown")
async def markdown(reply: Reply, request: Request) -> None:
    """A heading, code, a table, a list and a link, in about sixty tokens; ``markdown-20``: at 20 a second."""
    pause = 1 / request.number(0, float("inf"))
    await reply.head()
    for start in range(0, len(MARKDOWN), 6):
        await reply.delta(content=MARKDOWN[start : start + 6])
        await asyncio.sleep(pause)
    await reply.finish(usage=usage(60))


@fault("reasoning")
async def reasoning(reply: Reply, request: Request) -> None:
    """Reasoning in its own field, ``reasoning-reasoning_content`` in the other, then an answer."""
    name = request.args[0] if request.args else "reasoning"
    await reply.head()
    for text in ("Let me ", "think."):
        await reply.delta(**{name: text, "content": None})
    await reply.delta(content="The answer.")
    await reply.finish(usage=usage(5))


@fault("think")
async def think(reply: Reply, request: Request) -> None:
    """Reasoning in <think> tags."""
    await reply.head()
    for text in ("<th", "ink>\nLet me ", "think.\n</", "think>", "\n\nThe ", "answer."):
        await reply.delta(content=text)
    await reply.finish(usage=usage(5))


@fault("embed")
async def embed(reply: Reply, request: Request) -> None:
    """``embed-64``: vectors of 64 values, near for texts with words in common, or words of one meaning.

    ``embed-64-floats`` knows no ``encoding_format``; ``embed-64-short`` takes no text of more than 200 characters.
    """
    texts, manner = request.json["input"], request.args[1:]
    if "floats" in manner and "encoding_format" in request.json:
        await reply.error(400, "Unknown parameter: encoding_format")
    elif "short" in manner and any(len(text) > 200 for text in texts):
        await reply.error(400, "This model's maximum context length is 50 tokens.", "context_length_exceeded")
    else:
        found = [embedding(text, int(request.number(0, 64))) for text in texts]
        packed = [base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode() for vector in found]
        data = packed if request.json.get("encoding_format") == "base64" else found
        items = [{"object": "embedding", "index": at, "embedding": one} for at, one in enumerate(data)]
        await reply.json(200, {"object": "list", "data": items[::-1], "model": request.model})


MEANINGS = {"lorry": "van", "lorries": "van", "truck": "van", "vans": "van", "revenue": "income", "earnings": "income"}


def embedding(text: str, size: int) -> list[float]:
    """Each word, by its meaning, adds to the value that its checksum says, and takes from another one."""
    vector = [0.0] * size
    for word in re.findall(r"[a-z]+", text.lower()):
        place = zlib.crc32(MEANINGS.get(word, word).encode())
        vector[place % size] += 1.0
        vector[place // size % size] -= 0.5
    return vector


_LISTED = ("echo", "markdown", "reasoning", "think", "paced-200-20")


# ---------------------------------------------------------------- refusals


@fault("status")
async def status(reply: Reply, request: Request) -> None:
    """``status-429-2``: that status, with ``Retry-After: 2``; the key is repeated, as careless gateways do."""
    headers = {"Retry_After": request.args[1]} if len(request.args) > 1 else {}
    said = f"Scripted refusal of {request.headers.get('authorization', 'nobody')}"
    await reply.error(int(request.args[0]), said, **headers)


@fault("flaky")
async def flaky(reply: Reply, request: Request) -> None:
    """``flaky-503-2``: that status twice, then an answer."""
    if request.turn <= request.number(1, 1):
        await reply.error(int(request.args[0]), "Not yet", Retry_After="0")
    else:
        await echo(reply, request)


@fault("flaky-date")
async def flaky_date(reply: Reply, request: Request) -> None:
    """429 until a date that has come, then an answer."""
    if request.turn == 1:
        await reply.error(429, "Slow down", Retry_After=email.utils.formatdate(time.time() - 5, usegmt=True))
    else:
        await echo(reply, request)


@fault("flaky-drop")
async def flaky_drop(reply: Reply, request: Request) -> None:
    """The connection dropped without an answer, then an answer."""
    if request.turn == 1:
        await reply.reset()
    else:
        await echo(reply, request)


@fault("drop")
async def drop(reply: Reply, request: Request) -> None:
    """The connection closed without an answer, always."""
    await reply.cut()


@fault("garbage")
async def garbage(reply: Reply, request: Request) -> None:
    """An answer that is not HTTP."""
    await reply.raw(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")
    await reply.cut()


@fault("redirect")
async def redirect(reply: Reply, request: Request) -> None:
    """To another host, which must not see the key."""
    await reply.whole(302, "text/html", b"<a href='#'>moved</a>", Location="https://evil.example/v1?token=1")


@fault("html")
async def html(reply: Reply, request: Request) -> None:
    """A login page instead of an answer; ``html-502``: with that status."""
    page = b"<html><script>alert('LOGIN-PAGE')</script></html>"
    await reply.whole(int(request.number(0, 200)), "text/html; charset=utf-8", page)


@fault("no-type")
async def no_type(reply: Reply, request: Request) -> None:
    """An answer without a content type."""
    await reply.whole(200, None, b"LOGIN-PAGE")


@fault("whole")
async def whole(reply: Reply, request: Request) -> None:
    """A whole answer although a stream was asked for; ``whole-9`` says it nine times."""
    text = "<think>Hm.</think>" + "All at once." * int(request.number(0, 1))
    message = {"role": "assistant", "content": text, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    await reply.json(200, {"object": "chat.completion", "choices": [choice], "usage": usage(4)})


@fault("json")
async def json_answer(reply: Reply, request: Request) -> None:
    """``json``: no answer; ``json-error``: an error with status 200; ``json-endpoint``: LM Studio's way."""
    bodies: dict[tuple[str, ...], Any] = {
        ("error",): {"error": {"message": "The engine has crashed", "type": "server_error"}},
        ("endpoint",): {"error": "Unexpected endpoint or method. (POST /chat/completions)"},
        ("list",): [1, 2],
    }
    await reply.json(200, bodies.get(request.args, {"status": "LOGIN-PAGE"}))


@fault("no-stream-options")
async def no_stream_options(reply: Reply, request: Request) -> None:
    """Refuses ``stream_options``; ``no-stream-options-silently``: without saying why."""
    if "stream_options" not in request.json:
        await echo(reply, request)
    elif request.args:
        await reply.whole(400, "text/plain", b"")
    else:
        await reply.error(400, "Unrecognized request argument supplied: stream_options")


@fault("no-max-tokens")
async def no_max_tokens(reply: Reply, request: Request) -> None:
    """Wants ``max_completion_tokens``, as newer models do."""
    if "max_tokens" in request.json:
        await reply.error(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
    else:
        await echo(reply, request)


@fault("too-long")
async def too_long(reply: Reply, request: Request) -> None:
    await reply.error(400, "This model's maximum context length is 8 tokens.", "context_length_exceeded")


@fault("no-quota")
async def no_quota(reply: Reply, request: Request) -> None:
    await reply.error(429, "You exceeded your current quota.", "insufficient_quota")


# ---------------------------------------------------------------- streams that stop


@fault("stall")
async def stall(reply: Reply, request: Request) -> None:
    """Connected, then nothing."""
    await reply.stall()


@fault("stall-mid")
async def stall_mid(reply: Reply, request: Request) -> None:
    """Some text, then nothing."""
    await reply.head()
    await reply.delta(content="Half an")
    await reply.stall()


@fault("drip")
async def drip(reply: Reply, request: Request) -> None:
    """A line that grows for ever, byte by byte."""
    await reply.head()
    await reply.delta(content="Half an")
    while True:
        await reply.send(b"x")
        await asyncio.sleep(0.02)


@fault("heartbeats")
async def heartbeats(reply: Reply, request: Request) -> None:
    """``heartbeats-30``: that many comments while the model is slow, then an answer."""
    await reply.head()
    for _ in range(int(request.number(0, 30))):
        await reply.send(b": processing\n\n")
        await asyncio.sleep(0.02)
    await reply.delta(content="At last.")
    await reply.finish()


@fault("cut")
async def cut(reply: Reply, request: Request) -> None:
    """Some text, then the connection closed inside the body."""
    await reply.head()
    await reply.delta(content="Half an")
    await reply.delta(content=" answer")
    await reply.cut()


@fault("cut-line")
async def cut_line(reply: Reply, request: Request) -> None:
    """A proper end of the body, inside a line; ``cut-line-late``: after the finish_reason."""
    await reply.head()
    await reply.delta(content="Half an answer")
    if request.args:
        await reply.event(chunk({}, "stop"))
    await reply.send(b'data: {"choices": [{"del')
    await reply.end()


@fault("cut-clean")
async def cut_clean(reply: Reply, request: Request) -> None:
    """A proper end of the body without a finish_reason; ``cut-clean-done``: even with [DONE]."""
    await reply.head()
    await reply.delta(content="Half an answer")
    if request.args:
        await reply.event("[DONE]")
    await reply.end()


@fault("reset-mid")
async def reset_mid(reply: Reply, request: Request) -> None:
    """Some text, then a TCP reset."""
    await reply.head()
    await reply.delta(content="Half an answer")
    await asyncio.sleep(0.3)  # a reset overtakes what the client has not read yet
    await reply.reset()


@fault("no-done")
async def no_done(reply: Reply, request: Request) -> None:
    """A finish_reason, but no [DONE]; ``no-done-cut``: and the connection closed inside the body."""
    await reply.head()
    await reply.delta(content="Complete.")
    await reply.event(chunk({}, "stop"))
    if request.args:
        await reply.cut()
    else:
        await reply.end()


@fault("done-unended")
async def done_unended(reply: Reply, request: Request) -> None:
    """[DONE] as the last bytes, without its line end."""
    await reply.head()
    await reply.delta(content="Complete.")
    await reply.event(chunk({}, "stop"))
    await reply.send(b"data: [DONE]")
    await reply.end()


@fault("after-done")
async def after_done(reply: Reply, request: Request) -> None:
    """More after [DONE], without end."""
    await reply.head()
    await reply.delta(content="Complete.")
    await reply.event(chunk({}, "stop"))
    await reply.event("[DONE]")
    await reply.delta(content=" Not this.")
    await reply.event({"error": {"message": "nor this"}})
    await reply.stall()


# ---------------------------------------------------------------- odd streams


@fault("bytes")
async def odd_bytes(reply: Reply, request: Request) -> None:
    """``bytes-<name>``: a stream of ``BYTES``, exact to the byte."""
    await reply.head(200, "text/event-stream; charset=latin-1")
    await reply.send(BYTES[request.args[0]])
    await reply.end()


@fault("events")
async def odd_events(reply: Reply, request: Request) -> None:
    """``events-<name>``: the events of ``EVENTS``, then a good end."""
    await reply.head()
    for event in EVENTS[request.args[0]]:
        await reply.event(event)
    await reply.finish()


@fault("finish")
async def finish(reply: Reply, request: Request) -> None:
    """``finish-length``: an answer that ends for that reason; ``finish-tool_calls-empty``: without a text."""
    await reply.head()
    if len(request.args) == 1:
        await reply.delta(content="Some text")
    await reply.finish(request.args[0])


@fault("line")
async def line(reply: Reply, request: Request) -> None:
    """``line-1000000``: one event with that many characters."""
    await reply.head()
    await reply.delta(content="x" * int(request.args[0]))
    await reply.finish()


@fault("empty-events")
async def empty_events(reply: Reply, request: Request) -> None:
    """``empty-events-1000000``: that many events without data, then an answer."""
    await reply.head()
    for _ in range(int(request.args[0]) // 1000):
        await reply.send(b"data:\n\n" * 1000)
    await reply.delta(content="At last.")
    await reply.finish()


@fault("gzip")
async def gzip(reply: Reply, request: Request) -> None:
    """A compressed stream although none was asked for; ``gzip-br-401``: said to be another way, with that status."""
    await reply.head(int(request.number(1, 200)), SSE, Content_Encoding=request.args[0] if request.args else "gzip")
    packer = zlib.compressobj(wbits=31)
    for event in (chunk({"content": "Unpacked."}), chunk({}, "stop")):
        packed = packer.compress(f"data: {json.dumps(event)}\n\n".encode()) + packer.flush(zlib.Z_SYNC_FLUSH)
        await reply.send(packed)
    await reply.send(packer.flush())
    await reply.end()


@fault("bomb")
async def bomb(reply: Reply, request: Request) -> None:
    """A gigabyte in a megabyte; ``bomb-error``: as the body of an error."""
    packer = zlib.compressobj(9, wbits=31)
    await reply.head(500 if request.args else 200, SSE, Content_Encoding="gzip")
    block = b"\n" * 2**22
    for _ in range(256):
        await reply.send(packer.compress(block) + packer.flush(zlib.Z_SYNC_FLUSH))
    await reply.send(packer.flush())
    await reply.end()


def _stream(text: str, end: str = "\n", **options: Any) -> bytes:
    events = [chunk({"content": text}), chunk({}, "stop")]
    lines = [f"data: {json.dumps(event, **options)}{end}{end}" for event in events]
    return "".join([*lines, f"data: [DONE]{end}{end}"]).encode()


_SPECIAL = "a\u2028b\u2029c\u0085d\0e é € 😀"
_GOOD = json.dumps(chunk({"content": "one"}))
_LAST = json.dumps(chunk({}, "stop"))

BYTES: Mapping[str, bytes] = {
    "lf": _stream("Grüße 😀", ensure_ascii=False),
    "cr": _stream("Grüße 😀", "\r", ensure_ascii=False),
    "crlf": _stream("Grüße 😀", "\r\n", ensure_ascii=False),
    "bom": b"\xef\xbb\xbf" + _stream("Grüße 😀", ensure_ascii=False),
    "special": _stream(_SPECIAL, ensure_ascii=False),
    "escaped": _stream(_SPECIAL),
    "invalid": _stream("a?b").replace(b"a?b", b"a\xffb"),
    "fields": (
        f"retry: 3000\nid: 7\nevent: message\n: comment\ndata: {_GOOD}\n\n:\n\nid: 8\ndata:{_LAST}\n\ndata: [DONE]\n\n"
    ).encode(),
    "lines": "".join(
        f"data: {line}\n" for line in json.dumps(chunk({"content": "one"}, "stop"), indent=1).split("\n")
    ).encode()
    + b"\n",
}
"""Streams for the model ``bytes-<name>``."""

EVENTS: Mapping[str, tuple[Any, ...]] = {
    "one_bad": (chunk({"content": "one"}), "{broken", chunk({"content": " two"})),
    "two_bad": (chunk({"content": "one"}), "{broken", "[1]", chunk({"content": " two"})),
    "three_bad": (chunk({"content": "one"}), "{broken", "[1]", "null", chunk({"content": " two"})),
    "deep": ("[" * 100_000, chunk({"content": "one"})),
    "error": (chunk({"content": "Half"}), {"error": {"message": "The engine has crashed", "type": "server_error"}}),
    "error_429": (chunk({"content": "Half"}), {"error": {"code": 429, "message": "Slow down"}, "choices": []}),
    "error_string": (chunk({"content": "Half"}), {"error": "context window of 8 tokens exceeded"}),
    "error_object": (chunk({"content": "Half"}), {"object": "error", "message": "CUDA out of memory", "code": 500}),
    "no_choices": ({"choices": []}, {"choices": None}, {"id": "x"}, chunk({"content": "one"})),
    "null_delta": (
        {"choices": [{"index": 0, "delta": None}]},
        chunk({"content": None, "role": "assistant"}),
        chunk({"content": "one"}),
    ),
    "two_choices": (
        {"choices": [{"index": 0, "delta": {"content": "one"}}, {"index": 1, "delta": {"content": "other"}}]},
        chunk({"content": "another"}, "length", index=1),
    ),
    "parts": (
        chunk(
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
                    {"type": "text", "text": "one"},
                    3,
                ]
            }
        ),
    ),
    "refusal": (chunk({"refusal": "I cannot do that."}),),
    "message": ({"choices": [{"index": 0, "message": {"role": "assistant", "content": "one"}}]},),
    "both_fields": (chunk({"reasoning": "Hm.", "reasoning_content": "Hm."}), chunk({"content": "one"})),
    "odd_types": (
        {"choices": [None, 3, {"delta": []}, {"delta": {"content": 5, "reasoning": {"a": 1}}}], "usage": "none"},
        {"choices": {}, "usage": {"prompt_tokens": None, "completion_tokens": "many"}},
        chunk({"content": "one"}),
    ),
    "half_pairs": (
        '{"choices": [{"index": 0, "delta": {"content": "a\\ud83d"}}]}',
        '{"choices": [{"index": 0, "delta": {"content": "\\ude00b\\ud800"}}]}',
    ),
    "tool_calls": (
        chunk({"content": "one"}),
        chunk({"tool_calls": [{"index": 0, "id": "1", "function": {"name": "run", "arguments": "{"}}]}),
        chunk({"tool_calls": [{"index": 9, "id": None, "function": None}, None, "x"]}),
        chunk({"tool_calls": {"index": 0}}),
    ),
    "late_usage": (
        chunk({"content": "one"}),
        {
            "choices": [],
            "usage": {
                "prompt_tokens": 7,
                "completion_tokens": 2,
                "prompt_tokens_details": {"cached_tokens": 5},
                "cost": 0.25,
            },
        },
    ),
}
"""Events for the model ``events-<name>``."""


def main() -> None:
    """Serve by itself until interrupted."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("--key", default=None)
    options = arguments.parse_args()
    gateway = Gateway(key=options.key)

    async def serve() -> None:
        await gateway.serve(lambda: print(gateway.url, flush=True), asyncio.Event(), options.port)

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())


if __name__ == "__main__":
    main()
