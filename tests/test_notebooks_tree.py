"""The list of notebooks on real folders: what is shown, what is not, and that every change is seen."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from tornado.web import HTTPError

from jupyter_assistant.errors import InvalidInput, NotebookBusy, NotebookError, NotebookNotFound, PathRefused
from jupyter_assistant.notebooks import Notebooks
from jupyter_assistant.notebooks import tree as tree_module
from jupyter_assistant.notebooks.listing import Changes, Listing, matcher
from jupyter_assistant.notebooks.shelf import Shelf
from jupyter_assistant.notebooks.tree import Tree

LONG_AGO = 1_600_000_000.5


@pytest.fixture(params=[True, False], ids=["descriptors", "paths"])
def tree(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    jp_asyncio_loop: asyncio.AbstractEventLoop,
) -> Iterator[Tree]:
    """The tree below ``root``, on a system that opens folders and on one that does not."""
    monkeypatch.setattr(tree_module, "_BY_DESCRIPTOR", request.param and tree_module._BY_DESCRIPTOR)
    (tmp_path / "root").mkdir()
    tree = Tree(tmp_path / "root", allow_hidden=lambda: False, settled=0.1)
    yield tree
    jp_asyncio_loop.run_until_complete(tree.close())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def made(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("{}")


@pytest.fixture
def settle(root: Path) -> Callable[[], None]:
    """Waits until the file system's clock tells later changes from what is there, a twentieth of the usual time."""

    def settled() -> None:
        newest = max(max(found.st_mtime, found.st_ctime) for found in map(os.lstat, [root, *root.rglob("*")]))
        while time.time() <= newest + 0.1:
            time.sleep(0.01)

    return settled


def paths(listing: Listing) -> list[str]:
    return [entry.path for entry in listing.entries]


async def shown(tree: Tree, path: str = "", pattern: str = "*") -> list[str]:
    return paths(await tree.list(path, pattern))


# ---------------------------------------------------------------- what is listed


async def test_notebooks_are_listed_by_path_with_time_and_size(tree: Tree, root: Path) -> None:
    made(root, "b.ipynb", "a/z.ipynb", "a/b/c.ipynb", "notes.txt")
    os.utime(root / "b.ipynb", (LONG_AGO, LONG_AGO))
    listing = await tree.list()
    assert paths(listing) == ["a/b/c.ipynb", "a/z.ipynb", "b.ipynb"]
    assert (listing.total, listing.complete) == (3, True)
    assert (listing.entries[2].modified, listing.entries[2].size) == (LONG_AGO, 2)


async def test_a_folder_lists_what_is_below_it_under_paths_from_the_root(tree: Tree, root: Path) -> None:
    made(root, "a/x.ipynb", "a/b/y.ipynb", "ab/z.ipynb")
    for path in ("a", "a/", "./a", str(root / "a")):
        assert await shown(tree, path) == ["a/b/y.ipynb", "a/x.ipynb"]
    assert await shown(tree, str(root)) == await shown(tree, ".") == await shown(tree)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*sales*", ["2024/Sales.ipynb", "sales-old.ipynb", "sales/x.ipynb"]),
        ("sales", ["2024/Sales.ipynb", "sales-old.ipynb", "sales/x.ipynb"]),
        ("SALES.ipynb", ["2024/Sales.ipynb"]),
        ("sales*", ["2024/Sales.ipynb", "sales-old.ipynb", "sales/x.ipynb"]),
        ("2024/*", ["2024/Sales.ipynb", "2024/other.ipynb"]),
        ("?.ipynb", ["sales/x.ipynb"]),
        ("[xo]*", ["2024/other.ipynb", "sales/x.ipynb"]),
        ("", ["2024/Sales.ipynb", "2024/other.ipynb", "sales-old.ipynb", "sales/x.ipynb"]),
        ("nothing", []),
    ],
)
async def test_a_pattern_is_found_in_the_name_or_the_path(
    tree: Tree, root: Path, pattern: str, expected: list[str]
) -> None:
    made(root, "2024/Sales.ipynb", "2024/other.ipynb", "sales-old.ipynb", "sales/x.ipynb")
    assert await shown(tree, pattern=pattern) == expected


async def test_a_pattern_also_counts_from_the_folder_that_was_asked_for(tree: Tree, root: Path) -> None:
    made(root, "a/b/x.ipynb", "a/c/x.ipynb")
    assert await shown(tree, "a", "b/*") == await shown(tree, "a", "a/b/*") == ["a/b/x.ipynb"]


