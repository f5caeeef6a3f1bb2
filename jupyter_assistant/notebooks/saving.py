"""A notebook file replaced: the new content lies beside it until it is whole, then takes its place in one step.

The law: whatever ends this (an error, a full disk, ``kill -9``), the notebook is the old one or the new one. Where a
file cannot be replaced (a second hard link, a mount of its own, a folder that may not be written) it is written as
Jupyter Server does: a copy ``.~name`` aside, then in place. Links are not followed, owner and mode stay.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from ..errors import NotebookBusy, NotebookError, NotebookExists, SaveFailed
from .paths import folder_below, translated
from .rewriting import contents, write
from .state import STALE, State, Unsettled, is_saving

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_WRITE = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_NO_PLACE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_NO_RENAME = frozenset({errno.EBUSY, errno.EXDEV, errno.EACCES, errno.EPERM})
_FULL = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
PREFIX, SUFFIX = ".assistant-", ".tmp"
LEFT_BEHIND = 3_600.0
"""Seconds after which a new content that took no place was left by a crash."""


class Place:
    """Where a notebook lies: its folder, held open, and its name in it."""

    def __init__(self, root: Path, path: str, *, allow_hidden: bool, new: bool = False) -> None:
        self.path = path
        self._folder, self.real = folder_below(root, path, allow_hidden=allow_hidden, new=new)
        self.name = self.real.name

    def open(self, name: str, flags: int, mode: int = 0o600) -> int:
        return os.open(self._at(name), flags, mode, dir_fd=self._folder)

    def stat(self, name: str) -> os.stat_result:
        return os.stat(self._at(name), dir_fd=self._folder, follow_symlinks=False)

    def rename(self, source: str, target: str) -> None:
        os.replace(self._at(source), self._at(target), src_dir_fd=self._folder, dst_dir_fd=self._folder)

    def link(self, source: str, target: str) -> None:
        os.link(self._at(source), self._at(target), src_dir_fd=self._folder, dst_dir_fd=self._folder)

    def remove(self, name: str) -> None:
        with suppress(OSError):
            os.unlink(self._at(name), dir_fd=self._folder)

    def settle(self) -> None:
        """The folder's own entries onto the disk, where the platform can."""
        with suppress(OSError):
            folder = self.open(".", _FOLDER)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def tidy(self) -> None:
        """Remove what a crash left here of us, if any."""
        with suppress(OSError):
            for entry in os.scandir(self.real.parent):
                ours = entry.name.startswith(PREFIX) and entry.name.endswith(SUFFIX)
                if ours and time.time() - entry.stat(follow_symlinks=False).st_mtime > LEFT_BEHIND:
                    self.remove(entry.name)

    def close(self) -> None:
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None

    def _at(self, name: str) -> str:
        return name if self._folder is not None else str(self.real.with_name(name))


