"""The stdio bridge: both eras of the protocol through it, cancelled, ended, and without a server that answers."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bridge import COMMAND, ROOT, Bridge, bridge, call
from tests.conftest import Server
from tests.mcp_clients import ERAS, LEGACY, MODERN, Slow, of_tests, texts, until


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def mcp(server: Server, slow: Slow, jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[Server]:
    """The server with the tools of the tests, found by its runtime file."""
    endpoint = of_tests(server, slow)
    server.built.mcp = endpoint
    server.app.write_server_info_file()
    yield server
    server.app.remove_server_info_file()
    jp_asyncio_loop.run_until_complete(endpoint.close())


@pytest.fixture
def runtime(jp_runtime_dir: Path) -> Path:
    return jp_runtime_dir


async def opened(running: Bridge, era: str) -> Bridge:
    """A bridge whose client is ready to ask."""
    if era == LEGACY:
        answer = await running.initialize()
        assert answer["result"]["protocolVersion"] == LEGACY
    else:
        answer = await running.ask("server/discover", number=0)
        assert MODERN in answer["result"]["supportedVersions"]
    return running


@pytest.fixture(params=ERAS)
def client(
    request: Any, mcp: Server, runtime: Path, jp_asyncio_loop: asyncio.AbstractEventLoop
) -> Iterator[tuple[Bridge, str]]:
    context = bridge(mcp.root, runtime)
    running = jp_asyncio_loop.run_until_complete(context.__aenter__())
    yield jp_asyncio_loop.run_until_complete(opened(running, request.param)), request.param
    jp_asyncio_loop.run_until_complete(context.__aexit__(None, None, None))


async def test_a_tool_is_listed_and_called(client: tuple[Bridge, str]) -> None:
    running, era = client
    listed = await running.ask("tools/list", era=era, number=1)
    assert "add" in [tool["name"] for tool in listed["result"]["tools"]]
    running.send(call("add", {"a": 2, "b": 3}, era=era, number=2))
    assert texts((await running.answer(2))["result"]) == ["5"]


async def test_ids_come_back_as_they_were_sent(client: tuple[Bridge, str]) -> None:
    running, era = client
    for number in ("seven", 7):
        running.send(call("add", {"a": 1}, era=era, number=number))
        assert texts((await running.answer(number))["result"]) == ["2"]


async def test_names_that_no_header_can_hold_arrive(client: tuple[Bridge, str]) -> None:
    running, era = client
    answer = await running.ask("resources/read", {"uri": "notebook://Messung Größe №1.ipynb"}, era=era, number=3)
    assert "Messung Größe №1.ipynb" in answer["error"]["message"]


async def test_a_large_answer_is_one_line(client: tuple[Bridge, str]) -> None:
    running, era = client
    running.send(call("large", {"chars": 700_000}, era=era, number=4))
    assert len(texts((await running.answer(4))["result"])[0]) > 10_000


async def test_calls_do_not_wait_for_each_other(client: tuple[Bridge, str], slow: Slow) -> None:
    running, era = client
    running.send(call("slow", era=era, number=5))
    await asyncio.wait_for(slow.begun.wait(), 20)
    running.send(call("add", {"a": 1}, era=era, number=6))
    assert texts((await running.answer(6))["result"]) == ["2"]
    slow.go.set()
    assert texts((await running.answer(5))["result"]) == ["at last"]


async def test_progress_comes_while_a_tool_runs(client: tuple[Bridge, str], slow: Slow) -> None:
    running, era = client
    asked = call("slow", era=era, number=7)
    asked["params"]["_meta"] = {**asked["params"].get("_meta", {}), "progressToken": "mine"}
    running.send(asked)
    told = await running.read()
    assert (told["method"], told["params"]["progressToken"]) == ("notifications/progress", "mine")
    slow.go.set()
    assert texts((await running.answer(7))["result"]) == ["at last"]


async def test_a_cancelled_call_is_cancelled_in_the_server_and_not_answered(
    client: tuple[Bridge, str], slow: Slow
) -> None:
    running, era = client
    running.send(call("slow", era=era, number=8))
    await asyncio.wait_for(slow.begun.wait(), 20)
    running.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 8}})
    await asyncio.wait_for(slow.cancelled.wait(), 20)
    assert (await running.ask("tools/list", era=era, number=9))["result"]
    assert [other for other in running.others if other.get("id") == 8 and "result" in other] == []


async def test_the_end_of_input_ends_calls_and_process(client: tuple[Bridge, str], slow: Slow, mcp: Server) -> None:
    running, era = client
    running.send(call("slow", era=era, number=10))
    await asyncio.wait_for(slow.begun.wait(), 20)
    assert await running.end() == 0
    await asyncio.wait_for(slow.cancelled.wait(), 20)
    endpoint = mcp.built.mcp
    await until(lambda: len(endpoint.sessions) == 0)


async def test_a_second_request_with_an_id_in_use_is_refused(client: tuple[Bridge, str], slow: Slow) -> None:
    running, era = client
    running.send(call("slow", era=era, number=11))
    await asyncio.wait_for(slow.begun.wait(), 20)
    running.send(call("slow", era=era, number=11))
    assert (await running.answer(11))["error"]["code"] == -32600
    slow.go.set()
    assert texts((await running.answer(11))["result"]) == ["at last"]


async def test_what_is_no_message_is_answered_as_such(client: tuple[Bridge, str]) -> None:
    running, era = client
    for text, code in (("{", -32700), ("[]", -32600), ('"x"', -32600), ("\xff", -32700)):
        running.send(text)
        assert (await running.answer(None))["error"]["code"] == code
    running.send("")
    assert (await running.ask("tools/list", era=era, number=12))["result"]


async def test_an_unknown_method_is_the_servers_to_refuse(client: tuple[Bridge, str]) -> None:
    running, era = client
    assert (await running.ask("no/such", era=era, number=13))["error"]["code"] == -32601


async def test_a_lost_session_is_opened_anew_unseen(mcp: Server, runtime: Path) -> None:
    async with bridge(mcp.root, runtime) as running:
        await opened(running, LEGACY)
        assert (await running.ask("tools/list", era=LEGACY))["result"]
        endpoint = mcp.built.mcp
        lost = endpoint.sessions.oldest() or next(iter(endpoint.sessions._owners))
        endpoint.sessions.remove(lost)
        running.send(call("add", {"a": 4}, era=LEGACY, number=2))
        assert texts((await running.answer(2))["result"]) == ["5"]
        await running.hear("opened a new session")


async def test_without_a_server_the_client_and_the_person_are_told_what_to_do(tmp_path: Path) -> None:
    async with bridge(tmp_path, tmp_path / "none") as running:
        for era, method in ((LEGACY, "initialize"), (MODERN, "server/discover")):
            answer = await running.ask(method, era=era)
            assert "No Jupyter server is running. Start one" in answer["error"]["message"]
        assert "jupyter lab" in await running.hear("--url")
        assert await running.end() == 0


async def test_a_server_that_starts_later_is_found_when_asked_again(mcp: Server, runtime: Path) -> None:
    mcp.app.remove_server_info_file()
    async with bridge(mcp.root, runtime) as running:
        assert "error" in await running.ask("tools/list")
        mcp.app.write_server_info_file()
        assert (await running.ask("tools/list", number=2))["result"]


async def test_the_token_may_come_from_the_environment(mcp: Server, tmp_path: Path) -> None:
    url, token = str(mcp.client.base_url), mcp.app.identity_provider.token
    base = url.removesuffix("assistant/")
    async with bridge(tmp_path, tmp_path / "none", "--url", base, JUPYTER_TOKEN=token) as running:
        assert (await running.ask("tools/list"))["result"]
    async with bridge(tmp_path, tmp_path / "none", "--url", f"{base}lab?token={token}") as running:
        assert (await running.ask("tools/list"))["result"]
        assert token not in await running.hear("connected to")


@pytest.mark.parametrize(("token", "told"), [("", "JUPYTER_TOKEN"), ("wrong", "refuses the token")])
async def test_a_refused_token_is_told_as_such(mcp: Server, tmp_path: Path, token: str, told: str) -> None:
    base = str(mcp.client.base_url).removesuffix("assistant/")
    for era, method in ((MODERN, "tools/list"), (LEGACY, "initialize")):
        async with bridge(tmp_path, tmp_path / "none", "--url", base, JUPYTER_TOKEN=token) as running:
            assert told in (await running.ask(method, era=era))["error"]["message"]


async def test_a_server_without_the_assistant_is_told_as_such(mcp: Server, runtime: Path, tmp_path: Path) -> None:
    base = str(mcp.client.base_url).replace("assistant/", "elsewhere/")
    async with bridge(tmp_path, runtime, "--url", base, JUPYTER_TOKEN=mcp.app.identity_provider.token) as running:
        assert "has no Jupyter Assistant" in (await running.ask("tools/list"))["error"]["message"]


async def test_an_address_that_is_none_ends_the_bridge(tmp_path: Path) -> None:
    async with bridge(tmp_path, tmp_path, "--url", "ftp://x") as running:
        await running.hear("--url: not the address of a server. Give it as http")
        assert await running.process.wait() == 1


@pytest.mark.parametrize("era", ERAS)
async def test_real_clients_start_it_by_themselves(mcp: Server, runtime: Path, era: str) -> None:
    from fastmcp import Client
    from fastmcp.client.transports import StdioTransport

    environ = {"PYTHONPATH": str(ROOT), "JUPYTER_RUNTIME_DIR": str(runtime)}
    transport = StdioTransport(COMMAND[0], [*COMMAND[1:], "mcp"], env=environ, cwd=str(mcp.root), keep_alive=False)
    async with Client(transport, mode=MODERN if era == MODERN else "legacy") as fastmcp:
        assert "add" in [tool.name for tool in await fastmcp.list_tools()]
        result = await fastmcp.call_tool("add", {"a": 20, "b": 22})
        assert result.content[0].text == "42"


def test_the_bridge_loads_no_library_of_the_protocol() -> None:
    import subprocess

    code = (
        "import sys, json\nfrom jupyter_assistant.cli import main\nfrom jupyter_assistant.cli import serve\n"
        "import httpx\nprint(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(json.loads(done.stdout))
    assert loaded & {"fastmcp", "mcp", "mcp_types", "pydantic", "tornado", "jupyter_server", "traitlets"} == set()
