"""Every route is behind Jupyter's authentication and authorizer, and takes JSON only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from jupyter_server.auth.authorizer import Authorizer

from jupyter_assistant.server.handlers import ROUTES, AssistantHandler
from tests.conftest import Server

METHODS = ("get", "post", "patch", "delete")
CALLS = [
    (method.upper(), pattern.replace("([^/]+)", "some-id").replace(".*", "nowhere"))
    for pattern, handler in ROUTES
    for method in METHODS
    if getattr(handler, method) is not getattr(AssistantHandler, method) or pattern == ".*"
]
READS_WITH_POST = {"preview", "mcp/?"}


class ReadOnly(Authorizer):
    """Lets everybody read and nothing else."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return action == "read"


@pytest.fixture
def stranger(server: Server, jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[httpx.AsyncClient]:
    """A client without the token."""
    client = httpx.AsyncClient(base_url=server.client.base_url, trust_env=False)
    yield client
    jp_asyncio_loop.run_until_complete(client.aclose())


async def call(client: httpx.AsyncClient, method: str, path: str, **options: Any) -> httpx.Response:
    if method not in ("GET", "DELETE"):
        options.setdefault("json", {})
    return await client.request(method, path, **options)


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_no_route_is_reachable_without_credentials(
    server: Server, stranger: httpx.AsyncClient, method: str, path: str
) -> None:
    for headers in ({}, {"Authorization": "token wrong"}, {"Authorization": "Bearer wrong"}, {"Cookie": "_xsrf=a"}):
        response = await call(stranger, method, path, headers=headers)
        assert response.status_code == 403
        assert response.json()["error"]["code"] == "forbidden"
        assert "Traceback" not in response.text


async def test_token_bearer_and_query_token_are_accepted(server: Server, stranger: httpx.AsyncClient) -> None:
    token = server.app.identity_provider.token
    accepted: tuple[dict[str, Any], ...] = (
        {"headers": {"Authorization": f"token {token}"}},
        {"headers": {"Authorization": f"Bearer {token}"}},
        {"params": {"token": token}},
    )
    for options in accepted:
        assert (await stranger.get("health", **options)).status_code == 200


async def test_a_cookie_needs_the_xsrf_header_to_change_anything(server: Server, stranger: httpx.AsyncClient) -> None:
    await stranger.get(str(server.client.base_url).removesuffix("assistant/") + "login")
    await stranger.get("health", params={"token": server.app.identity_provider.token})
    assert (await stranger.get("health")).status_code == 200
    assert (await stranger.post("conversations", json={})).status_code == 403
    xsrf = {"X-XSRFToken": stranger.cookies["_xsrf"]}
    assert (await stranger.post("conversations", json={}, headers=xsrf)).status_code == 201
    evil = {**xsrf, "Origin": "http://evil.example"}
    assert (await stranger.post("conversations", json={}, headers=evil)).status_code in (403, 404)


@pytest.mark.parametrize(("method", "path"), [c for c in CALLS if c[0] in ("POST", "PATCH") and c[1] != "nowhere"])
async def test_only_json_is_taken(server: Server, method: str, path: str) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        response = await server.client.request(method, path, content=b"{}", headers={"Content-Type": kind})
        assert response.status_code == 415
        assert response.json()["error"]["code"] == "unsupported_media_type"


async def test_a_body_over_the_limit_is_refused_before_it_is_read(server: Server) -> None:
    server.extension.known.traits.max_body_bytes = 1_000
    try:
        response = await server.client.post("chat/stream", json={"question": "x" * 2_000})
    except httpx.WriteError:
        pytest.fail("the refusal did not arrive")
    assert response.status_code == 413

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 100

    response = await server.client.post("chat", content=chunks(), headers={"Content-Type": "application/json"})
    assert response.status_code == 413


@pytest.mark.parametrize(
    "body", [b"[1]", b'"x"', b"null", b"{", b'{"question": 1e999}', b'{"a":1,"a":2}', b"[" * 100_000]
)
async def test_a_wrong_body_is_a_400_in_our_form(server: Server, body: bytes) -> None:
    response = await server.client.post("chat", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "invalid"


async def test_an_unknown_address_and_a_wrong_method_answer_in_our_form(server: Server) -> None:
    assert (await server.client.get("nowhere")).json()["error"]["code"] == "not_found"
    wrong = await server.client.delete("health")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "method_not_allowed")


async def test_every_route_asks_the_authorizer_with_its_own_action_every_time(server: Server) -> None:
    server.app.web_app.settings["authorizer"] = ReadOnly(
        parent=server.app, identity_provider=server.app.identity_provider
    )
    for method, path in [*CALLS, *CALLS]:
        if path == "nowhere":
            continue
        response = await call(server.client, method, path)
        reads = method == "GET" or path in READS_WITH_POST
        assert (response.status_code == 403) is not reads, (method, path)


async def test_another_owners_conversation_and_run_are_unknown(server: Server) -> None:
    run = (await server.client.post("chat", json={"question": "mine"})).json()
    theirs = await server.built.assistant.conversations.begin(
        "user:eve", conversation_id=None, request_id=None, run_id="0" * 32, model="", text="theirs"
    )
    for path in (f"conversations/{theirs.conversation_id}", f"chat/{theirs.run_id}/stream"):
        assert (await server.client.get(path)).status_code == 404
    asked = {"question": "x", "conversation_id": theirs.conversation_id}
    assert (await server.client.post("chat/stream", json=asked)).status_code == 404
    assert (await server.client.post("preview", json=asked)).status_code == 404
    listed = (await server.client.get("conversations")).json()["conversations"]
    assert [conversation["id"] for conversation in listed] == [run["conversation_id"]]
