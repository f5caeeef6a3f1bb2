"""``ask_notebook`` with a language model behind it: who stops waiting stops it, and its failures say what to do."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.conftest import Json, Server
from tests.gateway import Gateway
from tests.mcp_clients import ERAS, MODERN, call, code, message, put, sdk_client, text_of, texts, until


@pytest.fixture
def assistant_config(gateway: Gateway) -> Json:
    return {"base_url": gateway.url, "model": "echo"}


async def model_is(server: Server, name: str) -> None:
    answer = await server.client.patch("settings", json={"model": name})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("era", ERAS)
async def test_the_configured_model_answers_from_the_notebook(server: Server, gateway: Gateway, era: str) -> None:
    put(server, "sales.ipynb", code("total = 6 * 7"))
    async with sdk_client(server, era) as client:
        result = await client.call_tool("ask_notebook", {"question": "What is total?", "path": "sales.ipynb"})
    assert not result.is_error, text_of(result)
    assert "What is total?" in text_of(result)
    [sent] = gateway.posts
    assert "total = 6 * 7" in sent.json["messages"][-1]["content"]


async def test_who_closes_the_stream_stops_the_model(server: Server, gateway: Gateway) -> None:
    await model_is(server, "stall-mid")
    async with httpx.AsyncClient(base_url=server.client.base_url, headers=server.client.headers) as client:
        asking = asyncio.create_task(client.post("mcp", timeout=60, **call("ask_notebook", {"question": "Go on?"})))
        await until(lambda: gateway.posts)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    await gateway.wait_disconnected()


async def test_a_model_that_fails_is_an_error_with_what_to_do(server: Server, gateway: Gateway) -> None:
    await model_is(server, "status-401")
    result = message(await server.client.post("mcp", **call("ask_notebook", {"question": "Why?"}, era=MODERN)))[
        "result"
    ]
    assert result["isError"]
    assert "key" in texts(result)[0]
