"""Windows that hang, go and come back, and users who type: nothing is lost or doubled, no file is touched."""

from __future__ import annotations

import asyncio

import pytest

from jupyter_assistant.errors import CellNotFound, EditRefused, NotebookNotFound, StaleCell, TabClosed, TabUnresponsive
from jupyter_assistant.notebooks.edits import Replace, Substitute
from tests.conftest import Server
from tests.document import Json, hashed, sources
from tests.kernels import until
from tests.opened import NEW, opened

# ---------------------------------------------------------------- a window that does not answer


async def test_a_stalled_tab_gives_way_to_what_was_saved_and_takes_no_change(server: Server) -> None:
    async with opened(server) as tab:
        tab.page.type("a", "typed")
        await tab.window.shown()
        before = tab.file
        with tab.window.hung():
            snapshot = await tab.document.read()
            assert (snapshot.home, snapshot.cells[0].source) == ("file", "x = 1\ny = 2")
            assert "saved last" in snapshot.note
            assert (await tab.document.outputs(["a"]))["a"][0]["text"] in ("one\ntwo\n", ["one\n", "two\n"])
            with pytest.raises(TabUnresponsive, match="nothing was changed"):
                await tab.document.apply([NEW])
            assert tab.file == before
        await until(lambda: not tab.notebooks.tabs.windows[0].is_silent)
        assert tab.window.asked == ["read"]
        assert (await tab.document.read()).cells[0].source == "typed"
        await tab.document.apply([NEW])
        assert [cell["source"] for cell in tab.page.cells][-1] == "new"


async def test_who_comes_after_a_stalled_read_does_not_wait_again(server: Server) -> None:
    async with opened(server) as tab:
        with tab.window.hung():
            for _ in range(5):
                assert (await tab.document.read()).note
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


async def test_a_notebook_that_could_not_be_saved_is_changed_and_the_answer_says_so(server: Server) -> None:
    async with opened(server) as tab:
        tab.page.save_error = "The disk is full."
        change = await tab.document.apply([NEW])
        assert "could not save the notebook: The disk is full." in change.note
        assert tab.page.dirty
        assert len(tab.page.cells) == 4
