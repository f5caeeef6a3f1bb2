"""Windows that come, go, hang and have the same notebook: nothing is lost, nothing is doubled, no file is touched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from jupyter_assistant.errors import CellNotFound, EditRefused, NotebookNotFound, StaleCell, TabClosed, TabUnresponsive
from jupyter_assistant.notebooks import Document, Notebooks
from jupyter_assistant.notebooks.edits import Insert, NewCell, Replace, Substitute
from tests.conftest import Server
from tests.document import THREE, Json, hashed, sources
from tests.kernels import until
from tests.tabpage import Page
from tests.tabs import Window, put

NEW = Insert((NewCell("code", "new"),))


@dataclass
class Open:
    notebooks: Notebooks
    window: Window
    page: Page
    document: Document

    @property
    def file(self) -> bytes:
        return self.page.file.read_bytes()

    async def gone(self) -> None:
        """The server has heard that it is not open any more."""
        await until(lambda: not self.notebooks.tabs.paths())


@asynccontextmanager
async def opened(server: Server, name: str = "a.ipynb") -> AsyncIterator[Open]:
    notebooks = (await server.extension.open()).notebooks
    put(server, THREE, name)
    async with Window(server) as window:
        page = await window.open(name)
        yield Open(notebooks, window, page, await notebooks.open(name))


# ---------------------------------------------------------------- a window that does not answer


async def test_a_stalled_tab_gives_way_to_what_was_saved_and_takes_no_change(server: Server) -> None:
    async with opened(server) as tab:
        tab.notebooks.tabs.answer_seconds = 0.2
        tab.page.type("a", "typed")
        await tab.document.read()
        before = tab.file
        tab.window.freeze()
        snapshot = await tab.document.read()
        assert (snapshot.home, snapshot.cells[0].source) == ("file", "x = 1\ny = 2")
        assert "saved last" in snapshot.note
        assert (await tab.document.outputs(["a"]))["a"][0]["text"] in ("one\ntwo\n", ["one\n", "two\n"])
        with pytest.raises(TabUnresponsive, match="nothing was changed"):
            await tab.document.apply([NEW])
        assert tab.file == before
        tab.window.thaw()
        await until(lambda: tab.window.asked.count("read") == 2)
        await until(lambda: not tab.notebooks.tabs.windows[0].is_silent)
        assert "apply" not in tab.window.asked
        assert (await tab.document.read()).cells[0].source == "typed"
        await tab.document.apply([NEW])
        assert [cell["source"] for cell in tab.page.cells][-1] == "new"


async def test_who_comes_after_a_stalled_read_does_not_wait_again(server: Server) -> None:
    async with opened(server) as tab:
        tab.notebooks.tabs.answer_seconds = 0.2
        tab.window.freeze()
        for _ in range(5):
            assert (await tab.document.read()).note
        tab.window.thaw()
        await until(lambda: not tab.notebooks.tabs.windows[0].is_silent)
        assert tab.window.asked == ["read"]


async def test_a_change_taken_up_too_late_is_not_made(server: Server) -> None:
    async with opened(server) as tab:
        await tab.document.read()
        real = tab.window.answers

        def fall_asleep(message: Json) -> Json | None:
            if message["method"] == "apply":
                message["now"] -= 60_000  # as if it had lain before a busy page for a minute
            return real(message)

        tab.window.answers = fall_asleep
        with pytest.raises(TabUnresponsive, match="nothing was changed"):
            await tab.document.apply([NEW])
        assert len(tab.page.cells) == 3


async def test_a_page_lost_in_the_middle_of_a_change_says_that_it_may_be_made(server: Server) -> None:
    async with opened(server) as tab:
        before = tab.file
        tab.window.answers = lambda message: {"type": "pong", "id": 0} if message["method"] == "apply" else None
        change = asyncio.create_task(tab.document.apply([NEW]))
        await until(lambda: "apply" in tab.window.asked)
        await tab.window.break_off()
        with pytest.raises(TabUnresponsive, match="while the edit was on its way") as error:
            await change
        assert "may have been made" in error.value.hint
        assert tab.file == before


async def test_a_lost_connection_keeps_its_notebooks_until_it_comes_back(server: Server) -> None:
    async with opened(server) as tab:
        tab.page.type("a", "typed")
        await tab.document.read()
        before = tab.file
        await tab.window.break_off()
        with pytest.raises(TabUnresponsive):
            await tab.document.apply([NEW])
        assert (await tab.document.read()).note
        assert tab.file == before
        await tab.window.join()
        document = await tab.notebooks.open("a.ipynb")
        await until(lambda: tab.notebooks.tabs.state["windows"] == 1)
        await until(lambda: tab.notebooks.tabs.paths())
        assert (await document.read()).cells[0].source == "typed"


async def test_a_connection_that_does_not_come_back_is_forgotten(server: Server) -> None:
    async with opened(server) as tab:
        tab.notebooks.tabs.grace_seconds = 0.1
        await tab.window.break_off()
        await tab.gone()
        await tab.document.apply([NEW])
        assert b"new" in tab.file


# ---------------------------------------------------------------- closing, renaming, deleting


async def test_a_closed_notebook_is_its_file_again(server: Server) -> None:
    async with opened(server) as tab:
        tab.window.close(tab.page)
        await tab.gone()
        snapshot = await tab.document.read()
        assert (snapshot.home, snapshot.note) == ("file", "")
        await tab.document.apply([NEW])
        assert (await sources(tab.document))[-1][1] == "new"
        assert b"new" in tab.file


async def test_a_notebook_closed_with_changes_is_not_changed_as_if_nothing_were(server: Server) -> None:
    async with opened(server) as tab:
        tab.page.type("a", "typed")
        await tab.document.read()
        before = tab.file
        tab.window.close(tab.page)
        await tab.gone()
        with pytest.raises(TabClosed, match="unsaved changes"):
            await tab.document.apply([NEW])
        assert tab.file == before
        await (await tab.notebooks.open("a.ipynb")).apply([NEW])


async def test_a_tab_closed_in_the_middle_of_a_change_says_so_and_leaves_the_file(server: Server) -> None:
    async with opened(server) as tab:
        before = tab.file

        def close(message: Json) -> Json | None:
            if message["method"] != "apply":
                return None
            tab.window.close(tab.page)
            return {"type": "pong", "id": 0}

        tab.window.answers = close
        with pytest.raises(TabClosed, match="closed while the edit was on its way"):
            await tab.document.apply([NEW])
        assert tab.file == before


async def test_a_tab_closed_in_the_middle_of_a_read_gives_way_to_the_file(server: Server) -> None:
    async with opened(server) as tab:

        def close(message: Json) -> Json:
            tab.window.close(tab.page)
            return {"type": "pong", "id": 0}

        tab.window.answers = close
        snapshot = await tab.document.read()
        assert (snapshot.home, snapshot.note) == ("file", "")


async def test_a_renamed_notebook_is_the_same_document(server: Server) -> None:
    async with opened(server) as tab:
        tab.page.rename("b.ipynb")
        await until(lambda: "b.ipynb" in tab.notebooks.tabs.paths())
        assert tab.document.path == "b.ipynb"
        change = await tab.document.apply([NEW])
        assert change.path == "b.ipynb"
        assert len(tab.page.cells) == 4
        with pytest.raises(NotebookNotFound):
            await tab.notebooks.open("a.ipynb")


async def test_a_deleted_notebook_is_gone(server: Server) -> None:
    async with opened(server) as tab:
        tab.page.file.unlink()
        assert len((await tab.document.read()).cells) == 3
        tab.window.close(tab.page)
        await tab.gone()
        with pytest.raises(NotebookNotFound):
            await tab.document.read()


async def test_a_link_to_an_open_notebook_is_the_open_notebook(server: Server) -> None:
    async with opened(server) as tab:
        (server.root / "link.ipynb").symlink_to("a.ipynb")
        tab.page.type("a", "typed")
        linked = await tab.notebooks.open("link.ipynb")
        assert (await linked.read()).cells[0].source == "typed"


# ---------------------------------------------------------------- the user types meanwhile


async def test_typing_between_the_decision_and_the_change_is_not_overwritten(server: Server) -> None:
    async with opened(server) as tab:
        typed = iter(["x = 1\ny = 2  # mine"])

        def meanwhile(message: Json) -> Json | None:
            if message["method"] == "apply" and (text := next(typed, None)) is not None:
                tab.page.type("a", text)
            return None

        tab.window.answers = meanwhile
        await tab.document.apply([Substitute("a", "x = 1", "x = 9")])
        assert tab.page.cell("a")["source"] == "x = 9\ny = 2  # mine"


async def test_a_stale_edit_learns_what_was_typed(server: Server) -> None:
    async with opened(server) as tab:
        known = hashed("x = 1\ny = 2")

        def meanwhile(message: Json) -> Json | None:
            if message["method"] == "apply":
                tab.page.type("a", "typed")
            return None

        tab.window.answers = meanwhile
        with pytest.raises(StaleCell) as stale:
            await tab.document.apply([Replace("a", "mine")], {"a": known})
        assert (stale.value.source, stale.value.hash) == ("typed", hashed("typed"))
        assert tab.page.cell("a")["source"] == "typed"


async def test_what_the_window_refuses_is_an_error_with_its_words(server: Server) -> None:
    async with opened(server) as tab:

        def answer(error: Json) -> None:
            def refuse(message: Json) -> Json | None:
                failed = {"type": "reply", "id": message["id"], "ok": False, "error": error}
                return failed if message["method"] == "apply" else None

            tab.window.answers = refuse

        answer({"code": "refused", "text": "The notebook is locked.", "hint": "Unlock it."})
        with pytest.raises(EditRefused, match="locked") as refused:
            await tab.document.apply([NEW])
        assert refused.value.hint == "Unlock it."
        answer({"code": "cell_not_found", "cell_id": "gone"})
        with pytest.raises(CellNotFound, match="no cell gone"):
            await tab.document.apply([NEW])
        answer({"code": "internal", "text": "Oops."})
        with pytest.raises(TabUnresponsive, match="Oops"):
            await tab.document.apply([NEW])


# ---------------------------------------------------------------- two windows


async def test_of_two_clean_windows_the_one_looked_at_last_is_changed_and_the_other_follows(server: Server) -> None:
    async with opened(server) as tab, Window(server) as other:
        second = await other.open("a.ipynb")
        await tab.document.apply([NEW])
        assert "apply" in other.asked
        assert "apply" not in tab.window.asked
        assert [cell["source"] for cell in tab.page.cells] == [cell["source"] for cell in second.cells]
        assert tab.window.asked[-1] == "revert"
        second.shown["current"] = False
        await other.shown()
        tab.page.shown["current"] = False
        await tab.window.shown()
        tab.page.shown["current"] = True
        await tab.window.shown()
        await tab.document.read()
        assert tab.window.asked[-1] == "read"


async def test_a_clean_window_that_hung_follows_once_it_is_back(server: Server) -> None:
    async with opened(server) as tab, Window(server) as other:
        tab.notebooks.tabs.answer_seconds = 0.2
        await other.open("a.ipynb")

        def the_first_lay_too_long(message: Json) -> None:
            message["now"] -= 60_000 if tab.window.asked == ["revert"] else 0

        tab.window.answers = the_first_lay_too_long
        tab.window.freeze()
        await tab.document.apply([NEW])
        await tab.document.apply([NEW])
        assert len(tab.page.cells) == 3
        tab.window.thaw()
        await until(lambda: len(tab.page.cells) == 5)


async def test_a_notebook_that_could_not_be_saved_is_changed_and_the_answer_says_so(server: Server) -> None:
    async with opened(server) as tab:
        tab.page.save_error = "The disk is full."
        change = await tab.document.apply([NEW])
        assert "could not save the notebook: The disk is full." in change.note
        assert tab.page.dirty
        assert len(tab.page.cells) == 4


async def test_a_dirty_window_is_read_and_changed_before_a_clean_one(server: Server) -> None:
    async with opened(server) as tab, Window(server) as other:
        tab.page.type("a", "typed")
        second = await other.open("a.ipynb")
        assert (await tab.document.read()).cells[0].source == "typed"
        await tab.document.apply([NEW])
        assert len(tab.page.cells) == 4
        assert (len(second.cells), tab.page.dirty, "revert" in other.asked) == (3, True, False)


async def test_two_dirty_windows_take_no_change_and_are_told_why(server: Server) -> None:
    async with opened(server) as tab, Window(server) as other:
        second = await other.open("a.ipynb")
        tab.page.type("a", "one")
        second.type("a", "two")
        await tab.window.shown()

        async def the_second_is_read() -> bool:
            return (await tab.document.read()).cells[0].source == "two"

        other.show()  # as when its user comes back to it
        await until(the_second_is_read)
        before = tab.file
        with pytest.raises(EditRefused, match="2 windows") as refused:
            await tab.document.apply([NEW])
        assert "save it in the window whose version is right" in refused.value.hint
        assert tab.file == before
        assert not {"apply"} & {*tab.window.asked, *other.asked}


async def test_two_windows_on_one_shared_notebook_are_no_two_versions(server: Server) -> None:
    async with opened(server) as tab, Window(server) as other:
        second = await other.open("a.ipynb", collaborative=True)
        tab.page.shown["collaborative"] = True
        tab.page.type("a", "shared")
        second.type("a", "shared")
        await tab.document.read()
        await tab.document.apply([NEW])
        assert not {"revert"} & {*tab.window.asked, *other.asked}
