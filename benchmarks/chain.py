"""The chain, measured from outside: our share of the first token, 100 000 tokens, the loop under a 100 MB notebook.

Gateway, server and client are three processes. The share is the time through us less the time of the same request to
the gateway itself, pair by pair.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import nbformat

from benchmarks.figures import show
from benchmarks.notebook_read import large_notebook
from benchmarks.processes import TOKEN, Server, jupyter_server, scripted_gateway
from jupyter_assistant.sse import Decoder

TOKENS = 100_000
STREAMS = 200
RATE = 20
PACED_TOKENS = 200


class Client:
    """Asks the server under measurement, and the gateway behind it."""

    def __init__(self, server: Server, gateway: str) -> None:
        self.server = server
        self.gateway = gateway
        limits = httpx.Limits(max_connections=None)
        self.http = httpx.AsyncClient(timeout=120, trust_env=False, limits=limits)
        self.headers = {"Authorization": f"token {TOKEN}"}

    async def first_token(self, question: str, path: str | None, model: str = "paced-1-1000") -> float:
        """Milliseconds from the question to the first token."""
        body: dict[str, Any] = {"question": question, "model": model}
        body |= {"notebook": {"path": path}} if path else {}
        began, first, decoder = time.perf_counter(), 0.0, Decoder()
        async with self.http.stream(
            "POST", f"{self.server.url}assistant/chat/stream", json=body, headers=self.headers
        ) as response:
            async for chunk in response.aiter_raw():
                if not first and any(event.event == "token" for event in decoder.feed(chunk)):
                    first = time.perf_counter() - began
        if not first:
            raise RuntimeError(f"no token about {path}")
        return 1000 * first

    async def direct(self, model: str = "paced-1-1000") -> float:
        """Milliseconds to the first token of the gateway itself."""
        body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
        began, first = time.perf_counter(), 0.0
        async with self.http.stream("POST", f"{self.gateway}/chat/completions", json=body) as response:
            async for chunk in response.aiter_raw():
                if not first and b'"content"' in chunk:
                    first = time.perf_counter() - began
        return 1000 * first

    async def lag(self) -> float:
        """The worst delay of the server's loop since the last call, in milliseconds."""
        response = await self.http.get(f"{self.server.url}bench/lag", headers=self.headers)
        return float(response.json()["lag_ms"])