def test_accents_match_however_they_are_composed() -> None:
    assert matcher("*umsätze*")("Umsa\u0308tze.ipynb")


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_a_pattern(pattern: str, path: str) -> None:
    assert matcher(pattern)(path) in (True, False)


async def test_two_thousand_notebooks_come_in_pages(tree: Tree, root: Path) -> None:
    made(root, *(f"{n % 40:02}/{n:04}.ipynb" for n in range(2_000)))
    pages = [await tree.list(limit=300, offset=offset) for offset in range(0, 2_100, 300)]
    found = [path for page in pages for path in paths(page)]
    assert found == sorted(f"{n % 40:02}/{n:04}.ipynb" for n in range(2_000))
    assert {page.total for page in pages} == {2_000}
    assert (await tree.list(limit=5, offset=5_000)).entries == ()


# ---------------------------------------------------------------- what is not


async def test_hidden_files_folders_and_checkpoints_are_not_listed(tree: Tree, root: Path) -> None:
    made(root, "a.ipynb", ".a.ipynb", ".git/x.ipynb", "b/.c/x.ipynb", ".ipynb_checkpoints/a-checkpoint.ipynb")
    assert await shown(tree) == ["a.ipynb"]


async def test_where_hidden_files_are_allowed_checkpoints_and_saves_in_progress_still_are_not(tmp_path: Path) -> None:
    tree = Tree(tmp_path, allow_hidden=lambda: True)
    made(tmp_path, "a.ipynb", ".a.ipynb", ".b/c.ipynb", ".ipynb_checkpoints/a-checkpoint.ipynb", ".~a.ipynb")
    assert await shown(tree) == [".a.ipynb", ".b/c.ipynb", "a.ipynb"]
    await tree.close()


async def test_only_regular_files_are_notebooks(tree: Tree, root: Path) -> None:
    made(root, "a.ipynb", "folder.ipynb/b.ipynb")
    os.mkfifo(root / "pipe.ipynb")
    assert await shown(tree) == ["a.ipynb", "folder.ipynb/b.ipynb"]


async def test_names_that_no_path_can_hold_are_left_out(tree: Tree, root: Path) -> None:
    made(root, "a.ipynb", "new\nline.ipynb", "back\\slash.ipynb", os.fsdecode(b"\xff.ipynb"))
    assert await shown(tree) == ["a.ipynb"]


async def test_links_that_lead_out_of_the_root_are_not_followed(tree: Tree, root: Path, tmp_path: Path) -> None:
    made(tmp_path, "outside/secret.ipynb", "root-sibling/secret.ipynb")
    made(root, "a.ipynb")
    (root / "file.ipynb").symlink_to(tmp_path / "outside/secret.ipynb")
    (root / "folder").symlink_to(tmp_path / "outside")
    (root / "sibling").symlink_to(tmp_path / "root-sibling")
    (root / "dangling.ipynb").symlink_to(tmp_path / "nothing")
    assert await shown(tree) == ["a.ipynb"]
    assert [seen.path for seen in (await tree.changes({})).seen] == ["a.ipynb"]
    for path in ("folder", "sibling"):
        with pytest.raises(PathRefused):
            await tree.list(path)


async def test_links_inside_the_root_are_shown_once_and_loops_end(tree: Tree, root: Path) -> None:
    made(root, "data/a.ipynb", "work/b.ipynb", ".hidden/c.ipynb")
    (root / "work/loop").symlink_to(root)
    (root / "work/self").symlink_to(root / "work")
    (root / "data/there").symlink_to(root / "work")
    (root / "work/back").symlink_to(root / "data")
    (root / "round.ipynb").symlink_to("round.ipynb")
    (root / "link.ipynb").symlink_to("data/a.ipynb")
    (root / "shy.ipynb").symlink_to(".hidden/c.ipynb")
    assert await shown(tree) == ["data/a.ipynb", "link.ipynb", "work/b.ipynb"]
    assert await shown(tree, "work") == ["work/b.ipynb", "work/back/a.ipynb"]
    assert await shown(tree, "data/there") == ["data/there/b.ipynb", "data/there/back/a.ipynb"]
    assert sorted(seen.path for seen in (await tree.changes({})).seen) == ["data/a.ipynb", "work/b.ipynb"]


async def test_what_is_listed_can_be_opened(tmp_path: Path) -> None:
    made(tmp_path, "a.ipynb", "b/Größe ½ 数.ipynb", "b/%2e%2e.ipynb", "c d/~.ipynb", "x..ipynb/y.ipynb")
    (tmp_path / "link.ipynb").symlink_to("a.ipynb")
    manager = AsyncLargeFileManager(root_dir=str(tmp_path))
    notebooks = Notebooks(manager, root_dir=tmp_path, log=logging.getLogger("test"))
    listing = await notebooks.list()
    assert listing.total == 6
    assert [(await notebooks.open(entry.path)).path for entry in listing.entries] == paths(listing)
    await notebooks.close()


