"""A tree of 10 000 notebooks: listing it and searching it, cold and warm, and the loop meanwhile. Targets: DESIGN §14.

python -m benchmarks.workspace
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import tempfile
import time
from array import array
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

from benchmarks.figures import show
from jupyter_assistant.notebooks import Notebooks
from jupyter_assistant.notebooks.search.vectors import OVERSAMPLED, likely, nearest, signs
from jupyter_assistant.notebooks.tree import SETTLED

FOLDERS = 400
NOTEBOOKS = 25
CELLS = 10
VALUES = 768
PLACES = 20
TICK = 0.001
SYLLABLES = ("ra", "ten", "mo", "del", "fit", "sa", "les", "da", "ta", "pri", "ce", "ar", "gu", "loss", "mean")
COMMON = ("import", "pandas", "data", "plot", "mean", "model", "train", "value", "price", "frame", "figure", "table")


def vocabulary(rnd: random.Random) -> list[str]:
    """Words as code and prose have them: a few common ones, thousands of rare ones, names of several parts."""
    made = {"".join(rnd.choices(SYLLABLES, k=rnd.randint(2, 4))) for _ in range(8_000)}
    names = {f"{a}_{b}" for a, b in zip(rnd.choices(sorted(made), k=2_000), rnd.choices(COMMON, k=2_000), strict=True)}
    return [*COMMON, *rnd.sample(sorted(made | names), k=len(made | names))]


def cell(number: int, words: list[str]) -> dict[str, Any]:
    """Every third one is prose under a heading, the others are code with a line of output."""
    if number % 3 == 0:
        source = [f"## {' '.join(words[:3])}\n", "\n", " ".join(words), "."]
        return {"cell_type": "markdown", "id": f"c{number}", "metadata": {}, "source": source}
    source = [f"{a} = {b}({c!r})\n" for a, b, c in zip(words[::3], words[1::3], words[2::3], strict=False)]
    output = {"output_type": "stream", "name": "stdout", "text": [f"{words[0]} {number}\n"]}
    fixed = {"cell_type": "code", "execution_count": number, "metadata": {}}
    return {**fixed, "id": f"c{number}", "outputs": [output], "source": source}


def tree(root: Path) -> list[str]:
    """10 000 notebooks of ten cells, in folders of 25; returns the words they are made of."""
    rnd = random.Random(0)
    words = vocabulary(rnd)
    weights = [1 / (rank + 1) for rank in range(len(words))]
    for folder in range(FOLDERS):
        place = root / f"team-{folder // 20}" / f"project-{folder}"
        place.mkdir(parents=True)
        for number in range(NOTEBOOKS):
            cells = [cell(n, rnd.choices(words, weights, k=24)) for n in range(CELLS)]
            content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
            (place / f"{rnd.choice(words)}-{number}.ipynb").write_text(json.dumps(content, indent=1))
    return words


class Stalls:
    """The longest the loop was away since the last ``taken``, in milliseconds."""

    def __init__(self) -> None:
        self._worst = 0.0
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(TICK)
            self._worst = max(self._worst, time.perf_counter() - before - TICK)

    def taken(self) -> float:
        worst, self._worst = self._worst, 0.0
        return 1e3 * worst

    def end(self) -> None:
        self._task.cancel()


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    await work()
    return 1e3 * (time.perf_counter() - began)


def queries(words: list[str], count: int) -> list[str]:
    """As people and models ask: one to four words, common and rare."""
    rnd = random.Random(1)
    weights = [1 / (rank + 20) for rank in range(len(words))]
    return [" ".join(rnd.choices(words, weights, k=rnd.randint(1, 4))) for _ in range(count)]


async def indexed(notebooks: Notebooks) -> float:
    """Seconds until the index holds all notebooks."""
    began = time.perf_counter()
    while not (await notebooks.search("mean")).complete:  # each waits for some of the indexing
        pass
    return time.perf_counter() - began


def megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.iterdir()) / 1e6


async def measure(root: Path, index: Path, words: list[str]) -> None:
    """All figures of the tree."""
    manager, log = AsyncLargeFileManager(root_dir=str(root)), logging.getLogger("bench")
    lists, stalls = [], Stalls()
    for _ in range(3):
        notebooks = Notebooks(manager, root_dir=root, log=log, index_dir=index)
        lists.append(await timed(notebooks.list))
        await notebooks.close()
    show("list 10 000 notebooks, cold", lists, "ms")
    notebooks = Notebooks(manager, root_dir=root, log=log, index_dir=index)
    await notebooks.list()
    show("list 10 000 notebooks, warm", [await timed(notebooks.list) for _ in range(30)], "ms", 50)
    by_pattern = [await timed(partial(notebooks.list, "", "*-7*", 100, 50)) for _ in range(30)]
    show("list 10 000 notebooks by a pattern, warm", by_pattern, "ms", 50)
    show("loop stall while listing", [stalls.taken()], "ms", 20)
    show("first indexing", [await indexed(notebooks)], "s")
    show("index on disk", [megabytes(index)], "MB")
    show("loop stall while indexing", [stalls.taken()], "ms", 20)
    searches = sorted([await timed(partial(notebooks.search, query)) for query in queries(words, 200)])
    show("search 10 000 notebooks, warm", searches, "ms")
    show("search 10 000 notebooks, warm, p95", [searches[int(len(searches) * 0.95)]], "ms", 50)
    show("loop stall while searching", [stalls.taken()], "ms", 20)
    await saved(notebooks, root / "newest.ipynb")
    stalls.end()
    await notebooks.close()


def write(file: Path, source: str) -> None:
    changed = {**cell(1, ["x"]), "source": source}
    file.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [changed]}))


async def saved(notebooks: Notebooks, file: Path) -> None:
    """A cell that was just saved is found by the next search."""
    times = []
    for number in range(10):
        write(file, f"justsaved{number} = 1")
        times.append(await timed(partial(notebooks.search, f"justsaved{number}")))
        if not (await notebooks.search(f"justsaved{number}")).places:
            raise RuntimeError("what was just saved was not found")
    show("search for a cell that was just saved", times, "ms", 300)


def direction(rnd: random.Random) -> array[float]:
    values = [rnd.gauss(0, 1) for _ in range(VALUES)]
    length = sum(value * value for value in values) ** 0.5
    return array("f", (value / length for value in values))


def vectors() -> None:
    """The nearest of 100 000 vectors, as a search with embeddings looks for them beside the words."""
    rnd = random.Random(2)
    known = {number: rnd.getrandbits(VALUES) for number in range(100_000)}
    kept = [direction(rnd) for _ in range(OVERSAMPLED * PLACES)]
    took = []
    for _ in range(20):
        asked, began = direction(rnd), time.perf_counter()
        chosen = likely(signs(asked), known, OVERSAMPLED * PLACES)
        nearest(asked, dict(zip(chosen, kept, strict=True)), PLACES)
        took.append(1e3 * (time.perf_counter() - began))
    show(f"the nearest of 100 000 vectors of {VALUES} values", took, "ms", 50)


def main() -> None:
    """Make the tree, measure, delete it."""
    with tempfile.TemporaryDirectory() as name:
        root, index = Path(name, "root"), Path(name, "index")
        words = tree(root)
        time.sleep(SETTLED)  # a tree in use was not written a moment ago, file by file
        asyncio.run(measure(root, index, words))
    vectors()


if __name__ == "__main__":
    main()
