"""A notebook's bytes with some of its cells changed: only the changed values are written anew.

The law (DESIGN §6): every byte of what is not changed stays as it is, with its key order, unknown metadata, spaces
and line ends; what is written anew is written in the file's own style, as nbformat orders it. The result is read
again before it counts. Nothing of the package is imported (the writing process starts with it).
"""

from __future__ import annotations

import json
import re

from .layout import guessed
from .nbformats import NotANotebook, cell_id, hashed, source_text
from .spans import Box, Item, box, root, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    Known = Sequence[Sequence[str]]

_SURROGATES = re.compile("[\ud800-\udfff]")
_ESCAPED = re.compile(rb"\\u(?:00[89a-fA-F]|0[1-9a-fA-F]|[1-9a-fA-F])[0-9a-fA-F]")
_MARKUP = frozenset({"application/javascript", "image/svg+xml"})
_QUOTE, _NEWLINE = ord('"'), b"\n"
_DEPTH_OF_CELLS, _DEPTH_OF_FIELDS = 2, 3


class Changed(Exception):
    """The cells are not those that the plan was made from."""


# ---------------------------------------------------------------- the file's style


class Style:
    """How a file writes JSON: ``line`` break (empty: all on one line), ``indent``, separators, ``ascii`` or not."""

    def __init__(self, data: bytes, whole: Box) -> None:
        first = whole.items[0] if whole.items else (whole.start + 1, whole.start + 1, whole.start + 1)
        opening = data[whole.start + 1 : first[0]]
        lines, _, indent = opening.rpartition(_NEWLINE)
        self.line = b"" if _NEWLINE not in opening else b"\r\n" if lines.endswith(b"\r") else _NEWLINE
        self.indent = indent if self.line else b""
        self.key = _after_key(data, first) or b": "
        second = whole.items[1][0] if len(whole.items) > 1 else first[2]
        self.item = b"," if self.line else data[first[2] : second] or b", "
        self._data = data
        self._ascii: bool | None = None

    @property
    def ascii(self) -> bool:
        """Whether other characters are written as escapes; looked for in the file when one is to be written."""
        if self._ascii is None:
            self._ascii = self._data.isascii() and _escapes(self._data)
        return self._ascii

    def broken(self, depth: int) -> bytes:
        """What stands between a bracket or comma and an item at ``depth``."""
        return self.line + self.indent * depth

    def written(self, item: object, depth: int) -> bytes:
        """``item`` as this file would write it where its brackets stand at ``depth``."""
        layout = (self.indent.decode() if self.line else None, (self.item.decode(), self.key.decode()))
        text = json.dumps(item, ensure_ascii=False, indent=layout[0], separators=layout[1])
        if not text.isascii() and self.ascii:
            text = json.dumps(item, indent=layout[0], separators=layout[1])
        written = _SURROGATES.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()
        return written.replace(_NEWLINE, self.broken(depth)) if self.line else written


def _after_key(data: bytes, item: Item) -> bytes:
    between = data[item[0] : item[1]]
    return between[between.rfind(b'"') + 1 :]


def _escapes(data: bytes) -> bool:
    """Whether a file of ASCII bytes holds other characters, as escapes."""
    for found in _ESCAPED.finditer(data):
        before = data[max(0, found.start() - 64) : found.start()]
        if (len(before) - len(before.rstrip(b"\\"))) % 2 == 0:
            return True
    return False


# ---------------------------------------------------------------- pieces


class Pieces:
    """The new text as pieces of the old one (neighbours joined, never copied) and new ones."""

    def __init__(self, data: bytes) -> None:
        self._view = memoryview(data)
        self._found: list[tuple[int, int] | bytes] = []

    def old(self, start: int, end: int) -> None:
        last = self._found[-1] if self._found else b""
        if isinstance(last, tuple) and last[1] == start:
            self._found[-1] = last[0], end
        elif start < end:
            self._found.append((start, end))

    def new(self, text: bytes) -> None:
        if text:
            self._found.append(text)

    def __iter__(self) -> Any:
        return (self._view[piece[0] : piece[1]] if isinstance(piece, tuple) else piece for piece in self._found)


