"""The file home on real files: the oddities of a disk, saves in progress, shared work, and the reading process."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

from jupyter_assistant.errors import NotebookBusy, NotebookError, NotebookNotFound, NotebookUnreadable, PathRefused
from jupyter_assistant.notebooks import Notebooks
from jupyter_assistant.notebooks.cells import Snapshot, digest
from jupyter_assistant.notebooks.files import SMALL

Json = dict[str, Any]
LONG_AGO = 1_600_000_000.5
needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")


@asynccontextmanager
async def opened(root: Path) -> AsyncIterator[Notebooks]:
    notebooks = Notebooks(AsyncLargeFileManager(root_dir=str(root)), root_dir=root, log=logging.getLogger("test"))
    try:
        yield notebooks
    finally:
        await notebooks.close()


async def read(notebooks: Notebooks, path: str = "a.ipynb") -> Snapshot:
    return await (await notebooks.open(path)).read()


async def read_once(root: Path, path: str = "a.ipynb") -> Snapshot:
    async with opened(root) as notebooks:
        return await read(notebooks, path)


def notebook(*sources: str, printed: str = "") -> Json:
    outputs = [{"output_type": "stream", "name": "stdout", "text": printed.splitlines(True)}]
    cells = [
        {"cell_type": "code", "id": f"c{n}", "source": source, "outputs": outputs, "metadata": {}, "execution_count": 1}
        for n, source in enumerate(sources)
    ]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}


def write(root: Path, content: Json | bytes, name: str = "a.ipynb", *, at: float = LONG_AGO) -> Path:
    """A notebook that was last changed at ``at``, epoch seconds."""
    file = root / name
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content, indent=1).encode())
    os.utime(file, (at, at))
    return file


def large() -> Json:
    return notebook("a", "b", printed="a long line of a long output\n" * 20_000)


def children() -> set[int]:
    """Processes that this one has started and not yet waited for."""
    return {child for name in os.listdir("/proc/self/task") for child in children_of(name)}


def children_of(task: str) -> list[int]:
    try:
        return [int(child) for child in (Path("/proc/self/task") / task / "children").read_text().split()]
    except OSError:
        return []


async def until(found: Callable[[], Any]) -> Any:
    """The first true answer; whatever it waits for goes on meanwhile."""
    while True:
        if answer := found():
            return answer
        await asyncio.sleep(0)


# ---------------------------------------------------------------- what a disk holds


async def test_a_small_file_is_read(tmp_path: Path) -> None:
    write(tmp_path, notebook("x = 1", "x"))
    found = await read_once(tmp_path)
    assert [(cell.id, cell.source) for cell in found.cells] == [("c0", "x = 1"), ("c1", "x")]
    assert (found.path, found.home) == ("a.ipynb", "file")


async def test_a_large_file_is_digested_by_the_process_as_it_would_be_here(tmp_path: Path) -> None:
    file = write(tmp_path, large())
    found = await read_once(tmp_path)
    assert file.stat().st_size > SMALL
    assert found == digest(json.loads(file.read_bytes()), path="a.ipynb", revision=found.revision)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (b"[]", "no JSON object"),
        (b"1", "no JSON object"),
        (b'{"nbformat": 4, "cells": [', "not JSON"),
        (b"{}", "has no cells"),
        (b'{"nbformat": 99, "cells": []}', "nbformat 99"),
        (bytes(range(256)), "not UTF-8"),
        (json.dumps(notebook("a")).encode("utf-16"), "not UTF-8"),
        (json.dumps(notebook("a")).encode("utf-16-le"), "not JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b'{"cells": [], "x": ' + b"9" * 5_000 + b"}", "number too large|has no"),
        (b"<html>", "not JSON"),
    ],
)
@pytest.mark.parametrize("padding", [0, SMALL])
async def test_what_is_no_notebook_is_refused_and_left_as_it_is(
    tmp_path: Path, content: bytes, why: str, padding: int
) -> None:
    written = content + b" " * padding
    if not content and padding:
        why = "not JSON"
    file = write(tmp_path, written)
    if "number too large" in why and "set_int_max_str_digits" not in dir(__import__("sys")):
        pytest.skip("this Python reads numbers of any size")
    with pytest.raises(NotebookUnreadable, match=why) as refused:
        await read_once(tmp_path)
    assert str(tmp_path) not in refused.value.text + refused.value.hint
    assert file.read_bytes() == written
    assert os.listdir(tmp_path) == ["a.ipynb"]


@pytest.mark.parametrize("printed", ["", "output\n" * 60_000])
async def test_a_byte_order_mark_and_nan_are_taken(tmp_path: Path, printed: str) -> None:
    content = notebook("a", printed=printed) | {"metadata": {"x": float("nan")}}
    write(tmp_path, b"\xef\xbb\xbf" + json.dumps(content).encode())
    assert (await read_once(tmp_path)).cells[0].source == "a"


async def test_a_single_line_of_20_mb_is_read(tmp_path: Path) -> None:
    content = notebook("a")
    content["cells"][0]["outputs"] = [{"output_type": "stream", "text": "0123456789" * 2_000_000}]
    write(tmp_path, json.dumps(content).encode())
    (output,) = (await read_once(tmp_path)).cells[0].outputs
    assert output.chars == 20_000_000
    assert "characters left out" in output.text


async def test_an_old_version_and_odd_ids_are_read(tmp_path: Path) -> None:
    write(tmp_path, {"nbformat": 3, "worksheets": [{"cells": [{"cell_type": "code", "input": "a"}]}]})
    write(tmp_path, {"nbformat": 4, "nbformat_minor": 4, "cells": [{"cell_type": "code", "id": "x"}] * 2}, "b.ipynb")
    assert (await read_once(tmp_path)).cells[0].id == "#0"
    assert [cell.id for cell in (await read_once(tmp_path, "b.ipynb")).cells] == ["x", "#1"]


@pytest.mark.parametrize(
    ("path", "error"),
    [("b.ipynb", NotebookNotFound), ("../a.ipynb", PathRefused), (".a.ipynb", PathRefused), ("a.py", PathRefused)],
)
async def test_a_path_is_checked_when_a_notebook_is_opened(
    tmp_path: Path, path: str, error: type[NotebookError]
) -> None:
    async with opened(tmp_path) as notebooks:
        with pytest.raises(error):
            await notebooks.open(path)


async def test_a_path_is_checked_again_when_it_is_read(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    file = write(root, notebook("a"))
    write(tmp_path, notebook("secret"))
    async with opened(root) as notebooks:
        document = await notebooks.open("a.ipynb")
        file.unlink()
        file.symlink_to(tmp_path / "a.ipynb")
        with pytest.raises(PathRefused):
            await document.read()
        file.unlink()
        with pytest.raises(NotebookNotFound):
            await document.read()


async def test_hidden_notebooks_are_read_where_the_server_allows_them(tmp_path: Path) -> None:
    write(tmp_path, notebook("a"), ".a.ipynb")
    manager = AsyncLargeFileManager(root_dir=str(tmp_path), allow_hidden=True)
    notebooks = Notebooks(manager, root_dir=tmp_path, log=logging.getLogger("test"))
    assert (await read(notebooks, ".a.ipynb")).cells[0].source == "a"
    await notebooks.close()


# ---------------------------------------------------------------- kept digests


@pytest.mark.parametrize("content", [notebook("a"), large()], ids=["small", "large"])
async def test_an_unchanged_file_is_digested_once(tmp_path: Path, content: Json) -> None:
    write(tmp_path, content)
    before = time.time()
    async with opened(tmp_path) as notebooks:
        first = await read(notebooks)
        while await read(notebooks) is not await read(notebooks):
            assert time.time() - before < 10, "a file at rest is never kept"
        assert await read(notebooks) == first


async def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    write(tmp_path, notebook("a"))
    async with opened(tmp_path) as notebooks:
        first = await read(notebooks)
        write(tmp_path, notebook("b"))
        second = await read(notebooks)
    assert (first.cells[0].source, second.cells[0].source) == ("a", "b")
    assert first.revision != second.revision


async def test_a_change_that_keeps_size_and_times_is_noticed(tmp_path: Path) -> None:
    file = write(tmp_path, notebook("a"))
    async with opened(tmp_path) as notebooks:
        for source in "bcdefgh":
            await read(notebooks)
            write(tmp_path, notebook(source))
            assert file.stat().st_mtime == LONG_AGO
            assert (await read(notebooks)).cells[0].source == source


async def test_a_replaced_file_is_read_anew(tmp_path: Path) -> None:
    write(tmp_path, notebook("a"))
    async with opened(tmp_path) as notebooks:
        await read(notebooks)
        os.replace(write(tmp_path, notebook("b"), "b.ipynb"), tmp_path / "a.ipynb")
        assert (await read(notebooks)).cells[0].source == "b"


# ---------------------------------------------------------------- saves


def saving(root: Path) -> Path:
    """What a save by Jupyter leaves beside the file while it writes."""
    beside = root / ".~a.ipynb"
    beside.write_bytes((root / "a.ipynb").read_bytes())
    return beside


async def test_a_reader_waits_for_a_save_to_end(tmp_path: Path) -> None:
    file = write(tmp_path, notebook("old"))
    beside = saving(tmp_path)
    file.write_bytes(b'{"cells": [')
    async with opened(tmp_path) as notebooks:
        reader = asyncio.create_task(read(notebooks))
        await until(lambda: reader.done() or threading.active_count() > 1)
        assert not reader.done()
        file.write_text(json.dumps(notebook("new")))
        beside.unlink()
        assert (await reader).cells[0].source == "new"


async def test_a_file_that_is_written_without_a_copy_beside_it_is_waited_for(tmp_path: Path) -> None:
    file = write(tmp_path, b'{"cells": [', at=time.time())
    async with opened(tmp_path) as notebooks:
        document = await notebooks.open("a.ipynb")
        reader = asyncio.create_task(document.read())
        await asyncio.wait({reader}, timeout=0.05)
        assert not reader.done()
        file.write_text(json.dumps(notebook("new")))
        assert (await reader).cells[0].source == "new"


async def test_a_save_that_does_not_end_is_said_so_and_nothing_is_touched(tmp_path: Path) -> None:
    file = write(tmp_path, notebook("old"))
    beside = saving(tmp_path)
    file.write_bytes(b'{"cells": [')
    with pytest.raises(NotebookBusy):
        await read_once(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".~a.ipynb", "a.ipynb"]
    assert file.read_bytes() == b'{"cells": ['
    assert json.loads(beside.read_bytes()) == notebook("old")


async def test_a_copy_left_by_a_crash_does_not_hide_a_whole_notebook(tmp_path: Path) -> None:
    write(tmp_path, notebook("a"))
    saving(tmp_path)
    assert (await read_once(tmp_path)).cells[0].source == "a"


async def test_a_hundred_saves_among_readers_all_arrive_and_all_reads_are_whole(tmp_path: Path) -> None:
    manager = AsyncLargeFileManager(root_dir=str(tmp_path))
    content = notebook("0", printed="x" * 79 + "\n")
    content["cells"][0]["outputs"][0]["text"] = ["y" * 1_999 + "\n"] * 1_000

    async def save(number: int) -> None:
        content["cells"][0]["source"] = str(number)
        await manager.save({"type": "notebook", "format": "json", "content": content}, "a.ipynb")

    await save(0)
    async with opened(tmp_path) as notebooks:
        document = await notebooks.open("a.ipynb")
        for number in range(1, 101):
            being_saved = asyncio.create_task(save(number))
            found = await asyncio.gather(*(document.read() for _ in range(3)))
            await being_saved
            assert {snapshot.cells[0].source for snapshot in found} <= {str(number - 1), str(number)}
            assert json.loads((tmp_path / "a.ipynb").read_bytes())["cells"][0]["source"] == [str(number)]
    assert [file for file in os.listdir(tmp_path) if file != ".ipynb_checkpoints"] == ["a.ipynb"]
    manager.notary.store.close()


# ---------------------------------------------------------------- shared work, and the process


@needs_proc
async def test_readers_at_the_same_time_share_one_process(tmp_path: Path) -> None:
    write(tmp_path, large())
    async with opened(tmp_path) as notebooks:
        document = await notebooks.open("a.ipynb")
        readers = [asyncio.create_task(document.read()) for _ in range(5)]
        seen: set[int] = set()
        while not all(reader.done() for reader in readers):
            seen |= children()
            await asyncio.sleep(0)
        found = [reader.result() for reader in readers]
    assert len(seen) == 1
    assert len({id(snapshot) for snapshot in found}) == 1


@needs_proc
async def test_at_most_two_processes_run_at_once(tmp_path: Path) -> None:
    names = [f"{n}.ipynb" for n in range(5)]
    for name in names:
        write(tmp_path, large(), name)
    most = 0
    async with opened(tmp_path) as notebooks:
        readers = [asyncio.create_task(read(notebooks, name)) for name in names]
        while not all(reader.done() for reader in readers):
            most = max(most, len(children()))
            await asyncio.sleep(0)
        assert all(len(reader.result().cells) == 2 for reader in readers)
    assert most == 2


@needs_proc
async def test_a_reader_that_leaves_does_not_disturb_the_others(tmp_path: Path) -> None:
    write(tmp_path, large())
    async with opened(tmp_path) as notebooks:
        document = await notebooks.open("a.ipynb")
        leaving, staying = (asyncio.create_task(document.read()) for _ in range(2))
        await until(children)
        leaving.cancel()
        assert len((await staying).cells) == 2
        assert leaving.cancelled()


@needs_proc
async def test_the_last_reader_to_leave_ends_the_process(tmp_path: Path) -> None:
    write(tmp_path, large())
    async with opened(tmp_path) as notebooks:
        document = await notebooks.open("a.ipynb")
        readers = [asyncio.create_task(document.read()) for _ in range(2)]
        await until(children)
        for reader in readers:
            reader.cancel()
        assert all(isinstance(end, asyncio.CancelledError) for end in await gathered(*readers))
        assert children() == set()
        assert len((await document.read()).cells) == 2


@needs_proc
async def test_closing_ends_the_process_and_tells_the_reader(tmp_path: Path) -> None:
    write(tmp_path, large())
    threads = set(threading.enumerate())
    async with opened(tmp_path) as notebooks:
        document = await notebooks.open("a.ipynb")
        reader = asyncio.create_task(document.read())
        await until(children)
    with pytest.raises(NotebookBusy):
        await reader
    assert children() == set()
    assert not [thread for thread in set(threading.enumerate()) - threads if thread.name.startswith("assistant")]
    with pytest.raises(NotebookBusy):
        await document.read()


@needs_proc
async def test_a_killed_process_is_an_error_with_a_next_step(tmp_path: Path) -> None:
    write(tmp_path, large())
    async with opened(tmp_path) as notebooks:
        reader = asyncio.create_task(read(notebooks))
        (child,) = await until(children)
        os.kill(child, signal.SIGKILL)
        with pytest.raises(NotebookUnreadable, match="could not be read to its end") as refused:
            await reader
        assert refused.value.hint
        assert children() == set()
        assert len((await read(notebooks)).cells) == 2


@needs_proc
async def test_the_process_is_told_no_path_and_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_API_KEY", "canary-secret")
    write(tmp_path, large())
    async with opened(tmp_path) as notebooks:
        reader = asyncio.create_task(read(notebooks))
        (child,) = await until(children)
        told = b""
        while str(tmp_path).encode() not in told and b"reading.worker" not in told and not reader.done():
            told = b"".join((Path("/proc") / str(child) / name).read_bytes() for name in ("cmdline", "environ"))
        await reader
    assert b"reading.worker" in told
    assert b"canary-secret" not in told
    assert str(tmp_path).encode() not in told


@needs_proc
async def test_no_file_stays_open(tmp_path: Path) -> None:
    write(tmp_path, large())
    write(tmp_path, notebook("a"), "b.ipynb")
    write(tmp_path, b"{", "c.ipynb")
    async with opened(tmp_path) as notebooks:
        await gathered(*(read(notebooks, name) for name in ("a.ipynb", "b.ipynb", "c.ipynb", "d.ipynb")))
    assert files_open_below(tmp_path) == []


def files_open_below(folder: Path) -> list[str]:
    names = (os.path.realpath(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd"))
    return [name for name in names if name.startswith(str(folder))]


class NoProcesses(asyncio.SelectorEventLoop):
    """The event loop Jupyter Server prefers on Windows, in the one respect that matters here."""

    async def subprocess_exec(self, *arguments: Any, **options: Any) -> Any:
        raise NotImplementedError


def test_a_loop_without_processes_reads_large_files_too(tmp_path: Path) -> None:
    file = write(tmp_path, large())
    loop = NoProcesses()
    try:
        found = loop.run_until_complete(read_once(tmp_path))
    finally:
        loop.close()
    assert found == digest(json.loads(file.read_bytes()), path="a.ipynb", revision=found.revision)


async def gathered(*readers: Awaitable[Snapshot]) -> list[Snapshot | BaseException]:
    return await asyncio.gather(*readers, return_exceptions=True)
