"""Search over real notebooks: what is found and in which order, freshness, and what becomes of the index."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

from jupyter_assistant.errors import InvalidInput, NotebookBusy, NotebookNotFound, PathRefused
from jupyter_assistant.messages import CellError
from jupyter_assistant.notebooks import Notebooks, tree
from jupyter_assistant.notebooks.cells import Cell, Output
from jupyter_assistant.notebooks.listing import Sighting
from jupyter_assistant.notebooks.search import Found, Place
from jupyter_assistant.notebooks.search.index import Index
from jupyter_assistant.notebooks.search.pace import PACE, Pace
from jupyter_assistant.notebooks.search.rows import page
from jupyter_assistant.notebooks.search.words import headings, parse, snippet, titles

EXAMPLES = Path(__file__).parents[1] / "examples"
LOG = logging.getLogger("test")
LONG_AGO = 1_600_000_000.5
Json = dict[str, Any]


@asynccontextmanager
async def opened(
    root: Path, index: Path | None = None, *, settled: float = tree.SETTLED, pace: Pace = PACE, **traits: Any
) -> AsyncIterator[Notebooks]:
    manager = AsyncLargeFileManager(root_dir=str(root), **traits)
    notebooks = Notebooks(manager, root_dir=root, log=LOG, index_dir=index, settled=settled, search_pace=pace)
    try:
        yield notebooks
    finally:
        await notebooks.close()


def write(root: Path, name: str, *sources: str, at: float | None = None) -> Path:
    """A notebook of code cells (markdown where a source begins with ``#``)."""
    cells: list[Json] = []
    for number, source in enumerate(sources):
        cell: Json = {"cell_type": "markdown", "id": f"c{number}", "metadata": {}, "source": source}
        if not source.startswith("#"):
            cell |= {"cell_type": "code", "outputs": [], "execution_count": None}
        cells.append(cell)
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}))
    if at is not None:
        os.utime(file, (at, at))
    return file


async def whole(notebooks: Notebooks, query: str, path: str = "", limit: int = 10) -> tuple[Place, ...]:
    """The places once the index is complete."""
    while not (found := await notebooks._search.find(query, path, limit, patience=60)).complete:
        pass
    return found.places


async def paths(notebooks: Notebooks, query: str, path: str = "") -> list[str]:
    return [place.path for place in await whole(notebooks, query, path)]


def indexed(*sources: str, output: str = "", error: CellError | None = None, **options: int) -> Index:
    """An index in memory of one notebook ``sales.ipynb``."""
    index = Index(None, log=LOG, **options)
    outputs = (Output("stream", output, error=error),) if output or error else ()
    cells = tuple(
        Cell(f"c{n}", n, "markdown" if source.startswith("#") else "code", source, () if n else outputs)
        for n, source in enumerate(sources)
    )
    index.put([page(Sighting("sales.ipynb", (1,), 0.0, 1), cells)])
    return index


def found(index: Index, query: str) -> list[str]:
    return [place.cell_id for place in index.find(parse(query), "", 10)]


# ---------------------------------------------------------------- what a query finds


@pytest.mark.parametrize(
    ("source", "query"),
    [
        ("total = unit_price * qty", "unit_price"),
        ("total = unit_price * qty", "price"),
        ("total = unit_price * qty", "unitPrice"),
        ("total = unitPrice * qty", "price"),
        ("total = unitPrice * qty", "unitprice"),
        ("total = unitPrice * qty", "unit_price"),
        ("server = HTTPServer()", "server http"),
        ("df.groupby('month')", "group"),
        ("df.groupby('month')", "GROUPBY"),
        ("# Umsätze im März", "umsatze"),
        ("# Umsatze im Marz", "Umsätze März"),
        ("# Umsa\u0308tze", "umsätze"),
        ("# naïve façade", "NAIVE facade"),
        ("# 売上高の推移", "売上"),
        ("利润 = 金额 * 成本率", "利润是怎么计算的？"),
        ("df['利润'] = 1", "df的利润怎么算"),
        ("# The models were plotted", "model plotting"),
        ("x = 'C++ & *'", "C++"),
        ("# running mean of prices", '"running mean"'),
        ("# running mean of prices", "„running mean“"),
        ("# running mean of prices", '"running mean'),
        ("x = 1", "x"),
    ],
)
def test_a_word_is_found_whole_by_its_parts_and_without_its_accents(source: str, query: str) -> None:
    with closing(indexed("something_else()", source)) as index:
        assert found(index, query) == ["c1"]