class Part:
    """One item of what is written: ``origin`` its place before, ``anew`` its new text; one of the two, or both."""

    __slots__ = ("anew", "origin")

    def __init__(self, origin: int | None, anew: bytes | Rewritten | None = None) -> None:
        self.origin = origin
        self.anew = anew


class Rewritten:
    """An array or object to be written with other items; ``parts`` are all of them, in order."""

    def __init__(self, data: bytes, whole: Box, style: Style, depth: int) -> None:
        self.data = data
        self.box = whole
        self.style = style
        self.depth = depth
        self.parts = [Part(at) for at in range(len(whole.items))]
        self.keys = list(whole.keys)

    def put(self, key: str, item: object) -> None:
        """``item`` as the value of ``key``: where the key is, else where nbformat's order wants it."""
        self.put_written(key, self.style.written(item, self.depth))

    def put_written(self, key: str, text: bytes) -> None:
        at = max((at for at, name in enumerate(self.keys) if name == key), default=None)
        if at is None:
            at = next((at for at, name in enumerate(self.keys) if name > key), len(self.keys))
            self.keys.insert(at, key)
            self.parts.insert(at, Part(None))
        origin = self.parts[at].origin
        item = None if origin is None else self.box.items[origin]
        head = self.data[item[0] : item[1]] if item else self.style.written(key, 0) + self.style.key
        self.parts[at].anew = head + text

    def put_inside(self, key: str, inner: Rewritten) -> None:
        """The value of ``key``, which is there, itself rewritten."""
        at = self.box.place(key)
        self.parts[at or 0].anew = inner

    def drop(self, key: str) -> None:
        kept = [at for at, name in enumerate(self.keys) if name != key]
        self.keys = [self.keys[at] for at in kept]
        self.parts = [self.parts[at] for at in kept]

    def into(self, pieces: Pieces) -> None:
        whole = self.box
        pieces.old(whole.start, whole.start + 1)
        if self.parts:
            self._edge(pieces, self.depth, whole.start + 1, whole.items[0][0] if whole.items else None)
            for at, part in enumerate(self.parts):
                if at:
                    self._gap(pieces, self.parts[at - 1].origin, part.origin)
                self._part(pieces, part)
            self._edge(pieces, self.depth - 1, whole.items[-1][2] if whole.items else 0, whole.end - 1)
        elif not whole.items:
            pieces.old(whole.start + 1, whole.end - 1)
        pieces.old(whole.end - 1, whole.end)

    def _part(self, pieces: Pieces, part: Part) -> None:
        item = (0, 0, 0) if part.origin is None else self.box.items[part.origin]
        if part.anew is None:
            pieces.old(item[0], item[2])
        elif isinstance(part.anew, Rewritten):
            pieces.old(item[0], item[1])
            part.anew.into(pieces)
        else:
            pieces.new(part.anew)

    def _edge(self, pieces: Pieces, depth: int, start: int, end: int | None) -> None:
        """Between a bracket and the item next to it."""
        if self.box.items and end is not None:
            pieces.old(start, end)
        else:
            pieces.new(self.style.broken(depth))

    def _gap(self, pieces: Pieces, left: int | None, right: int | None) -> None:
        """Between two items: as it was between the same two, else as between the first two."""
        items = self.box.items
        if left is not None and right == left + 1:
            pieces.old(items[left][2], items[right][0])
        elif len(items) > 1:
            pieces.new(self.data[items[0][2] : items[1][0]])
        elif items and _NEWLINE in (opening := self.data[self.box.start + 1 : items[0][0]]):
            pieces.new(b"," + opening)
        else:
            pieces.new(b"," + self.style.broken(self.depth) if self.style.line else self.style.item)


# ---------------------------------------------------------------- cells


def cells_of(data: bytes) -> tuple[Box, Box, list[Box]]:
    """The notebook, its list of cells, and the cells, of nbformat 4."""
    whole = root(data)
    found = whole.last("cells")
    if not found:
        raise NotANotebook("it has no cells")
    listed = box(data, found[1])
    return whole, listed, [box(data, item[1]) for item in listed.items]


