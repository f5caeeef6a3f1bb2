"""Questions that reach beyond the open notebook: cells of others in the context, and as sources."""

from __future__ import annotations

import asyncio
import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from jupyter_assistant.assistant.workspace import find
from jupyter_assistant.context import Redactor, build, estimate_tokens
from jupyter_assistant.context.workspace import (
    MOST_CELLS,
    FoundCell,
    chosen,
    found_items,
    is_foreign,
    names_beyond,
    summary,
)
from jupyter_assistant.notebooks.cells import Cell, Snapshot
from jupyter_assistant.notebooks.search.pace import Pace
from tests.conftest import Server
from tests.gateway import Gateway
from tests.test_notebooks_search import opened, write

Json = dict[str, Any]
EXAMPLES = Path(__file__).parent.parent / "examples"
SALES = "failing-sales.ipynb"


@pytest.fixture
def notebooks(jp_root_dir: Path) -> Path:
    for name in ("failing-sales", "sales-plot", "bike-rentals"):
        shutil.copy(EXAMPLES / f"{name}.ipynb", jp_root_dir)
    return jp_root_dir


def data(events: list[Any], name: str) -> list[Any]:
    return [json.loads(event.data) for event in events if event.event == name]


def text(events: list[Any]) -> str:
    return "".join(token["text"] for token in data(events, "token"))


@pytest.mark.parametrize(
    ("question", "beyond"),
    [
        ("In which notebook do I plan the vans?", True),
        ("Have my other notebooks a map?", True),
        ("did I ever fit a linear model?", True),
        ("what does bike-rentals.ipynb say?", True),
        ("where else did we use folium?", True),
        ("In welchem Notebook plane ich die Wagen?", True),
        ("Dans quel notebook ai-je calculé les coûts ?", True),
        ("¿En qué notebook está el modelo?", True),
        ("哪个笔记本计算了利润？", True),
        ("Was macht dieses Notebook?", False),
        ("What does this notebook do?", False),
        ("Explain the notebook", False),
        ("Summarise my notebook", False),
        (f"What fails in {SALES}?", False),
        ("Why does this fail?", False),
        ("Which columns does orders have?", False),
    ],
)
def test_a_question_says_whether_it_is_about_other_notebooks(question: str, beyond: bool) -> None:
    assert names_beyond(question, SALES) is beyond


def test_words_that_the_open_notebook_lacks_lead_elsewhere() -> None:
    notebook = Snapshot("a.ipynb", (Cell("a", 0, "code", "total = price * count"),))
    assert is_foreign("how many vans are needed?", notebook)
    assert not is_foreign("how is the total made?", notebook)
    assert not is_foreign("what does this need?", notebook)
    assert not is_foreign("Explain the error in cell 11", notebook)
    assert not is_foreign("why is the output empty?", notebook)
    for question in ("Erkläre diese Zelle", "Explique cette cellule", "Explica esta celda", "解释这个单元格"):
        assert not is_foreign(question, notebook)
    assert not is_foreign("hello", None)


def found(path: str, score: float, source: str = "x = 1") -> FoundCell:
    cell = Cell("a", 0, "code", source, execution_count=1)
    return FoundCell(Snapshot(path, (cell,)), cell, score, source)


def test_the_best_are_chosen_and_unasked_only_what_holds_every_word() -> None:
    places = [found("b.ipynb", 1.5), found("c.ipynb", 0.9), found("a.ipynb", 0.5)]
    assert [one.notebook.path for one in chosen(places, asked_for=True)] == ["b.ipynb", "c.ipynb"]
    assert [one.notebook.path for one in chosen(places, asked_for=False)] == ["b.ipynb"]
    assert summary(places) == "Found 3 cells in 3 notebooks"
    assert summary(places[:1]) == "Found 1 cell in 1 notebook"


def test_cells_of_others_keep_their_order_and_share() -> None:
    long = "value = 1  # words and words\n" * 200
    items = list(found_items([found(f"{name}.ipynb", 1.0, long) for name in "cab"], Redactor(), 900))
    assert [item.path for item in items] == ["c.ipynb", "a.ipynb", "b.ipynb"]
    assert all(item.truncated and item.kind == "source" for item in items)
    assert sum(estimate_tokens(item.text) for item in items) <= 900
    given = build("q", snapshot=None, focus=None, budget=3_000, redact=Redactor(), found=[found("c.ipynb", 1, long)])
    assert given.tokens <= 3_000
    assert '"c.ipynb"' in given.messages[-1].rendered()


