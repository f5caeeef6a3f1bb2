"""The gate before the MCP endpoint: a crowd goes in bit by bit, and long work holds up nobody."""

from __future__ import annotations

import asyncio

from jupyter_assistant.server.mcp.gate import Gate
from tests.mcp_clients import until


async def test_so_many_are_inside_and_all_get_in() -> None:
    gate, inside, most, through = Gate(3, 60), 0, 0, 0

    async def go() -> None:
        nonlocal inside, most, through
        async with gate.passed():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1
            through += 1

    await asyncio.gather(*(go() for _ in range(50)))
    assert (most, through) == (3, 50)


async def test_long_work_lets_the_next_in_and_frees_its_place_once() -> None:
    gate, inside, end = Gate(1, 0.01), 0, asyncio.Event()

    async def stay() -> None:
        nonlocal inside
        async with gate.passed():
            inside += 1
            await end.wait()
            inside -= 1

    staying = [asyncio.create_task(stay()) for _ in range(5)]
    await until(lambda: inside == 5)
    end.set()
    await asyncio.gather(*staying)
    async with gate.passed():
        waiting = asyncio.create_task(stay())
        await asyncio.sleep(0)
        assert not waiting.done()
    await waiting


async def test_who_is_cancelled_inside_leaves() -> None:
    gate = Gate(1, 60)

    async def stay() -> None:
        async with gate.passed():
            await asyncio.get_running_loop().create_future()

    staying = asyncio.create_task(stay())
    await asyncio.sleep(0)
    staying.cancel()
    await asyncio.gather(staying, return_exceptions=True)
    async with gate.passed():
        pass
