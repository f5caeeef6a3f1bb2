"""The MCP endpoint in both eras of the protocol: tools, progress, cancellation, errors, and what it never does."""

from __future__ import annotations

import asyncio
import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from jupyter_assistant.server.mcp import desk
from tests.conftest import Server
from tests.mcp_clients import (
    BOTH,
    ERAS,
    LEGACY,
    MODERN,
    PIXEL,
    Slow,
    call,
    clients,
    fastmcp_client,
    message,
    messages,
    of_tests,
    opened,
    request,
    sdk_client,
    texts,
    until,
)

ROOT = Path(__file__).parent.parent


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def level() -> str:
    return "execute"


@pytest.fixture
def mcp(server: Server, slow: Slow, level: str, jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[Server]:
    """The server with an endpoint of the tests' tools, closed at the end with nothing left."""
    endpoint = of_tests(server, slow, level=level)
    server.built.mcp = endpoint
    yield server
    jp_asyncio_loop.run_until_complete(endpoint.close())


# ---------------------------------------------------------------- tools


@pytest.mark.parametrize("era", ERAS)
async def test_clients_of_both_eras_list_and_call_tools(mcp: Server, era: str) -> None:
    for opening in clients(mcp, era):
        async with opening as client:
            listed = await client.list_tools()
            tools = {tool.name: tool for tool in getattr(listed, "tools", listed)}
            assert list(tools) == ["add", "show", "fail", "large", "write", "slow"]
            assert tools["add"].meta == {"anthropic/alwaysLoad": True}
            assert tools["add"].annotations.read_only_hint is True
            assert tools["slow"].annotations.read_only_hint is False
            result = await client.call_tool("add", {"a": 1, "b": 2})
            assert [part.text for part in result.content] == ["3"]
            assert result.structured_content is None


@pytest.mark.parametrize("era", ERAS)
async def test_a_result_is_text_and_images_and_nothing_twice(mcp: Server, era: str) -> None:
    async with sdk_client(mcp, era) as client:
        result = await client.call_tool("show", {})
    assert [part.type for part in result.content] == ["text", "image"]
    assert result.content[1].mime_type == "image/png"
    assert base64.b64decode(result.content[1].data) == PIXEL
    assert result.structured_content is None
    assert result.is_error is not True


@pytest.mark.parametrize("era", ERAS)
async def test_errors_of_tools_are_results_with_what_there_was(mcp: Server, era: str) -> None:
    async with fastmcp_client(mcp, era) as client:
        failed = await client.call_tool("fail", {}, raise_on_error=False)
        wrong = await client.call_tool("add", {"a": "one"}, raise_on_error=False)
        unknown = await client.call_tool("ad", {}, raise_on_error=False)
    assert failed.is_error
    assert [part.text for part in failed.content] == ["so far", "It failed. Mend it."]
    assert wrong.is_error
    assert "a: expected a whole number" in wrong.content[0].text
    assert unknown.is_error
    assert "Did you mean add?" in unknown.content[0].text


async def test_values_sent_as_texts_are_taken(mcp: Server) -> None:
    response = await mcp.client.post("mcp", **call("add", {"a": "20", "b": "22"}))
    assert texts(message(response)["result"]) == ["42"]


@pytest.mark.parametrize("level", ["read", "write"])
async def test_the_administrators_level_clamps_the_tools(mcp: Server, level: str) -> None:
    listed = message(await mcp.client.post("mcp", **request("tools/list")))["result"]["tools"]
    names = [tool["name"] for tool in listed]
    assert ("write" in names) is (level == "write")
    assert "slow" not in names
    refused = message(await mcp.client.post("mcp", **call("slow")))["result"]
    assert refused["isError"]
    assert "mcp_tools" in texts(refused)[0]
    unknown = message(await mcp.client.post("mcp", **call("nothing_like_it")))["result"]
    assert unknown["isError"]
    assert texts(unknown)[0].endswith(f"The tools are: {', '.join(names)}.")


# ---------------------------------------------------------------- the protocol


async def test_discover_tells_both_eras_instructions_and_capabilities(mcp: Server) -> None:
    found = message(await mcp.client.post("mcp", **request("server/discover")))["result"]
    assert MODERN in found["supportedVersions"]
    assert found["instructions"] == desk.INSTRUCTIONS
    assert {"tools", "resources", "prompts", "completions"} <= set(found["capabilities"])
    async with sdk_client(mcp, LEGACY) as client:
        assert client.protocol_version == LEGACY
        assert client.instructions == desk.INSTRUCTIONS


@pytest.mark.parametrize("era", ERAS)
async def test_a_long_call_reports_its_progress_on_its_own_stream(mcp: Server, slow: Slow, era: str) -> None:
    reports: list[tuple[float, str]] = []

    async def heard(progress: float, total: float | None, text: str | None) -> None:
        reports.append((progress, text or ""))
        if len(reports) == 3:
            slow.go.set()

    async with sdk_client(mcp, era) as client:
        result = await client.call_tool("slow", {}, progress_callback=heard)
    assert result.content[0].text == "at last"
    assert [seconds for seconds, _ in reports] == sorted(seconds for seconds, _ in reports)
    assert all(text.startswith("slow: ") for _, text in reports)


async def test_closing_the_stream_cancels_the_call_and_no_other(mcp: Server, slow: Slow) -> None:
    others = [asyncio.create_task(mcp.client.post("mcp", **call("slow"))) for _ in range(2)]
    await until(lambda: slow.running == 2)
    async with httpx.AsyncClient(base_url=mcp.client.base_url, headers=mcp.client.headers, trust_env=False) as client:
        third = asyncio.create_task(client.post("mcp", **call("slow")))
        await until(lambda: slow.running == 3)
        third.cancel()
        await asyncio.gather(third, return_exceptions=True)
    await asyncio.wait_for(slow.cancelled.wait(), 15)
    assert slow.running == 2
    slow.go.set()
    assert [texts(message(response)["result"]) for response in await asyncio.gather(*others)] == [["at last"]] * 2


async def test_a_session_cancels_a_call_by_its_notification(mcp: Server, slow: Slow) -> None:
    session = {"Mcp-Session-Id": await opened(mcp.client)}
    asked = call("slow", era=LEGACY, number=7)
    asked["headers"] |= session
    calling = asyncio.create_task(mcp.client.post("mcp", **asked))
    await asyncio.wait_for(slow.begun.wait(), 15)
    told = request("notifications/cancelled", {"requestId": 7}, era=LEGACY)
    told["headers"] |= session
    del told["json"]["id"]
    assert (await mcp.client.post("mcp", **told)).status_code == 202
    await asyncio.wait_for(slow.cancelled.wait(), 15)
    assert message(await calling)["id"] == 7


async def test_an_id_that_is_still_being_answered_is_refused_and_both_are_answered(mcp: Server, slow: Slow) -> None:
    session = {"Mcp-Session-Id": await opened(mcp.client)}
    first, second = call("slow", era=LEGACY, number=5), call("add", {"a": 1}, era=LEGACY, number=5)
    for asked in (first, second):
        asked["headers"] |= session
    calling = asyncio.create_task(mcp.client.post("mcp", **first))
    await asyncio.wait_for(slow.begun.wait(), 15)
    assert (await mcp.client.post("mcp", **second)).status_code == 400
    slow.go.set()
    assert texts(message(await calling)["result"]) == ["at last"]
    assert texts(message(await mcp.client.post("mcp", **second))["result"]) == ["2"]


async def test_ending_a_session_cancels_its_calls(mcp: Server, slow: Slow) -> None:
    session = {"Mcp-Session-Id": await opened(mcp.client)}
    asked = call("slow", era=LEGACY)
    asked["headers"] |= session
    calling = asyncio.create_task(mcp.client.post("mcp", **asked))
    await asyncio.wait_for(slow.begun.wait(), 15)
    assert (await mcp.client.delete("mcp", headers=session)).status_code == 200
    await asyncio.wait_for(slow.cancelled.wait(), 15)
    await asyncio.wait_for(asyncio.gather(calling, return_exceptions=True), 15)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', 400),
        (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', 400),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', 400),
        (b'"x"', 400),
        (b"[" * 100_000, 400),
        (b"", 400),
    ],
)
@pytest.mark.parametrize("era", ERAS)
async def test_what_is_no_message_is_refused(mcp: Server, era: str, body: bytes, status: int) -> None:
    headers = {"Accept": BOTH, "Content-Type": "application/json", "MCP-Protocol-Version": era, "Mcp-Method": "ping"}
    response = await mcp.client.post("mcp", content=body, headers=headers)
    assert response.status_code == status
    assert response.json()["error"]["code"] < 0
    assert "Traceback" not in response.text


