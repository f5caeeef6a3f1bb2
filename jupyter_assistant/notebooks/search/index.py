"""The search index: one SQLite file with the words of every cell, kept by one thread.

The law: it is a cache. What cannot be read, or another version wrote, is deleted and made anew; where no file can be
kept, it is kept in memory; losing it loses nothing. Two servers may share one file: each notebook is written in one
transaction, and only if the file does not hold that content already.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from logging import Logger
from pathlib import Path
from typing import Final, TypeVar

from ...errors import StoreUnavailable
from ..listing import Stamp
from . import vectors
from .rows import Counts, Page, Place, Row, Unembedded, embedded
from .words import Query, snippet

T = TypeVar("T")

VERSION: Final = 2
BUSY_SECONDS: Final = 5.0
CANDIDATES: Final = 10_000
"""Cells that are scored for one query; a word that more cells hold says little beside one that fewer do."""
LAST: Final = 2**63 - 1
_SCHEMA: Final = (
    "CREATE TABLE notebooks (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, stamp TEXT NOT NULL)",
    """CREATE TABLE cells (id INTEGER PRIMARY KEY, notebook INTEGER NOT NULL, cell_id TEXT NOT NULL,
       place INTEGER NOT NULL, cell_type TEXT NOT NULL, title TEXT NOT NULL, digest BLOB NOT NULL)""",
    "CREATE INDEX cells_of_notebook ON cells (notebook)",
    "CREATE INDEX cells_of_digest ON cells (digest)",
    "CREATE TABLE vectors (digest BLOB PRIMARY KEY, signs BLOB NOT NULL, vector BLOB NOT NULL)",
    "CREATE TABLE embedder (name TEXT NOT NULL)",
    """CREATE VIRTUAL TABLE words USING fts5 (name, title, source, parts, outputs,
       tokenize = 'porter unicode61 remove_diacritics 2')""",
    "INSERT INTO words (words, rank) VALUES ('rank', 'bm25(0.3, 2.0, 2.0, 1.0, 0.5)')",
)
_SCOPED: Final = "(n.path = ? OR substr(n.path, 1, ?) = ?)"
_FIND: Final = f"""SELECT words.rowid, -words.rank, n.path, c.cell_id, c.place, c.cell_type, c.title, words.source,
    words.outputs FROM words CROSS JOIN cells AS c ON c.id = words.rowid CROSS JOIN notebooks AS n ON n.id = c.notebook
    WHERE words MATCH ? AND words.rowid <= ? AND {_SCOPED} ORDER BY words.rank LIMIT ?"""
_PLACES: Final = f"""SELECT c.digest, n.path, c.cell_id, c.place, c.cell_type, c.title, words.source, words.outputs
    FROM cells AS c CROSS JOIN notebooks AS n ON n.id = c.notebook CROSS JOIN words ON words.rowid = c.id
    WHERE c.digest = ? AND {_SCOPED} ORDER BY c.id LIMIT ?"""
_WITHIN: Final = f"""SELECT DISTINCT c.digest FROM notebooks AS n CROSS JOIN cells AS c ON c.notebook = n.id
    WHERE {_SCOPED}"""
_MISSING: Final = """SELECT c.id, c.digest, c.title, words.source FROM cells AS c CROSS JOIN words ON words.rowid = c.id
    WHERE c.id < ? AND c.digest != x'' AND NOT EXISTS (SELECT 1 FROM vectors AS v WHERE v.digest = c.digest)
    ORDER BY c.id DESC LIMIT ?"""
_ORPHANS: Final = "DELETE FROM vectors WHERE digest NOT IN (SELECT digest FROM cells)"
_COUNT: Final = "SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH ? LIMIT ?)"
_NTH: Final = "SELECT rowid FROM words WHERE words MATCH ? LIMIT 1 OFFSET ?"

# Python 3.10 has no ``sqlite_errorcode``: SQLite's own messages are matched.
_ENVIRONMENT: Final = ("unable to open", "readonly", "full", "disk I/O", "not authorized")
_BUSY: Final = ("locked", "interrupted")


class Index:
    """The index in ``file`` (in memory where it is None), opened at the first call. One thread alone may use it.

    ``openings`` counts how often it was opened: what was known of it before the last time may be gone. ``loads`` counts
    how often its content turned out to be another than what was known of it.
    """

    def __init__(self, file: Path | None, *, log: Logger) -> None:
        self._file = file
        self._log = log
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._known: dict[str, Stamp] = {}
        self._version = -1
        self._signs: dict[bytes, int] | None = None
        self.openings = 0
        self.loads = 0

    def known(self) -> dict[str, Stamp]:
        """Which content of which notebook the index holds; raises ``StoreUnavailable``."""
        return dict(self._call(self._load))

    def put(self, pages: Sequence[Page]) -> None:
        """Take in these notebooks in place of what was known of them; raises ``StoreUnavailable``."""
        self._call(lambda connection: self._write(connection, pages))

    def forget(self, paths: Sequence[str]) -> None:
        """These notebooks are gone; raises ``StoreUnavailable``."""
        self._call(lambda connection: self._drop(connection, paths))

    def find(self, query: Query, scope: str, limit: int) -> list[Place]:
        """The best places, best first, in the notebook or folder ``scope`` ("" everywhere)."""
        return self._call(lambda connection: _found(connection, query, scope, limit)) if query.expressions else []

    def counts(self) -> Counts:
        """How much it holds; raises ``StoreUnavailable``."""
        return self._call(_counts)

    # ------------------------------------------------------------ vectors

    def unembedded(self, embedder: str, below: int, limit: int) -> Unembedded:
        """At most ``limit`` cells that have no vector by this embedder, of rows under ``below`` (``LAST``: all).

        Vectors of another embedder are forgotten first. Raises ``StoreUnavailable``.
        """
        return self._call(lambda connection: self._unembedded(connection, embedder, below, limit))

    def embed(self, embedder: str, found: Mapping[bytes, array[float]]) -> None:
        """Keep these vectors by digest (an empty one: there is none to be had); raises ``StoreUnavailable``.

        Where their length is not that of those before, the embedder has changed: those are forgotten.
        """
        self._call(lambda connection: self._embed(connection, embedder, found))

    def prune(self) -> None:
        """Forget the vectors of cells that are gone; raises ``StoreUnavailable``."""
        self._call(self._prune)

    def near(self, embedder: str, vector: array[float], query: Query, scope: str, limit: int) -> list[Place]:
        """The cells in ``scope`` whose vectors are nearest to ``vector``, nearest first, the cosine as their score."""
        return self._call(lambda connection: self._near(connection, embedder, vector, query, scope, limit))

    def interrupt(self) -> None:
        """End what is being done; the only call that another thread may make."""
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):  # closed in the meantime
                connection.interrupt()

    def close(self) -> None:
        """Close the file; a later call opens it again."""
        connection, self._connection = self._connection, None
        self._known, self._version, self._signs = {}, -1, None
        if connection is not None:
            connection.close()

    # ------------------------------------------------------------ jobs

    def _load(self, connection: sqlite3.Connection) -> dict[str, Stamp]:
        version = int(connection.execute("PRAGMA data_version").fetchone()[0])
        if version != self._version:  # opened just now, or another server has written
            rows = connection.execute("SELECT path, stamp FROM notebooks")
            self._known = {path: tuple(json.loads(stamp)) for path, stamp in rows}
            self._version, self._signs = version, None
            self.loads += 1
        return self._known

    def _write(self, connection: sqlite3.Connection, pages: Sequence[Page]) -> None:
        with _transaction(connection):
            for page in pages:
                _put(connection, page)
        self._known.update((page.sighting.path, page.sighting.stamp) for page in pages)

    def _drop(self, connection: sqlite3.Connection, paths: Sequence[str]) -> None:
        with _transaction(connection):
            for path in paths:
                _forget(connection, path)
        for path in paths:
            self._known.pop(path, None)

    def _unembedded(self, connection: sqlite3.Connection, embedder: str, below: int, limit: int) -> Unembedded:
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
        with _transaction(connection):
            connection.execute("DELETE FROM vectors")
            connection.execute("DELETE FROM embedder")
            connection.execute("INSERT INTO embedder VALUES (?)", (embedder,))
        self._signs = {}

    def _embed(self, connection: sqlite3.Connection, embedder: str, found: Mapping[bytes, array[float]]) -> None:
        self._settle(connection, embedder)
        length = max(map(len, found.values()), default=0)
        row = connection.execute("SELECT length(vector) FROM vectors WHERE vector != x'' LIMIT 1").fetchone()
        if row and length and row[0] != 4 * length:
            self._forget_vectors(connection, embedder)
        bits = {digest: vectors.signs(vector) for digest, vector in found.items()}
        with _transaction(connection):
            connection.executemany(
                "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)",
                ((d, _bytes(bits[d], len(vector)), vectors.packed(vector)) for d, vector in found.items()),
            )
        if self._signs is not None:
            self._signs.update((digest, bits[digest]) for digest, vector in found.items() if vector)

    def _prune(self, connection: sqlite3.Connection) -> None:
        with _transaction(connection):
            gone = connection.execute(_ORPHANS).rowcount
        if gone:
            self._signs = None

    def _near(
        self, connection: sqlite3.Connection, embedder: str, vector: array[float], query: Query, scope: str, limit: int
    ) -> list[Place]:
        self._settle(connection, embedder)
        known = self._known_signs(connection)
        if scope:
            inside = {digest for (digest,) in connection.execute(_WITHIN, _inside(scope))}
            known = {digest: bits for digest, bits in known.items() if digest in inside}
        chosen = vectors.likely(vectors.signs(vector), known, vectors.OVERSAMPLED * limit)
        near = vectors.nearest(vector, _vectors(connection, chosen), limit)
        return [place for digest, cosine in near for place in _places(connection, digest, cosine, query, scope, limit)][
            :limit
        ]

    def _known_signs(self, connection: sqlite3.Connection) -> dict[bytes, int]:
        if self._signs is None:
            rows = connection.execute("SELECT digest, signs FROM vectors WHERE signs != x''")
            self._signs = {digest: int.from_bytes(bits, "big") for digest, bits in rows}
        return self._signs

    # ------------------------------------------------------------ a call, and what becomes of a file that fails

    def _call(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """What ``job`` gives; after a fault once more, on a new index, then on one in memory."""
        for mend in (self._rebuild, self._leave_the_disk, self._give_up):
            try:
                return job(self._opened())
            except (sqlite3.Error, OSError, ValueError) as error:
                mend(error)
        raise AssertionError("the last way out raises")

    def _rebuild(self, error: Exception) -> None:
        if _says(error, _BUSY):
            self._give_up(error)
        self.close()
        if _says(error, _ENVIRONMENT) or isinstance(error, OSError):
            self._leave_the_disk(error)
        elif self._file is not None:
            self._log.warning("search index: damaged or of another version; it is made anew")
            for suffix in ("", "-journal", "-wal", "-shm"):
                with contextlib.suppress(OSError):
                    os.unlink(f"{self._file}{suffix}")

    def _leave_the_disk(self, error: Exception) -> None:
        self.close()
        if self._file is not None:
            self._log.warning("search index: kept in memory, its file cannot be used (%s)", type(error).__name__)
        self._file = None

    def _give_up(self, error: Exception) -> None:
        self.close()
        raise StoreUnavailable("The search index cannot be used just now.", "Try again in a moment.") from error

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None and self._file is not None and _identity(self._file) != self._identity:
            self.close()  # deleted, or made anew by another server
        if self._connection is None:
            self._connection = self._open()
            self.openings += 1
        return self._connection

    def _open(self) -> sqlite3.Connection:
        if self._file is not None:
            _prepare(self._file)
        connection = sqlite3.connect(self._file or ":memory:", timeout=BUSY_SECONDS, isolation_level=None)
        try:
            self._identity = _identity(self._file) if self._file is not None else None
            _set_up(connection)
        except BaseException:
            connection.close()
            raise
        return connection


# ---------------------------------------------------------------- the file


class _OtherVersion(sqlite3.DatabaseError):
    """The file is not an index of this version."""


def _prepare(file: Path) -> None:
    """A private file in a folder that is private if we make it: SQLite would give it the mode of the umask."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    if file.stat().st_mode & 0o077:
        file.chmod(0o600)


