"""Who may use the MCP endpoint: Jupyter's authentication always, no foreign page, each tool by the caller's rights."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from jupyter_server.auth.authorizer import Authorizer
from jupyter_server.auth.identity import IdentityProvider, User

from jupyter_assistant.server.handlers.mcp import MAX_BODY, is_foreign
from jupyter_assistant.server.mcp import sessions
from tests.conftest import Server
from tests.mcp_clients import BOTH, ERAS, LEGACY, Slow, call, message, of_tests, opened, request, texts, until

ADD = call("add", {"a": 1})


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def mcp(server: Server, slow: Slow, jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[Server]:
    endpoint = of_tests(server, slow)
    server.built.mcp = endpoint
    yield server
    jp_asyncio_loop.run_until_complete(endpoint.close())


@pytest.fixture
def stranger(mcp: Server, jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[httpx.AsyncClient]:
    """A client without the token."""
    client = httpx.AsyncClient(base_url=mcp.client.base_url, trust_env=False, timeout=20)
    yield client
    jp_asyncio_loop.run_until_complete(client.aclose())


def with_headers(asked: dict[str, Any], **headers: str) -> dict[str, Any]:
    return {**asked, "headers": {**asked["headers"], **{name.replace("_", "-"): headers[name] for name in headers}}}


def origin(server: Server) -> str:
    url = server.client.base_url
    return f"http://{url.host}:{url.port}"


# ---------------------------------------------------------------- authentication


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
async def test_nothing_is_answered_without_the_token(
    mcp: Server, stranger: httpx.AsyncClient, method: str, era: str
) -> None:
    for credentials in ({}, {"Authorization": "token wrong"}, {"Authorization": "Bearer wrong"}, {"Cookie": "_xsrf=a"}):
        asked = with_headers(call("add", {"a": 1}, era=era), **credentials)
        response = await stranger.request(method, "mcp", **asked)
        assert response.status_code == 403
        assert response.json()["error"]["code"] == "forbidden"
        assert "token" in response.json()["error"]["hint"]
        assert "WWW-Authenticate" not in response.headers


async def test_every_form_of_the_token_is_taken(mcp: Server, stranger: httpx.AsyncClient) -> None:
    token = mcp.app.identity_provider.token
    for asked in (
        with_headers(ADD, Authorization=f"token {token}"),
        with_headers(ADD, Authorization=f"Bearer {token}"),
        {**ADD, "params": {"token": token}},
    ):
        assert texts(message(await stranger.post("mcp", **asked))["result"]) == ["2"]


async def test_a_cookie_needs_the_xsrf_header(mcp: Server, stranger: httpx.AsyncClient) -> None:
    await stranger.get(str(mcp.client.base_url).removesuffix("assistant/") + "login")
    await stranger.get("health", params={"token": mcp.app.identity_provider.token})
    assert (await stranger.post("mcp", **ADD)).status_code == 403
    xsrf = {"X_XSRFToken": stranger.cookies["_xsrf"]}
    assert (await stranger.post("mcp", **with_headers(ADD, **xsrf))).status_code == 200
    assert (await stranger.post("mcp", **with_headers(ADD, **xsrf, Origin="http://evil.example"))).status_code == 403


# ---------------------------------------------------------------- pages of others


async def test_a_foreign_origin_is_refused_even_with_the_token(mcp: Server) -> None:
    port = mcp.client.base_url.port
    for foreign in (
        "http://evil.example",
        "null",
        f"http://127.0.0.1.evil.example:{port}",
        f"http://localhost:{port}",
        "http://127.0.0.1:1",
        "http://127.0.0.1",
        f"http://x@127.0.0.1:{port}",
        f"ws://127.0.0.1:{port}",
        f"http://127.0.0.1:{port}@evil.example",
        f"http://127.0.0.1:{port}/",
        f"http://127.0.0.1.:{port}",
        f"http://[::ffff:127.0.0.1]:{port}",
        "http://[",
        "",
    ):
        response = await mcp.client.post("mcp", **with_headers(ADD, Origin=foreign))
        assert response.status_code == 403, foreign
        assert "origin" in response.json()["error"]["message"]
        assert response.headers.get("Access-Control-Allow-Origin") in (None, ""), foreign
    assert (await mcp.client.post("mcp", **with_headers(ADD, Origin=origin(mcp)))).status_code == 200
    two = [*ADD["headers"].items(), ("Origin", origin(mcp)), ("Origin", "http://evil.example")]
    assert (await mcp.client.post("mcp", json=ADD["json"], headers=two)).status_code == 403


@pytest.mark.parametrize(
    ("allowed", "pattern", "asked", "foreign"),
    [
        ("https://lab.example", None, "https://lab.example", False),
        ("https://lab.example", None, "https://lab.example.evil", True),
        ("*", None, "https://lab.example", True),
        ("", r"https://.*\.example", "https://lab.example", False),
        ("", r"https://.*\.example", "https://lab.example.evil", True),
        ("", r"https://lab", "https://lab.evil", True),
    ],
)
def test_the_administrator_may_name_origins(allowed: str, pattern: str | None, asked: str, foreign: bool) -> None:
    assert is_foreign([asked], "127.0.0.1:8888", allowed, pattern) is foreign


async def test_a_preflight_of_a_foreign_page_gets_no_consent(mcp: Server, stranger: httpx.AsyncClient) -> None:
    asked = {"Origin": "http://evil.example", "Access-Control-Request-Headers": "authorization"}
    response = await stranger.request("OPTIONS", "mcp", headers=asked)
    assert response.headers.get("Access-Control-Allow-Origin") in (None, "")
    assert response.status_code == 403


async def test_a_foreign_host_is_refused(mcp: Server) -> None:
    response = await mcp.client.post("mcp", **with_headers(ADD, Host="evil.example"))
    assert response.status_code == 403
    assert "Host" in response.json()["error"]["message"]
    assert "allow_remote_access" in response.json()["error"]["hint"]


# ---------------------------------------------------------------- bodies


async def test_only_json_is_taken(mcp: Server) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        response = await mcp.client.post("mcp", content=b"{}", headers={"Accept": BOTH, "Content-Type": kind})
        assert response.status_code == 415


@pytest.mark.parametrize("era", ERAS)
async def test_a_body_over_four_mebibytes_is_refused_and_one_below_is_read(mcp: Server, era: str) -> None:
    asked = call("add", {"a": "x" * MAX_BODY}, era=era)
    assert (await mcp.client.post("mcp", **asked)).status_code == 413
    fitting = call("add", {"a": "x" * (MAX_BODY - 2_000)})
    assert message(await mcp.client.post("mcp", **fitting))["result"]["isError"]

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b" " * 1_000_000

    headers = {**asked["headers"], "Content-Type": "application/json"}
    assert (await mcp.client.post("mcp", content=chunks(), headers=headers)).status_code == 413


async def test_a_strangers_large_body_is_refused_before_it_is_sent(mcp: Server) -> None:
    reader, writer = await asyncio.open_connection(mcp.client.base_url.host, mcp.client.base_url.port)
    writer.write(head_of(mcp, 100_000_000))
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 403")
    assert b"\r\nConnection: close\r\n" in answer


async def test_a_stranger_whose_short_body_comes_later_is_told_so_and_may_go_on(mcp: Server) -> None:
    reader, writer = await asyncio.open_connection(mcp.client.base_url.host, mcp.client.base_url.port)
    body = b" " * 500_000
    for token in ("wrong", mcp.app.identity_provider.token):
        writer.write(head_of(mcp, len(body), f"Authorization: token {token}\r\nExpect: 100-continue\r\n"))
        assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)).startswith(b"HTTP/1.1 100")
        writer.write(body)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        answer = await asyncio.wait_for(reader.readexactly(length), 20)
        assert head.startswith(b"HTTP/1.1 403" if token == "wrong" else b"HTTP/1.1 400")
        assert (b"token" in answer) is (token == "wrong")
    writer.close()


def head_of(server: Server, length: int, more: str = "") -> bytes:
    """The beginning of a request whose body is still to come."""
    url = server.client.base_url
    head = f"POST {url.raw_path.decode()}mcp HTTP/1.1\r\nHost: {url.host}:{url.port}\r\nAccept: {BOTH}\r\n{more}"
    return f"{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n".encode()


# ---------------------------------------------------------------- rights


class Only(Authorizer):
    """Lets everybody do what is listed and nothing else; remembers what was asked."""

    allowed: frozenset[tuple[str, str]] = frozenset()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.asked: list[tuple[str, str]] = []

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        self.asked.append((action, resource))
        return (action, resource) in self.allowed


def let(server: Server, *allowed: tuple[str, str]) -> Only:
    authorizer = Only(parent=server.app, identity_provider=server.app.identity_provider)
    authorizer.allowed = frozenset(allowed)
    server.app.web_app.settings["authorizer"] = authorizer
    return authorizer


@pytest.mark.parametrize("era", ERAS)
async def test_each_tool_is_allowed_by_itself(mcp: Server, slow: Slow, era: str) -> None:
    slow.go.set()
    session = {"Mcp_Session_Id": await opened(mcp.client)} if era == LEGACY else {}
    reads = (("read", "assistant"), ("read", "contents"))
    writes = (("write", "assistant"), ("write", "contents"))
    executes = (("execute", "assistant"), ("execute", "kernels"))
    for rights, may in (
        (reads, {"add"}),
        ((*reads, *writes), {"add", "write"}),
        ((*reads, *executes), {"add", "slow"}),
        ((*reads, *writes[:1], *executes[:1]), {"add"}),
        ((reads[0], *writes, *executes), {"write", "slow"}),
    ):
        let(mcp, *rights)
        for name in ("add", "write", "slow"):
            asked = with_headers(call(name, {"a": 1} if name == "add" else {}, era=era), **session)
            result = message(await mcp.client.post("mcp", **asked))["result"]
            assert result.get("isError", False) is (name not in may), (rights, name)
            if name not in may:
                assert "no right" in texts(result)[0]


async def test_a_refused_tool_is_not_run(mcp: Server, slow: Slow) -> None:
    let(mcp, ("read", "assistant"), ("read", "contents"))
    await mcp.client.post("mcp", **call("slow"))
    assert not slow.begun.is_set()


async def test_who_may_not_read_the_assistant_gets_nothing(mcp: Server) -> None:
    let(mcp)
    response = await mcp.client.post("mcp", **ADD)
    assert (response.status_code, response.json()["error"]["code"]) == (403, "forbidden")
    assert (await mcp.client.get("mcp")).status_code == 403
    assert (await mcp.client.delete("mcp")).status_code == 403


async def test_resources_and_prompts_take_the_right_to_read(mcp: Server) -> None:
    let(mcp, ("read", "assistant"))
    for asked in (
        request("resources/list"),
        request("resources/read", {"uri": "notebook://a.ipynb"}),
        request("prompts/get", {"name": "explain_notebook", "arguments": {"path": "a.ipynb"}}),
        request(
            "completion/complete",
            {"ref": {"type": "ref/prompt", "name": "fix_error"}, "argument": {"name": "path", "value": ""}},
        ),
    ):
        assert "no right to read contents" in message(await mcp.client.post("mcp", **asked))["error"]["message"]


# ---------------------------------------------------------------- sessions


class Named(IdentityProvider):
    """Users by their token, as behind a hub."""

    def get_user(self, handler: Any) -> User | None:
        token = handler.request.headers.get("Authorization", "").removeprefix("token ")
        return User(token) if token in ("ann", "eve") else None

    def is_token_authenticated(self, handler: Any) -> bool:
        return True


async def test_a_session_is_its_owners_alone(mcp: Server, stranger: httpx.AsyncClient) -> None:
    mcp.app.web_app.settings["identity_provider"] = Named(parent=mcp.app)
    let(mcp, ("read", "assistant"), ("read", "contents"))
    asked = with_headers(
        request(
            "initialize",
            {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
            era=LEGACY,
        ),
        Authorization="token ann",
    )
    session = (await stranger.post("mcp", **asked)).headers["Mcp-Session-Id"]
    adding = with_headers(call("add", {"a": 1}, era=LEGACY), Mcp_Session_Id=session)
    assert (await stranger.post("mcp", **with_headers(adding, Authorization="token eve"))).status_code == 404
    assert (
        await stranger.delete("mcp", headers={"Authorization": "token eve", "Mcp-Session-Id": session})
    ).status_code == 404
    assert (await stranger.post("mcp", **with_headers(adding, Authorization="token ann"))).status_code == 200


async def test_an_unknown_session_and_one_that_was_ended_are_404(mcp: Server) -> None:
    session = await opened(mcp.client)
    adding = with_headers(call("add", {"a": 1}, era=LEGACY), Mcp_Session_Id=session)
    assert (await mcp.client.post("mcp", **adding)).status_code == 200
    assert (await mcp.client.delete("mcp", headers={"Mcp-Session-Id": session})).status_code == 200
    assert (await mcp.client.post("mcp", **adding)).status_code == 404
    unknown = with_headers(adding, Mcp_Session_Id="0" * 32)
    assert (await mcp.client.post("mcp", **unknown)).status_code == 404
    without = await mcp.client.post("mcp", **call("add", {"a": 1}, era=LEGACY))
    assert without.status_code == 400
    assert "Mcp-Session-Id" not in without.headers or without.headers["Mcp-Session-Id"] != session


async def test_a_flood_of_sessions_stays_flat_and_ends_the_oldest(mcp: Server) -> None:
    first = await opened(mcp.client)
    ids = [await opened(mcp.client) for _ in range(sessions.LIMIT + 20)]
    manager = session_manager()
    assert len(manager._server_instances) <= sessions.LIMIT
    adding = with_headers(call("add", {"a": 1}, era=LEGACY), Mcp_Session_Id=first)
    assert (await mcp.client.post("mcp", **adding)).status_code == 404
    adding = with_headers(adding, Mcp_Session_Id=ids[-1])
    assert texts(message(await mcp.client.post("mcp", **adding))["result"]) == ["2"]


async def test_sessions_opened_all_at_once_are_all_opened(mcp: Server) -> None:
    ids = await asyncio.gather(*(opened(mcp.client) for _ in range(2 * sessions.LIMIT)))
    assert len(set(ids)) == 2 * sessions.LIMIT
    assert len(session_manager()._server_instances) <= sessions.LIMIT


async def test_sessions_in_use_are_never_ended_for_a_new_one(mcp: Server, slow: Slow) -> None:
    endpoint = mcp.built.mcp
    endpoint.sessions = sessions.Sessions(2)
    held = [await opened(mcp.client) for _ in range(2)]
    calls = [
        asyncio.create_task(mcp.client.post("mcp", **with_headers(call("slow", era=LEGACY), Mcp_Session_Id=session)))
        for session in held
    ]
    await until(lambda: slow.running == 2)
    initialize = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    assert (await mcp.client.post("mcp", **request("initialize", initialize, era=LEGACY))).status_code == 503
    assert (await mcp.client.post("mcp", **ADD)).status_code == 200
    slow.go.set()
    assert [texts(message(answer)["result"]) for answer in await asyncio.gather(*calls)] == [["at last"]] * 2
    assert await opened(mcp.client)


def session_manager() -> Any:
    """The library's own table of sessions, found among what lives."""
    import gc

    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    found = [thing for thing in gc.get_objects() if isinstance(thing, StreamableHTTPSessionManager)]
    return next(manager for manager in found if getattr(manager, "_task_group", None))