def test_a_phrase_is_found_only_in_its_order() -> None:
    with closing(indexed("# running the mean", "# mean running", "# the running mean")) as index:
        assert found(index, '"running mean"') == ["c2"]


def test_only_the_last_word_may_be_unfinished() -> None:
    with closing(indexed("temperature = 1", "pressure = 2")) as index:
        assert sorted(found(index, "pressure temp")) == ["c0", "c1"]
        assert found(index, "temp pressure") == ["c1"]
        assert found(index, '"temp"') == []


def test_cells_with_every_word_come_first_and_score_at_least_one() -> None:
    with closing(indexed("mean mean mean mean", "price mean of everything there is", "price", "nothing")) as index:
        places = index.find(parse("mean price"), "", 10)
        assert places[0].cell_id == "c1"
        assert sorted(place.cell_id for place in places) == ["c0", "c1", "c2"]
        assert 1 <= places[0].score < 2
        assert all(0 <= place.score < 1 for place in places[1:])
        assert [place.score for place in places] == sorted((place.score for place in places), reverse=True)


def test_a_heading_weighs_more_than_an_output() -> None:
    with closing(indexed("print(1)", "# Forecast", "fit(x)", "# Other", "y = 1", output="forecast")) as index:
        assert found(index, "forecast") in (["c1", "c2", "c0"], ["c2", "c1", "c0"])


def test_outputs_and_errors_are_found() -> None:
    error = CellError("KeyError", "'quantity'", "")
    with closing(indexed("orders[name]", output="no such column", error=error)) as index:
        assert found(index, "KeyError quantity") == found(index, "column") == ["c0"]


def test_a_question_is_found_by_its_telling_words() -> None:
    with closing(indexed("rentals.mean()", "# What is this, and where?")) as index:
        assert found(index, "Where is the mean of the rentals?") == ["c0"]
        assert found(index, "what is this and where") == ["c1"]


def test_a_common_word_does_not_hide_a_rare_one() -> None:
    with closing(indexed(*["import pandas"] * 20, "pandas rare", "rare", candidates=5)) as index:
        assert found(index, "pandas rare") == ["c20", "c21"]
        assert len(found(index, "pandas missing")) > 0


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(max_size=80) | st.text('"*()-^:+{}AND ORNEAT\0,ab_äß„“', max_size=40))
def test_any_text_is_a_query(text: str) -> None:
    index = _shared()
    for place in index.find(parse(text), "", 10):
        assert place.path == "sales.ipynb"


_indexes: dict[int, Index] = {}


def _shared() -> Index:
    """One index for all examples; of this thread, as SQLite wants it."""
    return _indexes.setdefault(threading.get_ident(), indexed("AND OR NEAT", "a b ä ß", "NOT price"))


@settings(max_examples=200)
@given(st.text(max_size=200))
def test_any_text_can_be_indexed(text: str) -> None:
    with closing(indexed(text, f"# {text}", output=text)) as index:
        assert isinstance(found(index, text), list)


def test_a_query_of_very_many_words_is_cut() -> None:
    with closing(indexed("word7 = 1")) as index:
        assert found(index, " ".join(f"word{n}" for n in range(5_000))) == ["c0"]
        assert found(index, "x" * 100_000) == []
        assert found(index, " ".join(f'"a{n} unitPrice{n}"' for n in range(200))) == []


@pytest.mark.parametrize(
    "hostile", ["# a" + " " * 100_000 + "b", "a" * 100_000, "aA" * 50_000, "`" * 100_000, "_" * 99_999]
)
def test_hostile_cells_are_indexed_in_linear_time(hostile: str) -> None:
    with closing(indexed(hostile, "needle")) as index:
        assert found(index, "needle") == ["c1"]


# ---------------------------------------------------------------- titles and snippets


def test_a_cell_stands_under_the_nearest_heading() -> None:
    sources = ["x = 1", "# Load **data** #\ntext", "y = 2", "## Plot\n```\n# no heading\n```\n### Legend", "z = 3"]
    cells = [Cell(str(n), n, "markdown" if "#" in text else "code", text) for n, text in enumerate(sources)]
    assert titles(cells, "sales") == ["sales", "Load **data", "Load **data", "Plot", "Legend"]
    assert headings("#no\n#\n    # code\n####### seven") == []


