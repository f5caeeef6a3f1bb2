"""Decompression in bounded pieces."""

from __future__ import annotations

import itertools
import random
import zlib

import pytest

from jupyter_assistant.llm.inflate import PIECE, Inflate, NotText

TEXT = random.Random(1).randbytes(300_000).hex().encode()


@pytest.mark.parametrize("wbits", [31, 15])
@pytest.mark.parametrize("step", [1, 1000, 10**9])
def test_pieces_make_up_the_text_however_it_is_cut(wbits: int, step: int) -> None:
    packer = zlib.compressobj(wbits=wbits)
    packed = packer.compress(TEXT[:50_000]) + packer.flush()
    inflate = Inflate()
    pieces = [piece for i in range(0, len(packed), step) for piece in inflate.feed(packed[i : i + step])]
    assert b"".join(pieces) == TEXT[:50_000]


def test_no_piece_is_longer_than_64_kb() -> None:
    assert max(len(piece) for piece in Inflate().feed(zlib.compress(TEXT))) <= PIECE


def test_what_is_far_denser_than_text_ends() -> None:
    pieces = Inflate().feed(zlib.compress(b"\n" * 2**26))
    harmless = 2**24 // PIECE
    assert sum(len(piece) for piece in itertools.islice(pieces, harmless)) == 2**24
    with pytest.raises(NotText):
        next(pieces)


def test_a_repetitive_answer_is_no_bomb() -> None:
    answer = b"data: " + b'{"choices":[{"index":0,"delta":{"content":"word "}}]}\n\n' * 200_000
    assert sum(len(piece) for piece in Inflate().feed(zlib.compress(answer, 1))) == len(answer)


def test_what_is_not_compressed_is_said() -> None:
    with pytest.raises(NotText):
        list(Inflate().feed(b"plain text"))