def _set_up(connection: sqlite3.Connection) -> None:
    # Not WAL: home directories of hubs are often on NFS, where WAL does not work (SECURITY "Store").
    for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "journal_mode = DELETE", "synchronous = NORMAL"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    with _transaction(connection):
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        empty = not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if version == VERSION and not empty:
            return
        if version or not empty:
            raise _OtherVersion(f"version {version}")
        for statement in _SCHEMA:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _says(error: Exception, words: Sequence[str]) -> bool:
    return isinstance(error, sqlite3.Error) and any(word in str(error) for word in words)


# ---------------------------------------------------------------- rows


def _put(connection: sqlite3.Connection, page: Page) -> None:
    path, stamp = page.sighting.path, json.dumps(page.sighting.stamp)
    row = connection.execute("SELECT stamp FROM notebooks WHERE path = ?", (path,)).fetchone()
    if row == (stamp,) and page.sighting.stamp:
        return  # another server was faster
    _forget(connection, path)
    notebook = connection.execute("INSERT INTO notebooks (path, stamp) VALUES (?, ?)", (path, stamp)).lastrowid
    name = path.removesuffix(".ipynb")
    for row in page.rows:
        _put_cell(connection, notebook, name, row)


def _put_cell(connection: sqlite3.Connection, notebook: int | None, name: str, row: Row) -> None:
    cell_id, place, kind, title, above, source, hidden, outputs, digest = row
    number = connection.execute(
        "INSERT INTO cells (notebook, cell_id, place, cell_type, title, digest) VALUES (?, ?, ?, ?, ?, ?)",
        (notebook, cell_id, place, kind, title, digest),
    ).lastrowid
    connection.execute(
        "INSERT INTO words (rowid, name, title, source, parts, outputs) VALUES (?, ?, ?, ?, ?, ?)",
        (number, name, above, source, hidden, outputs),
    )


