"""What the tests of the MCP endpoint share: the endpoint with tools of the test's own, and clients of both eras."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import nbformat

from jupyter_assistant.server.mcp import Endpoint
from jupyter_assistant.server.mcp.desk import Desk
from jupyter_assistant.server.mcp.reports import Pace
from jupyter_assistant.tools import Image, Registry, Text, Tool, ToolOutput
from tests.conftest import Json, Server

MODERN = "2026-07-28"
LEGACY = "2025-11-25"
ERAS = (MODERN, LEGACY)
BOTH = "application/json, text/event-stream"
PIXEL = b"\x89PNG not really"


class Slow:
    """A tool that goes on until it is let go or cancelled, and counts both."""

    def __init__(self) -> None:
        self.running = 0
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def slow(self) -> str:
        """Wait."""
        self.running += 1
        self.begun.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        finally:
            self.running -= 1
        return "at last"


async def add(a: Annotated[int, "One"], b: Annotated[int, "Another"] = 1) -> str:
    """Add two numbers."""
    return str(a + b)


async def show() -> ToolOutput:
    """Show text and an image."""
    return ToolOutput((Text("a plot"), Image("image/png", PIXEL)))


async def fail() -> ToolOutput:
    """Fail with what there was."""
    return ToolOutput((Text("so far"), Text("It failed. Mend it.")), is_error=True)


async def write() -> str:
    """Write."""
    return "written"


async def large(chars: Annotated[int, "How many"]) -> str:
    """Say much."""
    return "x" * chars


def of_tests(server: Server, slow: Slow, *, level: str = "execute") -> Endpoint:
    """An endpoint with the tools above."""
    tools = [
        Tool(add, "read", "Add", core=True),
        Tool(show, "read", "Show"),
        Tool(fail, "read", "Fail"),
        Tool(large, "read", "Say much"),
        Tool(write, "write", "Write"),
        Tool(slow.slow, "execute", "Wait"),
    ]
    registry = Registry(tools, log=server.app.log)
    desk = Desk([registry], server.built.notebooks, level=level, pace=Pace(0.01, 0.01))
    return Endpoint(desk, log=server.app.log)


def address(server: Server) -> str:
    """The endpoint's URL."""
    return f"{server.client.base_url}mcp"


def request(method: str, params: Json | None = None, *, era: str = MODERN, number: int = 1) -> dict[str, Any]:
    """Headers and body of one message, as ``httpx`` takes them."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": era,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    headers = {"Accept": BOTH, "MCP-Protocol-Version": era}
    params = dict(params or {})
    if era == MODERN:
        params["_meta"] = {**meta, **params.get("_meta", {})}
        headers["Mcp-Method"] = method
        headers |= {"Mcp-Name": params["name"]} if "name" in params else {}
        headers |= {"Mcp-Name": params["uri"]} if "uri" in params else {}
    return {"headers": headers, "json": {"jsonrpc": "2.0", "id": number, "method": method, "params": params}}


def call(name: str, arguments: Json | None = None, **more: Any) -> dict[str, Any]:
    """A call of a tool."""
    return request("tools/call", {"name": name, "arguments": arguments or {}}, **more)


INITIALIZE: Json = {
    "protocolVersion": LEGACY,
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}


async def opened(client: httpx.AsyncClient) -> str:
    """The id of a new session."""
    response = await client.post("mcp", **request("initialize", INITIALIZE, era=LEGACY))
    assert response.status_code == 200, response.text
    return response.headers["Mcp-Session-Id"]


def message(response: httpx.Response) -> Json:
    """The last message of an answer, whichever form it has."""
    if "text/event-stream" not in response.headers.get("Content-Type", ""):
        found: Json = response.json()
        return found
    return messages(response.text)[-1]


def messages(text: str) -> list[Json]:
    """The messages of a whole stream."""
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]


def texts(result: Json) -> list[str]:
    """The texts of a tool's result."""
    return [part["text"] for part in result["content"] if part["type"] == "text"]


async def until(condition: Any, seconds: float = 15.0) -> None:
    """Until it holds; fails when it does not in time."""

    async def hold() -> None:
        while not condition():  # noqa: ASYNC110  (the server has no event for what is waited for)
            await asyncio.sleep(0.005)

    await asyncio.wait_for(hold(), seconds)


def clients(server: Server, era: str) -> Iterable[Any]:
    """A client of FastMCP and one of the official SDK, for ``async with``."""
    return [fastmcp_client(server, era), sdk_client(server, era)]


def fastmcp_client(server: Server, era: str) -> Any:
    from fastmcp import Client
    from fastmcp.client.transports import StreamableHttpTransport

    headers = {"Authorization": server.client.headers["Authorization"]}
    mode = MODERN if era == MODERN else "legacy"
    return Client(StreamableHttpTransport(address(server), headers=headers), mode=mode)


@asynccontextmanager
async def sdk_client(server: Server, era: str) -> AsyncIterator[Any]:
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    headers = {"Authorization": server.client.headers["Authorization"]}
    async with httpx2.AsyncClient(headers=headers, trust_env=False, timeout=30) as http:
        transport: Any = streamable_http_client(address(server), http_client=http)
        async with Client(transport, mode=MODERN if era == MODERN else "legacy") as client:
            yield client


# ---------------------------------------------------------------- notebooks


def put(server: Server, path: str, *cells: Any) -> Path:
    """A notebook with these cells, of ids a, b, c…"""
    notebook = nbformat.v4.new_notebook(
        cells=list(cells), metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    )
    for cell, name in zip(notebook.cells, "abcdefgh", strict=False):
        cell.id = name
    file = server.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, file)
    return file


def code(source: str, *outputs: Any) -> Any:
    return nbformat.v4.new_code_cell(source, outputs=list(outputs), execution_count=1 if outputs else None)


def printed(text: str) -> Any:
    return nbformat.v4.new_output("stream", name="stdout", text=text)


def picture() -> Any:
    return nbformat.v4.new_output("display_data", {"image/png": "iVBORw0KGgo=\n", "text/plain": "<Figure>"})


def text_of(result: Any) -> str:
    return "\n".join(part.text for part in result.content if part.type == "text")
