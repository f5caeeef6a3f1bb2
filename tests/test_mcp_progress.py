"""What an MCP client hears while a call goes on: each cell of a run by its id, and the time of what takes long."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from jupyter_assistant.server.mcp.reports import Pace, Reports, reporting
from jupyter_assistant.tools.progress import Progress, heard_by, is_heard, tell
from tests.conftest import Json, Server
from tests.mcp_clients import ERAS, MODERN, code, put, sdk_client, text_of

Told = list[tuple[float, "float | None", str]]


class Heard:
    """A client that keeps what it is told."""

    def __init__(self) -> None:
        self.told: Told = []
        self.again = asyncio.Event()

    async def __call__(self, done: float, total: float | None, text: str | None) -> None:
        self.told.append((done, total, text or ""))
        self.again.set()

    async def more(self) -> None:
        self.again.clear()
        await asyncio.wait_for(self.again.wait(), 15)


@pytest.fixture
def assistant_config() -> Json:
    return {"model": "offline/responder"}


async def called(server: Server, name: str, arguments: Json, era: str = MODERN) -> tuple[Any, Told]:
    heard = Heard()
    async with sdk_client(server, era) as client:
        result = await client.call_tool(name, arguments, progress_callback=heard)
    return result, heard.told


# ---------------------------------------------------------------- runs


@pytest.mark.parametrize("era", ERAS)
async def test_a_run_tells_each_cell_it_comes_to_and_how_many_there_are(server: Server, era: str) -> None:
    put(server, "x.ipynb", code("a = 1"), code("b = 2"), code("a + b"))
    result, told = await called(server, "run_cells", {"path": "x.ipynb"}, era)
    assert not result.is_error, text_of(result)
    steps = [text.partition(",")[2] and text for _, _, text in told if " so far" not in text]
    assert [step for step in steps if step] == [
        'run_cells: cell 1 of 3, id "a"',
        'run_cells: cell 2 of 3, id "b"',
        'run_cells: cell 3 of 3, id "c"',
    ]
    assert {total for _, total, _ in told} == {3.0}
    numbers = [done for done, _, _ in told]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 2.0


async def test_who_waits_for_a_run_with_get_execution_hears_of_its_cells(server: Server) -> None:
    put(server, "x.ipynb", code("import time; time.sleep(0.5)"), code("1"), code("1 / 0"), code("2"))
    begun, told = await called(server, "run_cells", {"path": "x.ipynb", "wait_s": 0})
    assert [text for _, _, text in told] == ["run_cells: 4 cells to run"]
    [name] = re.findall(r'execution_id "(\w+)"', text_of(begun))
    result, told = await called(server, "get_execution", {"execution_id": name, "wait_s": 30})
    assert "ZeroDivisionError" in text_of(result)
    assert 'get_execution: cell 3 of 4, id "c"' in [text for _, _, text in told]
    assert not any("cell 4" in text for _, _, text in told)


async def test_code_that_no_cell_holds_tells_no_cells(server: Server) -> None:
    put(server, "x.ipynb")
    _, told = await called(server, "execute_code", {"path": "x.ipynb", "code": "1"})
    assert all(re.fullmatch(r"execute_code: \d+ s so far", text) for _, _, text in told)


# ---------------------------------------------------------------- what is told


async def test_what_is_told_only_grows_whatever_the_work_says() -> None:
    heard = Heard()
    reports = Reports("t", heard)
    await reports.time()
    for done in (0, 0, 1, 3, 2, 3):
        await reports.step(Progress(done, 3, f"piece {done}"))
        await reports.time()
    numbers = [done for done, _, _ in heard.told]
    assert numbers == sorted(set(numbers))
    assert all(total is None or done <= total for done, total, _ in heard.told)
    assert heard.told[0] == (0.0, None, "t: 0 s so far")
    assert heard.told[1][1:] == (3, "t: piece 0")


async def test_a_long_piece_of_work_is_told_again_with_its_time() -> None:
    heard = Heard()
    async with reporting("t", heard, Pace(0.01, 0.01)):
        await tell(Progress(1, 2, "piece 2 of 2"))
        while len(heard.told) < 4:
            await heard.more()
    steps = heard.told[[text for _, _, text in heard.told].index("t: piece 2 of 2") :]
    assert [text for _, _, text in steps[1:3]] == ["t: piece 2 of 2, 0 s so far"] * 2
    assert all(1 <= done < 2 for done, _, _ in steps)


async def test_nobody_is_told_outside_a_call_and_each_call_hears_its_own() -> None:
    first, second = Heard(), Heard()

    async def work(heard: Heard, number: int) -> None:
        async with reporting("t", heard, Pace()):
            assert is_heard()
            for done in range(3):
                await tell(Progress(done, 3, f"{number}"))
                await asyncio.sleep(0)

    await asyncio.gather(work(first, 1), work(second, 2))
    await tell(Progress(0, 1, "unheard"))
    assert not is_heard()
    assert [text for _, _, text in first.told] == ["t: 1"] * 3
    assert [text for _, _, text in second.told] == ["t: 2"] * 3


async def test_a_listener_that_fails_ends_the_telling_and_nothing_else() -> None:
    async def deaf(progress: Progress) -> None:
        raise ConnectionError

    with heard_by(deaf), pytest.raises(ConnectionError):
        await tell(Progress(0, 1, "x"))

    async def gone(done: float, total: float | None, text: str) -> None:
        raise ConnectionError

    async with reporting("t", gone, Pace(0.0, 0.0)):
        await asyncio.sleep(0.01)