# ---------------------------------------------------------------- what changes


async def test_a_remembered_folder_shows_every_change(tree: Tree, root: Path, settle: Callable[[], None]) -> None:
    made(root, "a/x.ipynb", "a/y.ipynb")
    settle()
    await tree.list()
    before = {seen.path: seen.stamp for seen in (await tree.changes({})).seen}
    made(root, "a/new.ipynb")
    (root / "a/x.ipynb").rename(root / "a/renamed.ipynb")
    assert await shown(tree) == ["a/new.ipynb", "a/renamed.ipynb", "a/y.ipynb"]
    changes = await tree.changes(before)
    assert sorted(seen.path for seen in changes.seen) == ["a/new.ipynb", "a/renamed.ipynb"]
    assert changes.gone == ("a/x.ipynb",)
    settle()
    await tree.list()
    (root / "a").rename(root / "b")
    assert await shown(tree) == ["b/new.ipynb", "b/renamed.ipynb", "b/y.ipynb"]


async def test_a_settled_folder_is_not_read_again(tree: Tree, root: Path, settle: Callable[[], None]) -> None:
    made(root, "a.ipynb")
    settle()
    await tree.list()
    remembered = {key: id(kept) for key, kept in tree._kept.items()}
    assert await shown(tree) == ["a.ipynb"]
    assert {key: id(kept) for key, kept in tree._kept.items()} == remembered
    assert bool(remembered) is tree_module._BY_DESCRIPTOR


async def test_a_file_written_in_place_shows_its_new_size_and_is_changed(
    tree: Tree, root: Path, settle: Callable[[], None]
) -> None:
    made(root, "a.ipynb")
    settle()
    known = {seen.path: seen.stamp for seen in (await tree.changes({})).seen}
    assert (await tree.changes(known)).seen == ()
    (root / "a.ipynb").write_text("longer")
    assert (await tree.list()).entries[0].size == 6
    assert [seen.path for seen in (await tree.changes(known)).seen] == ["a.ipynb"]


async def test_a_quick_look_sees_all_that_touches_a_folder(tree: Tree, root: Path, settle: Callable[[], None]) -> None:
    made(root, "a/x.ipynb", "a/y.ipynb", "b/z.ipynb")
    settle()
    known = {seen.path: seen.stamp for seen in (await tree.changes({})).seen}
    assert await tree.changes(known, quick=True) == Changes((), ())
    made(root, "a/new.ipynb", "beside.tmp")
    (root / "beside.tmp").replace(root / "a/x.ipynb")
    (root / "a/y.ipynb").unlink()
    for _ in range(2):
        changes = await tree.changes(known, quick=True)
        assert sorted(seen.path for seen in changes.seen) == ["a/new.ipynb", "a/x.ipynb"]
        assert changes.gone == ("a/y.ipynb",)
    settle()
    known |= {seen.path: seen.stamp for seen in (await tree.changes(known, quick=True)).seen}
    (root / "b/z.ipynb").write_text("longer")
    seen = [seen.path for seen in (await tree.changes(known, quick=True)).seen]
    assert seen == ([] if tree_module._BY_DESCRIPTOR else ["b/z.ipynb"])
    assert [seen.path for seen in (await tree.changes(known)).seen] == ["b/z.ipynb"]


async def test_a_quick_look_sees_what_is_not_known_at_all(tree: Tree, root: Path, settle: Callable[[], None]) -> None:
    made(root, "a/x.ipynb", "a/y.ipynb")
    settle()
    await tree.changes({})
    assert "a/y.ipynb" in [seen.path for seen in (await tree.changes({"a/x.ipynb": (1,)}, quick=True)).seen]


async def test_a_file_that_turns_into_a_link_is_seen_as_one(
    tree: Tree, root: Path, tmp_path: Path, settle: Callable[[], None]
) -> None:
    made(root, "a.ipynb")
    made(tmp_path, "secret.ipynb")
    settle()
    assert await shown(tree) == ["a.ipynb"]
    (root / "a.ipynb").unlink()
    (root / "a.ipynb").symlink_to(tmp_path / "secret.ipynb")
    assert await shown(tree) == []


