"""Two windows with the same notebook: one of them has it, the other follows, and of two versions none is touched."""

from __future__ import annotations

import pytest

from jupyter_assistant.errors import EditRefused
from tests.conftest import Server
from tests.homed import Json
from tests.kernels import until
from tests.opened import NEW, opened
from tests.tabs import Window


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
        await other.open("a.ipynb")

        def the_first_lay_too_long(message: Json) -> None:
            message["now"] -= 60_000 if tab.window.asked == ["revert"] else 0

        tab.window.answers = the_first_lay_too_long
        with tab.window.hung(patience=1.0):
            await tab.document.apply([NEW])
            await tab.document.apply([NEW])
            assert len(tab.page.cells) == 3
        await until(lambda: len(tab.page.cells) == 5)


async def test_a_clean_window_follows_what_the_user_saves_in_another(server: Server) -> None:
    async with opened(server) as tab, Window(server) as other:
        second = await other.open("a.ipynb")
        second.type("a", "typed")
        await other.shown()
        second.save()
        await until(lambda: tab.page.cells[0]["source"] == "typed")
        assert not tab.page.dirty
        assert other.asked == []


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
