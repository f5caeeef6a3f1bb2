"""Where the values of a JSON text lie in its bytes, without parsing what is inside them.

The law: time is linear in the bytes and memory does not grow with what is skipped; what is no JSON gives
``NotJson``. Only the standard library's light modules are imported (the writing process starts with it).
"""

from __future__ import annotations

import json
import re

from .nbformats import NotJson
from .scan import SEPARATOR, measured, string_end

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Span = tuple[int, int]
Item = tuple[int, int, int]
"""Where an item starts (the key, in an object), where its value starts, and just past its end."""

_WS = re.compile(rb"[ \t\r\n]*")
_BLANKS = re.compile(rb"[ \t]*")
_LINE = 4_096
_PLAIN = re.compile(rb"[-+.0-9A-Za-z]+")
# Bounded repeats: an unbounded one would keep a stack as long as the notebook.
_SKIP = re.compile(rb'(?:[^"\[\]{}]*"[^"\\]{0,512}(?:\\.[^"\\]{0,512}){0,64}"){0,512}[^"\[\]{}]*', re.DOTALL)
_OPEN, _CLOSE, _QUOTE = frozenset(b"[{"), frozenset(b"]}"), ord('"')
_BRACE, _BRACKET, _COLON, _COMMA = ord("{"), ord("["), ord(":"), ord(",")
_BOM = b"\xef\xbb\xbf"


class Box:
    """A JSON array or object: its own bytes, its items, and (object) their keys."""

    __slots__ = ("end", "items", "keys", "start")

    def __init__(self, start: int, end: int, items: list[Item], keys: list[str]) -> None:
        self.start = start
        self.end = end
        self.items = items
        self.keys = keys

    def last(self, key: str) -> Item | None:
        """The item that a parser would take for ``key``: of several the last."""
        found = self.place(key)
        return None if found is None else self.items[found]

    def place(self, key: str) -> int | None:
        return max((at for at, name in enumerate(self.keys) if name == key), default=None)


def root(data: bytes, inner: Box | None = None) -> Box:
    """The object that the text is; a byte order mark is passed over. ``inner`` is not looked into where it is met."""
    ends = {inner.start: inner.end} if inner else {}
    return _located(lambda: _box(data, _spaced(data, len(_BOM) if data.startswith(_BOM) else 0), ends))


def box(data: bytes, at: int) -> Box:
    """The array or object whose opening bracket is at ``at``."""
    return _located(lambda: _box(data, at, {}))


def value(data: bytes, item: Item) -> object:
    """The item's value, parsed."""
    try:
        return json.loads(str(memoryview(data)[item[1] : item[2]], "utf-8"))
    except (ValueError, RecursionError):
        raise NotJson("it holds a value that does not parse") from None


def _located(find: Callable[[], Box]) -> Box:
    try:
        return find()
    except IndexError:
        raise NotJson("it ends too early") from None


def _box(data: bytes, at: int, ends: Mapping[int, int]) -> Box:
    if data[at] not in _OPEN:
        raise NotJson("it has another value where a list or an object should be")
    named = data[at] == _BRACE
    items: list[Item] = []
    keys: list[str] = []
    here = _spaced(data, at + 1)
    while data[here] not in _CLOSE:
        start = here
        if named:
            end = _string(data, here)
            keys.append(_key(data[here:end]))
            here = _spaced(data, _past(data, _spaced(data, end), _COLON))
        end = ends.get(here) or _value_end(data, here)
        items.append((start, here, end))
        here = _spaced(data, end)
        if data[here] not in _CLOSE:
            here = _spaced(data, _past(data, here, _COMMA))
    return Box(at, here + 1, items, keys)


def _past(data: bytes, at: int, sign: int) -> int:
    if data[at] != sign:
        raise NotJson("it is not JSON")
    return at + 1


def _key(text: bytes) -> str:
    try:
        return str(json.loads(text))
    except ValueError:
        raise NotJson("it has a broken key") from None


def _spaced(data: bytes, at: int) -> int:
    found = _WS.match(data, at)
    return found.end() if found else at


def _string(data: bytes, at: int) -> int:
    end = string_end(data, at) if data[at] == _QUOTE else 0
    if not end:
        raise NotJson("it has a text that does not end")
    return end


def _value_end(data: bytes, at: int) -> int:
    if data[at] == _QUOTE:
        return _string(data, at)
    if data[at] in _OPEN:
        return _nested_end(data, at)
    found = _PLAIN.match(data, at)
    if not found:
        raise NotJson("it is not JSON")
    return found.end()


def _nested_end(data: bytes, at: int) -> int:
    depth = 0
    while True:
        if data[at] in _OPEN:
            end = _strings_end(data, at) if data[at] == _BRACKET else 0
            depth += not end
            at = end or at + 1
            if not depth:
                return at
        elif data[at] in _CLOSE:
            depth -= 1
            at += 1
            if not depth:
                return at
        else:
            at = _string(data, at)
        found = _SKIP.match(data, at)
        at = found.end() if found else at


def _strings_end(data: bytes, at: int) -> int:
    """Just past a list of strings all parted alike, as nbformat writes texts; 0 where it cannot be told so quickly."""
    first = _spaced(data, at + 1)
    end = string_end(data, first) if data[first] == _QUOTE else 0
    separator = SEPARATOR.match(data, end - 1) if end else None
    if not separator:
        return 0
    closing = b'"]'
    if b"\n" in separator[0]:
        line = data.rfind(b"\n", max(0, at - _LINE), at) + 1
        indent = _BLANKS.match(data, line)
        newline = b"\r\n" if b"\r" in separator[0] else b"\n"
        closing = b'"' + newline + (indent[0] if indent else b"") + b"]"
    last = data.find(closing, first + 1)
    if last < 0 or not measured(data[first + 1 : last], separator[0]):
        return 0
    return last + len(closing)
