"""A notebook's JSON made short before it is parsed: long texts are read as excerpts straight from the bytes.

The law: parsing what ``shorten`` gives yields the same records as parsing the whole file. A text is shortened only
where the bytes prove where it ends and how many characters it has; everything else is left to the JSON parser,
which therefore still judges the file (only the inside of what is left out goes unjudged). Sources are never
shortened. Time is linear in the file, memory is one block and the longest text.

Two kinds of text are long: one string (an image), and a list of short strings (``["line 1\\n", "line 2\\n"]``, as
nbformat writes all text). Both are one *body*: the bytes from the first opening quote to the last closing one; in a
list the strings are parted by one separator, always the same bytes, such as ``",\\n      "``.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable

from .nbformats import NotJson, parsed
from .outputs import HEAD, TAIL, WHOLE, Excerpt

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` costs the reading process a quarter of its start
    from typing import Any

BLOCK = 1 << 20
_KEPT = frozenset({b"source", b"input"})
_SLASH, _U = ord("\\"), ord("u")
_BLANKS = b" \t"
_WS = rb"[ \t\r\n]*"
_AFTER = re.compile(_WS + rb"(?:(:)" + _WS + rb"(?:(\[)" + _WS + rb")?)?")
SEPARATOR = re.compile(rb'"' + _WS + rb"," + _WS + rb'"')
_STOPS = re.compile(rb'\\.|"', re.DOTALL)
_PAIR = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")


def shortened(read: Callable[[int], bytes], block: int = BLOCK) -> object:
    """The parsed JSON that ``read(size)`` gives piece by piece (empty at the end), with excerpts for long texts."""
    mark = os.urandom(12).hex()
    scan = Scan(b'{"%b":' % mark.encode())
    rest, final = b"", False
    while not final:
        piece = read(max(block, len(rest)))
        final = not piece
        rest += piece
        rest = rest[_fed(scan, rest, final) :]

    def resolved(item: dict[str, Any]) -> object:
        return scan.excerpts[item[mark]] if mark in item else item

    return parsed(b"".join(scan.pieces), resolved)


def _fed(scan: Scan, data: bytes, final: bool) -> int:
    try:
        return scan.feed(data, final)
    except UnicodeDecodeError:
        raise NotJson("it is not UTF-8 text") from None
    except json.JSONDecodeError:
        raise NotJson("it is not JSON, inside a long text") from None


class Scan:
    """What has been read so far: ``pieces`` of short JSON, and the excerpts their marks ``{"<mark>": n}`` stand for."""

    def __init__(self, mark: bytes) -> None:
        self.pieces: list[bytes] = []
        self.excerpts: list[Excerpt] = []
        self._mark = mark
        self._key = b""

    def feed(self, data: bytes, final: bool) -> int:
        """Take what can be understood of ``data``; returns how many bytes that is, to be fed no more."""
        at = start = blind = 0
        while (quote := data.find(b'"', at)) >= 0:
            end = string_end(data, quote)
            after = _AFTER.match(data, end) if end else None
            if not after or (after.end() == len(data) and not final):
                break
            if not after[1]:
                at = end
                start = self._string(data, start, quote, end)
                continue
            self._key, first = data[quote + 1 : end - 1], after.end()
            at = first
            if after[2] and first >= blind and data[first : first + 1] == b'"':
                last = data.find(_list_end(data, quote, after), first + 1)
                if last < 0 and not final:
                    break
                blind = last if last >= 0 else len(data)
                at, start = self._list(data, start, first, last, data.index(b"[", end))
        taken = len(data) if final else max(start, _line_start(data, quote if quote >= 0 else len(data)))
        self.pieces.append(data[start:taken])
        return taken

    def _string(self, data: bytes, start: int, quote: int, end: int) -> int:
        """A string that is no key; returns where what is not yet in ``pieces`` starts."""
        if end - quote <= WHOLE or self._key in _KEPT:
            return start
        body = data[quote + 1 : end - 1]
        counted = measured(body)
        if not counted or counted[1] <= WHOLE:
            return start
        return self._replace(data, start, quote, end, edges(body, b"", "", counted[1]))

    def _list(self, data: bytes, start: int, first: int, last: int, opening: int) -> tuple[int, int]:
        """A list of strings whose last closing quote may be ``last``; returns where to look on, and the new start."""
        end = string_end(data, first)
        separator = SEPARATOR.match(data, end - 1)
        body = data[first + 1 : max(first + 1, last)]
        counted = measured(body, separator[0] if separator and separator.end() <= last else b"") if last >= 0 else None
        if not counted:
            return first, start
        joiner = "\n" if self._key == b"traceback" else ""
        chars = counted[1] + counted[0] * len(joiner)
        if chars <= WHOLE or self._key in _KEPT:
            return last + 1, start
        closing = data.index(b"]", last) + 1
        found = edges(body, separator[0] if separator and counted[0] else b"", joiner, chars)
        return closing, self._replace(data, start, opening, closing, found)

    def _replace(self, data: bytes, start: int, begin: int, end: int, found: Excerpt) -> int:
        self.pieces += (data[start:begin], self._mark, b"%d}" % len(self.excerpts))
        self.excerpts.append(found)
        return end


def _line_start(data: bytes, at: int) -> int:
    """``at`` without the blanks before it: the indentation of a key tells where its list closes."""
    while at and data[at - 1] in _BLANKS:
        at -= 1
    return at


def string_end(data: bytes, quote: int) -> int:
    """Just past the closing quote of the string that opens at ``quote``; 0 where it does not close in ``data``."""
    end = data.find(b'"', quote + 1)
    if end > 0 and data[end - 1] == _SLASH:
        end = next((stop.start() for stop in _STOPS.finditer(data, quote + 1) if stop[0] == b'"'), -1)
    return end + 1


def _list_end(data: bytes, key: int, after: re.Match[bytes]) -> bytes:
    """What closes the list if it is laid out as its key is: ``"]``, or on a line indented like the key's line."""
    line = data.rfind(b"\n", key, after.end()) + 1
    if not line:
        return b'"]'
    indent = data[data.rfind(b"\n", 0, key) + 1 : key]
    newline = b"\r\n" if data[line - 2 : line - 1] == b"\r" else b"\n"
    return b'"' + newline + (indent if not indent.strip(b" \t") else b"") + b"]"


