"""Testing an endpoint before it is saved, over HTTP: fields, locks, and a key that never comes back."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tests.conftest import Json, Server
from tests.gateway import Gateway, running_gateway

KEY = "sk-canary-0123456789abcdef"


async def trial(server: Server, **body: Any) -> Json:
    response = await server.client.post("models/test", json=body)
    assert response.status_code == 200, response.text
    found: Json = response.json()
    return found


async def test_an_endpoint_is_tested_and_not_saved(server: Server, gateway: Gateway) -> None:
    found = await trial(server, base_url=f"{gateway.url}/", api_key=KEY, model="echo")
    assert (found["ok"], found["model"]) == (True, "gateway/echo")
    assert found["seconds"] > 0
    settings = (await server.client.get("settings")).json()["settings"]
    assert (settings["base_url"], settings["api_key"]) == ("", False)
    assert [each["name"] for each in (await server.client.get("models")).json()["providers"]] == ["offline"]


async def test_a_missing_v1_is_offered_over_http(server: Server, gateway: Gateway) -> None:
    found = await trial(server, base_url=gateway.root, model="echo")
    assert (found["ok"], found["suggestion"]) == (False, {"base_url": gateway.url})


async def test_a_saved_key_never_goes_to_an_endpoint_under_test(server: Server, gateway: Gateway) -> None:
    (await server.client.patch("settings", json={"base_url": gateway.url, "api_key": KEY})).raise_for_status()
    with running_gateway() as other:
        assert (await trial(server, base_url=other.url, model="echo"))["ok"]
        assert "authorization" not in other.posts[0].headers


async def test_a_refused_key_is_in_no_answer_and_in_no_log(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with running_gateway(key="another") as gateway:
        response = await server.client.post("models/test", json={"base_url": gateway.url, "api_key": KEY})
    assert response.json()["error"]["code"] == "key_rejected"
    assert KEY not in response.text
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"api_key": KEY}, "base_url"),
        ({"base_url": ""}, "base_url"),
        ({"base_url": 3}, "base_url"),
        ({"base_url": "localhost:11434/v1"}, "base_url"),
        ({"base_url": "http://user:pass@h/v1"}, "base_url"),
        ({"base_url": "http://h/v1?key=1"}, "base_url"),
        ({"base_url": "http://h/v1", "api_key": f"{KEY}\n"}, "api_key"),
        ({"base_url": "http://h/v1", "api_key": ["x"]}, "api_key"),
        ({"base_url": "http://h/v1", "model": ""}, "model"),
        ({"base_url": "http://h/v1", "key": KEY}, "key"),
    ],
)
async def test_a_wrong_field_is_named_and_no_key_repeated(server: Server, body: Json, field: str) -> None:
    response = await server.client.post("models/test", json=body)
    assert response.status_code == 400
    assert response.json()["error"]["field"] == field
    assert KEY not in response.text


class TestLocked:
    @pytest.fixture
    def assistant_config(self) -> Json:
        return {"locked": ["base_url"]}

    async def test_a_locked_endpoint_takes_no_other_address(self, server: Server, gateway: Gateway) -> None:
        response = await server.client.post("models/test", json={"base_url": gateway.url, "model": "echo"})
        assert response.status_code == 400
        assert "locked" in response.json()["error"]["message"]
        assert gateway.requests == []