async def test_what_changed_just_now_has_no_certain_stamp(tree: Tree, root: Path) -> None:
    made(root, "a.ipynb")
    assert [seen.stamp for seen in (await tree.changes({})).seen] == [()]


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    "path",
    ["..", "a/../..", "/etc", "~/x", "C:/x", "a\\b", "a\0", ".hidden", "a/.b", "../root-sibling", "x" * 5_000, "//etc"],
)
async def test_paths_outside_or_hidden_are_refused(tree: Tree, root: Path, path: str) -> None:
    (root / ".hidden").mkdir()
    (root / "a/.b").mkdir(parents=True)
    with pytest.raises(PathRefused) as refused:
        await tree.list(path)
    assert str(root) not in refused.value.text + refused.value.hint


@pytest.mark.parametrize("path", ["nothing", "a/b/c", "%2e%2e", "file.txt", "x" * 300])
async def test_a_missing_folder_is_said_with_what_to_do(tree: Tree, root: Path, path: str) -> None:
    made(root, "file.txt")
    with pytest.raises(NotebookError) as missing:
        await tree.list(path)
    assert isinstance(missing.value, NotebookNotFound | PathRefused)
    assert missing.value.hint
    assert str(root) not in missing.value.text


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (-1, 0), (1_001, 0), (10, -1)])
async def test_a_page_that_cannot_be_is_refused(tree: Tree, limit: int, offset: int) -> None:
    with pytest.raises(InvalidInput):
        await tree.list(limit=limit, offset=offset)


async def test_a_closed_tree_leaves_no_thread_and_says_so(tmp_path: Path) -> None:
    tree = Tree(tmp_path, allow_hidden=lambda: False)
    await tree.list()
    await tree.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("assistant-tree")]
    with pytest.raises(NotebookBusy):
        await tree.list()


async def test_no_descriptor_is_left_open(tree: Tree, root: Path) -> None:
    made(root, *(f"{n}/{n}/x.ipynb" for n in range(20)))
    (root / "link").symlink_to("0")
    await tree.list()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        await tree.list()
        await tree.list("0/0")
        with pytest.raises(NotebookNotFound):
            await tree.list("nothing")
    assert len(os.listdir("/proc/self/fd")) == before


# ---------------------------------------------------------------- another contents manager


class Cupboard:
    """A contents manager without files, synchronous as many are; folders are dictionaries."""

    allow_hidden = False

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content
        self.asked = 0

    def get(self, path: str, content: bool = True, type: str | None = None) -> dict[str, Any]:
        self.asked += 1
        found: Any = self.content
        for part in filter(None, path.split("/")):
            found = found.get(part)
            if not isinstance(found, dict):
                raise HTTPError(404, "No such folder: /home/me/secret")
        children = [self._model(f"{path}/{name}".strip("/"), child) for name, child in found.items()]
        return {"type": "directory", "path": path, "content": children}

    def _model(self, path: str, child: Any) -> dict[str, Any]:
        kind = "directory" if isinstance(child, dict) else "notebook"
        size = None if isinstance(child, dict) else child
        return {"path": path, "type": kind, "last_modified": "2020-09-13T12:26:40Z", "size": size}


async def test_another_manager_is_asked_through_its_api() -> None:
    cupboard = Cupboard({"b.ipynb": 5, ".h": {"x.ipynb": 1}, "a": {"c.ipynb": 7, "d.txt": 1}})
    found = await Shelf(cupboard).list()
    assert [(entry.path, entry.modified, entry.size) for entry in found.entries] == [
        ("a/c.ipynb", 1_600_000_000.0, 7),
        ("b.ipynb", 1_600_000_000.0, 5),
    ]
    assert paths(await Shelf(cupboard).list("a")) == ["a/c.ipynb"]
    for path, error in (("nothing", NotebookNotFound), ("..", PathRefused), (".h", PathRefused)):
        with pytest.raises(error) as refused:
            await Shelf(cupboard).list(path)
        assert "secret" not in refused.value.text


async def test_an_endless_manager_ends_and_says_that_it_is_not_all() -> None:
    endless: dict[str, Any] = {"x.ipynb": 1}
    endless["deeper"] = endless
    cupboard = Cupboard(endless)
    shelf = Shelf(cupboard, max_folders=20)
    found = await shelf.list()
    assert (cupboard.asked, found.total, found.complete) == (20, 20, False)
    assert (await shelf.changes({"gone.ipynb": (1,)})).gone == ()


async def test_listings_at_once_do_not_disturb_each_other(tree: Tree, root: Path) -> None:
    made(root, *(f"{n}/x.ipynb" for n in range(50)))
    found = await asyncio.gather(*(tree.list(str(n)) for n in range(50)))
    assert [paths(listing) for listing in found] == [[f"{n}/x.ipynb"] for n in range(50)]