# ---------------------------------------------------------------- what a body holds


def measured(body: bytes, separator: bytes = b"") -> tuple[int, int] | None:
    """How many separators ``body`` has and how many characters its strings have together.

    None unless every quote that is not escaped belongs to a separator and every separator's first quote is not
    escaped: then the strings are exactly what lies between the separators, and the quote after ``body`` closes the
    last one. The first half counts cheaply the escapes that fill most notebooks, ``\\"`` and the line end before a
    separator; only where other backslashes remain does the second half tell them apart. A separator on one line
    (``", "``) always takes the second half: inside a string it may look the same.
    """
    slashes, quotes = body.count(b"\\"), body.count(b'"')
    lines = body.count(b"\\n" + separator)
    parting = lines if separator else 0
    escaped = 0 if quotes == 2 * parting else body.count(b'\\"')
    ending = bool(separator) and body.endswith(b"\\n")
    on_lines = not separator or b"\n" in separator
    if on_lines and quotes == 2 * parting + escaped and slashes == lines + escaped + ending:
        return parting, _decoded_length(body) - slashes - parting * len(separator)
    return _measured_exactly(body, separator, slashes, quotes)


def _measured_exactly(body: bytes, separator: bytes, slashes: int, quotes: int) -> tuple[int, int] | None:
    single = body.replace(b"\\\\", b"__")
    alone = single.count(b"\\")
    parting = body.count(separator) if separator else 0
    if single.endswith(b"\\") or quotes != 2 * parting + single.count(b'\\"'):
        return None
    if separator and (b"\\" + separator in single or separator + separator[1:] in body):
        return None
    unicode = single.count(b"\\u")
    pairs = len(_PAIR.findall(single)) if unicode else 0
    escapes = (slashes - alone) // 2 + alone + 4 * unicode + pairs
    return parting, _decoded_length(body) - escapes - parting * len(separator)


def _decoded_length(body: bytes) -> int:
    return len(body) if body.isascii() else len(body.decode())


def edges(body: bytes, separator: bytes, joiner: str, chars: int) -> Excerpt:
    """The excerpt of a text of ``chars`` > ``WHOLE`` characters: its two ends, from as few bytes as it takes."""
    return _edge(body, separator, joiner, HEAD, False), _edge(body, separator, joiner, TAIL, True), chars


def _edge(body: bytes, separator: bytes, joiner: str, size: int, last: bool) -> str:
    width = size + size // 4 + 64
    while True:
        cut = boundary(body, min(max(0, len(body) - width if last else width), len(body)), separator)
        piece = body[cut:] if last else body[:cut]
        text = joiner.join(json.loads(b'["%b"]' % piece))
        if len(text) > size or width >= len(body):
            return text[-size:] if last else text[:size]
        width *= 4


def boundary(body: bytes, at: int, separator: bytes) -> int:
    """The first place from ``at`` on that is not inside a separator, an escape or a UTF-8 sequence."""
    if separator:
        inside = body.find(separator, max(0, at - len(separator) + 1), at - 1 + len(separator))
        if inside >= 0:
            return inside + len(separator)
    slash = body.rfind(b"\\", max(0, at - 5), at)
    if slash >= 0 and _starts_escape(body, slash):
        at = max(at, slash + (6 if body[slash + 1] == _U else 2))
    while at < len(body) and body[at] & 0xC0 == 0x80:
        at += 1
    return at


def _starts_escape(body: bytes, slash: int) -> bool:
    first = slash
    while first and body[first - 1] == _SLASH:
        first -= 1
    return (slash - first) % 2 == 0
