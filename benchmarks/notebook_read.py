"""How long a question waits for its notebook, and an edit: 10 cells, and 1 000 with 100 MB; cold, warm, stall.

Stall is the longest the event loop went without a turn, beyond the millisecond it was asked for. Targets: DESIGN §14.

    python -m benchmarks.notebook_read
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from nbformat.sign import NotebookNotary

from benchmarks.figures import show
from jupyter_assistant.notebooks import Notebooks
from jupyter_assistant.notebooks.cells import Snapshot, digest
from jupyter_assistant.notebooks.edits import Change, Replace
from jupyter_assistant.notebooks.state import FINE

Json = dict[str, Any]
ROUNDS = 5
TICK = 0.001


def image(chars: int, rnd: random.Random) -> Json:
    header = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (640).to_bytes(4, "big") + (480).to_bytes(4, "big")
    data = base64.encodebytes(header + rnd.randbytes(chars * 3 // 4)).decode()
    return {"output_type": "display_data", "metadata": {}, "data": {"image/png": data, "text/plain": ["<Figure>"]}}


def stream(chars: int, rnd: random.Random) -> Json:
    lines = [f"epoch {n:6d} loss={rnd.random():.6f} accuracy={rnd.random():.6f}\n" for n in range(chars // 52)]
    return {"output_type": "stream", "name": "stdout", "text": lines}


def table(chars: int, rnd: random.Random) -> Json:
    rows = [f'  <tr><td class="n">{n}</td><td>{rnd.random():.6f}</td></tr>\n' for n in range(chars // 53)]
    html = ['<table border="1">\n', *rows, "</table>"]
    data = {"text/html": html, "text/plain": ["   n  x\n", "0  0  0.5"]}
    return {"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": data}


def notebook(cells: int, megabytes: float) -> Json:
    """Images, printed lines and tables in equal parts, written as nbformat writes them."""
    rnd = random.Random(0)
    chars = int(megabytes * 1e6 / cells)
    makers = (image, stream, table)
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3"}, "language_info": {"name": "python"}},
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{n}",
                "execution_count": n,
                "metadata": {},
                "outputs": [makers[n % 3](chars, rnd)],
                "source": [f"# step {n}\n", "model.fit(data)\n", "plot(model)"],
            }
            for n in range(cells)
        ],
    }


async def timed(work: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """Milliseconds until ``work`` is done, and the longest stall of the loop meanwhile."""
    longest = 0.0

    async def ticking() -> None:
        nonlocal longest
        while True:
            before = time.perf_counter()
            await asyncio.sleep(TICK)
            longest = max(longest, time.perf_counter() - before - TICK)

    ticker = asyncio.create_task(ticking())
    await asyncio.sleep(0.02)
    longest = 0.0
    started = time.perf_counter()
    await work()
    seconds = time.perf_counter() - started
    await asyncio.sleep(2 * TICK)
    ticker.cancel()
    return seconds * 1e3, longest * 1e3


async def read(root: Path, name: str) -> list[tuple[float, float]]:
    """Time and stall of a first read and of a second."""
    notebooks = Notebooks(AsyncLargeFileManager(root_dir=str(root)), root_dir=root, log=logging.getLogger("bench"))

    async def once() -> Snapshot:
        return await (await notebooks.open(name)).read()

    found = [await timed(once), await timed(once)]
    await notebooks.close()
    return found


async def edit(root: Path, name: str) -> list[tuple[float, float]]:
    """Time and stall of edits of one cell, one after the other; the first, which signs the old content too, apart."""
    manager = AsyncLargeFileManager(root_dir=str(root), notary=NotebookNotary(data_dir=str(root)))
    notebooks = Notebooks(manager, root_dir=root, log=logging.getLogger("bench"))
    document = await notebooks.open(name)
    cell = (await document.read()).cells[5].id

    async def once() -> Change:
        return await document.apply([Replace(cell, f"edited = {time.perf_counter()}")])

    found = [await timed(once) for _ in range(1 + ROUNDS)]
    await notebooks.close()
    manager.notary.store.close()
    return found[1:]


def copy_of(file: Path) -> float:
    """Milliseconds that reading and writing the file's bytes take, which no edit can do without."""
    started = time.perf_counter()
    with file.open("rb") as old, file.with_suffix(".copy").open("wb") as new:
        new.write(old.read())
        os.fsync(new.fileno())
    return (time.perf_counter() - started) * 1e3


def parse_all(file: Path) -> float:
    """Milliseconds of the plain way: the whole file through ``json.loads``."""
    started = time.perf_counter()
    digest(json.loads(file.read_bytes()), path=file.name, revision="")
    return (time.perf_counter() - started) * 1e3


def write(file: Path, content: Json) -> None:
    """As nbformat writes it, last changed long ago, as most notebooks are."""
    with file.open("w", encoding="utf-8") as text:
        json.dump(content, text, indent=1, ensure_ascii=False)
    os.utime(file, (1_600_000_000.5, 1_600_000_000.5))


def large_notebook(file: Path) -> None:
    """1 000 cells with outputs that take 100 MB on disk."""
    write(file, notebook(1_000, 90))


def report(file: Path, what: str, targets: tuple[float, float, float]) -> None:
    """Measure ``ROUNDS`` times with nothing kept from the round before."""
    time.sleep(FINE)
    rounds = [asyncio.run(read(file.parent, file.name)) for _ in range(ROUNDS)]
    what = f"{what}, {file.stat().st_size / 1e6:.2f} MB"
    show(f"read, {what}: cold", [cold for (cold, _), _ in rounds], "ms", targets[0])
    show(f"read, {what}: warm", [warm for _, (warm, _) in rounds], "ms", targets[1])
    show(f"read, {what}: loop stall", [max(first, second) for (_, first), (_, second) in rounds], "ms", targets[2])
    edits = asyncio.run(edit(file.parent, file.name))
    show(f"edit of one cell, {what}", [took for took, _ in edits], "ms")
    show(f"edit of one cell, {what}: loop stall", [stall for _, stall in edits], "ms", targets[2])
    show(f"its bytes read and written, {what}", [copy_of(file) for _ in range(ROUNDS)], "ms")
    show(f"json.loads and digest, {what}", [parse_all(file) for _ in range(ROUNDS)], "ms")


def main() -> None:
    """Write the notebooks, read them, print."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bench.ipynb"
        write(file, notebook(10, 0.03))
        report(file, "10 cells", (5, 5, 5))
        write(file, notebook(100, 0.2))
        report(file, "100 cells, in a thread", (15, 5, 5))
        large_notebook(file)
        report(file, "1 000 cells", (400, 15, 20))


if __name__ == "__main__":
    main()
