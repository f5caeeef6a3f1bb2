"""Tells ``<think>…</think>`` at the start of an answer from the answer; pure.

The law: nothing is lost and nothing held longer than needed to tell. Only the very start of an answer counts: a
``<think>`` further on is text the model wrote about.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ..messages import Reasoning, Token

_OPEN = "<think>"
_CLOSE = "</think>"
_HELD_SPACE = 64
"""Longest run of white space held back before a possible ``</think>``, in characters."""

_TAIL = re.compile(r"\s*(?:<|</|</t|</th|</thi|</thin|</think)?\Z")


class Thinking:
    """Splits the text of one answer; fed piece by piece, cut anywhere."""

    def __init__(self) -> None:
        self._held = ""
        self._step: Callable[[str], list[Token | Reasoning]] = self._start

    def feed(self, text: str) -> list[Token | Reasoning]:
        """The pieces that are certain now."""
        return self._step(text)

    def close(self) -> list[Token | Reasoning]:
        """What was held back, when the answer has ended; an unclosed ``<think>`` leaves reasoning."""
        held, self._held = self._held, ""
        if self._step == self._thinking:
            return _reasoning(held.rstrip())
        return _token(held) if self._step == self._start else []

    def _start(self, text: str) -> list[Token | Reasoning]:
        self._held += text
        seen = self._held.lstrip()
        if seen.startswith(_OPEN):
            self._held = ""
            self._step = self._opened
            return self._opened(seen[len(_OPEN) :])
        if _OPEN.startswith(seen) and len(self._held) <= _HELD_SPACE:
            return []
        held, self._held = self._held, ""
        self._step = _token
        return _token(held)

    def _opened(self, text: str) -> list[Token | Reasoning]:
        """Directly behind ``<think>``: white space is layout."""
        text = text.lstrip()
        if not text:
            return []
        self._step = self._thinking
        return self._thinking(text)

    def _thinking(self, text: str) -> list[Token | Reasoning]:
        text = self._held + text
        thought, closed, answer = text.partition(_CLOSE)
        if closed:
            self._held = ""
            self._step = self._closed
            return [*_reasoning(thought.rstrip()), *self._closed(answer)]
        held = _TAIL.search(text, max(0, len(text) - _HELD_SPACE))
        certain = held.start() if held else len(text)
        self._held = text[certain:]
        return _reasoning(text[:certain])

    def _closed(self, text: str) -> list[Token | Reasoning]:
        """Directly behind ``</think>``: white space is layout."""
        text = text.lstrip()
        if not text:
            return []
        self._step = _token
        return _token(text)


def _token(text: str) -> list[Token | Reasoning]:
    return [Token(text)] if text else []


def _reasoning(text: str) -> list[Token | Reasoning]:
    return [Reasoning(text)] if text else []
