"""Which file a notebook's path means: always a regular file below the server's root, never a hidden one.

The law: containment is decided by path components after every symlink is resolved, and the file is opened without
following another one, so that what was checked is what is read. No error holds an absolute path.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path, PurePath

from ..errors import NotebookError, NotebookNotFound, NotebookUnreadable, PathRefused

MAX_PATH = 4_096
_WINDOWS_HIDDEN = 2
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_DRIVE = re.compile(r"[A-Za-z]:/")
_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_FILE_FLAGS = _FLAGS | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NOCTTY", 0)
_FOLDER_FLAGS = getattr(os, "O_PATH", 0) | _FLAGS | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_DIRECTORY", 0)


def relative(path: str, root: Path | None = None) -> str:
    """The path below the root, ``/`` between its parts, decided from the text alone; raises ``PathRefused``.

    Taken as it is written: ``%2e`` is four characters and ``~`` a name. An absolute path inside ``root`` is accepted.
    """
    if not path or len(path) > MAX_PATH:
        raise PathRefused("The notebook's path is empty." if not path else "The notebook's path is too long.")
    if _CONTROL.search(path):
        raise PathRefused("The notebook's path holds a control character.")
    if root is not None and Path(path).is_absolute():
        path = _below(Path(path), root)
    if "\\" in path or _DRIVE.match(path) or path.startswith(("/", "~/")):
        raise PathRefused("The notebook's path is not relative to the server's root folder.")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise PathRefused("The notebook's path leads out of its folder (“..”).")
    if not parts or not parts[-1].endswith(".ipynb"):
        raise PathRefused("The path is not that of a notebook.", "Use the path of a file that ends in .ipynb.")
    return "/".join(parts)


def _below(path: Path, root: Path) -> str:
    if ".." in path.parts:
        raise PathRefused("The notebook's path leads out of its folder (“..”).")
    for base in (root, Path(os.path.realpath(root))):
        if path.is_relative_to(base):
            return path.relative_to(base).as_posix()
    raise PathRefused("The notebook is outside the server's root folder.")


def refuse_hidden(path: PurePath | str) -> None:
    """Raise ``PathRefused`` where a part of a relative path begins with a dot."""
    if any(part.startswith(".") for part in PurePath(path).parts):
        raise PathRefused(
            "The notebook is hidden, or in a hidden folder.", "Hidden files are off limits on this server."
        )


def open_below(root: Path, path: str, *, allow_hidden: bool) -> tuple[int, Path]:
    """A descriptor of the regular file at ``path`` (of ``relative``) and its real location.

    Raises ``PathRefused``, ``NotebookNotFound``, or ``NotebookUnreadable`` where permission is lacking.
    """
    if not allow_hidden:
        refuse_hidden(path)
    try:
        base = Path(os.path.realpath(root))
        place = _resolved(base, path)
        if not allow_hidden:
            refuse_hidden(place)
        descriptor = _open_each(base, place)
    except OSError as error:
        raise translated(error, path) from None
    return _regular(descriptor, path, allow_hidden), base / place


def folder_below(root: Path, path: str, *, allow_hidden: bool, new: bool = False) -> tuple[int | None, Path]:
    """A descriptor of the folder that holds the file at ``path`` (of ``relative``), and the file's real location.

    The file itself is ``new``, or is there. The descriptor is None where the platform opens nothing relative to one.
    Raises as ``open_below``.
    """
    if not allow_hidden:
        refuse_hidden(path)
    try:
        base = Path(os.path.realpath(root))
        place = _resolved_new(base, path) if new else _resolved(base, path)
        if not allow_hidden:
            refuse_hidden(place)
        folder = _open_folder(base, place) if os.open in os.supports_dir_fd else None
    except OSError as error:
        raise translated(error, path) from None
    return folder, base / place


def _resolved_new(base: Path, path: str) -> Path:
    folder, name = os.path.split(path)
    try:
        real = Path(os.path.realpath(base / folder, strict=True))
    except (FileNotFoundError, NotADirectoryError):
        raise NotebookNotFound(
            f"There is no folder {folder}.", "Choose a path in a folder that exists, or create the folder first."
        ) from None
    if not real.is_relative_to(base):
        raise PathRefused("The notebook's folder is a link that leads out of the server's root folder.")
    return real.relative_to(base) / name


def _resolved(base: Path, path: str) -> Path:
    real = Path(os.path.realpath(base / path, strict=True))
    if not real.is_relative_to(base) or real == base:
        raise PathRefused("The notebook is a link that leads out of the server's root folder.")
    return real.relative_to(base)


def _open_each(base: Path, place: Path) -> int:
    """Open part by part without following links: the parts were real, so a link among them is new."""
    if os.open not in os.supports_dir_fd:
        return os.open(base / place, _FILE_FLAGS)
    return _step(_open_folder(base, place), place.name, _FILE_FLAGS)


def _open_folder(base: Path, place: Path) -> int:
    folder = os.open(base, _FOLDER_FLAGS)
    for part in place.parts[:-1]:
        folder = _step(folder, part, _FOLDER_FLAGS)
    return folder


def _step(folder: int, name: str, flags: int) -> int:
    try:
        return os.open(name, flags, dir_fd=folder)
    finally:
        os.close(folder)


def _regular(descriptor: int, path: str, allow_hidden: bool) -> int:
    found = os.fstat(descriptor)
    flagged = (
        getattr(found, "st_flags", 0) & stat.UF_HIDDEN or getattr(found, "st_file_attributes", 0) & _WINDOWS_HIDDEN
    )
    if stat.S_ISREG(found.st_mode) and (allow_hidden or not flagged):
        return descriptor
    os.close(descriptor)
    if flagged:
        raise hidden()
    raise PathRefused(f"{path} is not a regular file.")


def hidden() -> PathRefused:
    """The refusal of what is hidden, whoever found that it is."""
    return PathRefused("The notebook is hidden, or in a hidden folder.", "Hidden files are off limits on this server.")


def translated(error: OSError, path: str) -> NotebookError:
    """An operating system's error about ``path`` as ours, without the absolute path it names."""
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ESTALE):
        return NotebookNotFound(f"There is no notebook at {path}.")
    if error.errno in (errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL, errno.ENXIO, errno.EISDIR):
        return PathRefused("The notebook's path leads to no file that can be opened.")
    if error.errno in (errno.EACCES, errno.EPERM):
        return NotebookUnreadable(f"{path} may not be read.", "Check the permissions of the file.")
    return NotebookUnreadable(
        f"{path} could not be read from the disk.", "Check that the disk can be reached, then try again."
    )
