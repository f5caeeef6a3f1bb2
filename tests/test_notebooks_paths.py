"""Paths: what a path may name, whoever says it, and what it never opens."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from jupyter_assistant.errors import NotebookError, NotebookNotFound, NotebookUnreadable, PathRefused
from jupyter_assistant.notebooks.paths import open_below, relative


def opened(root: Path, path: str, *, allow_hidden: bool = False) -> bytes:
    descriptor, _ = open_below(root, relative(path, root), allow_hidden=allow_hidden)
    with open(descriptor, "rb") as file:
        return file.read()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with a notebook at every kind of place, and things outside it that must stay unread."""
    root = tmp_path / "root"
    for folder in (root / "sub", root / ".git", root / ".ipynb_checkpoints", tmp_path / "root-sibling"):
        folder.mkdir(parents=True)
    for place in ("a.ipynb", "sub/b.ipynb", ".hidden.ipynb", ".git/c.ipynb", ".ipynb_checkpoints/a.ipynb", "notes.txt"):
        (root / place).write_text(place)
    (tmp_path / "secret.ipynb").write_text("secret")
    (tmp_path / "root-sibling" / "x.ipynb").write_text("secret")
    (root / "folder.ipynb").mkdir()
    os.mkfifo(root / "pipe.ipynb")
    (root / "device.ipynb").symlink_to("/dev/zero")
    (root / "out.ipynb").symlink_to(tmp_path / "secret.ipynb")
    (root / "away").symlink_to(tmp_path / "root-sibling")
    (root / "loop.ipynb").symlink_to(root / "loop.ipynb")
    (root / "dangling.ipynb").symlink_to(root / "gone.ipynb")
    (root / "masked.ipynb").symlink_to(root / ".hidden.ipynb")
    (root / "link.ipynb").symlink_to("a.ipynb")
    return root


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.ipynb", "a.ipynb"),
        ("sub/b.ipynb", "sub/b.ipynb"),
        ("./sub//b.ipynb", "sub/b.ipynb"),
        ("a.ipynb/", "a.ipynb"),
        ("link.ipynb", "a.ipynb"),
    ],
)
def test_a_notebook_below_the_root_is_opened(root: Path, path: str, found: str) -> None:
    assert opened(root, path) == found.encode()


def test_an_absolute_path_inside_the_root_is_the_relative_one(root: Path) -> None:
    assert relative(str(root / "sub" / "b.ipynb"), root) == "sub/b.ipynb"


def test_an_absolute_path_inside_a_root_that_is_a_link_is_accepted(root: Path) -> None:
    link = root.parent / "link"
    link.symlink_to(root)
    assert relative(str(root / "a.ipynb"), link) == relative(str(link / "a.ipynb"), link) == "a.ipynb"
    assert opened(link, "a.ipynb") == b"a.ipynb"


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "/",
        "..",
        "../secret.ipynb",
        "sub/../../secret.ipynb",
        "sub/../a.ipynb",
        "/etc/passwd",
        "/a.ipynb",
        "//a.ipynb",
        "..%2fsecret.ipynb",
        "..\\secret.ipynb",
        "sub\\b.ipynb",
        "\\\\host\\share\\x.ipynb",
        "C:\\x.ipynb",
        "C:/x.ipynb",
        "~/a.ipynb",
        "a.ipynb\x00",
        "a\n.ipynb",
        "a\r.ipynb",
        "a\x85.ipynb",
        "\ud800.ipynb",
        "notes.txt",
        "a.ipynb.",
        "a.ipynb ",
        "a.IPYNB",
        "sub",
        "a" * 5_000 + ".ipynb",
        "a" * 300 + ".ipynb",
        "out.ipynb",
        "away/x.ipynb",
        "loop.ipynb",
        "device.ipynb",
        "pipe.ipynb",
        "folder.ipynb",
        ".hidden.ipynb",
        ".git/c.ipynb",
        ".git/missing.ipynb",
        ".ipynb_checkpoints/a.ipynb",
        "masked.ipynb",
    ],
)
def test_a_path_that_is_no_visible_notebook_below_the_root_is_refused(root: Path, path: str) -> None:
    with pytest.raises(PathRefused) as refused:
        opened(root, path)
    assert refused.value.hint
    assert str(root) not in refused.value.text