def identities(data: bytes, cells: Iterable[Box]) -> list[tuple[str, str]]:
    """Id (or handle) and hash of each cell, as ``cells.Snapshot`` has them."""
    taken: set[str] = set()
    return [
        (cell_id(_field(data, cell, "id"), index, taken), hashed(source_text(_field(data, cell, "source"))))
        for index, cell in enumerate(cells)
    ]


def _field(data: bytes, cell: Box, key: str) -> object:
    item = cell.last(key)
    return value(data, item) if item else None


def spliced(
    data: bytes, known: Known, placed: Sequence[Sequence[Any]], upgrade: bool, *, guess: bool = False
) -> Pieces:
    """The bytes of a notebook (nbformat 4) with its cells as ``edits.Placed`` tuples say.

    With ``guess`` the cells that stay as they are may only seem to be cells, which ``apart.taken_apart`` shows of the
    result. Raises ``Changed`` where its cells are not the ``known`` ones as (id, hash), and ``NotANotebook``.
    """
    whole, listed = _located(data, [(name, found) for name, found in known], guess)
    style = Style(data, whole)
    rewritten = Rewritten(data, listed, style, _DEPTH_OF_CELLS)
    rewritten.parts = [_cell(data, listed, cell, style) for cell in placed]
    for at in set(range(len(listed.items))).difference(cell[1] for cell in placed):
        _boxed(data, listed.items[at])  # what goes must have been a cell too
    top = Rewritten(data, whole, style, 1)
    top.put_inside("cells", rewritten)
    if upgrade:
        top.put("nbformat_minor", 5)
    return _around(data, whole, top)


def _located(data: bytes, known: list[tuple[str, str]], guess: bool) -> tuple[Box, Box]:
    """The notebook and its list of cells, which are the ``known`` ones."""
    layout = guessed(data) if guess else None
    if layout and layout.identities() == known:
        whole = root(data, layout.listed)
        if (found := whole.last("cells")) and found[1] == layout.listed.start:
            return whole, layout.listed
    whole, listed, cells = cells_of(data)
    if identities(data, cells) != known:
        raise Changed
    return whole, listed


def _around(data: bytes, whole: Box, top: Rewritten) -> Pieces:
    pieces = Pieces(data)
    pieces.old(0, whole.start)
    top.into(pieces)
    pieces.old(whole.end, len(data))
    return pieces


def _cell(data: bytes, listed: Box, placed: Sequence[Any], style: Style) -> Part:
    name, at, kind, source, outputs, count, renamed = placed
    if at is None:
        return Part(None, style.written(new_cell(name, kind, source, outputs, count), _DEPTH_OF_CELLS))
    if not renamed and kind is None and source is None and outputs is None:
        return Part(at)
    old = _boxed(data, listed.items[at])
    cell = Rewritten(data, old, style, _DEPTH_OF_FIELDS)
    if renamed:
        cell.put("id", name)
    if kind is not None:
        _retype(cell, kind)
    if source is not None:
        cell.put_written("source", _source(data, old.last("source"), source, style))
    if outputs is not None:
        cell.put("execution_count", count)
        cell.put("outputs", [stored(output) for output in outputs])
    return Part(at, cell)


def _boxed(data: bytes, item: Item) -> Box:
    found = box(data, item[1])
    if found.end != item[2]:
        raise NotANotebook("its cells are not where they seem")
    return found


def _retype(cell: Rewritten, kind: str) -> None:
    cell.put("cell_type", kind)
    if kind == "code":
        cell.drop("attachments")
        return
    cell.drop("execution_count")
    cell.drop("outputs")


def new_cell(
    name: str, kind: str, source: str, outputs: Sequence[Mapping[str, Any]] | None, count: int | None
) -> dict[str, Any]:
    """A cell as nbformat 4.5 stores it."""
    cell: dict[str, Any] = {"cell_type": kind, "id": name, "metadata": {}, "source": source.splitlines(True)}
    if kind == "code":
        cell["execution_count"] = count
        cell["outputs"] = [stored(output) for output in outputs or ()]
    return dict(sorted(cell.items()))


