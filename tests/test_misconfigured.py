"""A wrong setting: the server runs on, the log and every address say in one sentence what to correct."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.conftest import Server


@pytest.fixture
def assistant_config() -> dict[str, Any]:
    return {"base_url": "localhost:11434"}


async def test_every_address_says_what_is_wrong(server: Server) -> None:
    for answer in (
        await server.client.get("health"),
        await server.client.post("chat/stream", json={"question": "hi"}),
        await server.client.get("conversations/some-id"),
    ):
        assert answer.status_code == 503
        error = answer.json()["error"]
        assert error["code"] == "misconfigured"
        assert "base_url must begin with http" in error["message"]
        assert error["hint"] == "Correct the setting and start the server again."


async def test_nobody_else_is_told(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.client.base_url, trust_env=False) as stranger:
        assert (await stranger.get("health")).status_code == 403


async def test_the_rest_of_the_server_runs(server: Server) -> None:
    assert (await server.client.get(str(server.client.base_url).replace("assistant/", "api/status"))).status_code == 200
