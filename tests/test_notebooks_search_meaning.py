"""Search with vectors: what is near in meaning is found, what is sent and when, and what becomes of a bad endpoint."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

from jupyter_assistant.context import Redactor
from jupyter_assistant.llm import Client, Provider
from jupyter_assistant.llm.embeddings import Embeddings
from jupyter_assistant.notebooks import Notebooks
from jupyter_assistant.notebooks.search.pace import PACE, Pace
from tests.gateway import Gateway, Reply, Request, running_gateway

LOG = logging.getLogger("test")
Json = dict[str, Any]


@dataclass
class Workspace:
    """Notebooks, the endpoint that embeds them, and the model it is asked for."""

    root: Path
    gateway: Gateway
    model: str = "embed-512"
    key: str = ""
    client: Client = field(default_factory=lambda: Client(connect_timeout=2.0, idle_timeout=1.0, pause=0.01))

    made: dict[tuple[str, str], Embeddings] = field(default_factory=dict)

    def embedder(self) -> Embeddings | None:
        if not self.model:
            return None
        provider = Provider("e", "Scripted", self.gateway.url, self.key)
        made = Embeddings(provider, self.model, self.client, Redactor())
        return self.made.setdefault((self.model, self.key), made)

    @asynccontextmanager
    async def opened(self, pace: Pace = PACE) -> AsyncIterator[Notebooks]:
        manager = AsyncLargeFileManager(root_dir=str(self.root))
        index = self.root.parent / "index"
        notebooks = Notebooks(
            manager, root_dir=self.root, log=LOG, index_dir=index, embedder=self.embedder, search_pace=pace
        )
        try:
            yield notebooks
        finally:
            await notebooks.close()
            await self.client.close()

    def write(self, name: str, *sources: str) -> None:
        fixed: Json = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
        cells = [{**fixed, "id": f"c{number}", "source": source} for number, source in enumerate(sources)]
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}))

    def sent(self) -> list[str]:
        """Every text of a cell that was sent; queries have no heading above them."""
        return [text for post in self.gateway.posts for text in post.json["input"] if "\n\n" in text]


@pytest.fixture
def workspace(tmp_path: Path, gateway: Gateway) -> Workspace:
    made = Workspace(tmp_path / "root", gateway)
    made.write("logistics.ipynb", "van_count = ceil(trips / per_van)", "weather = read()")
    made.write("deep/money.ipynb", "income = price * count", "plot(weather)")
    return made


async def embedded(notebooks: Notebooks, cells: int, query: str = "lorries") -> Json:
    """The index's state once so many cells have vectors."""
    while (state := await notebooks.index_state())["embeddings"]["cells"] != cells or state["embeddings"]["building"]:
        await notebooks.search(query)
    return state


async def paths(notebooks: Notebooks, query: str, path: str = "") -> list[tuple[str, str]]:
    return [(place.path, place.cell_id) for place in (await notebooks.search(query, path)).places]


async def test_a_cell_is_found_by_what_it_means(workspace: Workspace) -> None:
    async with workspace.opened() as notebooks:
        state = await embedded(notebooks, 4)
        assert (await paths(notebooks, "lorries"))[0] == ("logistics.ipynb", "c0")
        assert (await paths(notebooks, "earnings", "deep"))[0] == ("deep/money.ipynb", "c0")
        assert await paths(notebooks, "lorries", "deep") == []
    assert state["embeddings"]["model"] == f"embed-512 at 127.0.0.1:{workspace.gateway.port}"
    assert (state["notebooks"], state["cells"], state["embeddings"]["note"]) == (2, 4, "")


async def test_what_fits_by_word_and_meaning_comes_first_and_scores_stay_in_order(workspace: Workspace) -> None:
    workspace.write("more.ipynb", "van = 1", "lorries = 3")
    async with workspace.opened() as notebooks:
        await embedded(notebooks, 6)
        places = (await notebooks.search("lorries")).places
    assert (places[0].path, places[0].cell_id) == ("more.ipynb", "c1")
    assert [place.score for place in places] == sorted((place.score for place in places), reverse=True)
    assert 2 >= places[0].score > 1 >= places[-1].score > 0


async def test_cells_that_have_not_changed_are_not_sent_again(workspace: Workspace) -> None:
    async with workspace.opened() as notebooks:
        await embedded(notebooks, 4)
        assert len(workspace.sent()) == 4
        workspace.write("logistics.ipynb", "weather = read()", "van_count = ceil(trips / per_van)", "van_count += 1")
        await embedded(notebooks, 5)
    async with workspace.opened() as notebooks:
        await embedded(notebooks, 5)
        assert (await paths(notebooks, "lorries"))[0][0] == "logistics.ipynb"
    assert len(workspace.sent()) == 5
    assert workspace.sent()[-1].endswith("van_count += 1")