@pytest.mark.parametrize("place", ["secret.ipynb", "root-sibling/x.ipynb", "root/../secret.ipynb", "root"])
def test_an_absolute_path_outside_the_root_is_refused_without_naming_it(root: Path, place: str) -> None:
    with pytest.raises(PathRefused) as refused:
        opened(root, f"{root.parent}/{place}")
    assert str(root.parent) not in refused.value.text


@pytest.mark.parametrize(
    "path",
    [
        "missing.ipynb",
        "missing/a.ipynb",
        "a.ipynb/b.ipynb",
        "%2e%2e/secret.ipynb",
        "%252e%252e/secret.ipynb",
        "．．/secret.ipynb",
        "~root/a.ipynb",
        "a\u202ebynp.ipynb",
        "sub /b.ipynb",
        "sub./b.ipynb",
        "dangling.ipynb",
        "e\u0301.ipynb",
    ],
)
def test_a_name_is_taken_literally_and_is_not_there(root: Path, path: str) -> None:
    with pytest.raises(NotebookNotFound) as missing:
        opened(root, path)
    assert str(root) not in missing.value.text


@pytest.mark.parametrize("path", [".hidden.ipynb", ".git/c.ipynb", "masked.ipynb"])
def test_hidden_files_are_opened_where_the_server_allows_them(root: Path, path: str) -> None:
    assert opened(root, path, allow_hidden=True)


def test_names_that_only_look_alike_are_two_files(root: Path) -> None:
    for name in ("e\u0301.ipynb", "\u00e9.ipynb", "10:30.ipynb", "~backup.ipynb", "100%.ipynb"):
        (root / name).write_text(name)
        assert opened(root, name) == name.encode()


def test_a_root_below_a_hidden_folder_hides_nothing(tmp_path: Path) -> None:
    root = tmp_path / ".home" / "work"
    root.mkdir(parents=True)
    (root / "a.ipynb").write_text("a")
    assert opened(root, "a.ipynb") == b"a"


def swap_with_a_link(root: Path, target: Path) -> None:
    (root / "sub").rename(root / "sub-before")
    (root / "sub").symlink_to(target)


@pytest.mark.parametrize("rounds", [300])
def test_a_folder_swapped_for_a_link_while_it_is_opened_never_leads_outside(root: Path, rounds: int) -> None:
    outside = root.parent / "root-sibling"
    (outside / "b.ipynb").write_text("secret")
    stop = threading.Event()

    def swapping() -> None:
        while not stop.is_set():
            swap_with_a_link(root, outside)
            (root / "sub").unlink()
            (root / "sub-before").rename(root / "sub")

    thread = threading.Thread(target=swapping)
    thread.start()
    try:
        seen = {read_or_error(root, "sub/b.ipynb") for _ in range(rounds)}
    finally:
        stop.set()
        thread.join()
    assert seen <= {"sub/b.ipynb", "path_refused", "notebook_not_found"}


def read_or_error(root: Path, path: str) -> str:
    try:
        return opened(root, path).decode()
    except NotebookError as error:
        return error.code


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_says_so(root: Path) -> None:
    (root / "a.ipynb").chmod(0)
    with pytest.raises(NotebookUnreadable, match="may not be read"):
        opened(root, "a.ipynb")


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
@pytest.mark.parametrize("path", ["folder.ipynb", "pipe.ipynb", "sub/missing.ipynb", "out.ipynb", "loop.ipynb"])
def test_a_refusal_leaves_no_file_open(root: Path, path: str) -> None:
    count = len(descriptors())
    for _ in range(5):
        with pytest.raises(NotebookError):
            opened(root, path)
    assert len(descriptors()) == count