def test_a_snippet_shows_the_hits_on_one_line() -> None:
    text = f"{'first line ' * 50}\n\nthe   Größe of\n it {'last line ' * 50}"
    shown = snippet(("", text), ("grosse", "große", "größe", "groe", "grose", "groß", "große", "gro"))
    assert "the Größe of it" in shown
    assert shown.startswith("… ")
    assert shown.endswith(" …")
    assert len(shown) < 300


def test_a_snippet_without_hits_is_the_beginning() -> None:
    assert snippet(("a = 1\nb = 2", ""), ("zzz",)) == "a = 1 b = 2"
    assert snippet(("", ""), ()) == ""


# ---------------------------------------------------------------- ranking on real notebooks


@pytest.mark.parametrize(
    ("question", "path", "needed"),
    [
        ("Why does the sales notebook raise a KeyError?", "failing-sales.ipynb", "KeyError"),
        ("Where are the orders loaded?", "failing-sales.ipynb", "read_csv"),
        ("Where is unitPrice renamed?", "failing-sales.ipynb", "unit_price"),
        ("mean absolute error of the forecast", "bike-rentals.ipynb", "mean_absolute_error"),
        ("How much do rentals change per degree of temperature?", "bike-rentals.ipynb", "temp"),
        ("How many vans are needed?", "bike-rentals.ipynb", "vans_needed"),
        ("revenue by product bar chart", "sales-plot.ipynb", "Revenue by product"),
    ],
)
async def test_the_cell_that_a_question_needs_is_among_the_first(
    tmp_path: Path, question: str, path: str, needed: str
) -> None:
    async with opened(EXAMPLES, tmp_path) as notebooks:
        places = await whole(notebooks, question, limit=4)
        sources = {
            place.cell_id: cell.source + "".join(out.error.name for out in cell.outputs if out.error)
            for place in places
            for cell in (await (await notebooks.open(place.path)).read()).cells
            if cell.id == place.cell_id
        }
        assert any(place.path == path and needed in sources[place.cell_id] for place in places)


# ---------------------------------------------------------------- freshness


async def test_a_cell_just_saved_is_found_at_once(tmp_path: Path) -> None:
    write(tmp_path, "a.ipynb", "before = 1", at=LONG_AGO)
    async with opened(tmp_path) as notebooks:
        assert await paths(notebooks, "before") == ["a.ipynb"]
        for number in range(5):  # as quickly as a file system's clock cannot tell
            write(tmp_path, "a.ipynb", f"after{number} = 1")
            assert await paths(notebooks, f"after{number}") == ["a.ipynb"]
        assert await paths(notebooks, "before") == []


async def test_what_is_written_without_touching_a_folder_is_found_a_little_later(tmp_path: Path) -> None:
    file = write(tmp_path, "a.ipynb", "before = 1")
    async with opened(tmp_path, settled=-60.0, pace=Pace(fresh=0.2)) as notebooks:  # at once
        assert await paths(notebooks, "before") == ["a.ipynb"]
        write(tmp_path, "a.ipynb", "after = 1")
        while not await paths(notebooks, "after"):
            pass
        write(tmp_path, "new.ipynb", "after = 2")
        file.unlink()
        assert await paths(notebooks, "after") == ["new.ipynb"]


async def test_indexing_takes_no_place_from_what_others_read(tmp_path: Path) -> None:
    for number in range(20):
        write(tmp_path, f"{number}.ipynb", "needle = 1")
    async with opened(tmp_path) as notebooks:
        document = await notebooks.open("0.ipynb")
        while await document.read() is not (found := await document.read()):
            pass  # the file is so new that nothing of it is kept
        assert len(await whole(notebooks, "needle", limit=100)) == 20
        assert await document.read() is found
        files = notebooks._stored._files  # type: ignore[attr-defined]
        assert list(files._kept._entries) == ["0.ipynb"]


