"""Our edits among Jupyter Server's own reads and saves of the same notebook (SECURITY.md F1, F2): nothing is lost."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from nbformat.sign import NotebookNotary
from tornado.web import HTTPError

from jupyter_assistant.errors import NotebookBusy, StaleCell
from jupyter_assistant.notebooks import Document, Notebooks
from jupyter_assistant.notebooks.edits import Insert, NewCell, Replace
from jupyter_assistant.notebooks.rewriting import write
from jupyter_assistant.notebooks.saving import Draft
from jupyter_assistant.notebooks.state import State, Unsettled

Json = dict[str, Any]
ROUNDS = 100


class Served:
    def __init__(self, root: Path, data: Path) -> None:
        self.file = root / "a.ipynb"
        self.manager = AsyncLargeFileManager(root_dir=str(root), notary=NotebookNotary(data_dir=str(data)))
        self.notebooks = Notebooks(self.manager, root_dir=root, log=logging.getLogger("test"))

    async def document(self, content: Json) -> Document:
        self.file.write_text(json.dumps(content, indent=1))
        return await self.notebooks.open("a.ipynb")

    async def get(self) -> Json:
        """As ``GET /api/contents/a.ipynb``."""
        model: Json = await self.manager.get("a.ipynb", content=True)
        return model

    async def put(self, content: Json) -> float:
        """As ``PUT /api/contents/a.ipynb``; when it was done."""
        await self.manager.save({"type": "notebook", "format": "json", "content": content}, "a.ipynb")
        return time.monotonic()

    def sources(self) -> list[str]:
        return ["".join(cell["source"]) for cell in json.loads(self.file.read_bytes())["cells"]]

    def leftovers(self) -> set[str]:
        return {entry.name for entry in self.file.parent.iterdir()} - {"a.ipynb", ".ipynb_checkpoints"}


@pytest.fixture
def served(tmp_path: Path, jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[Served]:
    root = tmp_path / "root"
    root.mkdir()
    served = Served(root, tmp_path)
    yield served
    jp_asyncio_loop.run_until_complete(served.notebooks.close())
    served.manager.notary.close()


def two_megabytes(*more: Json) -> Json:
    text = {"output_type": "stream", "name": "stdout", "text": "a line of an output of a notebook\n" * 60_000}
    heavy = {"cell_type": "code", "execution_count": 1, "id": "heavy", "metadata": {}, "outputs": [text], "source": "1"}
    return {"cells": [heavy, *more], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def cell(source: str) -> Json:
    return {"cell_type": "raw", "id": source, "metadata": {}, "source": source}


async def edited(document: Document, source: str) -> float:
    """When the edit was done."""
    await document.apply([Insert((NewCell("raw", source),))])
    return time.monotonic()


async def test_readers_of_the_server_never_disturb_our_edits(served: Served) -> None:
    document = await served.document(two_megabytes())
    for number in range(ROUNDS):
        reads = [asyncio.create_task(served.get()) for _ in range(3)]
        await edited(document, f"ours {number}")
        for model in await asyncio.gather(*reads):
            assert len(model["content"]["cells"]) - 1 in (number, number + 1)
    assert served.sources() == ["1", *(f"ours {number}" for number in range(ROUNDS))]
    assert served.leftovers() == set()


async def test_of_our_edits_and_the_servers_saves_nothing_is_lost(served: Served) -> None:
    document = await served.document(two_megabytes())
    kept: list[str] = []
    for number in range(ROUNDS):
        mine, theirs = f"ours {number}", f"theirs {number}"
        saving = asyncio.create_task(served.put(two_megabytes(*map(cell, kept), cell(theirs))))
        for _ in range(number % 7):
            await asyncio.sleep(0)
        ours, saved = await asyncio.gather(edited(document, mine), saving)
        found = served.sources()
        assert theirs in found
        if mine in found:
            assert found == ["1", *kept, theirs, mine]
        else:  # a save of an older state came after it, as the server allows
            assert ours < saved
            assert found == ["1", *kept, theirs]
        kept = found[1:][-8:]
    assert served.leftovers() == set()


async def test_an_edit_waits_for_a_save_that_runs_and_then_sees_it(served: Served) -> None:
    document = await served.document(two_megabytes(cell("x")))
    known = {found.id: found.hash for found in (await document.read()).cells}
    model: Json = {"type": "notebook", "content": {}}
    served.manager.run_pre_save_hooks(model=model, path="a.ipynb")
    aside = served.file.with_name(".~a.ipynb")
    aside.write_bytes(served.file.read_bytes())
    with pytest.raises(NotebookBusy):
        await document.apply([Replace("x", "y")], {"x": known["x"]})
    edit = asyncio.create_task(document.apply([Replace("x", "y")], {"x": known["x"]}))
    done, _ = await asyncio.wait({edit}, timeout=0.1)
    assert not done
    served.file.write_text(json.dumps(two_megabytes({**cell("x"), "source": "theirs"})))
    aside.unlink()
    served.manager.run_post_save_hooks(model=model, os_path=str(served.file))
    with pytest.raises(StaleCell) as refused:
        await edit
    assert refused.value.source == "theirs"


async def test_a_save_that_failed_is_not_waited_for(served: Served) -> None:
    document = await served.document(two_megabytes())
    for content in ({"cells": 3}, {**two_megabytes(), "metadata": {"not": {1, 2}}}):
        with pytest.raises(HTTPError):  # before the file is opened, and in the middle of writing it
            await served.manager.save({"type": "notebook", "format": "json", "content": content}, "a.ipynb")
        await edited(document, "ours")
    assert served.sources() == ["1", "ours", "ours"]


async def test_an_edit_never_takes_the_place_of_what_was_written_meanwhile(served: Served) -> None:
    """Another program writes the file all the time; each of its versions is what an edit builds on, or is its end."""
    document = await served.document(two_megabytes())
    for number in range(20):
        edit = asyncio.create_task(edited(document, f"ours {number}"))
        await asyncio.sleep(number * 0.002)
        beside = served.file.with_name("new.ipynb")
        beside.write_text(json.dumps(two_megabytes(cell(f"theirs {number}"))))
        beside.replace(served.file)
        await asyncio.wait({edit})
        assert f"theirs {number}" in served.sources()


async def test_half_a_save_is_never_taken_for_an_edit_that_went_wrong(served: Served) -> None:
    """Another program writes the file in place, as Jupyter does, again and again between the steps of an edit."""
    document = await served.document(two_megabytes())
    content = json.dumps(two_megabytes(cell("theirs")), indent=1).encode()

    def save(pause: float) -> None:
        with served.file.open("wb", buffering=0) as file:
            file.write(content[: len(content) // 2])
            time.sleep(pause)
            file.write(content[len(content) // 2 :])

    for number in range(12):
        edit = asyncio.create_task(edited(document, f"ours {number}"))
        await asyncio.sleep(number % 10 * 0.005)
        await asyncio.to_thread(save, 0.15)
        await edit
        assert served.sources() in (["1", "theirs"], ["1", "theirs", f"ours {number}"])
    assert served.leftovers() == set()


def test_who_writes_at_the_moment_of_a_commit_is_never_left_with_the_old_file(served: Served) -> None:
    """Another program opens the file, which empties it, and writes: before, after, or between our look and our step."""
    refused = 0
    for number in range(400):
        served.file.write_text("old")
        before = State.from_stat(served.file.stat())
        start = threading.Barrier(2)

        def theirs(start: threading.Barrier = start, text: str = f"theirs {number}") -> None:
            start.wait()
            with served.file.open("w") as file:
                file.write(text)

        other = threading.Thread(target=theirs)
        other.start()
        draft = Draft(served.file.parent, served.file.name, allow_hidden=False)
        write(draft.descriptor, [b"ours"])
        start.wait()
        try:
            draft.commit(before, free=True)
        except Unsettled:
            refused += 1
        finally:
            other.join()
            draft.close()
        assert served.file.read_text() == f"theirs {number}"
    assert refused > 0
    assert served.leftovers() == set()


async def test_saves_of_other_notebooks_are_not_waited_for(served: Served) -> None:
    document = await served.document(two_megabytes())
    served.manager.run_pre_save_hooks(model={"type": "notebook", "content": {}}, path="b.ipynb")
    served.manager.run_pre_save_hooks(model={"type": "file", "content": ""}, path="a.ipynb")
    await edited(document, "at once")
    assert served.sources() == ["1", "at once"]
