"""A reader that does not read: dropped after a timed flush, holding up nobody, and able to resume."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from typing import Any

import pytest

from tests.conftest import Server
from tests.gateway import Gateway, Reply, Request

PIECES, PIECE = 24, 500_000


@pytest.fixture
def assistant_config(gateway: Gateway) -> dict[str, Any]:
    return {"base_url": gateway.url, "model": "large", "flush_timeout": 0.2}


def stalled(server: Server, question: bytes) -> socket.socket:
    """A connection that has asked and will not read; its buffer is small."""
    url = server.client.base_url
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect((url.host, url.port))
    head = f"POST {url.raw_path.decode()}chat/stream HTTP/1.1\r\nHost: {url.host}\r\nContent-Type: application/json\r\n"
    head += f"Authorization: {server.client.headers['Authorization']}\r\nContent-Length: {len(question)}\r\n\r\n"
    connection.sendall(head.encode() + question)
    return connection


def rest(connection: socket.socket) -> bytes:
    """What the server had sent before it dropped the connection."""
    connection.settimeout(20)
    found = bytearray()
    try:
        while piece := connection.recv(1_000_000):
            found += piece
    except ConnectionResetError:
        pass
    return bytes(found)


async def dropped() -> None:
    """Until no handler is left: the reader's own cannot tell, its window is closed."""
    handlers = [task for task in asyncio.all_tasks() if "_execute" in repr(task.get_coro())]
    if handlers:
        await asyncio.wait(handlers, timeout=20)


async def test_a_reader_that_does_not_read_is_dropped_and_can_resume(server: Server, gateway: Gateway) -> None:
    @gateway.play("large")
    async def large(reply: Reply, request: Request) -> None:
        await reply.head()
        for _ in range(PIECES):
            await reply.delta(content="x" * PIECE)
        await reply.finish()

    connection = stalled(server, json.dumps({"question": "x", "request_id": "slow"}).encode())
    with connection:
        await gateway.until(lambda g: g.posts)
        answer = await server.client.post("chat", json={"question": "x", "request_id": "slow"})
        assert answer.json()["reason"] == "stop"
        assert len(answer.json()["text"]) == PIECES * PIECE
        await dropped()
        sent = await asyncio.to_thread(rest, connection)
    assert b"event: done" not in sent
    assert len(sent) < PIECES * PIECE
    again = await server.client.get(f"chat/{answer.json()['run_id']}/stream")
    numbers = [int(number) for number in re.findall(rb"^id: (\d+)$", again.content, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert again.content.rstrip().endswith(b'event: done\ndata: {"reason":"stop"}')
    assert len(gateway.posts) == 1
