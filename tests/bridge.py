"""The stdio bridge as its clients start it: a process of its own, spoken to line by line."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.conftest import Json
from tests.mcp_clients import INITIALIZE, LEGACY, MODERN

COMMAND = [sys.executable, "-m", "jupyter_assistant.cli"]
ROOT = Path(__file__).parents[1]
SECONDS = 30.0


class Bridge:
    """A running bridge. What it says that nobody waited for is kept in ``others``."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.others: list[Json] = []
        self.said = ""

    def send(self, message: Json | str) -> None:
        """One line in."""
        text = message if isinstance(message, str) else json.dumps(message)
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode() + b"\n")

    async def read(self) -> Json:
        """The next message; what is no JSON object fails the test."""
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), SECONDS)
        assert line, f"the bridge ended: {self.said}"
        message = json.loads(line)
        assert message["jsonrpc"] == "2.0"
        return dict(message)

    async def answer(self, number: int | str | None) -> Json:
        """The answer to a request; others before it are kept."""
        while True:
            message = await self.read()
            if "method" not in message and message["id"] == number:
                return message
            self.others.append(message)

    async def ask(self, method: str, params: Json | None = None, *, era: str = MODERN, number: int = 1) -> Json:
        """A request and its answer."""
        self.send(line(method, params, era=era, number=number))
        return await self.answer(number)

    async def initialize(self) -> Json:
        """Open a session, as clients of the older revisions do."""
        answer = await self.ask("initialize", INITIALIZE, era=LEGACY, number=0)
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return answer

    async def end(self) -> int:
        """Close its input; gives its exit status."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return await asyncio.wait_for(self.process.wait(), SECONDS)

    async def hear(self, text: str) -> str:
        """What it has told a person, as soon as ``text`` is in it."""
        assert self.process.stderr is not None
        while text not in self.said:
            line = await asyncio.wait_for(self.process.stderr.readline(), SECONDS)
            assert line, f"the bridge ended without {text!r}: {self.said}"
            self.said += line.decode()
        return self.said


def line(method: str, params: Json | None = None, *, era: str = MODERN, number: int | str = 1) -> Json:
    """A request as a client of an era writes it."""
    params = dict(params or {})
    if era == MODERN:
        params["_meta"] = {
            "io.modelcontextprotocol/protocolVersion": era,
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
            **params.get("_meta", {}),
        }
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def call(name: str, arguments: Json | None = None, **more: Any) -> Json:
    """A call of a tool."""
    return line("tools/call", {"name": name, "arguments": arguments or {}}, **more)


@asynccontextmanager
async def bridge(folder: Path, runtime: Path, *arguments: str, **environ: str) -> AsyncIterator[Bridge]:
    """A bridge that was started in ``folder``, by the runtime files in ``runtime``; ended at the end."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        "mcp",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
        limit=2**24,
        env={**os.environ, "PYTHONPATH": str(ROOT), "JUPYTER_RUNTIME_DIR": str(runtime), **environ},
    )
    running = Bridge(process)
    try:
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
