"""Where a notebook's cells seem to lie, told from its line breaks: files as nbformat writes them, in no time.

The law: a guess, which whoever takes it proves. JSON has no line break inside a text, so the brackets looked for here
stand outside of all texts; that they are those of the cells follows from their indentation alone, which may lie. A
notebook that is not written line by line, or without ids, gives no guess. Nothing of the package is imported but
``spans`` and ``nbformats`` (the writing process starts with it).
"""

from __future__ import annotations

import json
import re

from .nbformats import hashed, source_text
from .spans import Box, Item

_TOP = re.compile(rb'(?:\xef\xbb\xbf)?\{(\r?\n)([ \t]+)"')
_CELLS = re.compile(rb'"cells":[ ]?(\[)(\r?\n)([ \t]+)(\{)\2([ \t]+)"')
_ID = re.compile(rb'"id":[ ]?"([\w-]{1,256})"', re.ASCII)
_SOURCE = re.compile(rb'"source":[ ]?')


class Layout:
    """A guess where the cells lie: ``listed``, as the list that they are."""

    __slots__ = ("_close", "_data", "_field", "listed")

    def __init__(self, data: bytes, listed: Box, field: bytes, close: bytes) -> None:
        self.listed = listed
        self._data = data
        self._field = field
        self._close = close

    def identities(self) -> list[tuple[str, str]] | None:
        """Id and hash of each cell, where all have both in the usual place."""
        found: list[tuple[str, str]] = []
        for start, _, end in self.listed.items:
            identity = self._identity(start, end)
            if identity is None:
                return None
            found.append(identity)
        return found

    def _identity(self, start: int, end: int) -> tuple[str, str] | None:
        data = self._data
        named = data.find(self._field + b'"id":', start, end)
        name = _ID.match(data, named + len(self._field)) if named >= 0 else None
        at = data.rfind(self._field + b'"source":', start, end)
        value = _SOURCE.match(data, at + len(self._field)) if at >= 0 else None
        last = end - len(self._close)
        if not name or not value or data[last:end] != self._close:
            return None
        try:
            return name[1].decode(), hashed(source_text(json.loads(data[value.end() : last])))
        except (ValueError, RecursionError):
            return None


def guessed(data: bytes) -> Layout | None:
    """The layout of a notebook that nbformat, JupyterLab or a program like them has written; None for any other."""
    top = _TOP.match(data)
    at = data.find(top[1] + top[2] + b'"cells":') if top else -1
    head = _CELLS.match(data, at + len(top[1] + top[2])) if top and at >= 0 else None
    if not top or not head or head[2] != top[1]:
        return None
    line, outer, inner, field = top[1], top[2], head[3], head[5]
    first = head.start(4)
    last = data.rfind(b"}" + line + outer + b"]", first) + 1
    if not last:
        return None
    between = b"}," + line + inner + b"{"
    items: list[Item] = []
    start = first
    while (end := data.find(between, start, last)) >= 0:
        items.append((start, start, end + 1))
        start = end + len(between) - 1
    items.append((start, start, last))
    listed = Box(head.start(1), last + len(line + outer) + 1, items, [])
    return Layout(data, listed, line + field, line + inner + b"}")
