"""What a window of JupyterLab says on the ``tab`` socket: JSON text to frozen frames; pure.

The law: whatever comes, this answers with a frame or raises ``BadFrame`` with a sentence that holds nothing of it; a
large frame is parsed in pieces, so that the thread it is parsed in never keeps the interpreter for long.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
Json = dict[str, Any]

PROTOCOL = 1
LARGE = 128 * 1024
"""Characters from which a frame is parsed in pieces, in a thread: below, it takes about a millisecond."""
MAX_FRAME = 64 * 1024 * 1024
"""Bytes of one frame."""
MAX_DOCUMENTS = 500
MAX_NAME = 200
MAX_PATH = 4_096
DEPTH = 8
"""Levels of a large frame that are parsed piece by piece: frame, result, cells, cell, outputs, output, data, text."""
PIECE = 1 << 16
"""Characters of a long text that are decoded at once."""

_BLANKS = re.compile(r"[ \t\r\n]*")
_TEXT = re.compile(r'(?:[^"\\]+|\\u[0-9a-fA-F]{4}|\\[^u])*')
_HALF = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\Z")
_DECODER = json.JSONDecoder()


class BadFrame(ValueError):
    """What came is no frame of the protocol; the message is a sentence for the browser's console."""


@dataclass(frozen=True, slots=True)
class Hello:
    """The first frame: ``window`` names the page, also when it connects again."""

    window: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One notebook that a window has open. ``document`` names it in that window, also when its path changes."""

    document: str
    path: str
    dirty: bool
    read_only: bool
    collaborative: bool
    views: int
    current: bool
    kernel_id: str | None


@dataclass(frozen=True, slots=True)
class Documents:
    """All notebooks a window has open."""

    documents: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """The end of a request; ``error`` is None where it was done."""

    id: int
    result: Json
    error: Json | None


@dataclass(frozen=True, slots=True)
class Progress:
    """What has changed of the cells that a request runs."""

    id: int
    cells: tuple[Json, ...]


@dataclass(frozen=True, slots=True)
class Pong:
    id: int


Frame = Hello | Documents | Reply | Progress | Pong


def frame(text: str) -> Frame:
    """The frame in a message; raises ``BadFrame``."""
    value = _object(parsed(text), "A frame")
    kind = value.get("type")
    make = _KINDS.get(kind) if isinstance(kind, str) else None
    if make is None:
        raise BadFrame("There is no frame of that type.")
    return make(value)


# ---------------------------------------------------------------- text to values


def parsed(text: str) -> object:
    """The JSON value, a large one parsed in pieces; raises ``BadFrame``."""
    try:
        return json.loads(text) if len(text) <= LARGE else _whole(text)
    except RecursionError:
        raise BadFrame("A frame is nested too deeply.") from None
    except ValueError:
        raise BadFrame("A frame is not JSON.") from None


def _whole(text: str) -> object:
    value, end = _piece(text, _skip(text, 0), DEPTH)
    if _skip(text, end) != len(text):
        raise ValueError
    return value


def _piece(text: str, at: int, depth: int) -> tuple[Any, int]:
    """The value at ``at`` and where it ends; its inside one by one down to ``depth`` levels."""
    if depth and text.startswith("{", at):
        return _members(text, at, depth - 1)
    if depth and text.startswith("[", at):
        return _items(text, at, depth - 1)
    if text.startswith('"', at) and not text.startswith('"', _end(text, at + 1)):
        return _text(text, at + 1)
    return _DECODER.raw_decode(text, at)


def _text(text: str, at: int) -> tuple[str, int]:
    """A long text, from behind its opening quote."""
    found: list[str] = []
    while True:
        end = _end(text, at)
        closed = text.startswith('"', end)
        if not closed and _HALF.search(text, max(at, end - 6), end):
            end -= 6  # the other half of the character comes next
        if end == at and not closed:
            raise ValueError
        found.append(_DECODER.decode(f'"{text[at:end]}"'))
        if closed:
            return "".join(found), end + 1
        at = end


def _end(text: str, at: int) -> int:
    """Where the text that begins at ``at`` ends, or a piece of it."""
    inside = _TEXT.match(text, at, at + PIECE)
    return inside.end() if inside else at


def _members(text: str, at: int, depth: int) -> tuple[Json, int]:
    found: Json = {}
    at = _skip(text, at + 1)
    if text.startswith("}", at):
        return found, at + 1
    while True:
        name, at = _DECODER.raw_decode(text, at)
        if not isinstance(name, str):
            raise ValueError
        found[name], at = _piece(text, _skip(text, _after(text, at, ":")), depth)
        at = _skip(text, at)
        if text.startswith("}", at):
            return found, at + 1
        at = _skip(text, _after(text, at, ","))


def _items(text: str, at: int, depth: int) -> tuple[list[Any], int]:
    found: list[Any] = []
    at = _skip(text, at + 1)
    if text.startswith("]", at):
        return found, at + 1
    while True:
        value, at = _piece(text, at, depth)
        found.append(value)
        at = _skip(text, at)
        if text.startswith("]", at):
            return found, at + 1
        at = _skip(text, _after(text, at, ","))


def _skip(text: str, at: int) -> int:
    blanks = _BLANKS.match(text, at)
    return blanks.end() if blanks else at


def _after(text: str, at: int, sign: str) -> int:
    at = _skip(text, at)
    if not text.startswith(sign, at):
        raise ValueError
    return at + 1


# ---------------------------------------------------------------- values to frames


def _hello(value: Json) -> Hello:
    if value.get("protocol") != PROTOCOL:
        raise BadFrame(f"This server speaks protocol {PROTOCOL} of the tab socket; reload the page.")
    return Hello(_name(value, "window"))


def _documents(value: Json) -> Documents:
    listed = value.get("documents")
    if not isinstance(listed, list) or len(listed) > MAX_DOCUMENTS:
        raise BadFrame(f"documents must be a list of at most {MAX_DOCUMENTS}.")
    found = tuple(_shown(_object(each, "A document")) for each in listed)
    if len({each.document for each in found}) != len(found):
        raise BadFrame("Two documents have the same name.")
    return Documents(found)


def _shown(value: Json) -> Shown:
    return Shown(
        _name(value, "document"),
        _name(value, "path", MAX_PATH),
        _flag(value, "dirty"),
        _flag(value, "read_only"),
        _flag(value, "collaborative"),
        _number(value, "views"),
        _flag(value, "current"),
        _name(value, "kernel_id") if value.get("kernel_id") is not None else None,
    )


def _reply(value: Json) -> Reply:
    number = _number(value, "id")
    if _flag(value, "ok"):
        return Reply(number, _object(value.get("result"), "A result"), None)
    return Reply(number, {}, _object(value.get("error"), "An error"))


def _progress(value: Json) -> Progress:
    cells = value.get("cells")
    if not isinstance(cells, list):
        raise BadFrame("cells must be a list.")
    return Progress(_number(value, "id"), tuple(_object(cell, "A cell") for cell in cells))


def _pong(value: Json) -> Pong:
    return Pong(_number(value, "id"))


_KINDS: Mapping[str, Callable[[Json], Frame]] = {
    "hello": _hello,
    "documents": _documents,
    "reply": _reply,
    "progress": _progress,
    "pong": _pong,
}


def _object(value: object, what: str) -> Json:
    if not isinstance(value, dict):
        raise BadFrame(f"{what} must be a JSON object.")
    return value


def _name(value: Json, field: str, longest: int = MAX_NAME) -> str:
    found = value.get(field)
    if not isinstance(found, str) or not 0 < len(found) <= longest:
        raise BadFrame(f"{field} must be a text of 1 to {longest} characters.")
    return found


def _flag(value: Json, field: str) -> bool:
    found = value.get(field)
    if not isinstance(found, bool):
        raise BadFrame(f"{field} must be true or false.")
    return found


def _number(value: Json, field: str) -> int:
    found = value.get(field)
    if type(found) is not int or found < 0:
        raise BadFrame(f"{field} must be a number from 0 on.")
    return found
