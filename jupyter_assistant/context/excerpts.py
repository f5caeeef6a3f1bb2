"""How large a text is for a model, and how it is cut to a size.

The law: an estimate never shrinks when text is added, secrets are taken out before anything is cut, and a cut says
how much it left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

Redact = Callable[[str], tuple[str, int]]

_CHEAP = bytes(range(65, 91)) + bytes(range(97, 123)) + b" \t\n\r"
LEAST_USEFUL = 40
"""Characters: less of a text than this tells a reader nothing."""

_TAIL = 0.3
_READ_CHARS = 200_000
"""Characters of one text that are looked at: bounds the time spent on a cell that holds a file's worth of data."""

_BORDER_CHARS = 8_192
"""Characters dropped at an unread middle's edges, where half a secret could have escaped the patterns."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def estimate_tokens(text: str) -> int:
    """The tokens ``text`` takes, on the safe side and without a tokenizer: a third of a token per byte of ASCII letters
    and white space, half a token per any other byte of UTF-8 (digits, signs, other scripts), rounded up.

    Byte-pair vocabularies need about a quarter per letter in English prose and half per digit or sign in tables. It is
    monotone, and at most additive: ``estimate(a + b) <= estimate(a) + estimate(b)``.
    """
    data = text.encode("utf-8", "surrogatepass")
    dear = len(data.translate(None, _CHEAP))
    return -(-(2 * len(data) + dear) // 6)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A text without its secrets: ``head`` and ``tail`` with ``missing`` characters between them, and how many
    secrets were ``redacted``.
    """

    head: str
    tail: str = ""
    missing: int = 0
    redacted: int = 0

    @property
    def cut(self) -> bool:
        """Whether anything is left out."""
        return self.missing > 0

    @property
    def text(self) -> str:
        """The text, with a note where characters are missing."""
        if not self.missing:
            return self.head + self.tail
        return f"{self.head}\n[… {self.missing} characters left out …]\n{self.tail}"

    def within(self, tokens: int) -> Excerpt:
        """The same with as much of its beginning and end as takes at most ``tokens``; empty when that is too little."""
        if estimate_tokens(self.text) <= tokens:
            return self
        low, high = 0, min(len(self.head) + len(self.tail), 3 * max(tokens, 0))
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if estimate_tokens(self._first(middle).text) <= tokens else (low, middle - 1)
        return self._first(low) if low >= LEAST_USEFUL else self._first(0)

    def _first(self, chars: int) -> Excerpt:
        whole = len(self.head) + len(self.tail)
        last = min(int(chars * _TAIL), len(self.tail)) if self.tail else int(chars * _TAIL)
        head, tail = self.head[: chars - last], self.tail or self.head
        tail = tail[len(tail) - last :] if last else ""
        return Excerpt(head, tail, self.missing + whole - len(head) - len(tail), self.redacted)


def excerpt(text: str, redact: Redact) -> Excerpt:
    """``text`` without its secrets; of a very long one only the beginning and the end are read."""
    if len(text) <= _READ_CHARS:
        clean, redacted = redact(encodable(text))
        return Excerpt(clean, redacted=redacted)
    end = int(_READ_CHARS * _TAIL)
    head, in_head = redact(encodable(text[: _READ_CHARS - end]))
    tail, in_tail = redact(encodable(text[len(text) - end :]))
    head, tail = head[: max(0, len(head) - _BORDER_CHARS)], tail[_BORDER_CHARS:]
    return Excerpt(head, tail, len(text) - len(head) - len(tail), in_head + in_tail)


def encodable(text: str) -> str:
    """Lone surrogates, which JSON allows and UTF-8 does not, become U+FFFD: a request must be sendable."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)
