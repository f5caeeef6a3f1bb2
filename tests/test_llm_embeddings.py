"""Vectors of texts from an endpoint: formats, refusals, retries, and what is never sent."""

from __future__ import annotations

import asyncio
import math
from array import array
from collections.abc import Iterator

import pytest

from jupyter_assistant.context import Redactor
from jupyter_assistant.errors import GatewayDown, ModelNotFound, NotAGateway, ProviderError
from jupyter_assistant.llm import Client, Provider
from jupyter_assistant.llm.embeddings import Embeddings
from tests.gateway import Gateway, Reply, Request

TEXTS = ["vans are counted", "the weather was fine", "lorries are counted"]


@pytest.fixture
def client(jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[Client]:
    made = Client(connect_timeout=2.0, idle_timeout=1.0, pause=0.01)
    yield made
    jp_asyncio_loop.run_until_complete(made.close())


def embeddings(gateway: Gateway, client: Client, model: str = "embed-64") -> Embeddings:
    return Embeddings(Provider("embeddings", "Scripted", gateway.url), model, client, Redactor())


def cosine(one: array[float], other: array[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("model", ["embed-64", "embed-64-floats"])
async def test_vectors_come_in_the_order_of_the_texts_and_of_length_one(
    gateway: Gateway, client: Client, model: str
) -> None:
    first, second, third = await embeddings(gateway, client, model).embed(TEXTS)
    assert math.isclose(cosine(first, first), 1.0, abs_tol=1e-6)
    assert cosine(first, third) > 0.99 > cosine(first, second)


async def test_a_format_that_was_refused_is_not_asked_for_again(gateway: Gateway, client: Client) -> None:
    asked = embeddings(gateway, client, "embed-8-floats")
    await asked.embed(TEXTS)
    await asked.embed(TEXTS)
    assert ["encoding_format" in post.json for post in gateway.posts] == [True, False, False]


async def test_secrets_are_taken_out_before_anything_is_sent(gateway: Gateway, client: Client) -> None:
    await embeddings(gateway, client).embed(["password = 'hunter2hunter2'", "key sk-canary0123456789abcdefghij"])
    body = gateway.posts[-1].body
    assert b"redacted" in body
    assert b"hunter2" not in body
    assert b"canary" not in body


async def test_a_text_that_is_too_long_is_cut_and_the_others_keep_their_vectors(
    gateway: Gateway, client: Client
) -> None:
    found = await embeddings(gateway, client, "embed-64-short").embed([*TEXTS, "x " * 600, "vans"])
    assert [len(vector) for vector in found] == [64, 64, 64, 0, 64]


async def test_what_refuses_everything_is_an_error(gateway: Gateway, client: Client) -> None:
    with pytest.raises(ProviderError):
        await embeddings(gateway, client, "embed-64-short").embed(["x " * 600])
    with pytest.raises(ModelNotFound):
        await embeddings(gateway, client, "unheard-of").embed(TEXTS)


async def test_a_hiccup_is_asked_again_and_a_query_is_not(gateway: Gateway, client: Client) -> None:
    @gateway.play("hiccup")
    async def hiccup(reply: Reply, request: Request) -> None:
        if request.turn == 1:
            await reply.error(503, "try again")
        else:
            await reply.json(200, {"data": [{"embedding": [1.0, 0.0]} for _ in request.json["input"]]})

    @gateway.play("down")
    async def down(reply: Reply, request: Request) -> None:
        await reply.error(503, "try again")

    assert len(await embeddings(gateway, client, "hiccup").embed(TEXTS)) == 3
    with pytest.raises(ProviderError):
        await embeddings(gateway, client, "down").embed(TEXTS, tries=1)
    assert [post.model for post in gateway.posts] == ["hiccup", "hiccup", "down"]


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"data": []},
        {"data": [{"embedding": "!"}]},
        {"data": [{"embedding": None}]},
        {"data": [{"index": 7, "embedding": [1.0]}]},
        {"data": 3},
        [],
    ],
)
async def test_what_is_no_list_of_vectors_is_said(gateway: Gateway, client: Client, answer: object) -> None:
    @gateway.play("odd")
    async def odd(reply: Reply, request: Request) -> None:
        await reply.json(200, answer)

    with pytest.raises(NotAGateway, match="embeddings"):
        await embeddings(gateway, client, "odd").embed(["one"])


@pytest.mark.parametrize("values", [[0.0, 0.0], [float("nan"), 1.0], []])
async def test_a_vector_without_a_direction_is_none(gateway: Gateway, client: Client, values: list[float]) -> None:
    @gateway.play("flat")
    async def flat(reply: Reply, request: Request) -> None:
        await reply.json(200, {"data": [{"embedding": values}]})

    assert await embeddings(gateway, client, "flat").embed(["one"]) == [array("f")]


async def test_nobody_there_is_an_error_of_ours(client: Client) -> None:
    nowhere = Embeddings(Provider("embeddings", "Nowhere", "http://127.0.0.1:9/v1"), "m", client, Redactor())
    with pytest.raises(GatewayDown):
        await nowhere.embed(["one"], tries=1)
