"""Decompression that is no weapon: in bounded pieces, and with an end to what is denser than text can be; pure."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

PIECE = 64 * 2**10
"""Longest piece, in bytes."""

ENCODINGS = frozenset({"gzip", "x-gzip", "deflate"})
"""Content encodings that ``Inflate`` reads."""

_DENSE = 200
_DENSE_FROM = 16 * 2**20


class NotText(ValueError):
    """Not compressed as it was said to be, or far denser than any answer."""


class Inflate:
    """Bytes of one gzip or zlib stream, fed in order."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=47)
        self._fed = 0
        self._given = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What the chunk unpacks to, in pieces of at most 64 kB. Raises NotText."""
        self._fed += len(chunk)
        while chunk:
            try:
                piece = self._stream.decompress(chunk, PIECE)
            except zlib.error as error:
                raise NotText("not compressed as it was said to be") from error
            chunk = self._stream.unconsumed_tail
            self._given += len(piece)
            if self._given > _DENSE_FROM and self._given > _DENSE * self._fed:
                raise NotText("far denser than text")
            if piece:
                yield piece