async def test_renamed_deleted_and_moved_notebooks_are_forgotten(tmp_path: Path) -> None:
    write(tmp_path, "a.ipynb", "needle = 1", at=LONG_AGO)
    write(tmp_path, "b/c.ipynb", "needle = 2", at=LONG_AGO)
    async with opened(tmp_path) as notebooks:
        assert sorted(await paths(notebooks, "needle")) == ["a.ipynb", "b/c.ipynb"]
        (tmp_path / "a.ipynb").rename(tmp_path / "z.ipynb")
        (tmp_path / "b").rename(tmp_path / "d")
        assert sorted(await paths(notebooks, "needle")) == ["d/c.ipynb", "z.ipynb"]
        shutil.rmtree(tmp_path / "d")
        assert await paths(notebooks, "needle") == ["z.ipynb"]


async def test_an_impatient_search_says_what_is_missing_and_the_rest_goes_on(tmp_path: Path) -> None:
    for number in range(60):
        write(tmp_path, f"{number}.ipynb", f"needle = {number}", at=LONG_AGO)
    async with opened(tmp_path) as notebooks:
        first = await notebooks._search.find("needle", patience=0.001)
        assert not first.complete
        assert first.indexed < 60
        while not (last := await notebooks._search.find("needle", limit=100, patience=5)).complete:
            pass
        assert (len(last.places), last.indexed, last.total) == (60, 60, 60)


async def test_a_broken_notebook_does_not_stop_the_others_and_is_read_again_once_mended(tmp_path: Path) -> None:
    write(tmp_path, "good.ipynb", "needle = 1", at=LONG_AGO)
    (tmp_path / "bad.ipynb").write_text("{not json")
    os.utime(tmp_path / "bad.ipynb", (LONG_AGO, LONG_AGO))
    async with opened(tmp_path) as notebooks:
        assert await paths(notebooks, "needle") == ["good.ipynb"]
        write(tmp_path, "bad.ipynb", "needle = 2")
        assert sorted(await paths(notebooks, "needle")) == ["bad.ipynb", "good.ipynb"]


async def test_a_search_in_a_folder_or_a_notebook_finds_only_there(tmp_path: Path) -> None:
    for path in ("a/x.ipynb", "a/b/y.ipynb", "ab/z.ipynb", "a.ipynb"):
        write(tmp_path, path, "needle = 1", at=LONG_AGO)
    async with opened(tmp_path) as notebooks:
        assert sorted(await paths(notebooks, "needle", "a")) == ["a/b/y.ipynb", "a/x.ipynb"]
        assert await paths(notebooks, "needle", "a/b/") == ["a/b/y.ipynb"]
        assert await paths(notebooks, "needle", "a.ipynb") == ["a.ipynb"]
        assert await paths(notebooks, "needle", str(tmp_path / "ab")) == ["ab/z.ipynb"]
        for path, error in (("nothing", NotebookNotFound), ("../x", PathRefused), ("no.ipynb", NotebookNotFound)):
            with pytest.raises(error):
                await notebooks.search("needle", path)
        with pytest.raises(InvalidInput):
            await notebooks.search("needle", limit=0)


