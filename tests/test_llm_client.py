"""The one HTTP client: made late, once and off the loop; its waits; its way around proxies; what it leaves."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from jupyter_assistant.errors import GatewayDown, GatewayTimeout, ProviderError
from jupyter_assistant.llm import Client, Provider
from jupyter_assistant.messages import Json
from tests.gateway import Gateway, Reply, Request, running_gateway


@pytest.fixture
def client(jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[Client]:
    made = Client(connect_timeout=2.0, idle_timeout=1.0)
    yield made
    jp_asyncio_loop.run_until_complete(made.close())


def provider(gateway: Gateway) -> Provider:
    return Provider("gateway", "Scripted", gateway.url)


def test_importing_the_room_imports_no_http_library_and_opens_nothing() -> None:
    program = (
        "import sys, threading\n"
        "from jupyter_assistant.llm import Client, Models, Options\n"
        "Models([], Client(), options=lambda name: Options()).listing()\n"
        "assert threading.active_count() == 1\n"
        "print([name for name in ('httpx', 'httpcore', 'anyio', 'h11', 'ssl') if name in sys.modules])\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = ran.stdout.strip()
    assert "httpx" not in loaded
    assert "httpcore" not in loaded
    assert "anyio" not in loaded


async def test_requests_at_once_make_one_pool_and_its_thread_ends(gateway: Gateway) -> None:
    client = Client()
    await asyncio.gather(*(client.get(provider(gateway), "models", 5.0) for _ in range(20)))
    pools = {id(pool) for pool in client._pools.values()}
    assert len(pools) == 1
    await client.close()
    await gateway.until(lambda gateway: gateway.open == 0)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("jupyter-assistant")]


def test_each_event_loop_has_its_own_pool() -> None:
    client = Client()

    async def ask(gateway: Gateway) -> int:
        reply = await client.get(provider(gateway), "models", 5.0)
        await client.close()
        return reply.status

    with running_gateway() as gateway:
        assert [asyncio.run(ask(gateway)) for _ in range(2)] == [200, 200]


async def test_closing_twice_or_before_use_is_nothing() -> None:
    client = Client()
    await client.close()
    await client.close()


async def test_one_who_reads_late_does_not_take_the_gateway_for_silent(gateway: Gateway) -> None:
    client = Client(idle_timeout=0.3)
    late = await client.post(provider(gateway), "chat/completions", paced(2))
    meanwhile = await client.post(provider(gateway), "chat/completions", paced(20))
    assert (await meanwhile.body()).count(b'"content"') == 20
    assert (await late.body()).count(b'"content"') == 2
    await meanwhile.close()
    await late.close()
    await client.close()


def paced(tokens: int) -> Json:
    """A request for so many tokens, 20 a second."""
    return {"model": f"paced-{tokens}-20", "messages": [{"role": "user", "content": "go"}], "stream": True}


async def test_a_get_has_a_deadline_of_its_own(client: Client) -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with silent:
        port = silent.sockets[0].getsockname()[1]
        with pytest.raises(GatewayTimeout) as raised:
            await client.get(Provider("gateway", "x", f"http://127.0.0.1:{port}/v1"), "models", 0.2)
    assert "0.2 s" in raised.value.text


async def test_a_whole_body_over_its_limit_is_refused(client: Client, gateway: Gateway) -> None:
    reply = await client.post(provider(gateway), "chat/completions", {"model": "fast-1000", "messages": []})
    with pytest.raises(ProviderError):
        await reply.body(limit=1000)
    await reply.close()
    await gateway.until(lambda gateway: gateway.open == 0)


async def test_an_error_body_is_read_up_to_its_limit_and_its_connection_closed(
    client: Client, gateway: Gateway
) -> None:
    @gateway.play("endless-error")
    async def endless_error(reply: Reply, request: Request) -> None:
        await reply.head(500, "application/json")
        while True:
            await reply.send(b"x" * 10_000)

    reply = await client.post(provider(gateway), "chat/completions", {"model": "endless-error"})
    refusal = await reply.refusal()
    assert (refusal.status, len(refusal.body)) == (500, 65536)
    await gateway.wait_disconnected()


async def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_gateway() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.root)
        client = Client(connect_timeout=2.0, idle_timeout=1.0)
        assert (await client.get(provider(gateway), "models", 5.0)).status == 200
        assert proxy.connections == 0
        far = Provider("far", "x", "http://far.invalid/v1")
        assert (await client.get(far, "models", 5.0)).body == b"404 page not found"  # the proxy's own words
        assert proxy.connections == 1
        await client.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [("ALL_PROXY", "nonsense://x"), ("SSL_CERT_FILE", "/nowhere/ca.pem"), ("ALL_PROXY", "socks5://127.0.0.1:1")],
)
async def test_a_broken_environment_is_an_error_that_names_the_variables(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    client = Client()
    with pytest.raises(GatewayDown) as raised:
        await client.get(provider(gateway), "models", 5.0)
    assert name in raised.value.hint
    await client.close()


@pytest.mark.parametrize(
    ("attempt", "retry_after", "least", "most"),
    [
        (1, None, 0.5, 0.625),
        (2, None, 1.0, 1.25),
        (1, 0.0, 0.0, 0.125),
        (1, 12.0, 12.0, 12.125),
        (2, 99999.0, 30.0, 30.0),
    ],
)
def test_a_pause_is_jittered_honours_retry_after_and_is_capped(
    attempt: int, retry_after: float | None, least: float, most: float
) -> None:
    pauses = [Client().pause(attempt, retry_after) for _ in range(50)]
    assert all(pause is not None and least <= pause <= most for pause in pauses)


def test_there_are_three_attempts() -> None:
    assert Client().pause(3, None) is None
    assert Client().pause(3, 1.0) is None
