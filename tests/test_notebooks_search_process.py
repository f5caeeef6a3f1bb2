"""Many notebooks are read for the index by a process: what it reads, what it leaves, and that it never stays."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_assistant.notebooks.search import Search
from jupyter_assistant.notebooks.search.process import Reading, taken
from jupyter_assistant.notebooks.search.rows import rows
from jupyter_assistant.notebooks.search.worker import answer
from tests.test_notebooks_search import EXAMPLES, LONG_AGO, opened, whole, write

LOG = logging.getLogger("test")
MANY = 250


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def needles(root: Path, count: int = MANY) -> None:
    for number in range(count):
        write(root, f"{number}.ipynb", f"needle{number}x = 1", at=LONG_AGO)


def reading(search: Search) -> Reading:
    apart = search._upkeep._apart
    assert apart is not None
    return apart


def children_ended() -> int:
    """Pages of memory taken by children that have ended: any child takes some."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt


# ---------------------------------------------------------------- what it reads


def older(root: Path) -> str:
    cell = {"cell_type": "code", "input": ["price = 1\n", "größe = '売上高'"], "outputs": [], "language": "python"}
    content = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": [cell]}]}
    (root / "older.ipynb").write_text(json.dumps(content))
    return "older.ipynb"


def large(root: Path) -> str:
    write(root, "a/b/large.ipynb", "# Über alles", *(f"x{n} = '{'long ' * 8_000}'" for n in range(9)))
    return "a/b/large.ipynb"


def odd(root: Path) -> str:
    write(root, "odd.ipynb", "half = '\ud83d'", "nul = '\0'", "", "emoji = '🚲'")
    return "odd.ipynb"


def example(root: Path) -> str:
    (root / "example.ipynb").write_bytes((EXAMPLES / "bike-rentals.ipynb").read_bytes())
    return "example.ipynb"


@pytest.mark.parametrize("made", [older, large, odd, example])
async def test_the_process_reads_what_the_server_reads(tmp_path: Path, made: object) -> None:
    assert callable(made)
    path = made(tmp_path)
    apart = Reading(tmp_path, LOG)
    async with opened(tmp_path) as notebooks:
        (lines,) = await apart.read([path])
        await apart.close()
        assert lines is not None
        assert taken(lines) == rows(path, (await notebooks._stored.glance(path)).cells)


def outside(root: Path) -> str:
    write(root.parent, f"{root.name}-out.ipynb", "needle = 1")
    return f"../{root.name}-out.ipynb"


def linked(root: Path) -> str:
    (root / "link.ipynb").symlink_to(EXAMPLES / "sales-plot.ipynb")
    return "link.ipynb"


def in_a_linked_folder(root: Path) -> str:
    (root / "folder").symlink_to(EXAMPLES)
    return "folder/sales-plot.ipynb"


def pipe(root: Path) -> str:
    os.mkfifo(root / "pipe.ipynb")
    return "pipe.ipynb"


def cut_off(root: Path) -> str:
    (root / "cut.ipynb").write_bytes((EXAMPLES / "sales-plot.ipynb").read_bytes()[:5_000])
    return "cut.ipynb"


def deep(root: Path) -> str:
    (root / "deep.ipynb").write_text("[" * 100_000)
    return "deep.ipynb"


@pytest.mark.parametrize("made", [outside, linked, in_a_linked_folder, pipe, cut_off, deep, lambda root: "none.ipynb"])
def test_the_process_leaves_to_the_server_what_is_no_plain_notebook_below_the_root(
    tmp_path: Path, folder: int, made: object
) -> None:
    assert callable(made)
    assert answer(folder, made(tmp_path)) == ["null\n"]


async def test_what_the_process_leaves_is_read_all_the_same(tmp_path: Path) -> None:
    needles(tmp_path, 120)
    (tmp_path / "plain.txt").write_bytes((tmp_path / "7.ipynb").read_bytes().replace(b"needle7x", b"linked7"))
    (tmp_path / "link.ipynb").symlink_to("plain.txt")
    cut_off(tmp_path)
    async with opened(tmp_path) as notebooks:
        assert [place.path for place in await whole(notebooks, "linked7")] == ["link.ipynb"]
        assert [place.path for place in await whole(notebooks, "needle119x")] == ["119.ipynb"]
        assert (await notebooks.index_state())["notebooks"] == 122


# ---------------------------------------------------------------- when it is, and when it is no more


async def test_few_notebooks_are_read_without_a_process_and_many_with_one(tmp_path: Path) -> None:
    before = children_ended()
    needles(tmp_path, 20)
    async with opened(tmp_path) as notebooks:
        await whole(notebooks, "needle1x")
        assert children_ended() == before
        needles(tmp_path)
        assert len(await whole(notebooks, f"needle{MANY - 1}x")) == 1
        assert children_ended() > before
        assert reading(notebooks._search)._process is None


async def test_a_process_that_is_killed_is_no_loss_and_health_says_so(tmp_path: Path) -> None:
    needles(tmp_path)
    async with opened(tmp_path) as notebooks:
        assert not (await notebooks._search.find("needle1x", patience=0.001)).complete
        apart = reading(notebooks._search)
        while apart._process is None:  # noqa: ASYNC110  (a process tells nobody that it is about to be)
            await asyncio.sleep(0)
        apart._process.kill()
        assert len(await whole(notebooks, "needle1x")) == 1
        state = await notebooks.index_state()
        assert state["notebooks"] == MANY
        assert "ended" in state["note"]
        apart._down_until = 0.0  # its pause is over
        needles(tmp_path / "more")
        assert len(await whole(notebooks, "needle1x")) == 2
        assert (await notebooks.index_state())["note"] == ""


async def test_closing_while_the_process_reads_ends_it(tmp_path: Path) -> None:
    needles(tmp_path)
    async with opened(tmp_path) as notebooks:
        assert not (await notebooks._search.find("needle1x", patience=0.001)).complete
        apart = reading(notebooks._search)
        while apart._process is None:  # noqa: ASYNC110  (as above)
            await asyncio.sleep(0)
        process = apart._process
    assert process.returncode is not None


HOLDER = """
import asyncio, logging, sys
from pathlib import Path
from jupyter_assistant.notebooks.search.process import Reading

async def main():
    apart = Reading(Path(sys.argv[1]), logging.getLogger())
    assert (await apart.read(["0.ipynb"]))[0]
    print(apart._process.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
def test_a_server_that_is_killed_leaves_no_process(tmp_path: Path) -> None:
    needles(tmp_path, 1)
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        pid = int(server.stdout.readline())
        assert is_running(pid)
        server.send_signal(signal.SIGKILL)
    while is_running(pid):
        time.sleep(0.01)
