"""Names to models, what the gateways list, and how they are: asked only when a user acts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from jupyter_assistant.errors import GatewayDown, KeyRejected, NoModel, ProviderError
from jupyter_assistant.llm import LOCAL_SERVERS, Client, Model, Models, Options, Provider
from jupyter_assistant.messages import Finish, Json, Message, ModelEvent, Token
from tests.gateway import Gateway, running_gateway

KEY = "sk-canary-0123456789abcdef"
OFFLINE = "offline/responder"
SOMEWHERE = Provider("gateway", "Somewhere", "http://127.0.0.1:9/v1", KEY)


@pytest.fixture
def client(jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[Client]:
    made = Client(connect_timeout=2.0, idle_timeout=1.0, pause=0.01)
    yield made
    jp_asyncio_loop.run_until_complete(made.close())


def provider(gateway: Gateway, model: str | None = None, **changes: Any) -> Provider:
    return Provider(
        **{"name": "gateway", "label": "Scripted", "base_url": gateway.url, "api_key": KEY, "model": model} | changes
    )


def models(
    client: Client, *providers: Provider, default: str | None = None, local: tuple[Provider, ...] = ()
) -> Models:
    return Models(providers, client, default_model=default, options=lambda name: Options(), local=local)


async def answer(model: Model) -> str:
    events: list[ModelEvent] = [event async for event in model.stream([Message("user", "hello there")])]
    assert isinstance(events[-1], Finish)
    return "".join(event.text for event in events if isinstance(event, Token))


# Names.


@pytest.mark.parametrize(
    ("name", "resolved"),
    [
        ("gateway/x/y", "gateway/x/y"),
        ("x/y", "gateway/x/y"),
        ("gpt-4o", "gateway/gpt-4o"),
        ("openrouter/meta/llama:free", "openrouter/meta/llama:free"),
        ("meta/openrouter/x", "gateway/meta/openrouter/x"),
        ("ollama/llama3.2", "ollama/llama3.2"),
        ("vllm/", "gateway/vllm/"),
        ("gateway", "gateway/gateway"),
        ("gateway/", "gateway/chosen"),
        (" spaced ", "gateway/ spaced "),
        ("Gateway/x", "gateway/Gateway/x"),
        (None, "gateway/chosen"),
        ("", "gateway/chosen"),
        (OFFLINE, OFFLINE),
    ],
)
async def test_a_name_is_provider_and_model(client: Client, name: str | None, resolved: str) -> None:
    configured = (
        Provider("gateway", "Somewhere", "http://127.0.0.1:9/v1", model="chosen"),
        Provider("openrouter", "OpenRouter", "http://127.0.0.1:9/v1"),
    )
    made = models(client, *configured, local=LOCAL_SERVERS[:1])
    assert (await made.resolve(name)).name == resolved


async def test_the_default_model_may_be_anothers(client: Client) -> None:
    made = models(client, SOMEWHERE, default="ollama/llama3.2", local=LOCAL_SERVERS)
    assert (await made.resolve(None)).name == "ollama/llama3.2"
    assert made.listing()["default"] == "ollama/llama3.2"


async def test_a_configured_provider_hides_a_local_server_of_its_name(client: Client, gateway: Gateway) -> None:
    made = models(client, provider(gateway, name="ollama"), local=LOCAL_SERVERS)
    assert await answer(await made.resolve("ollama/echo")) == "hello there"


async def test_without_any_provider_the_built_in_responder_answers(client: Client) -> None:
    made = models(client)
    assert (await made.resolve(None)).name == OFFLINE
    assert made.listing()["default"] == OFFLINE
    assert await answer(await made.resolve(None))


@pytest.mark.parametrize("name", ["gpt-4o", "x/y", "offline/other"])
async def test_a_model_that_nobody_could_have_is_no_model(client: Client, name: str) -> None:
    with pytest.raises(NoModel) as raised:
        await models(client).resolve(name)
    assert name in raised.value.text
    assert raised.value.hint


async def test_a_chosen_model_without_a_provider_is_no_default(client: Client) -> None:
    made = models(client, default="gpt-4o")
    assert made.listing()["default"] is None
    assert made.context_tokens(None) is None
    with pytest.raises(NoModel):
        await made.resolve(None)


async def test_a_model_no_list_has_is_passed_on(client: Client, gateway: Gateway) -> None:
    made = models(client, provider(gateway))
    assert await answer(await made.resolve("gateway/echo")) == "hello there"
    assert gateway.posts[0].json["model"] == "echo"
    assert [request.method for request in gateway.requests] == ["POST"]


async def test_options_are_those_of_the_full_name(client: Client, gateway: Gateway) -> None:
    asked: list[str] = []

    def options(name: str) -> Options:
        asked.append(name)
        return Options(max_tokens=7)

    made = Models([provider(gateway)], client, options=options, local=())
    await answer(await made.resolve("echo"))
    assert asked == ["gateway/echo"]
    assert gateway.posts[0].json["max_tokens"] == 7


# No model chosen.


async def test_the_only_model_of_a_provider_is_taken_and_asked_for_once(client: Client, gateway: Gateway) -> None:
    embedder: Json = {"id": "embedder", "type": "embedding"}
    gateway.models = [{"id": "echo", "context_length": 4096}, embedder]
    made = models(client, provider(gateway))
    for _ in range(2):
        assert (await made.resolve(None)).name == "gateway/echo"
    assert len(gateway.requests) == 1
    assert made.listing()["default"] == "gateway/echo"
    assert made.context_tokens(None) == made.context_tokens("gateway/echo") == 4096
    assert made.context_tokens("gateway/other") is None


async def test_of_several_models_a_few_are_named(client: Client, gateway: Gateway) -> None:
    gateway.models = [{"id": f"model-{number}"} for number in range(12)]
    with pytest.raises(NoModel) as raised:
        await models(client, provider(gateway)).resolve(None)
    assert "model-0, model-1, model-2, model-3, model-4 and 7 more" in raised.value.text
    assert "JUPYTER_ASSISTANT_MODEL" in raised.value.hint


async def test_a_provider_without_models_says_so(client: Client, gateway: Gateway) -> None:
    gateway.models = []
    with pytest.raises(NoModel, match="has no model yet"):
        await models(client, provider(gateway)).resolve(None)


async def test_what_goes_wrong_while_asking_is_what_is_said(client: Client) -> None:
    with running_gateway(key="another") as gateway, pytest.raises(KeyRejected):
        await models(client, provider(gateway)).resolve(None)
    with pytest.raises(GatewayDown):
        await models(client, SOMEWHERE).resolve(None)


async def test_a_missing_v1_is_said_while_asking(client: Client, gateway: Gateway) -> None:
    with pytest.raises(ProviderError) as raised:
        await models(client, provider(gateway, base_url=gateway.root)).resolve(None)
    assert raised.value.hint == f"Add /v1 to the base URL: {gateway.url}"


# The listing.


def test_construction_and_listing_ask_nobody(client: Client, gateway: Gateway) -> None:
    listing = models(client, provider(gateway, "chosen"), local=LOCAL_SERVERS).listing()
    assert gateway.connections == 0
    assert listing["default"] == "gateway/chosen"
    assert listing["providers"] == [
        {
            "name": "gateway",
            "label": "Scripted",
            "base_url": gateway.url,
            "key": True,
            "local": False,
            "state": "unknown",
        },
        {
            "name": "offline",
            "label": "Built-in responder (no model)",
            "base_url": "",
            "key": False,
            "local": True,
            "state": "ok",
        },
    ]
    assert [model["id"] for model in listing["models"]] == ["gateway/chosen", OFFLINE]


async def test_refresh_asks_every_provider_and_looks_for_local_servers(client: Client, gateway: Gateway) -> None:
    with running_gateway(models=[{"id": "local-model", "max_model_len": 2048}]) as near:
        local = (
            provider(near, name="vllm", label="vLLM", api_key=""),
            Provider("ollama", "Ollama", SOMEWHERE.base_url),
        )
        made = models(client, provider(gateway, "chosen"), local=local)
        listing = await made.refresh()
    assert [(entry["name"], entry["state"], entry["local"]) for entry in listing["providers"]] == [
        ("gateway", "ok", False),
        ("vllm", "ok", True),
        ("offline", "ok", True),
    ]
    assert [model["id"] for model in listing["models"]] == [
        "gateway/chosen",
        "gateway/echo",
        "gateway/markdown",
        "gateway/reasoning",
        "gateway/think",
        "gateway/paced-200-20",
        "vllm/local-model",
        OFFLINE,
    ]
    assert listing["models"][-2]["context_tokens"] == 2048
    assert made.context_tokens("vllm/local-model") == 2048
    assert made.listing() == listing


async def test_a_local_server_that_has_gone_is_listed_no_more(client: Client) -> None:
    with running_gateway(models=[{"id": "local-model"}]) as near:
        made = models(client, local=(provider(near, name="vllm"),))
        assert "vllm/local-model" in str(await made.refresh())
    assert "vllm" not in str(await made.refresh())


async def test_a_local_server_that_is_configured_is_not_listed_twice(client: Client, gateway: Gateway) -> None:
    near = provider(gateway, name="ollama", base_url=gateway.url.replace("127.0.0.1", "localhost"))
    listing = await models(client, provider(gateway), local=(near,)).refresh()
    assert [entry["name"] for entry in listing["providers"]] == ["gateway", "offline"]


async def test_a_provider_that_fails_says_so_and_the_others_are_listed(client: Client, gateway: Gateway) -> None:
    listing = await models(client, provider(gateway), Provider("down", "Down", SOMEWHERE.base_url, KEY)).refresh()
    assert [entry["state"] for entry in listing["providers"]] == ["ok", "error", "ok"]
    error = listing["providers"][1]["error"]
    assert error["code"] == "gateway_down"
    assert error["text"]
    assert error["hint"]
    assert KEY not in json.dumps(listing)


@pytest.mark.parametrize("path", ["html", "broken"])
async def test_what_is_no_list_of_models_is_no_gateway(client: Client, path: str) -> None:
    page = {"html": b"<html>LOGIN-PAGE</html>", "broken": b'{"data": 3}'}[path]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(page) + page)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        listing = await models(client, Provider("page", "Page", url)).refresh()
    assert listing["providers"][0]["error"]["code"] == "not_a_gateway"
    assert "LOGIN-PAGE" not in json.dumps(listing)


async def test_a_changed_provider_is_forgotten_and_an_unchanged_one_kept(client: Client, gateway: Gateway) -> None:
    made = models(client, provider(gateway), provider(gateway, name="other"))
    await made.refresh()
    made.configure([provider(gateway), provider(gateway, name="other", api_key="sk-new")], "gateway/echo")
    listing = made.listing()
    assert [entry["state"] for entry in listing["providers"]] == ["ok", "unknown", "ok"]
    assert listing["default"] == "gateway/echo"
    made.configure([], None)
    assert made.listing()["default"] == OFFLINE
    assert [model["id"] for model in made.listing()["models"]] == [OFFLINE]


def test_credentials_in_an_address_are_not_listed(client: Client) -> None:
    secret = Provider("gateway", "x", f"https://user:hunter2hunter2@h.example/v1?key={KEY}", KEY)
    listing = json.dumps(models(client, secret).listing())
    assert "hunter2" not in listing
    assert KEY not in listing


# Trying a model, and how calls went.


async def test_a_model_is_tried_with_a_short_real_call(client: Client, gateway: Gateway) -> None:
    found = await models(client, provider(gateway)).test("echo")
    assert (found["ok"], found["model"], found["text"]) == (True, "gateway/echo", "Reply with one word: ready")
    assert 0 < found["first_token_s"] <= found["seconds"]
    assert gateway.posts[0].json["max_tokens"] == 64


async def test_a_model_that_fails_its_trial_says_why(client: Client, gateway: Gateway) -> None:
    found = await models(client, provider(gateway)).test("status-401")
    assert (found["ok"], found["error"]["code"]) == (False, "key_rejected")
    none = await models(client).test("gpt-4o")
    assert (none["ok"], none["model"], none["error"]["code"]) == (False, "gpt-4o", "no_model")


async def test_the_built_in_responder_can_be_tried(client: Client) -> None:
    found = await models(client).test(None)
    assert (found["ok"], found["model"]) == (True, OFFLINE)


async def test_an_endpoint_is_tried_before_it_is_saved_and_nothing_of_it_is_kept(
    client: Client, gateway: Gateway
) -> None:
    made = models(client)
    found = await made.test_endpoint(gateway.url, KEY, "echo")
    assert (found["ok"], found["model"], found["text"]) == (True, "gateway/echo", "Reply with one word: ready")
    assert 0 < found["first_token_s"] <= found["seconds"]
    assert [request.method for request in gateway.requests] == ["POST"]
    assert gateway.posts[0].headers["authorization"] == f"Bearer {KEY}"
    assert gateway.posts[0].json["max_tokens"] == 64
    assert [entry["name"] for entry in made.listing()["providers"]] == ["offline"]
    assert seen_last(made) == {}


async def test_a_missing_v1_is_suggested_only_where_it_works(client: Client, gateway: Gateway) -> None:
    found = await models(client).test_endpoint(gateway.root, "", "echo")
    assert (found["ok"], found["error"]["code"]) == (False, "endpoint_not_found")
    assert found["suggestion"] == {"base_url": gateway.url}
    assert [request.path for request in gateway.requests] == ["/chat/completions", "/v1/chat/completions"]
    assert "suggestion" not in await models(client).test_endpoint(f"{gateway.root}/elsewhere", "", "echo")
    asked = len(gateway.requests)
    assert "suggestion" not in await models(client).test_endpoint(f"{gateway.url}/v2", "", "echo")
    assert len(gateway.requests) == asked + 1


async def test_an_endpoint_without_a_chosen_model_is_asked_for_its_own(client: Client, gateway: Gateway) -> None:
    several = await models(client).test_endpoint(gateway.url)
    assert (several["ok"], several["error"]["code"]) == (False, "no_model")
    assert several["models"] == ["echo", "markdown", "reasoning", "think", "paced-200-20"]
    assert (await models(client).test_endpoint(gateway.root))["suggestion"] == {"base_url": gateway.url}
    gateway.models = [{"id": "echo"}]
    assert (await models(client).test_endpoint(gateway.url))["model"] == "gateway/echo"
    gateway.models = []
    assert "no model yet" in (await models(client).test_endpoint(gateway.url))["error"]["text"]


async def test_an_endpoint_that_refuses_the_key_never_shows_it(client: Client) -> None:
    with running_gateway(key="another") as gateway:
        for model in ("echo", None):
            found = await models(client).test_endpoint(gateway.url, KEY, model)
            assert found["error"]["code"] == "key_rejected"
            assert "Copy the whole key again" in found["error"]["hint"]
            assert KEY not in json.dumps(found)


def seen_last(made: Models) -> Json:
    return made.last_seen or {}


async def test_how_the_last_call_went_is_known(client: Client, gateway: Gateway) -> None:
    made = models(client, provider(gateway))
    assert seen_last(made) == {}
    await answer(await made.resolve("echo"))
    well = seen_last(made)
    assert (well["provider"], well["ok"]) == ("gateway", True)
    assert well["at"] > 1_700_000_000
    with pytest.raises(ProviderError):
        await answer(await made.resolve("cut"))
    badly = seen_last(made)
    assert (badly["ok"], badly["code"]) == (False, "gateway_cut")


async def test_a_provider_that_is_gone_was_not_seen_last(client: Client, gateway: Gateway) -> None:
    made = models(client, provider(gateway))
    await answer(await made.resolve("echo"))
    made.configure([], None)
    assert seen_last(made) == {}


async def test_what_a_gateway_refused_is_remembered_between_questions(client: Client, gateway: Gateway) -> None:
    made = models(client, provider(gateway))
    for _ in range(2):
        await answer(await made.resolve("no-stream-options"))
    assert len(gateway.posts) == 3