class Draft:
    """The new content of a notebook that is there: write it to ``descriptor``, then ``commit``; always ``close``."""

    def __init__(self, root: Path, path: str, *, allow_hidden: bool, new: bool = False, stale: float = STALE) -> None:
        self.place = Place(root, path, allow_hidden=allow_hidden, new=new)
        self._stale = stale
        self.descriptor = -1
        self._time = 0
        self._beside: str | None = None
        self._target = -1
        try:
            if not new:
                self._target = self._writable()
            self.descriptor = self._started()
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise failed(error, path) from None
            raise

    def commit(self, before: State, free: bool) -> State:
        """Take the place of the file, which must still be in ``before`` and be ``free``: not in the middle of a save.

        Raises ``Unsettled`` where it is not, ``SaveFailed``. ``Place.settle`` is left to the caller: it may take long.
        """
        place = self.place
        if not free or is_saving(place.real, before, self._stale):
            raise Unsettled(NotebookBusy(f"{place.path} is being saved."))
        self._stamp(self.descriptor)
        try:
            if State.from_stat(place.stat(place.name)) != before or State.of(self._target) != before:
                raise self._disturbed()
        except OSError as error:
            raise translated(error, place.path) from None
        try:
            is_alone = os.fstat(self._target).st_nlink == 1
            written = self._replaced(before) if self._beside and is_alone else self._in_place()
        except OSError as error:
            raise failed(error, place.path) from None
        return State.of(written)

    def is_only(self, state: State) -> bool:
        """Whether no other content of the file than what was committed can be in ``state``, by its time."""
        return self._time % 1_000 != 0 and state.modified_ns == self._time

    def _disturbed(self) -> Unsettled:
        return Unsettled(NotebookBusy(f"{self.place.path} changes while it is edited."))

    def appear(self) -> State:
        """Be the notebook where none is; raises ``NotebookExists``, ``SaveFailed``."""
        place, beside = self.place, self._beside
        assert beside is not None
        try:
            self._linked(beside)
        except FileExistsError:
            raise NotebookExists(f"There is something at {place.path} already.") from None
        except OSError as error:
            raise failed(error, place.path) from None
        place.settle()
        return State.from_stat(place.stat(place.name))

    def close(self) -> None:
        """Leave nothing but what was committed."""
        if self._beside:
            self.place.remove(self._beside)
        for descriptor in (self.descriptor, self._target):
            if descriptor >= 0:
                os.close(descriptor)
        self.descriptor = self._target = -1
        self.place.close()

    # ------------------------------------------------------------ beside

    def _writable(self) -> int:
        """The notebook, open to be written; a read-only one stays so even for those who could."""
        descriptor = self.place.open(self.place.name, _WRITE)
        mode = os.fstat(descriptor).st_mode
        if not mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
            os.close(descriptor)
            raise PermissionError(errno.EACCES, "read-only")
        return descriptor

    def _started(self) -> int:
        name = f"{PREFIX}{secrets.token_hex(6)}{SUFFIX}"
        try:
            descriptor = self.place.open(name, _NEW, 0o666 if self._target < 0 else 0o600)
        except OSError as error:
            if error.errno not in _NO_PLACE or self._target < 0:
                raise
            with tempfile.TemporaryFile(buffering=0) as elsewhere:
                return os.dup(elsewhere.fileno())
        self._beside = name
        self.descriptor = descriptor
        if self._target >= 0 and not _dressed(descriptor, self._target):
            self.place.remove(name)
            self._beside = None
        return descriptor

    def _replaced(self, before: State) -> int:
        """In one step. Who began to write into the old file at this very moment gets it back, and goes on there."""
        assert self._beside is not None
        old = self._kept_aside()
        try:
            self.place.rename(self._beside, self.place.name)
        except OSError as error:
            if old:
                self.place.remove(old)
            if error.errno not in _NO_RENAME:
                raise
            return self._in_place()
        self._beside = None
        if old:
            self._give_back(old, before)
        return self.descriptor

    def _give_back(self, old: str, before: State) -> None:
        """Let go of the old file; raises ``Unsettled``, with it back in its place, where it is not as it was."""
        found = os.fstat(self._target)
        if (found.st_size, found.st_mtime_ns) == (before.size, before.modified_ns):
            self.place.remove(old)
            return
        self.place.rename(old, self.place.name)
        raise self._disturbed()

    def _kept_aside(self) -> str:
        """A second name for the old file; "" where the file system has none."""
        name = f"{PREFIX}{secrets.token_hex(6)}{SUFFIX}"
        try:
            self.place.link(self.place.name, name)
        except (OSError, NotImplementedError):
            return ""
        return name

    def _stamp(self, descriptor: int) -> None:
        """The time to the nanosecond: file systems themselves count in steps in which much can be written."""
        self._time = time.time_ns()
        with suppress(OSError, TypeError, NotImplementedError):
            os.utime(descriptor, ns=(self._time, self._time))

    def _linked(self, beside: str) -> None:
        """A name for the finished content, given only where the name is free."""
        try:
            self.place.link(beside, self.place.name)
        except FileExistsError:
            raise
        except (OSError, NotImplementedError):
            made = self.place.open(self.place.name, _NEW, 0o666)
            try:
                write(made, [contents(self.descriptor)])
            except BaseException:
                self.place.remove(self.place.name)
                raise
            finally:
                os.close(made)

    # ------------------------------------------------------------ in place

    def _in_place(self) -> int:
        """As Jupyter Server does; the copy stays where this ends halfway."""
        copy, new, old = f".~{self.place.name}", contents(self.descriptor), contents(self._target)
        kept = self._copied(copy, old)
        try:
            if kept:
                write(self._target, [new])
            else:
                overwrite(self._target, new)
            if contents(self._target) != new:
                raise OSError(errno.EIO, "not what was written")
        except OSError:
            write(self._target, [old])
            raise
        finally:
            if kept and contents(self._target) in (new, old):
                self.place.remove(copy)
        self._time = 0  # whoever wrote just now would be given our time
        return self._target

    def _copied(self, copy: str, old: bytes) -> bool:
        try:
            descriptor = self.place.open(copy, _WRITE | os.O_CREAT)
        except OSError as error:
            if error.errno in _NO_PLACE:
                return False
            raise
        try:
            write(descriptor, [old])
        except OSError:
            self.place.remove(copy)
            raise
        finally:
            os.close(descriptor)
        self.place.settle()
        return True


def overwrite(descriptor: int, data: bytes) -> None:
    """``data`` in place of what is in the file, of which nothing is given up before there is room for it."""
    before = os.fstat(descriptor).st_size
    try:
        if len(data) > before and hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, len(data))
    except OSError as error:
        os.ftruncate(descriptor, before)
        if error.errno in _FULL:
            raise
    os.lseek(descriptor, 0, os.SEEK_SET)
    with open(descriptor, "wb", buffering=0, closefd=False) as file:
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
    os.ftruncate(descriptor, len(data))
    os.fsync(descriptor)


def _dressed(new: int, old: int) -> bool:
    """Owner, mode and attributes of ``old`` for ``new``; whether its owner could be given."""
    found, made = os.fstat(old), os.fstat(new)
    if not hasattr(os, "fchown"):
        return True
    try:
        if (found.st_uid, found.st_gid) != (made.st_uid, made.st_gid):
            os.fchown(new, found.st_uid, found.st_gid)
    except OSError:
        return False
    os.fchmod(new, stat.S_IMODE(found.st_mode))
    _attributes(new, old)
    return True


def _attributes(new: int, old: int) -> None:
    if not hasattr(os, "listxattr"):
        return
    with suppress(OSError):
        for name in os.listxattr(old):
            with suppress(OSError):
                os.setxattr(new, name, os.getxattr(old, name))


def failed(error: OSError, path: str) -> NotebookError:
    """An operating system's error while ``path`` was written as ours, without the absolute path it names."""
    if error.errno in _FULL:
        return SaveFailed(
            f"{path} could not be saved: the disk is full.", "Free some space; the notebook is as it was."
        )
    if error.errno in _NO_PLACE:
        return SaveFailed(
            f"{path} could not be saved: it may not be written.",
            "Check the permissions of the file and its folder; the notebook is as it was.",
        )
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL):
        return translated(error, path)
    return SaveFailed(f"{path} could not be saved: the disk refused it.")