# ---------------------------------------------------------------- rows that go, and counts


def _forget(connection: sqlite3.Connection, path: str) -> None:
    row = connection.execute("SELECT id FROM notebooks WHERE path = ?", (path,)).fetchone()
    if row:
        _drop_cells(connection, row[0])
        connection.execute("DELETE FROM notebooks WHERE id = ?", row)


def _drop_cells(connection: sqlite3.Connection, notebook: int) -> None:
    connection.execute("DELETE FROM words WHERE rowid IN (SELECT id FROM cells WHERE notebook = ?)", (notebook,))
    connection.execute("DELETE FROM cells WHERE notebook = ?", (notebook,))


def _counts(connection: sqlite3.Connection) -> Counts:
    asked = ("notebooks", "cells", "cells WHERE digest IN (SELECT digest FROM vectors WHERE vector != x'')")
    return Counts(*(int(connection.execute(f"SELECT count(*) FROM {what}").fetchone()[0]) for what in asked))


# ---------------------------------------------------------------- vectors


def _bytes(bits: int, length: int) -> bytes:
    return bits.to_bytes(-(-length // 8), "big")


def _vectors(connection: sqlite3.Connection, digests: Sequence[bytes]) -> dict[bytes, array[float]]:
    marks = ",".join("?" * len(digests))
    rows = connection.execute(f"SELECT digest, vector FROM vectors WHERE digest IN ({marks})", digests)
    return {digest: vectors.unpacked(vector) for digest, vector in rows}


def _inside(scope: str) -> tuple[str, int, str]:
    """What ``_SCOPED`` is asked with."""
    folder = f"{scope}/" if scope else ""
    return scope, len(folder), folder


def _places(
    connection: sqlite3.Connection, digest: bytes, cosine: float, query: Query, scope: str, limit: int
) -> Iterator[Place]:
    for _, path, cell_id, index, kind, title, source, outputs in connection.execute(
        _PLACES, (digest, *_inside(scope), limit)
    ):
        yield Place(path, cell_id, index, kind, round(cosine, 6), title, snippet((source, outputs), query.words))


# ---------------------------------------------------------------- answers


def _found(connection: sqlite3.Connection, query: Query, scope: str, limit: int) -> list[Place]:
    """Cells with every word first; those with some of them fill up what is left."""
    expressions = _finished(connection, query, limit)
    telling = [one for one in expressions if 0 < _hits(connection, one) < CANDIDATES] or expressions
    every, some = " AND ".join(expressions), " OR ".join(telling)
    places: dict[int, Place] = {}
    for bonus, expression in ((1, every), (0, some)):
        if len(places) < limit and (bonus or some != every):
            last = _last(connection, expression) if not scope else LAST
            asked = (expression, last, *_inside(scope), limit)
            for row, rank, path, cell_id, index, kind, title, source, outputs in connection.execute(_FIND, asked):
                shown = snippet((source, outputs), query.words)
                score = round(bonus + max(0.0, rank) / (max(0.0, rank) + 10), 6)
                places.setdefault(row, Place(path, cell_id, index, kind, score, title, shown))
    return list(places.values())[:limit]


def _finished(connection: sqlite3.Connection, query: Query, limit: int) -> Sequence[str]:
    """What to look for: the last word as a beginning, unless it is often a word by itself."""
    if not query.unfinished or _hits(connection, query.expressions[-1]) > limit:
        return query.expressions
    return [*query.expressions[:-1], query.unfinished]


def _hits(connection: sqlite3.Connection, expression: str) -> int:
    """How many cells match, counted up to ``CANDIDATES``."""
    return int(connection.execute(_COUNT, (expression, CANDIDATES)).fetchone()[0])


def _last(connection: sqlite3.Connection, expression: str) -> int:
    """The row after which no more candidates are scored: each costs a microsecond, and some words are everywhere."""
    row = connection.execute(_NTH, (expression, CANDIDATES)).fetchone()
    return int(row[0]) if row else LAST