async def test_a_question_about_other_notebooks_is_given_their_cells_and_names_them(
    server: Server, notebooks: Path, gateway: Gateway
) -> None:
    await server.client.patch("settings", json={"base_url": gateway.url, "model": "markdown"})
    question = "In which notebook do I compute how many vans are needed?"
    events = await server.ask(question, notebook={"path": SALES})
    said = [status["text"] for status in data(events, "status")]
    (sources,) = data(events, "sources")
    context = data(events, "context")[0]
    assert "Searching the workspace…" in said
    assert said[-1].startswith("Found ")
    assert sources[0]["path"] == "bike-rentals.ipynb"
    assert "bike-rentals.ipynb · cell 61" in [source["title"] for source in sources]
    assert {item["kind"] for item in context["items"]} >= {"notebook", "source"}
    assert b"RENTALS_PER_MOVE" in gateway.posts[-1].body
    body = {"question": question, "notebook": {"path": SALES}}
    preview = (await server.client.post("preview", json=body)).json()
    assert "RENTALS_PER_MOVE" in "".join(item["text"] for item in preview["items"] if item["kind"] == "source")


async def test_what_is_said_to_be_found_is_what_the_budget_holds(
    server: Server, notebooks: Path, gateway: Gateway
) -> None:
    for number in range(MOST_CELLS):
        write(notebooks, f"{number}.ipynb", "harbour_dues = tonnage * rate\n" * 60)
    await server.client.patch("settings", json={"base_url": gateway.url, "model": "echo", "context_tokens": 1_500})
    events = await server.ask("Which notebooks compute harbour_dues?", notebook={"path": SALES})
    question = {"question": "Which notebooks compute harbour_dues?", "notebook": {"path": SALES}}
    preview = (await server.client.post("preview", json=question)).json()
    given = [item["cell_id"] for item in data(events, "context")[0]["items"] if item["kind"] == "source"]
    assert 0 < len(given) < MOST_CELLS
    assert [source["cell_id"] for source in data(events, "sources")[0]] == given
    assert f"Found {len(given)} cell" in " ".join(status["text"] for status in data(events, "status"))
    assert [item["kind"] for item in preview["left_out"]].count("source") == MOST_CELLS - len(given)


async def test_the_responder_finds_cells_of_other_notebooks_also_with_none_open(
    server: Server, notebooks: Path
) -> None:
    events = await server.ask("which notebook fits the forecast with lstsq?")
    assert "`bike-rentals.ipynb` [cell 51]" in text(events)
    assert data(events, "sources")[-1][0]["path"] == "bike-rentals.ipynb"


async def test_a_question_about_the_open_notebook_brings_no_others(server: Server, notebooks: Path) -> None:
    events = await server.ask("Why does this fail?", notebook={"path": SALES})
    assert {item["kind"] for item in data(events, "context")[0]["items"]} <= {"notebook", "cell", "error"}
    assert "unit_price" in text(events)


async def test_a_word_only_others_have_brings_them_unasked(server: Server, notebooks: Path) -> None:
    await server.client.get("search", params={"q": "vans"})
    for _ in range(50):  # a busy machine may not answer in the time that is given to what nobody asked for
        events = await server.ask("how are vans calculated?", notebook={"path": SALES})
        if data(events, "sources"):
            break
    assert "`bike-rentals.ipynb` [cell 61]" in text(events)
    assert "bike-rentals.ipynb · cell 61" in [source["title"] for source in data(events, "sources")[-1]]


async def test_what_is_not_asked_for_is_not_waited_for_but_indexed_for_the_next_question(
    notebooks: Path,
) -> None:
    async with opened(notebooks, pace=Pace(idle=0.01)) as built:
        unasked = partial(find, built, "how are vans calculated?", besides=SALES, asked_for=False, unasked=30.0)
        assert not (await unasked()).cells
        while not (await built.search("vans", patience=0)).places:  # noqa: ASYNC110  (the index tells nobody)
            await asyncio.sleep(0.03)
        assert ("bike-rentals.ipynb", 60) in [(one.notebook.path, one.cell.index) for one in (await unasked()).cells]


async def test_a_search_that_is_not_asked_for_and_takes_long_is_left(server: Server, notebooks: Path) -> None:
    await server.client.get("search", params={"q": "vans"})
    found = partial(find, server.built.notebooks, "how are vans calculated?", besides=SALES, asked_for=False)
    assert (await found(unasked=30.0)).cells
    assert not (await found(unasked=0.0)).cells


async def test_the_workspace_is_searched_over_http(server: Server, notebooks: Path) -> None:
    (notebooks / "other").mkdir()
    shutil.copy(EXAMPLES / "sales-plot.ipynb", notebooks / "other")
    answer = (await server.client.get("search", params={"q": "vans_needed"})).json()
    within = (await server.client.get("search", params={"q": "revenue", "path": "other", "limit": "2"})).json()
    assert set(answer["sources"][0]) == {"title", "path", "cell_id", "url", "score", "snippet"}
    assert answer["sources"][0]["path"] == "bike-rentals.ipynb"
    assert [source["path"] for source in within["sources"]] == ["other/sales-plot.ipynb"] * 2


@pytest.mark.parametrize(
    "params", [{}, {"q": " "}, {"q": "x" * 1_001}, {"q": "x", "limit": "0"}, {"q": "x", "path": "../up"}]
)
async def test_a_search_for_nothing_or_outside_is_refused(server: Server, params: Json) -> None:
    refused = await server.client.get("search", params=params)
    assert refused.status_code == 400
    assert refused.json()["error"]["hint"]
