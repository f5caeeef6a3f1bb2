"""Which content a file has, and whether a save is writing it, as far as the file system tells.

The law (SECURITY.md F1): Jupyter's own save truncates the file in place beside a copy named ``.~name``; who meets it
waits and looks again, and never renames.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from ..errors import NotebookBusy, NotebookError

STALE = 10.0
"""Seconds after which a ``.~name`` beside an unchanging file is what a crash left, not a save."""
FINE, COARSE = 0.1, 2.0
"""Seconds after which a file system's clock tells a new content from the last one; whole seconds look coarse."""
JUST_NOW = 2.0
"""Seconds since the last change within which bytes that do not parse may still be half of a save."""


@dataclass(frozen=True, slots=True)
class State:
    """Which content a file has, as far as the file system tells."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, descriptor: int) -> State:
        return cls.from_stat(os.fstat(descriptor))

    @classmethod
    def from_stat(cls, found: os.stat_result) -> State:
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    @property
    def revision(self) -> str:
        return f"{self.inode:x}-{self.size:x}-{self.modified_ns:x}-{self.changed_ns:x}"

    def age(self) -> float:
        """Seconds since the content last changed, by its own account."""
        return time.time() - self.modified_ns / 1e9

    def is_certain(self) -> bool:
        """Whether any later content would show other times than these."""
        coarse = self.modified_ns % 1_000_000_000 == 0 or self.changed_ns % 1_000_000_000 == 0
        latest = max(self.modified_ns, self.changed_ns) / 1e9
        return time.time() - latest > (COARSE if coarse else FINE)


@dataclass(frozen=True, slots=True)
class Sight:
    """A file as one look found it; ``saving`` while a save is writing it."""

    state: State
    saving: bool


class Unsettled(Exception):
    """The file could not be read just now; ``error`` is what to say if it stays so, ``wait`` whether it may change."""

    def __init__(self, error: NotebookError, *, wait: bool = True) -> None:
        super().__init__(error.text)
        self.error = error
        self.wait = wait


def is_saving(real: Path, state: State, stale: float = STALE) -> bool:
    """Whether a save's copy ``.~name`` lies beside the file and is no leftover of a crash."""
    try:
        beside = os.lstat(real.with_name(f".~{real.name}"))
    except OSError:
        return False
    return min(time.time() - beside.st_ctime, state.age()) < stale


def has_copy(real: Path) -> bool:
    """Whether a save's copy ``.~name`` lies beside the file, of a save that runs or of one that was cut off."""
    return os.path.lexists(real.with_name(f".~{real.name}"))


def same(path: str, now: State, before: State) -> None:
    """Raise ``Unsettled`` where the file at ``path`` is not what it was."""
    if now != before:
        raise Unsettled(NotebookBusy(f"{path} changes while it is read."))