async def test_versions_and_headers_that_do_not_fit_are_refused(mcp: Server) -> None:
    asked = call("add", {"a": 1})
    for header, value in (("MCP-Protocol-Version", "2099-01-01"), ("Mcp-Name", "other"), ("Mcp-Method", "tools/list")):
        response = await mcp.client.post("mcp", **{**asked, "headers": {**asked["headers"], header: value}})
        assert response.status_code == 400
        assert response.json()["error"]["code"] < 0
    unknown = await mcp.client.post("mcp", **request("no/such"))
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, -32601)
    unacceptable = await mcp.client.post("mcp", **{**asked, "headers": {**asked["headers"], "Accept": "text/html"}})
    assert unacceptable.status_code == 406
    for method in ("GET", "DELETE"):
        assert (await mcp.client.request(method, "mcp", headers={"MCP-Protocol-Version": MODERN})).status_code == 405


async def test_a_notification_is_accepted_and_has_no_answer(mcp: Server) -> None:
    told = request("notifications/initialized")
    del told["json"]["id"]
    response = await mcp.client.post("mcp", **told)
    assert (response.status_code, response.content) == (202, b"")


async def test_the_address_with_a_slash_behind_it_is_the_same(mcp: Server) -> None:
    assert texts(message(await mcp.client.post("mcp/", **call("add", {"a": 1})))["result"]) == ["2"]


# ---------------------------------------------------------------- many, large, long


async def test_a_thousand_calls_at_once_are_all_answered(mcp: Server) -> None:
    limits = httpx.Limits(max_connections=100)
    async with httpx.AsyncClient(
        base_url=mcp.client.base_url, headers=mcp.client.headers, trust_env=False, limits=limits, timeout=120
    ) as client:
        answers = await asyncio.gather(
            *(client.post("mcp", **call("add", {"a": number}, number=number)) for number in range(1000))
        )
    found = [(message(answer)["id"], texts(message(answer)["result"])) for answer in answers]
    assert found == [(number, [str(number + 1)]) for number in range(1000)]


@pytest.mark.parametrize("era", ERAS)
async def test_the_largest_result_stays_within_what_clients_take_in_one_event(mcp: Server, era: str) -> None:
    async with sdk_client(mcp, era) as client:
        result = await client.call_tool("large", {"chars": 2_000_000})
    assert len(result.content[0].text) <= 100_000


# ---------------------------------------------------------------- what it never does


async def test_the_servers_activity_is_kept_fresh_while_a_call_is_answered(mcp: Server, slow: Slow) -> None:
    settings = mcp.app.web_app.settings
    asked = request("tools/call", {"name": "slow", "arguments": {}, "_meta": {"progressToken": 1}})
    async with mcp.client.stream("POST", "mcp", **asked) as response:
        before = settings["api_last_activity"]
        await until(lambda: settings["api_last_activity"] > before)
        slow.go.set()
        assert messages((await response.aread()).decode())[-1]["id"] == 1


async def test_closing_ends_calls_and_streams_and_leaves_no_task(mcp: Server, slow: Slow) -> None:
    session = await opened(mcp.client)
    headers = {"Accept": "text/event-stream", "Mcp-Session-Id": session}
    asked = call("slow", era=LEGACY)
    asked["headers"] |= {"Mcp-Session-Id": session}
    calling = [asyncio.create_task(mcp.client.post("mcp", **each)) for each in (asked, call("slow"))]
    await until(lambda: slow.running == 2)
    async with mcp.client.stream("GET", "mcp", headers=headers) as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        endpoint = mcp.built.mcp
        await asyncio.wait_for(endpoint.close(), 15)
        await asyncio.wait_for(response.aread(), 15)
    _, stateless = await asyncio.wait_for(asyncio.gather(*calling), 15)
    assert stateless.status_code == 503
    assert slow.running == 0
    code = [getattr(task.get_coro(), "cr_code", None) for task in asyncio.all_tasks()]
    assert not [each for each in code if each and ("/mcp/" in each.co_filename or "sse_starlette" in each.co_filename)]
    assert (await mcp.client.post("mcp", **call("add", {"a": 1}))).status_code == 503


QUIET = """
import asyncio, json, logging, sys
outside = []
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen"):
        outside.append(event)
    if event == "open" and str(arguments[0]).endswith(".env"):
        outside.append("opened .env")
from jupyter_assistant.server.mcp import Endpoint
from jupyter_assistant.server.mcp.desk import Desk
from jupyter_assistant.tools import Registry
assert not {"fastmcp", "mcp", "pydantic"} & set(sys.modules)
sys.addaudithook(watch)
async def main():
    log = logging.getLogger("test")
    endpoint = Endpoint(Desk([Registry([], log=log)], None, level="execute"), log=log)
    assert endpoint.state == "idle"
    await endpoint._opened()
    await endpoint.close()
asyncio.run(main())
import os
import fastmcp
print(json.dumps([outside, "FASTMCP_ENV_FILE" in os.environ, fastmcp.settings.mask_error_details]))
"""


def test_the_library_comes_with_the_first_request_and_looks_at_nothing(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("FASTMCP_MASK_ERROR_DETAILS=true\nFASTMCP_LOG_LEVEL=nonsense\n")
    done = subprocess.run(
        [sys.executable, "-c", QUIET],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["[[], false, false]"]
    assert done.stderr == ""