def small_notebook(path: Path) -> None:
    """Ten cells as people have them."""
    cells = [nbformat.v4.new_code_cell(f"value_{i} = {i}\nprint(value_{i})") for i in range(10)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


async def share_of_first_token(client: Client, path: str, runs: int) -> list[float]:
    """Our share, pair by pair."""
    await client.first_token("What is value_3?", path)
    await client.direct()
    return [await client.first_token("What is value_3?", path) - await client.direct() for _ in range(runs)]


async def large(client: Client, file: Path) -> None:
    """A question about 1 000 cells with 100 MB of outputs: cold (the file has just changed), warm, and the loop."""
    cold, warm, lags, warm_lags = [], [], [], []
    for _ in range(5):
        os.utime(file)
        await client.lag()
        cold.append(await client.first_token("Where is the mean computed?", file.name) - await client.direct())
        lags.append(await client.lag())
        warm += await share_of_first_token(client, file.name, 3)
        warm_lags.append(await client.lag())
    show("first token, our share, 100 MB notebook, cold", cold, "ms", 400)
    show("first token, our share, 100 MB notebook, warm", warm, "ms", 15)
    show("loop stall while it is asked about, cold", lags, "ms", 20)
    show("loop stall while it is asked about, warm", warm_lags, "ms", 20)


async def throughput(client: Client) -> None:
    """100 000 tokens as fast as the gateway sends them."""
    seconds, cpu, ratio = [], [], []
    for _ in range(3):
        before, began = client.server.cpu(), time.perf_counter()
        wire, text, decoder = 0, 0, Decoder()
        body = {"question": "go", "model": f"fast-{TOKENS}"}
        url = f"{client.server.url}assistant/chat/stream"
        async with client.http.stream("POST", url, json=body, headers=client.headers) as response:
            async for chunk in response.aiter_raw():
                wire += len(chunk)
                for event in decoder.feed(chunk):
                    if event.event == "token":
                        text += len(json.loads(event.data)["text"].encode())
        seconds.append(time.perf_counter() - began)
        cpu.append(1e6 * (client.server.cpu() - before) / TOKENS)
        ratio.append(wire / text)
    show("100 000 tokens through the chain", seconds, "s", 4)
    show("server CPU a token", cpu, "us", 30)
    show("wire bytes over text bytes", ratio, "x", 3)


async def paced(url: str, body: dict[str, Any], headers: dict[str, str], marker: bytes) -> list[float]:
    """How late each token of a paced stream is beside the earliest of its stream, in milliseconds; a bare client."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    payload = json.dumps(body).encode()
    lines = [f"POST {parts.path} HTTP/1.1", f"Host: {parts.netloc}", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join([*lines, f"Content-Length: {len(payload)}", "", ""]).encode() + payload)
    arrivals: list[float] = []
    while data := await reader.read(65_536):
        arrivals += [time.perf_counter()] * data.count(marker)
        if b"[DONE]" in data or b"event: done" in data:
            break
    writer.close()
    offsets = [arrived - number / RATE for number, arrived in enumerate(arrivals)]
    return [1000 * (offset - min(offsets)) for offset in offsets]


async def at_once(url: str, body: dict[str, Any], headers: dict[str, str], marker: bytes) -> float:
    """The 99th percentile over 200 streams that begin within two seconds."""

    async def one(number: int) -> list[float]:
        await asyncio.sleep(2 * number / STREAMS)
        return await paced(url, body, headers, marker)

    late = sorted(x for stream in await asyncio.gather(*map(one, range(STREAMS))) for x in stream)
    if len(late) < STREAMS * PACED_TOKENS * 0.5:
        raise RuntimeError(f"only {len(late)} frames came")
    return late[int(len(late) * 0.99)]


async def many(client: Client) -> None:
    """200 streams of 20 tokens a second, through the server and straight from the gateway: p99, memory, CPU."""
    model, added, memory, cpu = f"paced-{PACED_TOKENS}-{RATE}", [], [], []
    for _ in range(3):
        asked = {"model": model, "stream": True, "messages": [{"role": "user", "content": "go"}]}
        direct = await at_once(f"{client.gateway}/chat/completions", asked, {}, b'"content"')
        before, used = client.server.resident_mb(), client.server.cpu()
        body = {"question": "go", "model": model}
        streams = asyncio.create_task(
            at_once(f"{client.server.url}assistant/chat/stream", body, client.headers, b"event: token")
        )
        await asyncio.sleep(PACED_TOKENS / RATE)
        memory.append(1000 * (client.server.resident_mb() - before) / STREAMS)
        added.append(await streams - direct)
        cpu.append(1e6 * (client.server.cpu() - used) / (STREAMS * PACED_TOKENS))
    show("200 paced streams, p99 of the delay, less the gateway's own", added, "ms", 100)
    show("200 paced streams, memory a stream", memory, "kB", 150)
    show("200 paced streams, server CPU a token", cpu, "us")


async def measure(server: Server, gateway: str, folder: Path) -> None:
    """All figures of the chain."""
    client = Client(server, gateway)
    small_notebook(folder / "small.ipynb")
    show("first token, our share, 10 cells", await share_of_first_token(client, "small.ipynb", 40), "ms", 5)
    large_notebook(folder / "large.ipynb")
    await large(client, folder / "large.ipynb")
    await throughput(client)
    await many(client)
    await client.http.aclose()


def main() -> None:
    """Start the processes, measure, end them."""
    with tempfile.TemporaryDirectory() as name, scripted_gateway() as gateway:
        extensions = {"jupyter_assistant": True, "benchmarks.lag": True}
        environ = {"JUPYTER_ASSISTANT_BASE_URL": gateway, "JUPYTER_ASSISTANT_MODEL": "echo"}
        folder = Path(name)
        with jupyter_server(folder, extensions=extensions, environ=environ, ready="assistant/health") as server:
            asyncio.run(measure(server, gateway, folder))


if __name__ == "__main__":
    main()
