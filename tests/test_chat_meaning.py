"""Search by meaning from a question: what the user sees of it, when nothing is sent; the index in ``GET health``."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.conftest import Server
from tests.gateway import Gateway

Json = dict[str, Any]
QUESTION = "which notebook counts the lorries?"


@pytest.fixture
def notebooks(jp_root_dir: Path) -> None:
    for name, source in (("open", "x = 1"), ("logistics", "van_count = 3"), ("money", "income = price * 2")):
        cells = [nbformat.v4.new_code_cell(source, id="c0")]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), jp_root_dir / f"{name}.ipynb")


async def connected(server: Server, gateway: Gateway, model: str = "embed-512") -> None:
    settings = {"embeddings_base_url": gateway.url, "embeddings_model": model}
    assert (await server.client.patch("settings", json=settings)).status_code == 200


async def health(server: Server) -> Json:
    index: Json = (await server.client.get("health")).json()["index"]
    return index


def data(events: list[Any], name: str) -> list[Any]:
    return [json.loads(event.data) for event in events if event.event == name]


async def asked(server: Server) -> list[Any]:
    return await server.ask(QUESTION, notebook={"path": "open.ipynb"})


async def test_a_question_brings_what_is_near_in_meaning_and_says_who_was_asked(
    server: Server, notebooks: None, gateway: Gateway
) -> None:
    await connected(server, gateway)
    await asked(server)
    while (await health(server))["embeddings"]["cells"] < 3:  # noqa: ASYNC110  (it is another process, to the user)
        await asyncio.sleep(0.03)
    events = await asked(server)
    said = [status["text"] for status in data(events, "status")]
    assert f"Searching the workspace, also with embed-512 at 127.0.0.1:{gateway.port}…" in said
    assert data(events, "sources")[0][0]["path"] == "logistics.ipynb"
    assert [item for item in data(events, "context")[0]["items"] if item["kind"] == "source"]


async def test_an_endpoint_that_fails_is_a_note_and_not_an_error(
    server: Server, notebooks: None, gateway: Gateway
) -> None:
    await connected(server, gateway, "unheard-of")
    events = await asked(server)
    said = [status["text"] for status in data(events, "status")]
    assert [text for text in said if text.startswith("Searched by words only:")]
    assert not data(events, "error")
    assert json.loads(events[-1].data) == {"reason": "stop"}


async def test_a_preview_and_a_get_send_nothing(server: Server, notebooks: None, gateway: Gateway) -> None:
    await connected(server, gateway)
    body = {"question": QUESTION, "notebook": {"path": "open.ipynb"}}
    assert (await server.client.post("preview", json=body)).status_code == 200
    while not (await server.client.get("search", params={"q": "van"})).json()["complete"]:
        pass
    index = await health(server)
    assert gateway.posts == []
    assert (index["notebooks"], index["cells"], index["embeddings"]["cells"]) == (3, 3, 0)


async def test_health_tells_of_the_index_without_making_one(server: Server, notebooks: None) -> None:
    none = {"notebooks": 0, "cells": 0, "age": None, "building": False, "note": "", "embeddings": None}
    assert await health(server) == none
    assert not (server.extension.known.data_dir / "index").exists()
    while not (await server.client.get("search", params={"q": "van"})).json()["complete"]:
        pass
    index = await health(server)
    assert index["cells"] == 3
    assert index["age"] >= 0
    assert index["building"] is False


async def test_the_key_for_embeddings_is_taken_and_never_shown(
    server: Server, notebooks: None, gateway: Gateway
) -> None:
    await connected(server, gateway)
    await server.client.patch("settings", json={"embeddings_api_key": "sk-embeddings-canary"})
    shown = await server.client.get("settings")
    await asked(server)
    assert shown.json()["settings"]["embeddings_api_key"] is True
    assert "canary" not in shown.text
    assert gateway.posts[0].headers["authorization"] == "Bearer sk-embeddings-canary"
