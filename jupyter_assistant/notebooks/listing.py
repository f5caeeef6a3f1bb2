"""What a list of notebooks is made of, and what is asked of one: values, pages and patterns; pure.

The law: a pattern is matched in time linear in the path, and any text is a valid one.
"""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from ..errors import InvalidInput
from .paths import relative

Stamp = tuple["int | str", ...]
"""Which content a notebook has, as far as its storage tells; the empty one is equal to no other content's."""

MAX_LIMIT = 1_000
MAX_PATTERN = 1_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One notebook. ``path`` is relative to the root; ``modified`` in epoch seconds, ``size`` in bytes.

    ``is_open``: a window of JupyterLab has it open, or people share it live. ``is_stored``: false where it is only
    there; ``modified`` and ``size`` are 0 then.
    """

    path: str
    modified: float
    size: int
    is_open: bool = False
    is_stored: bool = True


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of notebooks by path; ``total`` counts all that match. ``complete`` is false if not all was looked at."""

    entries: tuple[Entry, ...]
    total: int
    complete: bool = True

    def with_open(self, paths: Collection[str]) -> Listing:
        """The same, where the notebooks at ``paths`` are open."""
        if not paths:
            return self
        entries = tuple(replace(entry, is_open=True) if entry.path in paths else entry for entry in self.entries)
        return replace(self, entries=entries)

    def with_lost(self, paths: Collection[str], limit: int, offset: int) -> Listing:
        """The same page, where the notebooks at ``paths`` are open and stored nowhere: they come behind all others."""
        start = max(0, offset - self.total)
        chosen = sorted(paths)[start : start + limit - len(self.entries)] if self.total <= offset + limit else []
        lost = tuple(Entry(path, 0.0, 0, is_open=True, is_stored=False) for path in chosen)
        return replace(self, entries=self.entries + lost, total=self.total + len(paths))


class Sighting(NamedTuple):
    """A notebook as it was seen: ``stamp`` is empty where it changed so lately that it may still change unseen.

    A plain tuple: tens of thousands live at once, and the garbage collector does not look into such ones.
    """

    path: str
    stamp: Stamp
    modified: float
    size: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs from what was known: new or changed notebooks, and the paths of those that are gone."""

    seen: tuple[Sighting, ...]
    gone: tuple[str, ...]


# ---------------------------------------------------------------- what is asked


def folder_path(path: str, root: Path | None = None) -> str:
    """A folder's path below the root, ``/`` between its parts, "" for the root; raises ``PathRefused``."""
    if path in ("", ".", "./"):
        return ""
    return relative(f"{path.rstrip('/') or '/'}/_.ipynb", root)[: -len("/_.ipynb")]


def page_of(limit: int, offset: int) -> None:
    """Raise ``InvalidInput`` for a page that cannot be."""
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidInput("limit", f"must be from 1 to {MAX_LIMIT}.")
    if offset < 0:
        raise InvalidInput("offset", "must not be negative.")


def matcher(pattern: str, below: str = "") -> Callable[[str], bool]:
    """Whether a path matches: by its name, whole, or from the folder ``below`` on; raises ``InvalidInput``.

    A glob (``*``, ``?``, ``[abc]``; a ``*`` goes across folders); a pattern without any of these is looked for
    anywhere in the path. Case and the way accents are composed make no difference.
    """
    if len(pattern) > MAX_PATTERN:
        raise InvalidInput("pattern", f"is longer than {MAX_PATTERN} characters.")
    wanted = _folded(pattern.strip())
    if wanted in ("", "*", "**", "*.ipynb", "**/*.ipynb"):
        return lambda path: True
    if not any(sign in wanted for sign in "*?["):
        return lambda path: wanted in _folded(path)
    match = re.compile(fnmatch.translate(wanted)).match
    start = len(below) + 1 if below else 0

    def matches(path: str) -> bool:
        folded = _folded(path)
        return bool(match(folded.rpartition("/")[2]) or match(folded) or (start and match(_folded(path[start:]))))

    return matches


def _folded(text: str) -> str:
    return text.lower() if text.isascii() else unicodedata.normalize("NFC", text).lower()
