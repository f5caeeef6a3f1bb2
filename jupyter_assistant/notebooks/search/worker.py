"""The process that reads notebooks for the index: it is told paths, and gives the rows that the index takes.

The law: it writes nothing, opens nothing but regular files below the folder it was given, and ends with its input.
A notebook it cannot read plainly it leaves to the server, which knows how to wait and what to say. It runs at a low
priority: what a person computes meanwhile goes first. ``process.py`` starts it without ``site``, and without the
package's own beginnings.
"""

from __future__ import annotations

import gc
import json
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress

from ..cells import Cell, cell
from ..nbformats import NotANotebook, parsed, records
from ..scan import shortened
from .rows import Row, rows

NICE = 10
SMALL = 256 * 1024
"""Bytes up to which parsing a file as it is takes less than shortening it first."""
LINE = 32_000
"""Characters of a line, but for a longer row: the server takes it apart in less than a millisecond."""
_FOLDER = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_FILE = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def main() -> None:
    """For each path of each line of input: lines of rows, then ``true``; or ``null`` where it is left to the server."""
    root = int(sys.argv[2])
    with suppress(OSError):
        os.nice(NICE)
    gc.freeze()
    with suppress(BrokenPipeError):
        for line in sys.stdin.buffer:
            for path in json.loads(line):
                sys.stdout.writelines(answer(root, path))
            sys.stdout.flush()
    os._exit(0)


def answer(root: int, path: str) -> list[str]:
    """The lines for one notebook below the open folder ``root``."""
    try:
        found = rows(path, _cells(root, path))
    except (OSError, NotANotebook, _Unsettled, MemoryError):
        return ["null\n"]
    return [*(f"{json.dumps(part, separators=(',', ':'))}\n" for part in _parts(found)), "true\n"]


def _parts(found: Sequence[Row]) -> Iterator[list[list[object]]]:
    """The rows in parts of about ``LINE`` characters, as JSON can hold them."""
    part: list[list[object]] = []
    size = 0
    for row in found:
        part.append([*row[:-1], row[-1].hex()])
        size += sum(len(value) for value in row if isinstance(value, str))
        if size >= LINE:
            yield part
            part, size = [], 0
    if part:
        yield part


# ---------------------------------------------------------------- the file


class _Unsettled(Exception):
    """The file is no regular one below the folder, or was written meanwhile."""


def _cells(root: int, path: str) -> tuple[Cell, ...]:
    """The cells of the notebook as it was from the first byte to the last; raises ``OSError`` and as above."""
    descriptor = _opened(root, path)
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise _Unsettled
        _, found = records(_content(descriptor, before.st_size))
        if _state(os.fstat(descriptor)) != _state(before):
            raise _Unsettled
    finally:
        os.close(descriptor)
    return tuple(cell(record, index) for index, record in enumerate(found))


def _opened(root: int, path: str) -> int:
    """Part by part, so that no link is followed; raises ``OSError`` and ``_Unsettled``."""
    *folders, name = parts = path.split("/")
    if not all(parts) or {".", ".."}.intersection(parts):
        raise _Unsettled
    folder = os.dup(root)
    try:
        for part in folders:
            deeper = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = deeper
        return os.open(name, _FILE, dir_fd=folder)
    finally:
        os.close(folder)


def _content(descriptor: int, size: int) -> object:
    if size > SMALL:
        return shortened(lambda size: os.read(descriptor, size))
    with open(descriptor, "rb", buffering=0, closefd=False) as file:
        return parsed(file.read(SMALL + 1))


def _state(found: os.stat_result) -> tuple[int, ...]:
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns
