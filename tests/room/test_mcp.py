"""An MCP client in a room: what it does goes into the shared document, and those who are there see it."""

from __future__ import annotations

import asyncio
import json
import re

import httpx
import pytest

from tests.conftest import Server
from tests.kernels import put
from tests.kernels import text_of as said_in
from tests.mcp_clients import ERAS, call, message, sdk_client, text_of, texts, until
from tests.room.conftest import Join

NAME = "shared.ipynb"


@pytest.mark.parametrize("era", ERAS)
async def test_what_a_client_writes_and_runs_is_in_the_room_and_the_file_stays_the_rooms(
    server: Server, join: Join, era: str
) -> None:
    put(server.root / NAME, ["start = 40"])
    person = await join(NAME)
    person.text(0).insert(0, "# typed\n")
    await person.sees_saved()
    async with sdk_client(server, era) as client:
        assert "# typed" in text_of(await client.call_tool("read_notebook", {"path": NAME}))
        cells = [{"cell_type": "code", "source": "print(start + 1)"}]
        made = await client.call_tool("insert_cells", {"path": NAME, "cells": cells})
        [cell_id] = re.findall(r'id "([^"]+)"', text_of(made))
        await client.call_tool("edit_cell", {"path": NAME, "cell_id": cell_id, "old": "+ 1", "new": "+ 2"})
        await person.sees(lambda: person.sources == ["# typed\nstart = 40", "print(start + 2)"])
        ran = await client.call_tool("run_cells", {"path": NAME})
        assert not ran.is_error, text_of(ran)
        await person.sees(lambda: said_in(person.outputs(1)) == "42\n")
        [resource] = (await client.read_resource(f"notebook://{NAME}")).contents
    assert [cell["source"] for cell in json.loads(resource.text)["cells"]] == person.sources
    await person.sees_saved()
    assert "42\\n" in (server.root / NAME).read_text()


async def test_a_client_that_goes_stops_its_own_run_in_the_room(server: Server, join: Join) -> None:
    put(server.root / NAME, ["import time\nprint('begun', flush=True)\ntime.sleep(60)"])
    person = await join(NAME)
    async with httpx.AsyncClient(base_url=server.client.base_url, headers=server.client.headers) as client:
        running = asyncio.create_task(client.post("mcp", timeout=60, **call("run_cells", {"path": NAME})))
        await until(lambda: person.outputs(0), 60)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    after = call("execute_code", {"path": NAME, "code": "print('free')"})
    answer = message(await server.client.post("mcp", timeout=30, **after))["result"]
    assert "free" in "".join(texts(answer))
    await person.sees(lambda: "KeyboardInterrupt" in json.dumps(person.outputs(0)))
