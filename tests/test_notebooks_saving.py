"""Edits of a notebook that is a file: what a disk, a crash, a save hook or a link can do to them."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from nbformat.sign import MemorySignatureStore, NotebookNotary
from tornado.web import HTTPError

from jupyter_assistant.errors import (
    EditRefused,
    NotebookBusy,
    NotebookError,
    NotebookNotFound,
    NotebookUnreadable,
    PathRefused,
    SaveFailed,
    StaleCell,
)
from jupyter_assistant.notebooks import Document, Notebooks
from jupyter_assistant.notebooks.cells import digest
from jupyter_assistant.notebooks.edits import Delete, Insert, NewCell, Replace, SetOutputs, Upgrade
from jupyter_assistant.notebooks.files import SMALL
from jupyter_assistant.notebooks.signing import signature
from jupyter_assistant.notebooks.state import STALE

Json = dict[str, Any]
HTML = {
    "output_type": "display_data",
    "data": {"text/html": ["<b>\n", "x</b>"], "application/json": ["a", 1.50]},
    "metadata": {},
}


class Served:
    """A folder under a stock manager, as the server has it, with our notebooks over it."""

    def __init__(self, root: Path, data: Path, notary: NotebookNotary | None = None, stale: float = STALE) -> None:
        self.root = root
        notary = notary or NotebookNotary(data_dir=str(data))
        self.manager = AsyncLargeFileManager(root_dir=str(root), notary=notary)
        self.notebooks = Notebooks(self.manager, root_dir=root, log=logging.getLogger("test"), stale=stale)

    async def put(self, content: Json | bytes, name: str = "a.ipynb") -> Document:
        data = content if isinstance(content, bytes) else json.dumps(content, indent=1).encode() + b"\n"
        (self.root / name).write_bytes(data)
        return await self.notebooks.open(name)

    async def trust(self, name: str = "a.ipynb") -> None:
        await self.manager.trust_notebook(name)

    async def is_trusted(self, name: str = "a.ipynb") -> bool:
        """As JupyterLab learns it: by the metadata of the cells that the contents API gives."""
        model = await self.manager.get(name)
        return all(cell["metadata"]["trusted"] for cell in model["content"]["cells"] if cell["cell_type"] == "code")

    def names(self) -> set[str]:
        return {entry.name for entry in self.root.iterdir() if entry.name != ".ipynb_checkpoints"}


@pytest.fixture
def stale() -> float:
    return STALE


@pytest.fixture
def served(tmp_path: Path, jp_asyncio_loop: asyncio.AbstractEventLoop, stale: float) -> Iterator[Served]:
    root = tmp_path / "root"
    root.mkdir()
    served = Served(root, tmp_path, stale=stale)
    yield served
    jp_asyncio_loop.run_until_complete(served.notebooks.close())
    served.manager.notary.close()


@asynccontextmanager
async def another(served: Served) -> AsyncIterator[Notebooks]:
    """Somebody who knows nothing yet."""
    notebooks = Notebooks(served.manager, root_dir=served.root, log=logging.getLogger("test"))
    yield notebooks
    await notebooks.close()


def cell(name: str, source: str, *outputs: Json) -> Json:
    return {
        "cell_type": "code",
        "execution_count": 1,
        "id": name,
        "metadata": {},
        "outputs": list(outputs),
        "source": source,
    }


def notebook(*cells: Json) -> Json:
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


SMALL_ONE = notebook(cell("a", "1", HTML), cell("b", "2"))
LARGE_ONE = notebook(
    cell("a", "1", HTML, {"output_type": "stream", "name": "stdout", "text": ["é\n"] * SMALL}), cell("b", "2")
)
sizes = pytest.mark.parametrize("content", [SMALL_ONE, LARGE_ONE], ids=["small", "large"])


# ---------------------------------------------------------------- bytes, owner, mode, links


@sizes
async def test_only_the_changed_source_changes(served: Served, content: Json) -> None:
    document = await served.put(content)
    before = (served.root / "a.ipynb").read_bytes()
    await document.apply([Replace("b", "3")])
    assert (served.root / "a.ipynb").read_bytes() == before.replace(b'"source": "2"', b'"source": "3"')
    assert served.names() == {"a.ipynb"}


@sizes
async def test_the_mode_stays(served: Served, content: Json) -> None:
    document = await served.put(content)
    (served.root / "a.ipynb").chmod(0o640)
    await document.apply([Replace("b", "3")])
    assert (served.root / "a.ipynb").stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
async def test_the_owner_stays(served: Served) -> None:
    document = await served.put(SMALL_ONE)
    os.chown(served.root / "a.ipynb", 1234, 2345)
    await document.apply([Replace("b", "3")])
    found = (served.root / "a.ipynb").stat()
    assert (found.st_uid, found.st_gid) == (1234, 2345)


@sizes
async def test_a_file_with_two_names_keeps_both(served: Served, content: Json) -> None:
    document = await served.put(content)
    os.link(served.root / "a.ipynb", served.root / "other.ipynb")
    await document.apply([Replace("b", "3")])
    assert (served.root / "a.ipynb").samefile(served.root / "other.ipynb")
    assert (await (await served.notebooks.open("other.ipynb")).read()).cells[1].source == "3"
    assert served.names() == {"a.ipynb", "other.ipynb"}


async def test_a_link_inside_the_root_stays_a_link(served: Served) -> None:
    await served.put(SMALL_ONE, "real.ipynb")
    (served.root / "a.ipynb").symlink_to("real.ipynb")
    await (await served.notebooks.open("a.ipynb")).apply([Replace("b", "3")])
    assert (served.root / "a.ipynb").is_symlink()
    assert json.loads((served.root / "real.ipynb").read_bytes())["cells"][1]["source"] == "3"


async def test_two_who_edit_through_different_names_lose_nothing(served: Served) -> None:
    document = await served.put(SMALL_ONE, "real.ipynb")
    (served.root / "a.ipynb").symlink_to("real.ipynb")
    other = await served.notebooks.open("a.ipynb")
    await asyncio.gather(
        *(each.apply([Insert((NewCell("code", f"{each.path}{n}"),))]) for n in range(5) for each in (document, other))
    )
    assert len((await document.read()).cells) == 12


async def test_a_link_out_of_the_root_is_refused_even_when_it_comes_later(served: Served, tmp_path: Path) -> None:
    outside = tmp_path / "outside.ipynb"
    outside.write_text(json.dumps(SMALL_ONE))
    document = await served.put(SMALL_ONE)
    (served.root / "a.ipynb").unlink()
    (served.root / "a.ipynb").symlink_to(outside)
    with pytest.raises(PathRefused):
        await document.apply([Replace("b", "3")])
    assert json.loads(outside.read_text()) == SMALL_ONE


# ---------------------------------------------------------------- a disk that will not


@sizes
async def test_a_read_only_notebook_is_not_written(served: Served, content: Json) -> None:
    document = await served.put(content)
    file = served.root / "a.ipynb"
    before = file.read_bytes()
    file.chmod(0o444)
    with pytest.raises(SaveFailed) as failed:
        await document.apply([Replace("b", "3")])
    assert str(served.root) not in failed.value.text + failed.value.hint
    assert file.read_bytes() == before
    assert served.names() == {"a.ipynb"}


async def test_a_notebook_that_is_gone_is_not_made_anew(served: Served) -> None:
    document = await served.put(SMALL_ONE)
    (served.root / "a.ipynb").unlink()
    with pytest.raises(NotebookNotFound):
        await document.apply([Replace("b", "3")])
    assert served.names() == set()


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"nbformat": 99, "cells": []}', b"\xff\xfe{"])
async def test_what_is_no_notebook_is_left_as_it_is(served: Served, data: bytes) -> None:
    document = await served.put(SMALL_ONE)
    file = served.root / "a.ipynb"
    file.write_bytes(data)
    os.utime(file, (1, 1))
    with pytest.raises(NotebookUnreadable):
        await document.apply([Replace("b", "3")])
    assert file.read_bytes() == data


CHILD = """
    import asyncio, logging, os, resource, signal, sys, threading
    from pathlib import Path
    from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
    from nbformat.sign import NotebookNotary
    from jupyter_assistant.errors import AssistantError
    from jupyter_assistant.notebooks import Notebooks
    from jupyter_assistant.notebooks.edits import Replace

    async def main(root, data):
        manager = AsyncLargeFileManager(root_dir=root, notary=NotebookNotary(data_dir=data))
        notebooks = Notebooks(manager, root_dir=Path(root), log=logging.getLogger("child"))
        document = await notebooks.open("a.ipynb")
        {body}
        await notebooks.close()

    asyncio.run(main(sys.argv[1], sys.argv[2]))
