"""A room comes, is renamed, is left and goes: the notebook is always where it is looked for, and nothing is lost."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from typing import Any

import nbformat
import pytest
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

from jupyter_assistant.errors import NotebookBusy, NotebookNotFound, SaveFailed
from jupyter_assistant.notebooks import Document
from jupyter_assistant.notebooks.edits import Insert, NewCell, Replace, SetOutputs
from jupyter_assistant.notebooks.live import Rooms
from tests.conftest import Json, Server
from tests.document import THREE, code, notebook, printed, sources
from tests.kernels import until
from tests.room.conftest import Join, Person


def write(server: Server, content: Json = THREE, name: str = "a.ipynb") -> None:
    (server.root / name).write_text(json.dumps(content), "utf-8")


def stored(server: Server, name: str = "a.ipynb") -> list[str]:
    return [cell.source for cell in nbformat.read(server.root / name, as_version=4).cells]


async def home_of(server: Server, name: str = "a.ipynb") -> str:
    return (await (await server.built.notebooks.open(name)).read()).home


async def test_a_notebook_that_nobody_has_open_is_its_file_and_gets_no_number(server: Server) -> None:
    write(server)
    document = await server.built.notebooks.open("a.ipynb")
    await document.apply([Replace("c", "z")])
    assert (await document.read()).home == "file"
    assert server.app.web_app.settings["file_id_manager"].get_id("a.ipynb") is None
    assert stored(server)[2] == "z"


async def test_a_document_goes_where_its_notebook_goes(server: Server, join: Join) -> None:
    write(server)
    document = await server.built.notebooks.open("a.ipynb")
    assert (await document.read()).home == "file"
    person = await join("a.ipynb")
    await document.apply([Replace("c", "z")])
    await person.sees(lambda: person.sources[2] == "z")
    assert (await document.read()).home == "room"


async def test_a_notebook_is_whole_or_not_there_while_it_is_opened(server: Server, join: Join) -> None:
    cells = [code(f"n{number}", f"x = {number}", printed("y" * 2_000)) for number in range(300)]
    write(server, notebook(*cells))
    document = await server.built.notebooks.open("a.ipynb")
    joining = asyncio.ensure_future(join("a.ipynb"))
    homes = []
    while not joining.done():
        homes.append((await document.read()).home)
        assert len((await document.read()).cells) == 300
        await asyncio.sleep(0)
    await joining
    assert homes == sorted(homes)  # the file, then the room


async def test_a_renamed_notebook_is_found_in_its_room_under_its_new_name(server: Server, join: Join) -> None:
    write(server)
    person = await join("a.ipynb")
    contents = str(server.client.base_url).replace("assistant/", "api/contents/")
    answer = await server.client.patch(f"{contents}a.ipynb", content=json.dumps({"path": "b.ipynb"}))
    assert answer.status_code == 200
    document = await server.built.notebooks.open("b.ipynb")
    await document.apply([Replace("c", "z")])
    await person.sees(lambda: person.sources[2] == "z")
    with pytest.raises(NotebookNotFound):
        await server.built.notebooks.open("a.ipynb")


async def test_a_file_that_is_changed_under_its_room_is_read_whole(server: Server, join: Join) -> None:
    write(server)
    person = await join("a.ipynb")
    document = await server.built.notebooks.open("a.ipynb")
    write(server, notebook(*(code(f"n{number}", f"x = {number}") for number in range(100))))
    while person.sources[-1] != "x = 99":
        assert len((await document.read()).cells) in (3, 100)
        await asyncio.sleep(0)
    assert len((await document.read()).cells) == 100


async def test_who_is_inside_a_change_is_waited_for(server: Server, join: Join) -> None:
    write(server)
    await join("a.ipynb")
    settings = server.app.web_app.settings
    room = await Rooms(settings, patience=0.2).find("a.ipynb")
    assert room is not None

    async def changed_in_two_steps(go_on: asyncio.Event) -> None:
        with room.document.ydoc.transaction():
            room.document.ycells[0]["source"].insert(0, "half, ")
            await go_on.wait()
            room.document.ycells[0]["source"].insert(0, "and ")

    go_on = asyncio.Event()
    change = asyncio.ensure_future(changed_in_two_steps(go_on))
    await asyncio.sleep(0)
    with pytest.raises(NotebookBusy):
        await room.read()
    reading = asyncio.ensure_future(room.read())
    go_on.set()
    await change
    assert (await reading).cells[0].source == "and half, x = 1\ny = 2"


# ---------------------------------------------------------------- the end


async def test_what_was_read_is_let_go_of(server: Server, join: Join) -> None:
    write(server)
    await join("a.ipynb")
    rooms = Rooms(server.app.web_app.settings, kept_seconds=0.01)
    room = await rooms.find("a.ipynb")
    assert room is not None
    content = weakref.ref(room.content)
    del room

    def is_gone() -> bool:
        gc.collect()
        return content() is None

    await until(is_gone)


async def left(server: Server, person: Person) -> None:
    """The last person leaves; back when the server has noticed."""
    rooms = server.built.notebooks.rooms
    room = await rooms.find("a.ipynb")
    assert room is not None
    await person.leave()
    await until(lambda: rooms.is_left(room.document))


@pytest.mark.parametrize("cleanup_delay", [0.3])
async def test_edits_outlast_a_room_that_everybody_leaves(server: Server, join: Join, cleanup_delay: float) -> None:
    write(server, notebook(code("a", "0")))
    person = await join("a.ipynb")
    document = await server.built.notebooks.open("a.ipynb")
    await left(server, person)
    homes: list[str] = []
    while len(homes) < 2 or homes[-1] != "file":
        await document.apply([Insert((NewCell("code", str(len(homes) + 1)),))])
        homes.append((await document.read()).home)
    assert stored(server) == [str(number) for number in range(len(homes) + 1)]
    assert homes == sorted(homes, reverse=True)


@pytest.mark.parametrize("cleanup_delay", [0.3])
async def test_outputs_outlast_a_room_that_everybody_leaves(server: Server, join: Join, cleanup_delay: float) -> None:
    write(server, notebook(code("a", "0")))
    person = await join("a.ipynb")
    document = await server.built.notebooks.open("a.ipynb")
    await left(server, person)
    homes: list[str] = []
    while len(homes) < 2 or homes[-1] != "file":
        await document.apply([SetOutputs("a", (printed(f"{len(homes)}"),), 1)])
        homes.append((await document.read()).home)
        (cell,) = nbformat.read(server.root / "a.ipynb", as_version=4).cells
        assert cell.outputs[0].text == f"{len(homes) - 1}"
    assert homes == sorted(homes, reverse=True)


# ---------------------------------------------------------------- what cannot be saved


class Locked(AsyncLargeFileManager):
    """A manager that lets nobody write one notebook."""

    async def get(self, path: str, *arguments: Any, **options: Any) -> Any:
        model = await super().get(path, *arguments, **options)  # type: ignore[no-untyped-call]
        return {**model, "writable": model["writable"] and path != "locked.ipynb"}


class TestLocked:
    @pytest.fixture
    def jp_server_config(self, jp_server_config: Json) -> Json:
        jp_server_config["ServerApp"]["contents_manager_class"] = Locked
        return jp_server_config

    async def test_what_the_room_could_not_save_is_refused(self, server: Server, join: Join) -> None:
        write(server, THREE, "locked.ipynb")
        person = await join("locked.ipynb")
        document = await server.built.notebooks.open("locked.ipynb")
        with pytest.raises(SaveFailed, match="may not be written"):
            await document.apply([Replace("c", "z")])
        assert (await sources(document))[2] == ("c", "x")
        assert person.sources[2] == "x"


# ---------------------------------------------------------------- size


async def test_a_large_notebook_is_read_in_turns_with_others_and_then_only_what_changed(
    server: Server, join: Join
) -> None:
    cells = [code(f"n{number}", f"x = {number}", printed("y" * 40_000)) for number in range(500)]
    write(server, notebook(*cells))
    person = await join("a.ipynb")
    document = await server.built.notebooks.open("a.ipynb")
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.ensure_future(others())
    first = await document.read()
    assert turns > 3
    person.text(7).insert(0, "typed = ")
    await until(lambda: _typed(document))
    task.cancel()
    second = await document.read()
    assert second.cells[7].source == "typed = x = 7"
    assert [cell is other for cell, other in zip(first.cells, second.cells, strict=True)].count(False) == 1


async def _typed(document: Document) -> bool:
    return (await document.read()).cells[7].source.startswith("typed")
