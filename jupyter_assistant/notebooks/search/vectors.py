"""Vectors of texts (all of length 1): their signs as bits, the nearest of many, lists of results joined by rank; pure.

The law: what is near by the signs alone is only a first choice; the order is by the cosine of the vectors themselves.

A hundred thousand vectors are looked through in some 20 ms without any library: the signs of a vector's values are one
integer, and the bits in which two of them differ are close to the angle between them.
"""

from __future__ import annotations

import heapq
import operator
import sys
from array import array
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

K = TypeVar("K", bound=Hashable)

RANK_CONSTANT = 60
"""Of reciprocal rank fusion (Cormack, Clarke, Büttcher: SIGIR 2009)."""
OVERSAMPLED = 8
"""How many times as many as are wanted are chosen by their signs."""
NEAR_BEST = 0.5
"""Of the best cosine: what is further away is about something else."""


def signs(vector: array[float]) -> int:
    """A bit for each value, set where it is positive."""
    bits = "".join("1" if value > 0 else "0" for value in vector)
    return int(bits, 2) if bits else 0


def packed(vector: array[float]) -> bytes:
    """As it is stored: float32, least byte first."""
    if sys.byteorder == "big":
        vector = array("f", vector)
        vector.byteswap()
    return vector.tobytes()


def unpacked(data: bytes) -> array[float]:
    """What ``packed`` made; raises ``ValueError`` for a broken one."""
    vector = array("f")
    vector.frombytes(data)
    if sys.byteorder == "big":
        vector.byteswap()
    return vector


def likely(asked: int, known: Mapping[K, int], count: int) -> list[K]:
    """The ``count`` keys of ``known`` whose signs differ least from those ``asked`` for."""
    keys = list(known)
    distances = [(bits ^ asked).bit_count() for bits in known.values()]
    return [keys[at] for at in heapq.nsmallest(count, range(len(keys)), key=distances.__getitem__)]


def nearest(asked: array[float], vectors: Mapping[K, array[float]], count: int) -> list[tuple[K, float]]:
    """The ``count`` nearest with their cosines, nearest first, as far as they are not much further than the best."""
    found = [
        (key, sum(map(operator.mul, asked, vector))) for key, vector in vectors.items() if len(vector) == len(asked)
    ]
    best = heapq.nlargest(count, found, key=operator.itemgetter(1))
    return [(key, cosine) for key, cosine in best if cosine > 0 and cosine >= NEAR_BEST * best[0][1]]


def joined(rankings: Sequence[Sequence[K]]) -> dict[K, float]:
    """Keys by reciprocal rank over all ``rankings`` (each best first), best first; 1 for the first of one of them."""
    scores: dict[K, float] = {}
    for ranking in rankings:
        for rank, key in enumerate(ranking, 1):
            scores[key] = scores.get(key, 0.0) + (RANK_CONSTANT + 1) / (RANK_CONSTANT + rank)
    return dict(sorted(scores.items(), key=lambda one: -one[1]))