"""


def child(body: str, root: Path, data: Path, **options: Any) -> subprocess.Popen[bytes]:
    program = textwrap.dedent(CHILD).replace("{body}", textwrap.indent(textwrap.dedent(body), " " * 4).strip())
    return subprocess.Popen([sys.executable, "-c", program, str(root), str(data)], **options)


@pytest.mark.skipif(sys.platform == "win32", reason="no limits")
@sizes
async def test_a_full_disk_leaves_the_notebook_as_it_was(served: Served, tmp_path: Path, content: Json) -> None:
    await served.put(content)
    before = (served.root / "a.ipynb").read_bytes()
    limit = len(before) - 100
    process = child(
        f"""
        resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
        try:
            await document.apply([Replace("b", "3")])
        except AssistantError as error:
            os.write(1, error.code.encode() + b": " + error.text.encode())
        """,
        served.root,
        tmp_path,
        stdout=subprocess.PIPE,
    )
    said, _ = await asyncio.to_thread(process.communicate)
    assert said == b"save_failed: a.ipynb could not be saved: the disk is full."
    assert (served.root / "a.ipynb").read_bytes() == before
    assert served.names() == {"a.ipynb"}


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
@sizes
async def test_a_killed_server_leaves_the_old_notebook_or_the_new(
    served: Served, tmp_path: Path, content: Json
) -> None:
    await served.put(content)
    body = """
        for n in range(100000):
            await document.apply([Replace("b", "n" * (n % 100))])
            if n == 2:
                os.write(1, b"going")
    """
    for kill in range(3):
        process = child(body, served.root, tmp_path, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.read, 5) == b"going"
        await asyncio.sleep(kill * 0.015)  # anywhere in the middle of a save
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.communicate)
        found = json.loads((served.root / "a.ipynb").read_bytes())
        assert set(found["cells"][1].pop("source")) <= {"n"}
        assert found["cells"][0] == content["cells"][0]
    assert not (served.root / ".~a.ipynb").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
@pytest.mark.parametrize("stale", [0.0])
async def test_a_server_killed_while_it_writes_in_place_leaves_a_copy_that_jupyter_brings_back(
    served: Served, tmp_path: Path
) -> None:
    await served.put(LARGE_ONE)
    (served.root / "other.ipynb").hardlink_to(served.root / "a.ipynb")
    body = """
        from jupyter_assistant.notebooks import saving
        whole = saving.write
        def half(descriptor, pieces):
            if saving.contents(descriptor):
                whole(descriptor, [saving.contents(descriptor)[:100_000]])
                os.kill(os.getpid(), signal.SIGKILL)
            whole(descriptor, pieces)
        saving.write = half
        await document.apply([Replace("b", "3")])
    """
    process = child(body, served.root, tmp_path)
    await asyncio.to_thread(process.communicate)
    assert process.returncode == -signal.SIGKILL
    assert (served.root / ".~a.ipynb").exists()
    long_ago = time.time() - 60
    os.utime(served.root / "a.ipynb", (long_ago, long_ago))
    with pytest.raises(NotebookUnreadable) as broken:
        await (await served.notebooks.open("a.ipynb")).apply([Replace("b", "4")])
    assert "brings back the copy" in broken.value.hint
    await served.manager.get("a.ipynb")
    assert json.loads((served.root / "a.ipynb").read_bytes()) == LARGE_ONE
    await (await served.notebooks.open("a.ipynb")).apply([Replace("b", "4")])


@pytest.mark.skipif(sys.platform == "win32", reason="no limits")
def test_what_finds_no_room_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "a.ipynb"
    file.write_bytes(b"old" * 100)
    program = """
        import os, resource, sys
        from jupyter_assistant.notebooks.saving import overwrite
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))
        with open(sys.argv[1], "rb+") as file:
            try:
                overwrite(file.fileno(), b"new" * 1_000)
            except OSError:
                os.write(1, b"refused")
            overwrite(file.fileno(), b"new" * int(sys.argv[2]))
    """
    for count in (99, 101):
        file.write_bytes(b"old" * 100)
        started = [sys.executable, "-c", textwrap.dedent(program), str(file), str(count)]
        assert subprocess.run(started, stdout=subprocess.PIPE, check=True).stdout == b"refused"
        assert file.read_bytes() == b"new" * count


async def test_what_a_crash_left_is_removed_by_a_later_edit(served: Served) -> None:
    document = await served.put(SMALL_ONE)
    for name, age in ((".assistant-old.tmp", 4_000), (".assistant-new.tmp", 0), ("mine.tmp", 4_000)):
        (served.root / name).write_bytes(b"half")
        at = time.time() - age
        os.utime(served.root / name, (at, at))
    await document.apply([Replace("b", "3")])
    assert served.names() == {"a.ipynb", ".assistant-new.tmp", "mine.tmp"}


# ---------------------------------------------------------------- read after an edit


@sizes
async def test_what_an_edit_made_is_known_without_reading_the_file_again(served: Served, content: Json) -> None:
    document = await served.put(content)
    change = await document.apply([Replace("b", "3"), SetOutputs("b", (HTML,), 3)])
    found = await document.read()
    assert found is await document.read()
    assert found.revision == change.revision
    async with another(served) as notebooks:
        assert await (await notebooks.open("a.ipynb")).read() == found


async def test_what_others_write_the_moment_after_an_edit_is_read(served: Served) -> None:
    document = await served.put(SMALL_ONE)
    file = served.root / "a.ipynb"
    for number in range(10, 30):
        await document.apply([Replace("b", f"ours{number}")])
        with file.open("r+b") as opened:
            opened.write(file.read_bytes().replace(b"ours", b"them"))
        assert (await document.read()).cells[1].source == f"them{number}"


# ---------------------------------------------------------------- trust


@pytest.mark.parametrize(
    "content",
    [
        SMALL_ONE,
        LARGE_ONE,
        notebook(),
        {
            **SMALL_ONE,
            "metadata": {"signature": "x", "orig_nbformat": 3, "ä": [1.0, 1e100, True, None, {"b": 1, "a": 2}]},
        },
    ],
)
@pytest.mark.parametrize("indent", [1, None])
def test_the_signature_is_the_one_of_nbformat(tmp_path: Path, content: Json, indent: int | None) -> None:
    data = json.dumps(content, indent=indent).encode()
    notary = NotebookNotary(data_dir=str(tmp_path))
    wanted = notary.compute_signature(nbformat.reads(data.decode(), as_version=4))
    notary.close()
    assert signature(data, (notary.secret, notary.algorithm))[0] == wanted


def test_what_cannot_be_signed_has_no_signature() -> None:
    for data in (b"{}", b'{"cells": [1]}', b"[", json.dumps(notebook(cell("a", "\ud800"))).encode()):
        assert signature(data, (b"s", "sha256")) == (None, False)


@sizes
async def test_a_trusted_notebook_stays_trusted(served: Served, content: Json) -> None:
    document = await served.put(content)
    await served.trust()
    assert await served.is_trusted()
    await document.apply([Replace("b", "3")])
    await document.apply([Insert((NewCell("code", "new"),)), SetOutputs("b", (HTML,), 3)])
    assert await served.is_trusted()


async def test_trust_is_kept_without_the_loop_waiting_for_the_notarys_disk(served: Served) -> None:
    document = await served.put(SMALL_ONE)
    await served.trust()
    asked: list[str] = []
    served.manager.notary.store.db.set_trace_callback(asked.append)
    await document.apply([Replace("b", "3")])
    assert asked == []
    served.manager.notary.store.db.set_trace_callback(None)
    assert await served.is_trusted()


async def test_trust_is_kept_where_the_notary_has_a_store_of_another_kind(tmp_path: Path) -> None:
    notary = NotebookNotary(data_dir=str(tmp_path), store_factory=MemorySignatureStore)
    served = Served(tmp_path, tmp_path, notary)
    document = await served.put(SMALL_ONE)
    await served.trust()
    await document.apply([Replace("b", "3")])
    assert await served.is_trusted()
    await served.notebooks.close()


@sizes
async def test_an_untrusted_notebook_stays_untrusted(served: Served, content: Json) -> None:
    document = await served.put(content)
    await document.apply([Replace("b", "3")])
    assert not await served.is_trusted()


async def test_what_first_runs_in_a_notebook_without_outputs_is_trusted(served: Served) -> None:
    document = await served.put(notebook(cell("a", "1"), cell("b", "2")))
    await document.apply([SetOutputs("a", (HTML,), 1)])
    await document.apply([SetOutputs("b", (HTML,), 1)])
    assert await served.is_trusted()
    created = await served.notebooks.create("new.ipynb", [NewCell("code", "1")])
    ((name, *_),) = [(found.id,) for found in (await created.read()).cells]
    await created.apply([SetOutputs(name, (HTML,), 1)])
    assert await served.is_trusted("new.ipynb")


# ---------------------------------------------------------------- save hooks


async def test_save_hooks_see_and_shape_our_saves(served: Served) -> None:
    seen: list[Any] = []

    def strip(model: Json, path: str, contents_manager: object, **_: object) -> None:
        seen.append((model["type"], path, contents_manager is served.manager, model["content"]["cells"][1]["source"]))
        for found in model["content"]["cells"]:
            found["outputs"], found["execution_count"] = [], None

    def script(os_path: str, model: Json, contents_manager: object, **_: object) -> None:
        cells = json.loads(Path(os_path).read_bytes())["cells"]
        Path(os_path).with_suffix(".py").write_text("\n\n".join(found["source"] for found in cells))
        seen.append((model["type"], model["path"]))

    served.manager.pre_save_hook = strip
    served.manager.register_post_save_hook(script)
    document = await served.put({**SMALL_ONE, "odd": {"z": 1, "a": 2}})
    await served.trust()
    seen.clear()
    before = (served.root / "a.ipynb").read_text()
    change = await document.apply([Replace("b", "3")])
    assert seen == [("notebook", "a.ipynb", True, "3"), ("notebook", "a.ipynb")]
    assert (served.root / "a.py").read_text() == "1\n\n3"
    found = (served.root / "a.ipynb").read_text()
    assert [each["outputs"] for each in json.loads(found)["cells"]] == [[], []]
    assert found[found.index('"metadata": {},\n "nb') :] == before[before.index('"metadata": {},\n "nb') :]
    assert change.cells[0].after == (await document.read()).cells[1].hash
    assert await served.is_trusted()


async def test_a_hook_that_changes_a_source_is_in_the_change(served: Served) -> None:
    def tidy(model: Json, **_: object) -> None:
        for found in model["content"]["cells"]:
            found["source"] = found["source"].rstrip()

    served.manager.pre_save_hook = tidy
    document = await served.put(SMALL_ONE)
    change = await document.apply([Replace("b", "3   ")])
    found = (await document.read()).cells[1]
    assert (found.source, found.hash) == ("3", change.cells[0].after)
    assert "+3\n" in change.diff + "\n"


async def test_a_hook_that_refuses_keeps_the_notebook_as_it_was(served: Served) -> None:
    def refuse(**_: object) -> None:
        raise HTTPError(403, f"not in {served.root}")

    served.manager.pre_save_hook = refuse
    document = await served.put(SMALL_ONE)
    before = (served.root / "a.ipynb").read_bytes()
    with pytest.raises(SaveFailed) as failed:
        await document.apply([Replace("b", "3")])
    assert str(served.root) not in failed.value.text + failed.value.hint
    assert (served.root / "a.ipynb").read_bytes() == before
    assert served.names() == {"a.ipynb"}


async def test_a_post_hook_that_fails_does_not_undo_a_save(served: Served) -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("no")

    served.manager.post_save_hook = fail
    document = await served.put(SMALL_ONE)
    await document.apply([Replace("b", "3")])
    assert (await document.read()).cells[1].source == "3"


async def test_nothing_of_ours_stays_with_the_manager(served: Served) -> None:
    assert len(served.manager._pre_save_hooks) == 1
    await served.notebooks.close()
    assert (served.manager._pre_save_hooks, served.manager._post_save_hooks) == ([], [])


# ---------------------------------------------------------------- upgrades


async def test_a_notebook_of_nbformat_3_is_edited_only_once_it_is_upgraded(served: Served) -> None:
    old = nbformat.convert(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")]), 3)
    document = await served.put(nbformat.writes(old, version=3).encode())
    with pytest.raises(EditRefused, match=r"nbformat 3\."):
        await document.apply([Replace("#0", "2")])
    await document.apply([Upgrade()])
    (found,) = (await document.read()).cells
    await document.apply([Replace(found.id, "2")])
    assert (await document.read()).nbformat == (4, 5)
    nbformat.validate(nbformat.read(served.root / "a.ipynb", as_version=4))


# ---------------------------------------------------------------- who leaves


@sizes
async def test_who_is_cancelled_leaves_a_whole_notebook_and_nothing_else(served: Served, content: Json) -> None:
    document = await served.put(content)
    for step in range(30):
        task = asyncio.create_task(document.apply([Replace("b", f"{step}")]))
        for _ in range(step * 2):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        assert json.loads((served.root / "a.ipynb").read_bytes())["cells"][0] == content["cells"][0]
        assert served.names() == {"a.ipynb"}
    await document.apply([Replace("b", "last")])
    assert (await document.read()).cells[1].source == "last"


async def test_a_server_that_stops_refuses_edits(served: Served) -> None:
    document = await served.put(SMALL_ONE)
    await served.notebooks.close()
    with pytest.raises(NotebookBusy):
        await document.apply([Replace("b", "3")])


async def test_an_edit_made_from_what_another_program_changed_is_stale(served: Served) -> None:
    document = await served.put(SMALL_ONE)
    known = (await document.read()).cells[1].hash
    await served.put(notebook(cell("a", "1"), cell("b", "theirs")))
    with pytest.raises(StaleCell) as refused:
        await document.apply([Delete(("b",))], {"b": known})
    assert refused.value.source == "theirs"


async def test_what_an_edit_made_is_digested_as_if_it_were_read(served: Served) -> None:
    document = await served.put(LARGE_ONE)
    for edits in ([SetOutputs("b", (HTML,), 2)], [Replace("a", "text", "markdown")], [Insert((NewCell("code", "é"),))]):
        await document.apply(edits)
        data = (served.root / "a.ipynb").read_bytes()
        assert (await document.read()).cells == digest(json.loads(data), path="a.ipynb", revision="").cells


def test_every_error_number_is_an_error_of_ours() -> None:
    from jupyter_assistant.notebooks.saving import failed

    for number in errno.errorcode:
        error = failed(OSError(number, "no", "/somewhere/a.ipynb"), "a.ipynb")
        assert isinstance(error, NotebookError)
        assert "/somewhere" not in error.text + error.hint
