"""A real server with jupyter-collaboration and the assistant, and other people in its rooms.

Collected in the environment of ``tests.room.environment`` only; ``tests/test_room.py`` runs it from any other.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import nbformat
import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from tests.conftest import Json, Server

if importlib.util.find_spec("jupyter_server_ydoc") is None:
    collect_ignore_glob = ["test_*.py"]


UNCLOSED = "Unclosed <MemoryObject"
"""What the shared documents of others leave to the collector, on both sides."""


def pytest_configure(config: pytest.Config) -> None:
    """Warn of it neither in a test nor after the last one: the collector comes when it likes."""
    config.addinivalue_line("filterwarnings", f"ignore:{UNCLOSED}:ResourceWarning")
    warnings.filterwarnings("ignore", UNCLOSED, ResourceWarning)


@pytest.fixture
def save_delay() -> float:
    """Seconds after which a room saves; override it."""
    return 0.05


@pytest.fixture
def cleanup_delay() -> float:
    """Seconds for which a room that everybody has left is kept; override it."""
    return 60.0


@pytest.fixture
def jp_server_config(assistant_config: Json, tmp_path: Path, save_delay: float, cleanup_delay: float) -> Json:
    """The configuration of the server under test."""
    extensions = ("jupyter_assistant", "jupyter_server_ydoc", "jupyter_server_fileid")
    return {
        "ServerApp": {"jpserver_extensions": dict.fromkeys(extensions, True)},
        "JupyterAssistant": assistant_config,
        "SQLiteYStore": {"db_path": str(tmp_path / "updates.db")},
        "BaseFileIdManager": {"db_path": str(tmp_path / "names.db"), "db_journal_mode": "OFF"},
        "YDocExtension": {
            "document_save_delay": save_delay,
            "document_cleanup_delay": cleanup_delay,
            "session_store_path": str(tmp_path / "sessions.json"),
        },
    }


class Socket:
    """A WebSocket of tornado's as the channel that a pycrdt provider talks through."""

    def __init__(self, connection: WebSocketClientConnection, path: str) -> None:
        self._connection = connection
        self.path = path

    async def send(self, message: bytes) -> None:
        await self._connection.write_message(message, binary=True)

    async def recv(self) -> bytes:
        message = await self._connection.read_message()
        if not isinstance(message, bytes):
            raise StopAsyncIteration
        return message

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        return await self.recv()


class Person:
    """Somebody who has a notebook open, with a shared document of their own, as a browser has it."""

    def __init__(self, server: Server, path: str) -> None:
        from jupyter_ydoc import YNotebook

        self.document = YNotebook()
        self._server = server
        self._path = path

    async def come(self) -> None:
        """Open the notebook; back when all of it is there."""
        from pycrdt import Provider

        base = f"{str(self._server.client.base_url).removesuffix('assistant/')}api/collaboration/"
        headers = dict(self._server.client.headers)
        answer = await self._server.client.put(
            f"{base}session/{quote(self._path)}",
            content=json.dumps({"format": "json", "type": "notebook"}),
        )
        told = answer.raise_for_status().json()
        room = f"json:notebook:{told['fileId']}"
        address = f"{base}room/{room}?sessionId={told['sessionId']}".replace("http", "ws", 1)
        self._connection = await websocket_connect(
            HTTPRequest(address, headers={"Authorization": headers["authorization"]}), max_message_size=2**30
        )
        self._provider = Provider(self.document.ydoc, Socket(self._connection, room))
        self._running = asyncio.create_task(self._provider.start())
        await asyncio.wait_for(self._provider.synced.wait(), 10)

    async def leave(self) -> None:
        """Close it, where that has not been done."""
        if self._running.done():
            return
        await self._provider.stop()
        self._connection.close()
        with suppress(asyncio.CancelledError):
            await asyncio.wait({self._running})

    @property
    def sources(self) -> list[str]:
        return [str(cell["source"]) for cell in self.document.ycells]

    def text(self, index: int) -> Any:
        """The text of a cell, to be typed in."""
        return self.document.ycells[index]["source"]

    def outputs(self, index: int) -> list[Json]:
        found: list[Json] = self.document.ycells[index]["outputs"].to_py()
        return found

    async def sees(self, what: Callable[[], bool]) -> None:
        """Wait until something is so on this person's side."""
        from pycrdt import Map

        changed = asyncio.Event()
        meta = self.document.ydoc.get("meta", type=Map)
        of_cells = self.document.ycells.observe_deep(lambda _: changed.set())
        of_meta = meta.observe_deep(lambda _: changed.set())
        try:
            while not what():
                changed.clear()
                await asyncio.wait_for(changed.wait(), 10)
        finally:
            self.document.ycells.unobserve(of_cells)
            meta.unobserve(of_meta)

    async def sees_saved(self) -> None:
        """Wait until the room has saved what this person has seen so far."""
        saved = asyncio.Event()
        listening = self.document.ystate.observe(lambda _: saved.set())
        await asyncio.wait_for(saved.wait(), 10)
        self.document.ystate.unobserve(listening)


Join = Callable[[str], Awaitable[Person]]


@pytest.fixture
def join(server: Server, jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[Join]:
    """Open a notebook as somebody else; everybody leaves at the end."""
    people: list[Person] = []

    async def joined(path: str) -> Person:
        person = Person(server, path)
        await person.come()
        people.append(person)
        return person

    async def left() -> None:
        for person in people:
            await person.leave()

    yield joined
    jp_asyncio_loop.run_until_complete(left())


def read_back(notebook: Json) -> Any:
    """A notebook's JSON as nbformat reads it."""
    found = nbformat.reads(json.dumps(notebook), as_version=4)
    nbformat.validate(found)
    return found
