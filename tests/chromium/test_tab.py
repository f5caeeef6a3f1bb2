"""Edits of an open notebook: they land in the page at once, and the user keeps his work and his place."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Route, expect

from tests.chromium.tab import Tab, ToolFailed, code, text, until, write
from tests.chromium.tabs import *  # noqa: F403
from tests.chromium.tabs import OpenTab

FIRST = "x = 1\ny = 2\nz = 3"


@pytest.fixture
def tab(open_tab: OpenTab) -> Tab:
    """A clean notebook of a code cell, a text cell and a code cell."""
    return open_tab(code("first", FIRST), text("words", "# Title"), code("last", "x + y"))


def test_an_edit_lands_in_the_page_at_once_and_on_the_disk(tab: Tab) -> None:
    tab.client.call("edit_cell", path=tab.path, cell_id="first", old="y = 2", new="y = 20")
    expect(tab.cell("first").locator(".cm-line").nth(1)).to_have_text("y = 20")
    assert tab.saved[0] == tab.sources[0] == "x = 1\ny = 20\nz = 3"
    assert not tab.dirty


def test_an_edit_beside_unsaved_text_keeps_it_and_saves_nothing(tab: Tab) -> None:
    tab.write_in("last", "  # mine")
    before = tab.file.read_bytes()
    tab.client.call("edit_cell", path=tab.path, cell_id="first", old="y = 2", new="y = 20")
    assert tab.sources == ["x = 1\ny = 20\nz = 3", "# Title", "x + y  # mine"]
    assert tab.dirty
    assert tab.file.read_bytes() == before


def test_unsaved_text_is_read_and_edited(tab: Tab) -> None:
    tab.write_in("last", "  # not saved")
    assert "x + y  # not saved" in tab.client.call("read_notebook", path=tab.path)
    tab.client.call("edit_cell", path=tab.path, cell_id="last", old="not saved", new="seen")
    assert tab.sources[2] == "x + y  # seen"


def test_an_edit_made_from_what_the_user_has_changed_meanwhile_is_refused(tab: Tab) -> None:
    said = tab.client.call("read_cell", path=tab.path, cell_id="last")
    known = said.split("hash ")[1][:12]
    tab.write_in("last", "0")
    with pytest.raises(ToolFailed, match="changed"):
        tab.client.call("replace_cell", path=tab.path, cell_id="last", source="z", source_hash=known)
    assert tab.sources[2] == "x + y0"


def test_ctrl_z_in_the_cell_takes_back_the_edit_of_its_text_and_nothing_else(tab: Tab) -> None:
    tab.write_in("first", "  # typed")
    tab.client.call("edit_cell", path=tab.path, cell_id="first", old="y = 2", new="y = 20")
    assert tab.sources[0] == "x = 1\ny = 20\nz = 3  # typed"
    tab.undo()
    until(tab.page, lambda: tab.sources[0] == f"{FIRST}  # typed")
    tab.page.keyboard.press("Control+Shift+z")
    until(tab.page, lambda: tab.sources[0] == "x = 1\ny = 20\nz = 3  # typed")
    tab.undo()
    tab.undo()
    until(tab.page, lambda: tab.sources[0] == FIRST)


@pytest.mark.parametrize(
    ("tool", "arguments", "after"),
    [
        ("insert_cells", {"cells": [{"cell_type": "code", "source": "1"}] * 2, "after": "first"}, 5),
        ("delete_cells", {"cell_ids": ["first", "last"]}, 1),
        ("move_cell", {"cell_id": "last", "before": "first"}, 3),
    ],
)
def test_z_in_the_notebook_takes_back_what_was_done_to_its_cells(
    tab: Tab, tool: str, arguments: dict[str, object], after: int
) -> None:
    tab.client.call(tool, path=tab.path, **arguments)
    assert len(tab.sources) == after
    assert tab.sources != [FIRST, "# Title", "x + y"]
    assert tab.saved == tab.sources
    tab.number(1).locator(".jp-InputPrompt").click()
    tab.page.keyboard.press("z")
    until(tab.page, lambda: tab.sources == [FIRST, "# Title", "x + y"])
    assert tab.ids == ["first", "words", "last"]


def test_a_cell_of_another_type_keeps_its_id_and_comes_back_with_z(tab: Tab) -> None:
    said = tab.client.call("read_cell", path=tab.path, cell_id="last")
    known = said.split("hash ")[1][:12]
    tab.client.call(
        "replace_cell", path=tab.path, cell_id="last", source="*Sum*", source_hash=known, cell_type="markdown"
    )
    expect(tab.cell("last").locator(".jp-RenderedMarkdown em")).to_have_text("Sum")
    assert tab.stored[2]["cell_type"] == "markdown"
    assert tab.ids == ["first", "words", "last"]
    tab.number(1).locator(".jp-InputPrompt").click()
    tab.page.keyboard.press("z")
    until(tab.page, lambda: tab.sources[2] == "x + y")


def test_the_cursor_stays_in_its_text_while_the_cell_is_edited_around_it(tab: Tab) -> None:
    tab.cell("first").locator(".cm-content").click()
    tab.page.keyboard.press("Control+Home")
    tab.page.keyboard.press("ArrowDown")
    tab.page.keyboard.press("Shift+End")
    before = tab.place
    known = tab.client.call("read_cell", path=tab.path, cell_id="first").split("hash ")[1][:12]
    tab.client.call("replace_cell", path=tab.path, cell_id="first", source="x = 100\ny = 2\nz = 300", source_hash=known)
    assert tab.sources[0] == "x = 100\ny = 2\nz = 300"
    assert tab.place == before
    assert before["inside"]
    tab.page.keyboard.type("typed")
    assert tab.sources[0] == "x = 100\ntyped\nz = 300"


def test_typing_goes_on_while_other_cells_come_and_go(tab: Tab) -> None:
    tab.write_in("last", " ")
    cells = [{"cell_type": "code", "source": "1"}]
    for number in range(3):
        tab.page.keyboard.type(f"+ {number} ")
        tab.client.call("insert_cells", path=tab.path, cells=cells, before="first")
        assert (tab.place["active"], tab.place["mode"], tab.place["inside"]) == ("last", "edit", True)
    tab.client.call("delete_cells", path=tab.path, cell_ids=["words"])
    tab.page.keyboard.type("+ 3")
    assert tab.sources == ["1", "1", "1", FIRST, "x + y + 0 + 1 + 2 + 3"]


def test_a_cell_that_is_moved_takes_the_cursor_with_it(tab: Tab) -> None:
    tab.write_in("last", "  # a")
    tab.client.call("move_cell", path=tab.path, cell_id="last", before="first")
    until(tab.page, lambda: tab.place["inside"])
    tab.page.keyboard.type("b")
    until(tab.page, lambda: tab.sources == ["x + y  # ab", FIRST, "# Title"])


def test_what_is_in_sight_stays_there(open_tab: OpenTab) -> None:
    tab = open_tab(*(code(f"cell{number}", f"a{number}\nb\nc") for number in range(60)))
    tab.cell("cell0").locator(".jp-InputPrompt").click()
    seen = tab.cell("cell20")
    tab.page.mouse.move(700, 500)
    while not seen.is_visible() or (seen.bounding_box() or {"y": 1e9})["y"] > 700:
        tab.page.mouse.wheel(0, 150)
        tab.page.wait_for_timeout(100)
    before = seen.bounding_box()
    cells = [{"cell_type": "code", "source": "new\nnew\nnew"}] * 3
    tab.client.call("insert_cells", path=tab.path, cells=cells, before="cell0")
    tab.client.call("delete_cells", path=tab.path, cell_ids=["cell5"])
    assert before is not None
    until(tab.page, lambda: abs((seen.bounding_box() or {"y": -1e9})["y"] - before["y"]) <= 2, 5)
    assert tab.place["active"] == "cell0"


def test_a_shown_text_stays_shown_with_its_new_words(tab: Tab) -> None:
    tab.client.call("edit_cell", path=tab.path, cell_id="words", old="Title", new="Another title")
    expect(tab.cell("words").locator(".jp-RenderedMarkdown h1")).to_contain_text("Another title")
    expect(tab.cell("words").locator(".cm-content")).to_be_hidden()


def test_a_locked_cell_is_not_edited(open_tab: OpenTab) -> None:
    tab = open_tab(code("locked", "x = 1", editable=False, deletable=False))
    with pytest.raises(ToolFailed, match="editable"):
        tab.client.call("edit_cell", path=tab.path, cell_id="locked", old="1", new="2")
    with pytest.raises(ToolFailed, match="deletable"):
        tab.client.call("delete_cells", path=tab.path, cell_ids=["locked"])
    assert tab.sources == ["x = 1"]


def test_a_notebook_whose_cells_have_no_ids_is_edited_in_its_tab(open_tab: OpenTab) -> None:
    cells = [{key: value for key, value in code("", source).items() if key != "id"} for source in ("x = 1", "y = 2")]
    tab = open_tab(*cells, minor=4)
    tab.client.call("edit_cell", path=tab.path, cell_id=tab.ids[1], old="2", new="3")
    assert tab.saved == ["x = 1", "y = 3"]


def test_a_file_that_somebody_else_has_changed_is_not_overwritten(tab: Tab) -> None:
    write(tab.file, code("first", "theirs"))
    tab.client.call("edit_cell", path=tab.path, cell_id="last", old="x", new="z")
    assert tab.sources[2] == "z + y"
    assert tab.saved == ["theirs"]
    assert tab.dirty


def test_what_is_typed_while_the_edit_is_saved_is_not_taken_for_saved(tab: Tab) -> None:
    held: list[Route] = []
    tab.page.route("**/api/contents/**", lambda route: held.append(route))
    tab.write_in("last")
    begun = tab.client.begin("edit_cell", path=tab.path, cell_id="first", old="y = 2", new="y = 20")
    while not begun.done():
        if any(route.request.method == "PUT" for route in held):
            tab.page.keyboard.type("0")
        while held:
            held.pop().continue_()
        tab.page.wait_for_timeout(20)
    tab.page.unroute_all()
    assert "y = 20" in tab.saved[0]
    assert tab.sources[2].startswith("x + y0")
    assert tab.saved[2] == "x + y"
    assert tab.dirty


def test_what_is_edited_while_the_page_loads_the_notebook_is_in_it(tab: Tab) -> None:
    tab.close()
    until(tab.page, lambda: not tab.is_open)
    loads = re.compile(rf"/api/contents/{tab.path}\?.*content=1")

    def edited_behind_it(route: Route) -> None:
        loaded = route.fetch()
        tab.client.call("edit_cell", path=tab.path, cell_id="first", old="1", new="2")
        route.fulfill(response=loaded)

    tab.page.route(loads, edited_behind_it, times=1)
    tab.show()
    until(tab.page, lambda: tab.sources[0] == "x = 2\ny = 2\nz = 3")
    tab.client.call("edit_cell", path=tab.path, cell_id="last", old="y", new="z")
    assert tab.saved == tab.sources == ["x = 2\ny = 2\nz = 3", "# Title", "x + z"]
    tab.write_in("last", "0")
    tab.save()
    assert tab.saved[2] == "x + z0"
