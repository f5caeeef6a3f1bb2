"""The vectors in the index: which cells have none yet, those that come, the cells nearest to one.

The law: vectors of two embedders are never beside each other; those of cells that are gone may stay until ``prune``,
since a notebook that is saved is taken out and put in again.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Final

from . import vectors
from .answers import SCOPED, inside
from .rows import Place, Unembedded, embedded
from .tables import transaction
from .words import Query, snippet

_PLACES: Final = f"""SELECT c.digest, n.path, c.cell_id, c.place, c.cell_type, c.title, words.source, words.outputs
    FROM cells AS c CROSS JOIN notebooks AS n ON n.id = c.notebook CROSS JOIN words ON words.rowid = c.id
    WHERE c.digest = ? AND {SCOPED} ORDER BY c.id LIMIT ?"""
_WITHIN: Final = f"""SELECT DISTINCT c.digest FROM notebooks AS n CROSS JOIN cells AS c ON c.notebook = n.id
    WHERE {SCOPED}"""
_MISSING: Final = """SELECT c.id, c.digest, c.title, words.source FROM cells AS c CROSS JOIN words ON words.rowid = c.id
    WHERE c.id < ? AND c.digest != x'' AND NOT EXISTS (SELECT 1 FROM vectors AS v WHERE v.digest = c.digest)
    ORDER BY c.id DESC LIMIT ?"""
_ORPHANS: Final = "DELETE FROM vectors WHERE digest NOT IN (SELECT digest FROM cells)"


class Vectors:
    """What is known of the vectors in one index, whose connection each call gets."""

    def __init__(self) -> None:
        self._signs: dict[bytes, int] | None = None

    def forget(self) -> None:
        """The index may hold others by now."""
        self._signs = None

    def unembedded(self, connection: sqlite3.Connection, embedder: str, below: int, limit: int) -> Unembedded:
        """At most ``limit`` cells without a vector, as ``Index.unembedded``."""
        self._settle(connection, embedder)
        rows = connection.execute(_MISSING, (below, limit)).fetchall()
        texts = {digest: embedded(title, source) for _, digest, title, source in rows}
        return Unembedded(tuple(texts), tuple(texts.values()), rows[-1][0] if rows else 0)

    def _settle(self, connection: sqlite3.Connection, embedder: str) -> None:
        """Vectors by another embedder say nothing beside those of this one."""
        row = connection.execute("SELECT name FROM embedder").fetchone()
        if row != (embedder,):
            self._forget_vectors(connection, embedder)

    def _forget_vectors(self, connection: sqlite3.Connection, embedder: str) -> None:
        with transaction(connection):
            connection.execute("DELETE FROM vectors")
            connection.execute("DELETE FROM embedder")
            connection.execute("INSERT INTO embedder VALUES (?)", (embedder,))
        self._signs = {}

    def embed(self, connection: sqlite3.Connection, embedder: str, found: Mapping[bytes, array[float]]) -> None:
        """Keep these vectors by digest, as ``Index.embed``."""
        self._settle(connection, embedder)
        length = max(map(len, found.values()), default=0)
        row = connection.execute("SELECT length(vector) FROM vectors WHERE signs != x'' LIMIT 1").fetchone()
        if row and length and row[0] != 4 * length:
            self._forget_vectors(connection, embedder)
        bits = {digest: vectors.signs(vector) for digest, vector in found.items()}
        with transaction(connection):
            connection.executemany(
                "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)",
                ((d, _bytes(bits[d], len(vector)), vectors.packed(vector)) for d, vector in found.items()),
            )
        if self._signs is not None:
            self._signs.update((digest, bits[digest]) for digest, vector in found.items() if vector)

    def prune(self, connection: sqlite3.Connection) -> None:
        """Forget the vectors of cells that are gone."""
        with transaction(connection):
            gone = connection.execute(_ORPHANS).rowcount
        if gone:
            self._signs = None

    def near(
        self, connection: sqlite3.Connection, embedder: str, vector: array[float], query: Query, scope: str, limit: int
    ) -> list[Place]:
        """The cells nearest to ``vector``, as ``Index.near``."""
        self._settle(connection, embedder)
        known = self._known_signs(connection)
        if scope:
            there = {digest for (digest,) in connection.execute(_WITHIN, inside(scope))}
            known = {digest: bits for digest, bits in known.items() if digest in there}
        chosen = vectors.likely(vectors.signs(vector), known, vectors.OVERSAMPLED * limit)
        near = vectors.nearest(vector, _vectors(connection, chosen), limit)
        places = (_places(connection, digest, cosine, query, scope, limit) for digest, cosine in near)
        return list(islice(chain.from_iterable(places), limit))

    def _known_signs(self, connection: sqlite3.Connection) -> dict[bytes, int]:
        if self._signs is None:
            rows = connection.execute("SELECT digest, signs FROM vectors WHERE signs != x''")
            self._signs = {digest: int.from_bytes(bits, "big") for digest, bits in rows}
        return self._signs


def _bytes(bits: int, length: int) -> bytes:
    return bits.to_bytes(-(-length // 8), "big")


def _vectors(connection: sqlite3.Connection, digests: Sequence[bytes]) -> dict[bytes, array[float]]:
    marks = ",".join("?" * len(digests))
    rows = connection.execute(f"SELECT digest, vector FROM vectors WHERE digest IN ({marks})", digests)
    return {digest: vectors.unpacked(vector) for digest, vector in rows}


def _places(
    connection: sqlite3.Connection, digest: bytes, cosine: float, query: Query, scope: str, limit: int
) -> Iterator[Place]:
    for _, path, cell_id, index, kind, title, source, outputs in connection.execute(
        _PLACES, (digest, *inside(scope), limit)
    ):
        yield Place(path, cell_id, index, kind, round(cosine, 6), title, snippet((source, outputs), query.words))
