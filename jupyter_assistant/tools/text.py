"""Text of a result: between fences nothing inside can close, and within a number of bytes; pure.

The law: what is cut is cut in the middle, said and counted, and the end is kept: a program's last words tell most.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ..notebooks.outputs import left_out

BUDGET = 20_000
"""Bytes of text in one result of our tools."""

_TICKS = re.compile(r"`{3,}")
_SURROGATES = re.compile("[\ud800-\udfff]")


def fenced(text: str, kind: str = "text") -> str:
    """``text`` between fences longer than any run of backticks inside it."""
    fence = "`" * max(3, *(len(run) + 1 for run in _TICKS.findall(text)), 3)
    return f"{fence}{kind}\n{text}\n{fence}"


def encodable(text: str) -> str:
    """Lone surrogates, which JSON allows and UTF-8 does not, become U+FFFD."""
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


def size(text: str) -> int:
    """Bytes of the text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def within(text: str, room: int) -> str:
    """``text`` in at most ``room`` bytes: both ends, and between them how much is left out."""
    if size(text) <= room:
        return text
    data = text.encode("utf-8", "replace")
    half = max(0, room - 60) // 2
    head = data[:half].decode("utf-8", "ignore")
    tail = data[len(data) - half :].decode("utf-8", "ignore")
    return f"{head}\n{left_out(len(text) - len(head) - len(tail), 'characters')}\n{tail}"


def shares(sizes: Sequence[int], room: int) -> list[int]:
    """How much of ``room`` each part gets: small parts all they need, the others the same."""
    given = [0] * len(sizes)
    rest = max(0, room)
    for left, at in enumerate(sorted(range(len(sizes)), key=lambda at: sizes[at])):
        given[at] = min(sizes[at], rest // (len(sizes) - left))
        rest -= given[at]
    return given


def listed(lines: Iterable[str], room: int = BUDGET) -> list[str]:
    """As many whole lines or blocks as fit, at least one."""
    kept: list[str] = []
    for line in lines:
        need = size(line) + 1
        if kept and need > room:
            break
        kept.append(within(line, room))
        room -= need
    return kept


def counted(number: int, noun: str) -> str:
    """``1 cell``, ``2 cells``"""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