async def test_outputs_and_secrets_are_not_sent(workspace: Workspace) -> None:
    workspace.write("keys.ipynb", "password = 'hunter2hunter2'  # of the van")
    async with workspace.opened() as notebooks:
        await embedded(notebooks, 5)
    assert "of the van" in " ".join(workspace.sent())
    assert "hunter2hunter2" not in " ".join(workspace.sent())


@pytest.mark.parametrize("model", ["embed-32", "embed-128"])
async def test_another_model_makes_all_vectors_anew(workspace: Workspace, model: str) -> None:
    async with workspace.opened() as notebooks:
        await embedded(notebooks, 4)
        workspace.model = model
        await notebooks.search("lorries")
        await embedded(notebooks, 4)
        assert (await paths(notebooks, "lorries"))[0] == ("logistics.ipynb", "c0")
    assert [post.model for post in workspace.gateway.posts].count(model) >= 2
    assert len(workspace.sent()) == 8


async def test_a_model_whose_vectors_change_their_length_is_asked_anew(workspace: Workspace) -> None:
    sizes = [8]

    @workspace.gateway.play("growing")
    async def growing(reply: Reply, request: Request) -> None:
        found = [{"embedding": [1.0] * sizes[0]} for _ in request.json["input"]]
        await reply.json(200, {"data": found})

    workspace.model = "growing"
    async with workspace.opened() as notebooks:
        await embedded(notebooks, 4)
        sizes[0] = 16
        workspace.write("new.ipynb", "new = 1")
        await embedded(notebooks, 5)
        assert (await paths(notebooks, "truck")) != []


async def test_a_dead_endpoint_leaves_the_words_with_a_note_and_is_left_alone(workspace: Workspace) -> None:
    with running_gateway() as gone:
        pass
    workspace.gateway = gone
    async with workspace.opened() as notebooks:
        while not (found := await notebooks.search("weather")).complete:
            pass
        state = await notebooks.index_state()
    assert {place.path for place in found.places} == {"logistics.ipynb", "deep/money.ipynb"}
    assert found.note.startswith("Searched by words only: 127.0.0.1")
    assert state["embeddings"]["note"] == found.note


async def test_a_failing_endpoint_is_tried_again_after_its_pause(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    works = False

    @workspace.gateway.play("moody")
    async def moody(reply: Reply, request: Request) -> None:
        if works:
            await reply.json(200, {"data": [{"embedding": [1.0, 2.0]} for _ in request.json["input"]]})
        else:
            await reply.error(500, "broken")

    workspace.model = "moody"
    async with workspace.opened() as notebooks:
        await notebooks.search("weather")
        while (await notebooks.index_state())["embeddings"]["building"]:
            await notebooks.search("weather")
        asked = len(workspace.gateway.posts)
        assert (await notebooks.search("weather")).note
        assert len(workspace.gateway.posts) == asked
        works = True
        monkeypatch.setattr(notebooks._search._meaning, "_down_until", 0.0)
        await embedded(notebooks, 4, "weather")
        assert (await notebooks.search("weather")).note == ""


async def test_a_mended_key_is_tried_at_once(workspace: Workspace) -> None:
    workspace.gateway.key = "sk-right-0123456789"
    async with workspace.opened() as notebooks:
        assert "key" in (await notebooks.search("weather")).note.lower()
        workspace.key = "sk-right-0123456789"
        await embedded(notebooks, 4)
        assert (await notebooks.search("weather")).note == ""


async def test_a_silent_endpoint_does_not_hold_a_search_up(workspace: Workspace) -> None:
    workspace.model = "stall"
    async with workspace.opened(Pace(vector=0.05)) as notebooks:
        while not (found := await notebooks.search("weather")).complete:
            pass
        assert len(found.places) == 2
        assert "did not answer within" in found.note


async def test_nothing_is_sent_without_an_endpoint_or_where_it_must_not_be(workspace: Workspace) -> None:
    async with workspace.opened() as notebooks:
        assert (await notebooks.index_state())["embeddings"]["cells"] == 0
        while not (await notebooks.search("weather", meaning=False)).complete:
            pass
        await notebooks.search("weather", patience=0, meaning=False)
        workspace.model = ""
        await notebooks.search("weather")
        assert (await notebooks.index_state())["embeddings"] is None
    assert workspace.gateway.posts == []


async def test_closing_while_cells_are_being_sent_leaves_nothing(workspace: Workspace) -> None:
    workspace.write("many.ipynb", *(f"value_{number} = {number}" for number in range(200)))

    @workspace.gateway.play("slow")
    async def slow(reply: Reply, request: Request) -> None:
        if len(request.json["input"]) > 1:
            await reply.stall()
        await reply.json(200, {"data": [{"embedding": [1.0, 2.0]} for _ in request.json["input"]]})

    workspace.model = "slow"
    before = asyncio.all_tasks()
    async with workspace.opened() as notebooks:
        while not (await notebooks.search("weather")).complete:
            pass
        await workspace.gateway.until(lambda gateway: any(len(post.json["input"]) > 1 for post in gateway.posts))
        assert (await notebooks.index_state())["embeddings"]["building"]
    assert asyncio.all_tasks() <= before