def _source(data: bytes, old: Item | None, source: str, style: Style) -> bytes:
    """As the old one is stored: one text, or a list of lines with the same spaces between them."""
    lines = source.splitlines(True)
    if old and data[old[1]] == _QUOTE:
        return style.written(source, _DEPTH_OF_FIELDS)
    listed = box(data, old[1]) if old and data[old[1]] == ord("[") else None
    if listed is None or not listed.items or not lines:
        return style.written(lines, _DEPTH_OF_FIELDS)
    rewritten = Rewritten(data, listed, style, _DEPTH_OF_FIELDS + 1)
    rewritten.parts = [Part(None, style.written(line, 0)) for line in lines]
    pieces = Pieces(data)
    rewritten.into(pieces)
    return b"".join(pieces)


# ---------------------------------------------------------------- what a save hook made of it


def respliced(data: bytes, before: Mapping[str, Any], after: Mapping[str, Any]) -> Pieces:
    """The bytes of a notebook whose content ``before`` a program has made into ``after``: what is equal stays."""
    whole, listed, cells = cells_of(data)
    style = Style(data, whole)
    top = Rewritten(data, whole, style, 1)
    rest_before = {key: item for key, item in before.items() if key != "cells"}
    _differences(top, rest_before, {key: item for key, item in after.items() if key != "cells"})
    rewritten = Rewritten(data, listed, style, _DEPTH_OF_CELLS)
    rewritten.parts = _aligned(data, cells, before["cells"], after["cells"], style)
    top.put_inside("cells", rewritten)
    return _around(data, whole, top)


def _aligned(
    data: bytes, cells: list[Box], before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]], style: Style
) -> list[Part]:
    """Cells matched by id, or by place where the number of cells is the same."""
    same = len(before) == len(after)
    places = {cell["id"]: at for at, cell in enumerate(before) if isinstance(cell.get("id"), str)}
    parts = []
    for index, cell in enumerate(after):
        at = index if same and cell.get("id") == before[index].get("id") else places.get(cell.get("id", ""))
        if at is None:
            parts.append(Part(None, style.written(stored_cell(cell), _DEPTH_OF_CELLS)))
        elif cell == before[at]:
            parts.append(Part(at))
        else:
            rewritten = Rewritten(data, cells[at], style, _DEPTH_OF_FIELDS)
            _differences(rewritten, before[at], cell)
            parts.append(Part(at, rewritten))
    return parts


def _differences(rewritten: Rewritten, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    for key in [key for key in before if key not in after]:
        rewritten.drop(key)
    for key in [key for key in after if key not in before or before[key] != after[key]]:
        rewritten.put(key, stored_cell({key: after[key]})[key])


def stored_cell(cell: Mapping[str, Any]) -> dict[str, Any]:
    """A cell, or some of its fields, as nbformat stores it."""
    found = dict(sorted(cell.items()))
    if isinstance(found.get("source"), str):
        found["source"] = found["source"].splitlines(True)
    if isinstance(found.get("outputs"), list):
        found["outputs"] = [stored(output) for output in found["outputs"]]
    return found


# ---------------------------------------------------------------- outputs


def stored(output: Mapping[str, Any]) -> dict[str, Any]:
    """An output as nbformat stores it: keys sorted, texts as lists of lines."""
    found = clean(output)
    if found.get("output_type") == "stream" and isinstance(found.get("text"), str):
        found["text"] = found["text"].splitlines(True)
    if found.get("output_type") in ("execute_result", "display_data") and isinstance(found.get("data"), dict):
        found["data"] = {mime: _lines(mime, payload) for mime, payload in found["data"].items()}
    return found


def clean(output: Mapping[str, Any]) -> dict[str, Any]:
    """A copy that any reader can encode, its keys sorted: one half of a surrogate pair keeps Jupyter from saving."""
    text = json.dumps(output, ensure_ascii=False, sort_keys=True)
    found: dict[str, Any] = json.loads(_SURROGATES.sub("\ufffd", text))
    return found


def _lines(mime: str, payload: object) -> object:
    textual = mime.startswith("text/") or mime in _MARKUP
    return payload.splitlines(True) if textual and isinstance(payload, str) else payload
