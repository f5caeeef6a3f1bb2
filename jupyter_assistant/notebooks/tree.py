"""Which notebooks there are below the server's root: listed for a person, and watched for the search index.

The law: what is listed can be opened. Only regular files, never a hidden one, never what lies outside the root: a
folder is entered by its descriptor and never through a link, and a link is resolved first and listed only if it ends
inside. Nothing here runs on the event loop. A folder's names are kept while its times stay as they are, since every
name that comes, goes or changes its kind touches them; a file's own times are always asked again, but for
a ``quick`` look, which is content with the folders: Jupyter's saves and ours, and all that replace a file, touch them.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import stat
import time
from collections.abc import Callable, Container, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..errors import NotebookBusy, NotebookNotFound, PathRefused
from .listing import Changes, Sighting, Stamp, folder_path, matcher, page_of
from .listing import Entry as Entry
from .listing import Listing as Listing
from .paths import relative, translated

T = TypeVar("T")

Handle = int | str
"""An open folder: its descriptor, or its path where the system opens none (Windows)."""

Key = tuple[int, int, bool]
"""Device and inode of a folder, and whether hidden names are shown."""

MAX_DEPTH = 100
SETTLED = 2.0
"""Seconds after which any further change shows in a file's or folder's times, also on coarse file systems."""

_CHECKPOINTS = ".ipynb_checkpoints"
_SAVING = ".~"
_UNNAMEABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\\\\]")
_BY_DESCRIPTOR = {os.open, os.stat} <= os.supports_dir_fd and os.scandir in os.supports_fd
_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_MAY_BE_FLAGGED = hasattr(os.stat_result, "st_flags") or hasattr(os.stat_result, "st_file_attributes")
_WINDOWS_HIDDEN = 2


# ---------------------------------------------------------------- the tree


@dataclass(frozen=True, slots=True)
class Names:
    """What a folder holds, by kind, each sorted: notebooks, folders, and links, which may be either."""

    notebooks: tuple[str, ...]
    folders: tuple[str, ...]
    links: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Folder:
    """An open folder: the paths it is shown under and really has (both "" or ending in ``/``), and what it holds.

    ``times`` are empty where it has changed so lately that it may still change unseen.
    """

    shown: str
    real: str
    handle: Handle
    key: Key
    times: tuple[int, ...]
    names: Names


class Tree:
    """The notebooks below ``root``, walked in a thread of its own, one walk at a time."""

    def __init__(self, root: Path, *, allow_hidden: Callable[[], bool], settled: float = SETTLED) -> None:
        self._root = root
        self._settled = settled
        self._allow_hidden = allow_hidden
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="assistant-tree")
        self._closed = False
        self._kept: dict[Key, tuple[tuple[int, int], Names]] = {}
        self._compared_at: dict[Key, tuple[int, ...]] = {}
        """The times of folders when all their files were compared."""

    async def list(self, path: str = "", pattern: str = "*", limit: int = 100, offset: int = 0) -> Listing:
        """The notebooks below the folder ``path`` that match (see ``matcher``), by path.

        Raises ``PathRefused``, ``NotebookNotFound``, ``InvalidInput``.
        """
        page_of(limit, offset)
        below = folder_path(path, self._root)
        return await self._in_thread(lambda: self._listed(below, matcher(pattern, below), limit, offset))

    async def changes(self, known: Mapping[str, Stamp], *, quick: bool = False) -> Changes:
        """What of the whole tree is not as ``known`` says; each notebook once, under its real path.

        ``quick``: in a folder that has not changed since the last call, only what is not known at all.
        """
        return await self._in_thread(lambda: self._compared(known, quick))

    async def place(self, path: str) -> str:
        """Where the folder or notebook ``path`` really is; raises ``PathRefused``, ``NotebookNotFound``."""
        named = relative(path, self._root) if path.endswith(".ipynb") else folder_path(path, self._root)
        return await self._in_thread(lambda: Walk(self, self._allow_hidden()).resolved(named))

    async def close(self) -> None:
        """End the walk that runs, and its thread."""
        self._closed = True
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)
        self._kept.clear()
        self._compared_at.clear()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._closed:
            raise NotebookBusy("The server is stopping.")
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    # ------------------------------------------------------------ in the thread

    def _listed(self, below: str, wanted: Callable[[str], bool], limit: int, offset: int) -> Listing:
        walk = Walk(self, self._allow_hidden())
        found: dict[str, str] = {}
        for folder in walk.folders(below):
            found.update((folder.shown + name, folder.real + name) for name in folder.names.notebooks)
            found.update(walk.linked_notebooks(folder))
        paths = sorted(filter(wanted, found))
        entries = (walk.entry(path, found[path]) for path in paths[offset : offset + limit])
        return Listing(tuple(filter(None, entries)), len(paths))

    def _compared(self, known: Mapping[str, Stamp], quick: bool) -> Changes:
        walk = Walk(self, self._allow_hidden())
        settled = time.time() - self._settled
        paths: set[str] = set()
        changed: list[Sighting] = []
        compared: dict[Key, tuple[int, ...]] = {}
        for folder in walk.folders(""):
            is_as_it_was = quick and bool(folder.times) and self._compared_at.get(folder.key) == folder.times
            skipped = known if is_as_it_was else {}
            differing = [_sighting(*seen, settled) for seen in walk.files(folder, paths, known, skipped)]
            if all(seen.stamp for seen in differing):
                compared[folder.key] = folder.times
            changed += differing
        self._kept = {key: value for key, value in self._kept.items() if key in walk.used}
        self._compared_at = compared
        return Changes(tuple(changed), tuple(known.keys() - paths) if known else ())

    def folder(self, shown: str, real: str, handle: Handle, walk: Walk) -> Folder:
        """What the open folder holds, from memory where its times tell that nothing has changed; raises ``OSError``."""
        if self._closed:
            raise NotebookBusy("The server is stopping.")
        found = os.stat(handle)
        key = found.st_dev, found.st_ino, walk.allow_hidden
        times = found.st_mtime_ns, found.st_ctime_ns
        kept = self._kept.get(key)
        walk.used.add(key)
        if kept and kept[0] == times:
            return Folder(shown, real, handle, key, times, kept[1])
        is_settled = max(times) / 1e9 < time.time() - self._settled and _BY_DESCRIPTOR
        names = _scanned(handle, walk.allow_hidden)
        if is_settled:
            self._kept[key] = times, names
        return Folder(shown, real, handle, key, times if is_settled else (), names)


def _stamp(found: os.stat_result) -> Stamp:
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _sighting(path: str, found: os.stat_result, settled: float) -> Sighting:
    stamp = _stamp(found)
    certain = max(found.st_mtime, found.st_ctime) < settled
    return Sighting(path, stamp if certain else (), found.st_mtime, found.st_size)


# ---------------------------------------------------------------- one walk


class Walk:
    """One walk of the tree: the same folder is entered once, whatever links lead to it."""

    def __init__(self, tree: Tree, allow_hidden: bool) -> None:
        self.allow_hidden = allow_hidden
        self.used: set[Key] = set()
        self._tree = tree
        self._base = os.path.realpath(tree._root)
        self._start = ""
        self._visited: set[str] = set()

    def folders(self, below: str) -> Iterator[Folder]:
        """Every folder from ``below`` on, in no order that matters; raises ``PathRefused``, ``NotebookNotFound``."""
        self._start = self.resolved(below)
        try:
            handle = self._opened(self._start)
        except OSError as error:
            if isinstance(translated(error, ""), NotebookNotFound):
                raise _no_folder(below) from None
            raise translated(error, below or "The root folder") from None
        yield from self._entered(_slashed(below), _slashed(self._start), handle, MAX_DEPTH)

    def resolved(self, path: str) -> str:
        """The real path of one that ends inside, both relative; raises ``PathRefused``, ``NotebookNotFound``."""
        try:
            real = os.path.realpath(os.path.join(self._base, path), strict=True)
        except OSError as error:
            if isinstance(translated(error, ""), NotebookNotFound):
                raise _no_folder(path) from None
            raise translated(error, path) from None
        inside = self._inside(real)
        if inside is None or (self._hides(path) or self._hides(inside)):
            raise PathRefused("The folder is hidden, or a link that leads out of the server's root folder.")
        return inside

    def linked_notebooks(self, folder: Folder) -> Iterator[tuple[str, str]]:
        """The links to notebooks in the folder: where each is shown, and where its file is."""
        for name in folder.names.links:
            if name.endswith(".ipynb") and (real := self._target(folder.real + name)) and self._seen(real):
                yield folder.shown + name, real

    def files(
        self, folder: Folder, paths: set[str], known: Mapping[str, Stamp], skipped: Container[str]
    ) -> Iterator[tuple[str, os.stat_result]]:
        """The notebooks of the folder that are not as ``known`` says and not ``skipped``; all go into ``paths``.

        Of links, those whose file no walk meets by its own name.
        """
        handle, shown = folder.handle, folder.shown
        for name in folder.names.notebooks:
            path = shown + name
            if path not in skipped:
                try:
                    found = _status(handle, name)
                except OSError:
                    continue
                if known.get(path) != _stamp(found):
                    if not stat.S_ISREG(found.st_mode):
                        continue
                    yield path, found
            paths.add(path)
        for path, real in self.linked_notebooks(folder):
            if not real.endswith(".ipynb") and (seen := self._seen(real)):
                paths.add(path)
                if known.get(path) != _stamp(seen):
                    yield path, seen

    def entry(self, path: str, real: str) -> Entry | None:
        """The notebook as it is now; None if it has just gone."""
        found = self._seen(real)
        return Entry(path, found.st_mtime, found.st_size) if found else None

    # ------------------------------------------------------------ folders

    def _entered(self, shown: str, real: str, handle: Handle, depth: int) -> Iterator[Folder]:
        try:
            try:
                folder = self._tree.folder(shown, real, handle, self)
            except OSError:
                return
            self._visited.add(real)
            yield folder
            if depth:
                yield from self._below(folder, depth - 1)
        finally:
            _close(handle)

    def _below(self, folder: Folder, depth: int) -> Iterator[Folder]:
        for name in folder.names.folders:
            real = f"{folder.real}{name}/"
            if real not in self._visited and (handle := _tried(_step, folder.handle, name)) is not None:
                yield from self._entered(f"{folder.shown}{name}/", real, handle, depth)
        for name in folder.names.links:
            target = self._target(folder.real + name)
            if target and self._is_elsewhere(target) and (handle := _tried(self._opened, target)) is not None:
                yield from self._entered(f"{folder.shown}{name}/", f"{target}/", handle, depth)

    def _is_elsewhere(self, real: str) -> bool:
        """Whether a linked folder is neither met on this walk anyway nor one that holds the folder we started from."""
        here, start = f"{real}/", _slashed(self._start)
        return here not in self._visited and not here.startswith(start) and not start.startswith(here)

    def _opened(self, real: str) -> Handle:
        """The folder at ``real``, opened part by part so that no link is followed; raises ``OSError``."""
        handle: Handle = os.open(self._base, _FLAGS) if _BY_DESCRIPTOR else self._base
        for part in filter(None, real.split("/")):
            try:
                deeper = _step(handle, part)
            finally:
                _close(handle)
            handle = deeper
        return handle

    # ------------------------------------------------------------ files and links

    def _seen(self, real: str) -> os.stat_result | None:
        """The regular file at ``real`` as it is now."""
        folder, _, name = real.rpartition("/")
        try:
            handle = self._opened(folder)
        except OSError:
            return None
        try:
            found = _status(handle, name)
        except OSError:
            return None
        finally:
            _close(handle)
        return found if stat.S_ISREG(found.st_mode) else None

    def _target(self, link: str) -> str | None:
        """Where a link really leads, if that is inside the root and not hidden."""
        try:
            inside = self._inside(os.path.realpath(os.path.join(self._base, link), strict=True))
        except OSError:
            return None
        return inside if inside and not self._hides(inside) else None

    def _inside(self, real: str) -> str | None:
        if not Path(real).is_relative_to(self._base):
            return None
        inside = Path(real).relative_to(self._base).as_posix()
        return "" if inside == "." else inside

    def _hides(self, path: str) -> bool:
        parts = path.split("/")
        return _CHECKPOINTS in parts or (not self.allow_hidden and any(part.startswith(".") for part in parts))


def _no_folder(path: str) -> NotebookNotFound:
    return NotebookNotFound(
        f"There is no folder {path}." if path else "The server's root folder is gone.",
        "List all notebooks with an empty path to see which folders there are.",
    )


def _slashed(path: str) -> str:
    return f"{path}/" if path else ""


# ---------------------------------------------------------------- the system


def _scanned(handle: Handle, allow_hidden: bool) -> Names:
    notebooks, folders, links = [], [], []
    with os.scandir(handle) as found:
        for entry in found:
            name = entry.name
            is_notebook = name.endswith(".ipynb")
            if not _is_shown(name, allow_hidden) or (not is_notebook and entry.is_file(follow_symlinks=False)):
                continue
            if _MAY_BE_FLAGGED and not allow_hidden and _is_flagged(entry):
                continue
            if entry.is_symlink():
                links.append(name)
            elif entry.is_dir(follow_symlinks=False):
                folders.append(name)
            elif is_notebook and entry.is_file(follow_symlinks=False):
                notebooks.append(name)
    return Names(tuple(notebooks), tuple(sorted(folders)), tuple(sorted(links)))


def _is_shown(name: str, allow_hidden: bool) -> bool:
    """Whether a name can be part of a notebook's path."""
    if name.startswith(".") and (not allow_hidden or name == _CHECKPOINTS or name.startswith(_SAVING)):
        return False
    return not _UNNAMEABLE.search(name)


def _is_flagged(entry: os.DirEntry[str]) -> bool:
    try:
        found = entry.stat(follow_symlinks=False)
    except OSError:
        return True
    flags, attributes = getattr(found, "st_flags", 0), getattr(found, "st_file_attributes", 0)
    return bool(flags & stat.UF_HIDDEN or attributes & _WINDOWS_HIDDEN)


def _step(folder: Handle, name: str) -> Handle:
    """A folder inside an open one; raises ``OSError``, also for a link."""
    if isinstance(folder, int):
        return os.open(name, _FLAGS, dir_fd=folder)
    path = os.path.join(folder, name)
    if not stat.S_ISDIR(os.lstat(path).st_mode):
        raise NotADirectoryError(errno.ENOTDIR, "no folder")
    return path


def _status(folder: Handle, name: str) -> os.stat_result:
    if isinstance(folder, int):
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    return os.lstat(os.path.join(folder, name))


def _tried(opening: Callable[..., Handle], *what: object) -> Handle | None:
    try:
        return opening(*what)
    except OSError:
        return None


def _close(handle: Handle) -> None:
    if isinstance(handle, int):
        os.close(handle)