async def test_hidden_and_outside_notebooks_are_never_found(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(root, "a.ipynb", "needle = 1", at=LONG_AGO)
    for path in ("root/.b.ipynb", "root/.c/d.ipynb", "root/.ipynb_checkpoints/a-checkpoint.ipynb", "out/e.ipynb"):
        write(tmp_path, path, "needle = 1", at=LONG_AGO)
    (root / "link.ipynb").symlink_to(tmp_path / "out/e.ipynb")
    (root / "folder").symlink_to(tmp_path / "out")
    async with opened(root, tmp_path / "index") as notebooks:
        assert await paths(notebooks, "needle") == ["a.ipynb"]
    async with opened(root, tmp_path / "index", allow_hidden=True) as notebooks:
        assert sorted(await paths(notebooks, "needle")) == [".b.ipynb", ".c/d.ipynb", "a.ipynb"]
    async with opened(root, tmp_path / "index") as notebooks:
        assert await paths(notebooks, "needle") == ["a.ipynb"]


# ---------------------------------------------------------------- the index file


def index_of(folder: Path) -> Path:
    (file,) = folder.glob("*.sqlite")
    return file


async def test_nothing_is_made_before_the_first_search_and_then_a_private_file(tmp_path: Path) -> None:
    root, index = tmp_path / "root", tmp_path / "data"
    write(root, "a.ipynb", "needle = 1", at=LONG_AGO)
    async with opened(root, index) as notebooks:
        await notebooks.list()
        assert not index.exists()
        await whole(notebooks, "needle")
        assert index_of(index).stat().st_mode & 0o777 == 0o600
        assert index.stat().st_mode & 0o777 == 0o700


async def test_the_index_is_used_again_by_the_next_server(tmp_path: Path) -> None:
    root, index = tmp_path / "root", tmp_path / "data"
    write(root, "a.ipynb", "needle = 1", at=LONG_AGO)
    async with opened(root, index, settled=-60.0) as notebooks:  # as if all had been written a minute ago
        await whole(notebooks, "needle")
    with closing(sqlite3.connect(index_of(index))) as connection, connection:
        connection.execute("UPDATE cells SET title = 'from the index'")
    async with opened(root, index, settled=-60.0) as notebooks:
        assert [place.title for place in await whole(notebooks, "needle")] == ["from the index"]


def garbage(file: Path) -> None:
    file.write_bytes(b"this is no database" * 1_000)


def torn(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(4_096)
        opened.write(b"\xff" * (file.stat().st_size - 4_096))


def newer(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 99")


def headless(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("DROP TABLE cells")


@pytest.mark.parametrize("damage", [garbage, torn, newer, headless, os.unlink, lambda file: file.write_bytes(b"")])
@pytest.mark.parametrize("running", [True, False])
async def test_an_index_that_cannot_be_used_is_made_anew(tmp_path: Path, damage: Any, running: bool) -> None:
    root, index = tmp_path / "root", tmp_path / "data"
    for number in range(5):
        write(root, f"{number}.ipynb", f"needle = {number}", at=LONG_AGO)
    async with opened(root, index) as notebooks:
        assert len(await whole(notebooks, "needle")) == 5
        if running:
            damage(index_of(index))
            assert len(await whole(notebooks, "needle")) == 5
    if not running:
        damage(index_of(index))
    async with opened(root, index) as notebooks:
        assert len(await whole(notebooks, "needle")) == 5


async def test_where_no_file_can_be_kept_the_index_is_in_memory(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(root, "a.ipynb", "needle = 1", at=LONG_AGO)
    (tmp_path / "data").write_text("in the way")
    async with opened(root, tmp_path / "data") as notebooks:
        assert await paths(notebooks, "needle") == ["a.ipynb"]


async def test_two_servers_on_one_index_do_no_harm(tmp_path: Path) -> None:
    root, index = tmp_path / "root", tmp_path / "data"
    for number in range(80):
        write(root, f"{number}.ipynb", f"needle = {number}", at=LONG_AGO)
    async with opened(root, index) as one, opened(root, index) as two:
        await asyncio.gather(whole(one, "needle"), whole(two, "needle"))
        for number in range(20):
            write(root, f"{number}.ipynb", f"changed{number} = 1")
            first, second = await asyncio.gather(paths(one, f"changed{number}"), paths(two, f"changed{number}"))
            assert first == second == [f"{number}.ipynb"]
    with closing(sqlite3.connect(index_of(index))) as connection:
        assert connection.execute("SELECT count(*) FROM cells").fetchone() == (80,)
        assert connection.execute("SELECT count(*) FROM words").fetchone() == (80,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_searches_at_once_all_answer(tmp_path: Path) -> None:
    for number in range(30):
        write(tmp_path, f"{number}.ipynb", f"needle{number}x = 1", at=LONG_AGO)
    async with opened(tmp_path) as notebooks:
        answers: list[Found] = await asyncio.gather(
            *(notebooks._search.find(f"needle{n}x", patience=60) for n in range(30))
        )
        assert [answer.places[0].path for answer in answers] == [f"{n}.ipynb" for n in range(30)]


async def test_closing_while_indexing_leaves_nothing(tmp_path: Path) -> None:
    for number in range(300):
        write(tmp_path / "root", f"{number}.ipynb", f"needle{number} = 1", at=LONG_AGO)
    async with opened(tmp_path / "root", tmp_path / "data") as notebooks:
        assert not (await notebooks._search.find("needle", patience=0.001)).complete
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert others
    assert all(task.done() for task in others)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("assistant-")]
    assert not list((tmp_path / "data").glob("*-journal"))
    with pytest.raises(NotebookBusy):
        await notebooks.search("needle")
