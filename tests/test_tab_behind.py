"""Windows whose notebook was saved elsewhere while they loaded it, or were away: they take up what they lack."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_assistant.notebooks import Document
from jupyter_assistant.notebooks.cells import Snapshot
from jupyter_assistant.notebooks.edits import Change, Edit, Replace
from jupyter_assistant.notebooks.housed import Housed
from jupyter_assistant.notebooks.renames import Renames
from tests.conftest import Server
from tests.homed import THREE
from tests.kernels import until
from tests.opened import NEW, opened
from tests.tabs import Json, Window, put


async def edited(server: Server, source: str) -> None:
    """The notebook is edited in its file."""
    document = await (await server.extension.open()).notebooks.open("a.ipynb")
    await document.apply([Replace("a", source)])
    assert (await document.read()).home == "file"


async def test_what_was_edited_while_a_window_was_away_is_in_it_when_it_comes_back(server: Server) -> None:
    async with opened(server) as tab:
        tab.notebooks.tabs.grace_seconds = 0.0
        await tab.window.break_off()
        await tab.gone()
        await edited(server, "elsewhere")
        await tab.window.join()
        await until(lambda: tab.page.cells[0]["source"] == "elsewhere")
        await tab.document.apply([NEW])
        assert b"elsewhere" in tab.file
        assert b"new" in tab.file


async def test_a_window_that_comes_back_with_changes_keeps_them(server: Server) -> None:
    async with opened(server) as tab:
        tab.page.type("c", "typed")
        await tab.window.shown()
        tab.notebooks.tabs.grace_seconds = 0.0
        await tab.window.break_off()
        await tab.gone()
        await edited(server, "elsewhere")
        await tab.window.join()
        await until(lambda: tab.notebooks.tabs.paths())
        assert (await tab.document.read()).cells[2].source == "typed"
        assert "revert" not in tab.window.asked


async def test_a_page_that_was_too_busy_to_take_it_up_is_asked_again(server: Server) -> None:
    put(server, THREE)
    async with Window(server) as window:

        def the_first_lay_too_long(message: Json) -> None:
            message["now"] -= 60_000 if window.asked == ["revert"] else 0

        window.answers = the_first_lay_too_long
        page = await window.open("a.ipynb")
        put(server, {**THREE, "cells": THREE["cells"][:1]})
        window.show()
        window.say(type="pong", id=0)
        await until(lambda: len(page.cells) == 1)


@dataclass
class OpenedMeanwhile:
    """A file that a window opens in the middle of a change of it, before that is on the disk."""

    document: Document
    window: Window

    @property
    def path(self) -> str:
        return self.document.path

    async def apply(self, edits: Sequence[Edit], expected: Mapping[str, str] = {}) -> Change:
        await self.window.open(self.path)
        return await self.document.apply(edits, expected)

    async def read(self) -> Snapshot:
        return await self.document.read()

    async def outputs(self, cell_ids: Sequence[str]) -> Mapping[str, tuple[Json, ...]]:
        return await self.document.outputs(cell_ids)

    async def nbformat(self, cell_ids: Sequence[str] | None = None) -> Json:
        return await self.document.nbformat(cell_ids)


async def test_a_window_that_opens_a_notebook_in_the_middle_of_a_change_has_it(server: Server) -> None:
    notebooks = (await server.extension.open()).notebooks
    put(server, THREE)
    async with Window(server) as window:
        file: Any = OpenedMeanwhile(await notebooks._stored.open("a.ipynb"), window)
        renames = Renames(None, log=server.app.log)
        document = Housed(file, moved=notebooks._moved, stored=notebooks._stored.open, renames=renames)
        await document.apply([Replace("a", "changed")])
        (page,) = window.pages.values()
        await until(lambda: page.cells[0]["source"] == "changed")
        assert not page.dirty


async def test_a_restart_is_told_to_who_shows_a_notebook_of_that_kernel_and_to_nobody_else(server: Server) -> None:
    put(server, THREE, "b.ipynb")
    async with opened(server) as tab:
        other = await tab.window.open("b.ipynb")
        told: list[Json] = []

        def note(message: Json) -> Json | None:
            if message["method"] != "restarted":
                return None
            told.append(message["params"])
            return {"type": "reply", "id": message["id"], "ok": True, "result": {}}

        tab.window.answers = note
        tab.page.kernel_id, other.kernel_id = "one", "two"
        await tab.window.shown()
        with tab.notebooks.tabs.restarting("a.ipynb"):
            await asyncio.sleep(0.01)
        await until(lambda: bool(told))
        (params,) = told
        assert params["document"] == tab.page.name
        assert params["ago_ms"] >= 10
