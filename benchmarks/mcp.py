"""The MCP endpoint beside a bare FastMCP server on uvicorn, in one run: a trivial call, ``run_cells``, the first call.

Each server is a process of its own; the calls are bare HTTP on one kept connection, so no client's cost is in them.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import nbformat

from benchmarks.figures import show
from benchmarks.processes import ROOT, TOKEN, Server, free_port, jupyter_server, scripted_gateway, wait_for

VERSION = "2026-07-28"
ROUNDS = 200
RUNS = 40
AT_ONCE = 200

BARE = """
import sys
import uvicorn
from fastmcp import FastMCP
from starlette.responses import PlainTextResponse
server = FastMCP("bare")
@server.tool(output_schema=None)
async def list_kernels() -> str:
    return "There are no kernels."
@server.custom_route("/ready", methods=["GET"])
async def ready(request):
    return PlainTextResponse("yes")
uvicorn.run(server.http_app(path="/mcp"), host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
"""


@contextmanager
def bare_fastmcp() -> Iterator[str]:
    """A FastMCP server with one tool, on uvicorn; gives its endpoint."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", BARE, str(port)], cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/ready", process)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        process.wait(20)


class Client:
    """Calls tools at one endpoint."""

    def __init__(self, url: str) -> None:
        self.url = url
        headers = {"Authorization": f"token {TOKEN}", "Accept": "application/json, text/event-stream"}
        limits = httpx.Limits(max_connections=None)
        self.http = httpx.AsyncClient(headers=headers, timeout=120, trust_env=False, limits=limits)

    async def call(self, name: str, **arguments: Any) -> float:
        """Milliseconds of one call."""
        meta = {
            "io.modelcontextprotocol/protocolVersion": VERSION,
            "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        params = {"name": name, "arguments": arguments, "_meta": meta}
        headers = {"MCP-Protocol-Version": VERSION, "Mcp-Method": "tools/call", "Mcp-Name": name}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        began = time.perf_counter()
        response = await self.http.post(self.url, json=body, headers=headers)
        took = 1000 * (time.perf_counter() - began)
        if response.status_code != 200 or '"isError":true' in response.text:
            raise RuntimeError(f"{name}: {response.status_code} {response.text[:500]}")
        return took

    async def at_once(self, name: str) -> float:
        """Milliseconds until many calls made at once are all answered."""
        began = time.perf_counter()
        await asyncio.gather(*(self.call(name) for _ in range(AT_ONCE)))
        return 1000 * (time.perf_counter() - began)


async def lag(server: Server, client: Client) -> float:
    """The worst delay of the server's loop since the last call, in milliseconds."""
    return float((await client.http.get(f"{server.url}bench/lag")).json()["lag_ms"])


async def measure(server: Server, bare: str, folder: Path) -> None:
    """All figures of the endpoint."""
    ours, theirs = Client(f"{server.url}assistant/mcp"), Client(bare)
    await lag(server, ours)
    show("first call, with the import of the library", [await ours.call("list_kernels")], "ms")
    show("loop stall during it", [await lag(server, ours)], "ms")
    await theirs.call("list_kernels")
    pairs = [(await ours.call("list_kernels"), await theirs.call("list_kernels")) for _ in range(ROUNDS)]
    show("trivial call", [pair[0] for pair in pairs], "ms", 5)
    show("the same at a bare FastMCP on uvicorn", [pair[1] for pair in pairs], "ms")
    show(f"{AT_ONCE} trivial calls at once", [await ours.at_once("list_kernels") for _ in range(5)], "ms")
    show("the same at a bare FastMCP on uvicorn", [await theirs.at_once("list_kernels") for _ in range(5)], "ms")
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1+1")]), folder / "sum.ipynb")
    await ours.call("run_cells", path="sum.ipynb")
    await lag(server, ours)
    show(
        "run_cells of 1+1, outputs written",
        [await ours.call("run_cells", path="sum.ipynb") for _ in range(RUNS)],
        "ms",
        20,
    )
    show("loop stall during it", [await lag(server, ours)], "ms", 20)
    [cell] = json.loads((folder / "sum.ipynb").read_text())["cells"]
    if cell["outputs"][0]["data"]["text/plain"] not in ("2", ["2"]):
        raise RuntimeError(f"no outputs were written: {cell}")
    for client in (ours, theirs):
        await client.http.aclose()


def main() -> None:
    """Start the processes, measure, end them."""
    with tempfile.TemporaryDirectory() as name, scripted_gateway() as gateway, bare_fastmcp() as bare:
        extensions = {"jupyter_assistant": True, "benchmarks.lag": True}
        environ = {"JUPYTER_ASSISTANT_BASE_URL": gateway, "JUPYTER_ASSISTANT_MODEL": "echo"}
        with jupyter_server(Path(name), extensions=extensions, environ=environ, ready="assistant/health") as server:
            asyncio.run(measure(server, bare, Path(name)))


if __name__ == "__main__":
    main()
